"""Reads foreign JSON without surprises: each function returns a value of one type, or the empty one.

Law: nothing here raises and nothing converts, except numbers written as numerals by sloppy clients.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.ir.parts import NO_EXTRAS, Extras


def text(value: JSON) -> str:
    """Returns `value` if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def obj(value: JSON) -> dict[str, JSON]:
    """Returns `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: JSON) -> list[JSON]:
    """Returns `value` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def objects(value: JSON) -> list[dict[str, JSON]]:
    """Returns the objects of an array, [] when it is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def texts(value: JSON) -> tuple[str, ...]:
    """Returns the strings of an array, or a lone string as one."""
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def number(value: JSON) -> float | int | None:
    """Returns a finite number as it is, a numeral as a number, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value) if not value.strip().lstrip("+-").isdigit() else int(value)
        except ValueError:
            return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return value
    return None


def integer(value: JSON) -> int | None:
    """Returns a number without its fraction, else None."""
    found = number(value)
    return None if found is None else int(found)


def count(value: JSON) -> int | None:
    """Returns a number of tokens: an integer that is not negative, else None."""
    found = integer(value)
    return None if found is None or found < 0 else found


def flag(value: JSON) -> bool | None:
    """Returns a boolean, else None."""
    return value if isinstance(value, bool) else None


def without(source: Mapping[str, JSON], known: frozenset[str]) -> dict[str, JSON]:
    """Returns the fields of `source` that are not `known`, in order."""
    return {key: value for key, value in source.items() if key not in known}


def luggage(form: FormatId, fields: Mapping[str, Any]) -> Extras:
    """Returns extras that hold `fields` for one format, or none at all."""
    return {form: fields} if fields else NO_EXTRAS


def own(extras: Extras, form: FormatId) -> Mapping[str, Any]:
    """Returns the luggage of one format, {} when there is none."""
    return extras.get(form) or {}
