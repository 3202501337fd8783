"""What becomes of the names bound in tools when a config changes: followed where known, guessed where sure."""

import json
from collections import Counter
from collections.abc import Callable, Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.config.grammar import parse_ref
from llr.config.locate import aliases, get, providers
from llr.config.models import model_id
from llr.config.schema import Doc
from llr.tools.routes import DEFAULT, Routes


@dataclass(frozen=True, slots=True)
class Renames:
    """Old names and new ones; models by the provider's old id."""

    providers: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[tuple[str, str], str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


def rewrite(ref: str, before: Routes, after: Routes, renames: Renames) -> str | None:
    """Returns the name a tool should ask for now, None when what it asked for is gone.

    A name that was never known is kept: somebody typed it for a reason.
    """
    if not ref or after.has(ref) or not before.has(ref):
        return ref
    prefix = "alias:" if ref.startswith("alias:") else ""
    provider, slash, model = ref.partition("/")
    if not slash:
        new = renames.aliases.get(ref.removeprefix(prefix))
        return f"{prefix}{new}" if new and after.has(new) else None
    owner = renames.providers.get(provider, provider)
    found = f"{owner}/{renames.models.get((provider, model), model)}"
    return found if after.has(found) else None


def infer(before: Doc, after: Doc) -> Renames:
    """Returns the renames that two versions of a file show without doubt."""
    old, new = dict(providers(before)), dict(providers(after))
    owners = _pairs(old, new, _provider_signature, by_place=False)
    models: dict[tuple[str, str], str] = {}
    for own, entry in old.items():
        later = new.get(owners.get(own, own))
        if later is not None:
            for was, now in _pairs(_models(entry), _models(later), _model_signature, by_place=True).items():
                models[own, was] = now
    found = Renames(owners, models)
    for _ in range(3):
        again = Renames(owners, models, _alias_pairs(before, after, found))
        if again.aliases == found.aliases:
            break
        found = again
    return found


def _alias_pairs(before: Doc, after: Doc, known: Renames) -> dict[str, str]:
    old = {key.strip(): one for key, one in (aliases(before) or {}).items() if key.strip() != DEFAULT}
    new = {key.strip(): one for key, one in (aliases(after) or {}).items() if key.strip() != DEFAULT}
    signed = {key: _alias_signature(one, known) for key, one in old.items()}
    later = {key: _alias_signature(one, Renames()) for key, one in new.items()}
    return _pairs(signed, later, str, by_place=True)


def _pairs(
    old: Mapping[str, JSON], new: Mapping[str, JSON], sign: Callable[[JSON], str], *, by_place: bool
) -> dict[str, str]:
    left = [key for key in old if key not in new]
    right = [key for key in new if key not in old]
    signs_left, signs_right = {key: sign(old[key]) for key in left}, {key: sign(new[key]) for key in right}
    counts = Counter(signs_left.values()), Counter(signs_right.values())
    found: dict[str, str] = {}
    for key in left:
        mark = signs_left[key]
        if counts[0][mark] == 1 and counts[1][mark] == 1:
            found[key] = next(other for other in right if signs_right[other] == mark)
    left = [key for key in left if key not in found]
    right = [key for key in right if key not in found.values()]
    if len(left) == len(right) and (len(left) == 1 or by_place):
        found |= dict(zip(left, right, strict=True))
    return found


def _models(entry: Doc) -> dict[str, JSON]:
    listed = entry.get("models")
    found = {}
    for one in listed if isinstance(listed, list) else []:
        name = model_id(one)
        if name is not None:
            found[name] = one
    return found


def _text(value: JSON) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _model_signature(entry: JSON) -> str:
    return _text(_bare_model(entry))


def _bare_model(entry: JSON) -> JSON:
    members = entry.items() if isinstance(entry, dict) else ()
    return {key: one for key, one in members if key not in ("id", "fallbackModels")}


def _provider_signature(entry: JSON) -> str:
    if not isinstance(entry, dict):
        return ""
    kept: dict[str, JSON] = {key: one for key, one in entry.items() if key not in ("id", "name", "models")}
    listed = entry.get("models")
    kept["models"] = [_bare_model(model) for model in (listed if isinstance(listed, list) else [])]
    return _text(kept)


def _alias_signature(entry: JSON, known: Renames) -> str:
    if not isinstance(entry, dict):
        return ""
    kept: dict[str, JSON] = {"strategy": get(entry, "alias", "strategy") or "ordered"}
    for name in ("targets", "fallbackTargets"):
        listed = get(entry, "alias", name)
        rows = listed if isinstance(listed, list) else []
        kept[name] = [_target(one, known) for one in rows]
    return _text(kept)


def _target(one: JSON, known: Renames) -> JSON:
    ref = str((get(one, "target", "ref") or "") if isinstance(one, dict) else one)
    parsed = parse_ref(ref)
    if parsed is not None and "/" in ref:
        provider, _, model = ref.partition("/")
        owner = known.providers.get(provider, provider)
        ref = f"{owner}/{known.models.get((provider, model), model)}"
    elif parsed is not None:
        bare = ref.removeprefix("alias:")
        ref = known.aliases.get(bare, bare)
    return [ref, one.get("weight") if isinstance(one, dict) else None]
