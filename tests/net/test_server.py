"""The server over real sockets: what clients may do, and what it answers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llr.base.errors import ErrorKind, fail
from llr.base.jsonio import loads
from llr.net.limits import ServerLimits
from llr.net.server import peer_of, serve
from llr.wire.http import Request, Response
from tests.net.rig import Raw, Reply, connected, echo, serving, until

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"


def post(body: bytes, extra: bytes = b"") -> bytes:
    return b"POST /p HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n%b" % (extra, len(body), body)


async def test_keep_alive_serves_one_after_the_other() -> None:
    async with serving(echo) as (server, port), connected(port) as raw:
        for n in range(3):
            raw.send(GET % n)
            reply = await raw.reply()
            assert (reply.status, reply.body) == (200, b"GET /%d " % n)
            assert reply.headers.get(b"connection") is None
            assert reply.headers.get(b"date") is not None
        assert (server.connections, server.requests) == (1, 0)


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(GET % 1 + post(b"two") + GET % 3 + b"POST /4 HTTP/1.1\r\nHost: a\r\n")
        raw.send(b"Transfer-Encoding: chunked\r\n\r\n2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n" + GET % 5)
        bodies = [(await raw.reply()).body for _ in range(5)]
        assert bodies == [b"GET /1 ", b"POST /p two", b"GET /3 ", b"POST /4 four", b"GET /5 "]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_requests_may_be_cut_anywhere(size: int) -> None:
    wire = post(b'{"a":1}') + GET % 2
    wire += (
        b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: t\r\n\r\n" + GET % 4
    )
    async with serving(echo) as (_, port), connected(port) as raw:
        for at in range(0, len(wire), size):
            raw.send(wire[at : at + size])
            await raw.writer.drain()
            await asyncio.sleep(0)
        bodies = [(await raw.reply()).body for _ in range(4)]
        assert bodies == [b'POST /p {"a":1}', b"GET /2 ", b"POST /3 hello", b"GET /4 "]


async def test_reading_stops_when_pipelined_bytes_pile_up() -> None:
    release = asyncio.Event()

    async def slow(request: Request) -> Response:
        await release.wait()
        return await echo(request)

    padded = b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"y" * 30_000)
    async with serving(slow) as (_, port), connected(port) as raw:
        raw.writer.transport.set_write_buffer_limits(high=0)
        sent = 0
        while sent < 5_000:
            raw.send(padded)
            sent += 1
            try:
                await asyncio.wait_for(raw.writer.drain(), 0.1)
            except TimeoutError:
                break
        assert sent < 2_000, "the server took 60 MB that nobody reads"
        release.set()
        assert [(await raw.reply()).status for _ in range(sent)] == [200] * sent


async def test_a_pipelining_client_does_not_keep_others_waiting() -> None:
    served: list[str] = []

    async def handler(request: Request) -> Response:
        served.append(request.target)
        return Response(200, [], b"")

    async with serving(handler) as (_, port), connected(port) as greedy, connected(port) as modest:
        greedy.send(GET % 0)
        await greedy.reply()
        modest.send(GET % 0)
        await modest.reply()
        greedy.send(GET % 1 * 1000)
        modest.send(GET % 2)
        await modest.reply()
        assert len(served) < 1000
        for _ in range(1000):
            await greedy.reply()


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 16_384
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(post(body))
        assert (await raw.reply()).body == b"POST /p " + body


async def test_expect_is_answered_only_when_the_body_is_wanted() -> None:
    wanted = asyncio.Event()

    async def handler(request: Request) -> Response:
        await wanted.wait()
        return await echo(request)

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(raw.reader.read(1), 0.05)
        wanted.set()
        assert (await raw.reply()).status == 100
        raw.send(b"ab")
        assert (await raw.reply()).body == b"POST /p ab"
        raw.send(GET % 2)
        assert (await raw.reply()).body == b"GET /2 "


async def test_an_expected_body_that_is_refused_closes() -> None:
    async def handler(request: Request) -> Response:
        return Response(401, [], b"no")

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        reply = await raw.reply()
        assert (reply.status, reply.headers.get(b"connection")) == (401, b"close")
        assert await raw.rest() == b""


async def test_a_refused_body_that_is_here_already_does_not_cost_the_connection() -> None:
    async def handler(request: Request) -> Response:
        return Response(401, [], b"no")

    chunks = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(post(b"x" * 1000) + chunks + GET % 1)
        assert [(await raw.reply()).status for _ in range(3)] == [401] * 3


async def too_large(request: Request) -> Response:
    await request.body.read(10)
    raise AssertionError("a body over the limit was read")


async def test_413_comes_before_the_body_and_closes_gently() -> None:
    async with serving(too_large) as (_, port), connected(port) as raw:
        raw.send(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        reply = await raw.reply()
        assert (reply.status, reply.headers.get(b"connection")) == (413, b"close")
        assert "larger than 10 bytes" in str(loads(reply.body))
        # The server has ended its side, yet what the client still sends is taken and dropped: no reset.
        raw.send(b"x" * 500_000)
        await raw.writer.drain()
        assert await raw.rest() == b""


async def test_413_while_chunks_come() -> None:
    async with serving(too_large) as (_, port), connected(port) as raw:
        raw.send(b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8\r\n12345678\r\n" * 3)
        assert (await raw.reply()).status == 413
        assert await raw.rest() == b""


async def test_broken_chunks_are_400_and_close() -> None:
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n" + GET % 2)
        reply = await raw.reply()
        assert (reply.status, reply.headers.get(b"connection")) == (400, b"close")
        assert await raw.rest() == b""


async def test_a_body_is_read_once() -> None:
    async def twice(request: Request) -> Response:
        await request.body.read(100)
        with pytest.raises(RuntimeError, match="read already"):
            await request.body.read(100)
        return Response(200, [], b"ok")

    async with serving(twice) as (_, port), connected(port) as raw:
        raw.send(post(b"abc"))
        assert (await raw.reply()).body == b"ok"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 70_000, 431),
    ],
)
async def test_malformed_heads_are_refused_and_the_server_goes_on(data: bytes, status: int) -> None:
    async with serving(echo) as (_, port):
        async with connected(port) as raw:
            raw.send(data + GET % 1)
            reply = await raw.reply()
            assert reply.status == status
            assert reply.headers.get(b"connection") == b"close"
            assert isinstance(loads(reply.body), dict)
            assert await raw.rest() == b""
        async with connected(port) as raw:
            raw.send(GET % 2)
            assert (await raw.reply()).body == b"GET /2 "


async def test_head_answers_without_a_body() -> None:
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" + GET % 1)
        reply = await raw.reply("HEAD")
        assert (reply.status, reply.headers.get(b"content-length")) == (200, b"8")
        assert (await raw.reply()).body == b"GET /1 "


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body(status: int) -> None:
    async def handler(request: Request) -> Response:
        return Response(status, [], b"ignored")

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(GET % 1 + GET % 2)
        for _ in range(2):
            reply = await raw.reply()
            assert reply.status == status
            assert reply.headers.get(b"content-length") is None
            assert reply.headers.get(b"transfer-encoding") is None


async def test_http_1_0_is_answered_and_closed() -> None:
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(b"GET /old HTTP/1.0\r\n\r\n")
        reply = await raw.reply()
        assert (reply.body, reply.headers.get(b"connection")) == (b"GET /old ", b"close")
        assert await raw.rest() == b""


async def test_connection_close_is_honoured() -> None:
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET % 1)
        assert (await raw.reply()).headers.get(b"connection") == b"close"
        assert await raw.rest() == b""


async def test_an_upgrade_offer_is_ignored() -> None:
    offer = b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n"
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(offer + GET % 1)
        assert (await raw.reply()).body == b"GET /u "
        assert (await raw.reply()).body == b"GET /1 "


async def test_an_empty_line_before_a_request_is_skipped() -> None:
    async with serving(echo) as (_, port), connected(port) as raw:
        raw.send(post(b"x") + b"\r\n" + GET % 1)
        assert [(await raw.reply()).status for _ in range(2)] == [200, 200]


async def test_what_the_handler_sees() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(200, [], b"")

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(b"PUT http://h/a?b=%20 HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nx-a:  two \r\n\r\n")
        await raw.reply()
    assert (seen[0].method, seen[0].target, seen[0].peer) == ("PUT", "/a?b=%20", "127.0.0.1")
    assert seen[0].headers.raw == [(b"host", b"h:1"), (b"x-a", b"1"), (b"x-a", b"two")]


async def ask(handler: Response | Exception) -> tuple[Reply, Reply]:
    async def answer(request: Request) -> Response:
        if request.target == "/2":
            return Response(200, [], b"fine")
        if isinstance(handler, Exception):
            raise handler
        return handler

    async with serving(answer) as (_, port), connected(port) as raw:
        raw.send(GET % 1 + GET % 2)
        return await raw.reply(), await raw.reply()


async def test_a_handler_that_raises_is_500_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    first, second = await ask(ValueError("a bug with sk-verysecret"))
    assert first.status == 500
    assert b"a bug" not in first.body
    assert "the handler failed: GET /1" in caplog.text
    assert "a bug with" in caplog.text
    assert "verysecret" not in caplog.text
    assert second.body == b"fine"


async def test_a_handlers_gateway_error_keeps_its_status() -> None:
    first, second = await ask(fail(ErrorKind.NOT_FOUND, "no such thing"))
    error = {"type": "not_found_error", "message": "no such thing", "param": None, "code": None}
    assert (first.status, loads(first.body)) == (404, {"type": "error", "error": error})
    assert second.body == b"fine"


@pytest.mark.parametrize(
    "bad",
    [
        Response(200, [(b"x", b"a\r\nb: c")], b""),
        Response(200, [(b"x y", b"a")], b""),
        Response(99, [], b""),
    ],
)
async def test_an_answer_that_cannot_be_sent_is_500(bad: Response, caplog: pytest.LogCaptureFixture) -> None:
    first, second = await ask(bad)
    assert first.status == 500
    assert "cannot be sent" in caplog.text
    assert second.body == b"fine"


async def test_framing_fields_are_the_servers() -> None:
    fields = [(b"content-length", b"999"), (b"transfer-encoding", b"gzip"), (b"connection", b"x"), (b"date", b"mine")]
    first, second = await ask(Response(200, fields, b"abc"))
    assert first.headers.raw == [(b"date", b"mine"), (b"content-length", b"3")]
    assert second.body == b"fine"


async def test_close_asks_for_the_end() -> None:
    async def handler(request: Request) -> Response:
        return Response(429, [], b"go", close=True)

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(GET % 1 + GET % 2)
        assert (await raw.reply()).headers.get(b"connection") == b"close"
        assert await raw.rest() == b""


async def test_many_connections_at_once() -> None:
    async def one(port: int, n: int) -> bytes:
        async with connected(port) as raw:
            raw.send(GET % n)
            return (await raw.reply()).body

    async with serving(echo) as (_, port):
        bodies = await asyncio.gather(*(one(port, n) for n in range(200)))
    assert bodies == [b"GET /%d " % n for n in range(200)]


async def test_over_the_cap_is_503() -> None:
    async with serving(echo, ServerLimits(max_connections=1)) as (server, port):
        async with connected(port) as first:
            first.send(GET % 1)
            await first.reply()
            async with connected(port) as second:
                second.send(GET % 2)
                reply = await second.reply()
                assert (reply.status, reply.headers.get(b"retry-after")) == (503, b"1")
                assert b'"type":"error","error":{"type":"overloaded_error"' in reply.body
                assert await second.rest() == b""
            first.send(GET % 3)
            assert (await first.reply()).body == b"GET /3 "
        await until(lambda: server.connections == 0)
        async with connected(port) as third:
            third.send(GET % 4)
            assert (await third.reply()).body == b"GET /4 "


async def test_a_unix_socket_has_no_peer(tmp_path: Path) -> None:
    peers: list[str] = []

    async def handler(request: Request) -> Response:
        peers.append(request.peer)
        return await echo(request)

    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "s"))
    sock.listen()
    server = await serve(handler, sock, ServerLimits())
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    raw = Raw(reader, writer)
    raw.send(GET % 1)
    assert (await raw.reply()).body == b"GET /1 "
    assert peers == [""]
    await raw.close()
    await server.close()


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("10.0.0.1", 5), "10.0.0.1"),
        (("::1", 5, 0, 0), "::1"),
        (("::ffff:10.0.0.1", 5, 0, 0), "10.0.0.1"),
        (("::ffff:1", 5, 0, 0), "::ffff:1"),
        ("", ""),
        (b"\0x", ""),
    ],
)
def test_peer_of(address: object, peer: str) -> None:
    assert peer_of(address) == peer


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_an_iterator_is_chunked_piece_by_piece() -> None:
    async def handler(request: Request) -> Response:
        return Response(200, [], _pieces(b"one", b"", b"two" * 50_000))

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(GET % 1)
        assert (await raw.head())[1].get(b"transfer-encoding") == b"chunked"
        assert await raw.chunk() == b"one"
        assert await raw.chunk() == b"two" * 50_000
        assert await raw.chunk() == b""
        raw.send(b"GET / HTTP/1.0\r\n\r\n")
        reply = await raw.reply()
        assert reply.headers.get(b"transfer-encoding") is None
        assert reply.body == b"one" + b"two" * 50_000
