"""Whether a body has the bones of its format, asked before it is translated.

Law: only what no reading can mend is refused; a vendor that gets its own format judges the rest itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass

_TEXT_OR_LIST: tuple[type, ...] = (str, list)
_HOLDS = (str, list, dict, type(None))
_SPOKEN: Mapping[type, str] = {str: "a string", list: "an array", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One member of a body: its name, the types it may have, whether it must be there, and the list in each entry."""

    key: str
    types: tuple[type, ...]
    required: bool = False
    inner: str = ""


# The vendors' own request schemas; a null counts as absent.
_MESSAGES = (Rule("messages", (list,), True, "content"), Rule("system", _TEXT_OR_LIST), Rule("tools", (list,)))
RULES: Mapping[FormatId, tuple[Rule, ...]] = {
    FormatId.MESSAGES: _MESSAGES,
    FormatId.CHAT: (Rule("messages", (list,), True, "content"), Rule("tools", (list,))),
    FormatId.RESPONSES: (Rule("input", _TEXT_OR_LIST, inner="content"), Rule("tools", (list,))),
    FormatId.GEMINI: (Rule("contents", (list, dict, str), True, "parts"), Rule("tools", (list,))),
}


def _wrong(path: str, types: tuple[type, ...], value: object) -> Fault:
    wanted = " or ".join(_SPOKEN[kind] for kind in types)
    got = "missing" if value is None else _SPOKEN.get(type(value), f"a {type(value).__name__}")
    return Fault(ErrorKind.INVALID_REQUEST, f"{path}: must be {wanted}, and is {got}", param=path)


def _entries(rule: Rule, value: list[Any]) -> Iterator[Fault]:
    inner = rule.inner
    for place, entry in enumerate(value):
        if not isinstance(entry, dict):
            yield _wrong(f"{rule.key}[{place}]", (dict,), entry)
        elif inner and not isinstance(entry.get(inner), _HOLDS):
            yield _wrong(f"{rule.key}[{place}].{inner}", _TEXT_OR_LIST, entry[inner])


def malformed(body: Mapping[str, JSON], client: FormatId) -> Fault | None:
    """Returns the 400 for a body that is none of its format, naming the place; None when it can be read."""
    for rule in RULES.get(client, ()):
        value = body.get(rule.key)
        if value is None and not rule.required:
            continue
        if not isinstance(value, rule.types):
            return _wrong(rule.key, rule.types, value)
        if isinstance(value, list) and (fault := next(_entries(rule, value), None)) is not None:
            return fault
    return None
