"""Alias entries as written: ids, strategies and targets, before anything is looked up."""

from llr.base.names import AliasId
from llr.base.records import dataclass
from llr.config.cursor import Cursor
from llr.config.grammar import STRATEGIES, STRATEGY_SYNONYMS, is_alias_id
from llr.config.schema import Alias, AliasTarget

DEFAULT = "default"
# Words of `defaultModel` that name no model: the seed of an empty `default` alias.
NO_DEFAULT = ("", "smart", DEFAULT)


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """One target as written; `listed` names its list for messages."""

    place: Cursor
    listed: str
    target: AliasTarget
    fallback: bool


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """One alias as written, its targets apart; `label` opens messages about it."""

    alias: Alias
    targets: tuple[TargetEntry, ...]
    place: Cursor
    label: str


def read_aliases(root: Cursor) -> dict[str, AliasEntry]:
    """Returns the well-formed aliases by id, the first of equal ids; `default` is always among them."""
    place = root.key("modelAliases")
    found: dict[str, AliasEntry] = {}
    if place.present and place.obj() is None:
        place.error("aliases-not-an-object", "modelAliases must be an object")
    for key, item in place.members():
        own = key.strip()
        if not own:
            item.warn("alias-id-empty", "an alias without a name is ignored")
        elif item.obj() is None:
            item.warn("not-an-object", f"alias {own} must be an object, it is ignored", '{"targets": [...]}')
        elif own in found:
            item.error("alias-duplicate", f"duplicate alias id {own}, this entry is not used")
        elif not is_alias_id(own):
            hint = "start with a letter or digit, then letters, digits and . _ : - [ ]"
            item.error("alias-id", f"alias id {own} invalid", hint)
        else:
            found[own] = _entry(own, item.of("alias"))
    _check_default(root.key("defaultModel"), found)
    if DEFAULT not in found:
        found[DEFAULT] = _seeded_default(root.key("defaultModel"), found)
    return found


def _entry(own: str, item: Cursor) -> AliasEntry:
    label = f"alias {own}"
    item.check_keys(label)
    alias = Alias(
        id=AliasId(own),
        strategy=_strategy(item.key("strategy"), label),
        metadata=item.key("metadata").obj() or {},
        deadline_s=item.llr("deadlineMs").seconds(1_000, 3_600_000),
        max_concurrency=item.llr("maxConcurrency").bounded(1, 100_000),
        first_token_s=item.llr("firstTokenMs").seconds(100, 600_000),
        slow_stream=_slow_stream(item.llr("slowStream")),
        affinity=item.llr("affinity").one_of(("off", "thread", "cache")) or "thread",
        affinity_ttl_s=item.llr("affinityTtlMs").seconds(1_000, 86_400_000) or 3_600.0,
    )
    targets = (*_targets(item, "targets", False), *_targets(item, "fallbackTargets", True))
    return AliasEntry(alias, targets, item, label)


def strategy_name(text: str) -> str | None:
    """Returns the canonical name of a strategy, synonyms understood; None for an unknown one."""
    word = text.strip().lower()
    word = STRATEGY_SYNONYMS.get(word, word)
    return word if word in STRATEGIES else None


def _strategy(place: Cursor, label: str) -> str:
    text = place.text()
    if not text:
        return "ordered"
    found = strategy_name(text)
    if found is None:
        known = f"known: {', '.join(STRATEGIES)}"
        place.error("strategy", f"{label} has unsupported strategy {text}, it runs as ordered", known)
    return found or "ordered"


def _slow_stream(place: Cursor) -> tuple[float, float] | None:
    if not place.present:
        return None
    item = place.of("slowStream")
    item.check_keys("slowStream")
    rate, window = item.key("minCharsPerSecond").finite(), item.key("windowMs").seconds(100, 600_000)
    if rate is None or rate <= 0 or window is None:
        place.warn("bad-value", f"{place.path} needs minCharsPerSecond and windowMs, it is ignored")
        return None
    return rate, window


def _targets(item: Cursor, name: str, fallback: bool) -> list[TargetEntry]:
    found: dict[str, TargetEntry] = {}
    for place in item.key(name).each():
        target = read_target(place)
        if target is None:
            place.warn("target-malformed", f"a target needs a ref, this entry of {name} is ignored")
        elif target.ref in found:
            place.warn("target-duplicate", f"target {target.ref} is listed twice, the first entry counts")
        else:
            index = place.path.rpartition("[")[2].rstrip("]") if isinstance(item.key(name).value, list) else "0"
            found[target.ref] = TargetEntry(place, f"{name}[{index}]", target, fallback)
    return list(found.values())


def read_target(place: Cursor) -> AliasTarget | None:
    """Returns one target as written, None when it has no ref; a weight that does not count is reported."""
    if isinstance(place.value, str):
        ref = place.value.strip()
        return AliasTarget(ref) if ref else None
    item = place.of("target")
    ref = (item.key("ref").string() or "").strip()
    if not ref:
        return None
    item.check_keys(f"target {ref}")
    weight = item.key("weight")
    value = weight.finite()
    if weight.present and (value is None or value <= 0):
        weight.warn("weight", f"target {ref}: weight must be a number above 0, 1 is used")
    return AliasTarget(ref, value if value is not None and value > 0 else None, item.key("metadata").obj())


def _check_default(place: Cursor, found: dict[str, AliasEntry]) -> None:
    if place.present and place.string() is None:
        place.warn("bad-value", "defaultModel must be text, it is ignored")
    wanted = (place.string() or "").strip()
    if DEFAULT not in found or wanted in NO_DEFAULT:
        return
    refs = [entry.target.ref for entry in found[DEFAULT].targets if not entry.fallback]
    copied = found.get(wanted)
    same = copied is not None and refs == [entry.target.ref for entry in copied.targets if not entry.fallback]
    if refs[:1] not in ([wanted], [f"alias:{wanted}"]) and not same:
        message = f"defaultModel {wanted} is ignored, the alias default decides"
        place.warn("default-ignored", message, "set the default model again")


def _seeded_default(place: Cursor, found: dict[str, AliasEntry]) -> AliasEntry:
    """Returns the `default` alias that an older file means: empty, a copy of an alias, or one target."""
    wanted = (place.string() or "").strip()
    empty = Alias(id=AliasId(DEFAULT))
    if wanted in NO_DEFAULT:
        return AliasEntry(empty, (), place, "alias default")
    copied = found.get(wanted)
    if copied is not None:
        source = copied.alias
        alias = Alias(id=AliasId(DEFAULT), strategy=source.strategy, metadata=source.metadata)
        return AliasEntry(alias, copied.targets, place, "alias default")
    entry = TargetEntry(place, "targets[0]", AliasTarget(wanted), False)
    return AliasEntry(empty, (entry,), place, "alias default")
