"""Cross references: what aliases, fallbacks and other routes point at, looked up once everything is read.

Law: a reference that leads nowhere is left out with an issue; what remains can be followed without checks.
"""

from collections.abc import Iterable, Mapping

from llr.base.names import AliasId, ModelRef
from llr.base.records import dataclass, field, replace
from llr.config.aliases import AliasEntry, TargetEntry
from llr.config.cursor import Cursor
from llr.config.grammar import Direct, ToAlias, parse_ref, split_weight
from llr.config.models import ModelEntry
from llr.config.providers import ProviderEntry
from llr.config.schema import Alias, AliasTarget, Model, Provider


@dataclass(frozen=True, slots=True)
class Names:
    """Everything a reference may name: models by "provider/model" (aliases too), and alias ids.

    `models` maps to whether the model serves; `canonical` to "provider/modelId".
    """

    models: Mapping[str, bool]
    canonical: Mapping[str, str]
    serving: Mapping[str, tuple[Provider, Model]]
    aliases: frozenset[str] = frozenset()


def names_of(entries: Iterable[ProviderEntry], aliases: Iterable[str]) -> Names:
    """Returns what may be referred to; a model id wins over another model's alias, an earlier provider over a later."""
    models: dict[str, bool] = {}
    canonical: dict[str, str] = {}
    serving: dict[str, tuple[Provider, Model]] = {}
    for entry in entries:
        for model in entry.models:
            ref = f"{entry.id}/{model.id}"
            models.setdefault(ref, entry.enabled and model.enabled)
            canonical.setdefault(ref, ref)
            if entry.provider is not None and model.enabled:
                serving.setdefault(ref, (entry.provider, model.model))
    for entry in entries:
        for model in entry.models:
            for other in model.model.aliases:
                ref = f"{entry.id}/{other}"
                models.setdefault(ref, entry.enabled and model.enabled)
                canonical.setdefault(ref, f"{entry.id}/{model.id}")
    return Names(models, canonical, serving, frozenset(aliases))


def check_ref(place: Cursor, label: str, ref: str, names: Names, *, soft: bool = False) -> str | None:
    """Returns the ref in normal form when it names something known; else records why not and returns None.

    `label` opens the message ("alias fast targets[0]"); `soft` records a warning instead of an error.
    """
    report = place.warn if soft else place.error
    parsed = parse_ref(ref)
    if parsed is None:
        report("ref-invalid", f"{label} has invalid ref '{ref}'", "write provider/model or an alias id")
        return None
    if isinstance(parsed, ToAlias):
        if parsed.id in names.aliases:
            return parsed.text
        report("ref-unknown-alias", f"{label} references unknown alias '{parsed.id}'", _near(parsed.id, names))
        return None
    if parsed.text in names.models:
        if not names.models[parsed.text]:
            place.warn("ref-disabled", f"{label} references {parsed.text}, which is disabled")
        return parsed.text
    report("ref-unknown-model", f"{label} references unknown model '{parsed.text}'", _near(parsed.text, names))
    return None


