"""The server's own few answers: small JSON for what never reaches a handler, and the fields every answer carries."""

import time
import traceback
from email.utils import formatdate
from http import HTTPStatus

from llr.base.jsonio import dumps
from llr.base.redact import scrub

REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


def error_body(status: int, message: str) -> bytes:
    """Returns the JSON body of a server error."""
    return dumps({"error": REASONS.get(status, b"Error").decode("ascii"), "message": message})


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


_second = -1
_text = b""


def http_date() -> bytes:
    """Returns the current instant as the Date field has it; made once per second."""
    global _second, _text
    now = int(time.time())
    if now != _second:
        _second = now
        _text = formatdate(now, usegmt=True).encode("ascii")
    return _text
