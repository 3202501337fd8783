"""Edits of JSON and JSONC as text: comments, order, indentation, line ends and number spelling stay.

Law: pure; every function takes the whole text and returns the whole text. A path is a tuple of keys and indexes.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from llr.base.jsonio import JSON
from llr.base.records import dataclass

Path: TypeAlias = "tuple[str | int, ...]"
_SPACE = " \t\r\n"
_MAX_DEPTH = 200
_DECODER = json.JSONDecoder()


class BadJSON(ValueError):
    """The text is not JSON (comments and trailing commas allowed); says line and column, both from 1."""

    def __init__(self, text: str, at: int, why: str) -> None:
        self.line = text.count("\n", 0, at) + 1
        self.column = at - (text.rfind("\n", 0, at) + 1) + 1
        super().__init__(f"{why} at line {self.line}, column {self.column}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One member or item: from its key (or value) to the end of its value; `comma_at` of the comma after it, or -1."""

    start: int
    end: int
    comma_at: int
    key: str | None
    value: "Node"


@dataclass(frozen=True, slots=True)
class Node:
    """One value in the text; `entries` of an object or array in order."""

    start: int
    end: int
    kind: str
    entries: tuple[Entry, ...] = ()


class _Scanner:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 1 if text.startswith("\ufeff") else 0

    def fail(self, why: str) -> BadJSON:
        return BadJSON(self.text, self.at, why)

    def skip(self) -> None:
        text = self.text
        while self.at < len(text):
            if text[self.at] in _SPACE:
                self.at += 1
            elif text.startswith(("//", "/*"), self.at):
                self.comment()
            else:
                return

    def comment(self) -> None:
        block = self.text.startswith("/*", self.at)
        end = self.text.find("*/" if block else "\n", self.at + 2)
        if block and end < 0:
            raise self.fail("comment without end")
        self.at = len(self.text) if end < 0 else end + (2 if block else 0)

    def string(self) -> str:
        if not self.text.startswith('"', self.at):
            raise self.fail("expected a string")
        try:
            value, self.at = _DECODER.raw_decode(self.text, self.at)
        except json.JSONDecodeError as exc:
            raise BadJSON(self.text, exc.pos, exc.msg) from exc
        return str(value)

    def value(self, depth: int = 0) -> Node:
        if depth > _MAX_DEPTH:
            raise self.fail("nested too deeply")
        start = self.at
        char = self.text[start : start + 1]
        if char in "{[" and char:
            entries = tuple(self.entries(char == "{", depth))
            return Node(start, self.at, "object" if char == "{" else "array", entries)
        if char == '"':
            self.string()
            return Node(start, self.at, "string")
        end = start
        while end < len(self.text) and self.text[end] not in ",]}/" + _SPACE:
            end += 1
        try:
            json.loads(self.text[start:end])
        except json.JSONDecodeError as exc:
            raise self.fail("expected a value") from exc
        self.at = end
        return Node(start, end, "scalar")

    def entries(self, is_object: bool, depth: int) -> Iterator[Entry]:
        close = "}" if is_object else "]"
        self.at += 1
        self.skip()
        while not self.text.startswith(close, self.at):
            start, key = self.at, None
            if is_object:
                key = self.string()
                self.skip()
                if not self.text.startswith(":", self.at):
                    raise self.fail("expected ':'")
                self.at += 1
                self.skip()
            value = self.value(depth + 1)
            comma_at = -1
            self.skip()
            if self.text.startswith(",", self.at):
                comma_at = self.at
                self.at += 1
                self.skip()
            elif not self.text.startswith(close, self.at):
                raise self.fail(f"expected ',' or '{close}'")
            yield Entry(start, value.end, comma_at, key, value)
        self.at += 1


def scan(text: str) -> Node:
    """Returns the tree of the one value in `text`. Raises `BadJSON`."""
    scanner = _Scanner(text)
    scanner.skip()
    root = scanner.value()
    scanner.skip()
    if scanner.at != len(text):
        raise scanner.fail("text after the end")
    return root


def _plain(text: str, node: Node) -> Any:
    if node.kind == "object":
        return {entry.key: _plain(text, entry.value) for entry in node.entries}
    if node.kind == "array":
        return [_plain(text, entry.value) for entry in node.entries]
    return json.loads(text[node.start : node.end])


def parse(text: str) -> Any:
    """Returns the value in `text`, comments and trailing commas allowed. Raises `BadJSON`."""
    return _plain(text, scan(text))


def _entry(node: Node, step: str | int) -> Entry | None:
    if isinstance(step, int):
        return node.entries[step] if node.kind == "array" and 0 <= step < len(node.entries) else None
    found = [entry for entry in node.entries if entry.key == step] if node.kind == "object" else []
    # The last duplicate is the one JSON readers see.
    return found[-1] if found else None


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent_of(text: str, at: int) -> str:
    """Returns the white space that opens the line of `at`."""
    line = text.rfind("\n", 0, at) + 1
    end = line
    while end < len(text) and text[end] in " \t":
        end += 1
    return text[line:end]


def _unit(text: str, root: Node) -> str:
    """Returns one step of indentation as this file has it: that of its first member, else two blanks."""
    if root.entries and "\n" in text[root.start : root.entries[0].start]:
        return _indent_of(text, root.entries[0].start)[len(_indent_of(text, root.start)) :] or "  "
    return "  "


def _rendered(text: str, root: Node, value: JSON, indent: str) -> str:
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text, root)).split("\n")
    return (_newline(text) + indent).join(lines)


