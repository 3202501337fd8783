"""HTTP messages as values, and the two seams: `Handler` above a server, `Transport` above a client."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from llr.base.names import SCHEME_PORTS
from llr.base.records import dataclass

RawHeaders: TypeAlias = "list[tuple[bytes, bytes]]"

# RFC 9110 §7.6.1 and RFC 9112: these belong to one connection, never to the message.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class Headers:
    """Header fields in order; names are lower-case bytes, values are bytes as received."""

    __slots__ = ("_index", "raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw: RawHeaders = raw if isinstance(raw, list) else list(raw)
        self._index: dict[bytes, bytes] | None = None

    def _map(self) -> dict[bytes, bytes]:
        index = self._index
        if index is None:
            index = {}
            for name, value in self.raw:
                index[name] = index[name] + b", " + value if name in index else value
            self._index = index
        return index

    def get(self, name: bytes) -> bytes | None:
        """Returns the value of a field, repeated fields joined by a comma, or None."""
        return self._map().get(name)

    def text(self, name: bytes) -> str:
        """Returns the value as text (latin-1, as HTTP has it), or "" when absent."""
        value = self._map().get(name)
        return "" if value is None else value.decode("latin-1")

    def names(self) -> Iterable[bytes]:
        """Returns each name once, in order of first appearance."""
        return self._map().keys()

    def __contains__(self, name: bytes) -> bool:
        return name in self._map()

    def __repr__(self) -> str:
        return f"Headers({[name.decode('latin-1') for name in self.names()]})"


class Body(Protocol):
    """A request body that is not read until someone asks."""

    async def read(self, limit_bytes: int) -> bytes:
        """Returns the whole body as sent. Raises `GatewayError(TOO_LARGE)` past `limit_bytes`."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a server received it. `peer` is the socket's IP address, "" for a Unix socket."""

    method: str
    target: str
    headers: Headers
    body: Body
    peer: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a server writes after `interval_s` seconds in which the body gave nothing.

    `beat()` is called at an event boundary and returns the bytes to send, b"" for none.
    """

    interval_s: float
    beat: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer for a server to send. An iterator body is closed by the server in every case.

    `close` asks for `Connection: close` and an early end: nothing more is read from this client.
    A body that raises `BrokenBody` makes the server cut the connection instead of ending it cleanly.
    """

    status: int
    headers: RawHeaders
    body: bytes | AsyncIterator[bytes]
    heartbeat: Heartbeat | None = None
    close: bool = False


class BrokenBody(Exception):
    """Raised by a response body that cannot be finished truthfully: the connection must break, not end."""


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an upstream listens, and how it is reached. Hashable: the key of a connection pool.

    `proxy` is an absolute proxy URL, "direct" for none, None for what the environment says;
    `ca_file` adds PEM roots for this origin only.
    """

    scheme: str
    host: str
    port: int
    proxy: str | None = None
    ca_file: str | None = None

    @property
    def authority(self) -> str:
        """Returns `host[:port]` as the Host header wants it; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEME_PORTS.get(self.scheme) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one exchange, in seconds: TCP, proxy and TLS together; until response headers; between body bytes."""

    connect_s: float = 10.0
    first_byte_s: float = 300.0
    idle_s: float = 240.0


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """One request to send. `headers` hold neither Host nor framing fields: the client adds them.

    `body` parts are sent one after the other; their lengths add up to Content-Length.
    """

    method: str
    origin: Origin
    target: str
    headers: RawHeaders
    body: Sequence[bytes] = ()


class InboundResponse(Protocol):
    """An upstream's answer: head known, body still to come."""

    @property
    def status(self) -> int:
        """Returns the status code."""

    @property
    def headers(self) -> Headers:
        """Returns the header fields as received."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Returns the body's bytes as they arrive, transfer coding removed.

        Iteration raises `GatewayError`: UPSTREAM_TRUNCATED when the peer closed early, UPSTREAM_TIMEOUT after
        `idle_s` without a byte, UPSTREAM_INVALID on broken framing.
        """

    async def aclose(self) -> None:
        """Returns when the connection is back in the pool (body read whole) or closed (otherwise)."""


class Transport(Protocol):
    """Sends a request and returns the answer's head."""

    async def send(self, request: OutboundRequest, *, timeouts: Timeouts) -> InboundResponse:
        """Returns once the answer's head is there.

        Raises `GatewayError`: UPSTREAM_UNREACHABLE (refused, DNS, TLS, reset), UPSTREAM_TIMEOUT (connect or first
        byte), UPSTREAM_INVALID (not HTTP, smuggling shapes).
        """
