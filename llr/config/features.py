"""Blocks that features of their own will use: checked here, kept in the raw document."""

from llr.config.cursor import Cursor
from llr.config.links import Names


def check(root: Cursor, names: Names) -> None:
    """Records the issues of `webSearch`, `amp`, `claudeCode` and `ollama`."""
