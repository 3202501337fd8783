"""One byte stream over an asyncio transport: read, write, drain, as coroutines.

Law: what arrived is always delivered before the error that came after it. `asyncio.StreamReader` and its writer would
do, but they are three objects where this is one, copy each chunk twice, drop received bytes on an error, and tell of
an EOF only to who reads; a server must hear of it while a handler runs, without a task per request.
"""

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable
from typing import Protocol

# Reading stops when this much lies unread: pipelined requests, or an upstream faster than the client.
READ_AHEAD_BYTES = 64 * 1024
_SALVAGE_BYTES = 256 * 1024


class Stream(Protocol):
    """A connection's two directions, plain or through TLS."""

    @property
    def full(self) -> bool:
        """Tells whether a writer should drain before it goes on."""

    def peek(self) -> bytes:
        """Returns what has arrived and was not read, without waiting."""

    async def read(self) -> bytes:
        """Returns what has arrived, at least one byte, or b"" at the end. Raises OSError."""

    def take(self) -> bytes:
        """Returns what has arrived, b"" for nothing, without waiting."""

    def unread(self, data: bytes) -> None:
        """Puts `data` back in front."""

    def write(self, data: "bytes | memoryview") -> None:
        """Queues `data`; errors show in `drain` and `read`."""

    async def drain(self) -> None:
        """Returns when more may be written, or earlier when something arrived. Raises OSError."""

    def is_dead(self) -> bool:
        """Tells whether an idle stream has ended or has something to say that nobody asked for."""

    def is_closing(self) -> bool:
        """Tells whether the connection is over or about to be, whoever ends it."""

    def interrupt(self, error: BaseException) -> None:
        """Makes the pending or next `read` raise `error`."""

    def abort(self) -> None:
        """Ends the connection now; what was not sent yet is dropped."""

    def close(self) -> None:
        """Ends the connection once what was written is sent."""


