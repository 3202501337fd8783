"""Rows of the operations table: coding tools wired to the gateway."""

from llr.control.operation import Operation
from llr.control.params import Kind, Param
from llr.tools.levels import CLAUDE_LEVELS, CODEX_LEVELS, DROID_EFFORTS

ENABLED = Param("enabled", "Route the tool (default) or undo it: --enabled=false.", Kind.BOOL, default=True)
ENDPOINT = Param("endpoint-url", "Address of the gateway (default: the running one, else where it would listen).")
KEY = Param("master-key", "Key the tool presents (default: the config's).", Kind.SECRET, aliases=("api-key",))
DRY_RUN = Param("dry-run", "Show the diff of each file and write nothing.", Kind.BOOL, default=False)
CLAUDE_FILE = Param(
    "claude-code-settings-file",
    "Settings file (default ~/.claude/settings.json).",
    Kind.PATH,
    aliases=("claude-settings-file",),
)


def _model(name: str, what: str) -> Param:
    return Param(name, f"{what}: an alias or provider/model; empty clears it.", keep_empty=True, names="route")


def _level(name: str, what: str, levels: tuple[str, ...], *aliases: str) -> Param:
    return Param(name, f"{what}: {', '.join(levels)}; empty clears it.", keep_empty=True, aliases=aliases)


TOOL_ROWS = (
    Operation(
        "set-codex-cli-routing",
        "Route Codex CLI through the gateway, or undo it.",
        "llr.control.ops.tools:SET_CODEX",
        (
            ENABLED,
            ENDPOINT,
            Param("codex-config-file", "Codex CLI config file (default ~/.codex/config.toml).", Kind.PATH),
            Param("codex-model-catalog-file", "Model catalogue to write (default beside the config file).", Kind.PATH),
            _model("default-model", "Model to use, or __codex_cli_inherit__ to keep Codex's own pick"),
            _level("thinking-level", "Reasoning effort", CODEX_LEVELS),
            KEY,
            DRY_RUN,
        ),
        aliases=("set-codex-cli",),
        examples=(
            ("What it would change", "llr config set-codex-cli-routing --dry-run"),
            ("Back to how it was", "llr config set-codex-cli-routing --enabled=false"),
        ),
    ),
    Operation(
        "set-claude-code-routing",
        "Route Claude Code through the gateway, or undo it.",
        "llr.control.ops.tools:SET_CLAUDE",
        (
            ENABLED,
            ENDPOINT,
            CLAUDE_FILE,
            _model("primary-model", "Model to use"),
            _model("default-opus-model", "Model behind Opus"),
            _model("default-sonnet-model", "Model behind Sonnet"),
            _model("default-haiku-model", "Model behind Haiku, used for small jobs"),
            _model("subagent-model", "Model of subagents"),
            _level("thinking-level", "Effort", CLAUDE_LEVELS),
            KEY,
            DRY_RUN,
        ),
        aliases=("set-claude-code",),
        examples=(
            ("What it would change", "llr config set-claude-code-routing --dry-run"),
            ("Back to how it was", "llr config set-claude-code-routing --enabled=false"),
        ),
    ),
    Operation(
        "set-claude-code-effort-level",
        "Set how much Claude Code thinks, routed or not.",
        "llr.control.ops.effort:SET_EFFORT",
        (
            _level("thinking-level", "Effort", CLAUDE_LEVELS, "effort-level"),
            CLAUDE_FILE,
            Param("shell-profile", "Also export it in the profile of your shell.", Kind.BOOL, default=False),
            DRY_RUN,
        ),
        examples=(("Think hard", "llr config set-claude-code-effort-level --effort-level=high"),),
    ),
    Operation(
        "set-factory-droid-routing",
        "Route Factory Droid through the gateway, or undo it.",
        "llr.control.ops.tools:SET_DROID",
        (
            ENABLED,
            ENDPOINT,
            Param("factory-droid-settings-file", "Settings file (default ~/.factory/settings.json).", Kind.PATH),
            _model("default-model", "Model to use"),
            _model("mission-model", "Model of all mission roles that have none of their own"),
            _model("mission-orchestrator-model", "Model of the mission orchestrator"),
            _model("mission-worker-model", "Model of mission workers"),
            _model("mission-validator-model", "Model of mission validators"),
            _level("reasoning-effort", "Reasoning effort", DROID_EFFORTS),
            KEY,
            DRY_RUN,
        ),
        aliases=("set-factory-droid",),
        examples=(("What it would change", "llr config set-factory-droid-routing --dry-run"),),
    ),
)
