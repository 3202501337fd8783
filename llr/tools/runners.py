"""Tools that can be started once through the gateway, nothing of theirs patched on disk: a tool is a row.

Law: a key goes into the environment or a private file, never onto a command line, which every user can read.
"""

import json
import os
from collections.abc import Callable, Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.tools import claude_code, codex
from llr.tools.base import Endpoint
from llr.tools.catalogue import catalogue
from llr.tools.routes import Routes
from llr.tools.settingsjson import parse_object
from llr.tools.tomltext import render


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is made of. `scratch` is a private folder that is gone afterwards."""

    endpoint: Endpoint
    routes: Routes
    model: str
    scratch: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a tool: variables (None: unset), words before the user's own, files to write into `scratch`."""

    env: Mapping[str, str | None]
    args: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Runner:
    """One tool: its program, how to get it, and its recipe."""

    name: str
    program: str
    install: str
    recipe: Callable[[Start], Recipe]


_KEY_VARIABLE = "LLR_GATEWAY_KEY"
_ONCE = "llr-run"


def _claude(start: Start) -> Recipe:
    binding = {"primary_model": start.model}
    found: dict[str, str | None] = dict(claude_code.environment(binding, start.routes, start.endpoint))
    # One gateway, one model: tiers that Claude Code picks by itself would be names nobody configured.
    for variable in ("ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"):
        found[variable] = start.env.get(variable) or start.model
    found |= {"ANTHROPIC_API_KEY": None, "ANTHROPIC_SMALL_FAST_MODEL": None}
    saved = _saved_env(start.env)
    clashes = {name: value for name, value in found.items() if name in saved and saved[name] != value}
    if not clashes:
        return Recipe(found)
    # Variables of its settings file win over the process's; those of --settings win over both.
    path = os.path.join(start.scratch, "settings.json")
    text = json.dumps({"env": {name: value or "" for name, value in clashes.items()}})
    return Recipe(found, ("--settings", path), {path: text})


def _saved_env(env: Mapping[str, str]) -> Mapping[str, JSON]:
    path = claude_code.TOOL.homes(env, {})["settings"]
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = parse_object(file.read()).get("env")
    except (OSError, ValueError):
        # The tool itself will say what is wrong with its file.
        return {}
    return found if isinstance(found, dict) else {}


def _codex(start: Start) -> Recipe:
    table = codex.provider_table(start.endpoint)
    del table["experimental_bearer_token"]
    table["env_key"] = _KEY_VARIABLE
    path = os.path.join(start.scratch, codex.CATALOG)
    settings: dict[str, JSON] = {
        "model_provider": _ONCE,
        "model": start.model,
        "model_catalog_json": path,
        "features.enable_request_compression": False,
        **{f"model_providers.{_ONCE}.{key}": value for key, value in table.items()},
    }
    args = [word for key, value in settings.items() for word in ("-c", f"{key}={render(value)}")]
    rows: JSON = {"models": catalogue(start.routes, start.model)}
    return Recipe({_KEY_VARIABLE: start.endpoint.key}, tuple(args), {path: json.dumps(rows)})


RUNNERS: Mapping[str, Runner] = {
    "claude": Runner("Claude Code", "claude", "npm install -g @anthropic-ai/claude-code", _claude),
    "codex": Runner("Codex CLI", "codex", "npm install -g @openai/codex", _codex),
}
