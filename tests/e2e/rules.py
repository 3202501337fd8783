"""What each vendor takes: the typed parameters of its SDK with nothing beside them, and the rules it publishes.

Made for a process of its own, because the SDKs' types are told here to forbid unknown keys.
"""

import base64
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typing_extensions
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from google.genai import types as gemini
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tests.e2e.script import SEALS, Asked

SENTINEL = "skip_thought_signature_validator"
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SCRIPT = re.compile(r"script=(\w+)")


class Refused(Exception):
    """The vendor would answer 400 with these words."""


def _forbid_extras() -> None:
    for name in [name for name in sys.modules if name.startswith(("anthropic.types", "openai.types"))]:
        for found in vars(sys.modules[name]).values():
            if typing_extensions.is_typeddict(found):
                found.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


_forbid_extras()
_PARAMS: Mapping[str, TypeAdapter[Any]] = {
    "m": TypeAdapter(MessageCreateParamsNonStreaming),
    "count": TypeAdapter(MessageCountTokensParams),
    "c": TypeAdapter(CompletionCreateParamsNonStreaming),
    "r": TypeAdapter(ResponseCreateParamsNonStreaming),
    "g": TypeAdapter(gemini.Content),
}


def need(holds: Any, why: str) -> None:
    if not holds:
        raise Refused(why)


def _walk(value: Any) -> None:
    """Makes pydantic look into what it reads lazily (`Iterable`)."""
    if isinstance(value, Mapping):
        for inner in value.values():
            _walk(inner)
    elif not isinstance(value, (str, bytes, int, float, bool, type(None))):
        for inner in value:
            _walk(inner)


def _typed(kind: str, body: Any) -> None:
    try:
        _walk(_PARAMS[kind].validate_python(body))
    except ValidationError as exc:
        found = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors()]
        raise Refused("; ".join(found[:6])) from None


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part.get("text"), str):
            yield part["text"]


def _base64(data: str, what: str) -> str:
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        raise Refused(f"{what} is not valid base64") from None
    return data


def _data_url(asked: Asked, url: str) -> None:
    found = re.fullmatch(r"data:([\w/.+-]+);base64,(.*)", url)
    need(found, f"not a data URL: {url[:40]}")
    assert found
    asked.media.append((found[1], _base64(found[2], "image")))


def _script(asked: Asked) -> Asked:
    found = SCRIPT.search(" ".join(asked.texts))
    asked.script = found[1] if found else ""
    return asked


# -- Messages ---------------------------------------------------------------------------------------------------------


def messages(body: dict[str, Any], *, count: bool = False) -> Asked:
    """Returns what a Messages request asks. Raises `Refused` in the vendor's place."""
    sampling = {"temperature", "top_p", "top_k"} & body.keys()
    need(not sampling, f"{sampling} is not supported by this model")
    _typed("count" if count else "m", {key: value for key, value in body.items() if key != "stream"})
    asked = Asked(tools=[tool["name"] for tool in body.get("tools", ())])
    need(len(set(asked.tools)) == len(asked.tools), "tools: Tool names must be unique.")
    asked.system = " ".join(_texts(body.get("system")))
    pending: list[str] = []
    for index, message in enumerate(body["messages"]):
        need(message["role"] != "assistant" or index, 'messages: first message must use the "user" role')
        content = message["content"]
        need(content, f"messages.{index}: content must be non-empty")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "system":
            need(index and "claude" in body["model"], "role 'system' is not supported on this model")
            asked.system += " ".join(_texts(blocks))
            continue
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        need(sorted(results) == sorted(pending), f"messages.{index}: tool_use ids {pending} and results {results}")
        kinds = [block["type"] for block in blocks]
        need(kinds == sorted(kinds, key="tool_result".__ne__), "tool_result blocks must come first")
        asked.turns += message["role"] == "assistant"
        for block in blocks:
            _m_block(asked, block)
        pending = [block["id"] for block in blocks if block["type"] == "tool_use"]
        thinking = (body.get("thinking") or {}).get("type") in ("adaptive", "enabled")
        need(
            not (pending and body["thinking"]["type"] == "enabled" if thinking else False) or kinds[0] == "thinking",
            "Expected `thinking`, but found `tool_use`",
        )
    need(not pending, "tool_use ids were found without tool_result blocks immediately after")
    need(body["messages"][-1]["role"] != "assistant", "This model does not support assistant message prefill")
    need((body.get("thinking") or {}).get("type") != "enabled", "thinking.type.enabled is not supported for this model")
    forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
    asked.schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    need(not forced or asked.tools, "tool_choice may only be specified while providing tools")
    return _script(asked)


