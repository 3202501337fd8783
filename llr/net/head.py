"""The raw head of a message, judged before h11 parses it.

Law: h11 0.16 accepts CL+TE, repeated equal CLs, obs-fold, bare LF, TE in HTTP/1.0 and any number of fields; nothing
of that may get past here. A head that passes has one meaning for every HTTP parser.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NoReturn

import h11

from llr.wire.http import Headers

MAX_FIELDS = 200
# Coding tools send long beta and auth fields; h11's own default is 16 KiB.
MAX_HEAD_BYTES = 64 * 1024

# What frames the body, where it is not a count of bytes.
CHUNKED = -1
UNTIL_CLOSE = -2

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD = _TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*\r\n"
_FIELDS = rb"(?:" + _FIELD + rb"){0,%d}\r\n" % MAX_FIELDS
_REQUEST = re.compile(_TOKEN + rb" [\x21-\x7e]+ HTTP/1\.[01]\r\n" + _FIELDS)
_RESPONSE = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [^\x00-\x08\x0a-\x1f\x7f]*)?\r\n" + _FIELDS)
_NAME = re.compile(_TOKEN)
_REQUEST_LINE = re.compile(_TOKEN + rb" [\x21-\x7e]+ HTTP/1\.1")
_OUTGOING = re.compile(rb"[^\r\n]+\r\n(?:" + _FIELD + rb")*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n")
# A control byte, an LF without its CR, a CR without its LF: no later byte can mend these.
_HOPELESS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")


class BadHead(Exception):
    """A head that is refused; `status` is what a server answers."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


# The names that pass through here are few, and the same with every message.
@lru_cache(maxsize=1024)
def _is_name(name: bytes) -> bool:
    return _NAME.fullmatch(name) is not None


def written(first: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Returns a head ready to send: its first line, then the fields in order.

    Raises `ValueError` for what HTTP forbids; it quotes no field, which may be a key.
    """
    head = b"".join([first, b"\r\n", *[b"%b: %b\r\n" % field for field in fields], b"\r\n"])
    # A value with line ends in it would match as several fields: the count tells.
    if head.count(b"\r\n") != len(fields) + 2 or _OUTGOING.fullmatch(head) is None:
        raise ValueError("a header field holds a byte HTTP forbids")
    for name, _ in fields:
        if not _is_name(name):
            raise ValueError("a header field has a name HTTP forbids")
    return head


def request_written(method: str, target: str, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Returns a request's head ready to send. Raises `ValueError` as `written` does."""
    first = f"{method} {target} HTTP/1.1".encode("ascii")
    if _REQUEST_LINE.fullmatch(first) is None:
        raise ValueError("the method or the target holds a byte HTTP forbids")
    return written(first, fields)


def lowered(event: h11.Request | h11.Response) -> Headers:
    """Returns h11's fields as ours; its own iteration makes each pair through two Python calls."""
    return Headers([(name.lower(), value) for name, value in event.headers.raw_items()])


def head_end(data: bytes, seen: int, max_bytes: int = MAX_HEAD_BYTES) -> int:
    """Returns the length of the head `data` starts with, empty line included, or -1 while it is incomplete.

    `seen` bytes were looked at by earlier calls. Raises `BadHead` (431) when it is too long and (400) as soon as an
    incomplete head cannot become a valid one.
    """
    end = data.find(b"\r\n\r\n", seen - 3 if seen > 3 else 0)
    if end >= 0 and end + 4 <= max_bytes:
        return end + 4
    if end >= 0 or len(data) > max_bytes:
        raise BadHead(431, f"the head is longer than {max_bytes} bytes")
    if _HOPELESS.search(data, max(0, seen - 1)):
        raise BadHead(400, "the head holds a control byte, or a line that does not end in CR LF")
    if data[:1] in b" \t" and data:
        raise BadHead(400, "the head starts with white space")
    return -1


def request_framing(head: bytes) -> int:
    """Returns the number of body bytes of a request, or `CHUNKED`. Raises `BadHead` on what is not strictly HTTP."""
    if _REQUEST.fullmatch(head) is None:
        _explain(head)
    framing = _framing(head)
    return 0 if framing == UNTIL_CLOSE else framing


def response_framing(head: bytes) -> int:
    """Returns the number of body bytes of an answer, `CHUNKED` or `UNTIL_CLOSE`.

    Raises `BadHead` on what is not strictly HTTP. The caller knows the answers that never have a body.
    """
    if _RESPONSE.fullmatch(head) is None:
        _explain(head)
    return _framing(head)


def _framing(head: bytes) -> int:
    lower = head.lower()
    lengths = lower.count(b"\r\ncontent-length:")
    if b"\r\ntransfer-encoding:" in lower:
        if lengths:
            raise BadHead(400, "both Content-Length and Transfer-Encoding")
        if lower.count(b"\r\ntransfer-encoding:") > 1 or _CHUNKED.search(lower) is None:
            raise BadHead(400, "Transfer-Encoding is not chunked, once")
        if b"http/1.0" in lower[: lower.index(b"\r\n")]:
            raise BadHead(400, "Transfer-Encoding in HTTP/1.0")
        return CHUNKED
    if not lengths:
        return UNTIL_CLOSE
    found = _LENGTH.search(lower)
    if lengths > 1 or found is None:
        raise BadHead(400, "Content-Length is not one number")
    return int(found[1])


def _explain(head: bytes) -> NoReturn:
    lines = head[:-4].split(b"\r\n")
    if len(lines) - 1 > MAX_FIELDS:
        raise BadHead(431, f"more than {MAX_FIELDS} header fields")
    if any(line[:1] in (b" ", b"\t") for line in lines):
        raise BadHead(400, "a header line starts with white space")
    raise BadHead(400, "the head is not valid HTTP/1.1")


def persists(http_version: bytes, connection: bytes | None) -> bool:
    """Tells whether a message leaves its connection open (RFC 9112 §9.3); `connection` is its Connection field.

    As h11 has it: keep-alive is not offered to HTTP/1.0, which knows it only as an extension.
    """
    if http_version < b"1.1":
        return False
    return connection is None or not any(each.strip().lower() == b"close" for each in connection.split(b","))


def origin_form(target: bytes) -> str:
    """Returns path and query of a request target; `/` for what has none. An asterisk stays."""
    if target[:1] == b"/" or target == b"*":
        return target.decode("ascii")
    if target[:7].lower() == b"http://" or target[:8].lower() == b"https://":
        rest = target[target.index(b"//") + 2 :]
        starts = [at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0]
        rest = rest[min(starts) :] if starts else b"/"
        target = rest
    return (target if target[:1] == b"/" else b"/" + target).decode("ascii")
