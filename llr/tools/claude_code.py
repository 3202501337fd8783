"""Claude Code: the `env` of its `settings.json`.

Source: the program itself, 2.1.197: `CLAUDE_CODE_MAX_CONTEXT_TOKENS` counts for names that do not begin with `claude-`,
`CLAUDE_CODE_AUTO_COMPACT_WINDOW` is lifted to 100,000, and discovery keeps ids that begin with `claude` or `anthropic`.
"""

import os
from collections.abc import Mapping

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
from llr.tools.levels import CLAUDE_LEVELS
from llr.tools.routes import Routes
from llr.tools.settingsjson import parse_object

ID = "claude-code"
LEVELS = CLAUDE_LEVELS
# Its settings file has no word for the highest level; the variable does.
_SAVED_LEVELS = ("low", "medium", "high", "xhigh")
MODELS = {
    "primary_model": "ANTHROPIC_MODEL",
    "default_opus_model": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "default_sonnet_model": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "default_haiku_model": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "subagent_model": "CLAUDE_CODE_SUBAGENT_MODEL",
}
URL, TOKEN, EFFORT = "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_EFFORT_LEVEL"
WINDOW, COMPACT, OUTPUT = (
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
)
DISCOVERY = "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"
# Other ways to the vendor or to a model, which would win over ours.
_REMOVED = ("ANTHROPIC_API_KEY", "ANTHROPIC_SMALL_FAST_MODEL", "MAX_THINKING_TOKENS")
_OF_ROUTE = (WINDOW, COMPACT, OUTPUT, DISCOVERY)
_LEVEL: Path = ("effortLevel",)
LEAST_COMPACT = 100_000
_MANAGED = (URL, TOKEN, *_REMOVED, *MODELS.values(), EFFORT)


def _homes(env: Mapping[str, str], typed: Mapping[str, str]) -> Places:
    folder = env.get("CLAUDE_CONFIG_DIR") or os.path.join(home_of(env), ".claude")
    settings = typed.get("settings") or os.path.join(folder, "settings.json")
    return {"settings": os.path.abspath(settings), "backup": os.path.abspath(backup_path(settings))}


def base_url(endpoint: Endpoint) -> str:
    """Returns what Claude Code appends `/v1/messages` to."""
    return f"{endpoint.origin}/anthropic"


def main_model(binding: Mapping[str, str]) -> str:
    """Returns the bound model that most of the work goes to, "" for none."""
    return (
        binding.get("primary_model") or binding.get("default_sonnet_model") or binding.get("default_opus_model") or ""
    )


def route_env(binding: Mapping[str, str], routes: Routes) -> dict[str, str]:
    """Returns the variables that follow from the bound models: window and output limit of the main one, discovery."""
    bound = [binding[name] for name in MODELS if binding.get(name)]
    route = routes.find(main_model(binding))
    found: dict[str, str] = {DISCOVERY: "1"} if bound else {}
    if route is not None and route.context_window:
        found[WINDOW] = str(route.context_window)
        if route.context_window >= LEAST_COMPACT:
            found[COMPACT] = str(route.context_window)
    if route is not None and route.max_output_tokens:
        found[OUTPUT] = str(route.max_output_tokens)
    return found


def environment(binding: Mapping[str, str], routes: Routes, endpoint: Endpoint) -> dict[str, str]:
    """Returns every variable that routes Claude Code."""
    models = {variable: binding[name] for name, variable in MODELS.items() if binding.get(name)}
    level = binding.get("thinking_level", "")
    effort = {EFFORT: level} if level in LEVELS else {}
    return {URL: base_url(endpoint), TOKEN: endpoint.key, **models, **effort, **route_env(binding, routes)}


def _values(wanted: Wanted, _doc: Mapping[str, JSON], before: Mapping[str, JSON]) -> Values:
    found = environment(wanted.binding, wanted.routes, wanted.endpoint)
    values: dict[Path, JSON] = {("env", name): found.get(name) for name in _MANAGED}
    # Where we know nothing, the owner's own value stands.
    values |= {("env", name): found.get(name, lookup(before, ("env", name))) for name in _OF_ROUTE}
    level = wanted.binding.get("thinking_level", "")
    values[_LEVEL] = saved_level(level) if level in LEVELS else lookup(before, _LEVEL)
    return values


