"""Function calls whose arguments a Gemini stream sends piece by piece, put together.

Law: a call comes out once, whole, in the form of one that was never in pieces; pieces that fit nowhere are a failure,
never a wrong call. Source: the google-genai SDK's `FunctionCall.partial_args` and `PartialArg`, RFC 9535 for paths.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.formats import reading

# `.name`, `[0]`, `['name']` and `["name"]`: the segments of a path to one value.
_SEGMENT = re.compile(r"""\.([^.*\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_ESCAPED = re.compile(r"\\(.)")
# A list grows by one piece at a time; a place far beyond its end is a mistake.
_FURTHEST = 10_000
# Beyond this a double is no exact whole number.
_EXACT = 2.0**53
_PIECES = frozenset(("partialArgs", "willContinue"))


class BadPath(ValueError):
    """A path that leads to no one value; the message is the path."""


def segments(path: str) -> list[str | int]:
    """Returns the names and places of a path to one value. Raises `BadPath` for any other."""
    found: list[str | int] = []
    at = 1
    while at < len(path):
        match = _SEGMENT.match(path, at)
        if match is None:
            raise BadPath(path)
        name, place, single, double = match.groups()
        quoted = single if single is not None else double
        found.append(int(place) if place else name if name else _ESCAPED.sub(r"\1", quoted))
        at = match.end()
    if path[:1] != "$" or not found:
        raise BadPath(path)
    return found


def _step(inside: Any, key: str | int, empty: Any, path: str) -> Any:
    """Returns what stands at `key`, `empty` put there first where nothing does."""
    if isinstance(inside, dict) and isinstance(key, str):
        if inside.get(key) is None:
            inside[key] = empty
    elif isinstance(inside, list) and isinstance(key, int) and key <= len(inside) + _FURTHEST:
        inside.extend([None] * (key + 1 - len(inside)))
        if inside[key] is None:
            inside[key] = empty
    else:
        raise BadPath(path)
    return inside[key]


def _number(value: Any) -> Any:
    """Returns a whole number as an integer: the vendor's type is a double, the tool's often not."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


class PartialCalls:
    """The calls of one answer; at most one is in pieces at a time. `kind` is whose fault wrong pieces are."""

    __slots__ = ("_args", "_begun", "_call", "_kind", "_part")

    def __init__(self, kind: ErrorKind = ErrorKind.UPSTREAM_INVALID) -> None:
        self._kind = kind
        self._part: dict[str, Any] | None = None
        self._call: dict[str, Any] = {}
        self._args: dict[str, Any] = {}
        # Texts that go on, by path.
        self._begun: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Returns whether a call lacks pieces."""
        return self._part is not None

    def take(self, part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Returns the parts of calls that this part completes, or the part itself when it is a whole call.

        Raises `GatewayError` for pieces that fit nowhere.
        """
        call = reading.table(part.get("functionCall"))
        out: list[Mapping[str, Any]] = []
        if self.waiting and self._is_next(call):
            out += self.rest()
        if not self.waiting:
            if "partialArgs" not in call and call.get("willContinue") is not True:
                return [*out, part]
            self._part, self._call, self._args, self._begun = {}, {}, {}, set()
        try:
            self._add(part, call)
        except BadPath as exc:
            raise fail(self._kind, f"a call has an argument at a path that cannot be: {str(exc)!r}") from exc
        if call.get("willContinue") is not True:
            out += self.rest()
        return out

    def _is_next(self, call: Mapping[str, Any]) -> bool:
        """Returns whether another call begins although the last one was to go on: only a first piece has a name."""
        ident = reading.text(call.get("id"))
        return bool(call.get("name")) and not (ident and ident == self._call.get("id"))

    def _add(self, part: Mapping[str, Any], call: Mapping[str, Any]) -> None:
        self._part = {**part, **(self._part or {})}
        given = call.get("args")
        if isinstance(given, dict):
            self._args.update(given)
        kept = {key: value for key, value in call.items() if key not in _PIECES and key != "args" and value}
        self._call = {**kept, **self._call}
        for _, piece in reading.tables(call.get("partialArgs")):
            self._set(piece)

    def _set(self, piece: Mapping[str, Any]) -> None:
        path = reading.text(piece.get("jsonPath"))
        keys = segments(path)
        inside: Any = self._args
        for key, following in pairwise(keys):
            inside = _step(inside, key, [] if isinstance(following, int) else {}, path)
        _step(inside, keys[-1], None, path)
        last: Any = keys[-1]
        if isinstance(text := piece.get("stringValue"), str):
            inside[last] = inside[last] + text if path in self._begun else text
        else:
            for kind in ("numberValue", "boolValue", "nullValue"):
                if kind in piece:
                    inside[last] = None if kind == "nullValue" else _number(piece[kind])
        goes_on = piece.get("willContinue") is True and isinstance(inside[last], str)
        (self._begun.add if goes_on else self._begun.discard)(path)

    def rest(self) -> list[Mapping[str, Any]]:
        """Returns the call in pieces, whole as far as it came, and nothing when there is none."""
        if self._part is None:
            return []
        part, self._part = {**self._part, "functionCall": {**self._call, "args": self._args}}, None
        return [part]