def _after_comment(text: str, at: int, stop: int) -> int:
    """Returns where the comments on the line of `at` end, or `at` when there are none or they end beyond `stop`."""
    scanner = _Scanner(text)
    end = scanner.at = at
    while scanner.at < stop and text[scanner.at] in " \t/":
        if text[scanner.at] == "/":
            scanner.comment()
            end = scanner.at
        else:
            scanner.at += 1
    return end - 1 if text[end - 1 : end] == "\r" else end


def _inserted(text: str, root: Node, holder: Node, body: tuple[str | None, JSON]) -> str:
    """Returns `text` with one more entry at the end of `holder`, on a line of its own where the others are."""
    key, value = body
    multiline = not holder.entries or "\n" in text[holder.start : holder.entries[0].start]
    outer = _indent_of(text, holder.start)
    indent = _indent_of(text, holder.entries[-1].start) if holder.entries and multiline else outer + _unit(text, root)
    piece = _rendered(text, root, value, indent)
    if key is not None:
        piece = f"{json.dumps(key, ensure_ascii=False)}: {piece}"
    newline = _newline(text)
    if not holder.entries:
        inner = text[holder.start + 1 : holder.end - 1].rstrip()
        return f"{text[: holder.start + 1]}{inner}{newline}{indent}{piece}{newline}{outer}{text[holder.end - 1 :]}"
    last = holder.entries[-1]
    gap = newline + indent if multiline else " "
    # A comment behind the last entry belongs to that entry: the new one goes below it.
    done = last.end if last.comma_at < 0 else last.comma_at + 1
    at = _after_comment(text, done, holder.end - 1) if multiline else done
    if last.comma_at >= 0:
        return f"{text[:at]}{gap}{piece},{text[at:]}"
    return f"{text[: last.end]},{text[last.end : at]}{gap}{piece}{text[at:]}"


def put(text: str, path: Path, value: JSON) -> str:
    """Returns `text` with `value` at `path`; objects on the way are made, what cannot hold the path is replaced.

    A blank text counts as `{}`. Raises `BadJSON`, or `KeyError` for an index that does not exist.
    """
    if not text.strip("\ufeff" + _SPACE):
        text = text[:1] if text.startswith("\ufeff") else ""
        text += "{}\n"
    root = node = scan(text)
    for number, step in enumerate(path):
        entry = _entry(node, step)
        rest = path[number + 1 :]
        holder = "array" if rest and isinstance(rest[0], int) else "object"
        if entry is None or (rest and entry.value.kind != holder):
            for name in reversed(rest):
                value = {str(name): value}
            if entry is not None:
                piece = _rendered(text, root, value, _indent_of(text, entry.start))
                return text[: entry.value.start] + piece + text[entry.value.end :]
            if node.kind != "object" or not isinstance(step, str):
                raise KeyError(step)
            return _inserted(text, root, node, (step, value))
        node = entry.value
    if _plain(text, node) == value and type(_plain(text, node)) is type(value):
        return text
    piece = _rendered(text, root, value, _indent_of(text, node.start))
    return text[: node.start] + piece + text[node.end :]


def append(text: str, path: Path, value: JSON) -> str:
    """Returns `text` with one more item at the end of the array at `path`, made if absent."""
    root = node = scan(text)
    for step in path:
        entry = _entry(node, step)
        if entry is None:
            return put(text, path, [value])
        node = entry.value
    if node.kind != "array":
        return put(text, path, [value])
    return _inserted(text, root, node, (None, value))


def _line_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns the span widened to whole lines when nothing else stands on them."""
    line = text.rfind("\n", 0, start) + 1
    after = end
    while after < len(text) and text[after] in " \t\r":
        after += 1
    if text[line:start].strip(" \t") or not text.startswith("\n", after):
        return start, end
    return line, after + 1


def remove(text: str, path: Path) -> str:
    """Returns `text` without the entry at `path` (every duplicate of a key); unchanged when it is not there."""
    if not text.strip("\ufeff" + _SPACE):
        return text
    holder = scan(text)
    for step in path[:-1]:
        entry = _entry(holder, step)
        if entry is None:
            return text
        holder = entry.value
    entry = _entry(holder, path[-1])
    if entry is None:
        return text
    place = holder.entries.index(entry)
    if entry.comma_at >= 0:
        start, end = _line_span(text, entry.start, entry.comma_at + 1)
        if start == entry.start and end < len(text) and text[end] == " ":
            end += 1
        text = text[:start] + text[end:]
    else:
        start, end = _line_span(text, entry.start, entry.end)
        text = text[:start] + text[end:]
        comma_at = holder.entries[place - 1].comma_at if place else -1
        if comma_at >= 0:
            text = text[:comma_at] + text[comma_at + 1 :]
            if start == entry.start:
                text = text[:comma_at] + text[comma_at:].lstrip(" ") if text[comma_at : comma_at + 1] == " " else text
    return remove(text, path) if isinstance(path[-1], str) else text


def put_items(text: str, path: Path, items: list[JSON]) -> str:
    """Returns `text` whose array at `path` has these items, those that are there already left as and where they are.

    Items that are not wanted are removed, new ones come at the end, so the order of kept ones is the file's.
    """
    holder: Node | None = scan(text) if text.strip("\ufeff" + _SPACE) else None
    for step in path:
        entry = _entry(holder, step) if holder is not None else None
        holder = entry.value if entry is not None else None
    if holder is None or holder.kind != "array":
        return put(text, path, items)
    wanted = list(items)
    drop: list[int] = []
    for number, entry in enumerate(holder.entries):
        value = _plain(text, entry.value)
        if value in wanted:
            wanted.remove(value)
        else:
            drop.append(number)
    for number in reversed(drop):
        text = remove(text, (*path, number))
    for item in wanted:
        text = append(text, path, item)
    return text
