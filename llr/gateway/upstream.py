"""Reading an upstream's answer: unpacked, bounded, and told apart by what it really is."""

import asyncio
from collections.abc import Callable, Iterator
from enum import Enum

from llr.base.clock import Clock
from llr.base.enums import constants
from llr.base.errors import ErrorKind, fail
from llr.wire.coding import GZIP_MAGIC, Unpacker
from llr.wire.http import Headers, InboundResponse
from llr.wire.sse import BOM

# A plain answer up to this size is read whole before the client gets a byte, so that a bad one can still fail over.
WHOLE_BYTES = 8 * 1024 * 1024
# One that must be converted is read whole in any case, or not at all: pictures make answers large.
CONVERTED_BYTES = 32 * 1024 * 1024
# An error body beyond this is no error message any more.
ERROR_BYTES = 1024 * 1024
_EVENT_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")


@constants
class Shape(Enum):
    """What a body turns out to be."""

    EVENTS = "events"
    JSON = "json"
    PAGE = "page"
    OTHER = "other"


class Source:
    """The unpacked bytes of one answer."""

    __slots__ = ("_ahead", "_chunks", "_first", "_pieces", "_unpacker", "inbound")

    def __init__(self, inbound: InboundResponse) -> None:
        """Raises `GatewayError(UPSTREAM_INVALID)` for a content coding that cannot be undone."""
        self.inbound = inbound
        # Most answers are not packed; they pay for one look at their first bytes.
        unpacker = Unpacker(inbound.headers) if b"content-encoding" in inbound.headers else None
        self._unpacker = None if unpacker is None or unpacker.idle else unpacker
        self._first = True
        self._chunks = inbound.chunks()
        self._pieces: Iterator[bytes] | None = None
        self._ahead: asyncio.Task[bytes | None] | None = None

    async def next(self) -> bytes | None:
        """Returns the next bytes, None at the end. Raises `GatewayError` when the answer breaks off."""
        if self._ahead is not None:
            task, self._ahead = self._ahead, None
            return await task
        while True:
            if self._pieces is not None:
                for piece in self._pieces:
                    return piece
                self._pieces = None
            try:
                chunk = await self._chunks.__anext__()
            except StopAsyncIteration:
                if self._unpacker is not None:
                    self._unpacker.finish()
                return None
            if not chunk:
                continue
            if self._first:
                self._first = False
                if self._unpacker is None and chunk.startswith(GZIP_MAGIC):
                    # Packed although no field says so; text never begins like it.
                    self._unpacker = Unpacker(Headers([(b"content-encoding", b"gzip")]))
            if self._unpacker is None:
                return chunk
            self._pieces = iter(self._unpacker.feed(chunk))

    async def next_within(self, seconds: float, clock: Clock) -> bytes | None:
        """Returns as `next`. Raises `TimeoutError` when nothing comes in time; what comes later is not lost."""
        task = asyncio.ensure_future(self.next())
        async with clock.timeout(seconds):
            try:
                await asyncio.wait((task,))
            finally:
                if not task.done():
                    self._ahead = task
        return task.result()

    async def read(self, limit_bytes: int, expired: Callable[[], bool] | None = None) -> tuple[bytes, bool]:
        """Returns the body as far as `limit_bytes`, and whether that was all.

        Raises `GatewayError(UPSTREAM_TIMEOUT)` when `expired` says so while more is coming.
        """
        first = await self.next()
        if first is None:
            return b"", True
        parts, size = [first], len(first)
        while size <= limit_bytes:
            chunk = await self.next()
            if chunk is None:
                return (first if len(parts) == 1 else b"".join(parts)), True
            parts.append(chunk)
            size += len(chunk)
            if expired is not None and expired():
                raise fail(ErrorKind.UPSTREAM_TIMEOUT, "the answer was not complete within the request's deadline")
        return b"".join(parts), False

    async def aclose(self) -> None:
        """Returns when the connection is back in the pool or closed."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait((self._ahead,))
        await self.inbound.aclose()


def shape_of(content_type: str, start: bytes) -> Shape:
    """Returns what a body is by its first bytes; its declared type decides only where they are no help."""
    text = start.removeprefix(BOM).lstrip()
    if text[:1] in (b"{", b"["):
        return Shape.JSON
    if text[:1] == b"<":
        return Shape.PAGE
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream" or text.startswith(_EVENT_STARTS):
        return Shape.EVENTS
    return Shape.OTHER


def check_redirect(status: int, location: str) -> None:
    """Raises `GatewayError(UPSTREAM_INVALID)` for a redirect: following one would hand our key to another host."""
    if 300 <= status < 400:
        where = f" to {location.partition('?')[0][:200]}" if location else ""
        raise fail(ErrorKind.UPSTREAM_INVALID, f"the provider answered with a redirect{where}; correct its baseUrl")
