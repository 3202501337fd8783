"""Coding tools and how they are routed: the rows that `tool-status` and `snapshot` show.

One row per tool, in the order of the table of tools.
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


def _rows() -> tuple[ToolStatus, ...]:
    # Only here: a command that shows no tool does not pay for knowing them.
    from functools import partial

    from llr.control.ops.tools import FACES, tool_status

    return tuple(ToolStatus(face.tool.id, face.tool.name, partial(tool_status, face)) for face in FACES)


def tool_sections(call: Call) -> tuple[tuple[Section, ...], dict[str, JSON]]:
    """Returns the sections of every tool, and the same as JSON by tool id."""
    sections: list[Section] = []
    data: dict[str, JSON] = {}
    for tool in _rows():
        found, data[tool.id] = tool.read(call)
        sections.extend(found)
    return tuple(sections), data
