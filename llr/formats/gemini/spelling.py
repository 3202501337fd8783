"""One spelling for Gemini's field names.

The vendor reads camelCase and snake_case alike and its own SDK mixes them; here everything is camelCase. What belongs
to the user (arguments, results, JSON schemas, labels, property names) is never touched.
"""

import re
from typing import Any

from llr.formats.reading import words

_SNAKE = re.compile(r"_+([a-z0-9])")
# Below these fields the keys are the user's own.
_FOREIGN = words(
    "args response parametersJsonSchema responseJsonSchema labels partMetadata default example enum "
    "additionalProperties"
)


def camel(name: str) -> str:
    """Returns a field name in camelCase."""
    return _SNAKE.sub(lambda match: match.group(1).upper(), name) if "_" in name.strip("_") else name


def normal(value: Any) -> Any:
    """Returns a protocol object with all its field names in camelCase; the same object when they were already."""
    kind = type(value)
    return _object(value) if kind is dict else _list(value) if kind is list else value


def _list(value: list[Any]) -> list[Any]:
    out: list[Any] | None = None
    for place, item in enumerate(value):
        kind = type(item)
        new = _object(item) if kind is dict else _list(item) if kind is list else item
        if new is not item:
            out = list(value) if out is None else out
            out[place] = new
    return value if out is None else out


def _object(value: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] | None = None
    spelled = False
    for key, inner in value.items():
        if "_" in key:
            spelled = spelled or camel(key) != key
        kind = type(inner)
        if kind is dict:
            new: Any = inner if camel(key) in _FOREIGN else _map(inner) if key == "properties" else _object(inner)
        elif kind is list:
            new = inner if key in _FOREIGN else _list(inner)
        else:
            continue
        if new is not inner:
            changed = {} if changed is None else changed
            changed[key] = new
    if not spelled:
        return value if changed is None else {**value, **changed}
    return _respelled(value, changed or {})


def _map(value: dict[str, Any]) -> dict[str, Any]:
    """Returns a map whose keys are the user's own and whose values are protocol objects."""
    new = {name: normal(inner) for name, inner in value.items()}
    return value if all(new[name] is inner for name, inner in value.items()) else new


def _respelled(value: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, inner in value.items():
        name = camel(key)
        # Both spellings of one field: the canonical one wins.
        if name not in out or name == key:
            out[name] = changed.get(key, inner)
    return out
