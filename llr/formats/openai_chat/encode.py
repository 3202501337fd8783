"""The intermediate form to Chat Completions requests.

Law: `messages` comes last, so that a longer conversation's body begins with the shorter one's.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.jsonio import dumps_text
from llr.base.names import FormatId
from llr.formats.base import Encoded, Target
from llr.formats.cache import mark_of
from llr.formats.effort import openai_effort
from llr.formats.fields import luggage_losses, option_losses, passthrough, schema_losses
from llr.formats.foreign import BILLING_LINE, plain_text
from llr.formats.models_rules import openai_reasoning
from llr.formats.openai_chat.parts import CHAT, LEGACY, attach, text_part
from llr.formats.openai_chat.request import (
    FLAT,
    LIMIT_FIELD,
    ORIGIN,
    OWN,
    RAW_STREAM_OPTIONS,
    USER_FIELD,
)
from llr.formats.openai_chat.turns import Conversation, call_ids, custom_tools
from llr.formats.reading import bag, table, text, unload
from llr.formats.schema import OPENAI_STRICT, OPENAI_TOOL, clean, object_schema
from llr.formats.tool_names import RULES, ToolNames
from llr.formats.toolforms import client_tool, function_form, search_function
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Part, Text, ToolKind
from llr.ir.request import ChatRequest, ChoiceMode, OutputFormat, ServerTool, Tool, ToolChoice

# Vendor reference: at most four stop texts.
MOST_STOPS = 4
# Vendor reference: `user` has at most 64 characters in the strictest of the compatible servers.
_USER_LIMIT = 64
_TIERS = {"standard_only": "default"}
_SAME_NAME = (
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "n",
    "logprobs",
    "top_logprobs",
)


@dataclass(slots=True)
class _Work:
    """One encoding under way. `thinker` is an OpenAI reasoning model: other limits, no sampling."""

    request: ChatRequest
    target: Target
    names: ToolNames
    losses: list[Loss]
    own: bool
    thinker: bool

    def flag(self, name: str) -> Any:
        return self.target.capabilities.get(name)

    def lose(self, at: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        self.losses.append(Loss(at, what, why, level))


def encode_request(request: ChatRequest, target: Target) -> Encoded:
    """Returns a Chat body for `target`. Raises `GatewayError(INVALID_REQUEST)` for what has no equivalent."""
    if request.previous_response_id:
        said = f"Previous response with id '{request.previous_response_id}' not found."
        raise fail(ErrorKind.INVALID_REQUEST, said, param="previous_response_id")
    named = [(tool.name or tool.kind.value, tool.namespace) for tool in _declared(request)]
    own = OWN in bag(request.extras, CHAT)
    work = _Work(request, target, ToolNames(named, RULES[CHAT]), [], own, openai_reasoning(target.model))
    body: dict[str, Any] = {"model": target.model, "stream": request.stream}
    _limits(work, body)
    _sampling(work, body)
    _steering(work, body)
    _output(work, body)
    _tools(work, body)
    unload(request.extras, CHAT, body)
    if work.flag("cache_control") is True and "cache_control" not in body and (mark := mark_of(request.extras)):
        body["cache_control"] = mark
    body.update(passthrough(request.extras, CHAT, target))
    custom = custom_tools(target, request.extras)
    conversation = Conversation(target, work.names, work.losses, call_ids(target), custom)
    conversation.messages += _system(work)
    for message in request.messages:
        conversation.add(message)
    body["messages"] = conversation.finish()
    _check_prefill(work, body["messages"])
    work.losses += luggage_losses(request.extras, CHAT)
    return Encoded(body, tuple(work.losses), work.names.changed(), conversation.ids.changed())


def _declared(request: ChatRequest) -> list[Tool]:
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


def _limits(work: _Work, body: dict[str, Any]) -> None:
    wanted, limit = work.request.options.max_tokens, work.target.max_output_tokens
    if not wanted:
        return
    if limit is not None and wanted > limit:
        work.lose("options.max_tokens", "max_tokens", f"the model's limit is {limit}", LossLevel.SILENT)
        wanted = limit
    flag = work.flag("max_completion_tokens")
    name = "max_completion_tokens" if (flag if isinstance(flag, bool) else work.thinker) else "max_tokens"
    body[text(bag(work.request.extras, CHAT).get(LIMIT_FIELD)) or name] = wanted


def _sampling(work: _Work, body: dict[str, Any]) -> None:
    options = work.request.options
    if work.thinker and not work.own:
        work.losses += option_losses(options, ("temperature", "top_p"), "the model takes no sampling options")
    else:
        if options.temperature is not None:
            body["temperature"] = options.temperature
        if options.top_p is not None:
            body["top_p"] = options.top_p
    if options.top_k is not None:
        if work.own or work.flag("top_k") is True:
            body["top_k"] = options.top_k
        else:
            work.lose("options.top_k", "top_k", "not a field of this format")
    for name in _SAME_NAME:
        value = getattr(options, name)
        if value is not None:
            body[name] = value
    if options.stop:
        stop: Any = list(options.stop)
        if len(stop) > MOST_STOPS and not work.own:
            work.lose("options.stop", "stop", f"at most {MOST_STOPS} stop texts")
            stop = stop[:MOST_STOPS]
        body["stop"] = stop[0] if "~stop" in bag(work.request.extras, CHAT) and len(stop) == 1 else stop


def _steering(work: _Work, body: dict[str, Any]) -> None:
    options, own = work.request.options, bag(work.request.extras, CHAT)
    _effort(work, body)
    if options.verbosity:
        body["verbosity"] = options.verbosity
    if options.user and USER_FIELD not in own:
        long = len(options.user) > _USER_LIMIT and not work.own
        body["user"] = sha256(options.user.encode("utf-8", "surrogatepass")).hexdigest() if long else options.user
    if options.metadata is not None:
        body["metadata"] = options.metadata
    if options.service_tier:
        body["service_tier"] = _TIERS.get(options.service_tier, options.service_tier)
    if options.store is not None and work.own:
        body["store"] = options.store
    if options.cache_key and work.flag("prompt_cache_key") is not False:
        body["prompt_cache_key"] = options.cache_key
    if options.cache_retention and work.flag("prompt_cache_key") is not False:
        body["prompt_cache_retention"] = options.cache_retention
    stream_options = dict(own.get(RAW_STREAM_OPTIONS, {}))
    if options.include_usage is not None:
        stream_options["include_usage"] = options.include_usage
    wanted = work.request.stream and not work.own and work.flag("stream_usage") is not False
    if wanted and work.flag("supportsStreamOptions") is not False:
        stream_options["include_usage"] = True
    if stream_options:
        body["stream_options"] = stream_options


def _effort(work: _Work, body: dict[str, Any]) -> None:
    """`reasoning_effort` is what the Chat endpoint reads; `reasoningStyle: nested` names servers with an object."""
    options = work.request.options
    given = bag(work.request.extras, CHAT)
    if work.own and "reasoning" in given:
        return
    effort = options.thinking.effort if work.own else ""
    if not work.own or "reasoning_effort" in work.target.learned:
        effort = openai_effort(options.thinking, options.max_tokens, work.target.model, work.target.capabilities)
    if not effort:
        return
    if work.flag("reasoningStyle") == "nested":
        body["reasoning"] = {"effort": effort}
    else:
        body["reasoning_effort"] = effort


def _output(work: _Work, body: dict[str, Any]) -> None:
    output = work.request.options.output
    if output is None:
        return
    if output.kind == "json_object" or work.flag("json_schema") is False:
        body["response_format"] = {"type": "json_object"}
        return
    schema: Any = output.schema
    strict = output.strict
    if not work.own:
        strict = True if strict is None and output.schema is not None else strict
        rule = OPENAI_STRICT if strict else OPENAI_TOOL
        schema, removed = clean(object_schema(schema), rule)
        work.losses += schema_losses(removed, "options.output", "not allowed in a strict schema")
    form: dict[str, Any] = {"name": output.name or "output"}
    if output.description:
        form["description"] = output.description
    if schema is not None:
        form["schema"] = schema
    if strict is not None:
        form["strict"] = strict
    body["response_format"] = {"type": "json_schema", "json_schema": form}


def _tools(work: _Work, body: dict[str, Any]) -> None:
    choice = work.request.tool_choice
    allowed = None
    if choice is not None and choice.mode is ChoiceMode.ALLOWED and not _own_choice(work, choice):
        allowed = set(choice.allowed)
    tools: list[dict[str, Any]] = []
    functions: list[dict[str, Any]] = []
    for tool in work.request.tools:
        if isinstance(tool, ServerTool):
            made = _server_tool(work, tool, body)
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
        _choice(work, choice, body, legacy=bool(functions))


def _own_choice(work: _Work, choice: ToolChoice) -> bool:
    return (work.own or work.flag("allowed_tools") is True) and isinstance(choice.raw, dict)


def _tool(work: _Work, tool: Tool) -> dict[str, Any]:
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


def _function(work: _Work, tool: Tool) -> dict[str, Any]:
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


def _server_tool(work: _Work, tool: ServerTool, body: dict[str, Any]) -> dict[str, Any] | None:
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
        work.lose(tool.at, tool.type, "a function here: whoever runs it searches", LossLevel.SILENT)
        return _tool(work, search_function(tool))
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


def _choice(work: _Work, choice: ToolChoice | None, body: dict[str, Any], *, legacy: bool) -> None:
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


def _one_tool(work: _Work, choice: ToolChoice, *, legacy: bool) -> dict[str, Any]:
    found = next((tool for tool in _declared(work.request) if tool.name == choice.name), None)
    name = work.names.sent(choice.name, found.namespace if found else "")
    if legacy:
        return {"name": name}
    kind = found.kind if found is not None else choice.kind
    if kind is ToolKind.CUSTOM and custom_tools(work.target, work.request.extras):
        return {"type": "custom", "custom": {"name": name}}
    return {"type": "function", "function": {"name": name}}


def _system(work: _Work) -> list[dict[str, Any]]:
    """Leading instructions: the client's own messages again, or one message of everything others wrote."""
    request = work.request
    origin = [bag(part.extras, CHAT).get(ORIGIN) if isinstance(part, Text) else None for part in request.system]
    if work.own and all(each is not None for each in origin):
        messages = _own_system(request.system, origin)
    else:
        messages = _one_system(work)
    output = request.options.output
    if output is not None and output.kind == "json_schema" and work.flag("json_schema") is False:
        messages.append({"role": "system", "content": _schema_words(output)})
    if work.flag("developer_role") is False or "no-developer-role" in work.target.learned:
        messages = [{**message, "role": "system"} for message in messages]
    return messages


