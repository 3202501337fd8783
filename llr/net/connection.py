"""One client connection: head, handler, answer, and again.

Law: one coroutine. Deadlines and the client's leaving come from outside as calls (`expire`, `_client_ended`) that only
wake or cancel it. Every answer's iterator is closed, whatever happens.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator
from enum import IntEnum
from typing import Protocol

import h11

from llr.base.enums import constants
from llr.base.errors import ErrorKind, GatewayError, fail
from llr.net.answer import CLOSE_S, close_body, head_bytes, internal_error
from llr.net.body import RequestBody
from llr.net.head import BadHead, head_end, lowered, origin_form, persists, request_framing
from llr.net.limits import ServerLimits
from llr.net.plain import error_body, refusal, trace
from llr.net.stream import Wire
from llr.net.watch import NEVER, Watch
from llr.wire.http import BrokenBody, Handler, Heartbeat, Request, Response

log = logging.getLogger("llr.net.server")

# Bodies beyond this go out in slices with a drain between: neither a copy of the whole nor an unbounded buffer.
_SLICE_BYTES = 256 * 1024
# How often a running request is looked at: heartbeat, and a client that left while its pipelined bytes block reading.
_LOOK_S = 0.5


@constants
class Phase(IntEnum):
    """What the connection is doing."""

    IDLE = 0
    HEAD = 1
    HANDLING = 2
    BODY = 3
    STREAMING = 4
    WRITING = 5
    LINGER = 6
    LEAVING = 7
    OPENING = 8


_RUNNING = frozenset((Phase.HANDLING, Phase.BODY, Phase.STREAMING, Phase.WRITING))


class Gone(Exception):
    """The client takes no more."""


class Host(Protocol):
    """What a connection knows of its server."""

    handler: Handler
    limits: ServerLimits
    watch: Watch
    draining: bool
    closing_idle: bool
    requests: int


class Connection:
    """Serves one accepted connection until either side ends it."""

    __slots__ = (
        "_beat",
        "_body_end_at",
        "_chunked",
        "_host",
        "_last_out_at",
        "_left",
        "_loop",
        "_peer",
        "_wire",
        "deadline",
        "phase",
        "task",
    )

    def __init__(self, host: Host, wire: Wire, peer: str, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._wire = wire
        self._peer = peer
        self._loop = loop
        self._left = False
        self._beat: Heartbeat | None = None
        self._chunked = False
        self._last_out_at = 0.0
        self._body_end_at = NEVER
        self.phase = Phase.OPENING
        self.deadline = NEVER
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Returns when the connection is over."""
        wire, host = self._wire, self._host
        wire.on_end = self._client_ended
        host.watch.add(self)
        try:
            if host.closing_idle and not wire.peek():
                return
            self._enter(Phase.IDLE, host.limits.head_s)
            while await self._exchange():
                if wire.peek():
                    # Pipelined requests are already here: others get their turn between them.
                    await asyncio.sleep(0)
                elif host.closing_idle:
                    break
                self._enter(Phase.IDLE, host.limits.idle_s)
        except (Gone, OSError):
            pass  # the client is gone; there is nobody left to tell
        except asyncio.CancelledError:
            if not self._left:
                wire.abort()
                raise
        finally:
            wire.on_end = None
            host.watch.discard(self)
            wire.close()
            if not wire.lost and wire.transport.get_write_buffer_size():
                self._loop.call_later(host.limits.write_s, wire.abort)

    def close_if_idle(self) -> None:
        """Ends a connection that waits for its next request."""
        if self.phase is Phase.IDLE and not self._wire.peek():
            self._wire.close()

    # Called from outside the coroutine.

    def expire(self, now: float) -> None:
        """Acts on a passed deadline, by what the connection is doing."""
        self.deadline = NEVER
        phase = self.phase
        if phase is Phase.IDLE:
            self._wire.close()
        elif phase is Phase.HEAD:
            self._wire.interrupt(BadHead(408, "the request head took too long"))
        elif phase is Phase.BODY:
            self._wire.interrupt(fail(ErrorKind.REQUEST_TIMEOUT, "the request body took too long"))
        elif phase is Phase.WRITING:
            self._wire.abort()
        elif phase is Phase.LEAVING:
            log.warning("a request was still cleaning up %.0f s after its client had left", CLOSE_S)
            self._cancel()
        elif phase in _RUNNING:
            self._look(now)

    def _look(self, now: float) -> None:
        if self._wire.hung_up():
            self._client_ended()
            return
        beat = self._beat
        if beat is None:
            self.deadline = now + _LOOK_S
            return
        if now - self._last_out_at >= beat.interval_s and not self._wire.full:
            data = beat.beat()
            if data:
                self._wire.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
            self._last_out_at = now
        self.deadline = now + min(_LOOK_S, max(beat.interval_s - (now - self._last_out_at), 0.001))

    def _client_ended(self) -> None:
        if self.phase in _RUNNING:
            self._left = True
            self._cancel()

    def _cancel(self) -> None:
        """Cancels what runs, and again later if its clean-up hangs."""
        self._enter(Phase.LEAVING, CLOSE_S)
        if self.task is not None:
            self.task.cancel()

    def _enter(self, phase: Phase, within_s: float) -> None:
        self.phase = phase
        self.deadline = deadline = self._loop.time() + within_s
        self._host.watch.soon(deadline)

    # The coroutine's steps.

    async def _exchange(self) -> bool:
        """Serves one request; returns whether another may follow."""
        try:
            received = await self._receive()
        except BadHead as exc:
            return await self._refuse(exc)
        if received is None:
            return False
        request, body, http_1_1 = received
        self._host.requests += 1
        try:
            self._body_end_at = NEVER
            self._enter(Phase.HANDLING, _LOOK_S)
            if self._wire.ended:
                return False
            response = await self._answer(request)
            self._chunked = http_1_1
            keep = await self._respond(body, request, response)
        finally:
            self._host.requests -= 1
        if not keep:
            await self._linger()
        return keep

    async def _receive(self) -> tuple[Request, RequestBody, bool] | None:
        """Returns a request, its body, and whether the client speaks HTTP/1.1; None when there is no more."""
        head = await self._read_head()
        if not head:
            return None
        kind = request_framing(head)
        conn = h11.Connection(h11.SERVER)
        conn.receive_data(head)
        try:
            event = conn.next_event()
        except h11.RemoteProtocolError as exc:
            raise BadHead(400, "the head is not valid HTTP/1.1, or its Host field is missing") from exc
        assert isinstance(event, h11.Request)
        if event.method == b"CONNECT":
            raise BadHead(400, "CONNECT is not offered here")
        body = RequestBody(self._wire, conn, kind, self._body_wait)
        method = event.method.decode("ascii")
        request = Request(method, origin_form(event.target), lowered(event), body, self._peer)
        return request, body, event.http_version == b"1.1"

    async def _read_head(self) -> bytes:
        """Returns a whole head, or b"" when the client has nothing more to say."""
        wire, limits = self._wire, self._host.limits
        data, seen = b"", 0
        while True:
            chunk = await wire.read()
            if not chunk:
                return b""
            data = data + chunk if data else chunk
            if data[:2] == b"\r\n" and not seen:
                # RFC 9112 §2.2: old clients send an empty line after a body.
                data = data[2:]
            end = head_end(data, seen, limits.max_head_bytes)
            if end >= 0:
                break
            seen = len(data)
            if self.phase is Phase.IDLE:
                self._enter(Phase.HEAD, limits.head_s)
        if end < len(data):
            wire.unread(data[end:])
            return data[:end]
        return data

    def _body_wait(self, waiting: bool) -> None:
        if not waiting:
            self._enter(Phase.HANDLING, _LOOK_S)
            return
        limits = self._host.limits
        now = self._loop.time()
        if self._body_end_at == NEVER:
            self._body_end_at = now + limits.body_s
        self._enter(Phase.BODY, min(limits.body_gap_s, self._body_end_at - now))

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._host.handler(request)
        except GatewayError as exc:
            status = exc.fault.http_status
            return Response(status, [(b"content-type", b"application/json")], error_body(status, exc.fault.message))
        except Exception as exc:
            # The last line of defence: whatever a handler does, the client gets an answer and the server goes on.
            log.error("the handler failed: %s %s\n%s", request.method, request.target.partition("?")[0], trace(exc))
            return internal_error()

    async def _respond(self, body: RequestBody, request: Request, response: Response) -> bool:
        content = response.body
        keep = body.skip_arrived() and not (response.close or self._host.draining)
        keep = keep and self._chunked and persists(b"1.1", request.headers.get(b"connection"))
        try:
            try:
                head = head_bytes(response, keep=keep, chunked=self._chunked)
            except ValueError as exc:
                log.error("the handler's status or header fields cannot be sent\n%s", trace(exc))
                response = internal_error()
                head = head_bytes(response, keep=keep, chunked=self._chunked)
            empty = request.method == "HEAD" or response.status in (204, 304)
            if isinstance(response.body, bytes):
                await self._send_bytes(head, b"" if empty else response.body)
            elif empty:
                await self._send_bytes(head, b"")
            elif not await self._send_stream(head, response.body, response.heartbeat):
                return False
        finally:
            if not isinstance(content, bytes):
                await close_body(content)
        return keep

    async def _send_bytes(self, head: bytes, content: bytes) -> None:
        wire = self._wire
        if len(content) <= _SLICE_BYTES:
            wire.write(head + content)
            if wire.full:
                await self._drain()
            return
        wire.write(head)
        view = memoryview(content)
        for at in range(0, len(content), _SLICE_BYTES):
            wire.write(view[at : at + _SLICE_BYTES])
            if wire.full:
                await self._drain()

    async def _send_stream(self, head: bytes, content: AsyncIterator[bytes], heartbeat: Heartbeat | None) -> bool:
        """Sends an iterator's bytes; returns whether it ended well. A failure cuts the connection."""
        wire, loop = self._wire, self._loop
        chunked = self._chunked
        wire.write(head)
        self._beat = heartbeat
        self._last_out_at = loop.time()
        self._enter(Phase.STREAMING, _LOOK_S if heartbeat is None else min(_LOOK_S, heartbeat.interval_s))
        try:
            async for data in content:
                if not data:
                    continue
                wire.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                if heartbeat is not None:
                    self._last_out_at = loop.time()
                if wire.full:
                    await self._drain(Phase.STREAMING)
        except Gone:
            raise
        except Exception as exc:
            if not isinstance(exc, BrokenBody):
                log.error("an answer's body failed\n%s", trace(exc))
            self._beat = None
            await self._cut()
            return False
        self._beat = None
        if chunked:
            wire.write(b"0\r\n\r\n")
        if wire.full:
            await self._drain()
        return True

    async def _drain(self, then: Phase = Phase.WRITING) -> None:
        """Waits until the client takes more. Raises `Gone` when it does not within `write_s`, or left."""
        self._enter(Phase.WRITING, self._host.limits.write_s)
        try:
            await self._wire.drain()
        except OSError as exc:
            raise Gone from exc
        self._enter(then, _LOOK_S)

    async def _flush(self) -> None:
        """Waits until the kernel has taken all that was written."""
        transport = self._wire.transport
        if transport.get_write_buffer_size():
            transport.set_write_buffer_limits(0)
            await self._drain()

    async def _refuse(self, reason: BadHead) -> bool:
        self._wire.mute()
        self._wire.write(refusal(reason.status, str(reason)))
        await self._linger()
        return False

    async def _linger(self) -> None:
        """Ends our side and waits a little for the client to end its own, so that no reset eats the answer."""
        wire = self._wire
        if wire.is_closing():
            return
        await self._flush()
        self.phase = Phase.LINGER
        self.deadline = NEVER
        wire.mute()
        wire.write_eof()
        try:
            async with asyncio.timeout(self._host.limits.linger_s):
                await wire.read()
        except TimeoutError:
            wire.abort()

    async def _cut(self) -> None:
        """Breaks the connection so that no client can take what it has for the whole answer."""
        await self._flush()
        sock = self._wire.transport.get_extra_info("socket")
        if sock is not None and not self._chunked and sock.family != getattr(socket, "AF_UNIX", None):
            # Without chunks the end of the connection is the end of the body: only a reset tells the difference.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._wire.abort()
