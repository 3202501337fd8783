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
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        items = [normal(item) if isinstance(item, dict | list) else item for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _object(value: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    spelled = False
    for key, inner in value.items():
        if "_" in key:
            spelled = spelled or camel(key) != key
        if isinstance(inner, dict | list):
            new = _inner(key, inner)
            if new is not inner:
                changed[key] = new
    if not spelled:
        return {**value, **changed} if changed else value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        name = camel(key)
        # Both spellings of one field: the canonical one wins.
        if name not in out or name == key:
            out[name] = changed.get(key, inner)
    return out


def _inner(key: str, inner: Any) -> Any:
    name = camel(key)
    if name in _FOREIGN:
        return inner
    if name == "properties" and isinstance(inner, dict):
        new = {field: normal(sub) for field, sub in inner.items()}
        return inner if all(new[field] is sub for field, sub in inner.items()) else new
    return normal(inner)
