"""Coding tools and how they are routed: the rows that `tool-status` and `snapshot` show.

One row per tool, written by hand in display order; each tool's module adds its own.
"""

from collections.abc import Callable

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.control.call import Call
from llr.control.report import Section


@dataclass(frozen=True, slots=True)
class ToolStatus:
    """One tool: `read` gives its sections and the same as JSON, an unreadable file told in them."""

    id: str
    name: str
    read: Callable[[Call], tuple[tuple[Section, ...], JSON]]


TOOLS: tuple[ToolStatus, ...] = ()


def tool_sections(call: Call) -> tuple[tuple[Section, ...], dict[str, JSON]]:
    """Returns the sections of every tool, and the same as JSON by tool id."""
    sections: list[Section] = []
    data: dict[str, JSON] = {}
    for tool in TOOLS:
        found, data[tool.id] = tool.read(call)
        sections.extend(found)
    return tuple(sections), data