def saved_level(level: str) -> str | None:
    """Returns the level as `effortLevel` can hold it."""
    return level if level in _SAVED_LEVELS else None


def effort_values(level: str, doc: Mapping[str, JSON]) -> Values:
    """Returns what setting the effort level alone changes; "" clears it."""
    values: dict[Path, JSON] = {
        ("env", EFFORT): level or None,
        ("env", "MAX_THINKING_TOKENS"): None,
        _LEVEL: saved_level(level),
    }
    env = doc.get("env")
    if not level and isinstance(env, dict) and set(env) <= {EFFORT, "MAX_THINKING_TOKENS"}:
        return {("env",): None, _LEVEL: None}
    return values


def level_of(doc: Mapping[str, JSON]) -> str:
    """Returns the effort level a settings file asks for: the variable, the saved one, or the old token budget."""
    for text in (text_at(doc, "env", EFFORT).lower(), text_at(doc, *_LEVEL).lower()):
        if text in LEVELS:
            return text
    tokens = text_at(doc, "env", "MAX_THINKING_TOKENS") or str(lookup(doc, ("env", "MAX_THINKING_TOKENS")) or "")
    if not tokens.isascii() or not tokens.isdigit() or int(tokens) <= 0:
        return ""
    steps = ((31_999, "max"), (28_000, "xhigh"), (24_000, "high"), (6_000, "medium"), (1, "low"))
    return next(level for least, level in steps if int(tokens) >= least)


def _status(doc: Mapping[str, JSON], endpoint: Endpoint) -> ToolStatus:
    url, token = text_at(doc, "env", URL), text_at(doc, "env", TOKEN)
    routed = bool(url) and normalized(url) == base_url(endpoint)
    binding = {name: text_at(doc, "env", variable) for name, variable in MODELS.items()}
    return ToolStatus(
        ID,
        {},
        routed=routed,
        base_url=url,
        binding={**binding, "thinking_level": level_of(doc)},
        token_matches=token == endpoint.key if routed and endpoint.key else None,
    )


def _ours(doc: Mapping[str, JSON], endpoint: Endpoint | None) -> frozenset[Path]:
    if endpoint is None or normalized(text_at(doc, "env", URL)) != base_url(endpoint):
        return frozenset()
    found: set[Path] = {("env", name) for name in (*_MANAGED, DISCOVERY)}
    if lookup(doc, ("env", EFFORT)) is not None:
        found.add(_LEVEL)
    return frozenset(found)


def _snapshot(doc: Mapping[str, JSON]) -> Mapping[str, JSON]:
    env = doc.get("env")
    kept: dict[str, JSON] = {
        name: {"exists": True, "value": value}
        for name, value in (env.items() if isinstance(env, dict) else ())
        if name in (*_MANAGED, *_OF_ROUTE)
    }
    body: dict[str, JSON] = {"version": 1, "env": kept}
    if "effortLevel" in doc:
        body["effortLevel"] = {"exists": True, "value": doc["effortLevel"]}
    return body


def _earlier(body: Mapping[str, JSON]) -> Values:
    values: dict[Path, JSON] = {}
    env = body.get("env")
    for name, shot in (env if isinstance(env, dict) else {}).items():
        if isinstance(shot, dict) and shot.get("exists"):
            values[("env", name)] = shot.get("value")
    level = body.get("effortLevel")
    if isinstance(level, dict) and level.get("exists"):
        values[_LEVEL] = level.get("value")
    return values


TOOL = Tool(
    ID,
    "Claude Code",
    Grammar(parse_object, jsontext.put, jsontext.remove),
    {**dict.fromkeys(MODELS, ()), "thinking_level": LEVELS},
    _homes,
    _values,
    _status,
    _snapshot,
    _earlier,
    _ours,
    besides=tuple(("env", name) for name in _OF_ROUTE),
)
