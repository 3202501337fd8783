"""The brief for coding agents, section by section."""

from llr.base.jsonio import JSON
from llr.control.agentbrief import MAX_OPTIONS, State, decision_options, gate_facts, state_facts, suggestions

_ABILITIES = (
    "Add, change, probe, rename and remove providers and models.",
    "Group models under aliases with a strategy, weights and fallbacks.",
    "Set rate limits, the default model and the master key; undo any save.",
    "Start, reload, restart and stop the router; see why a request goes where it goes.",
    "Point coding tools at the router once the gate below is ready.",
)
_DISCOVERY = (
    "llr -h",
    "llr config -h",
    "llr start -h",
    "llr reclaim --dry-run",
    "llr help reference",
    "llr config --operation=validate",
    "llr config --operation=snapshot",
    "llr config --operation=tool-status",
)
_WORKFLOWS = (
    ("Check the config", "llr config --operation=validate --json"),
    ("See everything", "llr config --operation=snapshot --json"),
    ("Add a known vendor", "llr config upsert-provider --preset=openrouter --api-key-env=OPENROUTER_API_KEY"),
    (
        "Add any provider",
        "llr config upsert-provider --name=<name> --endpoints=<url> --api-key-env=<VARIABLE> --models=<ids>",
    ),
    ("Test a saved provider", "llr config test-provider --provider-id=<id> --json"),
    (
        "Group models",
        "llr config upsert-model-alias --alias-id=<id> --strategy=auto --targets=<provider/model@weight,...>",
    ),
    (
        "Cap a provider",
        "llr config set-provider-rate-limits --provider-id=<id> --bucket-name=<name> --bucket-models=all"
        " --bucket-requests=<n> --bucket-window=month:1",
    ),
    ("See a change first", "llr config <operation> ... --dry-run"),
    ("Take a change back", "llr config undo"),
    ("See the routing", "llr config --operation=list"),
    ("See why", "llr explain --model <alias>"),
    ("Free the router's port", "llr reclaim"),
)


def brief(state: State) -> str:
    """Returns the whole brief as text."""
    options = decision_options(state.config)
    sections = (
        ("# AI-HELP", ("ENTITY: LLM Router", "MODE: cli-automation", "PROFILE: agent-guide-v2")),
        (
            "## INTRO",
            (
                "This is a gateway on this machine that routes requests of coding tools to language models.",
                "Work with the commands below, read their --json output, and pass the gate before you change any tool.",
            ),
        ),
        ("## WHAT AGENT CAN DO WITH LLM ROUTER", _ABILITIES),
        ("## DISCOVERY COMMANDS", _DISCOVERY),
        ("## CURRENT STATE", _facts(state_facts(state))),
        ("## MODEL/GROUP DECISION INPUT (REQUIRED BEFORE PATCHING TOOL CONFIG)", _decision(state, options)),
        ("## PRE-PATCH API GATE (MUST PASS BEFORE EDITING TOOL CONFIG)", _facts(gate_facts(state))),
        ("## LIVE TEST COMMANDS (RUN BEFORE PATCHING TOOL CONFIG)", _live(state, options)),
        ("## LLM ROUTER CONFIG WORKFLOWS (CLI)", _numbered([f"{what}: {line}" for what, line in _WORKFLOWS])),
        ("## CODING TOOL PATCH PLAYBOOK", _playbook(state, options)),
        ("## NEXT SUGGESTIONS", _numbered(suggestions(state))),
        (
            "## UPDATE RULE",
            (
                "A running router takes up config changes by itself; `llr reload` does it at once and says why not.",
                "Gate first, then patch: change a tool only when its patch_gate says ready.",
            ),
        ),
    )
    return "\n".join(line for heading, lines in sections for line in (heading, *map(_bullet, lines)))


def brief_data(state: State) -> dict[str, JSON]:
    """Returns the computed parts of the brief as JSON."""
    options: list[JSON] = list(decision_options(state.config))
    next_steps: list[JSON] = list(suggestions(state))
    return {
        "currentState": state_facts(state),
        "decisionOptions": options,
        "gate": gate_facts(state),
        "nextSuggestions": next_steps,
    }


def _bullet(line: str) -> str:
    plain = line.startswith(("#", "ENTITY", "MODE", "PROFILE", "  ")) or line.partition(".")[0].isdigit()
    return line if plain else f"- {line}"


def _value(value: JSON) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _facts(facts: dict[str, JSON]) -> tuple[str, ...]:
    return tuple(f"{name}={_value(value)}" for name, value in facts.items())


def _numbered(lines: list[str]) -> tuple[str, ...]:
    return tuple(f"{at}. {line}" for at, line in enumerate(lines, start=1))


def _first(names: list[str]) -> str:
    """Returns the names, of many the first and how many there are."""
    more = f", … ({len(names)} in all)" if len(names) > MAX_OPTIONS else ""
    return ", ".join(names[:MAX_OPTIONS]) + more or "(none)"


def _decision(state: State, options: list[str]) -> tuple[str, ...]:
    aliases = [own for own, alias in state.config.aliases.items() if alias.targets]
    routes = options[len(aliases) :]
    return (
        "target_tool=ask which tool is meant: Claude Code, Codex CLI, OpenCode, Factory Droid or AMP",
        f"available_alias_groups={', '.join(aliases) or '(none)'}",
        f"available_direct_models={_first(routes)}",
        f"decision_options_preview={_first(options)}",
        "rule=prefer an alias to a direct model: it can fail over, and its targets change without touching the tool",
    )


def _live(state: State, options: list[str]) -> tuple[str, ...]:
    key = ' -H "Authorization: Bearer $LLM_ROUTER_KEY"' if state.require_auth else ""
    body = f'{{"model":"{options[0] if options else "<alias>"}","input":"ping"}}'
    return (
        f"curl -sS {state.endpoint}/health",
        f"curl -sS{key} {state.endpoint}/openai/v1/models",
        f"curl -sS{key} {state.endpoint}/anthropic/v1/models",
        f"curl -sS{key} -H 'content-type: application/json' -d '{body}' {state.endpoint}/openai/v1/responses"
        "  (one paid request)",
    )


def _playbook(state: State, options: list[str]) -> tuple[str, ...]:
    model = options[0] if options else "<alias>"
    origin = state.endpoint
    return (
        "### Claude Code",
        f"llr config set-claude-code-routing --primary-model={model} (needs patch_gate_claude_code=ready)",
        "### Factory Droid",
        f"llr config set-factory-droid-routing --default-model={model} (needs patch_gate_factory_droid=ready)",
        "### Codex CLI",
        f"llr config set-codex-cli-routing --default-model={model} (needs patch_gate_codex_cli=ready)",
        "Each keeps a backup of the tool's file; --enabled=false takes it back, --dry-run shows it first.",
        "### AMP Client",
        f"Not in this build yet; amp.url would be {origin}.",
        "### OpenCode",
        f"By hand: a provider of type openai-compatible with baseURL {origin}/v1 and model {model}"
        " (needs patch_gate_opencode=ready)",
    )
