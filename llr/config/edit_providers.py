"""Edits of providers: adding, changing, removing and renaming one.

Law: the document given is never changed; unknown keys, key order and disabled entries come out as they went in.
"""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor
from llr.config.document import clone, clone_object
from llr.config.edit_models import make_default
from llr.config.edit_result import Edit
from llr.config.grammar import Direct, ToAlias, is_provider_id
from llr.config.keys import PROVIDER, provider_key
from llr.config.locate import (
    EditError,
    find_provider,
    get,
    model_list,
    provider,
    provider_list,
    providers,
    put,
)
from llr.config.models import model_id
from llr.config.providers import provider_id
from llr.config.references import default_is_set, repoint_defaults, rewrite_references
from llr.config.schema import Doc


def upsert_provider(
    doc: Doc, entry: Mapping[str, JSON], *, master_key: str | None = None, set_default: bool = False
) -> Edit:
    """Returns the document with this provider merged over the one of the same id, or appended.

    Members that `entry` does not name survive. Its model list replaces the old one, but a model that keeps its id
    keeps what the new entry does not state, and disabled models stay. A member of None is removed. `set_default` makes
    the first model the default where no default leads anywhere.
    """
    found = clone_object(doc)
    own = provider_id(entry, len(providers(found)) + 1)
    if not is_provider_id(own):
        raise EditError("provider-id", f"provider id '{own}' invalid, use lower-case slug")
    old = find_provider(found, own)
    if old is None:
        added: Doc = {"id": own}
        added.update({key: clone(value) for key, value in entry.items() if value is not None and key != "id"})
        provider_list(found).append(added)
        changes = [f"provider {own} added"]
    else:
        _merge(old, entry)
        changes = [f"provider {own} changed"]
    if master_key:
        put(found, "root", "masterKey", master_key)
        changes.append("master key changed")
    if set_default and not default_is_set(found):
        first = next((name for one in model_list(provider(found, own)) if (name := model_id(one))), None)
        if first is not None:
            changes.extend(make_default(found, f"{own}/{first}"))
    return Edit(found, tuple(changes))


def _merge(old: Doc, entry: Mapping[str, JSON]) -> None:
    for key, value in entry.items():
        if key == "id":
            continue
        name = provider_key(key)
        if value is None:
            for spelling in PROVIDER[name].spellings if name is not None else (key,):
                old.pop(spelling, None)
        elif name == "models":
            if not _says_the_same(old, value):
                old["models"] = _merged_models(old, value)
        elif name is not None:
            put(old, "provider", name, clone(value))
        else:
            old[key] = clone(value)


def _bare(one: JSON) -> bool:
    """Returns whether a model entry says nothing but its id."""
    return isinstance(one, str) or (isinstance(one, dict) and set(one) == {"id"})


def _says_the_same(old: Doc, value: JSON) -> bool:
    """Returns whether a model list only names what is there, in its order: then nothing of it is written anew."""
    listed = value if isinstance(value, list) else [value]
    names = (model_id(one.value) for one in Cursor(old.get("models")).each())
    known = list(dict.fromkeys(name for name in names if name is not None))
    return all(map(_bare, listed)) and [model_id(one) for one in listed] == known


def _merged_models(old: Doc, value: JSON) -> list[JSON]:
    before: dict[str, Cursor] = {}
    for item in Cursor(old.get("models")).each():
        name = model_id(item.value)
        if name is not None:
            before.setdefault(name, item)
    merged: list[JSON] = []
    for one in value if isinstance(value, list) else [value]:
        previous = before.pop(model_id(one) or "", None)
        kept = previous.value if previous is not None else None
        if kept is not None and _bare(one):
            merged.append(clone(kept))
        elif isinstance(kept, dict):
            merged.append({**clone_object(kept), **(clone_object(one) if isinstance(one, dict) else {})})
        else:
            merged.append(clone(one))
    off = [one.value for one in before.values() if isinstance(one.value, dict) and one.value.get("enabled") is False]
    return [*merged, *(clone(one) for one in off)]


def remove_provider(doc: Doc, wanted: str, *, prune: bool = True) -> Edit:
    """Returns the document without this provider; references into it go too unless `prune` is false.

    Raises `EditError` when there is no such provider.
    """
    found = clone_object(doc)
    gone = provider(found, wanted)
    found["providers"] = [one for one in provider_list(found) if one is not gone]
    changes = [f"provider {wanted} removed"]
    if prune and find_provider(found, wanted) is None:
        changes += rewrite_references(found, lambda ref: None if _of(ref, wanted) else ref)
        changes += repoint_defaults(found, doc)
    return Edit(found, tuple(changes))


def _of(ref: Direct | ToAlias, owner: str) -> bool:
    return isinstance(ref, Direct) and ref.provider == owner


def rename_provider(doc: Doc, old: str, new: str) -> Edit:
    """Returns the document with the provider under its new id everywhere it is named.

    Raises `EditError` when `old` is missing, `new` taken or not a lower-case slug that starts with a letter.
    """
    found = clone_object(doc)
    entry = provider(found, old)
    if not is_provider_id(new):
        raise EditError("provider-id", f"provider id '{new}' invalid, use lower-case slug")
    if new != old and find_provider(found, new) is not None:
        raise EditError("provider-exists", f"provider '{new}' exists already")
    if new == old:
        return Edit(found)
    # Tokens of a subscription are kept under its profile, which is the provider id unless stated.
    if entry.get("type") == "subscription" and get(entry, "provider", "subscriptionProfile") is None:
        entry["subscriptionProfile"] = old
    if "id" in entry:
        entry["id"] = new
    else:
        members = dict(entry)
        entry.clear()
        entry.update({"id": new, **members})
    changes = rewrite_references(
        found, lambda ref: Direct(new, ref.model) if isinstance(ref, Direct) and ref.provider == old else ref
    )
    return Edit(found, (f"provider {old} is now {new}", *changes))