def _near(ref: str, names: Names) -> str:
    from difflib import get_close_matches  # costs time at start, and only wrong files need it

    same = [known for known in names.models if known.partition("/")[2] == ref]
    near = same[:2] or get_close_matches(ref, [*names.models, *names.aliases], n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""


@dataclass(slots=True)
class _Graph:
    """Which alias leads to which, for finding cycles."""

    edges: dict[str, list[tuple[str, TargetEntry]]]
    done: set[str] = field(default_factory=set)
    closing: list[tuple[TargetEntry, list[str]]] = field(default_factory=list)

    def walk(self, start: str) -> None:
        """Notes every target that closes a cycle; iterative, so that long chains cannot exhaust the stack."""
        if start in self.done:
            return
        path, on_path, stack = [start], {start}, [iter(self.edges.get(start, []))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                node = path.pop()
                on_path.discard(node)
                self.done.add(node)
                continue
            node, via = step
            if node in on_path:
                self.closing.append((via, [*path[path.index(node) :], node]))
            elif node not in self.done:
                path.append(node)
                on_path.add(node)
                stack.append(iter(self.edges.get(node, [])))


def link_aliases(entries: Mapping[str, AliasEntry], names: Names) -> dict[AliasId, Alias]:
    """Returns the aliases with those targets that lead somewhere, without cycles."""
    checked: dict[str, list[TargetEntry]] = {}
    for own, entry in entries.items():
        checked[own] = [found for target in entry.targets if (found := _checked(entry, target, names)) is not None]
    graph = _Graph({own: _alias_edges(targets) for own, targets in checked.items()})
    for own in entries:
        graph.walk(own)
    for via, cycle in graph.closing:
        via.place.error("alias-cycle", f"alias cycle detected: {' -> '.join(cycle)}", "remove one of these targets")
    dropped = {id(via) for via, _ in graph.closing}
    kept = {own: [item for item in targets if id(item) not in dropped] for own, targets in checked.items()}
    reachable = _reachable(kept, names)
    return {AliasId(own): _linked(entry, kept[own], own in reachable, names) for own, entry in entries.items()}


def _linked(entry: AliasEntry, kept: list[TargetEntry], reachable: bool, names: Names) -> Alias:
    """Returns the alias with its targets that serve, and the others with the reason why they do not."""
    if entry.targets and not reachable:
        entry.place.warn("alias-unreachable", f"{entry.label} has no target that can be reached")
    usable = {item.place.path: item.target for item in kept if _serves(item.target.ref, names)}
    following = {item.place.path for item in kept}
    tiers: dict[bool, list[AliasTarget]] = {False: [], True: []}
    left_out = []
    for item in entry.targets:
        target = usable.get(item.place.path)
        if target is not None:
            tiers[item.fallback].append(target)
        else:
            left_out.append((item.target.ref, _why_not(item, item.place.path in following, names)))
    targets, fallbacks = tuple(tiers[False]), tuple(tiers[True])
    return replace(entry.alias, targets=targets, fallback_targets=fallbacks, left_out=tuple(left_out))


def _why_not(item: TargetEntry, known: bool, names: Names) -> str:
    ref = split_weight(item.target.ref, names.models)[0] if item.target.weight is None else item.target.ref
    parsed = parse_ref(ref)
    if parsed is None:
        return "invalid-target"
    if known:
        return "provider-unusable" if names.models.get(parsed.text) else "disabled"
    if isinstance(parsed, ToAlias):
        return "alias-cycle" if parsed.id in names.aliases else "unknown-target"
    return "unknown-target"


def _checked(entry: AliasEntry, item: TargetEntry, names: Names) -> TargetEntry | None:
    ref, weight = split_weight(item.target.ref, names.models) if item.target.weight is None else (item.target.ref, None)
    target = item.target if weight is None else AliasTarget(ref, weight, item.target.metadata)
    found = check_ref(item.place, f"{entry.label} {item.listed}", target.ref, names)
    if found is None:
        return None
    serving = names.serving.get(names.canonical.get(found, ""))
    if serving is not None and not formats_meet(*serving):
        item.place.warn(
            "target-formats", f"{entry.label} {item.listed}: {found} has no format that its provider speaks"
        )
    normal = AliasTarget(f"alias:{found}" if target.ref.startswith("alias:") else found, target.weight, target.metadata)
    return replace(item, target=normal)


def formats_meet(provider: Provider, model: Model) -> bool:
    """Returns whether a model works with a format its provider speaks; the OpenAI names count as one family."""
    if not model.formats:
        return True
    offered = {name.family for name in (*provider.formats, provider.format)}
    return any(name.family in offered for name in model.formats)


def _alias_edges(targets: list[TargetEntry]) -> list[tuple[str, TargetEntry]]:
    edges = []
    for item in targets:
        parsed = parse_ref(item.target.ref)
        if isinstance(parsed, ToAlias):
            edges.append((parsed.id, item))
    return edges


def _serves(ref: str, names: Names) -> bool:
    parsed = parse_ref(ref)
    if isinstance(parsed, Direct):
        return names.canonical.get(parsed.text, "") in names.serving
    return parsed is not None


def _reachable(kept: Mapping[str, list[TargetEntry]], names: Names) -> set[str]:
    """Returns the aliases that lead to at least one model that serves, found backwards from those that name one."""
    above: dict[str, list[str]] = {}
    found: set[str] = set()
    for own, targets in kept.items():
        for item in targets:
            parsed = parse_ref(item.target.ref)
            if isinstance(parsed, ToAlias):
                above.setdefault(parsed.id, []).append(own)
            elif parsed is not None and _answers(parsed, names):
                found.add(own)
    waiting = list(found)
    while waiting:
        for own in above.get(waiting.pop(), []):
            if own not in found:
                found.add(own)
                waiting.append(own)
    return found


def _answers(ref: Direct, names: Names) -> bool:
    serving = names.serving.get(names.canonical.get(ref.text, ""))
    return serving is not None and formats_meet(*serving)


def link_fallbacks(entry: ProviderEntry, names: Names) -> Provider | None:
    """Returns the provider with those `fallbackModels` that serve; the others are reported and stay in the file."""
    if entry.provider is None:
        return None
    by_id: dict[str, ModelEntry] = {model.id: model for model in entry.models}
    models = tuple(_with_fallbacks(entry.provider, model, by_id[model.id], names) for model in entry.provider.models)
    return replace(entry.provider, models=models)


def _with_fallbacks(provider: Provider, model: Model, entry: ModelEntry, names: Names) -> Model:
    own = f"{provider.id}/{model.id}"
    if model.formats and not formats_meet(provider, model):
        entry.place.warn("model-formats", f"model {own}: none of its formats is one that its provider speaks")
    kept = []
    for item in entry.place.key("fallbackModels").each() if entry.place.obj() is not None else []:
        ref = item.text()
        if not isinstance(item.value, str) or not ref or ref in kept:
            continue
        if ref == own:
            item.warn("fallback-self", f"model {own}: a model cannot be its own fallback")
        elif ref in names.serving:
            kept.append(ref)
        elif ref in names.canonical and names.canonical[ref] != ref:
            item.warn("fallback-alias", f"model {own}: fallback {ref} is an alias", f"write {names.canonical[ref]}")
        else:
            item.warn("fallback-unknown", f"model {own}: fallback {ref} is no enabled model, it is ignored")
    return replace(model, fallback_models=tuple(ModelRef(ref) for ref in kept))


def warn_shadows(aliases: Mapping[str, AliasEntry], entries: Iterable[ProviderEntry]) -> None:
    """Records a warning for every alias whose id hides a bare model id of the same name."""
    models = [model for entry in entries if entry.enabled for model in entry.models]
    bare = {name for model in models for name in (model.id, *model.model.aliases)}
    for own, entry in aliases.items():
        if own in bare and not any(_names_model(item.target.ref, own) for item in entry.targets):
            entry.place.warn("alias-shadows", f"alias {own} hides the model of the same name")


def _names_model(ref: str, own: str) -> bool:
    parsed = parse_ref(ref)
    return isinstance(parsed, Direct) and parsed.model == own
