"""The raw head check as a table: what has two readings for two parsers never passes."""

import h11
import pytest

from llr.net.head import (
    CHUNKED,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    UNTIL_CLOSE,
    BadHead,
    head_end,
    origin_form,
    persists,
    request_framing,
    request_written,
    response_framing,
    written,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (GET + b"\r\n", 0),
        (GET + b"X-Empty:\r\nX-Tab:\ta\tb \r\nX-Text: caf\xe9\r\n\r\n", 0),
        (b"GET http://a/b?c HTTP/1.0\r\n\r\n", 0),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        (POST + b"Content-Length: 0\r\n\r\n", 0),
        (POST + b"content-LENGTH:  12 \r\n\r\n", 12),
        (POST + b"Content-Length:007\r\n\r\n", 7),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", CHUNKED),
        (POST + b"transfer-encoding:\tChunked \r\n\r\n", CHUNKED),
        (POST + b"X-Content-Length: 3\r\nContent-Lengthy: 4\r\n\r\n", 0),
        (POST + b"X: transfer-encoding: chunked\r\n\r\n", 0),
        (GET + b"A: b\r\n" * (MAX_FIELDS - 1) + b"\r\n", 0),
    ],
)
def test_requests_that_pass(head: bytes, framing: int) -> None:
    assert head_end(head, 0) == len(head)
    assert request_framing(head) == framing
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(head)
    assert isinstance(conn.next_event(), h11.Request)


SMUGGLING = [
    POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
    POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
    POST + b"Content-Length: 3, 3\r\n\r\n",
    POST + b"Content-Length: +3\r\n\r\n",
    POST + b"Content-Length: -3\r\n\r\n",
    POST + b"Content-Length: 0x3\r\n\r\n",
    POST + b"Content-Length: 3 3\r\n\r\n",
    POST + b"Content-Length: 3_0\r\n\r\n",
    POST + b"Content-Length: \xb2\r\n\r\n",
    POST + b"Content-Length:\r\n\r\n",
    POST + b"Content-Length: " + b"9" * 19 + b"\r\n\r\n",
    POST + b"Content-Length : 3\r\n\r\n",
    POST + b"Transfer-Encoding : chunked\r\n\r\n",
    POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n",
    POST + b"Transfer-Encoding: identity\r\n\r\n",
    POST + b"Transfer-Encoding:\r\n\r\n",
    POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n",
    POST + b"Transfer-Encoding: chun\x00ked\r\n\r\n",
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    GET + b"X: a\r\n b\r\n\r\n",
    GET + b"X: a\r\n\tContent-Length: 3\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    GET + b"X: a\rb\r\n\r\n",
    GET + b"X: a\nContent-Length: 3\r\n\r\n",
    GET + b"X: a\x00b\r\n\r\n",
    GET + b"X: a\x7fb\r\n\r\n",
    GET + b": a\r\n\r\n",
    GET + b"X\r\n\r\n",
    GET + b"X Y: a\r\n\r\n",
    GET + b"X(Y): a\r\n\r\n",
    GET + b"X\x80: a\r\n\r\n",
]


@pytest.mark.parametrize(
    "head",
    [
        *SMUGGLING,
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[:18],
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        b"GET /\r\n\r\n",
        b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_requests_that_are_refused(head: bytes) -> None:
    with pytest.raises(BadHead) as caught:
        request_framing(head)
    assert caught.value.status == 400


def test_too_many_fields_are_431() -> None:
    with pytest.raises(BadHead) as caught:
        request_framing(GET + b"A: b\r\n" * MAX_FIELDS + b"\r\n")
    assert caught.value.status == 431


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", UNTIL_CLOSE),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 5),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", 5),
        (b"HTTP/1.1 529 \r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED),
        (b"HTTP/1.1 404 Not  F\xf6und\r\nX:y\r\n\r\n", UNTIL_CLOSE),
    ],
)
def test_answers_that_pass(head: bytes, framing: int) -> None:
    assert response_framing(head) == framing


