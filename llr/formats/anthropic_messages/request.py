"""Messages requests to the intermediate form."""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.formats.anthropic_messages.blocks import AS_LIST, MESSAGES, decode_content, simple_text
from llr.formats.effort import normalize
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
from llr.ir.parts import NO_EXTRAS, Extras, Message, Role, Text
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

# Notes about how an option was written, so that it is written so again.
RAW_THINKING = "~thinking"
RAW_OUTPUT = "~output_config"
RAW_METADATA = "~metadata"
OLD_OUTPUT = "~output_format"
NO_TOOLS = "~tools"
# Notes on a request and on a message that this format's client wrote them.
OWN = "~own"
OWN_ROLE = "~role"

_KNOWN = words(
    "model max_tokens messages stream system temperature top_p top_k stop_sequences tools tool_choice thinking "
    "output_config output_format metadata service_tier prompt_cache_key prompt_cache_retention"
)
_MESSAGE = frozenset(("role", "content"))
_TOOL = frozenset(("name", "description", "input_schema", "strict"))
_CHOICES = {"auto": ChoiceMode.AUTO, "any": ChoiceMode.REQUIRED, "none": ChoiceMode.NONE, "tool": ChoiceMode.TOOL}
_ROLES = {"assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.DEVELOPER}


def decode_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request a Messages body makes; unknown fields travel as luggage."""
    extras = luggage(MESSAGES, body, _KNOWN)
    system, plain = decode_content(body.get("system"), "system")
    if not plain and simple_text(system):
        extras = noted(extras, MESSAGES, AS_LIST)
    options, extras = _options(body, extras)
    messages = tuple(_message(item, f"messages[{place}]") for place, item in tables(body.get("messages")))
    if body.get("tools") == []:
        extras = noted(extras, MESSAGES, NO_TOOLS)
    return ChatRequest(
        model=text(body.get("model")),
        system=system,
        messages=messages,
        tools=tuple(_tool(item, f"tools[{place}]") for place, item in tables(body.get("tools"))),
        tool_choice=_choice(body.get("tool_choice")),
        options=options,
        stream=body.get("stream") is True,
        extras=noted(extras, MESSAGES, OWN),
    )


def _message(item: Mapping[str, Any], at: str) -> Message:
    content, role = item.get("content"), _ROLES.get(text(item.get("role")), Role.USER)
    if content.__class__ is str and content and len(item) == 2 and "role" in item and role is not Role.SYSTEM:
        # A role and some words: most turns of a long talk.
        return Message(role, (Text(content, (), NO_EXTRAS, f"{at}.content"),), NO_EXTRAS, at)
    parts, plain = decode_content(content, f"{at}.content")
    extras = luggage(MESSAGES, item, _MESSAGE)
    if not plain:
        extras = noted(extras, MESSAGES, AS_LIST)
    if role is Role.SYSTEM:
        extras = noted(extras, MESSAGES, OWN_ROLE)
    return Message(role, parts, extras, at)


def _tool(item: Mapping[str, Any], at: str) -> Tool | ServerTool:
    kind = text(item.get("type"))
    if kind not in ("", "custom"):
        return ServerTool(FormatId.MESSAGES, kind, item, _capability(kind), at)
    known = _TOOL if isinstance(item.get("strict"), bool) else _TOOL - {"strict"}
    return Tool(
        name=text(item.get("name")),
        description=text(item.get("description")),
        parameters=item.get("input_schema"),
        strict=boolean(item.get("strict")),
        extras=luggage(MESSAGES, item, known),
        at=at,
    )


def _capability(kind: str) -> str:
    lowered = kind.lower()
    if lowered.startswith("web_search"):
        return "web_search"
    return "web_fetch" if lowered.startswith("web_fetch") else ""


def _choice(value: Any) -> ToolChoice | None:
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, dict) or not value:
        return None
    mode = _CHOICES.get(text(value.get("type")), ChoiceMode.AUTO)
    return ToolChoice(mode, text(value.get("name")))


def _options(body: Mapping[str, Any], extras: Extras) -> tuple[Options, Extras]:
    output, config = body.get("output_format"), table(body.get("output_config"))
    if isinstance(output, dict):
        extras = noted(extras, MESSAGES, OLD_OUTPUT)
    else:
        output = config.get("format")
    left = {key: value for key, value in config.items() if key not in ("effort", "format")}
    if left:
        extras = noted(extras, MESSAGES, RAW_OUTPUT, left)
    metadata = table(body.get("metadata"))
    others = {key: value for key, value in metadata.items() if key != "user_id" or not isinstance(value, str)}
    if others:
        extras = noted(extras, MESSAGES, RAW_METADATA, others)
    if isinstance(body.get("thinking"), dict):
        extras = noted(extras, MESSAGES, RAW_THINKING, body["thinking"])
    serial = table(body.get("tool_choice")).get("disable_parallel_tool_use")
    options = Options(
        max_tokens=integer(body.get("max_tokens")),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        top_k=integer(body.get("top_k")),
        stop=texts(body.get("stop_sequences")),
        parallel_tools=None if not isinstance(serial, bool) else not serial,
        thinking=_thinking(body.get("thinking"), config),
        output=_output(output),
        user=text(metadata.get("user_id")),
        service_tier=text(body.get("service_tier")),
        cache_key=text(body.get("prompt_cache_key")).strip(),
        cache_retention=text(body.get("prompt_cache_retention")).strip(),
    )
    return options, extras


def _thinking(value: Any, config: Mapping[str, Any]) -> Thinking:
    given = table(value)
    kind = text(given.get("type"))
    mode = {"enabled": "enabled", "disabled": "disabled"}.get(kind, "adaptive" if kind else "")
    display = given.get("display")
    visible = None if display not in ("summarized", "omitted") else display == "summarized"
    return Thinking(mode, normalize(text(config.get("effort"))), integer(given.get("budget_tokens")), visible)


def _output(value: Any) -> OutputFormat | None:
    if not isinstance(value, dict) or value.get("type") != "json_schema":
        return None
    return OutputFormat("json_schema", "output", value.get("schema"), True)
