"""What each format looks like on the wire: a request, an answer, a stream, an error inside it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llr.testing import Heard, Playbook

ANTHROPIC = {"anthropic-version": "2023-06-01"}


def event(value: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})


CHAT_STREAM = [
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "Hello"}),
    _chunk({"content": " wörld 👋"}),
    _chunk({"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "f", "arguments": "{}"}}]}),
    _chunk({}, "stop"),
    event({"id": "c1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}),
    b"data: [DONE]\n\n",
]
MESSAGES_STREAM = [
    event(
        {
            "type": "message_start",
            "message": {
                "id": "m1",
                "role": "assistant",
                "content": [],
                "stop_reason": None,
                "usage": {"input_tokens": 7},
            },
        },
        "message_start",
    ),
    event({"type": "ping"}, "ping"),
    event(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        "content_block_start",
    ),
    event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hëllo"}},
        "content_block_delta",
    ),
    event({"type": "content_block_stop", "index": 0}, "content_block_stop"),
    event(
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}, "message_delta"
    ),
    event({"type": "message_stop"}, "message_stop"),
]


def _response(kind: str, number: int, **more: Any) -> bytes:
    return event({"type": kind, "sequence_number": number, **more}, kind)


_SAID = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "error": None, "output": [_SAID]}
RESPONSES_STREAM = [
    _response("response.created", 0, response={"id": "resp_1", "status": "in_progress", "error": None}),
    _response("response.in_progress", 1, response={"id": "resp_1", "status": "in_progress", "error": None}),
    _response("response.output_item.added", 2, output_index=0, item={"type": "message", "id": "i1"}),
    _response("response.output_text.delta", 3, output_index=0, item_id="i1", delta="Hello"),
    _response("response.output_item.done", 4, output_index=0, item={"type": "message", "id": "i1"}),
    _response("response.completed", 5, response={**RESPONSE, "usage": {"input_tokens": 7, "output_tokens": 5}}),
]


def _gemini(text: str, **more: Any) -> bytes:
    content = {"role": "model", "parts": [{"text": text}]}
    return event({"candidates": [{"index": 0, "content": content, **more}], "usageMetadata": {"promptTokenCount": 7}})


GEMINI_STREAM = [
    event({"usageMetadata": {"promptTokenCount": 7}}),
    _gemini("Hello"),
    _gemini(" world"),
    _gemini("!", finishReason="STOP"),
]


@dataclass(frozen=True)
class Sample:
    """One format: `first` is the number of events before the first meaningful one, `mark` the one that completes."""

    name: str
    path: str
    upstream_path: str
    request: dict[str, Any]
    headers: dict[str, str]
    answer: dict[str, Any]
    stream: list[bytes]
    first: int
    mark: int
    closing: bytes
    error_event: bytes
    http_error: dict[str, Any]
    says_error: Callable[[bytes], bool]
    provider: str
    stream_path: str = ""

    def body(self, model: str = "{alias}", *, stream: bool = False) -> dict[str, Any]:
        if self.name == "gemini":
            return dict(self.request)
        return {"model": model, **self.request, **({"stream": True} if stream else {})}

    def target(self, model: str, *, stream: bool = False) -> str:
        return (self.stream_path if stream and self.stream_path else self.path).replace("{model}", model)


def _last(body: bytes) -> Any:
    data = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
    return json.loads(data[-1]) if data and data[-1].startswith(b"{") else None


def _chat_error(body: bytes) -> bool:
    value = _last(body)
    return isinstance(value, dict) and "message" in value.get("error", {}) and b"[DONE]" not in body


def _messages_error(body: bytes) -> bool:
    value = _last(body)
    error = isinstance(value, dict) and value["type"] == "error" and bool(value["error"]["message"])
    return error and b"event: error\n" in body and b"message_stop" not in body


def _responses_error(body: bytes) -> bool:
    value = _last(body)
    return (
        isinstance(value, dict) and value["type"] in ("response.failed", "error") and b"response.completed" not in body
    )


def _gemini_error(body: bytes) -> bool:
    value = _last(body)
    return isinstance(value, dict) and value.get("error", {}).get("message") and b"finishReason" not in body


CHAT = Sample(
    "chat",
    "/v1/chat/completions",
    "/v1/chat/completions",
    {"messages": [{"role": "user", "content": "hi"}]},
    {},
    {
        "id": "c1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
    },
    CHAT_STREAM,
    1,
    4,
    b"data: [DONE]\n\n",
    event({"error": {"message": "overloaded", "type": "server_error", "code": 503}}),
    {"error": {"message": "no", "type": "server_error", "param": None, "code": None}},
    _chat_error,
    "openai",
)
MESSAGES = Sample(
    "messages",
    "/v1/messages",
    "/v1/messages",
    {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    ANTHROPIC,
    {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
    },
    MESSAGES_STREAM,
    3,
    5,
    MESSAGES_STREAM[-1].replace(b'": "', b'":"'),
    event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error"),
    {"type": "error", "error": {"type": "api_error", "message": "no"}},
    _messages_error,
    "claude",
)
RESPONSES = Sample(
    "responses",
    "/v1/responses",
    "/v1/responses",
    {"input": "hi"},
    {},
    RESPONSE,
    RESPONSES_STREAM,
    3,
    5,
    b"",
    event({"type": "error", "code": "server_is_overloaded", "message": "busy", "sequence_number": 1}, "error"),
    {"error": {"message": "no", "type": "server_error", "param": None, "code": None}},
    _responses_error,
    "openai",
)
COMPLETIONS = Sample(
    "completions",
    "/v1/completions",
    "/v1/completions",
    {"prompt": "hi"},
    {},
    {"id": "p1", "object": "text_completion", "choices": [{"index": 0, "text": "hi", "finish_reason": "stop"}]},
    [
        event({"choices": [{"index": 0, "text": "", "finish_reason": None}]}),
        event({"choices": [{"index": 0, "text": "Hello", "finish_reason": None}]}),
        event({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}),
        b"data: [DONE]\n\n",
    ],
    1,
    2,
    b"data: [DONE]\n\n",
    CHAT.error_event,
    CHAT.http_error,
    _chat_error,
    "openai",
)
GEMINI = Sample(
    "gemini",
    "/v1beta/models/{model}:generateContent",
    "/v1beta/models/m:generateContent",
    {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    {"x-goog-api-key": "client"},
    {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]},
    GEMINI_STREAM,
    1,
    3,
    b"",
    event({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}),
    {"error": {"code": 500, "message": "no", "status": "INTERNAL"}},
    _gemini_error,
    "gemini",
    "/v1beta/models/{model}:streamGenerateContent?alt=sse",
)
SAMPLES = [CHAT, MESSAGES, RESPONSES, COMPLETIONS, GEMINI]


def doc_for(sample: Sample, *hosts: str, **alias: Any) -> dict[str, Any]:
    """A config with one provider per host and an alias `any` over all of them in order."""
    providers = [
        {
            "id": host,
            "baseUrl": f"http://{host}.test",
            "format": sample.provider,
            "apiKey": f"key-{host}",
            "models": ["m"],
        }
        for host in hosts
    ]
    targets = [f"{host}/m" for host in hosts]
    return {"version": 2, "providers": providers, "modelAliases": {"any": {"targets": targets, **alias}}}


def error_message(sample: Sample, heard: Heard) -> str:
    """The message of an error answer, read as the format's SDK does."""
    error = heard.json["error"]
    assert set(error) >= ({"code", "status"} if sample.name == "gemini" else {"type"})
    if sample.name == "messages":
        assert heard.json["type"] == "error"
    return str(error["message"])


