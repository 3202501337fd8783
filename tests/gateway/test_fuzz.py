"""Whatever a client sends or a provider answers, the gateway has an answer of its own: never a 500, never an open end.

Seeds are fixed; a failure prints the body that caused it.
"""

import json
import random
from copy import deepcopy
from typing import Any

import pytest

from llr.base.errors import GatewayError
from llr.base.names import FormatId
from llr.formats.table import FORMATS
from llr.testing import Heard, Playbook, Reply, json_reply, sse_reply
from tests.formats import matrix
from tests.formats.irjson import load
from tests.gateway.samples import CHAT, COMPLETIONS, GEMINI, MESSAGES, RESPONSES, Sample, doc_speaking, full_answer

CLIENTS = {
    FormatId.MESSAGES: MESSAGES,
    FormatId.CHAT: CHAT,
    FormatId.RESPONSES: RESPONSES,
    FormatId.COMPLETIONS: COMPLETIONS,
    FormatId.GEMINI: GEMINI,
}
UPSTREAMS = (MESSAGES, CHAT, RESPONSES, GEMINI)
# What stands in the place of something else: every type, the edges of numbers, text that is no Unicode.
ODD: tuple[Any, ...] = (
    float("nan"), float("-inf"),
    None, True, False, 0, -1, 1.5, 1e308, 10**30, "", " ", "x", "\ud800", "data:image/png;base64,", "data:,",
    "llr1.e30.AA", [], [None], [[]], {}, {"type": None}, {"type": "text"}, {"text": 1}, {"": ""}, {"type": ["x"]},
    {"role": {}}, {"content": 3}, [1, "a", {"type": "text", "text": None}], "{\"a\":", "[]", {"url": 7}, {"id": []},
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the path of everything inside a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for key, inner in items for place in places(inner, (*path, key))]


def odd(rng: random.Random) -> Any:
    """Returns one of the odd values, its own copy."""
    return deepcopy(rng.choice(ODD))


def mutated(value: Any, rng: random.Random) -> Any:
    """Returns a copy with one to three things replaced, left out, doubled or added."""
    copy = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        inside = places(copy)
        if not inside:
            return copy
        *way, last = rng.choice(inside)
        holder = copy
        for key in way:
            holder = holder[key]
        change = rng.random()
        if change < 0.6:
            holder[last] = odd(rng)
        elif change < 0.75:
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(last, deepcopy(holder[last]) if change < 0.9 else odd(rng))
        else:
            holder[rng.choice(("type", "content", "id", "name", "cache_control", "extra"))] = odd(rng)
    return copy


def bodies(client: FormatId) -> list[dict[str, Any]]:
    """Returns what clients of this format ask in the shared scenarios."""
    found = []
    for name in matrix.scenarios():
        try:
            found.append(matrix.asked(load(matrix.read(name)["request"]), client))
        except GatewayError:
            continue
    return found


async def said(play: Playbook, client: Sample, body: Any, *, stream: bool) -> Heard:
    """Returns the answer to a body, asked the way this client asks."""
    if client is not GEMINI and isinstance(body, dict):
        body = {**body, "model": "any", "stream": stream}
    return await play.ask("POST", client.target("any", stream=stream), body, client.headers)


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("upstream", UPSTREAMS, ids=lambda sample: sample.name)
async def test_no_request_body_is_too_odd(client: FormatId, upstream: Sample) -> None:
    rng = random.Random(f"{client} {upstream.name}")
    samples = bodies(client)
    play = Playbook(doc_speaking(upstream, "a"), carrier_key=b"k" * 32)
    play.upstream("a.test").answers(json_reply(full_answer(upstream)))
    for _ in range(400):
        body = mutated(rng.choice(samples), rng)
        heard = await said(play, CLIENTS[client], body, stream=rng.random() < 0.3)
        assert heard.status in (200, 400), (heard.status, heard.body, json.dumps(body))
        assert play.transport.open == 0


def _answers(upstream: FormatId) -> list[matrix.Cell]:
    found = []
    for name in matrix.scenarios():
        try:
            cell = matrix.Cell(matrix.read(name), upstream, upstream)
            cell.answer_body()
        except GatewayError:
            continue
        found.append(cell)
    return found


def _events(data: bytes, rng: random.Random) -> bytes:
    """Returns a stream with some of its events changed, doubled or gone."""
    out = []
    for block in data.split(b"\n\n"):
        head, found, text = block.partition(b"data: ")
        if not found or rng.random() < 0.7:
            out.append(block)
            continue
        try:
            value = mutated(json.loads(text), rng)
        except ValueError:
            continue
        out += [head + found + json.dumps(value).encode()] * rng.choice((1, 1, 1, 2))
    return b"\n\n".join(out)


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("upstream", UPSTREAMS, ids=lambda sample: sample.name)
async def test_no_answer_is_too_odd(client: FormatId, upstream: Sample) -> None:
    rng = random.Random(f"{upstream.name} {client}")
    wires = {sample.name: wire for wire, sample in CLIENTS.items()}
    cells = _answers(wires[upstream.name])
    asking = CLIENTS[client]
    for _ in range(150):
        cell, stream = rng.choice(cells), rng.random() < 0.6
        given: Reply
        if stream:
            given = sse_reply(_events(cell.answer_stream(), rng))
        else:
            given = json_reply(mutated(cell.answer_body(), rng))
        play = Playbook(doc_speaking(upstream, "a"), carrier_key=b"k" * 32)
        play.upstream("a.test").answers(given)
        heard = await said(play, asking, asking.body("any", stream=stream), stream=stream)
        assert b"internal error" not in heard.body, (heard.body, given.steps)
        assert play.transport.open == 0


def test_every_format_is_fed() -> None:
    assert set(CLIENTS) == set(FORMATS)
