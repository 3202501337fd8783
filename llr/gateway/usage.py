"""Tokens an answer says it took, read from a copy in whatever format it came."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llr.base.names import FormatId
from llr.ir.events import Usage, merge_usage

if TYPE_CHECKING:
    from llr.gateway.watch import StreamWatch


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _minus(total: int | None, *parts: int | None) -> int | None:
    return None if total is None else max(0, total - sum(part or 0 for part in parts))


def read_messages(value: Mapping[str, Any]) -> Usage | None:
    """Returns the usage of a Messages answer or event."""
    usage = _table(value.get("usage")) or _table(_table(value.get("message")).get("usage"))
    if not usage:
        return None
    written = _table(usage.get("cache_creation"))
    short = _count(written.get("ephemeral_5m_input_tokens"))
    return Usage(
        fresh=_count(usage.get("input_tokens")),
        cache_read=_count(usage.get("cache_read_input_tokens")),
        cache_write_5m=short if short is not None else _count(usage.get("cache_creation_input_tokens")),
        cache_write_1h=_count(written.get("ephemeral_1h_input_tokens")),
        output=_count(usage.get("output_tokens")),
        reasoning=_count(_table(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def read_chat(value: Mapping[str, Any]) -> Usage | None:
    """Returns the usage of a Chat, Completions or embeddings answer or chunk."""
    usage = _table(value.get("usage"))
    if not usage:
        return None
    details = _table(usage.get("prompt_tokens_details"))
    cached = _count(details.get("cached_tokens"))
    written = _count(details.get("cache_write_tokens"))
    return Usage(
        fresh=_minus(_count(usage.get("prompt_tokens")), cached, written),
        cache_read=cached,
        cache_write_5m=written,
        output=_count(usage.get("completion_tokens")),
        reasoning=_count(_table(usage.get("completion_tokens_details")).get("reasoning_tokens")),
    )


def read_responses(value: Mapping[str, Any]) -> Usage | None:
    """Returns the usage of a Responses answer or final event."""
    usage = _table(value.get("usage")) or _table(_table(value.get("response")).get("usage"))
    if not usage:
        return None
    cached = _count(_table(usage.get("input_tokens_details")).get("cached_tokens"))
    return Usage(
        fresh=_minus(_count(usage.get("input_tokens")), cached),
        cache_read=cached,
        output=_count(usage.get("output_tokens")),
        reasoning=_count(_table(usage.get("output_tokens_details")).get("reasoning_tokens")),
    )


def read_gemini(value: Mapping[str, Any]) -> Usage | None:
    """Returns the usage of a Gemini answer or chunk."""
    usage = _table(value.get("usageMetadata"))
    if not usage:
        return None
    cached, thought = _count(usage.get("cachedContentTokenCount")), _count(usage.get("thoughtsTokenCount"))
    said = _count(usage.get("candidatesTokenCount"))
    output = None if said is None and thought is None else (said or 0) + (thought or 0)
    return Usage(_minus(_count(usage.get("promptTokenCount")), cached), cached, output=output, reasoning=thought)


READERS: Mapping[FormatId, Callable[[Mapping[str, Any]], Usage | None]] = {
    FormatId.MESSAGES: read_messages,
    FormatId.CHAT: read_chat,
    FormatId.COMPLETIONS: read_chat,
    FormatId.RESPONSES: read_responses,
    FormatId.GEMINI: read_gemini,
}


def usage_of_answer(wire: FormatId, value: Mapping[str, Any] | None) -> Usage | None:
    """Returns the usage of a whole answer, None when it tells none or was too large to be parsed."""
    return READERS[wire](value) if value is not None else None


def usage_of_stream(wire: FormatId, watch: "StreamWatch") -> Usage | None:
    """Returns the usage a stream told in its first and last event that speak of it."""
    total: Usage | None = None
    for value in watch.usage_values():
        found = READERS[wire](value)
        if found is not None:
            total = merge_usage(total, found)
    return total


def tokens_of(usage: Usage | None) -> int | None:
    """Returns input and output together, None when nothing is known."""
    if usage is None:
        return None
    known = [usage.fresh, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output]
    counted = [count for count in known if count is not None]
    return sum(counted) if counted else None


def input_tokens_of(usage: Usage | None) -> int:
    """Returns the input tokens a provider counted, 0 when nobody did."""
    if usage is None or usage.estimated:
        return 0
    return sum(count or 0 for count in (usage.fresh, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h))
