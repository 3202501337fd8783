"""The built archive under attack: hostile bytes, huge and broken bodies, addresses that climb, planted secrets."""

import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Vendors, provider
from tests.running import gateway

MASTER = "mk-CANARY-master-0123456789"
HEADER = "CANARY-header-0123456789"
BODY = b'{"model":"c/gpt-5.5","messages":[{"role":"user","content":"script=text hi"}]}'
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def guarded(pyz: Path, vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Returns the address of a gateway that asks for a key and is full of secrets."""
    home = tmp_path_factory.mktemp("attacked")
    entry = provider(vendors.origin, "c")
    broken = provider(vendors.origin, "m") | {"apiKey": "CANARY-wrong-key-0123456789", "headers": {"x-secret": HEADER}}
    doc = {"version": 2, "masterKey": MASTER, "providers": [entry, broken]}
    (home / ".llm-router.json").write_text(json.dumps(doc))
    with gateway(pyz, home, "llr start --require-auth") as address:
        yield address


def address(origin: str) -> tuple[str, int]:
    host, _, port = origin.removeprefix("http://").rpartition(":")
    return host, int(port)


def raw(origin: str, data: bytes) -> bytes:
    """Returns all a gateway says to these bytes until it closes."""
    out = b""
    with socket.create_connection(address(origin), timeout=10) as line:
        line.sendall(data)
        try:
            while part := line.recv(65536):
                out += part
        except ConnectionResetError:
            pass
    return out


def send(
    origin: str, body: bytes, headers: dict[str, str] | None = None, path: str = PATH, method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    line = http.client.HTTPConnection(*address(origin), timeout=30)
    try:
        line.request(method, path, body, {"content-type": "application/json", **(headers or {})})
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        line.close()


def head(*fields: str, length: bool = True) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json", *fields]
    if length:
        lines.append(f"content-length: {len(BODY)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


CHUNKED = "transfer-encoding: chunked"
SIZE = b"%x" % len(BODY)
SMUGGLING = {
    "both framings": head(CHUNKED) + BODY,
    "two lengths": head("content-length: 3") + BODY,
    "two equal lengths": head(f"content-length: {len(BODY)}") + BODY,
    "signed length": head(f"content-length: +{len(BODY)}", length=False) + BODY,
    "listed length": head(f"content-length: {len(BODY)}, {len(BODY)}", length=False) + BODY,
    "folded field": head("x: a", " b") + BODY,
    "bare line feeds": head().replace(b"\r\n", b"\n") + BODY,
    "another coding": head("transfer-encoding: gzip, chunked", length=False) + BODY,
    "space before the colon": head("transfer-encoding : chunked", length=False) + BODY,
    "hex prefix": head(CHUNKED, length=False) + b"0x" + SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "negative chunk": head(CHUNKED, length=False) + b"-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "endless chunk": head(CHUNKED, length=False) + b"f" * 17 + b"\r\n" + BODY,
    "chunk line feed": head(CHUNKED, length=False) + SIZE + b"\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk without end": head(CHUNKED, length=False) + SIZE + b"\r\n" + BODY + b"0\r\n\r\n",
    "two hosts": head("host: evil.test") + BODY,
    "a zero byte": head("x: a\0b") + BODY,
    "ten thousand fields": head(*(f"x{n}: y" for n in range(10_000))) + BODY,
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling_is_refused_and_the_connection_ends(origin: str, vendors: Vendors, name: str) -> None:
    vendors.seen()
    follow = b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    said = raw(origin, SMUGGLING[name] + follow)
    assert said.split(b" ", 2)[1] in (b"400", b"431")
    assert said.count(b"HTTP/1.1 ") == 1, "what follows is never read as a request"
    assert not vendors.seen()


BODIES: dict[str, tuple[bytes, int]] = {
    "cut": (b'{"model":', 400),
    "list": (b"[]", 400),
    "not a number": (b'{"model":"c/gpt-5.5","temperature":NaN}', 400),
    "deep": (b'{"model":"c/gpt-5.5","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "many digits": (b'{"model":"c/gpt-5.5","seed":' + b"9" * 5000 + b"}", 400),
    "utf-16": (BODY.decode().encode("utf-16"), 400),
    "other model last": (BODY[:-1] + b',"model":"zzz"}', 404),
    "line ends in the model": (b'{"model":"c/gpt-5.5\\r\\nx: y","messages":[]}', 404),
    "huge model": (b'{"model":"' + b"a" * 100_000 + b'","messages":[]}', 404),
    "model last": (
        b'{"messages":[{"role":"user","content":"script=text ' + b"a" * (2 << 20) + b'"}],' + BODY[1:20] + b"}",
        200,
    ),
    "escaped key": (BODY.replace(b'"model"', b'"mod\\u0065l"'), 200),
    "surrogate": (BODY.replace(b"hi", b"\\ud800"), 200),
    "byte order mark": (b"\xef\xbb\xbf" + BODY, 200),
    "too large": (b'{"model":"c/gpt-5.5","x":"' + b"a" * (33 << 20) + b'"}', 413),
}


@pytest.mark.parametrize("name", BODIES)
def test_broken_and_huge_bodies(origin: str, name: str) -> None:
    body, status = BODIES[name]
    try:
        found = send(origin, body)
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413, "only a body that is refused early is not read"
        return
    assert found[0] == status, found[2][:300]
    if status != 200:
        assert json.loads(found[2])["error"]["message"]
    assert send(origin, BODY)[0] == 200, "and the next one is answered"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_small_body_that_unpacks_to_more_than_the_limit(origin: str, coding: str) -> None:
    plain = b" " * (100 << 20)
    packed = gzip.compress(plain, 1) if coding == "gzip" else zlib.compress(plain, 1)
    assert send(origin, packed, {"content-encoding": coding})[0] == 413


FORBIDDEN = [
    {"host": "evil.test"},
    {"host": "127.0.0.1.evil.test"},
    {"host": "127.0.0.1@evil.test"},
    {"origin": "https://evil.test"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("headers", FORBIDDEN, ids=str)
def test_a_web_page_reaches_nothing(origin: str, vendors: Vendors, headers: dict[str, str]) -> None:
    vendors.seen()
    assert send(origin, BODY, headers)[0] == 403
    assert send(origin, b"", headers, "/v1/models", "GET")[0] == 403
    assert not vendors.seen()


@pytest.mark.parametrize("path", ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/x/..%2f..%2fadmin", "/v1/%252e%252e/admin"])
def test_no_address_climbs_out_of_a_provider(origin: str, vendors: Vendors, path: str) -> None:
    vendors.seen()
    assert send(origin, BODY, path=path)[0] == 404
    assert not vendors.seen()


CARRIERS: list[tuple[dict[str, str], str]] = [
    ({"authorization": f"Bearer {MASTER}"}, ""),
    ({"authorization": f"bearer {MASTER}"}, ""),
    ({"x-api-key": MASTER}, ""),
    ({"x-goog-api-key": MASTER}, ""),
    ({}, f"?key={MASTER}"),
    ({}, f"?api_key={MASTER}"),
    ({}, f"?auth_token={MASTER}"),
    ({"authorization": "Bearer wrong", "x-api-key": MASTER}, ""),
]


def test_every_carrier_of_the_key_and_none_without(guarded: str, vendors: Vendors) -> None:
    for headers, query in CARRIERS:
        vendors.seen()
        assert send(guarded, BODY, headers, PATH + query)[0] == 200, (headers, query)
        assert MASTER not in json.dumps(vendors.seen()), "the client's key is for us alone"
    for wrong in ({}, {"x-api-key": MASTER[:-1]}, {"x-api-key": MASTER + "x"}, {"authorization": "Bearer"}):
        status, headers, _ = send(guarded, BODY, wrong)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert send(guarded, b"", wrong, "/v1/models", "GET")[0] == 401


def test_planted_secrets_come_out_nowhere(guarded: str, capfd: pytest.CaptureFixture[str]) -> None:
    key = {"x-api-key": MASTER, "x-llm-router-debug": "1"}
    told: list[Any] = [send(guarded, BODY.replace(b"c/gpt-5.5", b"m/claude-sonnet-5"), key)]
    told += [send(guarded, BODY, {"x-api-key": "CANARY-wrong-master"})]
    told += [send(guarded, b"", key, path, "GET") for path in ("/health", "/", "/v1/models", "/version", "/metrics")]
    told += [send(guarded, b'{"model":"c/gpt-5.5"}', key, "/llr/explain")]
    assert "CANARY" not in repr(told)
    assert "CANARY" not in "".join(capfd.readouterr())
