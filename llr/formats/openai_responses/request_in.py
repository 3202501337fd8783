"""A Responses request body, read.

Law: fields this module does not know stay as luggage under their own names; how something was written (a string or a
list, null or absent) is a note beside it.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.jsonio import JSON
from llr.base.records import replace
from llr.formats import reading
from llr.formats.openai_responses import content_in, tools_in
from llr.formats.openai_responses.content_in import OWN
from llr.formats.openai_responses.items_in import TOOL_BRINGERS, Turns
from llr.ir.parts import Extras, Message, Part, Role, Text
from llr.ir.request import ChatRequest, Options, OutputFormat, ServerTool, Thinking, Tool

# Fields an answer repeats, in the order of the vendor's own objects.
ECHOED = (
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)
# Fields the options hold whole; everything else not named elsewhere is luggage.
_OPTION_KEYS = frozenset(
    (
        "max_output_tokens",
        "temperature",
        "top_p",
        "top_logprobs",
        "parallel_tool_calls",
        "metadata",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "store",
        "include",
        "safety_identifier",
        "user",
        "reasoning",
        "text",
        "tool_choice",
    )
)
_KNOWN = _OPTION_KEYS | {"model", "input", "instructions", "tools", "stream", "previous_response_id"}
_REASONING = frozenset(("effort", "summary", "generate_summary"))
_EFFORTS = frozenset(("none", "minimal", "low", "medium", "high", "xhigh", "max"))


def _thinking(value: JSON) -> Thinking:
    fields = reading.table(value)
    effort = reading.text(fields.get("effort")).strip().lower()
    summary = fields.get("summary") or fields.get("generate_summary")
    if effort not in _EFFORTS:
        effort = ""
    visible = True if isinstance(summary, str) else None
    return Thinking("disabled" if effort == "none" else "", effort, None, visible)


def _output(value: JSON) -> OutputFormat | None:
    form = reading.table(reading.table(value).get("format"))
    kind = form.get("type")
    if kind == "json_object":
        return OutputFormat("json_object")
    if kind != "json_schema":
        return None
    return OutputFormat(
        "json_schema",
        reading.text(form.get("name")),
        form.get("schema"),
        reading.boolean(form.get("strict")),
        reading.text(form.get("description")),
    )


def decode_options(body: Mapping[str, Any]) -> Options:
    """Returns the options in a body."""
    return Options(
        max_tokens=reading.count(body.get("max_output_tokens")),
        temperature=reading.number(body.get("temperature")),
        top_p=reading.number(body.get("top_p")),
        top_logprobs=reading.count(body.get("top_logprobs")),
        logprobs=True if reading.count(body.get("top_logprobs")) else None,
        parallel_tools=reading.boolean(body.get("parallel_tool_calls")),
        thinking=_thinking(body.get("reasoning")),
        output=_output(body.get("text")),
        verbosity=reading.text(reading.table(body.get("text")).get("verbosity")),
        user=reading.text(body.get("safety_identifier")) or reading.text(body.get("user")),
        metadata=body.get("metadata"),
        service_tier=reading.text(body.get("service_tier")),
        cache_key=reading.text(body.get("prompt_cache_key")),
        cache_retention=reading.text(body.get("prompt_cache_retention")),
        store=reading.boolean(body.get("store")),
        include=reading.texts(body.get("include")),
    )


def _system(body: Mapping[str, Any]) -> list[Part]:
    instructions = body.get("instructions")
    if isinstance(instructions, str) and instructions:
        return [Text(instructions, (), {OWN: {"~instructions": True}}, "instructions")]
    if isinstance(instructions, list):
        # A stored prompt may put whole items here; only their text can be carried.
        found = [
            part
            for place, item in reading.tables(instructions)
            for part in content_in.parts(item.get("content"), f"instructions[{place}].content")
        ]
        return list(content_in.first_noted(tuple(found), "~instructions", instructions))
    return []


def _luggage(body: Mapping[str, Any], placed: list[list[JSON]]) -> Extras:
    own: dict[str, Any] = {key: value for key, value in body.items() if key not in _KNOWN}
    rest = {key: value for key, value in reading.table(body.get("reasoning")).items() if key not in _REASONING}
    if rest:
        own["reasoning"] = rest
    # Raw forms of what the options hold in part, so that the same format gets back what it sent.
    own["~options"] = {key: body[key] for key in _OPTION_KEYS if key in body}
    own["~echo"] = {key: body[key] for key in ECHOED if key in body}
    if isinstance(body.get("input"), str):
        own["~input"] = True
    if "tools" in body and not body["tools"]:
        own["~tools"] = body["tools"]
    if "stream" in body:
        own["~stream"] = True
    if "instructions" in body and not body["instructions"]:
        own["~instructions"] = body["instructions"]
    if placed:
        own["~placed"] = placed
    return {OWN: own}


def _tools(body: Mapping[str, Any]) -> tuple[Tool | ServerTool, ...]:
    """Returns the tools of the request and, after them, those that items declare or have loaded."""
    found = list(tools_in.tools(body.get("tools")))
    for place, item in enumerate(reading.rows(body.get("input"))):
        if isinstance(item, dict) and "tools" in item and reading.text(item.get("type")) in TOOL_BRINGERS:
            found += [_additional(each) for each in tools_in.tools(item.get("tools"), f"input[{place}].tools")]
    return tuple(found)


def _additional(found: Tool | ServerTool) -> Tool | ServerTool:
    """Returns a tool with the note that its declaration is an item, not an entry of `tools`."""
    if isinstance(found, ServerTool):
        return replace(found, raw={**found.raw, "~additional": True})
    return replace(found, extras=reading.noted(found.extras, OWN, "~additional"))


def decode_request(body: Mapping[str, JSON]) -> ChatRequest:
    """Returns the request in `body`. Raises `GatewayError(INVALID_REQUEST)` when `input` is of no legal type."""
    source: Mapping[str, Any] = body
    given = source.get("input")
    turns = Turns(_system(source))
    if isinstance(given, str):
        messages: tuple[Message, ...] = (Message(Role.USER, (Text(given, at="input"),), at="input"),) if given else ()
    elif isinstance(given, list):
        for place, raw in enumerate(given):
            turns.item(raw, f"input[{place}]")
        messages = turns.finish()
    elif given is None:
        messages = ()
    else:
        raise fail(ErrorKind.INVALID_REQUEST, "`input` must be a string or an array of items", param="input")
    return ChatRequest(
        model=reading.text(source.get("model")),
        system=tuple(turns.system),
        messages=messages,
        tools=_tools(source),
        tool_choice=tools_in.choice(source.get("tool_choice")),
        options=decode_options(source),
        stream=source.get("stream") is True,
        previous_response_id=reading.text(source.get("previous_response_id")),
        extras=_luggage(source, turns.placed),
    )
