"""Errors in the words of the OpenAI formats: Chat Completions and legacy Completions."""

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, dumps
from llr.formats.base import FaultContext
from llr.formats.errors import fault_headers, openai_words, read_fault
from llr.wire.http import Headers, RawHeaders
from llr.wire.sse import format_event

PING = b": keep-alive\n\n"
_OVERLOADED_STATUS = 503


def error_body(fault: Fault) -> dict[str, JSON]:
    """Returns the error object of the OpenAI formats."""
    kind, code = openai_words(fault)
    return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": code}}


def decode_fault(status: int, headers: Headers, body: bytes) -> Fault:
    """Returns the fault of an upstream's error answer."""
    return read_fault(status, headers, body)


def encode_fault(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    """Returns (status, headers, body) of an error answer; `type` beside `error` is for readers of the other family."""
    status = _OVERLOADED_STATUS if fault.kind is ErrorKind.OVERLOADED else fault.http_status
    return status, fault_headers(fault, context.request_id), dumps({**error_body(fault), "type": "error"})


def fault_event(fault: Fault, context: FaultContext) -> bytes:
    """Returns the `data:` block that ends an open stream; `[DONE]` does not follow it."""
    return format_event(dumps(error_body(fault)))


def ping(context: FaultContext) -> bytes:
    """Returns the comment that keeps a silent stream alive."""
    return PING
