"""Following references when something is renamed or removed: every place of the document that names a route.

Law: works on a document that the caller owns. A reference that is dropped takes its entry with it, nothing else moves.
"""

from collections.abc import Callable

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.config.cursor import Cursor
from llr.config.grammar import Direct, ToAlias, parse_ref, split_weight
from llr.config.keys import AMP_OVERRIDE_TO, AMP_TO, spellings
from llr.config.locate import alias_key, aliases, drop, get, known_refs, model_list, model_refs, providers, put
from llr.config.models import model_id
from llr.config.schema import Doc

# What becomes of a parsed reference: another one, the same one, or None to drop it.
Rewrite = Callable[[Direct | ToAlias], Direct | ToAlias | None]


@dataclass(slots=True)
class _Walk:
    """One pass over a document."""

    rewrite: Rewrite
    known: set[str]
    changes: list[str] = field(default_factory=list)

    def text(self, ref: str, where: str) -> str | None:
        """Returns the new text of a reference, prefix and weight kept, None when it is dropped."""
        bare, weight = split_weight(ref.strip(), self.known)
        parsed = parse_ref(bare)
        if parsed is None:
            return ref
        found = self.rewrite(parsed)
        if found == parsed:
            return ref
        if found is None:
            self.changes.append(f"{where}: {bare} removed")
            return None
        prefix = "alias:" if bare.startswith("alias:") and isinstance(found, ToAlias) else ""
        suffix = ref.strip()[len(bare) :] if weight is not None else ""
        self.changes.append(f"{where}: {bare} is now {prefix}{found.text}")
        return f"{prefix}{found.text}{suffix}"

    def member(self, entry: Doc, names: tuple[str, ...], where: str) -> bool:
        """Rewrites the reference under the first of these names; returns False when it is to be dropped."""
        for name in names:
            value = entry.get(name)
            if isinstance(value, str) and value.strip():
                found = self.text(value, where)
                if found is None:
                    return False
                entry[name] = found
                return True
        return True

    def listed(self, entry: Doc, names: tuple[str, ...], where: str, keys: tuple[str, ...]) -> None:
        """Rewrites a list of references, texts or objects with the reference under one of `keys`."""
        for name in names:
            if entry.get(name) is None:
                continue
            value = entry[name]
            kept: list[JSON] = []
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str):
                    found = self.text(one, where)
                    kept.extend([] if found is None else [found])
                elif not isinstance(one, dict) or self.member(one, keys, where):
                    kept.append(one)
            entry[name] = kept if isinstance(value, list) or not kept else kept[0]
            return


def rewrite_references(doc: Doc, rewrite: Rewrite) -> list[str]:
    """Applies `rewrite` to every reference of `doc`, in place; returns one line per reference that changed.

    `defaultModel` and AMP's `defaultRoute` become null where they are dropped; `repoint_defaults` finds new ones.
    """
    walk = _Walk(rewrite, known_refs(doc))
    if not walk.member(doc, spellings("root", "defaultModel"), "defaultModel"):
        put(doc, "root", "defaultModel", None)
    for key, alias in (aliases(doc) or {}).items():
        if isinstance(alias, dict):
            for name in ("targets", "fallbackTargets"):
                walk.listed(alias, spellings("alias", name), f"alias {key.strip()} {name}", spellings("target", "ref"))
    for own, entry in providers(doc):
        for one in model_list(entry) if isinstance(entry.get("models"), list) else ():
            if isinstance(one, dict):
                walk.listed(one, spellings("model", "fallbackModels"), f"fallbacks of {own}/{model_id(one)}", ())
    amp = get(doc, "root", "amp")
    if isinstance(amp, dict):
        _amp(amp, walk)
    _web_search(doc, walk)
    return walk.changes


def _amp(amp: Doc, walk: _Walk) -> None:
    if not walk.member(amp, spellings("amp", "defaultRoute"), "AMP defaultRoute"):
        put(amp, "amp", "defaultRoute", None)
    _routes(amp, "routes", "AMP route", walk)
    for name in spellings("amp", "subagentMappings"):
        _routes(amp, name, "AMP subagentMapping", walk)
    for name in (*spellings("amp", "rawModelRoutes"), *spellings("amp", "modelMappings")):
        listed = amp.get(name)
        if isinstance(listed, list):
            amp[name] = [one for one in listed if _raw_route(one, f"AMP {name}", walk)]
        elif isinstance(listed, dict) and not _raw_route(listed, f"AMP {name}", walk):
            amp[name] = []
    overrides = amp.get("overrides")
    for kind in ("entities", "signatures"):
        items = overrides.get(kind) if isinstance(overrides, dict) else None
        for one in items.values() if isinstance(items, dict) else items if isinstance(items, list) else ():
            if isinstance(one, dict) and not walk.member(one, AMP_OVERRIDE_TO, f"AMP override {kind}"):
                for key in AMP_OVERRIDE_TO:
                    one.pop(key, None)


def _raw_route(one: JSON, where: str, walk: _Walk) -> bool:
    """Returns whether a mapping entry stays: an anchored one does without its target."""
    if not isinstance(one, dict) or walk.member(one, AMP_TO, where):
        return True
    for key in AMP_TO:
        one.pop(key, None)
    return any(one.get(key) for key in ("sourceRouteKey", "source-route-key"))


def _routes(amp: Doc, name: str, where: str, walk: _Walk) -> None:
    value = amp.get(name)
    if isinstance(value, dict):
        for key, ref in list(value.items()):
            if isinstance(ref, str) and ref.strip():
                found = walk.text(ref, f"{where} '{key}'")
                if found is None:
                    del value[key]
                else:
                    value[key] = found
    elif isinstance(value, list):
        walk.listed(amp, (name,), where, AMP_TO)


