"""Errors of the Gemini format, in both directions.

Source: google.rpc `Status`, `RetryInfo` and `QuotaFailure`. The vendor words every 429 as a spent quota; only one per
day is.
"""

import re
from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, InvalidJSON, dumps, loads
from llr.base.records import replace
from llr.formats import reading
from llr.formats.base import FaultContext
from llr.formats.errors import WORDS, fault_headers, read_fault, stream_fault
from llr.wire.http import Headers, RawHeaders
from llr.wire.sse import format_event

_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")
_RETRY = "type.googleapis.com/google.rpc.RetryInfo"
_STATUS = {529: 503}


def _details(value: Any) -> list[dict[str, Any]]:
    body = value[0] if isinstance(value, list) and value else value
    error = reading.table(reading.table(body).get("error"))
    return [each for _, each in reading.tables(error.get("details"))]


def _mended(fault: Fault, value: Any) -> Fault:
    """Returns the fault with what the vendor's details say: when to retry, which quota."""
    details = _details(value)
    for each in details:
        match = _DELAY.fullmatch(reading.text(each.get("retryDelay")))
        if match:
            fault = replace(fault, retry_after_s=float(match[1]))
    if fault.kind not in (ErrorKind.QUOTA, ErrorKind.RATE_LIMITED) or fault.http_status != 429:
        return fault
    quotas = [reading.text(q.get("quotaId")) for each in details for _, q in reading.tables(each.get("violations"))]
    daily = any("PerDay" in quota for quota in quotas)
    if daily:
        return replace(fault, kind=ErrorKind.QUOTA)
    return replace(fault, kind=ErrorKind.RATE_LIMITED) if fault.retry_after_s is not None or quotas else fault


def fault_of(value: Mapping[str, Any]) -> Fault:
    """Returns the fault of an error object inside a stream or a 200 answer."""
    return _mended(stream_fault(value), value)


def decode_fault(status: int, headers: Headers, body: bytes) -> Fault:
    """Returns the fault of an upstream's error answer."""
    fault = read_fault(status, headers, body)
    try:
        return _mended(fault, loads(body))
    except InvalidJSON:
        return fault


def error_body(fault: Fault) -> dict[str, JSON]:
    """Returns the error object Google's clients parse."""
    code = _STATUS.get(fault.http_status, fault.http_status)
    error: dict[str, JSON] = {"code": code, "message": fault.message, "status": WORDS[fault.kind].gemini}
    if fault.retry_after_s is not None:
        error["details"] = [{"@type": _RETRY, "retryDelay": f"{fault.retry_after_s:g}s"}]
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
