"""Effective settings under their stable names, as JSON and as text."""

from llr.base.jsonio import JSON
from llr.base.records import fields
from llr.config.schema import Settings


def settings_facts(found: Settings) -> dict[str, JSON]:
    """Returns the effective settings under their stable JSON names."""
    facts: dict[str, JSON] = {}
    for item in fields(found):
        value = getattr(found, item.name)
        facts[_json_name(item.name)] = list(value) if isinstance(value, tuple) else value
    return facts


def _json_name(name: str) -> str:
    stem = name.removesuffix("_s") + "_seconds" if name.endswith("_s") else name
    head, *tail = stem.split("_")
    return head + "".join(word.capitalize() for word in tail)


def value_text(value: JSON) -> str:
    """Returns the cell text of a value."""
    match value:
        case None | "":
            return "(not set)"
        case bool():
            return "Yes" if value else "No"
        case list():
            return ", ".join(map(str, value)) or "(none)"
        case _:
            return str(value)


def settings_rows(settings: JSON) -> tuple[tuple[str, str], ...]:
    """Returns names and cell texts, none for what is no object."""
    return tuple((name, value_text(one)) for name, one in settings.items()) if isinstance(settings, dict) else ()
