"""Edits of TOML as text: comments, order, line ends, spacing and unknown tables stay.

Law: pure. Every edit is proved by `tomllib` before it is returned: the parsed document may differ only at the path
that was edited, otherwise the edit is refused. A path is a tuple of keys, `("model_providers", "llm-router")`.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, TypeAlias

from llr.base.records import dataclass

Path: TypeAlias = "tuple[str, ...]"
Scalar: TypeAlias = "str | int | float | bool"
Value: TypeAlias = "Scalar | list[Any] | dict[str, Any]"

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
# The four string forms, longest opening first (TOML 1.0, "String").
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


class BadTOML(ValueError):
    """The text is not TOML, or an edit would change more than its path; says line and column where known."""

    def __init__(self, why: str) -> None:
        place = _PLACE.search(why)
        self.line, self.column = (int(place[1]), int(place[2])) if place else (0, 0)
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Statement:
    """One header or assignment. `path` is absolute; the span is its whole lines, the value's span inside.

    `kind` is "table", "array" (`[[x]]`) or "value". `owner` is the path of the header above it.
    """

    kind: str
    path: Path
    owner: Path
    start: int
    end: int
    value_start: int = 0
    value_end: int = 0
    in_array: bool = False


def parse(text: str) -> dict[str, Any]:
    """Returns the document. Raises `BadTOML` with line and column."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as exc:
        raise BadTOML(str(exc)) from exc


def _key(text: str, at: int) -> tuple[Path, int]:
    """Returns the dotted key at `at` and where it ends."""
    parts: list[str] = []
    while True:
        at = _blank(text, at)
        if text[at] in "\"'":
            match = _STRING.match(text, at)
            assert match is not None
            parts.append(str(tomllib.loads(f"k = {match[0]}")["k"]))
        else:
            match = _BARE.match(text, at)
            assert match is not None
            parts.append(match[0])
        at = _blank(text, match.end())
        if text[at : at + 1] != ".":
            return tuple(parts), at
        at += 1


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _value_end(text: str, at: int) -> int:
    """Returns where the value that starts at `at` ends: before a comment, comma or line end outside brackets."""
    depth, end = 0, at
    while at < len(text):
        char = text[at]
        if char in "\"'":
            match = _STRING.match(text, at)
            assert match is not None
            at = end = match.end()
            continue
        if char == "#":
            if not depth:
                return end
            at = _line_end(text, at)
            continue
        if not depth and char in "\n,]}":
            return end
        depth += (char in "[{") - (char in "]}")
        at += 1
        if char not in " \t\r\n":
            end = at
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def statements(text: str) -> Iterator[Statement]:
    """Yields the headers and assignments of a valid document in order."""
    at = 1 if text.startswith("\ufeff") else 0
    owner: Path = ()
    in_array = False
    arrays: set[Path] = set()
    while at < len(text):
        start = at
        at = _blank(text, at)
        if at >= len(text) or text[at] in "#\r\n":
            at = _line_end(text, at) + 1
            continue
        if text[at] == "[":
            double = text.startswith("[[", at)
            owner, at = _key(text, at + (2 if double else 1))
            if double:
                arrays.add(owner)
            in_array = any(owner[: len(array)] == array for array in arrays)
            at = min(_line_end(text, at) + 1, len(text))
            yield Statement("array" if double else "table", owner, owner, start, at, in_array=in_array)
            continue
        path, at = _key(text, at)
        value_start = _blank(text, at + 1)
        value_end = _value_end(text, value_start)
        at = min(_line_end(text, value_end) + 1, len(text))
        yield Statement("value", owner + path, owner, start, at, value_start, value_end, in_array)


def _inline(text: str, outer: Statement) -> Iterator[Statement]:
    """Yields the members of an inline table value, in order; spans without commas and blanks."""
    at = _blank(text, outer.value_start + 1)
    while text[at] != "}":
        start = at
        path, at = _key(text, at)
        value_start = _blank(text, at + 1)
        end = _value_end(text, value_start)
        yield Statement("value", outer.path + path, outer.path, start, end, value_start, end, outer.in_array)
        at = _blank(text, end)
        if text[at] == ",":
            at = _blank(text, at + 1)


