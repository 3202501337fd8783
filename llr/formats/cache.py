"""Prompt caches across formats: marks of Messages, keys and retention of the OpenAI formats.

Law: a key hangs on what stays the same in a conversation, never on its last turn.
"""

import re
from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.base.records import dataclass, replace
from llr.formats.reading import table, tables, text
from llr.ir.parts import Part, Role, Text, ToolResult
from llr.ir.request import ChatRequest, Tool

_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193
# Longest serialization a derived key hashes, in characters.
_HASHED = 20_000
_RUN = re.compile(r"[\s-]+")
# Vendor reference: at most four cache breakpoints in one request.
MOST_MARKS = 4
_MESSAGES = FormatId.MESSAGES


def normal_mark(value: Any) -> dict[str, Any] | None:
    """Returns a `cache_control` in its normal form, None when it is none."""
    if not isinstance(value, dict):
        return None
    kind = text(value.get("type")).strip().lower()
    if kind not in ("", "ephemeral"):
        return None
    ttl = {"1h": "1h", "60m": "1h", "5m": "5m", "300s": "5m"}.get(text(value.get("ttl")).strip().lower())
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}


def normal_retention(value: Any) -> str:
    """Returns "24h", "in_memory" or ""."""
    said = _RUN.sub("_", text(value).strip().lower())
    if said in ("24h", "extended"):
        return "24h"
    return "in_memory" if said in ("in_memory", "memory", "default", "5m", "1h") else ""


def copied_mark(value: Any) -> dict[str, Any] | None:
    """Returns a part's `cache_control` as it travels between formats: trimmed `type` and `ttl`, None when unusable."""
    if not isinstance(value, dict) or not text(value.get("type")).strip():
        return None
    mark: dict[str, Any] = {"type": value["type"].strip()}
    if text(value.get("ttl")).strip():
        mark["ttl"] = value["ttl"].strip()
    return mark


def mark_of(extras: Mapping[FormatId, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Returns the cache mark of a part, tool, message or request: it travels as luggage of the Messages format."""
    return copied_mark(extras[FormatId.MESSAGES].get("cache_control")) if FormatId.MESSAGES in extras else None


def fnv1a(data: str) -> str:
    """Returns the 32-bit FNV-1a hash of text as 8 hex digits."""
    value = _FNV_OFFSET
    for byte in data.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return f"{value:08x}"


@dataclass(frozen=True, slots=True)
class CacheHints:
    """What headers say about caching: key, retention and a session id, "" where they say nothing."""

    key: str = ""
    retention: str = ""
    session: str = ""


def _words(parts: tuple[Part, ...]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, Text))


def derived_key(request: ChatRequest, session: str) -> str:
    """Returns a key for a request with cache marks but no key: from the session, else from its stable beginning."""
    seed = session or request.options.user
    if not seed:
        first = next((message for message in request.messages if message.role is Role.USER), None)
        system = [part.text for part in request.system if isinstance(part, Text) and not _billing(part.text)]
        tools = [tool.name for tool in request.tools if isinstance(tool, Tool)]
        seed = dumps([request.model, *system, *tools, _words(first.parts) if first else ""]).decode()[:_HASHED]
    return f"llm-router:{fnv1a(seed)}"


def _billing(line: str) -> bool:
    return line.startswith("x-anthropic-billing-header:")


def has_marks(request: ChatRequest) -> bool:
    """Returns whether the client set any cache mark."""
    if "cache_control" in request.extras.get(FormatId.MESSAGES, ()):
        return True
    if any(_marked(part) for part in request.system):
        return True
    if any(isinstance(tool, Tool) and mark_of(tool.extras) for tool in request.tools):
        return True
    for message in request.messages:
        for part in message.parts:
            # Most parts of long histories are text without such luggage: this loop is run for thousands of them.
            if (part.__class__ is not Text or _MESSAGES in part.extras) and _marked(part):
                return True
    return False


def _marked(part: Part) -> bool:
    extras = getattr(part, "extras", None)
    if extras and mark_of(extras):
        return True
    return isinstance(part, ToolResult) and any(_marked(inner) for inner in part.parts)


def apply_hints(request: ChatRequest, hints: CacheHints, client: FormatId, upstream: FormatId) -> ChatRequest:
    """Returns `request` with cache key and retention, or a top-level mark, as the target's format has them."""
    options = request.options
    retention = normal_retention(options.cache_retention) or normal_retention(hints.retention)
    key = options.cache_key or hints.key
    if upstream is FormatId.MESSAGES:
        own = request.extras.get(FormatId.MESSAGES, {})
        mark = normal_mark(own.get("cache_control")) if "cache_control" in own else None
        if mark is None and client is not FormatId.MESSAGES and (retention or key):
            mark = {"type": "ephemeral", "ttl": "1h"} if retention == "24h" else {"type": "ephemeral"}
        if mark is None or mark == own.get("cache_control"):
            return request
        return replace(request, extras={**request.extras, FormatId.MESSAGES: {**own, "cache_control": mark}})
    if client is FormatId.MESSAGES and (not key or not retention) and has_marks(request):
        key = key or derived_key(request, hints.session)
        retention = retention or "in_memory"
    if key == options.cache_key and retention == options.cache_retention:
        return request
    return replace(request, options=replace(options, cache_key=key, cache_retention=retention))


def limit_marks(body: dict[str, Any], *, own: bool) -> int:
    """Removes cache marks from a Messages body beyond the last four, in place, and returns how many went.

    A mark on the whole request that its client did not write (`own` False) goes first.
    """
    holders = [tool for _, tool in tables(body.get("tools")) if "cache_control" in tool]
    holders += [block for _, block in tables(body.get("system")) if "cache_control" in block]
    for _, message in tables(body.get("messages")):
        for _, block in tables(message.get("content")):
            holders += [inner for _, inner in tables(block.get("content")) if "cache_control" in inner]
            if "cache_control" in block:
                holders.append(block)
    if len(holders) >= MOST_MARKS and not own and "cache_control" in body:
        del body["cache_control"]
    allowed = MOST_MARKS - (1 if table(body.get("cache_control")) else 0)
    spare = holders[: max(0, len(holders) - allowed)]
    for holder in spare:
        del holder["cache_control"]
    return len(spare)
