"""Every key of our own, seen through the built archive: what it makes of a request to one gateway with one upstream.

The table at the end holds the keys that other tests show; a key that is in neither place fails the last test.
"""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llr.config.keys import KEYS
from tests.cli.conftest import archive_command
from tests.cli.life import Gateway, living
from tests.cli.providers import write
from tests.conftest import ROOT
from tests.running import threaded

TEXT = {"role": "assistant", "content": "hi"}
USAGE = {"prompt_tokens": 60, "completion_tokens": 60, "total_tokens": 120}


class Upstream:
    """Answers every POST in the form its path asks for, and remembers path and body. `/slow…` takes its time."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.seen.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}))
                if self.path.startswith("/slow"):
                    upstream.released.wait(20)
                status, kind, data = answer(self.path, body)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.released = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


def answer(path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
    """Returns status, type and bytes."""
    if "/teapot" in path:
        return 418, "application/json", b'{"error": {"message": "short and stout"}}'
    if path.endswith("/responses"):
        part = {"type": "output_text", "text": "hi", "annotations": []}
        item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]}
        whole = {"id": "r1", "object": "response", "status": "completed", "model": "m", "output": [item]}
        return 200, "application/json", json.dumps(whole).encode()
    if body.get("stream"):
        rows = [
            {"choices": [{"index": 0, "delta": TEXT}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        ]
        lines = [f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', **row})}\n\n" for row in rows]
        return 200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()
    choice = {"index": 0, "message": TEXT, "finish_reason": "stop"}
    return 200, "application/json", json.dumps({"id": "c", "choices": [choice], "usage": USAGE}).encode()


def provider(own: str, port: int, path: str = "", model: dict[str, Any] | None = None, **llr: Any) -> dict[str, Any]:
    found = {"id": own, "name": own, "baseUrl": f"http://127.0.0.1:{port}{path or '/' + own}", "format": "openai"}
    entry = {"id": "m", **({"metadata": {"llr": model}} if model else {})}
    return {**found, "apiKey": f"key-{own}", "models": [entry], **({"metadata": {"llr": llr}} if llr else {})}


def config(port: int) -> dict[str, Any]:
    window = {"unit": "hour", "size": 1}
    capped = {"id": "few", "models": ["all"], "requests": 9, "window": window, "metadata": {"llr": {"tokens": 100}}}
    return {
        "version": 2,
        "providers": [
            provider("plain", port),
            provider("streams", port, streamOnly=True),
            provider("strict", port, strict=True),
            provider("strictmodel", port, model={"strict": True}),
            provider("limit", port, model={"maxOutputTokens": 77}),
            provider("wired", port, model={"wire": "responses"}),
            provider("think", port, traits={"dropFields": ["seed"]}),
            provider("thinkmodel", port, model={"traits": {"dropFields": ["seed"]}}),
            provider("paths", port, endpointPaths={"chat": "/elsewhere/talk"}),
            provider("proxied", port, "", None, proxy="http://127.0.0.1:9"),
            provider("rooted", port, caFile="/nonexistent/ca.pem") | {"baseUrl": f"https://127.0.0.1:{port}"},
            {**provider("direct", port), "streamOnly": True},
            provider("slow", port, timeouts={"firstByteMs": 1_000}),
            provider("slowmodel", port, model={"timeouts": {"firstByteMs": 1_000}}),
            provider("slowlate", port),
            provider("slowone", port, maxConcurrency=1),
            provider("slowonemodel", port, model={"maxConcurrency": 1}),
            provider("teapot", port, failureRules=[{"status": 418, "contains": "stout", "action": "next"}]),
            {**provider("tokens", port), "rateLimits": [capped]},
            {**provider("teapotroot", port, "/teapot")},
        ],
        "modelAliases": {
            "late": {"targets": ["slowlate/m"], "metadata": {"llr": {"deadlineMs": 1_000}}},
            "first": {"targets": ["slowlate/m", "plain/m"], "metadata": {"llr": {"firstTokenMs": 100}}},
            "one": {"targets": ["slowlate/m"], "metadata": {"llr": {"maxConcurrency": 1}}},
            "rules": {"targets": ["teapot/m", "plain/m"]},
            "rootrules": {"targets": ["teapotroot/m", "plain/m"]},
            "turns": {
                "strategy": "round-robin",
                "targets": ["plain/m", "limit/m"],
                "metadata": {"llr": {"affinity": "off"}},
            },
            "stays": {"strategy": "round-robin", "targets": ["plain/m", "limit/m"]},
        },
        "metadata": {
            "llr": {
                "failureRules": [{"status": 418, "action": "stop"}],
                "carrierKeyFile": "keys/own.key",
                "state": {"backend": "sqlite"},
                "routing": {"debugRouting": True, "originRetryAttempts": 1},
                "allowedHosts": ["router.lan"],
            }
        },
    }


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    with threaded(made.server, made.released):
        yield made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home ü")


@pytest.fixture(scope="module")
def gateway(pyz: Path, home: Path, upstream: Upstream) -> Iterator[Gateway]:
    doc = config(upstream.port)
    doc["metadata"]["llr"]["state"]["path"] = str(home / "kept.sqlite")
    (home / "keys").mkdir()
    with living(archive_command(pyz, home), home) as life:
        write(life, doc)
        yield life.start()


@dataclass
class Told:
    """One answer, and what the upstream was sent for it (None when it was not asked)."""

    status: int
    fields: dict[str, str]
    body: str
    sent: tuple[str, dict[str, Any], dict[str, str]] | None

    @property
    def route(self) -> str:
        return self.fields.get("x-llm-router-attempts", "")

    def json(self) -> dict[str, Any]:
        assert self.sent is not None
        return self.sent[1]


Ask = Callable[..., Told]


@pytest.fixture
def ask(gateway: Gateway, upstream: Upstream) -> Ask:
    def asked(model: str, path: str = "/v1/chat/completions", host: str = "", **more: Any) -> Told:
        before = len(upstream.seen)
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        with contextlib.closing(http.client.HTTPConnection(*gateway.address, timeout=20)) as connection:
            connection.putrequest("POST", path, skip_host=bool(host))
            data = json.dumps(body).encode()
            fields = {"content-type": "application/json", "content-length": str(len(data))}
            for name, value in {**fields, **({"host": host} if host else {})}.items():
                connection.putheader(name, value)
            connection.endheaders(data)
            answered = connection.getresponse()
            text = answered.read().decode()
            named = {key.lower(): value for key, value in answered.getheaders()}
        return Told(answered.status, named, text, upstream.seen[before] if len(upstream.seen) > before else None)

    return asked


def shows(*keys: str) -> Callable[[Any], Any]:
    """Marks a test as what shows these keys."""
    SHOWN.update(keys)
    return lambda test: test


SHOWN: set[str] = set()
MESSAGE = {"path": "/v1/messages", "max_tokens": 500}


@shows("provider.strict", "model.strict")
def test_a_translation_that_loses_something_is_refused(ask: Ask) -> None:
    lost = {**MESSAGE, "top_k": 4}
    assert ask("plain/m", **lost).status == 200
    assert [ask(f"{own}/m", **lost).status for own in ("strict", "strictmodel")] == [400, 400]


@shows("provider.streamOnly")
def test_an_upstream_that_only_streams(ask: Ask) -> None:
    """The same key on the object itself means the same."""
    for own in ("streams", "direct"):
        told = ask(f"{own}/m")
        assert told.json()["stream"] is True
        assert json.loads(told.body)["choices"][0]["message"]["content"] == "hi"
    assert "stream" not in ask("plain/m").json()


@shows("model.maxOutputTokens")
def test_the_most_tokens_of_an_answer(ask: Ask) -> None:
    assert 500 in ask("plain/m", **MESSAGE).json().values()
    assert 77 in ask("limit/m", **MESSAGE).json().values()


@shows("model.wire")
def test_the_wire_format_of_a_model(ask: Ask) -> None:
    for own, path in (("plain", "/plain/v1/chat/completions"), ("wired", "/wired/v1/responses")):
        sent = ask(f"{own}/m", **MESSAGE).sent
        assert sent is not None
        assert sent[0] == path


@shows("provider.traits", "model.traits")
def test_what_an_upstream_does_not_know(ask: Ask) -> None:
    assert ask("plain/m", seed=1).json()["seed"] == 1
    assert ["seed" in ask(f"{own}/m", seed=1).json() for own in ("think", "thinkmodel")] == [False, False]


@shows("provider.endpointPaths")
def test_a_path_of_its_own(ask: Ask) -> None:
    sent = ask("paths/m").sent
    assert sent is not None
    assert sent[0] == "/elsewhere/talk"


@shows("provider.proxy", "provider.caFile")
def test_ways_that_lead_nowhere(ask: Ask) -> None:
    proxied, rooted = ask("proxied/m"), ask("rooted/m")
    assert (proxied.status, proxied.sent) == (502, None)
    assert "caFile: cannot load certificates from /nonexistent/ca.pem" in rooted.body


@shows("provider.timeouts", "model.timeouts")
@pytest.mark.parametrize("own", ["slow", "slowmodel"])
def test_a_head_that_does_not_come_in_time(ask: Ask, own: str) -> None:
    began = time.monotonic()
    assert ask(f"{own}/m").status == 504
    assert 0.9 < time.monotonic() - began < 10


@shows("alias.deadlineMs")
def test_all_attempts_together(ask: Ask) -> None:
    assert ask("late").status == 504


@shows("alias.firstTokenMs")
def test_a_late_first_token(ask: Ask) -> None:
    told = ask("first")
    assert told.status == 200
    assert told.route.startswith("slowlate/m:error/")


@shows("provider.maxConcurrency", "model.maxConcurrency", "alias.maxConcurrency")
@pytest.mark.parametrize("name", ["slowone/m", "slowonemodel/m", "one"])
def test_requests_at_once(ask: Ask, upstream: Upstream, name: str) -> None:
    before, found = len(upstream.seen), list[Told]()
    first = threading.Thread(target=lambda: found.append(ask(name)))
    first.start()
    while len(upstream.seen) == before:
        threading.Event().wait(0.01)
    second = ask(name)
    upstream.released.set()
    first.join(20)
    upstream.released.clear()
    assert second.sent is None
    assert second.status in (429, 503)
    assert found[0].status == 200


@shows("provider.failureRules", "root.failureRules")
def test_rules_of_the_users(ask: Ask) -> None:
    assert (ask("rules").status, ask("rootrules").status) == (200, 418)


@shows("bucket.tokens")
def test_tokens_per_window(ask: Ask) -> None:
    assert [ask("tokens/m").status for _ in range(2)] == [200, 429]


@shows("alias.affinity")
def test_who_stays_with_whom(ask: Ask) -> None:
    """A thread stays with its candidate, and not where that is off."""

    def asked(name: str) -> str:
        sent = ask(name, prompt_cache_key="talk").sent
        assert sent is not None
        return sent[0].split("/")[1]

    assert len({asked("turns") for _ in range(2)}) == 2
    assert len({asked("stays") for _ in range(3)}) == 1


@shows("root.state", "root.carrierKeyFile")
def test_files_of_the_gateway(ask: Ask, home: Path) -> None:
    ask("plain/m")
    assert (home / "kept.sqlite").read_bytes().startswith(b"SQLite format 3")
    assert (home / "keys" / "own.key").stat().st_mode & 0o777 == 0o600
    assert not (home / ".llr-carrier.key").exists()


@shows("root.routing", "root.allowedHosts")
def test_the_routers_own_settings(ask: Ask) -> None:
    assert ask("plain/m").route == "plain/m:200/ok#1"
    assert ask("plain/m", host="router.lan").status == 200
    assert ask("plain/m", host="other.lan").status in (403, 421)


# Keys that need a gateway, a clock or a client of their own, and the test that shows them.
ELSEWHERE = {
    "root.strict": "tests/gateway/test_translation.py",
    "root.timeouts": "tests/gateway/test_timeouts.py",
    "root.deadlineMs": "tests/gateway/test_faults.py",
    "root.responsesStore": "tests/gateway/test_history.py",
    "root.requestLog": "tests/cli/test_request_log.py",
    "bucket.window": "tests/config/test_windows.py",
    "alias.affinityTtlMs": "tests/routing/test_resolve.py",
    "alias.slowStream": "tests/gateway/test_silence.py",
}


def test_every_key_is_shown_somewhere() -> None:
    keys = {f"{kind.partition('.')[0]}.{name}" for kind in KEYS if kind.endswith(".llr") for name in KEYS[kind]}
    assert keys == SHOWN | set(ELSEWHERE)
    for key, path in ELSEWHERE.items():
        assert key.partition(".")[2] in (ROOT / path).read_text(), key
