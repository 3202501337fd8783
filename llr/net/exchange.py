"""One request on one upstream connection, and its answer.

Law: what the peer did wrong becomes a `GatewayError` here, once. No redirect is followed, nothing is retried.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

import h11

from llr.base.errors import ErrorKind, fail, faults
from llr.net.dial import read_head
from llr.net.framing import BadFraming, Framing, UntilClose, framing_for
from llr.net.head import UNTIL_CLOSE, BadHead, lowered, persists, request_written, response_framing
from llr.net.proxy import Proxy
from llr.net.stream import Stream, Wire
from llr.net.watch import NEVER, Watch
from llr.wire.http import Origin, OutboundRequest, Timeouts

log = logging.getLogger("llr.net.client")

# A request up to this size goes out in one write: one packet train, one TLS record run.
_JOIN_BYTES = 64 * 1024
_SLICE_BYTES = 256 * 1024
# Early hints and the like; more of them is a peer that never answers.
_MAX_INTERIM = 32
_KEEP = re.compile(rb"(?i)\btimeout=([0-9]{1,6})")

_HEAD_FAULTS: dict[type[BaseException], ErrorKind] = {
    TimeoutError: ErrorKind.UPSTREAM_TIMEOUT,
    OSError: ErrorKind.UPSTREAM_UNREACHABLE,
    BadHead: ErrorKind.UPSTREAM_INVALID,
}
_BODY_FAULTS: dict[type[BaseException], ErrorKind] = {
    TimeoutError: ErrorKind.UPSTREAM_TIMEOUT,
    OSError: ErrorKind.UPSTREAM_TRUNCATED,
    BadFraming: ErrorKind.UPSTREAM_INVALID,
}


# h11 reads an answer only once it has seen a request; which one says nothing about a head.
_ASKED = h11.Request(method="POST", target="/", headers=[("host", "upstream"), ("content-length", "0")])

Settle: TypeAlias = "Callable[[Upstream, bool], None]"


class NothingSent(Exception):
    """The connection was gone before a byte of the request left: another one may be tried silently."""


class Upstream:
    """One connection to an origin, busy or idle. `usable_until` counts while it is idle, as does `on_idle_end`, which

    is called when it should not be kept any longer; `keep_s` is how long the peer said it keeps an idle connection.
    """

    __slots__ = (
        "_awaited",
        "_wait_s",
        "_watch",
        "deadline",
        "keep_s",
        "loop",
        "on_idle_end",
        "origin",
        "proxy",
        "stream",
        "usable_until",
        "used",
        "wire",
    )

    def __init__(self, origin: Origin, proxy: Proxy | None, stream: Stream, wire: Wire, watch: Watch) -> None:
        self.origin = origin
        self.proxy = proxy
        self.stream = stream
        self.wire = wire
        self.loop = asyncio.get_running_loop()
        self.used = False
        self.keep_s = NEVER
        self.usable_until = NEVER
        self.deadline = NEVER
        self.on_idle_end: Callable[[], None] | None = None
        self._watch = watch
        self._wait_s = 0.0
        self._awaited = ""
        watch.add(self)

    def wait_for(self, what: str, within_s: float) -> None:
        """Sets the deadline of what comes next."""
        self._awaited = what
        self._wait_s = within_s
        self.deadline = deadline = self.loop.time() + within_s
        self._watch.soon(deadline)

    def expire(self, now: float) -> None:
        """Ends the connection: an idle one quietly, a busy one with a timeout for who waits on it."""
        self.deadline = NEVER
        if self.on_idle_end is not None:
            self.on_idle_end()
        else:
            self.stream.interrupt(TimeoutError(f"no {self._awaited} within {self._wait_s:g} s"))
            self.stream.abort()

    def discard(self) -> None:
        """Ends the connection and its deadline."""
        self._watch.discard(self)
        self.on_idle_end = None
        self.wire.on_end = None
        self.stream.abort()


class Answer:
    """An upstream's answer: the `InboundResponse` of this transport."""

    __slots__ = ("_framing", "_idle_s", "_reusable", "_settle", "_upstream", "headers", "status")

    def __init__(self, upstream: Upstream, response: h11.Response, framing: Framing, settle: "Settle") -> None:
        self.status = response.status_code
        self.headers = lowered(response)
        self._upstream = upstream
        self._framing = framing
        self._settle: Settle | None = settle
        self._reusable = False
        self._idle_s = 0.0

    def start(self, *, reusable: bool, idle_s: float) -> None:
        """Says whether the connection may be used again, and how long each body byte may take."""
        self._reusable = reusable
        self._idle_s = idle_s
        if self._framing.done:
            self._end()

    def chunks(self) -> AsyncIterator[bytes]:
        """Returns the body's bytes as they arrive; errors as `InboundResponse` has them."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        framing, upstream = self._framing, self._upstream
        if self._settle is None and not framing.done:
            raise fail(ErrorKind.UPSTREAM_TRUNCATED, f"{self._what}: closed before the end")
        try:
            while not framing.done:
                data = upstream.stream.take()
                if not data:
                    upstream.wait_for("body byte", self._idle_s)
                    data = await upstream.stream.read()
                    upstream.deadline = NEVER
                if not data:
                    self._at_eof()
                    break
                body = framing.feed(data)
                if framing.done:
                    self._end()
                if body:
                    return body
        except Exception:
            self._close()
            with faults(_BODY_FAULTS, self._what):
                raise
        raise StopAsyncIteration

    @property
    def _what(self) -> str:
        origin = self._upstream.origin
        return f"reading the answer of {origin.host}:{origin.port}"

    def _at_eof(self) -> None:
        framing = self._framing
        if not isinstance(framing, UntilClose):
            raise ConnectionResetError("the connection ended before the body did")
        framing.done = True
        self._close()

    def _end(self) -> None:
        """The whole body was read: the connection may serve the next request."""
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(self._upstream, self._reusable and not self._framing.rest)

    def _close(self) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(self._upstream, False)

    async def aclose(self) -> None:
        """Returns when the connection is back in the pool (body arrived whole) or closed (otherwise)."""
        if self._settle is None:
            return
        if self._reusable:
            self._skip_arrived()
        self._close()

    def __del__(self) -> None:
        # A consumer that forgot `aclose` must not cost the pool a connection for ever.
        if self._settle is not None and not self._upstream.loop.is_closed():
            log.warning("%s: dropped without being closed", self._what)
            self._close()

    def _skip_arrived(self) -> None:
        try:
            data = self._upstream.stream.take()
            if data:
                self._framing.feed(data)
        except BadFraming:
            return
        if self._framing.done:
            self._end()


async def exchange(upstream: Upstream, request: OutboundRequest, timeouts: Timeouts, settle: Settle) -> Answer:
    """Returns the answer to `request` once its head is there.

    `settle(upstream, reusable)` is called once, when the answer's body is over, perhaps before this returns. Raises
    `NothingSent` on a stale connection, else `GatewayError` as `Transport.send` has it.
    """
    origin = upstream.origin
    head, size = _request_head(request, upstream.proxy)
    upstream.wait_for("answer", timeouts.first_byte_s)
    try:
        whole = await _send(upstream, head, request.body, size)
        response, kind = await _read_answer(upstream.stream)
    except (OSError, BadHead):
        with faults(_HEAD_FAULTS, f"asking {origin.host}:{origin.port}"):
            raise
    upstream.deadline = NEVER
    if request.method == "HEAD" or response.status_code in (204, 304):
        kind = 0
    answer = Answer(upstream, response, framing_for(kind), settle)
    hint = answer.headers.get(b"keep-alive")
    found = _KEEP.search(hint) if hint else None
    upstream.keep_s = float(found[1]) - 1.0 if found else NEVER
    keeps = whole and kind != UNTIL_CLOSE and persists(response.http_version, answer.headers.get(b"connection"))
    answer.start(reusable=keeps, idle_s=timeouts.idle_s)
    return answer


def _request_head(request: OutboundRequest, proxy: Proxy | None) -> tuple[bytes, int]:
    origin = request.origin
    target = request.target
    size = sum(map(len, request.body))
    headers = [(b"host", b""), *request.headers]
    if size or request.method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        headers.append((b"content-length", b"%d" % size))
    if proxy is not None and origin.scheme == "http":
        target = f"http://{origin.authority}{target}"
        if proxy.credentials is not None:
            headers.append((b"proxy-authorization", proxy.credentials.reveal().encode("ascii")))
    try:
        headers[0] = (b"host", authority(origin))
        head = request_written(request.method, target, headers)
    except ValueError:
        raise fail(
            ErrorKind.CONFIGURATION,
            f"the request to {origin.host} cannot be sent: its path or a header field holds a byte HTTP forbids",
        ) from None
    return head, size


def authority(origin: Origin) -> bytes:
    """Returns the Host field of requests to `origin`. Raises `UnicodeError` for a name DNS cannot carry."""
    text = origin.authority
    return text.encode("ascii") if text.isascii() else text.encode("idna")


async def _send(upstream: Upstream, head: bytes, parts: Sequence[bytes], size: int) -> bool:
    """Writes the request; returns False when the peer answered, or broke the connection, before it was out."""
    stream = upstream.stream
    joined = size <= _JOIN_BYTES
    stream.write(b"".join((head, *parts)) if joined else head)
    if upstream.used and upstream.wire.is_closing():
        raise NothingSent
    upstream.used = True
    try:
        if not joined:
            for part in parts:
                view = memoryview(part)
                for at in range(0, len(part), _SLICE_BYTES):
                    stream.write(view[at : at + _SLICE_BYTES])
                    if not await _ready(upstream):
                        return False
        return await _ready(upstream)
    except OSError:
        if upstream.deadline == NEVER:
            raise  # it was the deadline that ended it
        return False


async def _ready(upstream: Upstream) -> bool:
    """Waits until more may be written; returns False when a final answer, or the end, is already there."""
    stream = upstream.stream
    while stream.full:
        early = stream.peek()
        if upstream.wire.ended or (len(early) >= 12 and early[9:10] != b"1"):
            return False
        await stream.drain()
    return True


async def _read_answer(stream: Stream) -> tuple[h11.Response, int]:
    conn = h11.Connection(h11.CLIENT)
    conn.send(_ASKED)
    for _ in range(_MAX_INTERIM):
        head = await read_head(stream)
        if not head:
            raise ConnectionResetError("the connection was closed without an answer")
        kind = response_framing(head)
        conn.receive_data(head)
        try:
            event = conn.next_event()
        except h11.RemoteProtocolError as exc:
            raise BadHead(400, "the head is not valid HTTP/1.1") from exc
        if isinstance(event, h11.Response):
            return event, kind
        if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
            break
    raise BadHead(400, "only interim answers came, or a protocol switch nobody asked for")
