"""Server-sent events: cutting a byte stream at event boundaries, reading events, writing them.

Law: linear time for any chunking; the cutter loses no byte, the parser only blank lines before an event.
Line ends are CR, LF or CRLF, mixed as the sender likes (HTML standard, "Server-sent events").
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from llr.base.errors import ErrorKind, fail

# An event carries at most one generated image or one tool call's arguments; vendors stay far below this.
MAX_EVENT_BYTES = 16 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
# Atomic groups: CRLF must never be read as two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
# Two line ends in a row always contain one of these pairs.
_PAIRS = (b"\n\n", b"\n\r", b"\r\r")


class SSEEvent(NamedTuple):
    """One event: its name ("" when it has none), its data lines joined by LF, and the bytes it came as."""

    event: str
    data: bytes
    raw: bytes


def _last_boundary(data: bytes) -> int:
    """Returns where the last whole event ends, 0 for nowhere. A CR at the very end may still be half of a CRLF."""
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    end = len(data)
    while True:
        at = max(data.rfind(pair, 0, end) for pair in _PAIRS)
        if at < 0:
            return 0
        after = at + 2
        if data[after - 1 : after] == b"\n":
            return after
        if after < len(data):
            return after + 1 if data[after : after + 1] == b"\n" else after
        end = after - 1


class EventCutter:
    """Gives back bytes in runs of whole events and keeps the unfinished rest."""

    __slots__ = ("_cap_bytes", "_pieces", "_size", "_tail")

    def __init__(self, cap_bytes: int = MAX_EVENT_BYTES) -> None:
        self._cap_bytes = cap_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """Returns all whole events that are now known, b"" for none.

        Raises `GatewayError(UPSTREAM_INVALID)` when one event grows past the cap.
        """
        if not self._size and chunk.endswith(b"\n\n"):
            return chunk
        window = self._tail + chunk
        cut = _last_boundary(window) - len(self._tail)
        if cut <= -len(self._tail):
            self._keep(chunk)
            return b""
        # The boundary may end inside what is held already (an ambiguous CR that turned out to be a line end).
        held = b"".join(self._pieces)
        whole, rest = (held + chunk[:cut], chunk[cut:]) if cut >= 0 else (held[:cut], held[cut:] + chunk)
        self._pieces, self._size, self._tail = [], 0, b""
        if rest:
            self._keep(rest)
        return whole

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._tail = (self._tail + piece)[-2:]
        if self._size > self._cap_bytes:
            raise fail(ErrorKind.UPSTREAM_INVALID, f"an event of the stream is larger than {self._cap_bytes} bytes")

    def finish(self) -> bytes:
        """Returns what no boundary has ended."""
        rest = b"".join(self._pieces)
        self._pieces, self._size, self._tail = [], 0, b""
        return rest


def parse_block(raw: bytes) -> tuple[str, bytes | None]:
    """Returns name and data of one event's bytes; data is None when it has no data line (a comment, a bare name)."""
    if raw.startswith(b"data: ") and raw.find(b"\n", 6) == len(raw) - 2 and b"\r" not in raw:
        return "", raw[6:-2]
    name = ""
    said: list[bytes] = []
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw
    for line in text.split(b"\n"):
        if line.startswith(b"data"):
            value = _value(line, 4)
            if value is not None:
                said.append(value)
        elif line.startswith(b"event"):
            value = _value(line, 5)
            if value is not None:
                name = value.decode("utf-8", "replace")
    return name, b"\n".join(said) if said else None


def _value(line: bytes, size: int) -> bytes | None:
    """Returns the value of a field whose name has `size` bytes, None when the line is another field."""
    if len(line) == size:
        return b""
    if line[size] != 0x3A:
        return None
    return line[size + 2 :] if line[size + 1 : size + 2] == b" " else line[size + 1 :]


def split_events(block: bytes) -> Iterator[bytes]:
    """Yields the bytes of each event in a run of whole events (as `EventCutter` gives it), the last perhaps open."""
    start = 0
    for match in _BLANK_LINE.finditer(block):
        yield block[start : match.end()]
        start = match.end()
    if start < len(block):
        yield block[start:]


def read_events(block: bytes) -> Iterator[SSEEvent]:
    """Yields the events with data in a run of whole events."""
    for raw in split_events(block):
        name, data = parse_block(raw)
        if data is not None:
            yield SSEEvent(name, data, raw.lstrip(b"\r\n"))


class SSEParser:
    """Bytes in, events out; the same events for any chunking."""

    __slots__ = ("_cutter", "_first")

    def __init__(self, cap_bytes: int = MAX_EVENT_BYTES) -> None:
        self._cutter = EventCutter(cap_bytes)
        self._first = True

    def feed(self, item: bytes, /) -> Iterator[SSEEvent]:
        """Returns the events this chunk completes. Raises `GatewayError(UPSTREAM_INVALID)` past the cap."""
        block = self._cutter.feed(item)
        return self._events(block) if block else iter(())

    def finish(self) -> Iterator[SSEEvent]:
        """Returns a last event that no blank line ended."""
        return self._events(self._cutter.finish())

    def _events(self, block: bytes) -> Iterator[SSEEvent]:
        # One event of one data line, perhaps named: what most chunks of a stream are.
        if block[:6] == b"data: " and block.find(b"\n", 6) == len(block) - 2 and b"\r" not in block:
            self._first = False
            return iter((SSEEvent("", block[6:-2], block),))
        if block[:7] == b"event: " and b"\r" not in block:
            end = block.find(b"\n", 7)
            if block[end + 1 : end + 7] == b"data: " and block.find(b"\n", end + 7) == len(block) - 2:
                self._first = False
                return iter((SSEEvent(block[7:end].decode("utf-8", "replace"), block[end + 7 : -2], block),))
        if not self._first or not block.startswith(BOM):
            self._first = self._first and not block
            return read_events(block)
        self._first = False
        return self._without_bom(block)

    @staticmethod
    def _without_bom(block: bytes) -> Iterator[SSEEvent]:
        bom = BOM
        for event in read_events(block[3:]):
            yield event._replace(raw=bom + event.raw)
            bom = b""


def format_event(data: bytes, event: str = "") -> bytes:
    """Returns one event as bytes; line ends inside `data` become further data lines."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    head = b"event: " + event.encode() + b"\n" if event else b""
    return head + b"data: " + data + b"\n\n"
