"""A vendor's stream cut after any byte, for every client: nothing before the mark of completeness ends as success."""

import json
from typing import Any

import pytest

from llr.testing import Heard, Playbook, sse_reply
from tests.e2e import answers
from tests.e2e.conftest import FORMATS
from tests.e2e.script import PARIS, SECRET_THOUGHT, WORDS, Turn

TURN = Turn(WORDS, SECRET_THOUGHT, (PARIS,), "tools")
# A cut inside an event falls on every byte of it in time, whatever the step; primes do not beat with the event lengths.
STEP = 29

HELLO: Any = [{"role": "user", "content": "Hello"}]
ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("/v1/messages", {"max_tokens": 100, "messages": HELLO}),
    "chat": ("/v1/chat/completions", {"messages": HELLO}),
    "responses": ("/v1/responses", {"input": "Hello"}),
    "completions": ("/v1/completions", {"prompt": "Hello"}),
    "gemini": (
        "/v1beta/models/x%2Fmodel:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": "Hello"}]}]},
    ),
}


def stream_of(kind: str) -> tuple[list[bytes], int]:
    """Returns a vendor's events, and where the one with the mark of completeness begins."""
    made: Any
    if kind == "m":
        made, mark = answers.m_events(TURN, "model"), b'"type": "message_delta"'
    elif kind == "c":
        made, mark = answers.c_events(TURN, "model", usage=True), b'"finish_reason": "tool_calls"'
    elif kind == "r":
        made, mark = answers.r_events(TURN, "model"), b'"type": "response.completed"'
    else:
        made, mark = ((None, chunk) for chunk in answers.g_chunks(TURN, "model")), b'"finishReason"'
    events = list(answers.sse(made))
    at = next(index for index, event in enumerate(events) if mark in event)
    return events, sum(map(len, events[:at]))


def ended_well(client: str, heard: Heard) -> bool:
    """Returns whether a user of this client takes the answer for a whole one."""
    if heard.status != 200 or heard.broken:
        return False
    data = [bytes(event.data).decode() for event in heard.events]
    bodies = [json.loads(text) for text in data if text.startswith("{")]
    if any("error" in body and body["error"] for body in bodies) or not bodies:
        return False
    if client == "messages":
        return bool(bodies[-1]["type"] == "message_stop")
    if client == "responses":
        return bodies[-1]["type"] in ("response.completed", "response.incomplete")
    if client == "gemini":
        return "finishReason" in bodies[-1]["candidates"][0]
    return data[-1] == "[DONE]"


def doc(kind: str) -> dict[str, Any]:
    entry = {"id": "x", "baseUrl": "http://x.test", "formats": [FORMATS[kind]], "apiKey": "k", "models": ["model"]}
    return {"version": 2, "providers": [entry]}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("client", ASKS)
async def test_a_cut_before_the_mark_is_never_success(client: str, kind: str) -> None:
    if (client, kind) == ("completions", "c"):
        return  # Its own endpoint, another grammar.
    events, mark = stream_of(kind)
    whole = b"".join(events)
    end = mark + len(next(event for at, event in _placed(events) if at == mark))
    path, body = ASKS[client]
    for cut in [*range(0, len(whole), STEP), mark, end, len(whole)]:
        play = Playbook(doc(kind))
        play.upstream("x.test").answers(sse_reply(whole[:cut]))
        heard = await play.ask("POST", path, {"model": "x/model", "stream": True, **body})
        good = ended_well(client, heard)
        if cut <= mark:
            assert not good, (cut, heard.status, heard.body[-400:])
        elif cut >= end:
            assert good, (cut, heard.status, heard.body[-400:])
        assert play.transport.open == 0


def _placed(events: list[bytes]) -> list[tuple[int, bytes]]:
    at, out = 0, []
    for event in events:
        out.append((at, event))
        at += len(event)
    return out
