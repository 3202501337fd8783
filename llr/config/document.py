"""The document as bytes and back: what an editor does not touch comes out as it went in.

Law: key order, unknown keys and the spelling of numbers are kept; written text has two-space indent and a newline.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NoReturn

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.config.schema import Doc

# Deeper nesting than any config has, and far from the interpreter's recursion limit.
MAX_DEPTH = 100
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_STRING_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN')


class DocumentError(ValueError):
    """The bytes are not one JSON value; line and column count from 1, columns in characters."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(f"{reason} at line {line}, column {column}")
        self.reason, self.line, self.column = reason, line, column


class WrittenInt(int):
    """A whole number that remembers how it was written (`1e3` never is one, `-0` is)."""

    text: str

    def __new__(cls, text: str) -> "WrittenInt":
        """Returns the number `text` spells. Raises ValueError beyond the interpreter's digit limit."""
        made = super().__new__(cls, text)
        made.text = text
        return made


class WrittenFloat(float):
    """A number with a point or exponent that remembers how it was written."""

    text: str

    def __new__(cls, text: str) -> "WrittenFloat":
        """Returns the number `text` spells, infinite when it is beyond a float."""
        made = super().__new__(cls, text)
        made.text = text
        return made


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed text: its value (None when the text is blank), and keys written twice in one object."""

    value: JSON
    blank: bool
    duplicates: tuple[str, ...] = ()


def read_document(data: bytes) -> Document:
    """Returns the value in `data`; a BOM is skipped, blank text counts as an empty object.

    Raises `DocumentError` on bytes that are not UTF-8, on a syntax error, NaN, Infinity and absurd nesting.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8-sig", "replace")
        what = "UTF-16 text, which has to be saved as UTF-8," if data[:2] in _UTF16 else "not UTF-8 text"
        raise DocumentError(what, *_position(before, len(before))) from exc
    if not text.strip():
        return Document({}, True)
    twice: list[str] = []

    def pairs(members: list[tuple[str, JSON]]) -> dict[str, JSON]:
        found = dict(members)
        if len(found) != len(members):
            twice.extend(key for key, times in Counter(key for key, _ in members).items() if times > 1)
        return found

    decoder = json.JSONDecoder(
        parse_int=_whole, parse_float=WrittenFloat, parse_constant=_refuse, object_pairs_hook=pairs
    )
    try:
        value: JSON = decoder.decode(text)
    except json.JSONDecodeError as exc:
        raise DocumentError(_reason(text, exc), exc.lineno, exc.colno) from exc
    except _Constant as exc:
        raise DocumentError(f"{exc} is not JSON", *_position(text, _place_of_constant(text))) from exc
    except RecursionError as exc:
        raise DocumentError("nested too deeply", 1, 1) from exc
    if _depth(value) > MAX_DEPTH:
        raise DocumentError("nested too deeply", 1, 1)
    return Document(value, False, tuple(twice))


def _reason(text: str, exc: json.JSONDecodeError) -> str:
    """Returns what is wrong, in words for the two habits that other formats allow and JSON does not."""
    found = text[exc.pos : exc.pos + 2]
    if found in ("//", "/*") or found[:1] == "#":
        return "JSON has no comments"
    if found[:1] in ("}", "]") and text[: exc.pos].rstrip().endswith(","):
        return f"JSON has no comma before {found[0]}"
    return exc.msg.removesuffix(" at")


def _place_of_constant(text: str) -> int:
    """Returns where the first NaN or Infinity outside of strings stands."""
    return next((match.start() for match in _STRING_OR_CONSTANT.finditer(text) if match[0][0] != '"'), 0)


class _Constant(ValueError):
    pass


def _refuse(name: str) -> NoReturn:
    raise _Constant(name)


def _whole(text: str) -> "WrittenInt | WrittenFloat":
    try:
        return WrittenInt(text)
    except ValueError:  # more digits than the interpreter turns into an int; the text is kept
        return WrittenFloat(text)


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def _depth(value: JSON) -> int:
    """Returns how deeply objects and arrays nest, counted without recursion and not far beyond the limit."""
    depth, level = 0, [value] if isinstance(value, dict | list) else []
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
        level = [child for child in inner if isinstance(child, dict | list)]
    return depth


def write_document(doc: Doc) -> bytes:
    """Returns the document as UTF-8: two-space indent, one trailing newline, non-ASCII and numbers as they were."""
    return ("".join(_emit(doc, "\n")) + "\n").encode("utf-8")


def _emit(value: JSON, newline: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        inner = newline + "  "
        mark = "{"
        for key, item in value.items():
            yield f"{mark}{inner}{_string(key)}: "
            yield from _emit(item, inner)
            mark = ","
        yield newline + "}"
    elif isinstance(value, list) and value:
        inner = newline + "  "
        mark = "["
        for item in value:
            yield mark + inner
            yield from _emit(item, inner)
            mark = ","
        yield newline + "]"
    elif isinstance(value, WrittenInt | WrittenFloat):
        yield value.text
    elif isinstance(value, str):
        yield _string(value)
    else:
        yield json.dumps(value)


def _string(text: str) -> str:
    found = json.dumps(text, ensure_ascii=False)
    return found if _encodable(found) else json.dumps(text)


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: only an escape can carry it
        return False
    return True


def clone(value: JSON) -> JSON:
    """Returns a deep copy; texts and numbers are shared."""
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def clone_object(doc: Mapping[str, JSON]) -> Doc:
    """Returns a deep copy of an object."""
    return {key: clone(item) for key, item in doc.items()}
