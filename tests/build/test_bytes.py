"""The built gateway on the wire: what reaches the upstream and what reaches the client, byte for byte."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.vendor import Act, Script, Vendor
from tests.running import gateway

PATIENCE_S = 15.0
CASES = (
    *("exact", "odd", "error", "page", "key", "gzip", "deflate", "br", "zstd", "unsaid", "overflow", "done", "cut"),
    *("refused", "reset", "limited", "broken", "hang", "garbage", "html", "packed-error", "event-1", "event-2"),
    *("nan", "event-5", "leave", "leave-stream", "one", "paced", "redirect", "smuggle", "fine"),
)
CLOSE = b"connection: close\r\n"


@dataclass
class Rig:
    """A gateway of the built archive, and the upstream behind it."""

    vendor: Vendor
    port: int


@pytest.fixture(scope="module")
def rig(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    vendor = Vendor()
    home = tmp_path_factory.mktemp("bytes")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    one = {"metadata": {"llr": {"maxConcurrency": 1}}}
    models = [{"id": case, **(one if case == "one" else {})} for case in CASES]
    llr = {"routing": {"originRetryAttempts": 1}, "timeouts": {"firstByteMs": 1000}}
    names = {"c": "openai-chat", "m": "claude", "r": "openai-responses"}
    providers = [
        {
            "id": name,
            "baseUrl": f"http://127.0.0.1:{nobody if name == 'n' else vendor.port}/v1",
            "format": names.get(name, "openai-chat"),
            "apiKey": "sk-upstream",
            "models": models,
        }
        for name in (*names, "n")
    ]
    aliases = {f"{case}-then-fine": {"targets": [f"c/{case}", "c/fine"]} for case in CASES}
    aliases["nobody-then-fine"] = {"targets": ["n/fine", "c/fine"]}
    doc = {"version": 2, "providers": providers, "modelAliases": aliases, "metadata": {"llr": llr}}
    (home / ".llm-router.json").write_text(json.dumps(doc))
    vendor.scripts["fine"] = [answer(200, b'{"id":"x","choices":[{"message":{"content":"fine"}}]}')]
    try:
        with gateway(pyz, home, "llr start") as address:
            yield Rig(vendor, int(address.rpartition(":")[2]))
    finally:
        vendor.close()


def answer(status: int, body: bytes, *fields: bytes) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"content-length: %d" % len(body), b"connection: close", *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def events(*blocks: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + CLOSE + b"\r\n" + b"".join(blocks)


def opened(rig: Rig) -> socket.socket:
    return socket.create_connection(("127.0.0.1", rig.port), PATIENCE_S)


def asked(body: bytes, path: str = "/v1/chat/completions", *fields: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json", "connection: close"]
    return "\r\n".join([*head, f"content-length: {len(body)}", *fields]).encode() + b"\r\n\r\n" + body


def everything(sock: socket.socket) -> bytes:
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


def exchange(rig: Rig, request: bytes) -> tuple[int, bytes, bytes]:
    """Returns status, raw head and body (chunks joined) of one exchange."""
    with opened(rig) as sock:
        sock.sendall(request)
        data = everything(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head:
        body = dechunked(body)
    return int(head.split(b" ")[1]), head, body


def dechunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return out


def ask(
    rig: Rig, model: str, *, path: str = "/v1/chat/completions", stream: bool = False, fields: tuple[str, ...] = ()
) -> tuple[int, bytes, bytes]:
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    return exchange(rig, asked(json.dumps(body).encode(), path, *fields))


# The request.


SAID = (
    b' {\t"model" : "c/exact","n":1.0, "big":123456789012345678901234567890,\r\n "e":1E5,'
    b'"u":"\\u00e9\xc3\xa9\\ud83d\\ude00","mod\\u0065l":"c\\/exact","in":{"model":"c/exact"}, "model":"c/exact" ,'
    b' "messages" : [ {"role":"user","content":"hi"} ],"stream":false }\n'
)


def test_only_the_model_changes_and_nothing_is_added(rig: Rig) -> None:
    rig.vendor.scripts["exact"] = [answer(200, b'{"choices":[]}')]
    assert exchange(rig, asked(SAID))[0] == 200
    head, _, body = rig.vendor.asked["exact"][-1].partition(b"\r\n\r\n")
    outer = SAID.replace(b'"model" : "c/exact"', b'"model" : "exact"').replace(b'"c\\/exact"', b'"exact"')
    assert body == outer.replace(b', "model":"c/exact" ,', b', "model":"exact" ,')
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /v1/chat/completions http/1.1"
    assert b"accept-encoding: identity" in lines
    assert b"authorization: bearer sk-upstream" in lines


@pytest.mark.parametrize(
    ("path", "provider"), [("/v1/messages", "m"), ("/v1/responses", "r"), ("/v1/chat/completions", "c")]
)
def test_every_format_is_relayed_as_it_was_said(rig: Rig, path: str, provider: str) -> None:
    rig.vendor.scripts["exact"] = [answer(200, b'{ "odd" :\t[ 1 ] ,"choices":[],"content":[],"output":[]}\n')]
    said = b'{"max_tokens": 5, "x": {"b":1,"a":2}, "model": "%b/exact", "thinking":null, "input":[ ], "messages":[ ]}'
    status, _, body = exchange(rig, asked(said % provider.encode(), path))
    assert (status, body) == (200, b'{ "odd" :\t[ 1 ] ,"choices":[],"content":[],"output":[]}\n')
    assert rig.vendor.asked["exact"][-1].partition(b"\r\n\r\n")[2] == said.replace(b"%b/", b"")


# The answer.


def test_fields_keep_their_order_and_the_vendors_own_are_dropped(rig: Rig) -> None:
    fields = (
        b"X-Second: 2",
        b"x-ratelimit-remaining-requests: 7",
        b"Set-Cookie: a=b",
        b"server: them",
        b"X-First: 1",
        b"x-second: 3",
    )
    rig.vendor.scripts["odd"] = [answer(203, b'{"choices" : []}', *fields)]
    status, head, body = ask(rig, "c/odd")
    names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert (status, body) == (203, b'{"choices" : []}')
    assert [name for name in names if name.startswith(b"x-")][:4] == [
        b"x-second",
        b"x-ratelimit-remaining-requests",
        b"x-first",
        b"x-second",
    ]
    assert b"set-cookie" not in names
    assert b"server" not in names


@pytest.mark.parametrize("stream", [False, True])
def test_a_number_that_only_python_writes_is_handed_through(rig: Rig, stream: bool) -> None:
    choice = b'{"index":0,"%b":{"content":"w"},"logprobs":{"content":[{"token":"w","logprob":-Infinity}]}%b}'
    chunk = b'data: {"choices":[%b]}\n\n' % (choice % (b"delta", b',"finish_reason":"stop"'))
    body = b'{"choices":[%b],"x":NaN}' % (choice % (b"message", b""))
    rig.vendor.scripts["nan"] = [events(chunk, b"data: [DONE]\n\n") if stream else answer(200, body)]
    said = chunk + b"data: [DONE]\n\n" if stream else body
    assert ask(rig, "c/nan", stream=stream)[::2] == (200, said)


@pytest.mark.parametrize("status", [400, 404, 409, 418, 422, 429, 500, 503, 529])
def test_errors_come_as_the_vendor_said_them(rig: Rig, status: int) -> None:
    said = b'{ "error" : {"message":"no", "type":"odd",  "extra": [1, 2]} }\n'
    rig.vendor.scripts["error"] = [answer(status, said, b"retry-after: 3", b"x-should-retry: false")]
    found, head, body = ask(rig, "c/error")
    assert (found, body) == (status, said)
    assert b"retry-after: 3" in head


def test_what_is_no_error_of_theirs_becomes_one_of_ours(rig: Rig) -> None:
    rig.vendor.scripts["page"] = [answer(500, b"<html>no</html>", b"content-type: text/html")]
    rig.vendor.scripts["key"] = [answer(401, b'{"error":{"message":"bad key sk-upstream"}}')]
    rig.vendor.scripts["redirect"] = [answer(302, b"", b"location: http://elsewhere/")]
    rig.vendor.scripts["smuggle"] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    ]
    for case in ("page", "key", "redirect", "smuggle"):
        for path, provider in (("/v1/messages", "m"), ("/v1/chat/completions", "c")):
            status, _, body = ask(rig, f"{provider}/{case}", path=path)
            said = json.loads(body)
            assert status == 502, case
            assert said["error"]["message"]
            assert said["type"] == "error"
            assert b"sk-upstream" not in body


@pytest.mark.parametrize(
    ("case", "coding", "packed"),
    [
        ("gzip", b"gzip", gzip.compress(b'{"choices": [] }', mtime=0)),
        ("deflate", b"deflate", zlib.compress(b'{"choices": [] }')),
        ("unsaid", b"", gzip.compress(b'{"choices": [] }', mtime=0)),
    ],
)
def test_codings_are_undone(rig: Rig, case: str, coding: bytes, packed: bytes) -> None:
    rig.vendor.scripts[case] = [answer(200, packed, *([b"content-encoding: " + coding] if coding else []))]
    status, head, body = ask(rig, f"c/{case}")
    assert (status, body) == (200, b'{"choices": [] }')
    assert b"content-encoding" not in head


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_coding_that_cannot_be_undone_is_named(rig: Rig, coding: str) -> None:
    rig.vendor.scripts[coding] = [answer(200, b"\x00\x01", b"content-encoding: " + coding.encode())]
    status, _, body = ask(rig, f"c/{coding}")
    assert status == 502
    assert coding in json.loads(body)["error"]["message"]


def test_codex_hears_an_overflow_as_an_event(rig: Rig) -> None:
    error = {"message": "This model's maximum context length is 9 tokens", "code": "context_length_exceeded"}
    said = json.dumps({"error": {**error, "type": "invalid_request_error"}}).encode()
    rig.vendor.scripts["overflow"] = [answer(400, said)]
    assert ask(rig, "r/overflow", path="/v1/responses", stream=True)[::2] == (400, said)
    status, head, body = ask(
        rig, "r/overflow", path="/v1/responses", stream=True, fields=("user-agent: codex_cli_rs/1",)
    )
    assert status == 200
    assert b"text/event-stream" in head
    failed = [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: ")][-1]
    assert (failed["type"], failed["response"]["error"]["code"]) == ("response.failed", "context_length_exceeded")


WORD = b'data: {"choices":[{"index":0,"delta":{"content":"w"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def test_the_end_is_added_only_to_what_is_complete(rig: Rig) -> None:
    rig.vendor.scripts["done"] = [events(WORD, STOP)]
    assert ask(rig, "c/done", stream=True)[2] == WORD + STOP + b"data: [DONE]\n\n"
    rig.vendor.scripts["cut"] = [events(WORD, WORD)]
    status, _, body = ask(rig, "c/cut", stream=True)
    assert status == 200
    assert body.startswith(WORD + WORD)
    assert b"[DONE]" not in body
    assert json.loads(body[len(WORD + WORD) :].split(b"data: ")[1])["error"]["message"]


# Faults: the next candidate answers, and without one the client is told.

FAILED = b'data: {"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}\n\n'
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
FAULTS: dict[str, Script] = {
    "reset": [Act.RESET],
    "limited": [answer(429, b'{"error":{"message":"slow down"}}', b"retry-after: 7")],
    "broken": [answer(500, b'{"error":{"message":"no"}}')],
    "hang": [Act.HANG],
    "garbage": [b"\x16\x03\x01 nonsense\r\n\r\n"],
    "html": [answer(200, b"<html>maintenance</html>", b"content-type: text/html")],
    "packed-error": [answer(503, gzip.compress(b'{"error":{"message":"no"}}'), b"content-encoding: gzip")],
    "event-1": [events(FAILED)],
    "event-2": [events(ROLE, FAILED)],
}
STATUSES = {"reset": 502, "limited": 429, "broken": 500, "hang": 504, "garbage": 502, "html": 502, "packed-error": 503}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_goes_on_to_the_next(rig: Rig, case: str, stream: bool) -> None:
    if case.startswith("event") and not stream:
        stream = True
    rig.vendor.scripts[case] = FAULTS[case]
    rig.vendor.scripts["fine"] = [
        events(WORD, STOP, b"data: [DONE]\n\n")
        if stream
        else answer(200, b'{"choices":[{"message":{"content":"fine"}}]}')
    ]
    status, _, body = ask(rig, f"{case}-then-fine", stream=stream)
    assert status == 200
    assert body == (WORD + STOP + b"data: [DONE]\n\n" if stream else b'{"choices":[{"message":{"content":"fine"}}]}')


def test_nobody_there_goes_on_to_the_next(rig: Rig) -> None:
    rig.vendor.scripts["fine"] = [answer(200, b'{"choices":[{"message":{"content":"fine"}}]}')]
    assert ask(rig, "nobody-then-fine")[0] == 200
    status, _, body = ask(rig, "n/fine")
    assert status == 502
    assert "n/fine" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_without_a_next_is_told(rig: Rig, case: str) -> None:
    rig.vendor.scripts[case] = FAULTS[case]
    status, head, body = ask(rig, f"c/{case}", stream=case.startswith("event"))
    assert status == STATUSES.get(case, 503)
    assert json.loads(body)["error"]["message"]
    assert (b"retry-after: 7" in head) == (case == "limited")


@pytest.mark.parametrize("model", ["c/event-5", "event-5-then-fine"])
def test_an_error_after_the_beginning_stays_in_the_stream(rig: Rig, model: str) -> None:
    seen = threading.Event()
    rig.vendor.scripts["event-5"] = [events(ROLE, WORD, WORD, WORD), lambda: seen.wait(PATIENCE_S), FAILED]
    body = {"model": model, "stream": True, "messages": []}
    with opened(rig) as sock:
        sock.sendall(asked(json.dumps(body).encode()))
        data = b""
        while data.count(WORD) < 3:
            data += sock.recv(65536)
        seen.set()
        data += everything(sock)
    head, _, said = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert dechunked(said) == ROLE + WORD * 3 + FAILED


# Clients that leave.


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_call_and_frees_its_place(rig: Rig, stream: bool) -> None:
    vendor = rig.vendor
    vendor.left["one"].clear()
    vendor.reached["one"].clear()
    vendor.scripts["one"] = [events(WORD), Act.HANG] if stream else [Act.HANG]
    body = {"model": "c/one", "stream": stream, "messages": []}
    with opened(rig) as sock:
        sock.sendall(asked(json.dumps(body).encode()))
        assert vendor.reached["one"].wait(PATIENCE_S)
        status, head, _ = ask(rig, "c/one")
        assert (status, b"retry-after: " in head) == (429, True)
    assert vendor.left["one"].wait(1.0)
    vendor.scripts["one"] = [answer(200, b'{"choices":[]}')]
    assert ask(rig, "c/one")[0] == 200


def test_two_hundred_paced_streams_are_all_whole(rig: Rig) -> None:
    gate = threading.Barrier(200, timeout=PATIENCE_S)
    words = [b'data: {"choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % n for n in range(20)]
    paced = [step for word in words for step in (gate.wait, word)]
    rig.vendor.scripts["paced"] = [events(), *paced, STOP, b"data: [DONE]\n\n"]
    found: list[bytes] = []

    def one() -> None:
        found.append(ask(rig, "c/paced", stream=True)[2])

    threads = [threading.Thread(target=one) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"".join(words) + STOP + b"data: [DONE]\n\n"] * 200