async def ask(play: Playbook, client: Sample, *, stream: bool = False, **headers: str) -> Heard:
    """Returns what the client hears on asking for the model `any`; names of headers with _ for -."""
    fields = {**client.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await play.ask("POST", client.target("any", stream=stream), client.body("any", stream=stream), fields)


def doc_speaking(upstream: Sample, *hosts: str, **more: Any) -> dict[str, Any]:
    """Returns a config whose providers speak the format of a sample."""
    made = doc_for(upstream, *hosts)
    wires = {"chat": "openai-chat", "responses": "openai-responses"}
    for provider in made["providers"]:
        provider.update({"format": wires.get(upstream.name, upstream.provider)}, **more)
    return made


def text_of(client: Sample, body: Any) -> str:
    """Returns the text of an answer in a client's format."""
    if client.name == "chat":
        return str(body["choices"][0]["message"]["content"])
    if client.name == "completions":
        return str(body["choices"][0]["text"])
    if client.name == "messages":
        return "".join(block.get("text", "") for block in body["content"])
    if client.name == "responses":
        return "".join(part["text"] for item in body["output"] for part in item.get("content", ()))
    return "".join(part["text"] for part in body["candidates"][0]["content"]["parts"])


def full_answer(upstream: Sample) -> dict[str, Any]:
    """Returns a sample's answer with its text in it."""
    if upstream.name != "responses":
        return upstream.answer
    part = {"type": "output_text", "text": "hi", "annotations": []}
    return {**upstream.answer, "output": [{"type": "message", "id": "i", "role": "assistant", "content": [part]}]}
