"""Tools and tool choice written for a Gemini upstream."""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.fields import luggage_losses
from llr.formats.gemini.models import Rules
from llr.formats.gemini.parts_in import OWN
from llr.formats.gemini.schemas import from_json_schema
from llr.formats.schema import object_schema
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import NOT_SENT, client_tool, function_form, search_losses
from llr.ir.loss import Loss, LossLevel
from llr.ir.request import ChatRequest, ChoiceMode, ServerTool, Tool

_SEARCH_OPTIONS = (
    "allowed_domains",
    "blocked_domains",
    "filters",
    "user_location",
    "max_uses",
    "search_context_size",
)
_HOSTED = {"web_search": "googleSearch", "code_execution": "codeExecution"}


def declaration(tool: Tool, names: ToolNames, losses: list[Loss]) -> dict[str, JSON]:
    """Returns a function declaration; one of our own format as it was written."""
    out: dict[str, JSON] = {"name": names.sent(tool.name or tool.kind.value, tool.namespace)}
    written: Mapping[str, Any] | None = reading.bag(tool.extras, OWN).get("~written")
    if written is not None:
        out.update(written)
        reading.unload(tool.extras, OWN, out)
        return out
    losses += luggage_losses(tool.extras, OWN, tool.at)
    tool = function_form(tool)
    if tool.description:
        out["description"] = tool.description
    schema, removed = from_json_schema(object_schema(tool.parameters))
    losses += [
        Loss(f"{tool.at}{path[1:]}", path, "the target's schemas have no such keyword", LossLevel.SILENT)
        for path in removed
    ]
    # An object without fields is refused where a function simply takes no arguments.
    if isinstance(schema, dict) and schema.get("properties"):
        out["parameters"] = schema
    return out


def _hosted(tool: ServerTool, losses: list[Loss]) -> dict[str, JSON] | None:
    if tool.format is OWN:
        return {key: value for key, value in tool.raw.items() if key[:1] != reading.NOTE}
    name = _HOSTED.get(tool.capability)
    if name is None:
        losses.append(Loss(tool.at, f"tool {tool.type}", f"only {tool.format} runs it", LossLevel.REJECT))
        return None
    if name == "googleSearch":
        losses += search_losses(tool, _SEARCH_OPTIONS)
    return {name: {}}


def tools(request: ChatRequest, names: ToolNames, rules: Rules, losses: list[Loss], *, own: bool) -> list[JSON]:
    """Returns the `tools` array."""
    if own:
        return _own(request, names, losses)
    functions: list[JSON] = []
    hosted: list[tuple[ServerTool, dict[str, JSON]]] = []
    for tool in request.tools:
        if isinstance(tool, ServerTool):
            client = client_tool(tool)
            if client is not None:
                functions.append(declaration(client, names, losses))
            elif (found := _hosted(tool, losses)) is not None:
                hosted.append((tool, found))
        else:
            functions.append(declaration(tool, names, losses))
    out: list[JSON] = [{"functionDeclarations": functions}] if functions else []
    for tool, found in hosted:
        if functions and not rules.mixes:
            losses.append(Loss(tool.at, f"tool {tool.type}", "this model takes it only without functions"))
        elif found not in out:
            out.append(found)
    return out


def _own(request: ChatRequest, names: ToolNames, losses: list[Loss]) -> list[JSON]:
    """Returns the tools in the entries they came in; what was added since stands in an entry of its own."""
    entries: dict[int, dict[str, Any]] = {}
    added: list[JSON] = []
    for tool in request.tools:
        place = (tool.raw if isinstance(tool, ServerTool) else reading.bag(tool.extras, OWN)).get("~tool")
        if isinstance(tool, ServerTool):
            found = _hosted(tool, losses)
            if found is not None:
                entries.setdefault(place, {}).update(found) if isinstance(place, int) else added.append(found)
            continue
        written = declaration(tool, names, losses)
        if isinstance(place, int):
            entries.setdefault(place, {}).setdefault("functionDeclarations", []).append(written)
        else:
            added.append({"functionDeclarations": [written]})
    return [*(entries[place] for place in sorted(entries)), *added]


def tool_config(request: ChatRequest, names: ToolNames, written: list[JSON], losses: list[Loss]) -> dict[str, JSON]:
    """Returns the `toolConfig` of a request from another format, {} when it needs none.

    Functions beside the vendor's own tools have to be asked for, and then not in mode AUTO ("Please enable
    tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling").
    """
    chosen = config(request, names, losses)
    kinds = {key for entry in written for key in reading.table(entry)}
    if len(kinds) > 1 and "functionDeclarations" in kinds:
        mode = reading.table(chosen).get("mode")
        calling: JSON = {"mode": "VALIDATED"} if mode in (None, "AUTO") else chosen
        return {"functionCallingConfig": calling, "includeServerSideToolInvocations": True}
    return {} if chosen is None else {"functionCallingConfig": chosen}


def config(request: ChatRequest, names: ToolNames, losses: list[Loss]) -> JSON:
    """Returns the `functionCallingConfig` of the client's choice, None when it made none."""
    chosen = request.tool_choice
    if chosen is None:
        return None
    functions = [tool if isinstance(tool, Tool) else client_tool(tool) for tool in request.tools]
    spaces = {tool.name: tool.namespace for tool in functions if tool is not None}
    match chosen.mode:
        case ChoiceMode.TOOL:
            if chosen.name not in spaces:
                # Only functions can be forced, and another one than the chosen would be the wrong answer.
                losses.append(Loss("tool_choice", "tool_choice", NOT_SENT))
                return None
            return {"mode": "ANY", "allowedFunctionNames": [names.sent(chosen.name, spaces[chosen.name])]}
        case ChoiceMode.ALLOWED:
            allowed: list[JSON] = [names.sent(name, spaces[name]) for name in chosen.allowed if name in spaces]
            return {"mode": "ANY" if chosen.required else "VALIDATED", "allowedFunctionNames": allowed}
        case ChoiceMode.REQUIRED:
            return {"mode": "ANY"}
        case ChoiceMode.NONE:
            return {"mode": "NONE"}
        case ChoiceMode.AUTO:
            return {"mode": "AUTO"}
