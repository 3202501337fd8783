"""The commands, in the order help prints them. A module is imported when its command runs, not before."""

from llr.base.records import dataclass
from llr.control.params import Kind, Param

DESCRIPTION = "Run and configure a local gateway that routes requests to language models."


@dataclass(frozen=True, slots=True)
class Command:
    """One command: where its code is, one line about it, and examples as (what for, command line).

    The module has `PARAMS` and `run(args, context) -> Outcome`.
    """

    module: str
    summary: str
    examples: tuple[tuple[str, str], ...]
    hidden: bool = False


COMMANDS: dict[str, Command] = {
    "start": Command(
        "llr.cli.cmd_start",
        "Run the gateway in the foreground.",
        (
            ("Try it without a config", "llr start --demo"),
            ("Serve your config", "llr start"),
            ("Ask every client for the master key", "llr start --require-auth"),
            ("In the background", "llr start --detach"),
            ("Another port and four processes", "llr start --port=9000 --workers=4"),
        ),
    ),
    "start-runtime": Command(
        "llr.cli.cmd_start_runtime", "Serve an inherited socket for a parent gateway.", (), hidden=True
    ),
    "web": Command("llr.cli.cmd_home", "Show the status and the next steps.", (("Where am I", "llr web"),)),
    "stop": Command(
        "llr.cli.cmd_stop",
        "Stop the running gateway; requests in flight may finish.",
        (("Stop", "llr stop"), ("Stop without waiting", "llr stop --now"), ("And keep it so", "llr stop --disable")),
    ),
    "reclaim": Command(
        "llr.cli.cmd_reclaim",
        "Free the gateway's port; what is not ours is ended only on request.",
        (("Who holds it", "llr reclaim --dry-run"), ("Free it", "llr reclaim")),
    ),
    "reload": Command(
        "llr.cli.cmd_reload",
        "Have the running gateway read its config again.",
        (("After an edit", "llr reload"), ("In a script", "llr reload --json")),
    ),
    "restart": Command(
        "llr.cli.cmd_restart",
        "Replace the running gateway's processes; no request fails.",
        (("Take up a new llr.pyz", "llr restart"), ("After a change of the port", "llr restart --hard")),
    ),
    "update": Command(
        "llr.cli.cmd_update",
        "Put a newer program file in place of this one; the running gateway takes it up without a break.",
        (
            ("From a file with its hash beside it", "llr update --from ./llr.pyz"),
            ("Is there a newer one (LLM_ROUTER_UPDATE_URL)", "llr update --check --exit-code"),
            ("Back to the one before", "llr update --rollback"),
        ),
    ),
    "status": Command(
        "llr.cli.cmd_status",
        "Show whether a gateway runs, where, and with which settings.",
        (("Look", "llr status"), ("In a script", "llr status --json")),
    ),
    "doctor": Command(
        "llr.cli.cmd_doctor",
        "Find what stands between this machine and an answer: config, gateway, keys, network; each with its fix.",
        (
            ("Everything", "llr doctor"),
            ("Without the network", "llr doctor --offline"),
            ("One provider, for a script", "llr doctor --provider-id=openrouter --json"),
        ),
    ),
    "cooldowns": Command(
        "llr.cli.cmd_cooldowns",
        "Show what rests after failures and what limits counted, or end it.",
        (
            ("What rests", "llr cooldowns"),
            ("Try it again now", "llr cooldowns clear openrouter/gpt-4o-mini"),
            ("Count anew", "llr cooldowns clear openrouter/monthly --counts"),
        ),
    ),
    "explain": Command(
        "llr.cli.cmd_explain",
        "Show where a request would go and why, without sending it.",
        (
            ("A model or alias", "llr explain --model smart"),
            ("A whole request", "llr explain --body request.json --format claude"),
        ),
    ),
    "logs": Command(
        "llr.cli.cmd_logs",
        "Show the end of the service log, the activity log or the request log.",
        (
            ("The last lines", "llr logs"),
            ("As it grows", "llr logs -f"),
            ("What failed over", "llr logs --activity"),
            ("Every request", "llr logs --requests"),
        ),
    ),
    "ai-help": Command(
        "llr.cli.cmd_ai_help",
        "Print the brief by which a coding agent can set everything up, computed from the real state.",
        (("For an agent", "llr ai-help"), ("Without asking the gateway", "llr ai-help --skip-live-test")),
    ),
    "run": Command(
        "llr.cli.cmd_run",
        "Start a coding tool once through the gateway, nothing of its settings changed.",
        (
            ("Claude Code", "llr run claude"),
            ("Codex CLI with its own words", 'llr run codex --model=fast -- exec "explain this folder"'),
        ),
    ),
    "config": Command(
        "llr.cli.cmd_config",
        "Look at the config file or change it by one operation.",
        (
            ("Check the file", "llr config validate"),
            ("Show what it routes", "llr config --operation=list"),
            ("Another file", "llr config validate --config=./router.json"),
        ),
    ),
    "completion": Command(
        "llr.cli.cmd_completion",
        "Print a completion script for bash, zsh or fish.",
        (("For this shell", "llr completion bash"), ("For good", "llr completion fish")),
    ),
    "help": Command(
        "llr.cli.cmd_help",
        "Print the reference, or the map of the code.",
        (
            ("Everything", "llr help reference"),
            ("Config keys", "llr help reference config"),
            ("Where code is", "llr help layout"),
        ),
    ),
}

# Other names of commands.
ALIASES: dict[str, str] = {"setup": "config", "upgrade": "update"}

# Commands that people may know and this build does not have.
LATER: tuple[str, ...] = ("deploy", "worker-key", "subscription")

GLOBAL_PARAMS: tuple[Param, ...] = (
    Param("json", "Print one JSON object on stdout.", Kind.BOOL, default=False),
    Param("yes", "Answer every confirmation with yes.", Kind.BOOL, default=False),
    Param("no-input", "Never ask, even on a terminal.", Kind.BOOL, default=False),
    Param("lenient", "Ignore unknown flags with a warning.", Kind.BOOL, default=False),
)

# Flags that never take the next word as their value, for finding the command behind them.
BARE_FLAGS = frozenset(
    (
        *(param.name for param in GLOBAL_PARAMS),
        *("help", "version", "tui", "demo", "now", "quiet", "strict", "dry-run", "hard"),
        *("watch-config", "no-watch-config", "watch-binary", "no-watch-binary", "require-auth", "no-require-auth"),
        *("offline", "allow-insecure-bind", "detach", "here", "managed", "check", "disable"),
        *("check-only", "exit-code", "install", "no-install", "rollback", "reload", "no-reload"),
        *("device-code", "fill-model-context-windows", "enabled", "skip-probe", "set-master-key", "prune-references"),
        *("clear-fallback-targets", "clear-fallbacks", "remove-bucket", "replace-rate-limits", "generate-master-key"),
        *("print", "create-backup", "follow", "activity", "skip-live-test", "live-test-responses", "allow-plain-http"),
        *("counts", "requests", "shell-profile"),
        *("open", "router-watch-config", "router-watch-binary", "router-require-auth", "allow-remote-clients"),
    )
)
