"""The client over real sockets: what it sends, what it keeps, and what each fault of an upstream becomes."""

import asyncio
import errno
import gc
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.net.client import Client
from llr.net.pool import PoolLimits
from llr.net.stream import READ_AHEAD_BYTES
from llr.wire.http import Origin, OutboundRequest, Timeouts
from tests.net.rig import QUICK, answering, client, post, read_request, soon, until, upstream, whole

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def failure(kind: ErrorKind, port: int, *, timeouts: Timeouts = QUICK, body: bytes = b"{}") -> str:
    """Returns the message of the fault that `send`, or reading the body, ends in."""
    async with client() as net:
        with pytest.raises(GatewayError) as caught:
            await whole(await net.send(post(port, body), timeouts=timeouts))
        assert caught.value.fault.kind is kind
        await until(lambda: net.open_connections == 0)
        return caught.value.fault.message


async def test_what_goes_over_the_wire() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(4):
            seen.append(await read_request(reader))
            writer.write(OK)

    async with upstream(script) as port, client() as net:
        origin = Origin("http", "127.0.0.1", port)
        for request in (
            OutboundRequest("POST", origin, "/v1?a=b", [(b"authorization", b"Bearer k")], (b'{"a":', b"", b"1}")),
            OutboundRequest("GET", origin, "/models", []),
            OutboundRequest("DELETE", origin, "/x", []),
            OutboundRequest("POST", origin, "/empty", []),
        ):
            response = await net.send(request, timeouts=QUICK)
            assert (response.status, await whole(response)) == (200, b"ok")
        assert net.open_connections == 1
    host = b"127.0.0.1:%d" % port
    assert seen[0] == (
        b"POST /v1?a=b HTTP/1.1\r\nhost: %b\r\nauthorization: Bearer k\r\ncontent-length: 7\r\n\r\n" % host,
        b'{"a":1}',
    )
    assert seen[1][0] == b"GET /models HTTP/1.1\r\nhost: %b\r\n\r\n" % host
    assert seen[2][0] == b"DELETE /x HTTP/1.1\r\nhost: %b\r\n\r\n" % host
    assert b"content-length: 0\r\n" in seen[3][0]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;a=b\r\nhello\r\n06\r\n world\r\n0\r\nT: u\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello world",
    ],
)
async def test_answers_may_be_cut_anywhere(answer: bytes, size: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for at in range(0, len(answer), size):
            writer.write(answer[at : at + size])
            await writer.drain()
            await asyncio.sleep(0)

    async with upstream(script) as port, client() as net:
        response = await net.send(post(port), timeouts=QUICK)
        assert (response.status, response.headers.get(b"x"), await whole(response)) == (200, b"y", b"hello world")


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        ("GET", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_answers_without_a_body_give_the_connection_back_at_once(method: str, answer: bytes) -> None:
    async with upstream(answering(answer, OK)) as port, client() as net:
        origin = Origin("http", "127.0.0.1", port)
        first = await net.send(OutboundRequest(method, origin, "/", []), timeouts=QUICK)
        second = await net.send(OutboundRequest("GET", origin, "/", []), timeouts=QUICK)
        assert await whole(second) == b"ok"
        assert await whole(first) == b""
        await first.aclose()
        assert net.open_connections <= 1


class Counting:
    """An upstream that answers every request and counts connections and requests."""

    def __init__(self, answer: bytes = OK, *, close_after: int = 1_000_000) -> None:
        self.answer = answer
        self.close_after = close_after
        self.connections = 0
        self.requests = 0
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            for _ in range(self.close_after):
                await read_request(reader)
                self.requests += 1
                writer.write(self.answer)
        finally:
            self.open -= 1


async def test_connections_are_kept_and_shared() -> None:
    counting = Counting()
    async with upstream(counting) as port, client() as net:
        for _ in range(3):
            responses = [await net.send(post(port), timeouts=QUICK) for _ in range(2)]
            for response in responses:
                assert await whole(response) == b"ok"
        assert (counting.connections, counting.requests, net.open_connections) == (2, 6, 2)
    await until(lambda: counting.open == 0)


async def test_a_connection_the_peer_closed_is_not_used_again() -> None:
    counting = Counting(close_after=1)
    async with upstream(counting) as port, client() as net:
        for n in range(3):
            assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
            if n == 1:
                await until(lambda: net.open_connections == 0)
        assert counting.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=9\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_some_connections_serve_only_once(answer: bytes) -> None:
    counting = Counting(answer)
    async with upstream(counting) as port, client() as net:
        for _ in range(2):
            assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
        assert counting.connections == 2


async def test_idle_connections_end_by_themselves() -> None:
    counting = Counting()
    async with upstream(counting) as port:
        net = Client({}, PoolLimits(idle_s=0.05))
        assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
        assert net.open_connections == 1
        await until(lambda: net.open_connections == 0)
        await net.aclose()


async def test_an_unread_answer_closes_its_connection_and_a_read_one_does_not() -> None:
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    async with upstream(answering(first)) as port, client() as net:
        response = await net.send(post(port), timeouts=QUICK)
        await response.aclose()
        await response.aclose()
        assert net.open_connections == 0
        with pytest.raises(GatewayError):
            await whole(response)
    async with upstream(answering(OK, OK)) as port, client() as net:
        response = await net.send(post(port), timeouts=QUICK)
        await response.aclose()
        assert net.open_connections == 1


async def test_waiting_for_a_connection() -> None:
    counting = Counting()
    async with upstream(counting) as port:
        net = Client({}, PoolLimits(max_open=1))
        first = await net.send(post(port), timeouts=QUICK)
        second = asyncio.create_task(net.send(post(port), timeouts=QUICK))
        with pytest.raises(GatewayError) as caught:
            await net.send(post(port), timeouts=Timeouts(connect_s=0.02))
        assert caught.value.fault.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert not second.done()
        assert await whole(first) == b"ok"
        assert await whole(await second) == b"ok"
        assert counting.connections == 1
        await net.aclose()
        with pytest.raises(GatewayError):
            await net.send(post(port), timeouts=QUICK)


async def test_the_pool_makes_room_for_another_origin() -> None:
    async with upstream(Counting()) as one, upstream(Counting()) as two:
        net = Client({}, PoolLimits(max_open=1))
        for port in (one, two, one):
            assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
            assert net.open_connections == 1
        await net.aclose()


async def test_a_stale_connection_is_replaced_when_nothing_had_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reset arrives, but neither the loop nor the look at the socket has seen it when the request is written."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.settimeout(5)
    served: list[socket.socket] = []

    def serve_one() -> None:
        sock, _ = listener.accept()
        served.append(sock)
        assert sock.recv(65536)
        sock.sendall(OK)

    def reset() -> None:
        sock = served[-1]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()

    monkeypatch.setattr("llr.net.stream._readable", lambda fd: lambda wait_ms: [])
    with ThreadPoolExecutor(1) as pool:
        async with client() as net:
            first = pool.submit(serve_one)
            assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
            first.result()
            pool.submit(reset).result()
            second = pool.submit(serve_one)
            assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
            second.result()
            assert net.open_connections == 1
    assert len(served) == 2
    served[1].close()
    listener.close()


async def test_an_answer_that_is_forgotten_frees_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with upstream(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")) as port, client() as net:
        await net.send(post(port), timeouts=QUICK)
        gc.collect()
        assert net.open_connections == 0
    assert "dropped without being closed" in caplog.text


async def test_closing_while_dialling() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    net = Client({})
    task = asyncio.create_task(net.send(post(sock.getsockname()[1]), timeouts=QUICK))
    await until(lambda: net.open_connections == 1)
    await net.aclose()
    with pytest.raises(GatewayError):
        await task
    assert net.open_connections == 0
    sock.close()


# Faults.


async def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    said = await failure(ErrorKind.UPSTREAM_UNREACHABLE, port)
    assert said == f"connecting to 127.0.0.1:{port}: {os.strerror(errno.ECONNREFUSED)}"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "bad..name"])
async def test_a_host_that_does_not_resolve(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_dns(name: str, *args: object, **more: object) -> list[object]:
        name.encode("idna")
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_dns)
    async with client() as net:
        with pytest.raises(GatewayError) as caught:
            await net.send(post(0, origin=Origin("http", host, 80)), timeouts=QUICK)
        assert caught.value.fault.kind is ErrorKind.UPSTREAM_UNREACHABLE


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", ErrorKind.UPSTREAM_UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nConte", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", ErrorKind.UPSTREAM_TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ErrorKind.UPSTREAM_TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", ErrorKind.UPSTREAM_TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", ErrorKind.UPSTREAM_TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 40, ErrorKind.UPSTREAM_INVALID),
        (b"<html>502</html>", ErrorKind.UPSTREAM_INVALID),
        (b"HTTP/2 200\r\n\r\n", ErrorKind.UPSTREAM_INVALID),
        (b"\x15\x03\x01\x00\x02\x02\x46", ErrorKind.UPSTREAM_INVALID),
        (b"H", ErrorKind.UPSTREAM_INVALID),
    ],
)
async def test_what_an_upstream_can_answer_wrong(answer: bytes, kind: ErrorKind) -> None:
    async with upstream(answering(answer)) as port:
        assert f"127.0.0.1:{port}" in await failure(kind, port)


