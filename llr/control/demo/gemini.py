"""Gemini `generateContent` and its streams. Source: Gemini API reference, the typed models of `google-genai`."""

from collections.abc import Callable, Sequence

from llr.base.jsonio import JSON
from llr.control.demo.dialect import Counting, Dialect, array_frames, data_frame
from llr.control.demo.turn import (
    Answer,
    BadRequest,
    Failure,
    Meta,
    Object,
    Offer,
    Turn,
    choose,
    items,
    obj,
    pieces,
    string,
    text_of,
    tokens,
)

# Shaped like a thought signature, signed by nobody.
SIGNATURE = "ZGVtbyB0aG91Z2h0cyBhcmUgc2lnbmVkIGJ5IG5vYm9keQ=="


def read(body: Object) -> Turn:
    """Returns what a Gemini request asks. The model stands in the path: the caller puts it into `model`, as `stream`.

    Raises `BadRequest`.
    """
    contents = [obj(content) for content in items(body.get("contents"))]
    if not contents:
        raise BadRequest("* GenerateContentRequest.contents: contents is not specified")
    said = next((text_of(c.get("parts")) for c in reversed(contents) if c.get("role", "user") == "user"), "")
    result: str | None = None
    for content in reversed(contents):
        if content.get("role") == "model":
            break
        answers = [_either(obj(part), "functionResponse") for part in items(content.get("parts"))]
        result = next((str(obj(answer).get("response")) for answer in answers if answer is not None), result)
    calling = obj(_either(obj(_either(body, "toolConfig")), "functionCallingConfig"))
    names = items(_either(calling, "allowedFunctionNames"))
    generation = obj(_either(body, "generationConfig"))
    shape = _either(generation, "responseJsonSchema") or _either(generation, "responseSchema")
    return Turn(
        model=string(body.get("model")),
        body=body,
        stream=body.get("stream") is True,
        said=said,
        result=result,
        tools=choose(
            _offers(body), forced=string(names[0]) if names else None, forbidden=calling.get("mode") == "NONE"
        ),
        schema=shape,
    )


def read_count(body: Object) -> Turn:
    """Returns what a token count request asks: contents, or a whole request under one key. Raises `BadRequest`."""
    inner = obj(_either(body, "generateContentRequest"))
    return read({**inner, "model": body.get("model")} if inner else body)


def _either(value: Object, name: str) -> JSON:
    """Returns the member under its camelCase name or the snake_case one: clients send both."""
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
    return value.get(name, value.get(snake))


def _offers(body: Object) -> tuple[Offer, ...]:
    declared = (
        obj(declaration)
        for tool in items(body.get("tools"))
        for declaration in items(_either(obj(tool), "functionDeclarations"))
    )
    return tuple(
        Offer(string(d.get("name")), _either(d, "parametersJsonSchema") or d.get("parameters"))
        for d in declared
        if d.get("name")
    )


def _usage(answer: Answer, *, spoken: int) -> Object:
    usage: Object = {"promptTokenCount": answer.input_tokens, "candidatesTokenCount": spoken}
    if answer.thoughts:
        usage["thoughtsTokenCount"] = answer.thought_tokens
    usage["totalTokenCount"] = answer.input_tokens + spoken + answer.thought_tokens
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": answer.input_tokens}]
    return usage


def _chunk(turn: Turn, parts: Sequence[Object], usage: Object, ident: str, reason: str | None) -> Object:
    candidate: Object = {"content": {"parts": [*parts], "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": turn.model, "responseId": ident}


def _parts(answer: Answer, meta: Meta) -> list[list[Object]]:
    """Returns the answer's parts, each as the pieces in which it is streamed."""
    parts: list[list[Object]] = []
    if answer.thoughts:
        parts.append([{"text": piece, "thought": True} for piece in pieces(answer.thoughts)])
    if answer.text:
        said: list[Object] = [{"text": piece} for piece in pieces(answer.text)]
        if answer.thoughts:
            said.append({"text": "", "thoughtSignature": SIGNATURE})
        parts.append(said)
    if answer.call:
        call: Object = {"id": meta.new_id("call_"), "name": answer.call.name, "args": answer.call.arguments}
        parts.append([{"functionCall": call, "thoughtSignature": SIGNATURE}])
    return parts


def _joined(streamed: list[Object]) -> Object:
    """Returns one part out of its streamed pieces."""
    joined: Object = {}
    for piece in streamed:
        joined |= {**piece, "text": string(joined.get("text")) + string(piece["text"])} if "text" in piece else piece
    return joined


def _spoken(answer: Answer) -> int:
    return answer.output_tokens - answer.thought_tokens


def whole(turn: Turn, answer: Answer, meta: Meta) -> Object:
    """Returns a `GenerateContentResponse`."""
    parts = [_joined(streamed) for streamed in _parts(answer, meta)]
    return _chunk(turn, parts, _usage(answer, spoken=_spoken(answer)), meta.new_id("demo-"), "STOP")


def chunks(turn: Turn, answer: Answer, meta: Meta) -> list[Object]:
    """Returns the responses of a stream; the last one has the finish reason and the whole count."""
    ident = meta.new_id("demo-")
    told = [piece for streamed in _parts(answer, meta) for piece in streamed]
    usage = _usage(answer, spoken=tokens(""))
    started = [_chunk(turn, [piece], usage, ident, None) for piece in told[:-1]]
    return [*started, _chunk(turn, told[-1:], _usage(answer, spoken=_spoken(answer)), ident, "STOP")]


# HTTP status -> the canonical name that Google's errors carry.
NAMES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 529: "UNAVAILABLE"}


def error(failure: Failure, meta: Meta) -> Object:
    """Returns Google's error body."""
    body: Object = {"code": failure.status, "message": failure.message}
    body["status"] = NAMES.get(failure.status, "INTERNAL")
    if failure.retry_after_s is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        body["details"] = [{"@type": kind, "retryDelay": f"{failure.retry_after_s}s"}]
    return {"error": body}


def _late(turn: Turn, failure: Failure, meta: Meta) -> list[Object]:
    """Returns a response without words, then an error."""
    empty: Object = {"usageMetadata": _usage(Answer(), spoken=0), "modelVersion": turn.model}
    return [empty | {"responseId": meta.new_id("demo-")}, error(failure, meta)]


def counted(count: int) -> Object:
    """Returns a `CountTokensResponse`."""
    return {"totalTokens": count}


def _as_events(objects: Sequence[Object]) -> list[bytes]:
    # Google separates its events with CRLF.
    return [data_frame(value)[:-2] + b"\r\n\r\n" for value in objects]


def _dialect(frames: Callable[[Sequence[Object]], list[bytes]], stream_type: bytes) -> Dialect:
    return Dialect(
        read,
        whole,
        lambda turn, answer, meta: frames(chunks(turn, answer, meta)),
        lambda turn, failure, meta: frames(_late(turn, failure, meta)),
        error,
        Counting(read_count, counted),
        stream_type,
    )


GEMINI = _dialect(_as_events, b"text/event-stream")
# Without `alt=sse` the stream is one JSON array, written element by element.
GEMINI_ARRAY = _dialect(array_frames, b"application/json; charset=UTF-8")