def _m_block(asked: Asked, block: dict[str, Any]) -> None:
    match block["type"]:
        case "text":
            need(block["text"].strip(), "text content blocks must contain non-whitespace text")
            asked.texts.append(block["text"])
        case "thinking":
            need(block["signature"] == SEALS["m"], "Invalid `signature` in `thinking` block")
            asked.seals.append(block["signature"])
        case "tool_use":
            need(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), "tool_use.id: String should match pattern")
        case "tool_result":
            asked.results += _texts(block.get("content"))
            for part in block.get("content", ()) if isinstance(block.get("content"), list) else ():
                if part["type"] != "text":
                    _m_block(asked, part)
        case "image" | "document":
            source = block["source"]
            need(source["type"] == "base64", "only base64 here")
            asked.media.append((source["media_type"], _base64(source["data"], "image")))


# -- Chat -------------------------------------------------------------------------------------------------------------


def chat(body: dict[str, Any]) -> Asked:
    """Returns what a Chat request asks."""
    plain = {key: value for key, value in body.items() if key != "stream"}
    deepseek = body["model"].startswith("deepseek")
    if deepseek:
        kept = [{key: m[key] for key in m if key != "reasoning_content"} for m in body["messages"]]
        plain["messages"] = kept
    _typed("c", plain)
    need(
        not body.get("stream_options") or body.get("stream"),
        "The 'stream_options' parameter is only allowed with stream",
    )
    need(
        deepseek or "max_tokens" not in body,
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    )
    asked = Asked(tools=[(tool.get("function") or tool.get("custom"))["name"] for tool in body.get("tools", ())])
    need("tools" not in body or body["tools"], "[] is too short - 'tools'")
    need(all(NAME.fullmatch(name) for name in asked.tools), "Invalid 'tools[0].function.name'")
    need(asked.tools or "tool_choice" not in body, "'tool_choice' is only allowed when 'tools' are specified.")
    need(asked.tools or "parallel_tool_calls" not in body, "'parallel_tool_calls' is only allowed with 'tools'.")
    pending: list[str] = []
    for index, message in enumerate(body["messages"]):
        role = message["role"]
        need(
            role == "tool" or not pending, f"An assistant message with 'tool_calls' must be followed by tools: {index}"
        )
        if role == "tool":
            need(message["tool_call_id"] in pending, "tool_call_id not found in the message before")
            pending.remove(message["tool_call_id"])
            asked.results += _texts(message["content"])
        elif role == "assistant":
            asked.turns += 1
            pending = [call["id"] for call in message.get("tool_calls", ())]
            need(pending or message.get("content") or message.get("refusal"), "null content without calls")
            need(not deepseek or not pending or message.get("reasoning_content"), "Missing `reasoning_content` field")
            asked.seals += [message["reasoning_content"]] if message.get("reasoning_content") else []
        elif role in ("system", "developer"):
            asked.system += " ".join(_texts(message["content"]))
        else:
            asked.texts += _texts(message["content"])
            for part in message["content"] if isinstance(message["content"], list) else ():
                _c_part(asked, part)
    need(not pending, "tool calls without answers at the end")
    asked.schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    return _script(asked)