async def test_a_reset_before_the_answer() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with upstream(script) as port:
        await failure(ErrorKind.UPSTREAM_UNREACHABLE, port)


async def test_a_reset_inside_the_body() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with upstream(script) as port:
        await failure(ErrorKind.UPSTREAM_TRUNCATED, port)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_in_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    await reader.read()


async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def test_no_answer_in_time() -> None:
    async with upstream(hang) as port:
        message = await failure(ErrorKind.UPSTREAM_TIMEOUT, port, timeouts=Timeouts(5, 0.05, 5))
    assert "no answer within 0.05 s" in message


async def test_no_body_byte_in_time() -> None:
    async with upstream(hang_in_body) as port:
        message = await failure(ErrorKind.UPSTREAM_TIMEOUT, port, timeouts=Timeouts(5, 5, 0.05))
    assert "no body byte within 0.05 s" in message


async def test_a_request_that_is_not_taken_in_time() -> None:
    async with upstream(never_read) as port:
        await failure(ErrorKind.UPSTREAM_TIMEOUT, port, timeouts=Timeouts(5, 0.05, 5), body=b"x" * 50_000_000)


async def test_no_connection_in_time() -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    port = sock.getsockname()[1]
    fillers = []
    try:
        # A full accept queue: further SYNs are dropped.
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        message = await failure(ErrorKind.UPSTREAM_TIMEOUT, port, timeouts=Timeouts(0.1, 5, 5))
        assert "no connection within 0.1 s" in message
    finally:
        for each in (*fillers, sock):
            each.close()


