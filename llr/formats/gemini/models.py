"""What this code knows about Gemini models: generation, thinking switches, what goes together."""

import re

from llr.base.records import dataclass
from llr.formats.base import Target

_VERSION = re.compile(r"gemini-(\d+)(?:[.-](\d{1,2})(?!\d))?")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a model takes.

    `levels` it thinks by level, `budgets` by token budget (`least`, `most`), neither: not at all. `signed` it refuses a
    call that comes back without its signature. `mixes` it takes hosted tools, functions and JSON output together.
    `rich_results` its tool results may hold media.
    """

    levels: tuple[str, ...] = ()
    budgets: bool = False
    least: int = 0
    most: int = 24_576
    signed: bool = False
    mixes: bool = False
    rich_results: bool = False


def version(model: str) -> tuple[int, int] | None:
    """Returns (major, minor) of a Gemini id anywhere in `model`, None when it is none."""
    match = _VERSION.search(model.lower())
    return (int(match[1]), int(match[2] or 0)) if match else None


def rules(target: Target) -> Rules:
    """Returns the rules of a target; an unknown id gets the newest ones when it is a Gemini at all."""
    found, name = version(target.model), target.model.lower()
    if found is None and "gemini" not in name:
        return Rules()
    if target.capabilities.get("supportsThinking") is False or target.capabilities.get("supportsReasoning") is False:
        thinks = False
    else:
        thinks = found is None or found >= (2, 5)
    if found is None or found >= (3, 0):
        levels = ("minimal", "low", "medium", "high") if "flash" in name else ("low", "medium", "high")
        return Rules(levels if thinks else (), signed=True, mixes=True, rich_results=True)
    if not thinks:
        return Rules()
    # Vendor reference, "Thinking budgets": Pro cannot stop thinking, Flash can.
    return Rules(budgets=True, least=128, most=32_768) if "pro" in name else Rules(budgets=True)
