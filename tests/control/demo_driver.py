"""Drives the demo without a socket: as bare requests, and as the transport under an official client."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

import httpx2

from llr.base.ids import CountingIds
from llr.base.jsonio import JSON, dumps, loads
from llr.control.demo import demo_handler
from llr.testing import BytesBody
from llr.wire.http import BrokenBody, Handler, Headers, Request, Response


@dataclass
class StoppedClock:
    """Time that passes only when someone sleeps, and then at once."""

    at: float = 1_790_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return nullcontext()


@dataclass(frozen=True)
class Answered:
    """A whole answer; `broken` when the connection broke instead of ending."""

    status: int
    headers: Headers
    body: bytes
    broken: bool

    @property
    def json(self) -> JSON:
        return loads(self.body)

    def events(self) -> list[tuple[str | None, JSON]]:
        """Returns (event name, data) of each SSE event; `[DONE]` as text."""
        found: list[tuple[str | None, JSON]] = []
        for block in self.body.replace(b"\r\n", b"\n").decode().strip("\n").split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            data = lines["data"]
            found.append((lines.get("event"), data if data == "[DONE]" else loads(data.encode())))
        return found


class Demo:
    """The demo under test."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.handler: Handler = demo_handler(CountingIds(), self.clock, pace_s=0.01)

    async def ask(self, target: str, body: JSON = None, *, method: str = "POST", headers: JSON = None) -> Answered:
        """Returns the answer to one request; `body` of type str is sent as it is."""
        raw = body.encode() if isinstance(body, str) else dumps(body)
        fields = [(name.encode(), str(value).encode()) for name, value in (headers or {}).items()]  # type: ignore[union-attr]
        response = await self.handler(Request(method, target, Headers(fields), BytesBody(raw), "127.0.0.1"))
        return await whole(response)


async def whole(response: Response) -> Answered:
    """Returns the response with its body read to the end, or to the break."""
    if isinstance(response.body, bytes):
        return Answered(response.status, Headers(response.headers), response.body, broken=False)
    parts: list[bytes] = []
    try:
        async for part in response.body:
            parts.append(part)
    except BrokenBody:
        return Answered(response.status, Headers(response.headers), b"".join(parts), broken=True)
    return Answered(response.status, Headers(response.headers), b"".join(parts), broken=False)


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, response: Response) -> None:
        self.response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self.response.body, bytes):
            yield self.response.body
            return
        try:
            async for part in self.response.body:
                yield part
        except BrokenBody as exc:
            raise httpx2.RemoteProtocolError("peer closed the connection") from exc


class HandlerTransport(httpx2.AsyncBaseTransport):
    """Sends an official client's requests straight into a handler."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = BytesBody(await request.aread())
        fields = [(name.lower(), value) for name, value in request.headers.raw]
        target = request.url.raw_path.decode("ascii")
        response = await self.handler(Request(request.method, target, Headers(fields), body, "127.0.0.1"))
        return httpx2.Response(response.status, headers=response.headers, stream=_Stream(response))


def client_over(demo: Demo) -> httpx2.AsyncClient:
    """Returns an HTTP client that knows no network."""
    return httpx2.AsyncClient(transport=HandlerTransport(demo.handler))
