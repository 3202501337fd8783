"""Factory Droid: its `settings.json`, with one entry of `customModels` per name of the gateway."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping

from llr.base.jsonio import JSON
from llr.tools import jsontext
from llr.tools.base import (
    Endpoint,
    Grammar,
    Path,
    Places,
    Tool,
    ToolStatus,
    Values,
    Wanted,
    backup_path,
    home_of,
    lookup,
    text_at,
)
from llr.tools.endpoint import normalized
from llr.tools.levels import DROID_EFFORTS
from llr.tools.routes import Route
from llr.tools.settingsjson import parse_object

ID = "factory-droid"
EFFORTS = DROID_EFFORTS
MARK = "_llmRouterManaged"
_CUSTOM: Path = ("customModels",)
_KEYS: Mapping[str, tuple[Path, ...]] = {
    "default_model": (("model",), ("sessionDefaultSettings", "model")),
    "mission_orchestrator_model": (("missionOrchestratorModel",),),
    "mission_worker_model": (("missionModelSettings", "workerModel"),),
    "mission_validator_model": (("missionModelSettings", "validationWorkerModel"),),
}
_EFFORT: Path = ("reasoningEffort",)
_SNAPSHOTS: Mapping[str, Path] = {
    "model": ("model",),
    "sessionDefaultModel": ("sessionDefaultSettings", "model"),
    "missionOrchestratorModel": ("missionOrchestratorModel",),
    "missionWorkerModel": ("missionModelSettings", "workerModel"),
    "missionValidationWorkerModel": ("missionModelSettings", "validationWorkerModel"),
    "reasoningEffort": _EFFORT,
}
_WORDS = {"gpt": "GPT", "glm": "GLM", "claude": "Claude"}
_LABELS = {"openrouter": "OpenRouter", "deepseek": "DeepSeek"}


def _homes(env: Mapping[str, str], typed: Mapping[str, str]) -> Places:
    settings = typed.get("settings") or os.path.join(home_of(env), ".factory", "settings.json")
    return {"settings": os.path.abspath(settings), "backup": os.path.abspath(backup_path(settings))}


def slug(text: str) -> str:
    """Returns a name as it may stand in an entry id."""
    text = re.sub(r"[^A-Za-z0-9._-]", "-", re.sub(r"[/:]+|\s+", "-", text))
    return re.sub(r"-{2,}", "-", text).strip("-")


def entry_id(route: Route) -> str:
    """Returns the id of a route's entry."""
    if route.alias:
        return f"custom:llm-alias-{slug(route.ref)}"
    provider, _, model = route.ref.partition("/")
    return f"custom:llm-{slug(provider)}-{slug(model)}"


def base_name(name: str) -> str:
    """Returns a model's name as people write it: `gpt-4o-mini` is `GPT 4o mini`, `claude-3-5` is `Claude 3.5`."""
    for word, shown in _WORDS.items():
        name = re.sub(rf"\A{word}(?![A-Za-z])", shown, name, flags=re.IGNORECASE)
    name = re.sub(r"(\d)-(\d)(?=-|\Z)", r"\1.\2", name)
    return re.sub(r"[_-]+", " ", name)


def provider_label(provider: str) -> str:
    """Returns a provider's id as a label."""
    if not provider:
        return "Provider"
    known = _LABELS.get(provider.lower())
    if known:
        return known
    if re.fullmatch(r"[A-Za-z]{2,5}", provider):
        return provider.upper()
    return " ".join(word[:1].upper() + word[1:] for word in re.split(r"[-_\s]+", provider) if word)


def _kind(route: Route) -> str:
    if route.local:
        return "generic-chat-completion-api"
    return "anthropic" if route.format == "claude" else "openai"


def _url(kind: str, endpoint: Endpoint) -> str:
    return f"{endpoint.origin}/anthropic" if kind == "anthropic" else f"{endpoint.origin}/openai/v1"


