"""Tools and tool choice written for a Responses upstream.

Law: declarations keep their order; tools of one namespace that stand together become one namespace entry.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.fields import luggage_losses
from llr.formats.openai_responses.content_in import OWN
from llr.formats.schema import OPENAI_STRICT, OPENAI_TOOL, clean, object_schema
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import NOT_SENT, client_tool, search_losses
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import ToolKind
from llr.ir.request import ChatRequest, ChoiceMode, ServerTool, Tool, ToolChoice

_LOCATION = ("type", "city", "country", "region", "timezone")


def _level(path: str) -> LossLevel:
    """Returns how much the loss of a schema keyword matters: a union at the top does, a note does not."""
    return LossLevel.WARN if path in ("$.anyOf", "$.oneOf", "$.allOf") else LossLevel.SILENT


def _function(tool: Tool, names: ToolNames, losses: list[Loss]) -> dict[str, JSON]:
    written = reading.bag(tool.extras, OWN).get("~tool")
    out: dict[str, JSON] = {"type": "function", "name": names.sent(tool.name, tool.namespace)}
    if tool.description or (written is not None and "description" in written):
        out["description"] = tool.description
    if written is not None:
        if "parameters" in written:
            out["parameters"] = tool.parameters
        if "strict" in written:
            out["strict"] = tool.strict
    else:
        schema, removed = clean(object_schema(tool.parameters), OPENAI_TOOL)
        losses += [
            Loss(f"{tool.at}{path[1:]}", path, "the target takes no such schema", _level(path)) for path in removed
        ]
        out["parameters"] = schema
        # The vendor's default is strict, which most schemas written for others do not satisfy.
        out["strict"] = bool(tool.strict)
        if tool.strict:
            out["parameters"] = clean(schema, OPENAI_STRICT)[0]
    losses += luggage_losses(tool.extras, OWN, tool.at)
    reading.unload(tool.extras, OWN, out)
    return out


def _grammar(value: JSON) -> JSON:
    """Returns a grammar in the flat form Responses has; Chat nests it one deeper."""
    fields = reading.table(value)
    nested = fields.get("grammar")
    return {"type": "grammar", **nested} if isinstance(nested, dict) else value


def _custom(tool: Tool, names: ToolNames) -> dict[str, JSON]:
    out: dict[str, JSON] = {"type": "custom", "name": names.sent(tool.name, tool.namespace)}
    if tool.description:
        out["description"] = tool.description
    if tool.format is not None:
        out["format"] = _grammar(tool.format)
    reading.unload(tool.extras, OWN, out)
    return out


def one(tool: Tool, names: ToolNames, losses: list[Loss]) -> dict[str, JSON]:
    """Returns one declaration, without its namespace."""
    search: Mapping[str, JSON] | None = reading.bag(tool.extras, OWN).get("~search")
    if search is not None:
        return dict(search)
    if tool.kind is ToolKind.FUNCTION:
        return _function(tool, names, losses)
    if tool.kind is ToolKind.CUSTOM:
        return _custom(tool, names)
    out: dict[str, JSON] = {"type": tool.kind.value}
    reading.unload(tool.extras, OWN, out)
    return out


def _search(tool: ServerTool, losses: list[Loss]) -> dict[str, JSON]:
    raw = tool.raw
    out: dict[str, JSON] = {"type": "web_search"}
    allowed = list(reading.texts(raw.get("allowed_domains")))
    if allowed:
        out["filters"] = {"allowed_domains": [*allowed]}
    if isinstance(raw.get("search_context_size"), str):
        out["search_context_size"] = raw["search_context_size"]
    place = reading.table(raw.get("user_location"))
    place = reading.table(place.get("approximate")) or place
    if place:
        location: dict[str, JSON] = {key: place[key] for key in _LOCATION if key in place}
        out["user_location"] = {"type": "approximate", **location}
    if raw.get("blocked_domains"):
        losses.append(Loss(f"{tool.at}.blocked_domains", "blocked domains", "Responses can only allow domains"))
    if raw.get("max_uses"):
        losses.append(Loss(f"{tool.at}.max_uses", "limit of searches", "Responses has none per tool", LossLevel.SILENT))
    losses += search_losses(tool, ())
    return out


def _hosted(tool: ServerTool, names: ToolNames, losses: list[Loss]) -> dict[str, JSON] | None:
    if tool.format is OWN:
        return dict(tool.raw)
    if tool.capability == "web_search":
        return _search(tool, losses)
    if tool.capability == "code_execution":
        return {"type": "code_interpreter", "container": {"type": "auto"}}
    if (client := client_tool(tool)) is not None:
        return _function(client, names, losses)
    losses.append(Loss(tool.at, f"tool {tool.type}", f"only {tool.format} runs it", LossLevel.REJECT))
    return None


def tools(request: ChatRequest, names: ToolNames, losses: list[Loss]) -> list[JSON]:
    """Returns the `tools` array; declarations that stand in an item are left to that item."""
    out: list[JSON] = []
    space: dict[str, Any] | None = None
    for tool in request.tools:
        if isinstance(tool, ServerTool):
            space = None
            hosted = None if tool.raw.get("~additional") else _hosted(tool, names, losses)
            if hosted is not None:
                out.append(hosted)
            continue
        notes = reading.bag(tool.extras, OWN)
        if notes.get("~additional"):
            continue
        written = one(tool, names, losses)
        if not tool.namespace:
            space = None
            out.append(written)
            continue
        if space is None or space["name"] != tool.namespace:
            head: Mapping[str, JSON] = notes.get("~namespace") or {"description": tool.namespace}
            space = {"type": "namespace", "name": tool.namespace, **head, "tools": []}
            out.append(space)
        space["tools"].append(written)
    return out


def _kind(name: str, tools_: Sequence[Tool | ServerTool]) -> Tool | None:
    for tool in tools_:
        if isinstance(tool, Tool) and tool.name == name:
            return tool
    return None


def _called(tool: Tool | ServerTool, name: str) -> bool:
    """Returns whether a choice of `name` means this tool, and it goes out."""
    if isinstance(tool, Tool):
        return tool.name == name
    client = client_tool(tool)
    return name in (tool.capability, client.name if client is not None else None)


def _reference(name: str, request: ChatRequest, names: ToolNames) -> dict[str, JSON]:
    tool = _kind(name, request.tools)
    if tool is None:
        hosted = any(isinstance(each, ServerTool) and each.capability == name for each in request.tools)
        return {"type": name} if hosted else {"type": "function", "name": names.sent(name)}
    if tool.kind in (ToolKind.FUNCTION, ToolKind.CUSTOM):
        return {"type": tool.kind.value, "name": names.sent(tool.name, tool.namespace)}
    return {"type": tool.kind.value}


def choice(request: ChatRequest, names: ToolNames, losses: list[Loss]) -> JSON:
    """Returns the `tool_choice` value, None when the client made no choice."""
    chosen: ToolChoice | None = request.tool_choice
    if chosen is None:
        return None
    if chosen.mode is ChoiceMode.TOOL and not any(_called(tool, chosen.name) for tool in request.tools):
        losses.append(Loss("tool_choice", "tool_choice", NOT_SENT))
        return "auto"
    if chosen.mode is ChoiceMode.ALLOWED:
        allowed: list[JSON] = [_reference(name, request, names) for name in chosen.allowed]
        return {"type": "allowed_tools", "mode": "required" if chosen.required else "auto", "tools": allowed}
    if chosen.mode is ChoiceMode.TOOL:
        return _reference(chosen.name, request, names)
    return chosen.mode.value
