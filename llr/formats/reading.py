"""Values out of untrusted JSON, by type: a wrong type reads as absent, nothing here raises."""

from collections.abc import Iterator, Mapping
from typing import Any

from llr.base.names import FormatId
from llr.ir.parts import NO_EXTRAS, Extras, Message, Text

# Luggage keys that begin with this note how something was written (a string or a list); they are never sent.
NOTE = "~"
# Milliseconds, as some servers write them, are still within it.
_MOST_EPOCH_S = 2**53
_NOTHING: Mapping[str, Any] = {}


def text(value: Any) -> str:
    """Returns `value` when it is a string, else ""."""
    return value if isinstance(value, str) else ""


def integer(value: Any) -> int | None:
    """Returns a whole number (also one written as a float), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def count(value: Any) -> int | None:
    """Returns a whole number that is not negative, else None."""
    number = integer(value)
    return number if number is not None and number >= 0 else None


def number(value: Any) -> float | None:
    """Returns a number as it is written (an int stays one), else None."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def instant(value: Any) -> float:
    """Returns epoch seconds, 0.0 for what is none: also a number beyond all calendars, such as 1e999."""
    found = number(value)
    return float(found) if found is not None and 0 < found < _MOST_EPOCH_S else 0.0


def boolean(value: Any) -> bool | None:
    """Returns True or False, None for anything else."""
    return value if isinstance(value, bool) else None


def table(value: Any) -> Mapping[str, Any]:
    """Returns `value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def rows(value: Any) -> list[Any]:
    """Returns `value` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def tables(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the objects of a list with their places in it."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, dict):
                yield place, item


def texts(value: Any) -> tuple[str, ...]:
    """Returns the strings of a list, or a lone string as one."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def words(listed: str) -> frozenset[str]:
    """Returns the set of the words in `listed`: how tables of field names are written."""
    return frozenset(listed.split())


def luggage(form: FormatId, source: Mapping[str, Any], known: frozenset[str]) -> Extras:
    """Returns the fields of `source` that are not `known`, as luggage of one format."""
    if source.keys() <= known:
        return NO_EXTRAS
    return {form: {key: value for key, value in source.items() if key not in known}}


def noted(extras: Extras, form: FormatId, key: str, value: Any = True) -> Extras:
    """Returns `extras` with one more field for one format."""
    return {**extras, form: {**extras.get(form, _NOTHING), key: value}}


def bag(extras: Extras, form: FormatId) -> Mapping[str, Any]:
    """Returns the luggage of one format, notes included."""
    return extras.get(form, _NOTHING) if extras else _NOTHING


def bare_text(message: Message, own: FormatId) -> str:
    """Returns the words of a turn that is one text with nothing attached that `own` could write or lose, else "".

    Most turns of a long talk are that, and thousands of them should not be looked at part by part.
    """
    if len(message.parts) != 1:
        return ""
    only = message.parts[0]
    if only.__class__ is not Text or only.citations:
        return ""
    if (message.extras and not _only_notes(message.extras, own)) or (only.extras and not _only_notes(only.extras, own)):
        return ""
    return only.text


def _only_notes(extras: Extras, own: FormatId) -> bool:
    """Returns whether there is nothing in luggage but notes for other formats than `own`."""
    for form, held in extras.items():
        if form is own:
            return False
        for key in held:
            if key[:1] != NOTE:
                return False
    return True


def unload(extras: Extras, form: FormatId, into: dict[str, Any]) -> None:
    """Adds the luggage of one format to `into`: fields already there win, notes stay behind."""
    if extras and (own := extras.get(form)):
        for key, value in own.items():
            if key[:1] != NOTE and key not in into:
                into[key] = value