def _c_part(asked: Asked, part: dict[str, Any]) -> None:
    if part["type"] == "image_url":
        _data_url(asked, part["image_url"]["url"])
    elif part["type"] == "file":
        need(part["file"].get("filename"), "Missing required parameter: 'file.filename'")
        _data_url(asked, part["file"]["file_data"])
    else:
        need(part["text"], "empty text")


# -- Responses --------------------------------------------------------------------------------------------------------

_IDS = {"message": "msg", "function_call": "fc", "reasoning": "rs", "function_call_output": "fc"}


def responses(body: dict[str, Any]) -> Asked:
    """Returns what a Responses request asks."""
    _typed("r", {key: value for key, value in body.items() if key != "stream"})
    asked = Asked(tools=[tool["name"] for tool in body.get("tools", ()) if "name" in tool])
    need(all(NAME.fullmatch(name) for name in asked.tools), "Invalid 'tools[0].name'")
    asked.system = body.get("instructions") or ""
    need(body.get("max_output_tokens") is None or body["max_output_tokens"] >= 16, "max_output_tokens below 16")
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    calls: set[str] = set()
    done: set[str] = set()
    for index, item in enumerate(items):
        kind = item.get("type", "message")
        if item.get("id") is not None:
            need(item["id"].startswith(_IDS.get(kind, "")), f"Invalid 'input[{index}].id': {item['id']!r} for {kind}")
            need(len(item["id"]) <= 64, f"input[{index}].id is too long")
        if kind == "message":
            _r_message(asked, item)
        elif kind == "function_call":
            calls.add(item["call_id"])
            need(len(item["call_id"]) <= 64, "call_id is too long")
        elif kind == "function_call_output":
            need(
                item["call_id"] in calls, f"No tool call found for function call output with call_id {item['call_id']}"
            )
            done.add(item["call_id"])
            asked.results += _texts(item["output"])
            for part in item["output"] if isinstance(item["output"], list) else ():
                _r_part(asked, part)
        elif kind == "reasoning":
            after = items[index + 1] if index + 1 < len(items) else {}
            ok = after.get("type") == "function_call" or after.get("role") == "assistant"
            need(ok, "Item of type 'reasoning' was provided without its required following item.")
            sealed = item.get("encrypted_content")
            need(sealed in (None, SEALS["r"]), "The encrypted content could not be verified.")
            asked.seals += [sealed] if sealed else []
    need(done == calls, f"No tool output found for function call {calls - done}")
    asked.turns = sum(1 for a, b in zip([None, *items], items, strict=False) if _theirs(b) and not (a and _theirs(a)))
    asked.schema = ((body.get("text") or {}).get("format") or {}).get("schema")
    return _script(asked)


def _theirs(item: dict[str, Any]) -> bool:
    return item.get("role") == "assistant" or item.get("type") in ("reasoning", "function_call")


def _r_message(asked: Asked, item: dict[str, Any]) -> None:
    if item["role"] in ("system", "developer"):
        asked.system += " ".join(_texts(item["content"]))
    elif item["role"] == "user":
        asked.texts += _texts(item["content"])
        for part in item["content"] if isinstance(item["content"], list) else ():
            need(part["type"].startswith("input_"), f"Invalid value: {part['type']!r}")
            _r_part(asked, part)
    else:
        for part in item["content"] if isinstance(item["content"], list) else ():
            need(part["type"] in ("output_text", "refusal"), f"Invalid value: {part['type']!r}")


def _r_part(asked: Asked, part: dict[str, Any]) -> None:
    if part["type"] == "input_image":
        _data_url(asked, part["image_url"])
    elif part["type"] == "input_file":
        need(part.get("filename"), "Missing required parameter: 'filename'")
        _data_url(asked, part["file_data"])


# -- Gemini -----------------------------------------------------------------------------------------------------------

_G_KEYS = {
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
}


