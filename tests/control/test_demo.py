"""The demo upstream says what the vendors say: each body and event fits the typed models of their own packages."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any, cast

import pytest
from anthropic.types import ErrorResponse, Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from google.genai import types as gemini
from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import InputTokenCountResponse, ResponseStreamEvent
from openai.types.responses import Response as ResponsesResponse
from pydantic import TypeAdapter

from llr.base.jsonio import JSON
from llr.control.demo import MODELS
from llr.control.demo.handler import SLOW_S
from llr.control.demo.sample import sample
from tests.control.demo_driver import Answered, Demo

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
EVENT: dict[str, TypeAdapter[Any]] = {
    "messages": TypeAdapter(RawMessageStreamEvent),
    "responses": TypeAdapter(ResponseStreamEvent),
}


def ask_chat(model: str, *, stream: bool = False, tools: bool = False) -> tuple[str, dict[str, JSON]]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hi there"}], "stream": stream}
    if tools:
        body["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    return "/v1/chat/completions", body


def ask_messages(model: str, *, stream: bool = False, tools: bool = False) -> tuple[str, dict[str, JSON]]:
    body: dict[str, Any] = {"model": model, "max_tokens": 100, "stream": stream}
    body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "Hi there"}]}]
    if tools:
        body["tools"] = [{"name": "weather", "input_schema": WEATHER}]
    return "/v1/messages?beta=true", body


def ask_responses(model: str, *, stream: bool = False, tools: bool = False) -> tuple[str, dict[str, JSON]]:
    body: dict[str, Any] = {"model": model, "input": "Hi there", "stream": stream}
    if tools:
        body["tools"] = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
    return "/v1/responses", body


def ask_gemini(model: str, *, stream: bool = False, tools: bool = False) -> tuple[str, dict[str, JSON]]:
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hi there"}]}]}
    if tools:
        body["tools"] = [{"functionDeclarations": [{"name": "weather", "parameters": WEATHER}]}]
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{model}:{method}", body


def ask_completions(model: str, *, stream: bool = False, tools: bool = False) -> tuple[str, dict[str, JSON]]:
    return "/v1/completions", {"model": model, "prompt": "Hi there", "stream": stream}


Asker = Callable[..., tuple[str, dict[str, JSON]]]
ASKERS: dict[str, Asker] = {
    "chat": ask_chat,
    "messages": ask_messages,
    "responses": ask_responses,
    "gemini": ask_gemini,
    "completions": ask_completions,
}
WHOLE: dict[str, Any] = {
    "chat": ChatCompletion,
    "messages": Message,
    "responses": ResponsesResponse,
    "gemini": gemini.GenerateContentResponse,
    "completions": Completion,
}
each_format = pytest.mark.parametrize("name", ASKERS)


def text_in(name: str, body: Any) -> str:
    """Returns the words in a plain answer, as its format keeps them."""
    match name:
        case "chat":
            return body.choices[0].message.content or ""
        case "messages":
            return "".join(block.text for block in body.content if block.type == "text")
        case "responses":
            return str(body.output_text)
        case "gemini":
            return body.text or ""
        case _:
            return str(body.choices[0].text)


def streamed(name: str, answer: Answered) -> str:
    """Returns the words in a stream, each event checked against the vendor's model."""
    said: list[str] = []
    for event, data in answer.events():
        match name:
            case _ if data == "[DONE]":
                pass
            case "chat":
                said += [c.delta.content or "" for c in ChatCompletionChunk.model_validate(data).choices]
            case "completions":
                # The typed model has no name for "not finished yet", which the vendor sends as null.
                said += [str(c["text"]) for c in cast(Any, data)["choices"]]
            case "gemini":
                said.append(gemini.GenerateContentResponse.model_validate(data).text or "")
            case _ if event == "ping":
                assert data == {"type": "ping"}
            case _:
                checked = EVENT[name].validate_python(data)
                assert checked.type == event
                if checked.type == "content_block_delta" and checked.delta.type == "text_delta":
                    said.append(checked.delta.text)
                if checked.type == "response.output_text.delta":
                    said.append(checked.delta)
    return "".join(said)


@each_format
@pytest.mark.parametrize("model", ["ok", "thinking", "slow"])
async def test_a_plain_answer_fits_the_vendors_model(name: str, model: str) -> None:
    demo = Demo()
    answer = await demo.ask(*ASKERS[name](model))
    body = WHOLE[name].model_validate(answer.json)
    assert (answer.status, answer.broken) == (200, False)
    assert "You said: Hi there" in text_in(name, body)
    assert demo.clock.slept == ([SLOW_S] if model == "slow" else [])


