"""Answers on their way out: which fields of the upstream a client may see, and errors in its own words."""

from functools import lru_cache

from llr.base.errors import Fault
from llr.base.names import FormatId
from llr.formats.base import FaultContext
from llr.formats.table import FORMATS
from llr.gateway.limitfields import told_by
from llr.wire.http import HOP_BY_HOP, Headers, RawHeaders, Response

JSON_HEADERS: RawHeaders = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
STREAM_HEADERS: RawHeaders = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
# Framing is the server's own; cookies and policies speak for the vendor's site; what sends a client elsewhere, or asks
# it for a password, is after our clients' credentials; the rest says whose account it is.
_DROPPED = HOP_BY_HOP | {
    b"content-encoding",
    b"content-length",
    b"set-cookie",
    b"set-cookie2",
    b"location",
    b"content-location",
    b"refresh",
    b"link",
    b"www-authenticate",
    b"authentication-info",
    b"clear-site-data",
    b"service-worker-allowed",
    b"sourcemap",
    b"x-sourcemap",
    b"alt-svc",
    b"strict-transport-security",
    b"server",
    b"via",
    b"content-security-policy",
    b"content-security-policy-report-only",
    b"report-to",
    b"reporting-endpoints",
    b"nel",
    b"anthropic-organization-id",
    b"openai-organization",
    b"openai-project",
    b"date",
    b"vary",
}
_DROPPED_PREFIXES = (b"cf-", b"access-control-", b"x-llm-router-")
_OWN_STREAM = frozenset(name for name, _ in STREAM_HEADERS)
# What a translated answer keeps.
_KEPT = frozenset((b"retry-after", b"retry-after-ms"))


def relayed_headers(upstream: Headers, *, stream: bool) -> RawHeaders:
    """Returns the fields of an answer that is relayed; a stream gets those that keep proxies from holding it."""
    kept = [field for field in upstream.raw if _may_pass(field[0])]
    named = upstream.get(b"connection")
    if named is not None:
        hops = {name.strip().lower() for name in named.split(b",")}
        kept = [field for field in kept if field[0] not in hops]
    if not stream:
        return kept
    return [field for field in kept if field[0] not in _OWN_STREAM] + STREAM_HEADERS


# Upstreams send the same few names with every answer.
@lru_cache(maxsize=512)
def _may_pass(name: bytes) -> bool:
    return name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)


def translated_headers(upstream: Headers, client: FormatId, *, stream: bool, now: float) -> RawHeaders:
    """Returns the fields of an answer that was translated: our own, request ids, and what the vendor said of limits."""
    kept = [field for field in upstream.raw if field[0] in _KEPT]
    own = STREAM_HEADERS if stream else JSON_HEADERS
    return [*own, *kept, *told_by(upstream, client, now)]


def with_request_id(fields: RawHeaders, request_id: str, client: FormatId | None) -> RawHeaders:
    """Returns `fields` with our id under the name the client's SDK reads, unless the upstream's is there already."""
    name = b"request-id" if client is FormatId.MESSAGES else b"x-request-id"
    if name not in dict(fields):
        fields.append((name, request_id.encode("latin-1", "replace")))
    return fields


def add_told(response: Response, told: RawHeaders) -> None:
    """Adds what the vendor said of a failure that is told in our words. Its request id goes before ours."""
    names = {name for name, _ in told}
    response.headers[:] = [field for field in response.headers if field[0] not in names] + told


def fault_response(fault: Fault, client: FormatId, context: FaultContext, *, close: bool = False) -> Response:
    """Returns an error answer in the client's words; `close` when the rest of the request will not be read."""
    status, fields, body = FORMATS[client].encode_fault(fault, context)
    return Response(status, fields, body, close=close)