async def test_a_slow_consumer_is_no_slow_upstream() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await asyncio.sleep(0)
        writer.write(b"cd")
        await reader.read()

    async with upstream(script) as port, client() as net:
        response = await net.send(post(port), timeouts=Timeouts(5, 5, 0.05))
        chunks = response.chunks()
        got = await anext(chunks)
        await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=0.2)
        async for data in chunks:
            got += data
        assert got == b"abcd"


async def test_reading_waits_for_the_consumer() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            sent += 100_000
            await writer.drain()

    async with upstream(script) as port, client() as net:
        response = await net.send(post(port), timeouts=QUICK)
        first = await anext(response.chunks())
        last = -1
        while sent != last:
            last = sent
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=0.1)
        # What fits into the two kernels' buffers and ours, and no more.
        assert sent < 40_000_000
        assert len(first) <= READ_AHEAD_BYTES * 8
        assert len(first) + len(await whole(response)) == 100_000_000


async def test_an_early_answer_stops_the_upload() -> None:
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)
        await writer.drain()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with upstream(script) as port, client() as net:
        response = await net.send(post(port, b"x" * 50_000_000), timeouts=QUICK)
        assert (response.status, await whole(response)) == (413, b"big")
        assert net.open_connections == 0


async def test_an_answer_is_read_although_the_upload_broke() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait")
        await writer.drain()
        # Closing with unread bytes makes the kernel send a reset.

    for _ in range(20):
        async with upstream(script) as port, client() as net:
            response = await net.send(post(port, b"x" * 3_000_000), timeouts=QUICK)
            assert (response.status, response.headers.get(b"retry-after")) == (429, b"7")
            assert await whole(response) == b"wait"


async def test_an_interim_answer_does_not_stop_the_upload() -> None:
    body = b"x" * 20_000_000
    received: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        received.append(len(await reader.readexactly(len(body))))
        writer.write(OK)

    async with upstream(script) as port, client() as net:
        assert await whole(await net.send(post(port, body), timeouts=QUICK)) == b"ok"
    assert received == [len(body)]


@pytest.mark.parametrize("script", [hang, hang_in_body])
async def test_cancelling_closes_the_upstream(script: object) -> None:
    ended = asyncio.Event()
    entered = asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        entered.set()
        await script(reader, writer)  # type: ignore[operator]
        ended.set()

    async def talk(net: Client, port: int) -> None:
        response = await net.send(post(port), timeouts=QUICK)
        try:
            await whole(response)
        finally:
            await response.aclose()

    async with upstream(watched) as port, client() as net:
        task = asyncio.create_task(talk(net, port))
        await soon(entered.wait())
        await until(lambda: net.open_connections == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        await soon(ended.wait())
        assert net.open_connections == 0


async def test_cancelling_a_dial_frees_its_slot() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    net = Client({}, PoolLimits(max_open=1))
    origin = Origin("https", "127.0.0.1", sock.getsockname()[1])
    task = asyncio.create_task(net.send(post(0, origin=origin), timeouts=QUICK))
    await until(lambda: net.open_connections == 1)
    task.cancel()
    await asyncio.wait({task})
    assert net.open_connections == 0
    await net.aclose()
    sock.close()


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", []),
        ("/\r\nx: y", []),
        ("/caf\u00e9", []),
        ("/", [(b"authorization", b"Bearer sk-secret\r\nx: y")]),
        ("/", [(b"authori zation", b"sk-secret")]),
    ],
)
async def test_a_request_that_cannot_be_sent(target: str, headers: list[tuple[bytes, bytes]]) -> None:
    async with upstream(Counting()) as port, client() as net:
        request = OutboundRequest("POST", Origin("http", "127.0.0.1", port), target, headers)
        with pytest.raises(GatewayError) as caught:
            await net.send(request, timeouts=QUICK)
        assert caught.value.fault.kind is ErrorKind.CONFIGURATION
        assert "secret" not in caught.value.fault.message


async def test_happy_eyeballs_reach_the_second_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, *args: object, **more: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("100::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    async with upstream(Counting()) as port, client() as net:
        response = await net.send(post(port, origin=Origin("http", "two.example", port)), timeouts=QUICK)
        assert await whole(response) == b"ok"
