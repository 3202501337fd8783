"""Strict checkers of Messages and Chat: the SDKs' typed models, and the rules the vendors publish beside them."""

import json
import re
from collections.abc import Mapping
from typing import Any

import anthropic.types as anthropic_types
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat import ChatCompletionContentPartParam as ChatPart
from openai.types.chat import ChatCompletionMessageParam as ChatMessage
from openai.types.chat import ChatCompletionToolUnionParam as ChatTool
from pydantic import TypeAdapter

_MESSAGE: TypeAdapter[Any] = TypeAdapter(SdkMessage)
_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_COMPLETION: TypeAdapter[Any] = TypeAdapter(ChatCompletion)
_CHUNK: TypeAdapter[Any] = TypeAdapter(ChatCompletionChunk)
_TEXT: TypeAdapter[Any] = TypeAdapter(Completion)
_CHAT_MESSAGE: TypeAdapter[Any] = TypeAdapter(ChatMessage)
_CHAT_PART: TypeAdapter[Any] = TypeAdapter(ChatPart)
_CHAT_TOOL: TypeAdapter[Any] = TypeAdapter(ChatTool)

_BLOCKS: Mapping[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(anthropic_types.TextBlockParam),
    "image": TypeAdapter(anthropic_types.ImageBlockParam),
    "document": TypeAdapter(anthropic_types.DocumentBlockParam),
    "search_result": TypeAdapter(anthropic_types.SearchResultBlockParam),
    "thinking": TypeAdapter(anthropic_types.ThinkingBlockParam),
    "redacted_thinking": TypeAdapter(anthropic_types.RedactedThinkingBlockParam),
    "tool_use": TypeAdapter(anthropic_types.ToolUseBlockParam),
    "tool_result": TypeAdapter(anthropic_types.ToolResultBlockParam),
    "server_tool_use": TypeAdapter(anthropic_types.ServerToolUseBlockParam),
    "web_search_tool_result": TypeAdapter(anthropic_types.WebSearchToolResultBlockParam),
}
_TOOL: TypeAdapter[Any] = TypeAdapter(anthropic_types.ToolParam)
_USER_BLOCKS = {"text", "image", "document", "search_result", "tool_result"}
_ASSISTANT_BLOCKS = {
    "text",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "server_tool_use",
    "web_search_tool_result",
}
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_A_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_C_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


# -- Messages ---------------------------------------------------------------------------------------------------------


def check_messages_request(body: Mapping[str, Any], *, foreign_seals: bool = False) -> None:
    """Asserts that the Messages vendor would take `body`."""
    json.dumps(body)
    assert isinstance(body["max_tokens"], int)
    assert body["max_tokens"] >= 1
    messages = body["messages"]
    assert messages, "no messages"
    assert messages[0]["role"] == "user"
    marks = sum(1 for tool in body.get("tools", ()) if "cache_control" in tool)
    marks += _check_system(body.get("system"))
    names = _check_tools(body)
    calls: list[str] = []
    before = ""
    for message in messages:
        role = message["role"]
        assert role in ("user", "assistant", "system")
        assert role != before, "two turns of one role"
        blocks = _blocks(message)
        assert blocks, "an empty turn"
        for block in blocks:
            marks += _check_block(block, role)
        if role == "user":
            _check_pairs(blocks, calls)
            calls = []
        elif role == "assistant":
            assert not calls
            calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            assert len(set(calls)) == len(calls)
        before = role
    assert not calls, "calls without results at the end"
    assert marks + ("cache_control" in body) <= 4
    _check_thinking(body)
    choice = body.get("tool_choice")
    if choice is not None:
        assert body.get("tools")
        assert choice["type"] != "tool" or choice["name"] in names


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _check_system(system: Any) -> int:
    if system is None:
        return 0
    if isinstance(system, str):
        assert system.strip()
        return 0
    assert all(block["type"] == "text" and block["text"].strip() for block in system)
    return sum(1 for block in system if "cache_control" in block)