def _listed(wanted: Wanted, theirs: Iterable[JSON]) -> list[Route]:
    routes = wanted.routes
    own = [name for one in theirs if isinstance(one, dict) for name in (one.get("id"), one.get("displayName"))]
    bound = [ref for name in _KEYS if (ref := wanted.binding.get(name)) and ref not in own]
    rows: dict[str, Route] = {ref: route for ref, route in routes.by_ref.items() if route.alias}
    for ref in bound:
        rows.setdefault(ref, routes.find(ref) or Route(ref, "/" not in ref))
    rows |= {ref: route for ref, route in routes.by_ref.items() if not route.alias and ref not in rows}
    return list(rows.values()) or [Route("llm-router", True)]


def _ids(routes: Iterable[Route], taken: Iterable[str]) -> dict[str, str]:
    """Returns the entry id of every route; where two would be the same, a short hash tells them apart."""
    found: dict[str, str] = {}
    used = set(taken)
    for route in routes:
        own = entry_id(route)
        if own in used:
            own = f"{own}-{hashlib.sha256(route.ref.encode()).hexdigest()[:6]}"
        used.add(own)
        found[route.ref] = own
    return found


def managed(entry: JSON) -> bool:
    """Returns whether an entry of `customModels` is ours, also one from before the mark was used."""
    if not isinstance(entry, dict):
        return False
    own = str(entry.get("id") or "").removeprefix("custom:")
    key, url = str(entry.get("apiKey") or ""), str(entry.get("baseUrl") or "").rstrip("/")
    ours_by_key = key.startswith("gw_") and url.endswith(("/openai/v1", "/anthropic"))
    return entry.get(MARK) is True or own.startswith("llm-") or ours_by_key


def _entries(doc: Mapping[str, JSON]) -> list[JSON]:
    found = doc.get("customModels")
    return found if isinstance(found, list) else []


def entries(wanted: Wanted, theirs: list[JSON]) -> list[dict[str, JSON]]:
    """Returns our entries, numbered behind the owner's."""
    numbers = [one["index"] for one in theirs if isinstance(one, dict) and isinstance(one.get("index"), int)]
    start = max([int(str(number)) for number in numbers], default=len(theirs) - 1) + 1
    routes = _listed(wanted, theirs)
    ids = _ids(routes, [str(one.get("id")) for one in theirs if isinstance(one, dict)])
    rows: list[dict[str, JSON]] = []
    for place, route in enumerate(routes):
        kind = _kind(route)
        label = "Alias" if route.alias else provider_label(route.provider_id or route.ref.partition("/")[0])
        shown = base_name(route.ref if route.alias else route.model or route.ref.partition("/")[2])
        rows.append(
            {
                MARK: True,
                "model": route.ref,
                "id": ids[route.ref],
                "index": start + place,
                "displayName": f"{shown} - LLM Router ({label})",
                "baseUrl": _url(kind, wanted.endpoint),
                "apiKey": wanted.endpoint.key,
                "provider": kind,
            }
        )
    return rows


def _values(wanted: Wanted, doc: Mapping[str, JSON], _before: Mapping[str, JSON]) -> Values:
    theirs = [one for one in _entries(doc) if not managed(one)]
    rows = entries(wanted, theirs)
    values: dict[Path, JSON] = {_CUSTOM: [*theirs, *rows]}
    for name, paths in _KEYS.items():
        ref = wanted.binding.get(name, "")
        chosen = _entry_for(ref, [*theirs, *rows]) if ref else None
        values |= dict.fromkeys(paths, chosen)
    effort = wanted.binding.get("reasoning_effort", "")
    values[_EFFORT] = effort if effort in EFFORTS else None
    return values


def _entry_for(ref: str, rows: Iterable[JSON]) -> str | None:
    listed = [one for one in rows if isinstance(one, dict)]
    for one in listed:
        if one.get("model") == ref and managed(one):
            return str(one["id"])
    for one in listed:
        if ref in (one.get("id"), one.get("displayName")):
            return str(one["id"])
    return None


