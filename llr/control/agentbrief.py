"""The brief by which a coding agent sets the router up alone: pure text made of the state that was found.

Law: nothing is looked up here, and every command it prints is one of this build.
"""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.config.schema import Config

MAX_OPTIONS = 12
CLAUDE, OPENAI, RESPONSES, HEALTH = "claude_models", "openai_models", "codex_responses", "health"


@dataclass(frozen=True, slots=True)
class Probe:
    """What one live question gave: a status and a short text; `error` when there was no answer."""

    status: int = 0
    message: str = ""
    error: str = ""

    def text(self) -> str:
        """Returns the word of the brief: pass, fail or error."""
        if self.error:
            return f"error ({self.error})"
        verdict = "pass" if self.status == 200 else "fail"
        note = f"; {self.message}" if self.message else ""
        return f"{verdict} (status={self.status}{note})"


@dataclass(frozen=True, slots=True)
class State:
    """All that the brief depends on. `mode` is executed, skipped-by-flag or pending-local-server.

    `busy_pids` hold the port while nothing of ours runs. `responses_ready` says what a dry check of the Responses route
    gave, None when it was not made.
    """

    config_path: str
    config: Config
    endpoint: str
    running: bool
    require_auth: bool
    running_config: str
    busy_pids: tuple[int, ...]
    mode: str
    timeout_ms: int
    probes: Mapping[str, Probe]
    responses_ready: bool | None = None


def decision_options(config: Config) -> list[str]:
    """Returns what a tool may be pointed at: aliases that lead somewhere, then routes."""
    aliases = [own for own, alias in config.aliases.items() if alias.targets]
    return [*aliases, *(f"{one.id}/{model.id}" for one in config.providers for model in one.models)]


def gates(state: State) -> dict[str, str]:
    """Returns which tools may be patched now."""
    if state.mode != "executed":
        return dict.fromkeys(("claude_code", "opencode", "codex_cli", "factory_droid"), "pending-live-test")
    claude = "ready" if _ok(state, CLAUDE) else "blocked"
    openai = "ready" if _ok(state, OPENAI) else "blocked"
    return {"claude_code": claude, "opencode": openai, "codex_cli": _codex(state), "factory_droid": openai}


def _ok(state: State, name: str) -> bool:
    probe = state.probes.get(name)
    return probe is not None and probe.status == 200


def _codex(state: State) -> str:
    probe = state.probes.get(RESPONSES)
    if probe is None:
        return "ready" if state.responses_ready else "blocked"
    if probe.error:
        return "blocked"
    if probe.status == 404:
        return "blocked-responses-endpoint-missing"
    return "blocked-auth" if probe.status in (401, 403) else "ready"


def suggestions(state: State) -> list[str]:
    """Returns what to do next, the most needed first."""
    config, found = state.config, list[str]()
    if not config.providers:
        found.append(
            "Add first provider with at least one model: llr config upsert-provider --preset=<vendor>"
            " --api-key-env=<VARIABLE>"
        )
    aliases = {own: alias for own, alias in config.aliases.items() if own != "default"}
    if config.providers and not aliases:
        found.append("Add an alias: llr config upsert-model-alias --alias-id=<id> --strategy=auto --targets=<routes>")
    fixed = [own for own, alias in aliases.items() if alias.strategy != "auto"]
    if fixed:
        found.append(f"Consider strategy auto for: {', '.join(fixed)} (llr config upsert-model-alias --strategy=auto)")
    if config.providers and not any(one.rate_limits for one in config.providers):
        found.append("Set rate limits that match your plans: llr config set-provider-rate-limits --help")
    if config.master_key is None:
        found.append("Set a master key: llr config set-master-key --generate-master-key")
    if not state.running:
        auth = " --require-auth=true" if config.master_key is not None else ""
        # In the foreground an agent's shell would wait for its end.
        found.append(f"Start the router: llr start{auth} --detach")
        if state.busy_pids:
            pids = ", ".join(map(str, state.busy_pids))
            found.append(f"The port is taken by process {pids}: llr reclaim, or llr start --port=…")
    else:
        found.append(f"The router runs on {state.endpoint}; it takes up config changes by itself.")
        if state.mode != "executed":
            found.append("Run the live test: llr ai-help")
    made = gates(state)
    if made["claude_code"] == "blocked":
        found.append(
            "Claude Code is blocked: GET /anthropic/v1/models did not answer 200. See `llr explain --model <alias>`."
        )
    if made["codex_cli"] == "blocked-responses-endpoint-missing":
        found.append("Codex CLI is blocked: the Responses endpoint answered 404 for this model.")
    return found or ["Everything is set up. Look at it: llr config list"]


def state_facts(state: State) -> dict[str, JSON]:
    """Returns the current state under the names of the brief."""
    config = state.config
    strategies = ", ".join(f"{own}:{alias.strategy}" for own, alias in config.aliases.items())
    facts: dict[str, JSON] = {
        "config_path": state.config_path,
        "providers": ", ".join(one.id for one in config.providers) or "(none)",
        "models": sum(len(one.models) for one in config.providers),
        "model_aliases": ", ".join(config.aliases) or "(none)",
        "alias_strategies": strategies or "(none)",
        "rate_limit_buckets": sum(len(one.rate_limits) for one in config.providers),
        "default_model": config.default_model or "smart",
        "master_key_configured": config.master_key is not None,
        "local_server_running": state.running,
        "local_server_endpoint": state.endpoint,
    }
    if state.busy_pids:
        facts["local_router_port_busy"] = f"true (pids={','.join(map(str, state.busy_pids))})"
    if state.running:
        facts["local_server_require_auth"] = state.require_auth
        facts["local_server_config_path"] = state.running_config
    return facts


def gate_facts(state: State) -> dict[str, JSON]:
    """Returns the live test and what it allows, under the names of the brief."""
    facts: dict[str, JSON] = {
        "live_test_mode": state.mode,
        "live_test_timeout_ms": state.timeout_ms,
        "gateway_base_url": state.endpoint,
    }
    named = (
        ("health_probe", HEALTH),
        ("openai_models_probe", OPENAI),
        ("claude_models_probe", CLAUDE),
        ("codex_responses_probe", RESPONSES),
    )
    for label, name in named:
        probe = state.probes.get(name)
        facts[label] = probe.text() if probe is not None else "not-run"
    if state.mode == "executed" and RESPONSES not in state.probes:
        checked = {None: "not-run", True: "routable", False: "not routable"}[state.responses_ready]
        facts["codex_responses_dry_check"] = (
            f"{checked} (nothing was sent upstream; --live-test-responses sends one request)"
        )
    return {**facts, **{f"patch_gate_{name}": verdict for name, verdict in gates(state).items()}}
