"""Chat Completions requests to the intermediate form."""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.formats.effort import body_effort
from llr.formats.openai_chat.parts import (
    AS_LIST,
    CHAT,
    LEGACY,
    decode_call,
    decode_content,
    decode_reasoning,
    marked,
    simple_text,
)
from llr.formats.reading import (
    boolean,
    integer,
    luggage,
    noted,
    number,
    table,
    tables,
    text,
    texts,
    words,
)
from llr.ir.parts import NO_EXTRAS, Extras, Message, Part, Refusal, Role, Text, ToolCall, ToolKind, ToolResult
from llr.ir.request import (
    ChatRequest,
    ChoiceMode,
    Options,
    OutputFormat,
    ServerTool,
    Thinking,
    Tool,
    ToolChoice,
)

# Notes on a request: written by a client of this format; the fields it used where there are several.
OWN = "~own"
LIMIT_FIELD = "~limit"
USER_FIELD = "~user"
RAW_STREAM_OPTIONS = "~stream_options"
# Notes on instructions and tools: the message they came in; a tool without its `function` object.
ORIGIN = "~message"
FLAT = "~flat"
CONTENT_NULL = "~null"
_SPEAKERS = {"user": Role.USER, "assistant": Role.ASSISTANT}
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")

_KNOWN = words(
    "model messages stream max_tokens max_completion_tokens max_output_tokens temperature top_p top_k stop seed "
    "presence_penalty frequency_penalty logit_bias n logprobs top_logprobs parallel_tool_calls response_format "
    "reasoning_effort verbosity user metadata service_tier store stream_options prompt_cache_key "
    "prompt_cache_retention tools tool_choice functions function_call web_search_options"
)
_ASSISTANT = words(
    "role content refusal tool_calls function_call reasoning_content reasoning thinking_blocks reasoning_details"
)
_MESSAGE = words("role content")
_TOOL_MESSAGE = words("role content tool_call_id tool_use_id")
_FUNCTION = words("name description parameters strict")
_TOOL = words("type function")
_FLAT_TOOL = words("type name description parameters strict")
_CUSTOM_TOOL = words("type custom")
_CHOICE_WORDS = {
    "auto": ChoiceMode.AUTO,
    "none": ChoiceMode.NONE,
    "required": ChoiceMode.REQUIRED,
    "any": ChoiceMode.REQUIRED,
}


