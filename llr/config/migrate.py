"""Schema versions: which one a document has, and the numbered steps that bring it forward.

Law: a step is a pure function of the document and never mutates it; unknown keys and key order survive.
"""

from collections.abc import Callable, Mapping

from llr.base.jsonio import JSON
from llr.config.document import clone_object
from llr.config.grammar import number, posint
from llr.config.keys import spellings
from llr.config.locate import get
from llr.config.schema import Doc

CURRENT_VERSION = 2
MINIMUM_VERSION = 1


class MigrationError(ValueError):
    """There is no way from one version to the other; the message says which."""


def explicit_version(doc: Mapping[str, JSON]) -> int | None:
    """Returns the version a document states, floored; None when absent or not a positive number."""
    return posint(doc.get("version"))


def detected_version(doc: Mapping[str, JSON]) -> int:
    """Returns the stated version, else 2 when the document has an alias or a rate limit, else 1."""
    stated = explicit_version(doc)
    if stated is not None:
        return stated
    aliases = get(doc, "root", "modelAliases")
    if isinstance(aliases, dict) and aliases:
        return 2
    return 2 if any(_has_limits(entry) for entry in _providers(doc)) else 1


def check_version(version: JSON) -> int:
    """Returns a version given literally. Raises `MigrationError` when it is no positive integer or too old."""
    if isinstance(version, bool) or not isinstance(version, int | float) or number(version) is None or version <= 0:
        raise MigrationError("version must be a positive integer")
    if int(version) < MINIMUM_VERSION:
        raise MigrationError(f"version {version} is unsupported, the minimum is {MINIMUM_VERSION}")
    return int(version)


def migrate(doc: Doc, target: JSON = CURRENT_VERSION) -> Doc:
    """Returns a copy of `doc` at version `target`; unchanged when it is already there or beyond.

    Raises `MigrationError` for a target that is no number or that no step leads to.
    """
    wanted = posint(target) if isinstance(target, int | float | str) else None
    if wanted is None:
        raise MigrationError(f"invalid migration target {target}")
    have = detected_version(doc)
    found = clone_object(doc)
    if wanted < have:
        return found
    for version in range(have, wanted):
        step = STEPS.get(version)
        if step is None:
            raise MigrationError(f"no migration path from {have} to {wanted}")
        found = step(found)
    return found


def upgrade(doc: Doc) -> Doc:
    """Returns what a load writes back: the document at the current version, its `default` alias spelled out."""
    if detected_version(doc) >= CURRENT_VERSION:
        return clone_object(doc)
    return _with_default_alias(migrate(doc))


def _one_to_two(doc: Doc) -> Doc:
    found = clone_object(doc)
    for entry in _providers(found):
        if not any(name in entry for name in spellings("provider", "rateLimits")):
            entry["rateLimits"] = []
    if not any(found.get(name) is not None for name in spellings("root", "modelAliases")):
        found["modelAliases"] = {}
    if "version" in found:
        found["version"] = 2
        return found
    return {"version": 2, **found}


STEPS: Mapping[int, Callable[[Doc], Doc]] = {1: _one_to_two}


def default_alias(doc: Mapping[str, JSON]) -> dict[str, JSON]:
    """Returns the `default` alias that `defaultModel` means: empty, a copy of the named alias, or one target."""
    wanted = get(doc, "root", "defaultModel")
    text = wanted.strip() if isinstance(wanted, str) else ""
    empty: dict[str, JSON] = {"id": "default", "strategy": "ordered", "targets": [], "fallbackTargets": []}
    if text in {"", "smart", "default"}:
        return empty
    aliases = get(doc, "root", "modelAliases")
    named = aliases.get(text) if isinstance(aliases, dict) else None
    if isinstance(named, dict):
        return {**empty, **clone_object(named), "id": "default"}
    return {**empty, "targets": [{"ref": text}]}


def _with_default_alias(doc: Doc) -> Doc:
    for name in spellings("root", "modelAliases"):
        aliases = doc.get(name)
        if isinstance(aliases, dict):
            if not any(key.strip() == "default" for key in aliases):
                aliases["default"] = default_alias(doc)
            return doc
        if aliases is not None:
            return doc
    return doc


def _providers(doc: Mapping[str, JSON]) -> list[dict[str, JSON]]:
    listed = doc.get("providers")
    entries = listed if isinstance(listed, list) else [listed]
    return [entry for entry in entries if isinstance(entry, dict)]


def _has_limits(entry: Mapping[str, JSON]) -> bool:
    limits = get(entry, "provider", "rateLimits")
    return isinstance(limits, list) and bool(limits)
