"""Codex CLI: its `config.toml`, and the model catalogue beside it.

Source: the configuration reference of Codex CLI 0.169 and `codex debug models --bundled`.
"""

import json
import os
from collections.abc import Mapping
from typing import cast

from llr.base.jsonio import JSON
from llr.tools import tomltext
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
from llr.tools.catalogue import catalogue
from llr.tools.endpoint import normalized
from llr.tools.levels import CODEX_LEVELS

ID = "codex-cli"
INHERIT = "__codex_cli_inherit__"
PROVIDER = "llm-router"
CATALOG = "llm-router-model-catalog.json"
LEVELS = CODEX_LEVELS

_TABLE: Path = ("model_providers", PROVIDER)
_PROVIDER: Path = ("model_provider",)
_MODEL: Path = ("model",)
_EFFORT: Path = ("model_reasoning_effort",)
_CATALOG: Path = ("model_catalog_json",)
# The gateway decodes what this Python can, which for zstd is a matter of its version: bodies come plain.
_PLAIN_BODIES: Path = ("features", "enable_request_compression")
# Names of the reference router's backup.
_SNAPSHOTS = {
    "modelProvider": _PROVIDER,
    "model": _MODEL,
    "modelReasoningEffort": _EFFORT,
    "modelCatalogJson": _CATALOG,
}


def _homes(env: Mapping[str, str], typed: Mapping[str, str]) -> Places:
    settings = typed.get("settings") or os.path.join(
        env.get("CODEX_HOME") or os.path.join(home_of(env), ".codex"), "config.toml"
    )
    catalog = typed.get("catalog") or os.path.join(os.path.dirname(settings), CATALOG)
    return {
        "settings": os.path.abspath(settings),
        "backup": os.path.abspath(backup_path(settings)),
        "catalog": os.path.abspath(catalog),
    }


def base_url(endpoint: Endpoint) -> str:
    """Returns what Codex appends `/responses` to."""
    return f"{endpoint.origin}/openai/v1"


def provider_table(endpoint: Endpoint) -> dict[str, JSON]:
    """Returns the provider as Codex is told it: Responses over plain HTTP, no WebSocket."""
    return {
        "name": "LLM Router",
        "base_url": base_url(endpoint),
        "wire_api": "responses",
        "experimental_bearer_token": endpoint.key,
        "supports_websockets": False,
    }


def _owned(wanted: Wanted) -> Mapping[str, bytes]:
    if wanted.binding.get("default_model") == INHERIT:
        return {}
    rows = catalogue(wanted.routes, wanted.binding.get("default_model", ""))
    if not rows:
        return {}
    return {wanted.places["catalog"]: json.dumps({"models": rows}, ensure_ascii=False, indent=2).encode() + b"\n"}


def _values(wanted: Wanted, doc: Mapping[str, JSON], before: Mapping[str, JSON]) -> Values:
    model, level = wanted.binding.get("default_model", ""), wanted.binding.get("thinking_level", "").lower()
    values: dict[Path, JSON] = {_PROVIDER: PROVIDER}
    if model != INHERIT:
        values[_MODEL] = model or None
        values[_CATALOG] = wanted.places["catalog"] if _owned(wanted) else None
    elif text_at(doc, *_CATALOG) == wanted.places["catalog"]:
        # From our pick back to Codex's own.
        values |= {_MODEL: lookup(before, _MODEL), _CATALOG: lookup(before, _CATALOG)}
    values[_EFFORT] = level if level in LEVELS else None
    table = provider_table(wanted.endpoint)
    there = lookup(doc, _TABLE)
    # Left-overs of a provider of that name, such as `env_key`, would win over ours.
    stray = [key for key in (there if isinstance(there, dict) else {}) if key not in table]
    values |= {(*_TABLE, key): None for key in stray}
    values |= {(*_TABLE, key): value for key, value in table.items()}
    values[_PLAIN_BODIES] = False
    return values


def _status(doc: Mapping[str, JSON], endpoint: Endpoint) -> ToolStatus:
    url, token = text_at(doc, *_TABLE, "base_url"), text_at(doc, *_TABLE, "experimental_bearer_token")
    routed = text_at(doc, *_PROVIDER) == PROVIDER and normalized(url) == base_url(endpoint)
    catalog = text_at(doc, *_CATALOG)
    inherits = routed and os.path.basename(catalog) != CATALOG
    level = text_at(doc, *_EFFORT)
    return ToolStatus(
        ID,
        {},
        routed=routed,
        base_url=url,
        binding={
            "default_model": INHERIT if inherits else text_at(doc, *_MODEL),
            "thinking_level": level if level in LEVELS else "",
        },
        facts={
            "modelProvider": text_at(doc, *_PROVIDER),
            "configuredModel": text_at(doc, *_MODEL),
            "configuredThinkingLevel": level,
            "configuredModelCatalogJson": catalog,
            "inheritCliModel": inherits,
        },
        token_matches=token == endpoint.key if routed and endpoint.key else None,
    )


def _ours(doc: Mapping[str, JSON], _endpoint: Endpoint | None) -> frozenset[Path]:
    if text_at(doc, *_PROVIDER) != PROVIDER or not isinstance(lookup(doc, _TABLE), dict):
        return frozenset()
    table = cast("dict[str, JSON]", lookup(doc, _TABLE))
    found = {_PROVIDER, _EFFORT, *((*_TABLE, key) for key in table)}
    if os.path.basename(text_at(doc, *_CATALOG)) == CATALOG:
        found |= {_MODEL, _CATALOG}
    if lookup(doc, _PLAIN_BODIES) is False:
        found.add(_PLAIN_BODIES)
    return frozenset(found)


def _snapshot(doc: Mapping[str, JSON]) -> Mapping[str, JSON]:
    def shot(path: Path) -> JSON:
        value = lookup(doc, path)
        return {"exists": False} if value is None else {"exists": True, "value": str(value)}

    table = lookup(doc, _TABLE)
    body = "\n".join(f"{key} = {tomltext.render(one)}" for key, one in table.items()) if isinstance(table, dict) else ""
    section: JSON = {"exists": isinstance(table, dict), "body": body}
    return {"version": 1, **{name: shot(path) for name, path in _SNAPSHOTS.items()}, "providerSection": section}


def _earlier(body: Mapping[str, JSON]) -> Values:
    values: dict[Path, JSON] = {}
    for name, path in _SNAPSHOTS.items():
        shot = body.get(name)
        values[path] = shot.get("value") if isinstance(shot, dict) and shot.get("exists") else None
    section = body.get("providerSection")
    if isinstance(section, dict) and section.get("exists"):
        try:
            values |= {(*_TABLE, key): one for key, one in tomltext.parse(str(section.get("body", ""))).items()}
        except ValueError:
            # A backup that nobody can read gives nothing back; the router's own table goes all the same.
            return values
    return values


TOOL = Tool(
    ID,
    "Codex CLI",
    Grammar(tomltext.parse, lambda text, path, value: tomltext.put(text, path, cast("str", value)), tomltext.remove),
    {"default_model": (), "thinking_level": LEVELS},
    _homes,
    _values,
    _status,
    _snapshot,
    _earlier,
    _ours,
    owned=_owned,
    falls_back=("default_model",),
)
