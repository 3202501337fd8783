"""The levels of thinking that each tool knows, weakest first."""

CODEX_LEVELS = ("minimal", "low", "medium", "high", "xhigh")
CLAUDE_LEVELS = ("low", "medium", "high", "xhigh", "max")
DROID_EFFORTS = ("off", "none", "low", "medium", "high")
