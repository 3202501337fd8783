"""Slow, silent and vanished clients; heartbeats, broken bodies and the end of a server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from llr.base.jsonio import loads
from llr.net.limits import ServerLimits
from llr.wire.http import BrokenBody, Heartbeat, Request, Response
from tests.net.rig import Raw, connected, echo, serving, soon, until

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
# Long enough for a loaded machine to get a request through, short enough to wait for.
TINY = ServerLimits(head_s=0.3, idle_s=0.05, body_s=0.15, body_gap_s=0.05, write_s=0.1, linger_s=0.1)


class Endless:
    """A handler that waits for ever, and says when it was entered and left."""

    def __init__(self, *, stream: bool = False) -> None:
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.stream = stream

    async def __call__(self, request: Request) -> Response:
        if self.stream:
            return Response(200, [], self.body())
        await self.wait()
        raise AssertionError("not reached")

    async def wait(self) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def body(self) -> AsyncIterator[bytes]:
        yield b"first"
        await self.wait()


@pytest.mark.parametrize("drip", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_slow_head_ends(drip: bytes) -> None:
    async with serving(echo, TINY) as (server, port), connected(port) as raw:
        raw.send(drip)
        if drip:
            reply = await raw.reply()
            assert (reply.status, reply.headers.get(b"connection")) == (408, b"close")
        assert await raw.rest() == b""
        await until(lambda: server.connections == 0)


async def test_a_drip_of_head_bytes_does_not_extend_its_time() -> None:
    async with serving(echo, TINY) as (_, port), connected(port) as raw:
        loop = asyncio.get_running_loop()
        started = loop.time()
        raw.send(b"GET / HTTP/1.1\r\n")
        while not raw.reader.at_eof() and loop.time() - started < 5:
            raw.send(b"A: b\r\n")
            try:
                assert (await asyncio.wait_for(raw.head(), 0.02))[0] == 408
                break
            except TimeoutError:
                continue
        assert loop.time() - started < 2


async def test_an_idle_connection_ends_quietly() -> None:
    async with serving(echo, TINY) as (_, port), connected(port) as raw:
        raw.send(GET % 1)
        assert (await raw.reply()).status == 200
        assert await raw.rest() == b""


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100\r\n\r\n0123", b"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n"],
)
async def test_a_slow_body_is_408(head: bytes) -> None:
    async with serving(echo, TINY) as (_, port), connected(port) as raw:
        raw.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + head)
        reply = await raw.reply()
        assert (reply.status, reply.headers.get(b"connection")) == (408, b"close")
        assert "too long" in str(loads(reply.body))
        assert await raw.rest() == b""


async def test_a_drip_of_body_bytes_does_not_extend_its_time() -> None:
    async with serving(echo, TINY) as (_, port), connected(port) as raw:
        raw.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        answer = asyncio.create_task(raw.reply())
        while not answer.done():
            raw.send(b"x")
            await asyncio.wait({answer}, timeout=0.01)
        assert answer.result().status == 408


async def test_a_client_that_does_not_read_is_dropped_and_the_body_closed() -> None:
    closed = asyncio.Event()

    async def flood() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.set()

    async def handler(request: Request) -> Response:
        return Response(200, [], flood())

    async with serving(handler, TINY) as (server, port), connected(port) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw.send(GET % 1)
        await soon(closed.wait())
        await until(lambda: server.connections == 0)


async def test_a_large_answer_nobody_reads_does_not_stay() -> None:
    async def handler(request: Request) -> Response:
        return Response(200, [], b"x" * 50_000_000)

    async with serving(handler, TINY) as (server, port), connected(port) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw.send(GET % 1)
        await until(lambda: server.requests == 1)
        await until(lambda: server.connections == 0)


def leave_by_close(raw: Raw) -> None:
    raw.writer.close()


def leave_by_half_close(raw: Raw) -> None:
    raw.writer.write_eof()


def leave_by_reset(raw: Raw) -> None:
    raw.reset()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("leave", [leave_by_close, leave_by_half_close, leave_by_reset])
async def test_a_client_that_leaves_cancels_the_handler(leave: Callable[[Raw], None], stream: bool) -> None:
    handler = Endless(stream=stream)
    async with serving(handler) as (server, port), connected(port) as raw:
        raw.send(GET % 1)
        await soon(handler.entered.wait())
        started = asyncio.get_running_loop().time()
        leave(raw)
        await soon(handler.cancelled.wait())
        assert asyncio.get_running_loop().time() - started < 1
        await until(lambda: (server.connections, server.requests) == (0, 0))


@pytest.mark.skipif(not hasattr(__import__("select"), "POLLRDHUP"), reason="this system cannot tell")
async def test_a_client_that_leaves_behind_pipelined_bytes_cancels_too() -> None:
    handler = Endless()
    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(GET % 1)
        await soon(handler.entered.wait())
        raw.send(b"x" * 200_000)
        raw.writer.close()
        await soon(handler.cancelled.wait())


async def test_a_client_that_leaves_inside_its_body_cancels() -> None:
    left = asyncio.Event()

    async def handler(request: Request) -> Response:
        try:
            return await echo(request)
        except asyncio.CancelledError:
            left.set()
            raise

    async with serving(handler) as (server, port), connected(port) as raw:
        raw.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        await until(lambda: server.requests == 1)
        raw.writer.close()
        await soon(left.wait())
        await until(lambda: server.connections == 0)


async def test_the_body_of_an_answer_is_closed_for_head_too() -> None:
    closed = asyncio.Event()

    class Body:
        def __aiter__(self) -> "Body":
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("a HEAD answer has no body")

        async def aclose(self) -> None:
            closed.set()

    async def handler(request: Request) -> Response:
        return Response(200, [], Body())

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await raw.reply("HEAD")).status == 200
        await soon(closed.wait())


async def test_a_heartbeat_fills_the_silence() -> None:
    go_on = asyncio.Event()
    beats = iter([b": 1\n\n", b"", b": 2\n\n"])

    async def body() -> AsyncIterator[bytes]:
        yield b"data: a\n\n"
        await go_on.wait()
        yield b"data: b\n\n"

    def beat() -> bytes:
        data = next(beats, b"")
        if data == b": 2\n\n":
            go_on.set()
        return data

    async def handler(request: Request) -> Response:
        return Response(200, [], body(), heartbeat=Heartbeat(0.02, beat))

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(GET % 1 + GET % 2)
        await raw.head()
        assert [await raw.chunk() for _ in range(5)] == [b"data: a\n\n", b": 1\n\n", b": 2\n\n", b"data: b\n\n", b""]
        assert (await raw.head())[0] == 200


async def test_no_heartbeat_while_the_body_speaks() -> None:
    clock = asyncio.get_running_loop().time
    beaten: list[float] = []

    def beat() -> bytes:
        beaten.append(clock())
        return b"!"

    async def body() -> AsyncIterator[bytes]:
        end = clock() + 0.6
        while clock() < end:
            yield b"."
            await asyncio.sleep(0)

    async def handler(request: Request) -> Response:
        return Response(200, [], body(), heartbeat=Heartbeat(0.5, beat))

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(GET % 1)
        assert set((await raw.reply()).body) == {ord(".")}
    assert beaten == []


def failing(error: Exception) -> Callable[[], AsyncIterator[bytes]]:
    async def body() -> AsyncIterator[bytes]:
        yield b"data: a\n\n"
        raise error

    return body


@pytest.mark.parametrize("error", [BrokenBody(), ValueError("a bug")])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_body_that_breaks_cuts_the_connection(
    error: Exception, version: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    body = failing(error)

    async def handler(request: Request) -> Response:
        return Response(200, [], body())

    async with serving(handler) as (_, port), connected(port) as raw:
        raw.send(b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % version)
        await raw.head()
        if version == b"1.1":
            assert await raw.chunk() == b"data: a\n\n"
            assert await raw.rest() == b""
        else:
            # The end of the connection would be a clean end of the body: only a reset tells.
            with pytest.raises(ConnectionResetError):
                await raw.rest()
    assert ("an answer's body failed" in caplog.text) is isinstance(error, ValueError)


async def test_drain_finishes_what_runs_and_closes_what_idles() -> None:
    release = asyncio.Event()
    running = asyncio.Event()

    async def handler(request: Request) -> Response:
        if request.target == "/1":
            running.set()
            await release.wait()
        return await echo(request)

    async with serving(handler) as (server, port), connected(port) as busy, connected(port) as idle:
        idle.send(GET % 2)
        await idle.reply()
        busy.send(GET % 1)
        await soon(running.wait())
        drained = asyncio.create_task(server.drain(5))
        assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        release.set()
        reply = await busy.reply()
        assert (reply.body, reply.headers.get(b"connection")) == (b"GET /1 ", b"close")
        await busy.close()
        assert await soon(drained) == 0


async def test_drain_meets_a_connection_that_is_not_open_yet() -> None:
    """Accepted in the loop's last turn, not yet given to its transport: it ended the drain with an error."""
    async with serving(echo) as (server, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            server._accept()
            assert server.connections == 1
            assert await server.drain(5.0) == 0
            client.settimeout(5.0)
            assert client.recv(1) == b""


async def test_a_hand_over_lets_idle_connections_end_with_their_next_answer() -> None:
    async with serving(echo) as (server, port), connected(port) as idle:
        idle.send(GET % 1)
        await idle.reply()
        drained = asyncio.create_task(server.drain(5, keep_idle=True))
        await until(lambda: server.draining)
        idle.send(GET % 2)
        reply = await idle.reply()
        assert (reply.body, reply.headers.get(b"connection")) == (b"GET /2 ", b"close")
        await idle.close()
        assert await soon(drained) == 0


async def test_drain_cuts_what_is_over_its_deadline() -> None:
    handler = Endless()
    async with serving(handler) as (server, port), connected(port) as raw:
        raw.send(GET % 1)
        await soon(handler.entered.wait())
        assert await soon(server.drain(0.05)) == 1
        assert handler.cancelled.is_set()
        assert server.connections == 0
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await raw.reply()


async def test_close_ends_everything_now() -> None:
    handler = Endless(stream=True)
    async with serving(handler) as (server, port), connected(port) as raw:
        raw.send(GET % 1)
        await raw.head()
        await soon(handler.entered.wait())
        await soon(server.close())
        assert handler.cancelled.is_set()
        await server.close()


async def test_running_out_of_descriptors_pauses_accepting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(echo) as (server, port):
        real = socket.socket.accept
        failures = iter([OSError(24, "Too many open files")])

        def accept(self: socket.socket) -> object:
            for failure in failures:
                raise failure
            return real(self)

        monkeypatch.setattr(socket.socket, "accept", accept)
        monkeypatch.setattr("llr.net.server._ACCEPT_PAUSE_S", 0.05)
        async with connected(port) as raw:
            raw.send(GET % 1)
            assert (await raw.reply()).status == 200
        assert "Too many open files" in caplog.text
        assert server.connections <= 1


async def test_a_body_that_will_not_close_is_abandoned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("llr.net.connection.CLOSE_S", 0.05)

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    async def handler(request: Request) -> Response:
        return Response(200, [], body())

    async with serving(handler) as (server, port), connected(port) as raw:
        raw.send(GET % 1)
        await raw.head()
        raw.reset()
        await until(lambda: server.connections == 0)
    assert "still cleaning up" in caplog.text