def google(body: dict[str, Any]) -> Asked:
    """Returns what a generateContent request asks."""
    unknown = body.keys() - _G_KEYS
    need(not unknown, f"Invalid JSON payload received. Unknown name {unknown}")
    try:
        contents = [gemini.Content.model_validate(content) for content in body["contents"]]
        gemini.Content.model_validate(body.get("systemInstruction") or {})
        config = gemini.GenerationConfig.model_validate(body.get("generationConfig") or {})
        tools = [gemini.Tool.model_validate(tool) for tool in body.get("tools") or ()]
        gemini.ToolConfig.model_validate(body.get("toolConfig") or {})
    except ValidationError as exc:
        raise Refused(f"Invalid JSON payload received. {str(exc)[:400]}") from None
    _no_foreign_words(body.get("tools") or [])
    thinking = config.thinking_config
    need(
        not (thinking and thinking.thinking_budget is not None and thinking.thinking_level),
        "You can only set only one of thinking budget and thinking level.",
    )
    declared = [f for tool in tools for f in tool.function_declarations or ()]
    asked = Asked(tools=[f.name or "" for f in declared])
    need(all(re.fullmatch(r"[a-zA-Z_][\w.:-]{0,127}", name) for name in asked.tools), "Invalid function name.")
    asked.system = " ".join(_texts((body.get("systemInstruction") or {}).get("parts")))
    waiting: list[str | None] = []
    for index, content in enumerate(contents):
        need(content.role in ("user", "model") or len(contents) == 1, "Please use a valid role: user, model.")
        need(content.parts, "contents.parts must not be empty.")
        parts = content.parts or []
        replies = [p.function_response.name for p in parts if p.function_response]
        need(replies == waiting, "number of function response parts must equal the function call parts")
        waiting = [p.function_call.name for p in parts if p.function_call]
        need(not waiting or index, "function call turn must come after a user turn")
        first = next((p for p in parts if p.function_call), None)
        need(first is None or first.thought_signature, "Function call is missing a thought_signature")
        asked.turns += content.role == "model"
        for part in parts:
            _g_part(asked, part)
    need(not waiting, "function call without its response")
    asked.schema = config.response_json_schema or config.response_schema
    need(asked.schema is None or config.response_mime_type == "application/json", "schema without JSON mime type")
    return _script(asked)


def _no_foreign_words(tools: Any) -> None:
    text = str(tools)
    for word in ("$schema", "additionalProperties': {", "propertyNames", "$comment", "cache_control"):
        need(word not in text, f"Invalid JSON payload received. Unknown name {word}")


def _g_part(asked: Asked, part: gemini.Part) -> None:
    kinds = [k for k in ("text", "inline_data", "function_call", "function_response") if getattr(part, k) is not None]
    need(len(kinds) == 1, f"required oneof field 'data' must have one initialized field, not {kinds}")
    if part.text is not None and not part.thought:
        asked.texts.append(part.text)
    if part.inline_data:
        asked.media.append((part.inline_data.mime_type or "", base64.b64encode(part.inline_data.data or b"").decode()))
    if part.function_response:
        asked.results.append(str(part.function_response.response or {}))
        for inner in part.function_response.parts or ():
            assert inner.inline_data
            data = base64.b64encode(inner.inline_data.data or b"").decode()
            asked.media.append((inner.inline_data.mime_type or "", data))
    if part.thought_signature:
        given = base64.b64encode(part.thought_signature).decode()
        known = (SEALS["g"], base64.b64encode(base64.b64decode(SENTINEL + "==", altchars=b"-_")).decode())
        need(given in known or _sentinel(part.thought_signature), f"Corrupted thought signature. {given}")
        asked.seals.append(given)


def _sentinel(raw: bytes) -> bool:
    return raw == SENTINEL.encode() or base64.urlsafe_b64encode(raw).decode().rstrip("=") == SENTINEL