def _basic(text: str) -> str:
    """Returns a basic string: JSON's escapes, and DEL, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _quoted(key: str) -> str:
    return key if _BARE.fullmatch(key) else _basic(key)


def _dotted(path: Path) -> str:
    return ".".join(_quoted(key) for key in path)


def render(value: Any) -> str:
    """Returns a TOML value; strings as basic strings, tables inline, dates as the library gives them."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _basic(value)
        case list():
            return f"[{', '.join(map(render, value))}]"
        case dict():
            inner = ", ".join(f"{_quoted(key)} = {render(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case int() | float():
            return repr(value)
        case _:
            return str(value.isoformat())


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _holder(text: str, path: Path, all_: list[Statement]) -> Statement | None:
    """Returns the inline table that holds `path`, if one does."""
    for statement in all_:
        inside = statement.kind == "value" and len(statement.path) < len(path)
        if inside and path[: len(statement.path)] == statement.path and text[statement.value_start] == "{":
            return statement
    return None


def _put_inline(text: str, outer: Statement, path: Path, value: str) -> str:
    members = list(_inline(text, outer))
    for member in members:
        if member.path == path:
            return text[: member.value_start] + value + text[member.value_end :]
        if path[: len(member.path)] == member.path and text[member.value_start] == "{":
            return _put_inline(text, member, path, value)
    piece = f"{_dotted(path[len(outer.path) :])} = {value}"
    if members:
        at = members[-1].end
        return f"{text[:at]}, {piece}{text[at:]}"
    return f"{text[: outer.value_start]}{{ {piece} }}{text[outer.value_end :]}"


def _line_after(text: str, at: int, line: str) -> str:
    """Returns `text` with `line` inserted at `at`, which is a line start or the end of an unfinished line."""
    newline = _newline(text)
    before = text[:at]
    if before.strip("\ufeff") and not before.endswith("\n"):
        before += newline
    return before + line + newline + text[at:]


def _insert(text: str, path: Path, value: str, all_: list[Statement]) -> str:
    """Returns `text` with a new assignment in the table that is its home, the table made if need be."""
    table = path[:-1]
    siblings = [one for one in all_ if one.kind == "value" and one.path[:-1] == table and not one.in_array]
    if siblings:
        last = siblings[-1]
        indent = text[last.start : _blank(text, last.start)]
        return _line_after(text, last.end, f"{indent}{_dotted(path[len(last.owner) :])} = {value}")
    for one in all_:
        if one.kind == "table" and one.path == table:
            return _line_after(text, one.end, f"{_dotted(path[-1:])} = {value}")
    if not table:
        headers = [one for one in all_ if one.kind != "value"]
        line = f"{_dotted(path)} = {value}"
        if not headers:
            return _line_after(text, len(text), line)
        return _line_after(text, headers[0].start, line + _newline(text))
    under = [one for one in all_ if one.kind == "value" and one.path[: len(table)] == table and not one.in_array]
    if under and under[-1].owner != under[-1].path[:-1] and len(under[-1].owner) < len(table):
        return _line_after(text, under[-1].end, f"{_dotted(path[len(under[-1].owner) :])} = {value}")
    newline = _newline(text)
    if not text.strip("\ufeff \t\r\n"):
        return f"{text}[{_dotted(table)}]{newline}{_dotted(path[-1:])} = {value}{newline}"
    gap = "" if text.endswith(newline * 2) else newline
    return _line_after(text, len(text), f"{gap}[{_dotted(table)}]{newline}{_dotted(path[-1:])} = {value}")


def _with(doc: dict[str, Any], path: Path, value: Value) -> dict[str, Any]:
    inner = doc.get(path[0])
    if len(path) == 1:
        return {**doc, path[0]: value}
    return {**doc, path[0]: _with(inner if isinstance(inner, dict) else {}, path[1:], value)}


def put(text: str, path: Path, value: Value) -> str:
    """Returns `text` with `path` set to `value`, in place where it is assigned, else at the end of its table.

    Raises `BadTOML` when the text is broken or `path` runs through something that is not a table.
    """
    before = parse(text)
    all_ = list(statements(text))
    rendered = render(value)
    there = [one for one in all_ if one.kind == "value" and one.path == path and not one.in_array]
    if there:
        one = there[0]
        if tomllib.loads(f"k = {text[one.value_start : one.value_end]}".replace("\r\n", "\n"))["k"] == value:
            return text
        edited = text[: one.value_start] + rendered + text[one.value_end :]
    elif (outer := _holder(text, path, all_)) is not None:
        edited = _put_inline(text, outer, path, rendered)
    else:
        edited = _insert(text, path, rendered, all_)
    return _proved(edited, _with(before, path, value), path)


def _without(doc: dict[str, Any], path: Path) -> dict[str, Any]:
    if path[0] not in doc:
        return doc
    if len(path) == 1:
        return {key: value for key, value in doc.items() if key != path[0]}
    inner = doc[path[0]]
    return {**doc, path[0]: _without(inner, path[1:])} if isinstance(inner, dict) else doc


def _cut_inline(text: str, outer: Statement, path: Path) -> str:
    members = list(_inline(text, outer))
    for number, member in enumerate(members):
        if path[: len(member.path)] == member.path and len(member.path) < len(path):
            return _cut_inline(text, member, path)
        if member.path[: len(path)] == path:
            if number + 1 < len(members):
                return text[: member.start] + text[members[number + 1].start :]
            return text[: members[number - 1].end if number else member.start] + text[member.end :]
    return text


def remove(text: str, path: Path) -> str:
    """Returns `text` without the key or whole table at `path`; unchanged when it is not there.

    A table's own blank line before its header goes with it. Raises `BadTOML`.
    """
    before = parse(text)
    all_ = list(statements(text))
    gone = [one for one in all_ if one.path[: len(path)] == path]
    if not gone:
        outer = _holder(text, path, all_)
        if outer is None:
            return text
        return _proved(_cut_inline(text, outer, path), _without(before, path), path, empties=True)
    edited = text
    for one in reversed(gone):
        start = one.start
        if one.kind != "value":
            blank = _newline(text) * 2
            start -= len(_newline(text)) if edited[:start].endswith(blank) else 0
        edited = edited[:start] + edited[one.end :]
    return _proved(edited, _without(before, path), path, empties=True)


def _pruned(doc: dict[str, Any], path: Path) -> dict[str, Any]:
    """Returns `doc` without tables on `path` that are empty: a header that went may have been their only mention."""
    if not path or not isinstance(doc.get(path[0]), dict):
        return doc
    inner = _pruned(doc[path[0]], path[1:])
    return {**doc, path[0]: inner} if inner else {key: value for key, value in doc.items() if key != path[0]}


def _proved(edited: str, wanted: dict[str, Any], path: Path, *, empties: bool = False) -> str:
    got = parse(edited)
    if empties:
        got, wanted = _pruned(got, path), _pruned(wanted, path)
    if got != wanted:
        raise BadTOML(f"changing {_dotted(path)} would change more than that key; edit the file by hand")
    return edited