def _check_tools(body: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    for tool in body.get("tools", ()):
        assert tool["name"] not in names, "two tools of one name"
        names.add(tool["name"])
        if "input_schema" in tool:
            _TOOL.validate_python(tool)
            assert _A_NAME.fullmatch(tool["name"])
            assert tool["input_schema"]["type"] == "object"
            assert not {"anyOf", "oneOf", "allOf"} & tool["input_schema"].keys()
    return names


def _check_block(block: dict[str, Any], role: str) -> int:
    kind = block["type"]
    allowed = {"text"} if role == "system" else _USER_BLOCKS if role == "user" else _ASSISTANT_BLOCKS
    assert kind in allowed, f"{kind} in a turn of the {role}"
    _BLOCKS[kind].validate_python(block)
    marks = int("cache_control" in block)
    if kind == "text":
        assert block["text"].strip(), "a blank text block"
    if kind == "tool_use":
        assert _ID.fullmatch(block["id"])
        assert _A_NAME.fullmatch(block["name"])
    if kind == "image" and block["source"]["type"] == "base64":
        assert block["source"]["media_type"] in ("image/jpeg", "image/png", "image/gif", "image/webp")
    if kind == "tool_result" and isinstance(block.get("content"), list):
        assert block["content"]
        for inner in block["content"]:
            assert inner["type"] in ("text", "image", "document", "search_result")
            marks += _check_block(inner, "user")
    return marks


def _check_pairs(blocks: list[dict[str, Any]], calls: list[str]) -> None:
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert sorted(results) == sorted(calls), "results and calls do not pair"
    kinds = [block["type"] == "tool_result" for block in blocks]
    assert kinds == sorted(kinds, reverse=True), "a result after other content"


def _check_thinking(body: Mapping[str, Any]) -> None:
    thinking = body.get("thinking")
    if not thinking or thinking["type"] != "enabled":
        return
    assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
    assert body.get("temperature", 1) == 1
    assert "top_k" not in body
    assert body.get("tool_choice", {"type": "auto"})["type"] in ("auto", "none")


def check_messages_body(body: Mapping[str, Any]) -> None:
    """Asserts that the Messages SDK takes a whole answer and that a client can send it back."""
    _MESSAGE.validate_python(body)
    assert body["stop_reason"] is not None
    for block in body["content"]:
        assert block["type"] != "text" or block["text"]
    ids = [block["id"] for block in body["content"] if block["type"] == "tool_use"]
    assert len(set(ids)) == len(ids)
    assert all(value >= 0 for value in body["usage"].values() if isinstance(value, int))


def sse(data: bytes) -> list[tuple[str, Any]]:
    """Returns (event name, parsed data) of each event of an encoded stream; `[DONE]` stays text."""
    out = []
    for block in data.decode().split("\n\n"):
        if not block or block.startswith(":"):
            continue
        name, lines = "", []
        for line in block.split("\n"):
            if line.startswith("event: "):
                name = line[7:]
            else:
                assert line.startswith("data: "), line
                lines.append(line[6:])
        raw = "\n".join(lines)
        out.append((name, raw if raw == "[DONE]" else json.loads(raw)))
    assert data.endswith(b"\n\n")
    return out


_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
}


def check_messages_stream(data: bytes) -> list[dict[str, Any]]:
    """Asserts the grammar of a Messages stream and returns its events, pings left out."""
    events = []
    for name, event in sse(data):
        assert event["type"] == name
        if name == "ping":
            continue
        events.append(event)
        if name != "error":
            _EVENT.validate_python(event)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start"
    assert kinds.count("message_start") == 1
    if kinds[-1] == "error":
        assert "message_stop" not in kinds
        assert "message_delta" not in kinds
    else:
        assert kinds[-2:] == ["message_delta", "message_stop"]
        assert kinds.count("message_delta") == kinds.count("message_stop") == 1
        assert events[-2]["delta"]["stop_reason"]
        assert "stop_sequence" in events[-2]["delta"]
    _check_blocks(events[1:-2] if kinds[-1] == "message_stop" else events[1:-1], finished=kinds[-1] != "error")
    return events


def _check_blocks(events: list[dict[str, Any]], *, finished: bool) -> None:
    current: dict[str, Any] | None = None
    index, fed, arguments, signed = -1, False, "", False
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert current is None
                index += 1
                current, fed, arguments, signed = event["content_block"], False, "", False
            case "content_block_delta":
                assert current is not None
                assert event["delta"]["type"] in _DELTAS[current["type"]]
                assert not signed, "a delta after the signature"
                fed = True
                arguments += event["delta"].get("partial_json", "")
                signed = event["delta"]["type"] == "signature_delta"
            case "content_block_stop":
                assert current is not None
                assert current["type"] != "text" or fed, "an empty text block"
                if finished and current["type"] == "tool_use":
                    assert isinstance(json.loads(arguments or "{}"), dict)
                current = None
            case other:
                raise AssertionError(other)
        assert event["index"] == index
    assert current is None or not finished


# -- Chat -------------------------------------------------------------------------------------------------------------


