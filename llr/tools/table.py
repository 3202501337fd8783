"""The coding tools this program wires, in the order in which reports show them: a tool is one row and one module."""

from collections.abc import Mapping

from llr.tools import claude_code, codex, factory_droid
from llr.tools.base import Tool

TOOLS: Mapping[str, Tool] = {tool.id: tool for tool in (codex.TOOL, claude_code.TOOL, factory_droid.TOOL)}