@each_format
@pytest.mark.parametrize("model", ["ok", "thinking"])
async def test_a_stream_says_the_same_as_the_plain_answer(name: str, model: str) -> None:
    plain = await Demo().ask(*ASKERS[name](model))
    answer = await Demo().ask(*ASKERS[name](model, stream=True))
    assert answer.headers.text(b"content-type").startswith("text/event-stream")
    assert streamed(name, answer) == text_in(name, WHOLE[name].model_validate(plain.json))


async def test_a_stream_flows_piece_by_piece() -> None:
    demo = Demo()
    await demo.ask(*ask_chat("ok", stream=True))
    assert len(demo.clock.slept) >= 4


@each_format
@pytest.mark.parametrize(("model", "status"), [("overloaded", 529), ("rate-limited", 429), ("nobody", 404)])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_comes_in_the_vendors_own_shape(name: str, model: str, status: int, stream: bool) -> None:
    answer = await Demo().ask(*ASKERS[name](model, stream=stream))
    assert answer.status == status
    assert answer.headers.text(b"retry-after") == ("30" if status == 429 else "")
    error = cast(Any, answer.json)["error"]
    match name:
        case "messages":
            kinds = {529: "overloaded_error", 429: "rate_limit_error", 404: "not_found_error"}
            said = ErrorResponse.model_validate(answer.json)
            assert said.error.type == kinds[status]
            assert said.request_id == answer.headers.text(b"request-id") != ""
        case "gemini":
            names = {529: "UNAVAILABLE", 429: "RESOURCE_EXHAUSTED", 404: "NOT_FOUND"}
            assert (error["code"], error["status"]) == (status, names[status])
        case _:
            codes = {529: "server_is_overloaded", 429: "rate_limit_exceeded", 404: "model_not_found"}
            assert error.keys() == {"message", "type", "param", "code"}
            assert error["code"] == codes[status]
            assert answer.headers.text(b"x-request-id").startswith("req_")


@each_format
async def test_a_body_that_asks_nothing_is_refused(name: str) -> None:
    target, _ = ASKERS[name]("ok")
    for broken in ({"model": "ok", "max_tokens": 1}, '{"model"'):
        answer = await Demo().ask(target, cast(JSON, broken))
        assert answer.status == 400
        assert "error" in cast(Any, answer.json)


@each_format
async def test_a_late_error_comes_after_a_good_head_and_before_the_first_word(name: str) -> None:
    answer = await Demo().ask(*ASKERS[name]("error-in-200", stream=True))
    assert answer.status == 200
    last = cast(Any, answer.events()[-1][1])
    match name:
        case "messages":
            assert [event for event, _ in answer.events()] == ["message_start", "error"]
            assert last["error"]["type"] == "overloaded_error"
        case "responses":
            events = [EVENT[name].validate_python(data) for _, data in answer.events()]
            assert [e.type for e in events] == ["response.created", "response.in_progress", "response.failed"]
            assert events[-1].response.error.code == "server_error"
        case _:
            assert "error" in last
    assert streamed_before_error(name, answer) == ""


def streamed_before_error(name: str, answer: Answered) -> str:
    whole_events = [(event, data) for event, data in answer.events() if "error" not in cast(Any, data)]
    frames = [f"event: {event}\ndata: {json.dumps(data)}\n\n" for event, data in whole_events]
    if not frames:
        return ""
    return streamed(name, Answered(200, answer.headers, "".join(frames).encode(), broken=False))


@each_format
async def test_a_late_error_in_a_plain_answer_is_an_error_body_under_200(name: str) -> None:
    answer = await Demo().ask(*ASKERS[name]("error-in-200"))
    assert answer.status == 200
    assert "error" in cast(Any, answer.json)


COMPLETE = [b"[DONE]", b"message_stop", b'stop_reason":"end_turn', b"response.completed", b"finishReason", b'"stop"']


@each_format
async def test_a_cut_stream_breaks_after_its_first_words_and_before_its_end(name: str) -> None:
    answer = await Demo().ask(*ASKERS[name]("cut-midstream", stream=True))
    assert (answer.status, answer.broken) == (200, True)
    assert streamed(name, answer).startswith("Hello")
    assert [mark for mark in COMPLETE if mark in answer.body] == []


@each_format
async def test_a_cut_plain_answer_breaks_in_the_middle(name: str) -> None:
    answer = await Demo().ask(*ASKERS[name]("cut-midstream"))
    assert answer.broken
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