def _schema_words(output: OutputFormat) -> str:
    schema = dumps_text(output.schema)
    return f"Answer with one JSON object and nothing else. It must follow this JSON Schema:\n{schema}"


def _own_system(parts: tuple[Part, ...], origin: list[Any]) -> list[dict[str, Any]]:
    grouped: dict[int, tuple[str, bool, dict[str, Any], list[dict[str, Any]]]] = {}
    for part, (place, role, as_list, rest) in zip(parts, origin, strict=True):
        if isinstance(part, Text):
            made: dict[str, Any] = {"type": "text", "text": part.text}
            attach(part.extras, made, marks=False)
            grouped.setdefault(place, (role, as_list, rest, []))[3].append(made)
    messages = []
    for role, as_list, rest, made_parts in grouped.values():
        content: Any = made_parts if as_list else made_parts[0]["text"]
        messages.append({"role": role, "content": content, **rest})
    return messages


def _one_system(work: _Work) -> list[dict[str, Any]]:
    parts: list[Text] = []
    for part in work.request.system:
        said = plain_text(part)
        if said is None:
            work.lose(getattr(part, "at", ""), "system", "only text can instruct")
        elif said.startswith(BILLING_LINE):
            work.lose(getattr(part, "at", ""), "system", "a billing line of another vendor", LossLevel.SILENT)
        elif said.strip():
            parts.append(part if isinstance(part, Text) else Text(said))
    if not parts:
        return []
    role = "developer" if work.flag("developer_role") is True else "system"
    if work.flag("cache_control") is True and any(mark_of(part.extras) for part in parts):
        return [{"role": role, "content": [text_part(Text(p.text, extras=_marks(p)), marks=True) for p in parts]}]
    for part in parts:
        if part.extras:
            work.losses += luggage_losses(part.extras, CHAT, part.at)
    return [{"role": role, "content": "\n\n".join(part.text for part in parts)}]


def _marks(part: Text) -> dict[FormatId, Any]:
    return {FormatId.MESSAGES: part.extras[FormatId.MESSAGES]} if FormatId.MESSAGES in part.extras else {}


def _check_prefill(work: _Work, messages: list[dict[str, Any]]) -> None:
    if work.flag("prefill") is not False or not messages or messages[-1]["role"] != "assistant":
        return
    if not messages[-1].get("tool_calls"):
        messages.pop()
        work.lose("messages", "prefill", "the target cannot continue an assistant message")
