"""The block that earlier versions of the router put into shell profiles, and the opt-in that still does."""

import os
from collections.abc import Mapping

from llr.tools.base import home_of

_OPEN = "# >>> llm-router effort-level >>>"
_CLOSE = "# <<< llm-router effort-level <<<"


def profile_path(env: Mapping[str, str]) -> str:
    """Returns the profile of the user's shell."""
    shell = env.get("SHELL", "")
    name = ".zshrc" if shell.endswith(("/zsh", "/zsh5")) else ".bashrc"
    return os.path.join(home_of(env), name)


def without_block(text: str) -> str:
    """Returns a profile without any block of ours; an open one without its end is left alone."""
    lines = text.splitlines(keepends=True)
    kept: list[str] = []
    at = 0
    while at < len(lines):
        end = next((to for to in range(at, len(lines)) if lines[to].strip() == _CLOSE), None)
        if lines[at].strip() == _OPEN and end is not None:
            at = end + 1
            continue
        kept.append(lines[at])
        at += 1
    return "".join(kept)


def with_block(text: str, level: str) -> str:
    """Returns a profile with exactly one block that sets the level."""
    bare = without_block(text)
    gap = "" if not bare or bare.endswith("\n") else "\n"
    return f'{bare}{gap}{_OPEN}\nexport CLAUDE_CODE_EFFORT_LEVEL="{level}"\n{_CLOSE}\n'