def _web_search(doc: Doc, walk: _Walk) -> None:
    """Rewrites hosted search routes: `id` or the key is "provider/model", the parts may stand apart."""
    search = get(doc, "root", "webSearch")
    if isinstance(search, dict):
        listed = search.get("providers")
        if isinstance(listed, dict):
            renamed: Doc = {}
            for key, one in listed.items():
                found = _search_route(key, one, walk)
                if found is not None:
                    renamed[found] = one
            search["providers"] = renamed
        elif isinstance(listed, list):
            kept: list[JSON] = []
            for one in listed:
                if isinstance(one, str) and "/" in one:
                    text = walk.text(one, "webSearch provider")
                    kept.extend([] if text is None else [text])
                elif not isinstance(one, dict) or _search_route("", one, walk) is not None:
                    kept.append(one)
            search["providers"] = kept
    claude = get(doc, "root", "claudeCode")
    if isinstance(claude, dict):
        value = get(claude, "claudeCode", "webSearchProvider")
        if isinstance(value, str) and "/" in value:
            text = walk.text(value, "claudeCode.webSearchProvider")
            if text is None:
                drop(claude, "claudeCode", "webSearchProvider")
            else:
                put(claude, "claudeCode", "webSearchProvider", text)


def _search_route(key: str, one: JSON, walk: _Walk) -> str | None:
    """Returns the key of a search entry after rewriting it, None when it is dropped."""
    if not isinstance(one, dict):
        return key
    place = Cursor(one)
    owner = ("providerId", "provider", "routeProviderId", "provider-id")
    names = ("model", "modelId", "routeModelId", "model-id")
    provider, name = place.first(owner).text(), place.first(names).text()
    ref = place.first(("id",)).text() or key or (f"{provider}/{name}" if provider and name else "")
    if "/" not in ref:
        return key
    text = walk.text(ref, "webSearch provider")
    if text is None:
        return None
    head, _, tail = text.partition("/")
    if isinstance(one.get("id"), str) and one["id"]:
        one["id"] = text
    for spelled, part in ((owner, head), (names, tail)):
        used = [spelling for spelling in spelled if one.get(spelling) is not None]
        if used:
            one[used[0]] = part
    return text if key else key


def default_is_set(doc: Doc) -> bool:
    """Returns whether requests without a model lead anywhere: by the `default` alias, else by `defaultModel`."""
    key = alias_key(doc, "default")
    if key is not None:
        return bool(Cursor((aliases(doc) or {})[key], kind="alias").key("targets").each())
    wanted = get(doc, "root", "defaultModel")
    return isinstance(wanted, str) and wanted.strip() not in {"", "smart", "default"}


def repoint_defaults(doc: Doc, before: Doc) -> list[str]:
    """Gives `defaultModel` and AMP's `defaultRoute` a new value, in place, where an edit since `before` took it away.

    Returns one line per change. The new value is the first enabled model, or nothing when there is none.
    """
    changes = []
    first = next(model_refs(doc, serving_only=True), None)
    had = get(before, "root", "defaultModel")
    if isinstance(had, str) and had.strip() and get(doc, "root", "defaultModel") is None:
        _settle(doc, "root", "defaultModel", first)
        changes.append(f"defaultModel: {had.strip()} is now {first or '(not set)'}")
        key = alias_key(doc, "default")
        if first is not None and key is not None and default_is_set(before) and not default_is_set(doc):
            entry = (aliases(doc) or {})[key]
            if isinstance(entry, dict):
                put(entry, "alias", "targets", [{"ref": first}])
                changes.append(f"alias default targets: {first} added")
    amp, old = get(doc, "root", "amp"), get(before, "root", "amp")
    if isinstance(amp, dict) and isinstance(old, dict):
        route = get(old, "amp", "defaultRoute")
        if isinstance(route, str) and route.strip() and get(amp, "amp", "defaultRoute") is None:
            found = "default" if default_is_set(doc) else first
            _settle(amp, "amp", "defaultRoute", found)
            changes.append(f"AMP defaultRoute: {route.strip()} is now {found or '(not set)'}")
    return changes


def _settle(entry: Doc, kind: str, name: str, value: str | None) -> None:
    """Puts the new value where the old one stood, so that the order of keys stays; removes the key for None."""
    for key in spellings(kind, name):
        if key in entry and entry[key] is None:
            if value is None:
                del entry[key]
            else:
                entry[key] = value
            return


def rewrite_selectors(entry: Doc, rewrite: Callable[[str], str | None], owner: str) -> list[str]:
    """Applies `rewrite` to the model ids in a provider's buckets, in place; returns one line per change.

    A bucket that loses its last model goes: it limits nothing any more.
    """
    changes = []
    limits = get(entry, "provider", "rateLimits")
    for bucket in list(limits) if isinstance(limits, list) else ():
        if not isinstance(bucket, dict):
            continue
        value = get(bucket, "bucket", "models")
        listed = value if isinstance(value, list) else [value]
        kept: list[JSON] = []
        for one in listed:
            found = rewrite(one.strip()) if isinstance(one, str) else None
            if not isinstance(one, str) or found == one.strip():
                kept.append(one)
                continue
            changes.append(
                f"rate limits of {owner}: {one} is now {found}" if found else f"rate limits of {owner}: {one} removed"
            )
            kept.extend([] if found is None else [found])
        if kept != listed:
            put(bucket, "bucket", "models", kept if isinstance(value, list) or not kept else kept[0])
        if listed and not kept and isinstance(limits, list):
            limits[:] = [one for one in limits if one is not bucket]
            changes.append(f"rate limits of {owner}: a bucket without models removed")
    return changes
