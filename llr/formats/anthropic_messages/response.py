"""Whole answers of the Messages format."""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON
from llr.base.records import replace
from llr.formats import carrier
from llr.formats.anthropic_messages import blocks
from llr.formats.anthropic_messages.blocks import MESSAGES, decode_block
from llr.formats.anthropic_messages.usage import decode_usage, encode_usage
from llr.formats.base import Meta
from llr.formats.errors import stream_fault
from llr.formats.foreign import media_words, opaque_text
from llr.formats.ids import RULES, legal_id
from llr.formats.reading import luggage, tables, text, unload, words
from llr.formats.toolforms import wrapped
from llr.ir.events import Stop
from llr.ir.parts import Media, Opaque, Part, Reasoning, Refusal, Seal, Text, ToolCall, ToolResult
from llr.ir.response import ChatResponse

STOPS: Mapping[str, Stop] = {
    "end_turn": Stop.DONE,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.CONTEXT_FULL,
    "tool_use": Stop.TOOL,
    "refusal": Stop.POLICY,
    "pause_turn": Stop.PAUSE,
}
REASONS: Mapping[Stop, str] = {**{stop: reason for reason, stop in STOPS.items()}, Stop.CANCELLED: "end_turn"}
_KNOWN = words("id type role model content stop_reason stop_sequence usage")


def decode_response(body: Mapping[str, JSON]) -> ChatResponse:
    """Returns the answer in a body. Raises `GatewayError` for an error object or something else in a 200."""
    if body.get("type") == "error" or "error" in body:
        raise GatewayError(stream_fault(dict(body)))
    if not isinstance(body.get("content"), list):
        raise fail(ErrorKind.UPSTREAM_INVALID, "the upstream's answer is not a message: it has no content")
    parts = tuple(decode_block(block) for _, block in tables(body["content"]))
    reason = text(body.get("stop_reason"))
    called = any(isinstance(part, ToolCall) for part in parts)
    return ChatResponse(
        id=text(body.get("id")),
        model=text(body.get("model")),
        parts=parts,
        stop=STOPS.get(reason, Stop.TOOL if called else Stop.DONE),
        stop_sequence=text(body.get("stop_sequence")) or None,
        usage=decode_usage(body.get("usage"), whole=True),
        extras=luggage(MESSAGES, body, _KNOWN),
    )


def message_id(upstream_id: str, meta: Meta) -> str:
    """Returns the id a client of this format gets: the upstream's own with the prefix it needs, else a new one."""
    if not upstream_id:
        return meta.ids.new("msg_")
    bare = upstream_id.removeprefix("chatcmpl-").removeprefix("resp_")
    return bare if bare.startswith("msg_") else f"msg_{legal_id(bare, RULES[MESSAGES])}"


def call_seal_block(call_id: str, seal: Seal, meta: Meta) -> dict[str, Any] | None:
    """Returns the block that keeps a call's seal, None for nothing to keep: this format's calls have no seals.

    `carrier.open_request` gives the seal back to its call when the client sends the history again.
    """
    if seal.format is MESSAGES:
        return None
    sealed = replace(seal, data={carrier.CALL: call_id, carrier.SEAL: seal.data})
    packed = carrier.worded(sealed, MESSAGES, meta)
    return {"type": "redacted_thinking", "data": packed} if packed else None


def _encoded(part: Part, meta: Meta) -> list[dict[str, Any]]:
    match part:
        case Text():
            return [blocks.text_block(part)] if part.text or part.citations else []
        case Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Reasoning():
            return _reasoning(part, meta)
        case ToolCall():
            call_id = legal_id(part.id, RULES[MESSAGES])
            name = part.name or "tool"
            call = blocks.call_block(call_id, name, wrapped(part.arguments, part.kind), part.extras)
            kept = call_seal_block(call_id, part.seal, meta) if part.seal is not None else None
            return [kept, call] if kept is not None else [call]
        case Media():
            return [{"type": "text", "text": media_words(part)}]
        case Opaque():
            if part.format is MESSAGES and isinstance(part.raw, dict) and "type" in part.raw:
                return [dict(part.raw)]
            said = opaque_text(part) or ""
            return [{"type": "text", "text": said}] if said else []
        case ToolResult():
            return []


def _reasoning(part: Reasoning, meta: Meta) -> list[dict[str, Any]]:
    said = part.text or "\n\n".join(part.summary)
    if part.seal is None and (not said or MESSAGES in part.extras):
        return [blocks.thinking_block(part, "")] if MESSAGES in part.extras else []
    signature = carrier.worded(part.seal, MESSAGES, meta, said)
    if not said and not signature:
        return []
    return [blocks.thinking_block(part, signature)]


def encode_response(response: ChatResponse, meta: Meta) -> dict[str, JSON]:
    """Returns a message body; a call makes the stop reason `tool_use`, whatever the upstream said about stopping."""
    content = [block for part in response.parts for block in _encoded(part, meta)]
    stop = response.stop
    if stop is Stop.DONE and any(block["type"] == "tool_use" for block in content):
        stop = Stop.TOOL
    if stop is Stop.DONE and any(isinstance(part, Refusal) for part in response.parts):
        stop = Stop.POLICY
    body: dict[str, Any] = {
        "id": message_id(response.id, meta),
        "type": "message",
        "role": "assistant",
        "model": meta.model or response.model,
        "content": content,
        "stop_reason": REASONS[stop],
        "stop_sequence": response.stop_sequence,
        "usage": encode_usage(response.usage),
    }
    unload(response.extras, MESSAGES, body)
    return body
