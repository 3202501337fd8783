"""Edits of models, aliases and the default: adding, removing, renaming, and what refers to them.

Law: the document given is never changed; unknown keys, key order and disabled entries come out as they went in.
"""

from collections.abc import Mapping, Sequence

from llr.base.jsonio import JSON
from llr.config.aliases import DEFAULT, strategy_name
from llr.config.cursor import Cursor
from llr.config.document import clone_object
from llr.config.edit_result import Edit
from llr.config.grammar import STRATEGIES, Direct, ToAlias, is_alias_id, parse_ref
from llr.config.locate import (
    EditError,
    alias_key,
    alias_map,
    aliases,
    get,
    known_refs,
    model,
    model_index,
    model_object,
    model_refs,
    provider,
    put,
)
from llr.config.migrate import default_alias
from llr.config.references import repoint_defaults, rewrite_references, rewrite_selectors
from llr.config.schema import Doc


def remove_model(doc: Doc, owner: str, wanted: str, *, prune: bool = True) -> Edit:
    """Returns the document without this model, named by id or alias; references to it go too unless `prune` is false.

    Raises `EditError` when the provider or the model is missing.
    """
    found = clone_object(doc)
    listed, at, own = model(found, owner, wanted)
    other = Cursor(listed[at], kind="model")
    names = {own, *(other.key("aliases").texts() if other.obj() is not None else ())}
    del listed[at]
    changes = [f"model {own} of {owner} removed"]
    if prune:
        entry = provider(found, owner)
        gone = {name for name in names if model_index(entry, name) is None}
        changes += rewrite_references(found, lambda ref: None if _names(ref, owner, gone) else ref)
        changes += rewrite_selectors(entry, lambda name: None if name == own and own in gone else name, owner)
        changes += repoint_defaults(found, doc)
    return Edit(found, tuple(changes))


def _names(ref: Direct | ToAlias, owner: str, names: set[str]) -> bool:
    return isinstance(ref, Direct) and ref.provider == owner and ref.model in names


def rename_model(doc: Doc, owner: str, old: str, new: str) -> Edit:
    """Returns the document with the model under its new id everywhere it is named, rate limits included.

    Raises `EditError` when it is missing, the new id is empty or has blanks, or another model has it.
    """
    found = clone_object(doc)
    listed, at, own = model(found, owner, old)
    if not new or any(char.isspace() for char in new):
        raise EditError("model-id", f"model id '{new}' invalid: it must not be empty or have blanks")
    if new == own:
        return Edit(found)
    taken = model_index(provider(found, owner), new)
    if taken is not None and taken != at:
        raise EditError("model-exists", f"model '{new}' exists already in provider '{owner}'")
    entry = listed[at]
    if isinstance(entry, dict):
        used = next(name for name in ("id", "name", "model") if entry.get(name))
        entry[used] = new
    else:
        listed[at] = new
    changes = rewrite_references(found, lambda ref: Direct(owner, new) if _names(ref, owner, {own}) else ref)
    changes += rewrite_selectors(provider(found, owner), lambda name: new if name == own else name, owner)
    return Edit(found, (f"model {own} of {owner} is now {new}", *changes))


def set_model_fallbacks(doc: Doc, owner: str, wanted: str, refs: Sequence[str]) -> Edit:
    """Returns the document with these fallbacks on a model; an empty list clears them.

    Raises `EditError` naming every entry that is not an existing "provider/model" other than the model itself.
    """
    found = clone_object(doc)
    listed, at, own = model(found, owner, wanted)
    known = set(model_refs(found))
    wrong = [ref for ref in refs if ref not in known or ref == f"{owner}/{own}"]
    if wrong:
        raise EditError("fallbacks-invalid", f"Invalid fallback model(s): {', '.join(wrong)}.", wrong[0])
    if refs or isinstance(listed[at], dict):
        put(model_object(listed, at), "model", "fallbackModels", list(dict.fromkeys(refs)))
    return Edit(found, (f"fallbacks of {owner}/{own}: {', '.join(refs) or 'none'}",))


