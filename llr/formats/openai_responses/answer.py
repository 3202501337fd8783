"""The `response` object: what every Responses answer, whole or streamed, is wrapped in.

Source: the openai SDK's `Response`, `ResponseUsage` and `ResponseError` models; every required field is always there.
"""

from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.base import Meta
from llr.formats.errors import openai_words
from llr.formats.openai_responses.content_in import OWN
from llr.ir.events import Stop, Usage

# Upstream ids shorter than this repeat (some local servers count), and an id here is a key of stored answers.
_SHORTEST_ID = 12
_CODES = {
    ErrorKind.CONTEXT_OVERFLOW: "context_length_exceeded",
    ErrorKind.RATE_LIMITED: "rate_limit_exceeded",
    ErrorKind.QUOTA: "insufficient_quota",
    ErrorKind.INVALID_REQUEST: "invalid_prompt",
    ErrorKind.OVERLOADED: "server_is_overloaded",
    ErrorKind.NO_CANDIDATE: "server_is_overloaded",
}
_DEFAULTS: dict[str, JSON] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def response_id(upstream_id: str, meta: Meta) -> str:
    """Returns the id of the answer: the upstream's own with the vendor's prefix, a new one where it has none."""
    if upstream_id.startswith("resp_"):
        return upstream_id
    return f"resp_{upstream_id}" if len(upstream_id) >= _SHORTEST_ID else meta.ids.new("resp_")


def skeleton(meta: Meta, ident: str, created_at: float) -> dict[str, JSON]:
    """Returns an answer in progress with the request's fields echoed, in one fixed order."""
    notes = reading.bag(meta.request.extras, OWN)
    echo: dict[str, Any] = notes.get("~echo", {})
    out: dict[str, JSON] = {
        "id": ident,
        "object": "response",
        "created_at": int(created_at or meta.created_at),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": meta.model,
        "output": [],
    }
    for key, value in _DEFAULTS.items():
        given = echo.get(key)
        out[key] = value if given is None else given
    out.update({key: value for key, value in echo.items() if key not in out})
    # True only where the gateway itself keeps the answer for `previous_response_id`.
    out["store"] = notes.get("~kept") is True
    out["usage"] = None
    return out


def usage(seen: Usage | None) -> JSON:
    """Returns the `usage` object with every detail, None when nothing is known."""
    if seen is None or (seen.fresh is None and seen.output is None and seen.cache_read is None):
        return None
    read = seen.cache_read or 0
    written = (seen.cache_write_5m or 0) + (seen.cache_write_1h or 0)
    spent, given = (seen.fresh or 0) + read + written, seen.output or 0
    return {
        "input_tokens": spent,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": seen.reasoning or 0},
        "total_tokens": spent + given,
    }


def error(fault: Fault) -> dict[str, JSON]:
    """Returns the `error` of a failed answer."""
    code = _CODES.get(fault.kind) or openai_words(fault)[1] or "server_error"
    return {"code": code, "message": fault.message}


def ending(stop: Stop, *, refused: bool, codex: bool) -> tuple[str, str, JSON]:
    """Returns (event name, status, incomplete_details) for a stop.

    Codex treats an incomplete answer as a fatal error of the stream, so it is told "completed" with the details kept.
    """
    reason = ""
    if stop in (Stop.LENGTH, Stop.CONTEXT_FULL):
        reason = "max_output_tokens"
    elif stop is Stop.POLICY and not refused:
        reason = "content_filter"
    if stop is Stop.CANCELLED:
        return "response.completed", "cancelled", None
    if not reason:
        return "response.completed", "completed", None
    details: JSON = {"reason": reason}
    return ("response.completed", "completed", details) if codex else ("response.incomplete", "incomplete", details)
