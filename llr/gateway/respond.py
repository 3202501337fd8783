"""Answers on their way out: which fields of the upstream a client may see, and errors in its own words."""

from collections.abc import Mapping
from functools import lru_cache

from llr.base.errors import Fault
from llr.base.names import FormatId
from llr.formats.base import FaultContext
from llr.formats.table import FORMATS
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
# Framing is the server's own; cookies and policies speak for the vendor's site; the rest says whose account it is.
_DROPPED = HOP_BY_HOP | {
    b"content-encoding",
    b"content-length",
    b"set-cookie",
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
_KEPT = frozenset((b"retry-after", b"retry-after-ms", b"x-should-retry", b"request-id", b"x-request-id"))
_KEPT_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")


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


_FAMILIES = {
    b"anthropic-ratelimit-requests-limit": b"x-ratelimit-limit-requests",
    b"anthropic-ratelimit-requests-remaining": b"x-ratelimit-remaining-requests",
    b"anthropic-ratelimit-tokens-limit": b"x-ratelimit-limit-tokens",
    b"anthropic-ratelimit-tokens-remaining": b"x-ratelimit-remaining-tokens",
}
_TO_OPENAI = _FAMILIES
_TO_MESSAGES = {openai: messages for messages, openai in _FAMILIES.items()}
# Vendors write the instants of resets each in their own way; counts are the same everywhere.
_RENAMED: Mapping[FormatId, Mapping[bytes, bytes]] = {
    FormatId.MESSAGES: _TO_MESSAGES,
    FormatId.CHAT: _TO_OPENAI,
    FormatId.COMPLETIONS: _TO_OPENAI,
    FormatId.RESPONSES: _TO_OPENAI,
}


def translated_headers(upstream: Headers, client: FormatId, *, stream: bool) -> RawHeaders:
    """Returns the fields of an answer that was translated: our own, request ids, and what the vendor said of limits.

    Limits are said under the vendor's names and under those the client's SDK reads.
    """
    kept = [field for field in upstream.raw if field[0] in _KEPT or field[0].startswith(_KEPT_PREFIXES)]
    names = _RENAMED.get(client, {})
    renamed = [(names[name], value) for name, value in kept if name in names and names[name] not in upstream]
    own = STREAM_HEADERS if stream else JSON_HEADERS
    return [*own, *kept, *renamed]


def with_request_id(fields: RawHeaders, request_id: str, client: FormatId | None) -> RawHeaders:
    """Returns `fields` with our id under the name the client's SDK reads, unless the upstream's is there already."""
    name = b"request-id" if client is FormatId.MESSAGES else b"x-request-id"
    if name not in dict(fields):
        fields.append((name, request_id.encode("latin-1", "replace")))
    return fields


def fault_response(fault: Fault, client: FormatId, context: FaultContext, *, close: bool = False) -> Response:
    """Returns an error answer in the client's words; `close` when the rest of the request will not be read."""
    status, fields, body = FORMATS[client].encode_fault(fault, context)
    return Response(status, fields, body, close=close)
