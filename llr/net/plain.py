"""The server's own few answers: small JSON for what never reaches a handler, and the fields every answer carries."""

import time
import traceback
from http import HTTPStatus

from llr.base.jsonio import dumps
from llr.base.redact import scrub

# Of RFC 9110 5.6.7, whatever the locale says; not email.utils, which takes sockets and calendars along.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


# Nobody knows the client's format here: this shape is read by OpenAI's and by Anthropic's clients.
_TYPES = {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error"}


def error_body(status: int, message: str) -> bytes:
    """Returns the JSON body of a server error."""
    kind = _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")
    return dumps({"type": "error", "error": {"type": kind, "message": message, "param": None, "code": None}})


def refusal(status: int, message: str) -> bytes:
    """Returns a whole answer, head and body, that closes the connection."""
    body = error_body(status, message)
    retry = b"retry-after: 1\r\n" if status == 503 else b""
    return (
        b"HTTP/1.1 %d %b\r\ndate: %b\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n"
        b"connection: close\r\n\r\n%b" % (status, REASONS.get(status, b""), http_date(), retry, len(body), body)
    )


def trace(error: BaseException) -> str:
    """Returns the traceback for a log, without what looks like a key."""
    return scrub("".join(traceback.format_exception(error)))


def date_text(now: int) -> bytes:
    """Returns a moment as an HTTP date: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    at = time.gmtime(now)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    text = f"{day}, {at.tm_mday:02} {month} {at.tm_year} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    return text.encode("ascii")


_second = -1
_text = b""


def http_date() -> bytes:
    """Returns the current instant as the Date field has it; made once per second."""
    global _second, _text
    now = int(time.time())
    if now != _second:
        _second = now
        _text = date_text(now)
    return _text
