"""A JSON object kept as the bytes it came in, with its values, and changed member by member.

Law: what is not changed keeps its bytes. A body is scanned once: the same pass checks the syntax, gives the values
and says where each top-level member lies, all at the speed of the C scanner.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from json.decoder import JSONDecodeError, JSONDecoder, scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring_ascii
from typing import Final, NamedTuple, NoReturn, TypeAlias

from llr.base.enums import constants
from llr.base.jsonio import JSON, InvalidJSON, loads, what_is_wrong
from llr.wire.sse import BOM

_SPACE = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_MARK = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")


@constants
class Removed(Enum):
    """The edit that takes a member out."""

    REMOVED = "removed"


REMOVED: Final = Removed.REMOVED
Edits: TypeAlias = "Mapping[str, JSON | Removed]"


class Member(NamedTuple):
    """Where one top-level member lies in the text: its key, its value's start and end."""

    key: str
    key_start: int
    start: int
    end: int


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")


_DECODER = JSONDecoder(parse_constant=_refuse_constant)
# What `raw_decode` wraps: the value at an index and where it ends, StopIteration where there is none.
_SCAN: Callable[[str, int], tuple[JSON, int]] = _DECODER.scan_once  # type: ignore[attr-defined]


class Document:
    """One request body: its bytes as received, and its values."""

    __slots__ = ("_brace", "_members", "_text", "data", "value")

    def __init__(self, data: bytes) -> None:
        """Reads an object. Raises `InvalidJSON` when `data` is something else; a blank body counts as `{}`."""
        self.data = data
        self._text, self._brace, self._members = "", 0, list[Member]()
        self.value: dict[str, JSON] = {}
        try:
            self._scan()
        except InvalidJSON:
            raise
        except (ValueError, RecursionError) as exc:
            raise InvalidJSON(what_is_wrong(exc)) from exc
        if not self._text.isascii() and not _is_utf8(self.data):
            self.value = _as_object(loads(self.data))

    def _scan(self) -> None:
        # `surrogateescape` keeps the way back to the exact bytes; only broken UTF-8 ever needs it.
        text = self._text = self.data.decode("utf-8", "surrogateescape")
        at = _skip(text, 1 if self.data.startswith(BOM) else 0)
        if at == len(text):
            self.data, self._text, self._brace = b"{}", "{}", 1
            return
        if text[at] != "{":
            _DECODER.decode(text[at:])
            raise InvalidJSON("the body must be a JSON object")
        self._brace = at + 1
        at = _skip(text, self._brace)
        if text[at : at + 1] != "}":
            at = self._scan_members(text, at)
        at = _skip(text, at + 1)
        if at != len(text):
            raise JSONDecodeError("Extra data", text, at)

    def _scan_members(self, text: str, at: int) -> int:
        members, value = self._members, self.value
        while True:
            if text[at : at + 1] != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
            key_start = at
            key, at = scanstring(text, at + 1, True)
            colon = _COLON.match(text, at)
            if colon is None:
                raise JSONDecodeError("Expecting ':' delimiter", text, at)
            start = colon.end()
            try:
                value[key], end = _SCAN(text, start)
            except StopIteration as exc:
                raise JSONDecodeError("Expecting value", text, exc.value) from None
            members.append(Member(key, key_start, start, end))
            mark = _MARK.match(text, end)
            if mark is None:
                raise JSONDecodeError("Expecting ',' delimiter", text, end)
            if mark[1] == "}":
                return mark.start(1)
            at = mark.end()

    def splice(self, edits: Edits) -> list[bytes]:
        """Returns the body's bytes in parts with each named top-level member, every duplicate of it, replaced.

        A member that is not there is put in front; one set to `REMOVED` goes with its comma.
        """
        if not edits:
            return [self.data]
        if len(edits) == 1 and self._text.isascii():
            ((key, edit),) = edits.items()
            found = [member for member in self._members if member.key == key]
            if len(found) == 1 and edit is not REMOVED:
                return [self.data[: found[0].start], _dump(edit), self.data[found[0].end :]]
        cuts = sorted(self._cuts(edits))
        parts, at = [], 0
        for start, end, text in self._in_bytes(cuts):
            parts.append(self.data[at:start])
            parts.append(text)
            at = end
        parts.append(self.data[at:])
        return [part for part in parts if part]

    def _cuts(self, edits: Edits) -> Iterator[tuple[int, int, bytes]]:
        members, kept_end, found = self._members, self._brace, set[str]()
        staying = [place for place, member in enumerate(members) if edits.get(member.key) is not REMOVED]
        last_kept = staying[-1] if staying else -1
        for place, member in enumerate(members):
            edit = edits.get(member.key, member)
            if edit is REMOVED and place < last_kept:
                yield member.key_start, members[place + 1].key_start, b""
            elif edit is REMOVED:
                # Nothing stays behind it: the comma before goes too, with all that is left.
                yield kept_end, members[-1].end, b""
                break
            else:
                kept_end = member.end
            if edit is not member and edit is not REMOVED:
                found.add(member.key)
                yield member.start, member.end, _dump(edit)
        missing = [key for key, edit in edits.items() if edit is not REMOVED and key not in found]
        if missing:
            text = b",".join(_dump(key) + b":" + _dump(edits[key]) for key in missing)
            yield self._brace, self._brace, text + (b"," if staying else b"")

    def _in_bytes(self, cuts: list[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
        text = self._text
        if text.isascii():
            yield from cuts
            return
        seen, offset = 0, 0
        for start, end, new in cuts:
            offset += _size(text[seen:start])
            first = offset
            offset += _size(text[start:end])
            seen = end
            yield first, offset, new


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _as_object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _dump(value: object) -> bytes:
    if type(value) is str and value.isascii():
        return encode_basestring_ascii(value).encode("ascii")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")
