"""What users of other gateways ran into (the numbers are those of the list of forty): it must not happen here."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llr.base.errors import ErrorKind, fail
from llr.testing import HANG, Playbook, Reply, Wait, json_reply, sse_reply
from tests.gateway.samples import CHAT, CHAT_STREAM, MESSAGES, MESSAGES_STREAM, Sample, doc_for
from tests.running import environment, gateway

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


def test_peer_31_a_home_with_blanks_and_umlauts_and_a_pid_that_is_somebody_elses(pyz: Path, tmp_path: Path) -> None:
    home = tmp_path / "Jörg Müller's Möbel"
    home.mkdir()
    write(home, doc_for(CHAT, "a"))
    state = home / ".llm-router.runtime.json"
    with gateway(pyz, home, "llr start"):
        left = json.loads(state.read_text())
        os.kill(left["pid"], signal.SIGKILL)
    # The killed gateway could not clean up, and its number is another living process's by now.
    state.write_text(json.dumps({**left, "pid": os.getpid()}))
    with gateway(pyz, home, "llr start") as address, urllib.request.urlopen(f"{address}/health") as answer:
        assert answer.status == 200
        assert json.loads(state.read_text())["pid"] not in (os.getpid(), left["pid"])


LARGE = json.dumps(
    {"model": "v/m", "max_tokens": 9, "messages": [{"role": "user", "content": "x" * 2_000_000}]}
).encode()
ANSWER = json.dumps(CHAT.answer).encode()


class Vendor(BaseHTTPRequestHandler):
    """Takes any body and says one word."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        left = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, 65_536)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def peak_mb(pid: int) -> int:
    """The most memory a process ever held, in MB."""
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("path", "at_once", "requests"),
    [("/v1/chat/completions", 4, 200), ("/v1/messages", 1, 100)],
    ids=["relayed", "translated"],
)
def test_peer_33_bodies_are_not_kept(pyz: Path, tmp_path: Path, path: str, at_once: int, requests: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    provider = {"id": "v", "baseUrl": origin, "format": "openai", "apiKey": "k", "models": ["m"]}
    write(tmp_path, {"version": 2, "providers": [provider]})
    fields = {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    try:
        with gateway(pyz, tmp_path, "llr start") as address, ThreadPoolExecutor(at_once) as pool:

            def ask(_: int) -> int:
                with urllib.request.urlopen(urllib.request.Request(address + path, LARGE, fields)) as answer:
                    answer.read()
                    return int(answer.status)

            assert set(pool.map(ask, range(requests))) == {200}
            pid = json.loads((tmp_path / ".llm-router.runtime.json").read_text())["pid"]
            assert peak_mb(pid) < 150, "2 MB each, of which none may stay"
    finally:
        server.shutdown()
        server.server_close()


def write(home: Path, doc: dict[str, Any]) -> Path:
    file = home / ".llm-router.json"
    file.write_text(json.dumps(doc))
    return file


def run(pyz: Path, home: Path, *line: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", str(pyz), *line]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=30, check=False)