@each_format
@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_is_no_answer_in_any_format(name: str, stream: bool) -> None:
    answer = await Demo().ask(*ASKERS[name]("garbage", stream=stream))
    assert answer.status == 200
    assert b"\x00\xff" in answer.body
    with pytest.raises(ValueError, match=r"utf-8|Expecting value"):
        json.loads(answer.body)


async def test_chat_calls_the_offered_tool_and_then_answers_with_its_result() -> None:
    demo = Demo()
    answer = await demo.ask(*ask_chat("tools", tools=True))
    choice = ChatCompletion.model_validate(answer.json).choices[0]
    assert choice.finish_reason == "tool_calls"
    call = cast(Any, choice.message.tool_calls)[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    target, body = ask_chat("tools", tools=True)
    spoken = cast(Any, answer.json)["choices"][0]["message"]
    result: JSON = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    after = await demo.ask(target, body | {"messages": [*cast(Any, body["messages"]), spoken, result]})
    assert "The tool answered: 21 degrees" in text_in("chat", ChatCompletion.model_validate(after.json))


async def test_chat_streams_a_tool_call_in_parts() -> None:
    answer = await Demo().ask(*ask_chat("tools", stream=True, tools=True))
    chunks = [ChatCompletionChunk.model_validate(data) for _, data in answer.events() if data != "[DONE]"]
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert calls[0].id
    assert json.loads("".join(cast(Any, call.function).arguments or "" for call in calls)) == {"city": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_messages_call_the_offered_tool_and_then_answer_with_its_result() -> None:
    demo = Demo()
    answer = await demo.ask(*ask_messages("tools", tools=True))
    message = Message.model_validate(answer.json)
    use = cast(Any, message.content[0])
    assert (message.stop_reason, use.name, use.input) == ("tool_use", "weather", {"city": "Paris"})
    target, body = ask_messages("tools", tools=True)
    spoken: JSON = {"role": "assistant", "content": cast(Any, answer.json)["content"]}
    result: JSON = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "21 degrees"}]}
    messages = [*cast(Any, body["messages"]), spoken, {"role": "user", "content": [result]}]
    after = await demo.ask(target, body | {"messages": messages})
    assert "The tool answered: 21 degrees" in text_in("messages", Message.model_validate(after.json))


async def test_messages_stream_a_tool_call_in_parts() -> None:
    answer = await Demo().ask(*ask_messages("tools", stream=True, tools=True))
    events = [EVENT["messages"].validate_python(data) for name, data in answer.events() if name != "ping"]
    parts = [e.delta.partial_json for e in events if e.type == "content_block_delta"]
    assert json.loads("".join(parts)) == {"city": "Paris"}
    assert events[-2].delta.stop_reason == "tool_use"


async def test_responses_call_the_offered_tool_and_then_answer_with_its_result() -> None:
    demo = Demo()
    answer = await demo.ask(*ask_responses("tools", tools=True))
    call = cast(Any, ResponsesResponse.model_validate(answer.json).output[0])
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Paris"})
    target, body = ask_responses("tools", tools=True)
    asked: JSON = {"role": "user", "content": "Hi there"}
    result: JSON = {"type": "function_call_output", "call_id": call.call_id, "output": "21 degrees"}
    after = await demo.ask(target, body | {"input": [asked, cast(Any, answer.json)["output"][0], result]})
    assert "The tool answered: 21 degrees" in text_in("responses", ResponsesResponse.model_validate(after.json))


async def test_responses_stream_a_tool_call_in_numbered_events() -> None:
    answer = await Demo().ask(*ask_responses("tools", stream=True, tools=True))
    events = [EVENT["responses"].validate_python(data) for _, data in answer.events()]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    assert json.loads(deltas) == {"city": "Paris"}
    assert events[-1].response.output[0].arguments == deltas


async def test_gemini_calls_the_offered_tool_and_then_answers_with_its_result() -> None:
    demo = Demo()
    answer = await demo.ask(*ask_gemini("tools", tools=True))
    call = cast(Any, gemini.GenerateContentResponse.model_validate(answer.json).function_calls)[0]
    assert (call.name, call.args) == ("weather", {"city": "Paris"})
    target, body = ask_gemini("tools", tools=True)
    spoken = cast(Any, answer.json)["candidates"][0]["content"]
    response: JSON = {"functionResponse": {"name": "weather", "response": {"result": "21 degrees"}}}
    contents = [*cast(Any, body["contents"]), spoken, {"role": "user", "parts": [response]}]
    after = await demo.ask(target, body | {"contents": contents})
    assert "21 degrees" in text_in("gemini", gemini.GenerateContentResponse.model_validate(after.json))