class Wire(asyncio.Protocol):
    """A TCP or Unix connection. `on_end` is called once, when the peer ended its side or the connection broke."""

    __slots__ = (
        "_data",
        "_drainer",
        "_error",
        "_loop",
        "_mute",
        "_poll",
        "_stopped",
        "_waiter",
        "ended",
        "full",
        "lost",
        "on_end",
        "transport",
        "wake_on_data",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._data = b""
        self._waiter: asyncio.Future[None] | None = None
        self._drainer: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._mute = False
        self._poll: Callable[[int], list[tuple[int, int]]] | None = None
        self._stopped = False
        self.full = False
        self.ended = False
        self.lost = False
        self.wake_on_data = False
        self.on_end: Callable[[], None] | None = None
        self.transport: asyncio.Transport

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            _probe(sock)

    def data_received(self, data: bytes) -> None:
        """Keeps `data` for `read`, and stops reading past the limit."""
        if self._mute:
            return
        held = self._data
        self._data = held + data if held else data
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        elif len(self._data) > READ_AHEAD_BYTES and not self._stopped:
            self._stopped = True
            self.transport.pause_reading()
        if self.wake_on_data:
            self._wake_drainer()

    def eof_received(self) -> bool:
        """Tells the reader; returns True: closing is ours."""
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells reader and writer."""
        if exc is not None:
            self._salvage()
            if self._error is None:
                self._error = exc
        self.lost = True
        self._end()
        self._wake_drainer()

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self.full = True

    def resume_writing(self) -> None:
        """There is room again."""
        self.full = False
        self._wake_drainer()

    # What coroutines call.

    def peek(self) -> bytes:
        """Returns what has arrived and was not read."""
        return self._data

    async def read(self) -> bytes:
        """Returns what has arrived, at least one byte, or b"" at the end. Raises the connection's error."""
        if not self._data and not self.ended and self._error is None:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._data and self._error is not None:
            raise self._error
        return self.take()

    def take(self) -> bytes:
        """Returns what has arrived, b"" for nothing, without waiting."""
        data = self._data
        self._data = b""
        if self._stopped and not self.lost:
            self._stopped = False
            self.transport.resume_reading()
        return data

    def unread(self, data: bytes) -> None:
        """Puts `data` back in front."""
        self._data = data + self._data

    def write(self, data: "bytes | memoryview") -> None:
        """Queues `data`; on a connection that is gone it is dropped."""
        if not self.lost:
            self.transport.write(data)

    async def drain(self) -> None:
        """Returns when more may be written; with `wake_on_data` also when something arrived.

        Raises OSError when the connection is gone.
        """
        if self.full and not self.lost:
            self._drainer = self._loop.create_future()
            try:
                await self._drainer
            finally:
                self._drainer = None
        if self.lost:
            raise self._error if isinstance(self._error, OSError) else ConnectionResetError("connection lost")

    def is_dead(self) -> bool:
        """Tells whether an idle connection has ended or holds bytes, also those the loop has not seen yet."""
        if self._data or self.ended or self.lost or self.transport.is_closing():
            return True
        if self._poll is None:
            sock: socket.socket | None = self.transport.get_extra_info("socket")
            if sock is None or sock.fileno() < 0:
                return True
            # Made once for each connection; asked before each of its requests, while the transport holds the socket.
            self._poll = _readable(sock.fileno())
        return bool(self._poll(0))

    def is_closing(self) -> bool:
        """Tells whether the connection is over or about to be."""
        return self.lost or self.transport.is_closing()

    def hung_up(self) -> bool:
        """Tells whether the peer is known to be gone although reading is stopped (Linux only, else False)."""
        if not self._stopped:
            return False
        sock: socket.socket | None = self.transport.get_extra_info("socket")
        return sock is not None and sock.fileno() >= 0 and _is_hung_up(sock.fileno())

    def interrupt(self, error: BaseException) -> None:
        """Makes the pending or next `read` raise `error`."""
        self._error = error
        self._wake_reader()

    def mute(self) -> None:
        """Drops all that arrives from now on; an interrupt that was raised is over."""
        self._mute = True
        if not self.lost:
            self._error = None
        self.take()

    def write_eof(self) -> None:
        """Ends our side after what was written."""
        if not self.lost and not self.transport.is_closing():
            with contextlib.suppress(OSError):  # the peer may have reset it this very moment
                self.transport.write_eof()

    def abort(self) -> None:
        """Ends the connection now."""
        self.transport.abort()

    def close(self) -> None:
        """Ends the connection once what was written is sent."""
        self.transport.close()

    # Inside.

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self._wake_reader()
            if self.wake_on_data:
                self._wake_drainer()
            if self.on_end is not None:
                self.on_end()

    def _wake_reader(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _wake_drainer(self) -> None:
        drainer = self._drainer
        if drainer is not None and not drainer.done():
            drainer.set_result(None)

    def _salvage(self) -> None:
        """A write failed, but the peer may have answered before it closed: take what the kernel still holds."""
        sock = self.transport.get_extra_info("socket")
        if sock is None or self._mute or sock.fileno() < 0:
            return
        with contextlib.suppress(OSError), sock.dup() as own:
            own.setblocking(False)
            self._data += own.recv(_SALVAGE_BYTES)


# Seconds until the first probe, seconds between probes, probes: NAT tables forget a silent connection within minutes,
# and a peer whose machine is gone never ends it.
_PROBES = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))


def _probe(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES:
            if (option := getattr(socket, name, None)) is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _readable(fd: int) -> "Callable[[int], list[tuple[int, int]]]":
    """Returns what tells, given the milliseconds to wait, whether `fd` has something to read: [] for nothing."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN | select.POLLPRI)
        return poll.poll
    return lambda wait_ms: [(ready, 0) for ready in select.select([fd], [], [], wait_ms / 1000)[0]]


def _is_hung_up(fd: int) -> bool:
    if not hasattr(select, "POLLRDHUP"):
        return False
    poll = select.poll()
    poll.register(fd, select.POLLRDHUP)
    return bool(poll.poll(0))
