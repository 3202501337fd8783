"""Token usage of Chat: totals with details, taken apart into disjoint classes and put together again."""

from collections.abc import Mapping
from typing import Any

from llr.base.names import FormatId
from llr.formats.reading import bag, count, noted, table, unload, words
from llr.ir.events import Usage

CHAT = FormatId.CHAT
RAW = "~raw"
# Fields of the Messages vendor that some servers add to Chat usage; they reach clients of that format.
_MESSAGES_FIELDS = words("server_tool_use service_tier inference_geo iterations speed")


def _first(*values: Any) -> int | None:
    return next((found for value in values if (found := count(value)) is not None), None)


def decode_usage(value: Any, *, whole: bool = False) -> Usage | None:
    """Returns a usage object's counters, None when it is none. `whole` keeps the object itself too."""
    if not isinstance(value, dict) or not value:
        return None
    given, written = table(value.get("prompt_tokens_details")), table(value.get("cache_creation"))
    prompt = _first(value.get("prompt_tokens"), value.get("input_tokens"))
    read = _first(
        given.get("cached_tokens"), value.get("cache_read_input_tokens"), value.get("prompt_cache_hit_tokens")
    )
    long = count(written.get("ephemeral_1h_input_tokens"))
    short = _first(
        written.get("ephemeral_5m_input_tokens"),
        value.get("cache_creation_input_tokens"),
        given.get("cache_write_tokens"),
    )
    cached = (read or 0) + (short or 0) + (long or 0)
    # Servers that report the Messages vendor's counters next to a total that leaves them out exist too.
    fresh = None if prompt is None else prompt - cached if prompt >= cached else prompt
    extras: dict[FormatId, Mapping[str, Any]] = {}
    foreign = {key: each for key, each in value.items() if key in _MESSAGES_FIELDS}
    if foreign:
        extras[FormatId.MESSAGES] = foreign
    details = table(value.get("completion_tokens_details"))
    return Usage(
        fresh=fresh,
        cache_read=read,
        cache_write_5m=short,
        cache_write_1h=long,
        output=_first(value.get("completion_tokens"), value.get("output_tokens")),
        reasoning=_first(details.get("reasoning_tokens"), value.get("reasoning_tokens")),
        extras=noted(extras, CHAT, RAW, value) if whole else extras,
    )


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Returns a usage object: totals recomputed, details complete."""
    own = bag(usage.extras, CHAT)
    if RAW in own:
        return dict(own[RAW])
    written = (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
    prompt = (usage.fresh or 0) + (usage.cache_read or 0) + written
    output = usage.output or 0
    details: dict[str, Any] = {"cached_tokens": usage.cache_read or 0}
    if written:
        details["cache_write_tokens"] = written
    body: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
    }
    unload(usage.extras, CHAT, body)
    return body
