"""Anthropic Messages. Source: Anthropic API reference, the typed models of the `anthropic` package."""

from llr.base.jsonio import JSON
from llr.control.demo.dialect import Counting, Dialect, named_frame
from llr.control.demo.turn import (
    Answer,
    BadRequest,
    Failure,
    Meta,
    Object,
    Offer,
    Turn,
    choose,
    halves,
    items,
    obj,
    pieces,
    string,
    text_of,
)

# Shaped like a signature, signed by nobody.
SIGNATURE = "ZGVtbyB0aG91Z2h0cyBhcmUgc2lnbmVkIGJ5IG5vYm9keQ=="


def read(body: Object) -> Turn:
    """Returns what a Messages request asks. Raises `BadRequest`."""
    messages = [obj(message) for message in items(body.get("messages"))]
    if not messages:
        raise BadRequest("messages: Field required")
    if not isinstance(body.get("max_tokens"), int):
        raise BadRequest("max_tokens: Field required")
    said, result = _last_words(messages)
    offers = tuple(
        Offer(string(obj(tool).get("name")), obj(tool).get("input_schema"))
        for tool in items(body.get("tools"))
        if obj(tool).get("name") and obj(tool).get("type") in {None, "custom"}
    )
    choice = obj(body.get("tool_choice"))
    return Turn(
        model=string(body.get("model")),
        body=body,
        stream=body.get("stream") is True,
        said=said,
        result=result,
        tools=choose(offers, forced=string(choice.get("name")) or None, forbidden=choice.get("type") == "none"),
        schema=obj(obj(body.get("output_config")).get("format")).get("schema"),
    )


def read_count(body: Object) -> Turn:
    """Returns what a token count request asks: a Messages request without `max_tokens`. Raises `BadRequest`."""
    return read({**body, "max_tokens": 1})


def _last_words(messages: list[Object]) -> tuple[str, str | None]:
    """Returns the user's last text, and what a tool answered since the assistant last spoke."""
    said = ""
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        for block in items(message.get("content")):
            if obj(block).get("type") == "tool_result":
                return said, text_of(obj(block).get("content"))
        if message.get("role") == "user" and not said:
            said = text_of(message.get("content"))
    return said, None


def usage(answer: Answer, output_tokens: int) -> Object:
    """Returns the token counts of a message."""
    return {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _message(turn: Turn, answer: Answer, meta: Meta) -> Object:
    return {
        "id": meta.new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(answer, 1),
    }


def _stop_reason(answer: Answer) -> str:
    return "tool_use" if answer.call else "end_turn"


def whole(turn: Turn, answer: Answer, meta: Meta) -> Object:
    """Returns a message."""
    content: list[JSON] = []
    if answer.thoughts:
        content.append({"type": "thinking", "thinking": answer.thoughts, "signature": SIGNATURE})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    if answer.call:
        use: Object = {"type": "tool_use", "id": meta.new_id("toolu_"), "name": answer.call.name}
        content.append({**use, "input": answer.call.arguments})
    ending: Object = {"content": content, "stop_reason": _stop_reason(answer)}
    return _message(turn, answer, meta) | ending | {"usage": usage(answer, answer.output_tokens)}


def stream(turn: Turn, answer: Answer, meta: Meta) -> list[bytes]:
    """Returns `message_start` … `message_stop`, a ping among them."""
    events: list[Object] = [{"type": "message_start", "message": _message(turn, answer, meta)}]
    for index, (block, deltas) in enumerate(_blocks(answer, meta)):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        if index == 0:
            events.append({"type": "ping"})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending: Object = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": answer.output_tokens}})
    events.append({"type": "message_stop"})
    return [named_frame(event) for event in events]


def _blocks(answer: Answer, meta: Meta) -> list[tuple[Object, list[Object]]]:
    """Returns each content block as it starts, with the deltas that fill it."""
    blocks: list[tuple[Object, list[Object]]] = []
    if answer.thoughts:
        thoughts: list[Object] = [{"type": "thinking_delta", "thinking": p} for p in pieces(answer.thoughts)]
        thoughts.append({"type": "signature_delta", "signature": SIGNATURE})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts))
    if answer.text:
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(answer.text)])
        )
    if answer.call:
        parts: list[Object] = [{"type": "input_json_delta", "partial_json": ""}]
        parts += [{"type": "input_json_delta", "partial_json": part} for part in halves(answer.call.text) if part]
        use: Object = {"type": "tool_use", "id": meta.new_id("toolu_"), "name": answer.call.name, "input": {}}
        blocks.append((use, parts))
    return blocks


# Status -> `error.type`.
KINDS = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}


def error(failure: Failure, meta: Meta) -> Object:
    """Returns Anthropic's error body."""
    kind = KINDS.get(failure.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": failure.message}, "request_id": meta.request_id}


def late_error(turn: Turn, failure: Failure, meta: Meta) -> list[bytes]:
    """Returns `message_start`, then an error event."""
    start: Object = {"type": "message_start", "message": _message(turn, Answer(), meta)}
    failed: Object = {"type": "error", "error": {"type": KINDS[failure.status], "message": failure.message}}
    return [named_frame(start), named_frame(failed)]


COUNTING = Counting(read_count, lambda count: {"input_tokens": count})
MESSAGES = Dialect(read, whole, stream, late_error, error, COUNTING, id_field=b"request-id")