@pytest.mark.parametrize(
    "head",
    [
        *(shape.replace(POST, b"HTTP/1.1 200 OK\r\n").replace(GET, b"HTTP/1.1 200 OK\r\n") for shape in SMUGGLING[:25]),
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
    ],
)
def test_answers_that_are_refused(head: bytes) -> None:
    with pytest.raises(BadHead):
        response_framing(head)


def test_the_end_is_found_for_any_cut() -> None:
    head = GET + b"X: y\r\n\r\n"
    for size in (1, 2, 3, 7):
        seen = 0
        for end in range(size, len(head) + size, size):
            found = head_end(head[:end], seen)
            assert found == (len(head) if end >= len(head) else -1)
            seen = end


def test_what_follows_the_head_is_not_looked_at() -> None:
    assert head_end(GET + b"\r\n\x00\n\n", 0) == len(GET) + 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\nHost: a\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\rHost", 400),
        (b"GET / HTTP/1.1\r\nX: \x00", 400),
        (b" GET /", 400),
        (b"\tGET /", 400),
        (b"a" * (MAX_HEAD_BYTES + 1), 431),
        (GET + b"A: b\r\n" * 12_000, 431),
        (GET + b"A: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
    ],
)
def test_a_hopeless_head_is_refused_before_its_end(data: bytes, status: int) -> None:
    with pytest.raises(BadHead) as caught:
        head_end(data, 0)
    assert caught.value.status == status


def test_an_incomplete_head_may_end_anywhere_in_a_valid_one() -> None:
    head = GET + b"X: caf\xe9\r\n\r\n"
    for cut in range(len(head)):
        assert head_end(head[:cut], 0) == -1


def test_a_bare_lf_is_seen_across_cuts() -> None:
    with pytest.raises(BadHead):
        head_end(b"GET / HTTP/1.1\r\nX: y\n", 20)
    with pytest.raises(BadHead):
        head_end(b"GET / HTTP/1.1\r\nX: y\rz", 21)


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Upgrade, Close", False),
        (b"1.1", b"closed", True),
        (b"1.0", None, False),
        (b"1.0", b"keep-alive", False),
    ],
)
def test_what_leaves_a_connection_open_is_what_h11_says(version: bytes, connection: bytes | None, stays: bool) -> None:
    assert persists(version, connection) is stays
    field = b"" if connection is None else b"Connection: %b\r\n" % connection
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(b"GET / HTTP/%b\r\nHost: a\r\n%b\r\n" % (version, field))
    conn.next_event()
    head = conn.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
    assert (b"connection: close" not in head.lower()) is stays


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a/b?c=d", "/a/b?c=d"),
        (b"http://host:80/a?b", "/a?b"),
        (b"HTTPS://host/a", "/a"),
        (b"http://host", "/"),
        (b"http://host?x=/y", "/?x=/y"),
        (b"a/b", "/a/b"),
        (b"//host/a", "//host/a"),
        (b"*", "*"),
    ],
)
def test_targets_become_path_and_query(target: bytes, path: str) -> None:
    assert origin_form(target) == path


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\nb: c"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\x00b"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"", b"a"),
        (b"x", b"a\r\n\r\nGET / HTTP/1.1"),
    ],
)
def test_a_head_with_two_readings_is_not_written(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="forbids"):
        written(b"HTTP/1.1 200 OK", [(b"a", b"b"), field])


@pytest.mark.parametrize(
    ("method", "target"), [("GET", ""), ("GET", "/a b"), ("G T", "/"), ("GET", "/\r\nx: y"), ("GET", "/\u00e9")]
)
def test_a_request_line_with_two_readings_is_not_written(method: str, target: str) -> None:
    with pytest.raises(ValueError, match=r"forbids|ascii"):
        request_written(method, target, [(b"host", b"a")])


def test_what_is_written_is_what_h11_writes() -> None:
    fields = [(b"host", b"a"), (b"x", b"caf\xe9\tb"), (b"x", b""), (b"content-length", b"0")]
    conn = h11.Connection(h11.CLIENT)
    assert request_written("POST", "/v1?a=b", fields) == conn.send(
        h11.Request(method="POST", target="/v1?a=b", headers=fields)
    )
