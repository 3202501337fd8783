"""Tools and tool choice of a Responses request, read.

Law: every declared tool is one `Tool` or `ServerTool`, in order; tools inside a namespace carry it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import replace
from llr.formats import reading
from llr.formats.openai_responses.content_in import OWN
from llr.ir.parts import NO_EXTRAS, Extras, ToolKind
from llr.ir.request import ChoiceMode, ServerTool, Tool, ToolChoice

# Tools whose type is their name.
FIXED: Mapping[str, ToolKind] = {
    kind.value: kind for kind in (ToolKind.LOCAL_SHELL, ToolKind.SHELL, ToolKind.APPLY_PATCH)
}
_KNOWN = frozenset(("type", "name", "description", "parameters", "strict"))
_KNOWN_CUSTOM = frozenset(("type", "name", "description", "format"))


def capability(kind: str) -> str:
    """Returns the name several vendors share for a hosted tool type, "" for none."""
    if kind.startswith("web_search"):
        return "web_search"
    return "code_execution" if kind == "code_interpreter" else ""


def _function(fields: Mapping[str, Any], space: str, at: str) -> Tool:
    extras = reading.noted(reading.luggage(OWN, fields, _KNOWN), OWN, "~tool", _written(fields))
    return Tool(
        reading.text(fields.get("name")),
        reading.text(fields.get("description")),
        fields.get("parameters"),
        ToolKind.FUNCTION,
        reading.boolean(fields.get("strict")),
        space,
        None,
        extras,
        at,
    )


def _written(fields: Mapping[str, Any]) -> list[str]:
    """Returns the known keys that were written, so that absent and null ones stay apart."""
    return [key for key in ("description", "parameters", "strict") if key in fields]


def _custom(fields: Mapping[str, Any], space: str, at: str) -> Tool:
    extras: Extras = reading.luggage(OWN, fields, _KNOWN_CUSTOM)
    return Tool(
        reading.text(fields.get("name")),
        reading.text(fields.get("description")),
        None,
        ToolKind.CUSTOM,
        None,
        space,
        fields.get("format"),
        extras,
        at,
    )


def _namespace(fields: Mapping[str, Any], at: str) -> Iterator[Tool | ServerTool]:
    space = reading.text(fields.get("name"))
    head = {key: value for key, value in fields.items() if key not in ("type", "name", "tools")}
    for place, inner in reading.tables(fields.get("tools")):
        for found in tool(inner, f"{at}.tools[{place}]", space):
            if isinstance(found, Tool):
                found = replace(found, extras=reading.noted(found.extras, OWN, "~namespace", head))
            yield found


def tool(fields: Mapping[str, Any], at: str, space: str = "") -> Iterator[Tool | ServerTool]:
    """Yields the tools one entry declares: itself, or those in its namespace."""
    kind = reading.text(fields.get("type"))
    nested = fields.get("function")
    if kind == "function" and isinstance(nested, dict):
        fields = {"type": "function", **nested}
    if kind == "namespace":
        yield from _namespace(fields, at)
    elif kind == "function":
        if reading.text(fields.get("name")):
            yield _function(fields, space, at)
    elif kind == "custom":
        if reading.text(fields.get("name")):
            yield _custom(fields, space, at)
    elif (fixed := FIXED.get(kind)) is not None:
        extras = reading.luggage(OWN, fields, frozenset(("type",)))
        yield Tool(kind, "", None, fixed, None, space, None, extras, at)
    elif kind == "tool_search" and fields.get("execution") == "client":
        extras = reading.noted(NO_EXTRAS, OWN, "~search", fields)
        yield Tool(kind, reading.text(fields.get("description")), fields.get("parameters"), extras=extras, at=at)
    else:
        yield ServerTool(OWN, kind, fields, capability(kind), at)


def tools(value: JSON, at: str = "tools") -> Iterator[Tool | ServerTool]:
    """Yields all tools of a `tools` array in order."""
    for place, fields in reading.tables(value):
        yield from tool(fields, f"{at}[{place}]")


_MODES = {"auto": ChoiceMode.AUTO, "none": ChoiceMode.NONE, "required": ChoiceMode.REQUIRED, "any": ChoiceMode.REQUIRED}


def choice(value: JSON) -> ToolChoice | None:
    """Returns the client's tool choice, None when it said nothing (or nothing known)."""
    if isinstance(value, str):
        mode = _MODES.get(value.lower())
        return None if mode is None else ToolChoice(mode)
    if not isinstance(value, dict):
        return None
    kind = reading.text(value.get("type"))
    if kind in _MODES:
        return ToolChoice(_MODES[kind])
    if kind == "allowed_tools":
        names = tuple(
            reading.text(each.get("name")) or reading.text(each.get("type"))
            for _, each in reading.tables(value.get("tools"))
        )
        return ToolChoice(ChoiceMode.ALLOWED, allowed=names, required=value.get("mode") == "required", raw=value)
    nested = reading.table(value.get("function"))
    name = reading.text(value.get("name")) or reading.text(nested.get("name"))
    if kind in ("function", "custom", "tool"):
        if not name:
            return ToolChoice(ChoiceMode.REQUIRED)
        return ToolChoice(ChoiceMode.TOOL, name, ToolKind.CUSTOM if kind == "custom" else ToolKind.FUNCTION, raw=value)
    return ToolChoice(ChoiceMode.TOOL, name or kind, FIXED.get(kind, ToolKind.FUNCTION), raw=value)
