"""OpenAI Chat Completions, and the Completions that came before it.

Source: OpenAI API reference, the typed models of the `openai` package. `reasoning_content` is no part of either: it is
what DeepSeek and those who follow it add to a message.
"""

from llr.base.jsonio import JSON
from llr.control.demo.dialect import Dialect, data_frame
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
    tokens,
)

DONE = b"data: [DONE]\n\n"


def read_chat(body: Object) -> Turn:
    """Returns what a Chat request asks. Raises `BadRequest`."""
    messages = [obj(message) for message in items(body.get("messages"))]
    if not messages:
        raise BadRequest("Missing required parameter: 'messages'.")
    said = next((text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
    result: str | None = None
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        if message.get("role") == "tool":
            result = text_of(message.get("content"))
            break
    functions = (obj(obj(tool).get("function")) for tool in items(body.get("tools")))
    offers = tuple(Offer(string(f.get("name")), f.get("parameters")) for f in functions if f.get("name"))
    choice = body.get("tool_choice")
    forced = string(obj(obj(choice).get("function")).get("name")) or None
    shape = obj(obj(body.get("response_format")).get("json_schema")).get("schema")
    return Turn(
        model=string(body.get("model")),
        body=body,
        stream=body.get("stream") is True,
        said=said,
        result=result,
        tools=choose(offers, forced=forced, forbidden=choice == "none"),
        schema=shape,
    )


def read_completion(body: Object) -> Turn:
    """Returns what a legacy Completions request asks. Raises `BadRequest`."""
    prompt = body.get("prompt")
    if prompt is None:
        raise BadRequest("Missing required parameter: 'prompt'.")
    said = prompt if isinstance(prompt, str) else "\n".join(string(part) for part in items(prompt))
    return Turn(model=string(body.get("model")), body=body, stream=body.get("stream") is True, said=said)


def usage(answer: Answer) -> Object:
    """Returns the token counts: output includes the thoughts, which are also told apart."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.thought_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def whole_chat(turn: Turn, answer: Answer, meta: Meta) -> Object:
    """Returns a `chat.completion`."""
    message: Object = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
    if answer.thoughts:
        message["reasoning_content"] = answer.thoughts
    if answer.call:
        function: Object = {"name": answer.call.name, "arguments": answer.call.text}
        message["tool_calls"] = [{"id": meta.new_id("call_"), "type": "function", "function": function}]
    reason = "tool_calls" if answer.call else "stop"
    return {
        "id": meta.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": meta.created_at,
        "model": turn.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage(answer),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def stream_chat(turn: Turn, answer: Answer, meta: Meta) -> list[bytes]:
    """Returns `chat.completion.chunk` events and `[DONE]`; usage comes only when asked for."""
    with_usage = obj(turn.body.get("stream_options")).get("include_usage") is True
    deltas: list[Object] = [{"role": "assistant", "content": None if answer.call else "", "refusal": None}]
    deltas += [{"reasoning_content": piece} for piece in pieces(answer.thoughts)]
    deltas += [{"content": piece} for piece in pieces(answer.text)]
    if answer.call:
        opening: Object = {"name": answer.call.name, "arguments": ""}
        first: JSON = {"index": 0, "id": meta.new_id("call_"), "type": "function", "function": opening}
        deltas.append({"tool_calls": [first]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in halves(answer.call.text) if part
        ]
    head = _chunk_head(turn, meta)
    if with_usage:
        head["usage"] = None
    frames = [data_frame({**head, "choices": [_choice(delta)]}) for delta in deltas]
    frames.append(data_frame({**head, "choices": [_choice({}, "tool_calls" if answer.call else "stop")]}))
    if with_usage:
        frames.append(data_frame({**head, "choices": [], "usage": usage(answer)}))
    return [*frames, DONE]


def _chunk_head(turn: Turn, meta: Meta) -> Object:
    return {
        "id": meta.new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": meta.created_at,
        "model": turn.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _choice(delta: Object, reason: str | None = None) -> Object:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def whole_completion(turn: Turn, answer: Answer, meta: Meta) -> Object:
    """Returns a `text_completion`."""
    cost: Object = {"prompt_tokens": answer.input_tokens, "completion_tokens": tokens(answer.text)}
    cost["total_tokens"] = answer.input_tokens + tokens(answer.text)
    return _completion(turn, meta.new_id("cmpl-"), meta, answer.text, "stop") | {"usage": cost}


def stream_completion(turn: Turn, answer: Answer, meta: Meta) -> list[bytes]:
    """Returns `text_completion` events and `[DONE]`."""
    ident = meta.new_id("cmpl-")
    frames = [data_frame(_completion(turn, ident, meta, piece, None)) for piece in pieces(answer.text)]
    return [*frames, data_frame(_completion(turn, ident, meta, "", "stop")), DONE]


def _completion(turn: Turn, ident: str, meta: Meta, text: str, reason: str | None) -> Object:
    return {
        "id": ident,
        "object": "text_completion",
        "created": meta.created_at,
        "model": turn.model,
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}],
    }


# Status -> (type, code) of OpenAI's error object.
KINDS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    404: ("invalid_request_error", "model_not_found"),
    405: ("invalid_request_error", "method_not_supported"),
    429: ("requests", "rate_limit_exceeded"),
    529: ("server_error", "server_is_overloaded"),
}


def error(failure: Failure, meta: Meta) -> Object:
    """Returns OpenAI's error body."""
    kind, code = KINDS.get(failure.status, ("server_error", None))
    return {"error": {"message": failure.message, "type": kind, "param": None, "code": code}}


def late_chat_error(turn: Turn, failure: Failure, meta: Meta) -> list[bytes]:
    """Returns a first chunk without words, then the error."""
    opening = _chunk_head(turn, meta) | {"choices": [_choice({"role": "assistant", "content": "", "refusal": None})]}
    return [data_frame(opening), data_frame(error(failure, meta))]


def late_completion_error(turn: Turn, failure: Failure, meta: Meta) -> list[bytes]:
    """Returns only the error: legacy Completions have no event without words."""
    return [data_frame(error(failure, meta))]


CHAT = Dialect(read_chat, whole_chat, stream_chat, late_chat_error, error)
COMPLETIONS = Dialect(read_completion, whole_completion, stream_completion, late_completion_error, error)
