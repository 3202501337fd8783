"""Token usage of the Messages format: disjoint classes, as the vendor counts them itself."""

from collections.abc import Mapping
from typing import Any

from llr.formats.anthropic_messages.blocks import MESSAGES
from llr.formats.reading import bag, count, luggage, noted, table, unload, words
from llr.ir.events import Usage

# The object as it came, in whole answers: given back unchanged to this format's own clients.
RAW = "~raw"
_KNOWN = words(
    "input_tokens output_tokens cache_creation cache_creation_input_tokens cache_read_input_tokens "
    "output_tokens_details"
)


def decode_usage(value: Any, *, whole: bool = False) -> Usage | None:
    """Returns a usage object's counters, None when it is none. `whole` keeps the object itself too."""
    if not isinstance(value, dict):
        return None
    split = table(value.get("cache_creation"))
    short, long = count(split.get("ephemeral_5m_input_tokens")), count(split.get("ephemeral_1h_input_tokens"))
    total = count(value.get("cache_creation_input_tokens"))
    if short is None and total is not None:
        short = max(0, total - (long or 0))
    extras = luggage(MESSAGES, value, _KNOWN)
    return Usage(
        fresh=count(value.get("input_tokens")),
        cache_read=count(value.get("cache_read_input_tokens")),
        cache_write_5m=short,
        cache_write_1h=long,
        output=count(value.get("output_tokens")),
        reasoning=count(table(value.get("output_tokens_details")).get("thinking_tokens")),
        extras=noted(extras, MESSAGES, RAW, value) if whole else extras,
    )


def encode_usage(usage: Usage | None) -> dict[str, Any]:
    """Returns a complete usage object: every key that clients of this format read is there."""
    usage = usage or Usage()
    own = bag(usage.extras, MESSAGES)
    if RAW in own:
        return dict(own[RAW])
    short, long = usage.cache_write_5m or 0, usage.cache_write_1h or 0
    body: dict[str, Any] = {
        "input_tokens": usage.fresh or 0,
        "cache_creation_input_tokens": short + long,
        "cache_read_input_tokens": usage.cache_read or 0,
        "cache_creation": {"ephemeral_1h_input_tokens": long, "ephemeral_5m_input_tokens": short},
        "output_tokens": usage.output or 0,
    }
    if usage.reasoning:
        body["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    unload(usage.extras, MESSAGES, body)
    searched = {"web_search_requests": 0, "web_fetch_requests": 0}
    body["server_tool_use"] = {**searched, **table(body.get("server_tool_use"))}
    body.setdefault("service_tier", "standard")
    body.setdefault("inference_geo", "")
    body.setdefault("iterations", [])
    body.setdefault("speed", "standard")
    return body


def update(merged: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Puts the numbers of a later usage object over the earlier ones; null never replaces a number."""
    merged.update({key: value for key, value in new.items() if value is not None})