async def test_a_forbidden_tool_is_not_called_and_a_forced_one_is() -> None:
    target, body = ask_chat("tools", tools=True)
    second: JSON = {"type": "function", "function": {"name": "news", "parameters": {}}}
    body = body | {"tools": [*cast(Any, body["tools"]), second]}
    forced: JSON = {"type": "function", "function": {"name": "news"}}
    none = ChatCompletion.model_validate((await Demo().ask(target, body | {"tool_choice": "none"})).json)
    news = ChatCompletion.model_validate((await Demo().ask(target, body | {"tool_choice": forced})).json)
    assert none.choices[0].message.tool_calls is None
    assert cast(Any, news.choices[0].message.tool_calls)[0].function.name == "news"


def tool(name: str, required: list[JSON], **properties: JSON) -> JSON:
    schema: JSON = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "input_schema": schema}


TEXT: JSON = {"type": "string"}
AGENT = tool("Agent", ["description", "prompt"], description=TEXT, prompt=TEXT)
SHELL = tool("Bash", ["command"], command=TEXT, timeout={"type": "number"})


@pytest.mark.parametrize(
    ("tools", "called"),
    [
        ([AGENT, SHELL], "Bash"),
        ([AGENT], "Agent"),
        ([tool("Stop", []), SHELL], "Bash"),
        ([tool("Run", ["command"], command={"type": "array"}), AGENT], "Run"),
        ([AGENT, tool("Read", ["file_path"], file_path={"type": ["string", "null"]}), SHELL], "Read"),
        ([AGENT, tool("Find", ["pattern", "query"], pattern=TEXT, query=TEXT)], "Find"),
    ],
)
async def test_of_many_tools_the_first_is_called_that_takes_what_the_demo_can_say(
    tools: list[JSON], called: str
) -> None:
    target, body = ask_messages("tools", tools=True)
    answer = await Demo().ask(target, body | {"tools": tools})
    assert cast(Any, Message.model_validate(answer.json).content[0]).name == called


