"""Errors of the Gemini format, in both directions. Source: google.rpc `Status` and `RetryInfo`."""

from llr.base.errors import Fault
from llr.base.jsonio import JSON, dumps
from llr.formats.base import FaultContext
from llr.formats.errors import WORDS, fault_headers, read_fault
from llr.wire.http import Headers, RawHeaders
from llr.wire.sse import format_event

_RETRY = "type.googleapis.com/google.rpc.RetryInfo"
_STATUS = {529: 503}


def decode_fault(status: int, headers: Headers, body: bytes) -> Fault:
    """Returns the fault of an upstream's error answer."""
    return read_fault(status, headers, body)


def error_body(fault: Fault) -> dict[str, JSON]:
    """Returns the error object Google's clients parse."""
    code = _STATUS.get(fault.http_status, fault.http_status)
    error: dict[str, JSON] = {"code": code, "message": fault.message, "status": WORDS[fault.kind].gemini}
    if fault.retry_after_s is not None:
        # A protobuf Duration has no exponent.
        seconds = f"{fault.retry_after_s:.3f}".rstrip("0").rstrip(".")
        error["details"] = [{"@type": _RETRY, "retryDelay": f"{seconds}s"}]
    return {"error": error}


def encode_fault(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    """Returns (status, headers, body) of an error answer."""
    status = _STATUS.get(fault.http_status, fault.http_status)
    return status, fault_headers(fault, context.request_id), dumps(error_body(fault))


def fault_event(fault: Fault, context: FaultContext) -> bytes:
    """Returns the error that ends an open stream, as an event or as the array's last element."""
    body = dumps(error_body(fault))
    if context.array:
        return (b",\n" if context.started else b"[") + body + b"]"
    return format_event(body)


def ping(context: FaultContext) -> bytes:
    """Returns what keeps a silent stream alive: a blank line between events, a space in an array.

    The vendor's SDK reads comments as JSON, so there are none.
    """
    return b" " if context.array else b"\n"