def check_chat_request(body: Mapping[str, Any]) -> None:
    """Asserts that a strict Chat server would take `body`."""
    json.dumps(body)
    open_calls: list[str] = []
    seen: set[str] = set()
    names = _check_chat_tools(body)
    assert body["messages"]
    for message in body["messages"]:
        role = message["role"]
        if role == "tool":
            assert message["tool_call_id"] in open_calls, "a result without its call"
            open_calls.remove(message["tool_call_id"])
        else:
            assert not open_calls, "a call without its result"
        content = message.get("content")
        plain = {**message, "content": content if isinstance(content, str | None) else "x"}
        _CHAT_MESSAGE.validate_python(plain)
        if isinstance(content, list):
            assert content
            for part in content:
                assert role == "user" or part["type"] in ("text", "refusal")
                _CHAT_PART.validate_python(part)
        if role == "assistant":
            calls = message.get("tool_calls")
            assert calls is None or calls
            assert content is not None or calls or message.get("refusal") or message.get("function_call")
            for call in calls or ():
                assert 0 < len(call["id"]) <= 40
                assert call["id"] not in seen
                seen.add(call["id"])
                open_calls.append(call["id"])
                assert _C_NAME.fullmatch(call[call["type"]]["name"])
                if call["type"] == "function":
                    assert isinstance(call["function"]["arguments"], str)
        else:
            assert content is not None
    assert not open_calls
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function":
        assert choice["function"]["name"] in names
    assert len(body.get("stop") or ()) <= 4 or isinstance(body["stop"], str)


def _check_chat_tools(body: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    for tool in body.get("tools", ()):
        _CHAT_TOOL.validate_python(tool)
        name = tool[tool["type"]]["name"]
        assert _C_NAME.fullmatch(name)
        assert name not in names
        names.add(name)
        if tool["type"] == "function":
            assert tool["function"]["parameters"]["type"] == "object"
    return names


def check_chat_body(body: Mapping[str, Any]) -> None:
    """Asserts that the Chat SDK takes a whole answer."""
    _COMPLETION.validate_python(body)
    usage = body.get("usage")
    if usage:
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["prompt_tokens"] >= 0


def check_chat_stream(data: bytes) -> list[dict[str, Any]]:
    """Asserts the grammar of a Chat stream and returns its chunks."""
    events = [event for _, event in sse(data)]
    failed = isinstance(events[-1], dict) and "error" in events[-1]
    assert failed or events[-1] == "[DONE]"
    chunks = events[:-1]
    assert all(isinstance(chunk, dict) and "error" not in chunk for chunk in chunks)
    for chunk in chunks:
        _CHUNK.validate_python(_sdk_chunk(chunk))
        assert chunk["id"] == chunks[0]["id"]
        assert chunk["model"] == chunks[0]["model"]
        assert chunk["created"] == chunks[0]["created"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]]
    finished = [reason for reason in reasons if reason]
    assert len(finished) == (0 if failed else 1)
    assert failed or reasons[-1], "something after the finish chunk"
    _check_calls(chunks, finished=not failed)
    return chunks


def _sdk_chunk(chunk: dict[str, Any]) -> dict[str, Any]:
    """The SDK's chunk type knows only function calls, the vendor streams custom ones too."""
    text = json.dumps(chunk)
    value: dict[str, Any] = json.loads(text.replace('"type": "custom"', '"type": "function"'))
    return value


def _check_calls(chunks: list[dict[str, Any]], *, finished: bool) -> None:
    arguments: dict[int, str] = {}
    custom: set[int] = set()
    for chunk in chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                if call["index"] not in arguments:
                    assert call["index"] == len(arguments)
                    assert call["id"]
                    assert call[call["type"]]["name"]
                    arguments[call["index"]] = ""
                    if call["type"] == "custom":
                        custom.add(call["index"])
                else:
                    assert "id" not in call
                arguments[call["index"]] += call.get("function", {}).get("arguments", "")
    if finished:
        for index, text in arguments.items():
            if index not in custom:
                assert isinstance(json.loads(text), dict)


def check_completions_stream(data: bytes) -> list[dict[str, Any]]:
    """Asserts the grammar of a legacy completions stream and returns its chunks."""
    events = [event for _, event in sse(data)]
    failed = isinstance(events[-1], dict) and "error" in events[-1]
    assert failed or events[-1] == "[DONE]"
    for chunk in events[:-1]:
        filled = {
            **chunk,
            "choices": [{**each, "finish_reason": each["finish_reason"] or "stop"} for each in chunk["choices"]],
        }
        _TEXT.validate_python(filled)
    return [event for event in events if isinstance(event, dict)]


def check_completions_body(body: Mapping[str, Any]) -> None:
    """Asserts that the SDK takes a whole completion."""
    _TEXT.validate_python(body)