def ref_of(text: str, rows: Iterable[JSON]) -> str:
    """Returns the route an entry id, display name or old id names; other texts as they are."""
    for one in rows:
        if isinstance(one, dict) and managed(one) and text in (one.get("id"), one.get("displayName")):
            return str(one.get("model") or text)
    bare = text.removeprefix("custom:")
    if bare.startswith("llm-alias:"):
        return bare.removeprefix("llm-alias:")
    if bare.startswith("llm-") and ":" in bare:
        return bare.removeprefix("llm-").replace(":", "/", 1)
    return text


def _status(doc: Mapping[str, JSON], endpoint: Endpoint) -> ToolStatus:
    rows = _entries(doc)
    ids = {name: text_at(doc, *paths[-1]) or text_at(doc, *paths[0]) for name, paths in _KEYS.items()}
    binding = {name: ref_of(text, rows) for name, text in ids.items()}
    mine = [one for one in rows if isinstance(one, dict) and managed(one)]
    used = next((one for one in mine if one.get("id") == ids["default_model"]), mine[0] if mine else {})
    url = str(used.get("baseUrl") or "")
    routed = bool(url) and normalized(url) in (_url("anthropic", endpoint), _url("openai", endpoint))
    effort = text_at(doc, *_EFFORT)
    return ToolStatus(
        ID,
        {},
        routed=routed,
        base_url=url,
        binding={**binding, "reasoning_effort": effort if effort in EFFORTS else ""},
        facts={"configuredProvider": str(used.get("provider") or ""), "bindingIds": dict(ids)},
        token_matches=used.get("apiKey") == endpoint.key if routed and endpoint.key else None,
    )


def _ours(doc: Mapping[str, JSON], _endpoint: Endpoint | None) -> frozenset[Path]:
    ids = {str(one.get("id")) for one in _entries(doc) if isinstance(one, dict) and managed(one)}
    if not ids:
        return frozenset()
    # A key that is absent may be one we took away; where nothing was, nothing comes back.
    paths = [*(path for paths in _KEYS.values() for path in paths), _EFFORT]
    return frozenset({_CUSTOM, *(path for path in paths if lookup(doc, path) is None or text_at(doc, *path) in ids)})


def _snapshot(doc: Mapping[str, JSON]) -> Mapping[str, JSON]:
    body: dict[str, JSON] = {"version": 2}
    for name, path in _SNAPSHOTS.items():
        value = lookup(doc, path)
        body[name] = {"exists": False} if value is None else {"exists": True, "value": value}
    return {**body, "hadCustomModels": "customModels" in doc}


def _earlier(body: Mapping[str, JSON]) -> Values:
    values: dict[Path, JSON] = {}
    for name, path in _SNAPSHOTS.items():
        shot = body.get(name)
        values[path] = shot.get("value") if isinstance(shot, dict) and shot.get("exists") else None
    return {**values, _CUSTOM: [] if body.get("hadCustomModels") else None}


def _undo(path: Path, now: JSON, old: JSON) -> JSON:
    if path != _CUSTOM:
        return old
    left = [one for one in now if not managed(one)] if isinstance(now, list) else now
    return old if left == [] and not isinstance(old, list) else left


def _put(text: str, path: Path, value: JSON) -> str:
    if path == _CUSTOM and isinstance(value, list):
        return jsontext.put_items(text, path, value)
    return jsontext.put(text, path, value)


TOOL = Tool(
    ID,
    "Factory Droid",
    Grammar(parse_object, _put, jsontext.remove),
    {**dict.fromkeys(_KEYS, ()), "reasoning_effort": EFFORTS},
    _homes,
    _values,
    _status,
    _snapshot,
    _earlier,
    _ours,
    undo=_undo,
    shared=(_CUSTOM,),
    falls_back=tuple(_KEYS),
)
