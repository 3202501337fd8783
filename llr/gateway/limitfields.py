"""What a vendor says of its rate limits and of its request, and the same under the names another vendor's SDK reads.

Law: pure; what the vendor said stays, under its own names; only what means the same is said again. Resets are instants
with Anthropic (RFC 3339) and durations from now with OpenAI ("6m0s").
"""

import math
from collections.abc import Mapping

from llr.base.names import FormatId
from llr.base.stamps import stamp
from llr.routing.waits import reset_wait
from llr.wire.http import Headers, RawHeaders

# What a translated answer keeps.
_KEPT_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")
_KEPT = (b"request-id", b"x-request-id", b"openai-processing-ms", b"openai-version", b"x-should-retry")
_RESET = b"reset"
_PARTS = (b"limit", b"remaining", _RESET)
_TO_OPENAI: Mapping[bytes, bytes] = {
    b"anthropic-ratelimit-%s-%s" % (what, part): b"x-ratelimit-%s-%s" % (part, what)
    for what in (b"requests", b"tokens")
    for part in _PARTS
}
_TO_MESSAGES: Mapping[bytes, bytes] = {openai: messages for messages, openai in _TO_OPENAI.items()}
# What a page of another origin may read of an answer, so that an SDK in a browser finds what it finds elsewhere.
TOLD = (
    *_KEPT,
    *(b"retry-after", b"retry-after-ms"),
    *_TO_MESSAGES,
    *_TO_OPENAI,
    *(b"anthropic-ratelimit-%s-tokens-%s" % (what, part) for what in (b"input", b"output") for part in _PARTS),
)
# Gemini answers carry no such fields, so its SDKs read none.
_RENAMED: Mapping[FormatId, Mapping[bytes, bytes]] = {
    FormatId.MESSAGES: _TO_MESSAGES,
    FormatId.CHAT: _TO_OPENAI,
    FormatId.COMPLETIONS: _TO_OPENAI,
    FormatId.RESPONSES: _TO_OPENAI,
}


def told_by(upstream: Headers, client: FormatId, now: float) -> RawHeaders:
    """Returns the fields about limits and the request itself; limits under the client's own names too."""
    kept = [field for field in upstream.raw if field[0] in _KEPT or field[0].startswith(_KEPT_PREFIXES)]
    names = _RENAMED.get(client, {})
    said: RawHeaders = []
    for name, value in kept:
        ours = names.get(name)
        if ours is None or ours in upstream:
            continue
        again = _reset(value, client, now) if _RESET in ours else value
        if again is not None:
            said.append((ours, again))
    return kept + said


def _reset(value: bytes, client: FormatId, now: float) -> bytes | None:
    """Returns an instant or a duration as the client's SDK reads it, None for what is neither."""
    wait_s = reset_wait(value.decode("latin-1"), now)
    if wait_s is None or not 0 <= wait_s < 1e9:
        return None
    if client is FormatId.MESSAGES:
        return stamp(math.ceil(now + wait_s)).partition(".")[0].encode() + b"Z"
    return duration(wait_s).encode()


def duration(seconds: float) -> str:
    """Returns seconds as Go writes durations: "120ms", "1.5s", "6m0s", "1h0m2s"."""
    millis = math.ceil(seconds * 1000 - 1e-6)
    if millis < 1000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail
