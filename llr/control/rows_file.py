"""Rows of the operations table: the file as a whole, the master key, and the service of the operating system."""

from llr.control.operation import SAVE_PARAMS, Operation
from llr.control.params import Kind, Param

TOOL_PARAMS = (
    Param("endpoint-url", "Address of the gateway (default: the running one)."),
    Param("amp-client-settings-scope", "AMP settings to look at: global or workspace (default both)."),
    Param("amp-client-settings-file", "AMP settings file.", Kind.PATH),
    Param("codex-config-file", "Codex CLI config file.", Kind.PATH),
    Param("claude-code-settings-file", "Claude Code settings file.", Kind.PATH, aliases=("claude-settings-file",)),
    Param("factory-droid-settings-file", "Factory Droid settings file.", Kind.PATH),
)

READ_ROWS = (
    Operation(
        "list",
        "Show what the config routes: providers, models, aliases, limits.",
        "llr.control.listing:LIST",
        aliases=("list-routing",),
        examples=(("Everything that is configured", "llr config list"),),
    ),
    Operation(
        "validate",
        "Check the config file and name every issue with its path; nothing is written.",
        "llr.control.validate:VALIDATE",
        (Param("strict", "Count warnings as errors.", Kind.BOOL, default=False),),
        examples=(("Before a reload", "llr config validate && llr reload"),),
    ),
    Operation(
        "snapshot",
        "Show the running gateway, the startup service, the config and the coding tools at once.",
        "llr.control.ops.snapshot:SNAPSHOT",
        TOOL_PARAMS,
        examples=(("For a bug report", "llr config snapshot"),),
    ),
    Operation(
        "tool-status",
        "Show which coding tools are routed through the gateway.",
        "llr.control.ops.snapshot:TOOL_STATUS",
        TOOL_PARAMS,
        examples=(("Look", "llr config tool-status"),),
    ),
)

KEY_ROWS = (
    Operation(
        "set-master-key",
        "Set the key that clients must present when auth is required.",
        "llr.control.ops.masterkey:SET_MASTER_KEY",
        (
            Param("master-key", "The key; - reads it from stdin.", Kind.SECRET),
            Param("generate-master-key", "Make one, unless --master-key is given.", Kind.BOOL, default=False),
            Param(
                "master-key-length", "Length of a made key, 24 to 256 (default 48).", Kind.INT, default=48, loose=True
            ),
            Param("master-key-prefix", "How a made key begins (default gw_).", example="gw_"),
            Param("print", "Show a made key (default: only on a terminal).", Kind.BOOL),
        ),
        examples=(
            ("Let one be made", "llr config set-master-key --generate-master-key --print"),
            ("Your own, unseen by others", "llr config set-master-key --master-key=-"),
        ),
        writes=True,
    ),
)

FILE_ROWS = (
    Operation(
        "undo",
        "Bring the version before the last save back; a second undo takes that back.",
        "llr.control.ops.history:UNDO",
        (Param("to", "A backup by number or name, as `history` lists them (default 1)."), *SAVE_PARAMS),
        examples=(
            ("The last save was wrong", "llr config undo"),
            ("What it would change", "llr config undo --to=3 --dry-run"),
        ),
    ),
    Operation(
        "history",
        "List the kept versions of the config file, newest first.",
        "llr.control.ops.history:HISTORY",
        examples=(("Look", "llr config history"),),
    ),
    Operation(
        "migrate-config",
        "Bring the config file to the current schema version.",
        "llr.control.ops.migration:MIGRATE",
        (
            Param("target-version", "Schema version to reach (default 2)."),
            Param(
                "create-backup",
                "Keep the old bytes as a backup, which `undo` needs (default true).",
                Kind.BOOL,
                aliases=("backup",),
                default=True,
            ),
            *SAVE_PARAMS,
        ),
        examples=(("An old file", "llr config migrate-config"),),
    ),
)

STARTUP_ROWS = (
    Operation(
        "startup-install",
        "Have the operating system start the gateway with your session.",
        "llr.control.ops.startup:INSTALL",
        (
            Param("watch-config", "Take up changes of the config file while running (default true).", Kind.BOOL),
            Param("watch-binary", "Take up a new program file while running (default true).", Kind.BOOL),
            Param("require-auth", "Ask every client for the master key (default: as the config says).", Kind.BOOL),
        ),
        examples=(("Install", "llr config startup-install"),),
    ),
    Operation(
        "startup-uninstall",
        "Remove the startup service.",
        "llr.control.ops.startup:UNINSTALL",
        examples=(("Remove", "llr config startup-uninstall"),),
    ),
    Operation(
        "startup-status",
        "Show whether the startup service is installed and running.",
        "llr.control.ops.startup:STATUS",
        examples=(("Look", "llr config startup-status"),),
    ),
)
