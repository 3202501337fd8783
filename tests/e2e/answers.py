"""The scripted turns in each vendor's own words, whole and streamed, and its errors."""

import json
from collections.abc import Iterator
from typing import Any

from tests.e2e.script import SEALS, USAGE, Turn, compact, pieces

ALL = USAGE["fresh"] + USAGE["read"]
Event = tuple[str | None, Any]


def sse(events: Iterator[Event]) -> Iterator[bytes]:
    for name, data in events:
        head = f"event: {name}\n" if name else ""
        yield f"{head}data: {data if isinstance(data, str) else compact(data)}\n\n".encode()


# -- Messages ---------------------------------------------------------------------------------------------------------

M_STOP = {"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "stop": "stop_sequence", "refusal": "refusal"}


def m_blocks(turn: Turn) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if turn.thought:
        blocks.append({"type": "thinking", "thinking": turn.thought, "signature": SEALS["m"]})
    if turn.text:
        blocks.append({"type": "text", "text": turn.text, "citations": None})
    return blocks + [
        {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": call.arguments}
        for call in turn.calls
    ]


def m_body(turn: Turn, model: str) -> dict[str, Any]:
    usage = {"input_tokens": USAGE["fresh"], "cache_read_input_tokens": USAGE["read"], "cache_creation_input_tokens": 0}
    return {
        "id": "msg_01scripted",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": m_blocks(turn),
        "stop_reason": M_STOP[turn.stop],
        "stop_sequence": "END" if turn.stop == "stop" else None,
        "usage": {**usage, "output_tokens": USAGE["output"]},
    }


def _m_deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
    else:
        yield {"type": "input_json_delta", "partial_json": ""}
        yield from ({"type": "input_json_delta", "partial_json": p} for p in pieces(compact(block["input"])))


def m_events(turn: Turn, model: str) -> Iterator[Event]:
    body = m_body(turn, model)
    start = {**body, "content": [], "stop_reason": None, "stop_sequence": None}
    start["usage"] = {**body["usage"], "output_tokens": 1}
    yield "message_start", {"type": "message_start", "message": start}
    yield "ping", {"type": "ping"}
    empty: dict[str, Any] = {
        "thinking": {"thinking": "", "signature": ""},
        "text": {"text": ""},
        "tool_use": {"input": {}},
    }
    for index, block in enumerate(body["content"]):
        begun = {**block, **empty[block["type"]]}
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": begun}
        for delta in _m_deltas(block):
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    end = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    yield "message_delta", {"type": "message_delta", "delta": end, "usage": {"output_tokens": USAGE["output"]}}
    yield "message_stop", {"type": "message_stop"}


# -- Chat -------------------------------------------------------------------------------------------------------------

C_STOP = {"end": "stop", "tools": "tool_calls", "length": "length", "stop": "stop", "refusal": "content_filter"}
C_USAGE = {
    "prompt_tokens": ALL,
    "completion_tokens": USAGE["output"],
    "total_tokens": ALL + USAGE["output"],
    "prompt_tokens_details": {"cached_tokens": USAGE["read"]},
}


def _c_calls(turn: Turn) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": compact(call.arguments)}}
        for call in turn.calls
    ]


def c_body(turn: Turn, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, "refusal": None}
    if turn.stop == "refusal":
        message |= {"content": None, "refusal": turn.text}
    if turn.thought:
        message["reasoning_content"] = turn.thought
    if turn.calls:
        message["tool_calls"] = _c_calls(turn)
    choice = {"index": 0, "message": message, "finish_reason": C_STOP[turn.stop], "logprobs": None}
    head = {"id": "chatcmpl-scripted", "object": "chat.completion", "created": 1790000000, "model": model}
    return {**head, "choices": [choice], "usage": C_USAGE}


def c_events(turn: Turn, model: str, *, usage: bool) -> Iterator[Event]:
    head = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1790000000, "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> Event:
        return None, {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(turn.thought):
        yield chunk({"reasoning_content": piece})
    for piece in pieces(turn.text):
        yield chunk({"refusal" if turn.stop == "refusal" else "content": piece})
    for index, call in enumerate(_c_calls(turn)):
        name = {**call["function"], "arguments": ""}
        yield chunk({"tool_calls": [{**call, "index": index, "function": name}]})
        for piece in pieces(call["function"]["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, C_STOP[turn.stop])
    if usage:
        yield None, {**head, "choices": [], "usage": C_USAGE}
    yield None, "[DONE]"


# -- Responses --------------------------------------------------------------------------------------------------------


def r_items(turn: Turn) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if turn.thought:
        summary = [{"type": "summary_text", "text": turn.thought}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SEALS["r"]})
    if turn.text:
        refused = turn.stop == "refusal"
        part = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}
        part = {"type": "refusal", "refusal": turn.text} if refused else part
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    for call in turn.calls:
        fields = {"call_id": call.id, "name": call.name, "arguments": compact(call.arguments), "status": "completed"}
        items.append({"type": "function_call", "id": f"fc_{call.id}", **fields})
    return items


def r_body(turn: Turn, model: str) -> dict[str, Any]:
    cut = turn.stop == "length"
    usage = {
        "input_tokens": ALL,
        "input_tokens_details": {"cached_tokens": USAGE["read"]},
        "output_tokens": USAGE["output"],
        "output_tokens_details": {"reasoning_tokens": 5 if turn.thought else 0},
        "total_tokens": ALL + USAGE["output"],
    }
    return {
        "id": "resp_scripted",
        "object": "response",
        "created_at": 1790000000,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "error": None,
        "model": model,
        "output": r_items(turn),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def _r_item_events(index: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    at = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "reasoning":
        text = item["summary"][0]["text"]
        at["summary_index"] = 0
        yield {"type": "response.reasoning_summary_part.added", **at, "part": {"type": "summary_text", "text": ""}}
        for piece in pieces(text):
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": text}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": item["summary"][0]}
    elif item["type"] == "message":
        part = item["content"][0]
        at["content_index"] = 0
        key, kind = ("text", "output_text") if part["type"] == "output_text" else ("refusal", "refusal")
        yield {"type": "response.content_part.added", **at, "part": {**part, key: ""}}
        for piece in pieces(part[key]):
            yield {"type": f"response.{kind}.delta", **at, "delta": piece}
        yield {"type": f"response.{kind}.done", **at, key: part[key]}
        yield {"type": "response.content_part.done", **at, "part": part}
    else:
        for piece in pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}


def r_events(turn: Turn, model: str) -> Iterator[Event]:
    body = r_body(turn, model)
    begun = {**body, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    events.append({"type": "response.in_progress", "response": begun})
    blank: dict[str, Any] = {
        "reasoning": {"summary": []},
        "message": {"content": []},
        "function_call": {"arguments": ""},
    }
    for index, item in enumerate(body["output"]):
        start = {**item, **blank[item["type"]], "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": index, "item": start})
        events += _r_item_events(index, item)
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{body['status']}", "response": body})
    for number, event in enumerate(events):
        yield event["type"], {**event, "sequence_number": number}


# -- Gemini -----------------------------------------------------------------------------------------------------------

G_STOP = {"end": "STOP", "tools": "STOP", "length": "MAX_TOKENS", "stop": "STOP", "refusal": "SAFETY"}


def g_parts(turn: Turn) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if turn.thought:
        parts.append({"text": turn.thought, "thought": True})
    if turn.text:
        parts.append({"text": turn.text})
    for index, call in enumerate(turn.calls):
        part: dict[str, Any] = {"functionCall": {"name": call.name, "args": call.arguments, "id": call.id}}
        if index == 0:
            part["thoughtSignature"] = SEALS["g"]
        parts.append(part)
    return parts


def g_body(turn: Turn, model: str) -> dict[str, Any]:
    usage = {
        "promptTokenCount": ALL,
        "cachedContentTokenCount": USAGE["read"],
        "candidatesTokenCount": USAGE["output"] - (5 if turn.thought else 0),
        "totalTokenCount": ALL + USAGE["output"],
    }
    if turn.thought:
        usage["thoughtsTokenCount"] = 5
    content = {"role": "model", "parts": g_parts(turn)}
    candidate = {"content": content, "finishReason": G_STOP[turn.stop], "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "scripted"}


def g_chunks(turn: Turn, model: str) -> Iterator[dict[str, Any]]:
    body = g_body(turn, model)
    for part in body["candidates"][0]["content"]["parts"]:
        for piece in pieces(part["text"], 11) if "text" in part else [None]:
            told = part if piece is None else {**part, "text": piece}
            content = {"role": "model", "parts": [told]}
            yield {"candidates": [{"content": content, "index": 0}], "modelVersion": model, "responseId": "scripted"}
    end = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": G_STOP[turn.stop], "index": 0}
    yield {**body, "candidates": [end]}


# -- errors -----------------------------------------------------------------------------------------------------------

M_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
G_ERRORS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}


def error(kind: str, status: int, message: str) -> bytes:
    """Returns the vendor's body of an error."""
    if kind == "m":
        inner = {"type": M_ERRORS.get(status, "api_error"), "message": message}
        body: Any = {"type": "error", "error": inner, "request_id": "req_scripted"}
    elif kind == "g":
        body = {"error": {"code": status, "message": message, "status": G_ERRORS.get(status, "UNAVAILABLE")}}
    else:
        code = "rate_limit_exceeded" if status == 429 else "context_length_exceeded" if "context" in message else None
        name = "invalid_request_error" if status < 500 else "server_error"
        body = {"error": {"message": message, "type": name, "param": None, "code": code}}
    return json.dumps(body).encode()


OVERFLOW = {
    "m": "prompt is too long: 250000 tokens > 200000 maximum",
    "c": "This model's maximum context length is 200000 tokens. However, your messages resulted in 250000 tokens.",
    "r": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "g": "The input token count (250000) exceeds the maximum number of tokens allowed (200000).",
}
