"""Message bodies out of a byte stream, strictly and without h11: counted, chunked, until close.

Law: bytes in, bytes out, the same for any cut of the input; nothing past the body's end is taken.
"""

import re
from typing import Protocol

from llr.net.head import CHUNKED, MAX_HEAD_BYTES, UNTIL_CLOSE

# A longer size line carries nothing but an attack: 16 digits hold every size, extensions mean nothing to us.
MAX_SIZE_LINE_BYTES = 256

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class BadFraming(Exception):
    """The peer's chunked coding is broken: where its message ends cannot be known."""


class Framing(Protocol):
    """Takes what came from the peer, gives the body's bytes."""

    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """Returns the body bytes in `data`; once `done`, what follows the body is in `rest`. Raises `BadFraming`."""


class Counted:
    """A body of a known number of bytes."""

    __slots__ = ("done", "left", "rest")

    def __init__(self, length_bytes: int) -> None:
        self.left = length_bytes
        self.done = length_bytes == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Returns at most the bytes that are left."""
        left = self.left - len(data)
        if left > 0:
            self.left = left
            return data
        if left < 0:
            self.rest = data[left:]
            data = data[:left]
        self.left = 0
        self.done = True
        return data


class UntilClose:
    """A body that ends with the connection."""

    __slots__ = ("done", "rest")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Returns `data`."""
        return data


_SIZE, _DATA, _AFTER, _TRAILERS = range(4)


class Chunked:
    """RFC 9112 §7.1, CR LF only; extensions and trailers are checked and dropped."""

    __slots__ = ("_held", "_left", "_state", "_trailer_bytes", "done", "rest")

    def __init__(self) -> None:
        self._state = _SIZE
        self._held = b""
        self._left = 0
        self._trailer_bytes = 0
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Returns the data of all chunks in `data`, joined. Raises `BadFraming`."""
        if self._held:
            data = self._held + data
            self._held = b""
        out: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.done:
            state = self._state
            if state == _DATA:
                stop = at + self._left
                if stop > end:
                    self._left = stop - end
                    out.append(data[at:] if at else data)
                    break
                out.append(data[at:stop])
                at = stop
                self._state = _AFTER
            elif state == _AFTER:
                if data[at : at + 2] != b"\r\n":
                    self._hold(data, at, b"\r", "a chunk does not end in CR LF")
                    break
                at += 2
                self._state = _SIZE
            else:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    self._hold_line(data, at)
                    break
                self._line(data[at:line_end])
                at = line_end + 2
        if self.done:
            self.rest = data[at:]
        return out[0] if len(out) == 1 else b"".join(out)

    def _line(self, line: bytes) -> None:
        if self._state == _SIZE:
            found = _SIZE_LINE.fullmatch(line)
            if found is None or len(line) > MAX_SIZE_LINE_BYTES:
                raise BadFraming("a chunk's size line is not valid")
            self._left = int(found[1], 16)
            self._state = _DATA if self._left else _TRAILERS
        elif not line:
            self.done = True
        else:
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > MAX_HEAD_BYTES or _TRAILER.fullmatch(line) is None:
                raise BadFraming("the trailer section is not valid")

    def _hold(self, data: bytes, at: int, allowed: bytes, message: str) -> None:
        if data[at:] != allowed:
            raise BadFraming(message)
        self._held = allowed

    def _hold_line(self, data: bytes, at: int) -> None:
        line = data[at:]
        limit = MAX_SIZE_LINE_BYTES if self._state == _SIZE else MAX_HEAD_BYTES
        if len(line) > limit or b"\n" in line or b"\r" in line[:-1]:
            raise BadFraming("a line of the chunked coding is not valid")
        if self._state == _SIZE and _SIZE_LINE.match(line) is None:
            raise BadFraming("a chunk's size line is not valid")
        self._held = line


def framing_for(kind: int) -> Framing:
    """Returns a fresh reader for what `head.py` found: a byte count, `CHUNKED` or `UNTIL_CLOSE`."""
    if kind == CHUNKED:
        return Chunked()
    return UntilClose() if kind == UNTIL_CLOSE else Counted(kind)