def decode_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request a Chat body makes; unknown fields travel as luggage."""
    known = _KNOWN if _output(body.get("response_format")) is not None else _KNOWN - {"response_format"}
    extras = noted(luggage(CHAT, body, known), CHAT, OWN)
    mark = marked(extras, body)
    options, extras = _options(body, mark)
    system, messages = _conversation(body)
    return ChatRequest(
        model=text(body.get("model")),
        system=system,
        messages=messages,
        tools=_tools(body),
        tool_choice=_choice(body.get("tool_choice", body.get("function_call"))),
        options=options,
        stream=body.get("stream") is True,
        extras=noted(extras, CHAT, LEGACY) if "functions" in body else extras,
    )


def _conversation(body: Mapping[str, Any]) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
    system: list[Part] = []
    messages: list[Message] = []
    leading, calls = True, _LegacyCalls()
    for place, item in tables(body.get("messages")):
        at = f"messages[{place}]"
        role = text(item.get("role"))
        if role in ("system", "developer") and leading:
            system += _instruction(item, role, place, at)
            continue
        leading = False
        messages.append(_message(item, role, at, calls))
    given, _ = decode_content(body.get("system"), "system")
    return (*given, *system), tuple(messages)


def _instruction(item: Mapping[str, Any], role: str, place: int, at: str) -> list[Part]:
    parts, plain = decode_content(item.get("content"), f"{at}.content")
    rest = luggage(CHAT, item, _MESSAGE).get(CHAT, {})
    out: list[Part] = []
    for part in parts:
        if isinstance(part, Text):
            notes = {**part.extras.get(CHAT, {}), ORIGIN: (place, role, not plain, rest)}
            extras: Extras = {**part.extras, CHAT: notes}
            part = Text(part.text, part.citations, marked(extras, item) if plain else extras, part.at)
        out.append(part)
    return out


class _LegacyCalls:
    """Ids for function calls of the oldest API, which has none: results find their call by name."""

    def __init__(self) -> None:
        self._count = 0
        self._open: dict[str, str] = {}

    def call(self, name: str) -> str:
        self._count += 1
        self._open[name] = f"call_{self._count}"
        return self._open[name]

    def result(self, name: str) -> str:
        return self._open.get(name, f"call_{name}")


def _message(item: Mapping[str, Any], role: str, at: str, calls: _LegacyCalls) -> Message:
    content = item.get("content")
    if content.__class__ is str and content and len(item) == 2 and role in _SPEAKERS:
        # A role and some words: most turns of a long talk.
        return Message(_SPEAKERS[role], (Text(content, (), NO_EXTRAS, f"{at}.content"),), NO_EXTRAS, at)
    if role in ("tool", "function"):
        return _tool_message(item, role, at, calls)
    if role == "assistant":
        return _assistant(item, at, calls)
    parts, plain = decode_content(item.get("content"), f"{at}.content")
    extras = luggage(CHAT, item, _MESSAGE)
    if not plain and simple_text(parts):
        extras = noted(extras, CHAT, AS_LIST)
    ir_role = {"system": Role.SYSTEM, "developer": Role.DEVELOPER}.get(role, Role.USER)
    return Message(ir_role, _marked_text(parts, item, plain), extras, at)


def _marked_text(parts: tuple[Part, ...], item: Mapping[str, Any], plain: bool) -> tuple[Part, ...]:
    """A mark on a message with string content belongs to its text."""
    if plain and "cache_control" in item and parts and isinstance(parts[0], Text):
        return (Text(parts[0].text, (), marked(parts[0].extras, item), parts[0].at),)
    return parts


def _tool_message(item: Mapping[str, Any], role: str, at: str, calls: _LegacyCalls) -> Message:
    parts, plain = decode_content(item.get("content"), f"{at}.content")
    name = text(item.get("name"))
    if role == "function":
        call_id, known = calls.result(name), _TOOL_MESSAGE | {"name"}
    else:
        call_id, known = text(item.get("tool_call_id")) or text(item.get("tool_use_id")), _TOOL_MESSAGE
    extras = marked(luggage(CHAT, item, known), item)
    if not plain:
        extras = noted(extras, CHAT, AS_LIST)
    if role == "function":
        extras = noted(extras, CHAT, LEGACY)
    return Message(Role.USER, (ToolResult(call_id, parts, name=name, extras=extras, at=at),), at=at)


def _assistant(item: Mapping[str, Any], at: str, calls: _LegacyCalls) -> Message:
    content, plain = decode_content(item.get("content"), f"{at}.content")
    parts: list[Part] = [*decode_reasoning(item, at), *_marked_text(content, item, plain)]
    refusal = item.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(Refusal(refusal, at=f"{at}.refusal"))
    for place, call in tables(item.get("tool_calls")):
        parts.append(decode_call(call, f"{at}.tool_calls[{place}]"))
    legacy = item.get("function_call")
    if isinstance(legacy, dict):
        name = text(legacy.get("name"))
        extras: Extras = {CHAT: {LEGACY: True}}
        parts.append(ToolCall(calls.call(name), name, text(legacy.get("arguments")), extras=extras, at=at))
    extras = luggage(CHAT, item, _ASSISTANT)
    if not plain and simple_text(content):
        extras = noted(extras, CHAT, AS_LIST)
    if "content" in item and item["content"] is None:
        extras = noted(extras, CHAT, CONTENT_NULL)
    if "refusal" in item and refusal is None:
        extras = noted(extras, CHAT, "refusal", None)
    return Message(Role.ASSISTANT, tuple(parts), extras, at)


def _tools(body: Mapping[str, Any]) -> tuple[Tool | ServerTool, ...]:
    tools = [_tool(item, f"tools[{place}]") for place, item in tables(body.get("tools"))]
    for place, item in tables(body.get("functions")):
        tools.append(_function(item, item, f"functions[{place}]", _FUNCTION))
    search = body.get("web_search_options")
    if isinstance(search, dict):
        tools.append(ServerTool(CHAT, "web_search_options", search, "web_search", "web_search_options"))
    return tuple(tools)


def _tool(item: Mapping[str, Any], at: str) -> Tool | ServerTool:
    kind = text(item.get("type"))
    function = item.get("function")
    if isinstance(function, dict):
        return _function(function, item, at, _TOOL)
    custom = item.get("custom")
    if kind == "custom" and isinstance(custom, dict):
        extras = luggage(CHAT, item, _CUSTOM_TOOL)
        grammar = table(custom.get("format"))
        inner = grammar.get("grammar")
        form = {"type": "grammar", **inner} if isinstance(inner, dict) else custom.get("format")
        name, described = text(custom.get("name")), text(custom.get("description"))
        return Tool(name, described, kind=ToolKind.CUSTOM, format=form, extras=extras, at=at)
    if kind in ("function", "") and "name" in item:
        tool = _function(item, item, at, _FLAT_TOOL)
        return Tool(
            tool.name,
            tool.description,
            tool.parameters,
            strict=tool.strict,
            extras=noted(tool.extras, CHAT, FLAT),
            at=at,
        )
    return ServerTool(CHAT, kind, item, "web_search" if kind.startswith("web_search") else "", at)


def _function(function: Mapping[str, Any], item: Mapping[str, Any], at: str, known: frozenset[str]) -> Tool:
    extras = marked(luggage(CHAT, item, known), item)
    if item is not function:
        extras = extras if "cache_control" in item else marked(extras, function)
        inner = {key: value for key, value in function.items() if key not in _FUNCTION}
        if inner:
            extras = noted(extras, CHAT, "~function", inner)
    return Tool(
        name=text(function.get("name")),
        description=text(function.get("description")),
        parameters=function.get("parameters"),
        strict=boolean(function.get("strict")),
        extras=extras,
        at=at,
    )


def _choice(value: Any) -> ToolChoice | None:
    if isinstance(value, str):
        return ToolChoice(_CHOICE_WORDS.get(value, ChoiceMode.AUTO)) if value else None
    if not isinstance(value, dict) or not value:
        return None
    kind = text(value.get("type"))
    if kind in _CHOICE_WORDS:
        return ToolChoice(_CHOICE_WORDS[kind])
    if kind == "allowed_tools":
        allowed = table(value.get("allowed_tools")) or value
        names = tuple(_allowed_name(item) for _, item in tables(allowed.get("tools")))
        required = allowed.get("mode") == "required"
        return ToolChoice(ChoiceMode.ALLOWED, allowed=names, required=required, raw=dict(value))
    if kind == "custom":
        name = text(table(value.get("custom")).get("name")) or text(value.get("name"))
        return ToolChoice(ChoiceMode.TOOL, name, ToolKind.CUSTOM)
    name = text(table(value.get("function")).get("name")) or text(value.get("name"))
    return ToolChoice(ChoiceMode.TOOL, name) if name else ToolChoice(ChoiceMode.AUTO)


def _allowed_name(item: Mapping[str, Any]) -> str:
    for inner in ("function", "custom"):
        name = text(table(item.get(inner)).get("name"))
        if name:
            return name
    return text(item.get("name")) or text(item.get("type"))


def _options(body: Mapping[str, Any], extras: Extras) -> tuple[Options, Extras]:
    limit = next((name for name in LIMITS if integer(body.get(name)) is not None), "")
    if limit:
        extras = noted(extras, CHAT, LIMIT_FIELD, limit)
    given = table(body.get("stream_options"))
    rest = {key: value for key, value in given.items() if key != "include_usage"}
    if rest:
        extras = noted(extras, CHAT, RAW_STREAM_OPTIONS, rest)
    user = text(body.get("safety_identifier"))
    if user:
        extras = noted(extras, CHAT, USER_FIELD, "safety_identifier")
        if "user" in body:
            extras = noted(extras, CHAT, "user", body["user"])
    user = user or text(body.get("user"))
    options = Options(
        max_tokens=integer(body.get(limit)) if limit else None,
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        top_k=integer(body.get("top_k")),
        stop=texts(body.get("stop")),
        seed=integer(body.get("seed")),
        presence_penalty=number(body.get("presence_penalty")),
        frequency_penalty=number(body.get("frequency_penalty")),
        logit_bias=body.get("logit_bias"),
        n=integer(body.get("n")),
        logprobs=boolean(body.get("logprobs")),
        top_logprobs=integer(body.get("top_logprobs")),
        parallel_tools=boolean(body.get("parallel_tool_calls")),
        thinking=_thinking(body),
        output=_output(body.get("response_format")),
        verbosity=text(body.get("verbosity")),
        user=user,
        metadata=body.get("metadata"),
        service_tier=text(body.get("service_tier")),
        cache_key=text(body.get("prompt_cache_key")).strip(),
        cache_retention=text(body.get("prompt_cache_retention")).strip(),
        store=boolean(body.get("store")),
        include_usage=boolean(given.get("include_usage")),
    )
    if isinstance(body.get("stop"), str):
        extras = noted(extras, CHAT, "~stop")
    return options, extras


def _thinking(body: Mapping[str, Any]) -> Thinking:
    effort = body_effort(body)
    thinking = table(body.get("thinking"))
    kind = text(thinking.get("type"))
    mode = kind if kind in ("enabled", "adaptive", "disabled") else ""
    budget = integer(thinking.get("budget_tokens")) or integer(table(body.get("reasoning")).get("max_tokens"))
    return Thinking(mode, effort, budget)


def _output(value: Any) -> OutputFormat | None:
    given = table(value)
    if given.get("type") == "json_object":
        return OutputFormat("json_object")
    schema = given.get("json_schema")
    if given.get("type") != "json_schema" or not isinstance(schema, dict):
        return None
    return OutputFormat(
        "json_schema",
        text(schema.get("name")),
        schema.get("schema"),
        boolean(schema.get("strict")),
        text(schema.get("description")),
    )
