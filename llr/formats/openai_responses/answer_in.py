"""What a `response` object says besides its items: usage, why it ended, what went wrong."""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.errors import stream_fault
from llr.formats.openai_responses.content_in import OWN
from llr.ir.events import Stop, Usage
from llr.ir.parts import NO_EXTRAS, Extras

# Fields of the final answer that tell what happened and have no place of their own between formats.
_TOLD = ("service_tier", "tool_usage", "prompt_cache_diagnostics", "completed_at", "moderation")
_REASONS = {"content_filter": Stop.POLICY, "steered": Stop.PAUSE}


def read_usage(value: JSON) -> Usage | None:
    """Returns the counters of a `usage` object, None when there is none."""
    fields = reading.table(value)
    if not fields:
        return None
    details = reading.table(fields.get("input_tokens_details"))
    spent, read = reading.count(fields.get("input_tokens")), reading.count(details.get("cached_tokens"))
    written = reading.count(details.get("cache_write_tokens"))
    fresh = None if spent is None else max(0, spent - (read or 0) - (written or 0))
    reasoning = reading.table(fields.get("output_tokens_details")).get("reasoning_tokens")
    return Usage(
        fresh=fresh,
        cache_read=read,
        cache_write_5m=written,
        output=reading.count(fields.get("output_tokens")),
        reasoning=reading.count(reasoning),
    )


def stop_of(response: Mapping[str, Any], *, called: bool, refused: bool) -> Stop:
    """Returns why a finished answer stopped."""
    reason = reading.text(reading.table(response.get("incomplete_details")).get("reason"))
    if reason or response.get("status") == "incomplete":
        return _REASONS.get(reason, Stop.LENGTH)
    if called:
        return Stop.TOOL
    return Stop.POLICY if refused else Stop.DONE


def told(response: Mapping[str, Any]) -> Extras:
    """Returns what the finished answer says beyond its content, as luggage."""
    found = {key: response[key] for key in _TOLD if response.get(key) is not None}
    return {OWN: found} if found else NO_EXTRAS


def fault_of(fields: Mapping[str, Any]) -> Fault:
    """Returns the fault in an `error` event or a failed answer."""
    if fields.get("status") == "cancelled":
        return Fault(ErrorKind.CANCELLED, "the upstream cancelled the answer")
    if isinstance(fields.get("error"), dict | str):
        return stream_fault(fields)
    return stream_fault({"error": {key: value for key, value in fields.items() if key != "type"}})
