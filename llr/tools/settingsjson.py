"""Settings files that are one JSON object, comments allowed."""

from llr.base.jsonio import JSON
from llr.tools import jsontext


class NotAnObject(ValueError):
    """The file holds JSON of another kind."""


def parse_object(text: str) -> dict[str, JSON]:
    """Returns the object; a blank text counts as `{}`. Raises `BadJSON` with line and column, `NotAnObject`."""
    if not text.strip("\ufeff \t\r\n"):
        return {}
    value = jsontext.parse(text)
    if not isinstance(value, dict):
        raise NotAnObject("it must contain a JSON object")
    return value
