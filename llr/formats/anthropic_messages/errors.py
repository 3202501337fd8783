"""Errors in the words of the Messages format."""

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, dumps
from llr.formats.base import FaultContext
from llr.formats.errors import fault_headers, messages_type, overflow_message, read_fault
from llr.wire.http import Headers, RawHeaders
from llr.wire.sse import format_event

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
# Clients of this format know 529 as "overloaded", 503 as an outage.
_OVERLOADED_STATUS = 529


def error_body(fault: Fault, request_id: str) -> dict[str, JSON]:
    """Returns the error object of this format; an overflow says the words that make clients compact."""
    message = overflow_message(fault) if fault.kind is ErrorKind.CONTEXT_OVERFLOW else fault.message
    body: dict[str, JSON] = {"type": "error", "error": {"type": messages_type(fault), "message": message}}
    if request_id:
        body["request_id"] = request_id
    return body


def decode_fault(status: int, headers: Headers, body: bytes) -> Fault:
    """Returns the fault of an upstream's error answer."""
    return read_fault(status, headers, body)


def encode_fault(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    """Returns (status, headers, body) of an error answer."""
    status = _OVERLOADED_STATUS if fault.kind is ErrorKind.OVERLOADED else fault.http_status
    return status, fault_headers(fault, context.request_id), dumps(error_body(fault, context.request_id))


def fault_event(fault: Fault, context: FaultContext) -> bytes:
    """Returns the `error` event that ends an open stream."""
    return format_event(dumps(error_body(fault, context.request_id)), "error")


def ping(context: FaultContext) -> bytes:
    """Returns the `ping` event that keeps a silent stream alive."""
    return PING
