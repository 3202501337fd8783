"""Tools and tool choice of Chat requests."""

from typing import Any

from llr.base.records import dataclass
from llr.formats.base import Target
from llr.formats.fields import luggage_losses, schema_losses
from llr.formats.openai_chat.parts import CHAT, LEGACY, attach
from llr.formats.openai_chat.request import FLAT
from llr.formats.openai_chat.turns import custom_tools
from llr.formats.reading import bag, table, text
from llr.formats.schema import OPENAI_STRICT, OPENAI_TOOL, clean, object_schema
from llr.formats.tool_names import ToolNames
from llr.formats.toolforms import NAME_TAKEN, NOT_SENT, client_tool, function_form, search_function
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import ToolKind
from llr.ir.request import ChatRequest, ChoiceMode, ServerTool, Tool, ToolChoice


@dataclass(slots=True)
class Work:
    """One encoding under way. `thinker` is an OpenAI reasoning model: other limits, no sampling."""

    request: ChatRequest
    target: Target
    names: ToolNames
    losses: list[Loss]
    own: bool
    thinker: bool

    def flag(self, name: str) -> Any:
        """Returns a capability flag of the target, None when nobody said."""
        return self.target.capabilities.get(name)

    def lose(self, at: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        """Notes a loss."""
        self.losses.append(Loss(at, what, why, level))


def declared(request: ChatRequest) -> list[Tool]:
    """Returns every tool that goes out as a function or a free-text tool."""
    tools = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            tools.append(tool)
        elif (known := client_tool(tool)) is not None:
            tools.append(known)
        elif tool.capability == "web_search" and tool.format is not CHAT:
            tools.append(search_function(tool))
    return tools


def encode_tools(work: Work, body: dict[str, Any]) -> None:
    """Adds tools, functions, search options and the tool choice to `body`."""
    choice = work.request.tool_choice
    allowed = None
    if choice is not None and choice.mode is ChoiceMode.ALLOWED and not _own_choice(work, choice):
        allowed = set(choice.allowed)
    taken = {work.names.sent(tool.name, tool.namespace) for tool in work.request.tools if isinstance(tool, Tool)}
    tools: list[dict[str, Any]] = []
    functions: list[dict[str, Any]] = []
    for tool in work.request.tools:
        if isinstance(tool, ServerTool):
            made = _server_tool(work, tool, body, taken)
            label = text(tool.raw.get("name")) or tool.type
        else:
            made, label = _tool(work, tool), tool.name
        if made is not None and (allowed is None or label in allowed):
            legacy = isinstance(tool, Tool) and LEGACY in bag(work.request.extras, CHAT)
            (functions if legacy else tools).append(made["function"] if legacy else made)
    if tools:
        body["tools"] = tools
    if functions:
        body["functions"] = functions
    if tools or functions or work.own:
        _choice(work, _sent_choice(work, choice, tools + functions), body, legacy=bool(functions))


def _own_choice(work: Work, choice: ToolChoice) -> bool:
    return (work.own or work.flag("allowed_tools") is True) and isinstance(choice.raw, dict)


def _tool(work: Work, tool: Tool) -> dict[str, Any]:
    if tool.kind is ToolKind.CUSTOM and custom_tools(work.target, work.request.extras):
        custom: dict[str, Any] = {"name": work.names.sent(tool.name, tool.namespace)}
        if tool.description:
            custom["description"] = tool.description
        if tool.format is not None:
            grammar = table(tool.format)
            nested = grammar.get("type") == "grammar" and "grammar" not in grammar
            inner = {key: value for key, value in grammar.items() if key != "type"}
            custom["format"] = {"type": "grammar", "grammar": inner} if nested else tool.format
        made: dict[str, Any] = {"type": "custom", "custom": custom}
    else:
        function = _function(work, tool)
        flat = FLAT in bag(tool.extras, CHAT)
        made = {"type": "function", **function} if flat else {"type": "function", "function": function}
    attach(tool.extras, made, marks=work.flag("cache_control") is True)
    if tool.extras and work.flag("cache_control") is not True:
        work.losses += luggage_losses(tool.extras, CHAT, tool.at)
    return made


def _function(work: Work, tool: Tool) -> dict[str, Any]:
    form = function_form(tool)
    function: dict[str, Any] = {"name": work.names.sent(form.name, form.namespace)}
    if form.description:
        function["description"] = form.description
    if form.parameters is not None or not work.own:
        schema: Any = form.parameters
        if not work.own:
            schema, removed = clean(object_schema(schema), OPENAI_TOOL)
            work.losses += schema_losses(removed, tool.at, "not taken by every server", LossLevel.SILENT)
        function["parameters"] = schema
    if form.strict is not None and (work.own or work.flag("strict_tools") is not False):
        function["strict"] = form.strict
        if form.strict and not work.own:
            function["parameters"] = clean(function.get("parameters"), OPENAI_STRICT)[0]
    function.update(bag(tool.extras, CHAT).get("~function", {}))
    return function


def _server_tool(work: Work, tool: ServerTool, body: dict[str, Any], taken: set[str]) -> dict[str, Any] | None:
    if tool.format is CHAT:
        if tool.type == "web_search_options":
            body["web_search_options"] = dict(tool.raw)
            return None
        return dict(tool.raw)
    known = client_tool(tool)
    if known is not None:
        return _tool(work, known)
    if tool.capability == "web_search":
        if work.flag("web_search") is True:
            body["web_search_options"] = _search_options(tool)
            return None
        search = search_function(tool)
        name = work.names.sent(search.name, search.namespace)
        if name in taken:
            work.lose(tool.at, tool.type, NAME_TAKEN)
            return None
        taken.add(name)
        work.lose(tool.at, tool.type, "a function there, and nobody runs the search")
        return _tool(work, search)
    work.lose(tool.at, tool.type, f"only {tool.format} can run this tool", LossLevel.REJECT)
    return None


def _search_options(tool: ServerTool) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if text(tool.raw.get("search_context_size")):
        options["search_context_size"] = tool.raw["search_context_size"]
    place = table(tool.raw.get("user_location"))
    if place:
        inner = {key: value for key, value in place.items() if key != "type" and value}
        options["user_location"] = {"type": "approximate", "approximate": inner}
    return options


def _sent_choice(work: Work, choice: ToolChoice | None, tools: list[dict[str, Any]]) -> ToolChoice | None:
    """Returns the choice, or that of the model when the chosen tool is none that goes out."""
    if choice is None or choice.mode is not ChoiceMode.TOOL or work.own:
        return choice
    known = any(tool.name == choice.name for tool in declared(work.request))
    if known and tools:
        return choice
    work.lose("tool_choice", "tool_choice", NOT_SENT)
    return ToolChoice(ChoiceMode.AUTO)


def _choice(work: Work, choice: ToolChoice | None, body: dict[str, Any], *, legacy: bool) -> None:
    value: Any = None
    if choice is not None:
        match choice.mode:
            case ChoiceMode.TOOL:
                value = _one_tool(work, choice, legacy=legacy)
            case ChoiceMode.ALLOWED if _own_choice(work, choice):
                value = choice.raw
            case ChoiceMode.ALLOWED:
                value = "required" if choice.required else "auto"
            case _:
                value = choice.mode.value
    if value is not None:
        body["function_call" if legacy else "tool_choice"] = value
    if work.request.options.parallel_tools is not None and not legacy:
        body["parallel_tool_calls"] = work.request.options.parallel_tools


def _one_tool(work: Work, choice: ToolChoice, *, legacy: bool) -> dict[str, Any]:
    found = next((tool for tool in declared(work.request) if tool.name == choice.name), None)
    name = work.names.sent(choice.name, found.namespace if found else "")
    if legacy:
        return {"name": name}
    kind = found.kind if found is not None else choice.kind
    if kind is ToolKind.CUSTOM and custom_tools(work.target, work.request.extras):
        return {"type": "custom", "custom": {"name": name}}
    return {"type": "function", "function": {"name": name}}
