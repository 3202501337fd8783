"""What users of other gateways ran into (the numbers are those of the list of forty): it must not happen here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llr.base.errors import ErrorKind, fail
from llr.testing import HANG, Playbook, Reply, Wait, json_reply, sse_reply
from tests.gateway.samples import CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, Sample, doc_for
from tests.running import environment

BUSY = json_reply({"error": {"message": "busy"}}, 500)
BOTH = pytest.mark.parametrize("sample", [CHAT, MESSAGES], ids=lambda sample: sample.name)


async def ask(
    play: Playbook, sample: Sample = CHAT, model: str = "any", *, stream: bool = False, **headers: str
) -> Any:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await play.ask("POST", sample.path, sample.body(model, stream=stream), fields)


@BOTH
async def test_peer_15_no_keep_alive(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    events = CHAT_STREAM if sample is CHAT else MESSAGES_STREAM
    play.upstream("a.test").answers(Reply(200, [("content-type", "text/event-stream")], events, [Wait(70)]))
    asking = await play.open("POST", sample.path, sample.body("any", stream=True))
    for _ in range(70):
        await play.clock.advance(1)
    heard = await asking.heard()
    pings = [chunk for chunk in heard.chunks if b"ping" in chunk or chunk.startswith(b":")]
    assert len(pings) >= 3, "nobody between may think that the line is dead"
    assert heard.body.endswith(events[-1])


@BOTH
async def test_peer_16_stall_in_the_middle_of_tool_json(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    events = CHAT_STREAM if sample is CHAT else MESSAGES_STREAM
    stall = fail(ErrorKind.UPSTREAM_TIMEOUT, "nothing came for 240 s")
    play.upstream("a.test").answers(sse_reply(*events[:4], Wait(240), stall))
    asking = await play.open("POST", sample.path, sample.body("any", stream=True))
    await play.clock.advance(241)
    heard = await asking.heard()
    assert b'"error"' in heard.events[-1].data
    assert events[-1] not in heard.body
    assert play.observer.finished[-1].end == "failed"
    assert play.transport.open == 0


POINTS: dict[str, Reply] = {
    "before the head": Reply(before=[HANG]),
    "after the head": sse_reply(HANG),
    "in the stream": sse_reply(*CHAT_STREAM[:3], HANG),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("point", POINTS)
async def test_peer_19_client_gone_upstream_still_billed(point: str, stream: bool) -> None:
    made = doc_for(CHAT, "a", "b")
    made["providers"][0]["metadata"] = {"llr": {"maxConcurrency": 1}}
    play = Playbook(made)
    play.upstream("a.test").answers(POINTS[point])
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    asking = await play.open("POST", CHAT.path, CHAT.body("any", stream=stream))
    await asking.leave()
    assert play.transport.open == 0
    assert not play.upstream("b.test").asked, "nobody is there to hear another answer"
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    assert (await ask(play)).status == 200
    assert not play.upstream("b.test").asked, "the slot was free again"


async def test_peer_22_state_leaks_across_attempts() -> None:
    made = doc_for(CHAT, "a", "b", "c")
    for entry in made["providers"]:
        name = f"x-{entry['id']}-key"
        entry |= {"auth": {"type": "header", "headerName": name}, "headers": {f"x-of-{entry['id']}": "1"}}
    play = Playbook(made)
    play.upstream("a.test").answers(BUSY)
    play.upstream("b.test").answers(BUSY)
    play.upstream("c.test").answers(json_reply(CHAT.answer))
    assert (await ask(play)).status == 200
    for host in "abc":
        sent = str(play.upstream(f"{host}.test").asked[0].headers)
        for other in "abc":
            present = f"key-{other}" in sent or f"x-of-{other}" in sent
            assert present is (host == other)
    assert [attempt.ref for attempt in play.observer.attempts] == ["a/m", "b/m", "c/m"]


async def test_peer_23_fallback_switches_ignored() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(BUSY)
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    assert (await ask(play, x_llm_router_no_fallback="true")).status == 500
    assert not play.upstream("b.test").asked
    assert (await ask(play)).status == 200


async def test_peer_24_retry_storms() -> None:
    play = Playbook(doc_for(CHAT, *"abcde"))
    limited = json_reply({"error": {"message": "slow down"}}, 429, retry_after="7")
    for host in "abcde":
        play.upstream(f"{host}.test").answers(limited)
    heard = await ask(play)
    assert heard.status == 429
    assert 1 <= int(heard.headers.text(b"retry-after")) <= 7
    assert len(play.transport.seen) == 5, "each candidate once"


async def test_peer_25_limiter_accounting() -> None:
    made = doc_for(CHAT, "a")
    window = {"unit": "minute", "size": 1}
    made["providers"][0]["rateLimits"] = [{"id": "b", "models": ["all"], "requests": 3, "window": window}]
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    assert [(await ask(play)).status for _ in range(6)] == [200, 200, 200, 429, 429, 429]
    await play.clock.advance(60)
    assert [(await ask(play)).status for _ in range(4)] == [200, 200, 200, 429], "refused requests cost nothing"


@pytest.mark.parametrize(
    ("more", "line", "advice"),
    [
        ({}, ["start", "--host=0.0.0.0"], "set-master-key"),
        ({}, ["start", "--require-auth"], "set-master-key"),
        ({"masterKey": "m" * 20}, ["start", "--host=0.0.0.0"], "--require-auth"),
        ({"providers": []}, ["start"], "validate"),
    ],
)
def test_peer_26_open_by_default(pyz: Path, tmp_path: Path, more: dict[str, Any], line: list[str], advice: str) -> None:
    write(tmp_path, doc_for(CHAT, "a") | more)
    done = run(pyz, tmp_path, *line)
    assert done.returncode == 2
    assert advice in done.stderr


def test_peer_29_gateway_damages_its_own_config(pyz: Path, tmp_path: Path) -> None:
    file = write(tmp_path, doc_for(CHAT, "a"))
    broken = file.read_text()[:-40]
    file.write_text(broken)
    assert run(pyz, tmp_path, "start").returncode == 2
    assert run(pyz, tmp_path, "config", "upsert-model-alias", "--alias-id=x", "--targets=a/m").returncode != 0
    assert file.read_text() == broken, "what cannot be read is not written over"


@pytest.mark.parametrize("name", ["a/m", "a,m"])
async def test_peer_30_both_separators(name: str) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    assert (await ask(play, model=name)).status == 200


@BOTH
async def test_peer_30_naming_and_model_errors(sample: Sample) -> None:
    made = doc_for(sample, "a")
    made["modelAliases"] |= {name: {"targets": ["a/m"]} for name in ("fast", "faster", "fastest", "fasten", "slow")}
    heard = await ask(Playbook(made), sample, "fasd")
    assert heard.status == 404
    message = heard.json["error"]["message"]
    assert "fast" in message
    assert 1 <= sum(message.count(f"'{name}'") + message.count(f" {name}") for name in ("fast", "faster", "slow")) <= 3


def write(home: Path, doc: dict[str, Any]) -> Path:
    file = home / ".llm-router.json"
    file.write_text(json.dumps(doc))
    return file


def run(pyz: Path, home: Path, *line: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", str(pyz), *line]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=30, check=False)
