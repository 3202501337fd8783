"""What the socket tests share: a server under test, a raw client, a scripted upstream. Loopback only, port 0."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from llr.net.client import Client
from llr.net.limits import ServerLimits
from llr.net.server import Server, serve
from llr.wire.http import Handler, Headers, InboundResponse, Origin, OutboundRequest, Request, Response, Timeouts

# No test waits for this long unless it fails.
PATIENCE_S = 10.0

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def soon(awaitable: Awaitable[object]) -> object:
    """Returns the result, or fails the test instead of hanging it."""
    return await asyncio.wait_for(awaitable, PATIENCE_S)


async def until(condition: Callable[[], bool]) -> None:
    """Returns once `condition` holds; each look gives the loop a turn."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + PATIENCE_S
    while not condition():
        assert loop.time() < give_up_at
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving(handler: Handler, limits: ServerLimits | None = None) -> AsyncIterator[tuple[Server, int]]:
    """Yields a running server and its port."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    server = await serve(handler, sock, limits)
    try:
        yield server, port
    finally:
        await server.close()


async def echo(request: Request) -> Response:
    """Answers with method, target and body."""
    body = await request.body.read(1 << 24)
    return Response(200, [(b"content-type", b"text/plain")], f"{request.method} {request.target} ".encode() + body)


@dataclass
class Reply:
    """One answer as raw bytes came."""

    status: int
    headers: Headers
    body: bytes


class Raw:
    """A client that sends what it is told, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, Headers]:
        data = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        lines = data[:-4].split(b"\r\n")
        fields = [line.split(b": ", 1) for line in lines[1:]]
        return int(lines[0].split()[1]), Headers([(name.lower(), value) for name, value in fields])

    async def chunk(self) -> bytes:
        size = int(await asyncio.wait_for(self.reader.readuntil(b"\r\n"), PATIENCE_S), 16)
        data = await asyncio.wait_for(self.reader.readexactly(size + 2), PATIENCE_S)
        return data[:-2]

    async def reply(self, method: str = "GET") -> Reply:
        status, headers = await self.head()
        if method == "HEAD" or status in (100, 204, 304):
            return Reply(status, headers, b"")
        if headers.get(b"transfer-encoding"):
            chunks = []
            while data := await self.chunk():
                chunks.append(data)
            body = b"".join(chunks)
        elif (length := headers.get(b"content-length")) is not None:
            body = await asyncio.wait_for(self.reader.readexactly(int(length)), PATIENCE_S)
        else:
            body = await self.rest()
        return Reply(status, headers, body)

    async def rest(self) -> bytes:
        """Returns what still comes until the server ends its side."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE_S)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Raw]:
    """Yields a raw connection to loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw = Raw(reader, writer)
    try:
        yield raw
    finally:
        await raw.close()


@contextlib.asynccontextmanager
async def upstream(script: Script, **options: object) -> AsyncIterator[int]:
    """Yields the port of a server that runs `script` on each connection; `options` go to `asyncio.start_server`."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Returns head and body of a request with Content-Length or none."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, found, rest = head.lower().partition(b"\r\ncontent-length: ")
    return head, await reader.readexactly(int(rest.partition(b"\r\n")[0])) if found else b""


def answering(*answers: bytes) -> Script:
    """Returns a script that reads one request per answer, sends the answer, and closes at the end."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return script


@contextlib.asynccontextmanager
async def client(env: dict[str, str] | None = None) -> AsyncIterator[Client]:
    """Yields a client that is closed at the end."""
    made = Client(env or {})
    try:
        yield made
    finally:
        await made.aclose()


def post(port: int, body: bytes = b"{}", *, origin: Origin | None = None, target: str = "/v1") -> OutboundRequest:
    """Returns a request to loopback."""
    where = origin or Origin("http", "127.0.0.1", port)
    return OutboundRequest("POST", where, target, [(b"content-type", b"application/json")], (body,) if body else ())


async def whole(response: InboundResponse) -> bytes:
    """Returns the body, read to its end."""
    return b"".join([data async for data in response.chunks()])


QUICK = Timeouts(connect_s=5.0, first_byte_s=5.0, idle_s=5.0)


class Proxy:
    """A forward proxy that tunnels and relays, and remembers the heads it saw."""

    def __init__(self, credentials: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self.credentials = credentials

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        wanted = b"proxy-authorization: Basic " + base64.b64encode(self.credentials)
        if self.credentials and wanted not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            host, _, port = target.rpartition(b":")
        else:
            host, _, port = target.removeprefix(b"http://").partition(b"/")[0].rpartition(b":")
        up_reader, up_writer = await asyncio.open_connection(host.decode(), int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            up_writer.write(head)
        try:
            await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
        finally:
            up_writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