def upsert_alias(
    doc: Doc,
    wanted: str,
    *,
    strategy: str | None = None,
    targets: Sequence[Mapping[str, JSON]] | None = None,
    fallback_targets: Sequence[Mapping[str, JSON]] | None = None,
    metadata: Mapping[str, JSON] | None = None,
) -> Edit:
    """Returns the document with this alias; what is None keeps its old value, an empty `fallback_targets` clears.

    Raises `EditError` on a bad id or strategy, and when the alias would have no target.
    """
    own = wanted.strip()
    if not is_alias_id(own):
        hint = "Use letters, digits and . _ : - [ ], starting with a letter or digit."
        raise EditError("alias-id", f"Invalid alias-id '{own}'. {hint}")
    name = strategy_name(strategy) if strategy else None
    if strategy and name is None:
        raise EditError("strategy", f"Invalid strategy '{strategy}'. Use {', '.join(STRATEGIES)}.")
    found = clone_object(doc)
    map_, key = alias_map(found), alias_key(found, own)
    fresh: Doc = {"id": own, "strategy": name or "ordered", "targets": []}
    entry = map_[key] if key is not None else fresh
    if not isinstance(entry, dict):
        raise EditError("alias-malformed", f"alias '{own}' must be an object; correct the file first")
    map_[key or own] = entry
    if name is not None:
        put(entry, "alias", "strategy", name)
    if targets is not None:
        put(entry, "alias", "targets", [clone_object(one) for one in targets])
    if fallback_targets is not None:
        put(entry, "alias", "fallbackTargets", [clone_object(one) for one in fallback_targets])
    if metadata is not None:
        put(entry, "alias", "metadata", clone_object(metadata))
    if not Cursor(entry, kind="alias").key("targets").each():
        raise EditError("alias-targets", "Alias targets are required, e.g. --targets=provider/model@2.")
    return Edit(found, (f"alias {own} {'changed' if key is not None else 'added'}",))


def remove_alias(doc: Doc, wanted: str, *, prune: bool = True) -> Edit:
    """Returns the document without this alias; `default` is emptied instead. References to it go too.

    Raises `EditError` when there is no such alias.
    """
    found = clone_object(doc)
    key = alias_key(found, wanted)
    if key is None:
        known = ", ".join(name.strip() for name in aliases(found) or {}) or "none"
        raise EditError("alias-not-found", f"model alias '{wanted}' not found; configured: {known}")
    map_ = alias_map(found)
    if wanted == DEFAULT:
        entry = map_[key]
        for name in ("targets", "fallbackTargets"):
            if isinstance(entry, dict):
                put(entry, "alias", name, [])
        return Edit(found, ("alias default emptied",))
    del map_[key]
    changes = [f"alias {wanted} removed"]
    if prune and alias_key(found, wanted) is None:
        changes += rewrite_references(found, lambda ref: None if ref == ToAlias(wanted) else ref)
        changes += repoint_defaults(found, doc)
    return Edit(found, tuple(changes))


def rename_alias(doc: Doc, old: str, new: str) -> Edit:
    """Returns the document with the alias under its new id everywhere it is named, in the same place of the map.

    Raises `EditError` when it is missing or `default`, or the new id is taken or breaks the grammar.
    """
    found = clone_object(doc)
    key = alias_key(found, old)
    if key is None:
        raise EditError("alias-not-found", f"model alias '{old}' not found")
    if old == new:
        return Edit(found)
    if DEFAULT in (old, new):
        raise EditError("alias-default", "the alias 'default' keeps its name; copy it instead")
    if not is_alias_id(new):
        raise EditError("alias-id", f"Invalid alias-id '{new}'.")
    if alias_key(found, new) is not None:
        raise EditError("alias-exists", f"model alias '{new}' exists already")
    map_ = alias_map(found)
    members = [(new if name == key else name, entry) for name, entry in map_.items()]
    entry = map_[key]
    if isinstance(entry, dict) and "id" in entry:
        entry["id"] = new
    map_.clear()
    map_.update(members)
    changes = rewrite_references(found, lambda ref: ToAlias(new) if ref == ToAlias(old) else ref)
    return Edit(found, (f"alias {old} is now {new}", *changes))


def set_default_model(doc: Doc, ref: str) -> Edit:
    """Returns the document whose `default` alias leads to this model or alias, `defaultModel` saying the same.

    Raises `EditError` when the reference names nothing.
    """
    found = clone_object(doc)
    parsed = parse_ref(ref)
    known = isinstance(parsed, Direct) and parsed.text in known_refs(found)
    named = isinstance(parsed, ToAlias) and parsed.id != DEFAULT and alias_key(found, parsed.id) is not None
    if parsed is None or not (known or named):
        raise EditError("default-unknown", f"'{ref}' is neither a configured provider/model nor an alias")
    return Edit(found, tuple(make_default(found, parsed.text)))


def make_default(found: Doc, ref: str) -> list[str]:
    """Points the default of a copy at `ref`, in place; returns one line per change.

    An alias lends its strategy, so that the default picks among its targets as the alias itself does.
    """
    put(found, "root", "defaultModel", ref)
    map_, key = alias_map(found), alias_key(found, DEFAULT)
    entry = map_[key] if key is not None else default_alias({})
    map_[key or DEFAULT] = entry
    if isinstance(entry, dict):
        put(entry, "alias", "targets", [{"ref": ref}])
        source = alias_key(found, ref)
        lender = map_[source] if source is not None else None
        if isinstance(lender, dict):
            put(entry, "alias", "strategy", get(lender, "alias", "strategy") or "ordered")
    return [f"default model: {ref}"]
