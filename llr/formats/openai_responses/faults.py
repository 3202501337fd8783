"""Errors in the words of the Responses format.

Codex CLI reads an overflow only from a `response.failed` event, so it gets one even where the answer has not begun.
"""

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, dumps
from llr.formats.base import FaultContext
from llr.formats.errors import fault_headers, openai_words, read_fault
from llr.formats.openai_responses import answer
from llr.wire.http import Headers, RawHeaders
from llr.wire.sse import format_event

_COMMENT = b": keep-alive\n\n"
# Comments do not reset Codex's idle timer; an event it knows and ignores does.
_CODEX_PING = b'event: response.in_progress\ndata: {"type":"response.in_progress"}\n\n'
# Chat and Responses clients know 503 for what Messages calls 529.
_STATUS = {529: 503}


def error_body(fault: Fault) -> dict[str, JSON]:
    """Returns the error object OpenAI clients parse."""
    kind, code = openai_words(fault)
    return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": code}}


def decode_fault(status: int, headers: Headers, body: bytes) -> Fault:
    """Returns the fault of an upstream's error answer."""
    return read_fault(status, headers, body)


def encode_fault(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    """Returns (status, headers, body) of an error answer; an overflow for Codex is a stream of one event.

    `type` beside `error` is for readers of the other family.
    """
    if context.codex and context.streaming and fault.kind is ErrorKind.CONTEXT_OVERFLOW:
        raw: RawHeaders = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
        if context.request_id:
            raw.append((b"x-request-id", context.request_id.encode("latin-1", "replace")))
        return 200, raw, fault_event(fault, context)
    status = _STATUS.get(fault.http_status, fault.http_status)
    return status, fault_headers(fault, context.request_id), dumps({**error_body(fault), "type": "error"})


def fault_event(fault: Fault, context: FaultContext) -> bytes:
    """Returns the event that ends an open stream: a failed answer for Codex or where one had begun, else `error`."""
    if context.codex or context.started:
        response: dict[str, JSON] = {
            "id": f"resp_{context.request_id or 'failed'}",
            "object": "response",
            "created_at": 0,
            "status": "failed",
            "error": answer.error(fault),
            "incomplete_details": None,
            "output": [],
            "usage": None,
        }
        return format_event(
            dumps({"type": "response.failed", "sequence_number": 0, "response": response}), "response.failed"
        )
    code = openai_words(fault)[1] or answer.error(fault)["code"]
    fields: dict[str, JSON] = {"type": "error", "code": code, "message": fault.message, "param": fault.param}
    return format_event(dumps({**fields, "sequence_number": 0}), "error")


def ping(context: FaultContext) -> bytes:
    """Returns what keeps a silent stream alive: a comment, for Codex an event."""
    return _CODEX_PING if context.codex else _COMMENT
