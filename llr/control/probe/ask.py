"""One call of a probe over the transport: it never raises for what the other side does, and is bounded as a whole."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from llr.base.clock import Clock, SystemClock
from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON, InvalidJSON, dumps, loads
from llr.base.names import SCHEME_PORTS, ProviderFormat
from llr.base.records import dataclass
from llr.control.probe.replies import Reply
from llr.control.report import refuse
from llr.providers.auth import GOOGLE_KEY_HEADER
from llr.providers.prepare import custom_headers
from llr.providers.windows import is_private_host
from llr.wire.http import Origin, OutboundRequest, RawHeaders, Timeouts, Transport

# OpenRouter's list of some hundred models is below 1 MiB.
MOST_BYTES = 8 * 1024 * 1024
ANTHROPIC_VERSION = ("anthropic-version", "2023-06-01")

BEARER, X_API_KEY, GOOGLE_KEY, KEYLESS = "bearer", "x-api-key", "header", "none"
VARIANTS: Mapping[ProviderFormat, tuple[str, ...]] = {
    ProviderFormat.OPENAI: (BEARER, X_API_KEY),
    ProviderFormat.CLAUDE: (X_API_KEY, BEARER),
    ProviderFormat.GEMINI: (GOOGLE_KEY,),
}


def auth_entry(variant: str) -> dict[str, JSON]:
    """Returns an auth variant as configs and reports write it."""
    return {"type": variant, "headerName": GOOGLE_KEY_HEADER} if variant == GOOGLE_KEY else {"type": variant}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes: an origin, and path with query."""

    origin: Origin
    target: str


def address_of(url: str, *, proxy: str | None = None, ca_file: str | None = None) -> Place:
    """Returns where an address leads, its user-info and fragment left out.

    Raises `GatewayError(CONFIGURATION)` for one that is no absolute http(s) URL.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port or SCHEME_PORTS.get(parts.scheme, 0)
    except ValueError as exc:
        raise fail(ErrorKind.CONFIGURATION, "it is no valid http(s) URL") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise fail(ErrorKind.CONFIGURATION, "it is no valid http(s) URL")
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    return Place(Origin(parts.scheme, parts.hostname, port, proxy, ca_file), target)


def with_query(url: str, name: str, value: str) -> str:
    """Returns an address with one more query parameter."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode({name: value})}"


def refuse_plain_http(endpoints: Sequence[str], key: str, *, allowed: bool) -> None:
    """Returns when the key may be sent there. Raises `Refused` for plain http to a host that is not private."""
    if not key or allowed:
        return
    for endpoint in endpoints:
        parts = urlsplit(endpoint)
        if parts.scheme == "http" and not is_private_host(parts.hostname or ""):
            text = f"The key would travel unencrypted to {parts.hostname}."
            raise refuse("plain-http", text, "Use https, or confirm with --allow-plain-http.")


@dataclass(frozen=True, slots=True)
class Access:
    """What a probe identifies itself with: the key, the provider's own headers, and which auth variants to try.

    `variants` empty: those of the format, in its order.
    """

    key: str = ""
    headers: Mapping[str, JSON] | None = None
    env: Mapping[str, str] | None = None
    proxy: str | None = None
    ca_file: str | None = None

    def variants(self, target: ProviderFormat) -> tuple[str, ...]:
        """Returns the ways to send the key, the usual one of the format first."""
        return VARIANTS[target] if self.key else (KEYLESS,)

    def fields(self, target: ProviderFormat, variant: str) -> RawHeaders:
        """Returns the header fields of a call; later ones win over earlier ones of the same name."""
        found = {"content-type": "application/json", "accept-encoding": "identity"}
        if target is ProviderFormat.CLAUDE:
            found |= {ANTHROPIC_VERSION[0]: ANTHROPIC_VERSION[1]}
        own, _ = custom_headers(self.headers or {}, self.env or {})
        found |= {name.decode("ascii"): value.decode("utf-8") for name, value in own}
        key = self.key.strip()
        match variant:
            case "bearer":
                found["authorization"] = f"Bearer {key}"
            case "x-api-key":
                found["x-api-key"] = key
            case "header":
                found[GOOGLE_KEY_HEADER] = key
        return [(name.encode("ascii"), value.encode("utf-8")) for name, value in found.items()]


class Asker:
    """Makes calls through a transport. `clock` bounds and times them."""

    def __init__(self, transport: Transport, clock: Clock | None = None, *, most_bytes: int = MOST_BYTES) -> None:
        self._transport = transport
        self.clock: Clock = clock or SystemClock()
        self._most_bytes = most_bytes

    async def call(
        self, method: str, place: Place, fields: RawHeaders, body: JSON = None, *, timeout_s: float = 10.0
    ) -> Reply:
        """Returns the answer, or a reply with status 0 and the reason. The timeout covers connecting and the body."""
        data = () if body is None else (dumps(body),)
        request = OutboundRequest(method, place.origin, place.target, fields, data)
        began = self.clock.monotonic()
        try:
            async with self.clock.timeout(timeout_s):
                return await self._exchange(request, timeout_s, began)
        except TimeoutError:
            return Reply(0, {}, error=f"no answer within {timeout_s:g} s")
        except GatewayError as exc:
            return Reply(0, {}, error=exc.fault.message)

    async def _exchange(self, request: OutboundRequest, timeout_s: float, began: float) -> Reply:
        limits = Timeouts(connect_s=timeout_s, first_byte_s=timeout_s, idle_s=timeout_s)
        answer = await self._transport.send(request, timeouts=limits)
        headers = {name.decode("latin-1"): answer.headers.text(name) for name in answer.headers.names()}
        parts: list[bytes] = []
        size = 0
        try:
            async for chunk in answer.chunks():
                parts.append(chunk)
                size += len(chunk)
                if size > self._most_bytes:
                    return Reply(0, headers, error=f"the answer is larger than {self._most_bytes:,} bytes")
        finally:
            await answer.aclose()
        data = b"".join(parts)
        try:
            value = loads(data) if data else None
        except InvalidJSON:
            value = None
        return Reply(answer.status, headers, data, value, latency_s=self.clock.monotonic() - began)
