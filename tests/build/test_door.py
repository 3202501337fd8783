"""The built gateway's door: who is let in, what is refused before a byte of body is asked for, and that it survives."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.test_bytes import PATIENCE_S, answer, everything
from tests.build.vendor import Vendor
from tests.running import gateway

KEY = "sk-master-key-of-the-door"
BODY = json.dumps({"model": "c/fine", "messages": []}).encode()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    found = Vendor()
    found.scripts["fine"] = [answer(200, b'{"choices":[]}')]
    found.scripts["form"] = [answer(200, b'{"text":"heard"}')]
    yield found
    found.close()


@pytest.fixture(scope="module")
def port(pyz: Path, vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    home = tmp_path_factory.mktemp("door")
    provider = {
        "id": "c",
        "baseUrl": f"http://127.0.0.1:{vendor.port}/v1",
        "format": "openai",
        "apiKey": "sk-upstream",
        "models": [{"id": "fine"}, {"id": "form"}],
    }
    messages = {**provider, "id": "m", "format": "claude"}
    doc = {"version": 2, "masterKey": KEY, "providers": [provider, messages]}
    (home / ".llm-router.json").write_text(json.dumps(doc))
    with gateway(pyz, home, "llr start --require-auth") as address:
        yield int(address.rpartition(":")[2])


def opened(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def head(method: str, path: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: localhost", *fields]).encode() + b"\r\n\r\n"


def said(port: int, data: bytes) -> tuple[int, bytes]:
    """Returns status and everything else the gateway says to these bytes, up to where it ends the connection."""
    with opened(port) as sock:
        sock.sendall(data)
        found = everything(sock)
    return int(found.split(b" ")[1]), found


def test_a_body_is_asked_for_only_when_the_door_is_open(port: int) -> None:
    for key, path, status in (
        ("wrong", "/v1/chat/completions", 401),
        (KEY, "/nowhere", 404),
        ("", "/v1/messages", 401),
    ):
        with opened(port) as sock:
            fields = [f"authorization: Bearer {key}", f"content-length: {len(BODY)}", "expect: 100-continue"]
            sock.sendall(head("POST", path, *fields))
            found = everything(sock)
        assert found.startswith(b"HTTP/1.1 %d" % status), found
        assert b"100 Continue" not in found
    with opened(port) as sock:
        fields = [f"authorization: bearer {KEY}", f"content-length: {len(BODY)}", "expect: 100-continue"]
        sock.sendall(head("POST", "/v1/chat/completions", "connection: close", *fields))
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(BODY)
        assert everything(sock).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings", "/v1/thing", "/"]
)
def test_a_body_that_never_comes_is_not_waited_for(port: int, path: str) -> None:
    with opened(port) as sock:
        sock.sendall(head("POST", path, "authorization: Bearer wrong", "content-length: 1000000"))
        found = everything(sock)
    assert found.startswith(b"HTTP/1.1 401")
    assert b"www-authenticate: Bearer" in found
    error = json.loads(found.partition(b"\r\n\r\n")[2])
    assert error["type"] == "error"
    assert error["error"]["message"]


@pytest.mark.parametrize(
    "field", ["x-api-key: {}", "x-goog-api-key: {}", "authorization: BEARER {}", "authorization: {}"]
)
def test_a_right_key_opens_wherever_it_is(port: int, field: str) -> None:
    fields = [field.format(KEY), f"content-length: {len(BODY)}", "connection: close"]
    if not field.startswith("authorization"):
        fields.insert(0, "authorization: Bearer wrong")
    assert said(port, head("POST", "/v1/chat/completions", *fields) + BODY)[0] == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (("host: evil.example",), 403),
        (("host: localhost", "origin: https://evil.example"), 403),
        (("host: localhost", "sec-fetch-site: cross-site"), 403),
        (("host: 127.0.0.1:99",), 200),
        (("host: [::1]:99",), 200),
    ],
)
def test_pages_of_others_are_kept_out(port: int, fields: tuple[str, ...], status: int) -> None:
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        *fields,
        f"x-api-key: {KEY}",
        f"content-length: {len(BODY)}",
        "connection: close",
    ]
    assert said(port, "\r\n".join(lines).encode() + b"\r\n\r\n" + BODY)[0] == status


POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: " + KEY.encode() + b"\r\n"
HOSTILE = {
    "cl-and-te": (POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two-lengths": (POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400),
    "two-equal-lengths": (POST + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello", 400),
    "obs-fold": (POST + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n", 400),
    "bare-lf": (POST.replace(b"\r\n", b"\n") + b"content-length: 0\n\n", 400),
    "chunk-size": (POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400),
    "signed-length": (POST + b"content-length: +5\r\n\r\nhello", 400),
    "odd-coding": (POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "te-in-1.0": (POST.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "no-host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "long-head": (POST + b"x: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "many-fields": (POST + b"a: b\r\n" * 10_000 + b"\r\n", 431),
    "control-byte": (POST + b"x: a\x00b\r\n\r\n", 400),
    "not-http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_message_with_two_readings_ends_the_connection_and_nothing_else(port: int, shape: str) -> None:
    data, status = HOSTILE[shape]
    found, text = said(port, data + b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert found == status
    assert text.count(b"\r\ndate: ") == 1, text
    assert b"connection: close" in text.lower()
    assert said(port, head("GET", "/health", "connection: close"))[0] == 200


def test_a_bomb_does_not_unpack(port: int) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    fields = (f"x-api-key: {KEY}", "content-encoding: gzip", f"content-length: {len(bomb)}")
    status, text = said(port, head("POST", "/v1/chat/completions", *fields) + bomb)
    assert status == 413
    assert b"LLM_ROUTER_MAX_REQUEST_BODY_BYTES" in text
    assert said(port, head("GET", "/health", "connection: close"))[0] == 200


def test_a_packed_body_goes_on_unpacked_and_zstd_names_the_switch(port: int, vendor: Vendor) -> None:
    packed = gzip.compress(BODY)
    fields = (f"x-api-key: {KEY}", "content-encoding: gzip", f"content-length: {len(packed)}", "connection: close")
    assert said(port, head("POST", "/v1/chat/completions", *fields) + packed)[0] == 200
    assert vendor.asked["fine"][-1].endswith(BODY.replace(b"c/", b""))
    fields = (f"x-api-key: {KEY}", "content-encoding: zstd", "content-length: 4", "connection: close")
    status, text = said(port, head("POST", "/v1/responses", *fields) + b"\x28\xb5\x2f\xfd")
    assert status in (400, 415)  # Python 3.14 unpacks it, and finds it broken
    assert status == 400 or b"enable_request_compression" in text


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ((), {"object": "list"}),
        (("anthropic-version: 2023-06-01",), {"has_more": False}),
    ],
)
def test_models_in_the_shape_the_client_reads(port: int, fields: tuple[str, ...], first: dict[str, object]) -> None:
    status, text = said(port, head("GET", "/v1/models", f"x-api-key: {KEY}", "connection: close", *fields))
    listed = json.loads(text.partition(b"\r\n\r\n")[2])
    assert status == 200
    assert first.items() <= listed.items()
    assert [row["id"] for row in listed["data"]][:2] == ["c/fine", "c/form"]
    status, text = said(port, head("GET", "/v1beta/models", f"x-goog-api-key: {KEY}", "connection: close"))
    assert json.loads(text.partition(b"\r\n\r\n")[2])["models"][0]["name"] == "models/c/fine"


@pytest.mark.parametrize(
    "path",
    ["embeddings", "images/generations", "audio/speech", "moderations", "rerank", "things/of/tomorrow"],
)
def test_other_calls_go_through(port: int, vendor: Vendor, path: str) -> None:
    vendor.asked["fine"].clear()
    fields = (f"x-api-key: {KEY}", f"content-length: {len(BODY)}", "connection: close")
    assert said(port, head("POST", f"/v1/{path}?x=1", *fields) + BODY)[0] == 200
    (raw,) = vendor.asked["fine"]
    assert raw.startswith(f"POST /v1/{path}?x=1 HTTP/1.1".encode())
    assert raw.endswith(BODY.replace(b"c/", b""))
    other = BODY.replace(b"c/", b"m/")
    status, text = said(port, head("POST", f"/v1/{path}", *fields) + other)
    assert status == 400, text


def test_a_form_changes_in_its_model_only(port: int, vendor: Vendor) -> None:
    form = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        b'\x00\xff\r\n--not\r\n\r\n--B\r\ncontent-disposition: form-data; name="model"\r\n\r\nc/form\r\n--B--\r\n'
    )
    fields = (f"x-api-key: {KEY}", "content-type: multipart/form-data; boundary=B", f"content-length: {len(form)}")
    status, _ = said(port, head("POST", "/v1/audio/transcriptions", "connection: close", *fields) + form)
    raw = vendor.asked["form"][-1]
    assert status == 200
    assert raw.partition(b"\r\n\r\n")[2] == form.replace(b"c/form", b"form")
    assert b"multipart/form-data; boundary=B" in raw


def test_what_is_not_there_and_what_is_not_allowed(port: int) -> None:
    key = (f"x-api-key: {KEY}", "connection: close")
    status, text = said(port, head("GET", "/nowhere", *key))
    assert (status, json.loads(text.partition(b"\r\n\r\n")[2])["error"]["type"]) == (404, "invalid_request_error")
    status, text = said(port, head("PUT", "/v1/messages", *key))
    assert (status, b"allow: POST" in text) == (405, True)
    assert json.loads(text.partition(b"\r\n\r\n")[2])["type"] == "error"
    status, text = said(port, head("HEAD", "/", "connection: close"))
    assert (status, text.partition(b"\r\n\r\n")[2]) == (200, b"")
    status, text = said(port, head("OPTIONS", "/v1/messages", "connection: close"))
    assert (status, b"access-control-allow-methods" in text) == (204, True)
    assert said(port, head("GET", "/health", "connection: close"))[0] == 200
    assert said(port, head("GET", "/v1/models", "connection: close"))[0] == 401
