"""Which format a request to a unified endpoint speaks, read from its headers and body. First hit wins."""

from collections.abc import Iterator, Mapping
from typing import Any

from llr.base.names import FormatId
from llr.wire.http import Headers

OVERRIDE = b"x-llm-router-format"
FORMAT_NAMES: Mapping[str, FormatId] = {
    "openai": FormatId.CHAT,
    "openai-chat": FormatId.CHAT,
    "openai-responses": FormatId.RESPONSES,
    "claude": FormatId.MESSAGES,
    "anthropic": FormatId.MESSAGES,
    "gemini": FormatId.GEMINI,
}
_CHAT_KEYS = ("max_completion_tokens", "response_format", "n")
_RESPONSES_KEYS = ("input", "instructions", "previous_response_id")
_LATE_CHAT_KEYS = ("stream_options", "logprobs", "frequency_penalty", "parallel_tool_calls", "seed", "logit_bias")
_LATE_MESSAGES_KEYS = ("stop_sequences", "top_k", "thinking", "output_config")
_MESSAGES_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking")
_CHAT_BLOCKS = ("image_url", "input_text", "input_image")


def detect(headers: Headers, body: Mapping[str, Any]) -> FormatId:
    """Returns the client's format: `x-llm-router-format` if it names one, else what the request looks like."""
    named = FORMAT_NAMES.get(headers.text(OVERRIDE).strip().lower())
    if named is not None:
        return named
    if headers.get(b"anthropic-version") or body.get("anthropic_version") or body.get("anthropicVersion"):
        return FormatId.MESSAGES
    if "messages" not in body:
        if any(key in body for key in _RESPONSES_KEYS):
            return FormatId.RESPONSES
        if "contents" in body:
            return FormatId.GEMINI
        if "prompt" in body:
            return FormatId.COMPLETIONS
    if any(key in body for key in _CHAT_KEYS):
        return FormatId.CHAT
    found = next(_signs(body), None)
    if found is not None:
        return found
    if "system" in body:
        return FormatId.MESSAGES
    if any(message.get("role") in ("system", "developer") for message in _objects(body.get("messages"))):
        return FormatId.CHAT
    if any(key in body for key in _LATE_CHAT_KEYS):
        return FormatId.CHAT
    return FormatId.MESSAGES


def _signs(body: Mapping[str, Any]) -> Iterator[FormatId]:
    for tool in _objects(body.get("tools")):
        if "input_schema" in tool:
            yield FormatId.MESSAGES
        elif tool.get("type") == "function" or "function" in tool:
            yield FormatId.CHAT
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice in ("required", "none"):
        yield FormatId.CHAT
    elif isinstance(choice, dict) and choice.get("type") in ("function", "any", "tool"):
        yield FormatId.CHAT if choice["type"] == "function" else FormatId.MESSAGES
    for message in _objects(body.get("messages")):
        if message.get("role") == "tool" or "tool_call_id" in message or isinstance(message.get("tool_calls"), list):
            yield FormatId.CHAT
        for block in _objects(message.get("content")):
            if block.get("type") in _MESSAGES_BLOCKS:
                yield FormatId.MESSAGES
            elif block.get("type") in _CHAT_BLOCKS:
                yield FormatId.CHAT
    if any(key in body for key in _LATE_MESSAGES_KEYS):
        yield FormatId.MESSAGES


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
