"""The README's fenced blocks, for tests that run or read them."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """Returns the contents of all fenced blocks of one language."""
    return [body for tag, body in _FENCE.findall(README.read_text(encoding="utf-8")) if tag == language]


def commands() -> list[str]:
    """Returns every shell line, in order."""
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
