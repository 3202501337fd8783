"""`multipart/form-data`: reading small fields, replacing one in place, every other byte kept (RFC 7578, RFC 2046)."""

import re
from typing import NamedTuple

from llr.base.errors import ErrorKind, fail

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name\s*=\s*(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
# A form of a coding tool or an SDK has a handful of fields; a hostile one may have millions.
MAX_PARTS = 1000


class Field(NamedTuple):
    """Where a field's content lies in the body."""

    name: str
    start: int
    end: int


def boundary_of(content_type: str) -> bytes:
    """Returns the boundary of a Content-Type value. Raises `GatewayError(INVALID_REQUEST)` when it names none."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise fail(ErrorKind.INVALID_REQUEST, "multipart/form-data needs a boundary parameter in Content-Type")
    return str(match.group(1) or match.group(2)).encode("latin-1", "replace")


class Form:
    """A form kept as the bytes it came in."""

    __slots__ = ("_delimiter", "_fields", "data")

    def __init__(self, data: bytes, content_type: str) -> None:
        """Raises `GatewayError(INVALID_REQUEST)` when the body is not such a form."""
        self.data = data
        self._delimiter = b"--" + boundary_of(content_type)
        self._fields = tuple(self._scan())

    def _scan(self) -> list[Field]:
        data, mark = self.data, self._delimiter
        at = 0 if data.startswith(mark) else data.find(b"\r\n" + mark) + 2
        fields: list[Field] = []
        while at >= 2 or (at == 0 and data.startswith(mark)):
            head = at + len(mark)
            if data[head : head + 2] == b"--":
                return fields
            blank = data.find(b"\r\n\r\n", head)
            end = data.find(b"\r\n" + mark, max(blank + 2, head))
            if blank < 0 or end < 0 or len(fields) == MAX_PARTS:
                break
            match = _NAME.search(data, head, blank)
            name = (match.group(1) if match.group(1) is not None else match.group(2)) if match else b""
            fields.append(Field(name.decode("utf-8", "replace"), blank + 4, max(end, blank + 4)))
            at = end + 2
        raise fail(ErrorKind.INVALID_REQUEST, "the body is not valid multipart/form-data")

    def text(self, name: str) -> str:
        """Returns a field's content, the last one where it repeats, or "" when it is absent or over 4 KiB."""
        for field in reversed(self._fields):
            if field.name == name and field.end - field.start <= 4096:
                return self.data[field.start : field.end].decode("utf-8", "replace")
        return ""

    def splice(self, name: str, value: str) -> list[bytes]:
        """Returns the body's bytes in parts with every field `name` set to `value`; an absent one is put in front."""
        new = value.encode()
        parts, at = [], 0
        for field in self._fields:
            if field.name == name:
                parts += [self.data[at : field.start], new]
                at = field.end
        if not parts:
            first = self.data.index(self._delimiter)
            head = b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n'
            parts = [self.data[:first], self._delimiter + head + new + b"\r\n"]
            at = first
        return [*parts, self.data[at:]]
