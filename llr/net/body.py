"""A request body that stays with the client until the handler asks for it."""

import asyncio
from collections.abc import Callable

import h11

from llr.base.errors import ErrorKind, Fault, GatewayError, fail
from llr.net.framing import BadFraming, Counted, framing_for
from llr.net.stream import Wire

_INTERIM = h11.InformationalResponse(status_code=100, reason=b"Continue", headers=[])


class RequestBody:
    """The body of one request. `broken` says that where it ends is unknown: the connection cannot go on.

    `reading` is told before each wait for the client (True) and when the waiting is over (False).
    """

    __slots__ = ("_conn", "_framing", "_reading", "_started", "_wire", "broken")

    def __init__(self, wire: Wire, conn: h11.Connection, kind: int, reading: Callable[[bool], None]) -> None:
        self._wire = wire
        self._conn = conn
        self._framing = framing_for(kind)
        self._reading = reading
        self._started = False
        self.broken = False

    @property
    def done(self) -> bool:
        """Tells whether nothing of the body is left on the connection."""
        return self._framing.done

    async def read(self, limit_bytes: int) -> bytes:
        """Returns the whole body as sent, once.

        Raises `GatewayError`: TOO_LARGE past `limit_bytes` (nothing is read when Content-Length says so already),
        REQUEST_TIMEOUT when the client is too slow, INVALID_REQUEST when its framing is broken.
        """
        framing = self._framing
        if isinstance(framing, Counted) and framing.left > limit_bytes:
            raise _too_large(limit_bytes)
        if self._started:
            raise RuntimeError("the request body was read already")
        self._started = True
        if framing.done:
            return b""
        if self._conn.they_are_waiting_for_100_continue and not self._wire.peek():
            self._wire.write(self._conn.send(_INTERIM))
        try:
            return await self._collect(limit_bytes)
        except BadFraming as exc:
            self.broken = True
            raise fail(ErrorKind.INVALID_REQUEST, f"the request body is not valid HTTP: {exc}") from exc
        finally:
            self._reading(False)

    async def _collect(self, limit_bytes: int) -> bytes:
        framing, wire = self._framing, self._wire
        parts: list[bytes] = []
        total = 0
        while not framing.done:
            self._reading(True)
            data = await wire.read()
            if not data:
                self.broken = True
                # The client left; the connection's own cancellation arrives at this point too.
                raise asyncio.CancelledError
            data = framing.feed(data)
            if framing.rest:
                wire.unread(framing.rest)
                framing.rest = b""
            total += len(data)
            if total > limit_bytes:
                raise _too_large(limit_bytes)
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip_arrived(self) -> bool:
        """Drops what of the body has arrived; returns whether that was all of it and the connection can go on."""
        framing = self._framing
        if framing.done:
            return not self.broken
        data = self._wire.peek()
        if self.broken or not data or self._conn.they_are_waiting_for_100_continue:
            return False
        if isinstance(framing, Counted) and framing.left > len(data):
            return False
        try:
            framing.feed(self._wire.take())
        except BadFraming:
            self.broken = True
        if framing.done and framing.rest:
            self._wire.unread(framing.rest)
        return framing.done and not self.broken


def _too_large(limit_bytes: int) -> GatewayError:
    return GatewayError(Fault(ErrorKind.TOO_LARGE, f"the request body is larger than {limit_bytes} bytes"))