async def test_thoughts_stand_where_each_format_keeps_them() -> None:
    demo = Demo()
    chat = cast(Any, (await demo.ask(*ask_chat("thinking"))).json)
    assert chat["choices"][0]["message"]["reasoning_content"].startswith("The user")
    assert chat["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    thinking = Message.model_validate((await demo.ask(*ask_messages("thinking"))).json).content[0]
    assert thinking.type == "thinking"
    assert base64.b64decode(cast(Any, thinking).signature)
    target, body = ask_responses("thinking")
    include: JSON = ["reasoning.encrypted_content"]
    response = ResponsesResponse.model_validate((await demo.ask(target, body | {"include": include})).json)
    reasoning = cast(Any, response.output[0])
    assert reasoning.summary[0].text.startswith("The user")
    assert reasoning.encrypted_content
    parts = cast(
        Any, gemini.GenerateContentResponse.model_validate((await demo.ask(*ask_gemini("thinking"))).json)
    ).parts
    assert (parts[0].thought, parts[1].thought) == (True, None)
    assert parts[1].thought_signature


async def test_chat_streams_usage_only_when_asked() -> None:
    target, body = ask_chat("ok", stream=True)
    without = await Demo().ask(target, body)
    assert b'"usage"' not in without.body
    events = (await Demo().ask(target, body | {"stream_options": {"include_usage": True}})).events()
    last = ChatCompletionChunk.model_validate(events[-2][1])
    assert last.choices == []
    assert (
        cast(Any, last.usage).total_tokens
        == cast(Any, last.usage).prompt_tokens + cast(Any, last.usage).completion_tokens
    )
    assert all(cast(Any, data)["usage"] is None for _, data in events[:-2])


async def test_gemini_streams_an_array_where_no_events_are_asked_for() -> None:
    target, body = ask_gemini("ok", stream=True)
    answer = await Demo().ask(target.removesuffix("?alt=sse"), body)
    chunks = [gemini.GenerateContentResponse.model_validate(chunk) for chunk in cast(Any, answer.json)]
    assert "".join(chunk.text or "" for chunk in chunks).endswith("You said: Hi there")
    assert answer.headers.text(b"content-type").startswith("application/json")


async def test_tokens_are_counted_never_as_zero() -> None:
    demo = Demo()
    messages: JSON = {"model": "ok", "messages": [{"role": "user", "content": "Hi"}], "tools": []}
    counted = await demo.ask("/v1/messages/count_tokens?beta=true", messages)
    assert MessageTokensCount.model_validate(counted.json).input_tokens > 0
    responses = await demo.ask("/v1/responses/input_tokens", {"model": "ok", "input": "Hi"})
    assert InputTokenCountResponse.model_validate(responses.json).input_tokens > 0
    _, body = ask_gemini("ok")
    for wrapped in (body, {"generateContentRequest": {"model": "models/ok", **body}}):
        google = await demo.ask("/v1beta/models/ok:countTokens", cast(JSON, wrapped))
        assert cast(Any, gemini.CountTokensResponse.model_validate(google.json)).total_tokens > 0


async def test_models_are_listed_in_the_shape_that_the_client_reads() -> None:
    demo = Demo()
    listed = cast(Any, (await demo.ask("/v1/models", method="GET")).json)
    assert [Model.model_validate(model).id for model in listed["data"]] == list(MODELS)
    anthropic: JSON = {"anthropic-version": "2023-06-01"}
    theirs = cast(Any, (await demo.ask("/v1/models?limit=1000", method="GET", headers=anthropic)).json)
    assert [ModelInfo.model_validate(model).id for model in theirs["data"]] == list(MODELS)
    google: JSON = {"x-goog-api-key": "demo"}
    for answer in (
        await demo.ask("/v1beta/models", method="GET"),
        await demo.ask("/v1/models", method="GET", headers=google),
    ):
        names = [model["name"] for model in cast(Any, answer.json)["models"]]
        assert names == [f"models/{model}" for model in MODELS]


async def test_one_model_is_described_and_an_unknown_one_is_not() -> None:
    demo = Demo()
    assert Model.model_validate((await demo.ask("/v1/models/ok", method="GET")).json).id == "ok"
    assert (await demo.ask("/v1/models/nobody", method="GET")).status == 404
    google = await demo.ask("/v1beta/models/nobody", method="GET")
    assert cast(Any, google.json)["error"]["status"] == "NOT_FOUND"


async def test_embeddings_come_as_numbers_or_as_base64_of_the_same_numbers() -> None:
    demo = Demo()
    numbers = await demo.ask("/v1/embeddings", {"model": "ok", "input": ["a", "b", "a"], "dimensions": 8})
    vectors = [row.embedding for row in CreateEmbeddingResponse.model_validate(numbers.json).data]
    assert [len(vector) for vector in vectors] == [8, 8, 8]
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(number * number for number in vectors[0]) == pytest.approx(1.0)
    text = await demo.ask("/v1/embeddings", {"model": "ok", "input": "a", "dimensions": 8, "encoding_format": "base64"})
    packed = base64.b64decode(cast(Any, text.json)["data"][0]["embedding"])
    assert struct.unpack("<8f", packed) == pytest.approx(vectors[0])


async def test_a_structured_output_fits_its_schema() -> None:
    demo = Demo()
    target, body = ask_chat("ok")
    shape: JSON = {"type": "json_schema", "json_schema": {"name": "w", "schema": cast(JSON, WEATHER), "strict": True}}
    chat = ChatCompletion.model_validate((await demo.ask(target, body | {"response_format": shape})).json)
    assert json.loads(text_in("chat", chat)) == {"city": "Paris"}


async def test_an_unknown_path_is_404_in_shape() -> None:
    answer = await Demo().ask("/v1/nothing", {})
    assert answer.status == 404
    assert "error" in cast(Any, answer.json)
    assert (await Demo().ask("/v1beta/models/ok:dance", {})).status == 404


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}},
            {"a": "demo", "b": True},
        ),
        ({"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}, {"n": 1}),
        ({"type": "object", "properties": {"kind": {"enum": ["x", "y"]}}}, {"kind": "x"}),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "number"}]}}}, {"a": 1}),
        ({"type": "object", "properties": {"a": {"type": ["null", "string"]}}}, {"a": "demo"}),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": {"const": 7}, "minItems": 2}}},
            {"a": [7, 7]},
        ),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}, {"a": 1}),
        ({"type": "object", "properties": {"command": {"type": "string"}}}, {"command": "echo hello from the demo"}),
        ({"type": "object", "properties": {"file_path": {"type": "string"}}}, {"file_path": "llr-demo.txt"}),
        ({"type": "object", "properties": {"at": {"type": "string", "format": "date"}}}, {"at": "2026-01-31"}),
        ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 5}}}, {"n": 5}),
        ({}, "demo"),
        (None, {}),
    ],
)
def test_a_sample_fits_its_schema(schema: JSON, value: JSON) -> None:
    assert sample(schema) == value


def test_a_schema_that_contains_itself_ends() -> None:
    looped: JSON = {"type": "object", "properties": {"again": {"$ref": "#"}}}
    assert "again" in json.dumps(sample(looped))
