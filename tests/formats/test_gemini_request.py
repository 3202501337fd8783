"""Gemini requests: what comes in goes out again, and what goes to Gemini is what it takes."""

import base64
from typing import Any

import pytest
from google.genai import types

from llr.base.names import FormatId
from llr.formats.base import Target
from llr.formats.fields import NO_SIGNATURE
from llr.formats.gemini.request_in import decode_request
from llr.formats.gemini.request_out import encode_request
from llr.formats.gemini.schemas import from_json_schema
from llr.ir.loss import LossLevel
from llr.ir.parts import (
    Media,
    MediaKind,
    Message,
    Opaque,
    Part,
    Reasoning,
    Role,
    Seal,
    SourceKind,
    Text,
    ToolCall,
    ToolKind,
    ToolResult,
)
from llr.ir.request import ChatRequest, ChoiceMode, Options, OutputFormat, ServerTool, Thinking, Tool, ToolChoice

GEMINI_3 = Target("gemini-3-pro-preview")
GEMINI_25 = Target("gemini-2.5-flash")
PNG = "iVBORw0KGgo="

FULL: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be terse."}, {"text": "Very."}]},
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "wx",
                    "description": "Weather.",
                    "parameters": {
                        "type": "OBJECT",
                        "properties": {"the_city": {"type": "STRING", "nullable": True}},
                        "propertyOrdering": ["the_city"],
                    },
                },
                {"name": "raw", "parametersJsonSchema": {"type": "object", "additionalProperties": False}},
            ],
            "googleSearch": {},
        },
        {"codeExecution": {}},
        {"urlContext": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["wx"]}},
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 64,
        "stopSequences": ["x"],
        "seed": 7,
        "candidateCount": 1,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}},
        "thinkingConfig": {"thinkingBudget": 512, "includeThoughts": True},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}],
    "cachedContent": "cachedContents/1",
    "labels": {"some_key": "v"},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "look"},
                {"inlineData": {"mimeType": "image/png", "data": PNG}},
                {"fileData": {"fileUri": "https://x/a.pdf", "mimeType": "application/pdf"}},
                {"inlineData": {"mimeType": "text/plain", "data": "aGk="}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {"functionCall": {"name": "wx", "args": {"the_city": "HN"}}, "thoughtSignature": "c2ln"},
                {"functionCall": {"id": "given", "name": "wx", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "wx", "response": {"output": "31C"}}},
                {"functionResponse": {"id": "given", "name": "wx", "response": {"error": "no"}}},
            ],
        },
        {"role": "model", "parts": [{"executableCode": {"code": "1", "language": "PYTHON"}}, {"text": "so"}]},
        {"role": "user", "parts": [{"text": "and?"}]},
    ],
}


def round_trip(body: dict[str, Any]) -> dict[str, Any]:
    encoded = encode_request(decode_request({"model": "m", **body}), Target("m"))
    assert encoded.losses == ()
    return encoded.body


def test_a_full_request_comes_back_as_it_was_sent() -> None:
    assert round_trip(FULL) == FULL


def snake(value: Any) -> Any:
    """Returns a body with the SDK's other spelling of field names."""
    if isinstance(value, list):
        return [snake(each) for each in value]
    if not isinstance(value, dict):
        return value
    keep = {"args", "response", "parametersJsonSchema", "labels"}
    out = {}
    for key, inner in value.items():
        name = "".join(f"_{char.lower()}" if char.isupper() else char for char in key)
        if key == "properties":
            out[name] = {field: snake(sub) for field, sub in inner.items()}
        else:
            out[name] = inner if key in keep else snake(inner)
    return out


def test_snake_case_and_camel_case_read_alike() -> None:
    assert round_trip(snake(FULL)) == FULL


def test_attachments_in_base64url_become_standard_base64() -> None:
    data = base64.urlsafe_b64encode(b"\xff\xfe\xfd\xfb").rstrip(b"=").decode()
    body: Any = {"model": "m", "contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": data}}]}]}
    (media,) = decode_request(body).messages[0].parts
    assert isinstance(media, Media)
    assert base64.b64decode(media.value, validate=True) == b"\xff\xfe\xfd\xfb"


def test_ids_are_filled_in_and_results_find_their_calls() -> None:
    request = decode_request({"model": "m", **FULL})
    calls = [part for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    results = [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    assert [call.id for call in calls] == ["call_1", "given"]
    assert [(result.call_id, result.is_error) for result in results] == [("call_1", False), ("given", True)]
    assert calls[0].seal == Seal(FormatId.GEMINI, "c2ln")
    again = decode_request({"model": "m", **FULL})
    assert again == request


def test_options_are_read() -> None:
    request = decode_request({"model": "models/m", "stream": True, **FULL})
    assert (request.model, request.stream) == ("m", True)
    options = request.options
    assert (options.max_tokens, options.temperature, options.top_p, options.top_k) == (64, 0.5, 0.9, 40)
    assert (options.stop, options.seed, options.n) == (("x",), 7, 1)
    assert options.thinking == Thinking("enabled", "", 512, True)
    assert options.output == OutputFormat(
        "json_schema", schema={"type": "object", "properties": {"a": {"type": "integer"}}}, strict=True
    )
    assert request.tool_choice == ToolChoice(ChoiceMode.TOOL, "wx")
    tool = request.tools[0]
    assert isinstance(tool, Tool)
    assert tool.parameters == {"type": "object", "properties": {"the_city": {"type": ["string", "null"]}}}
    hosted = [tool for tool in request.tools if isinstance(tool, ServerTool)]
    assert [(tool.type, tool.capability) for tool in hosted] == [
        ("googleSearch", "web_search"),
        ("codeExecution", "code_execution"),
        ("urlContext", ""),
    ]


@pytest.mark.parametrize(
    ("config", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking("disabled", "none")),
        ({"thinkingBudget": -1}, Thinking("adaptive")),
        ({"thinkingLevel": "HIGH"}, Thinking("enabled", "high")),
        ({"includeThoughts": False}, Thinking(visible=False)),
    ],
)
def test_thinking_is_read(config: dict[str, Any], thinking: Thinking) -> None:
    body: Any = {"model": "m", "contents": [], "generationConfig": {"thinkingConfig": config}}
    assert decode_request(body).options.thinking == thinking


def test_a_streamed_answer_in_a_clients_history_is_one_turn_and_goes_back_as_it_came() -> None:
    contents: Any = [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "think", "thought": True}]},
        {"role": "model", "parts": [{"text": "ing", "thought": True}]},
        {"role": "model", "parts": [{"text": "He"}]},
        {"role": "model", "parts": [{"text": "llo"}]},
        {"role": "model", "parts": [{"text": ""}]},
        {"role": "user", "parts": [{"text": "more"}]},
    ]
    request = decode_request({"model": "m", "contents": contents})
    assert [message.role for message in request.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    thought, text = request.messages[1].parts
    assert isinstance(thought, Reasoning)
    assert thought.text == "thinking"
    assert isinstance(text, Text)
    assert text.text == "Hello"
    assert round_trip({"contents": contents}) == {"contents": contents}


def history(*parts: Part, model: str = "a") -> ChatRequest:
    return ChatRequest(model, messages=(Message(Role.USER, (Text("hi"),)), Message(Role.ASSISTANT, parts)))


def contents(request: ChatRequest, target: Target = GEMINI_3) -> list[dict[str, Any]]:
    encoded = encode_request(request, target)
    found: Any = encoded.body["contents"]
    for each in found:
        types.Content.model_validate(each)
    return list(found)


def test_peers_6_a_call_of_another_model_gets_the_documented_stand_in_signature() -> None:
    request = history(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))
    parts = contents(request)[1]["parts"]
    assert parts[0]["thoughtSignature"] == NO_SIGNATURE
    assert "thoughtSignature" not in parts[1]
    old = contents(request, GEMINI_25)[1]["parts"]
    assert "thoughtSignature" not in old[0]


def test_peers_6_a_signature_goes_back_to_its_call_and_only_to_its_issuer() -> None:
    seal = Seal(FormatId.GEMINI, "c2ln", "google", "gemini-3-pro")
    request = history(ToolCall("a", "f", "{}", seal=seal))
    own = Target("gemini-3-pro-preview", "google")
    assert contents(request, own)[1]["parts"][0]["thoughtSignature"] == "c2ln"
    other = Target("gemini-3-pro-preview", "another")
    assert contents(request, other)[1]["parts"][0]["thoughtSignature"] == NO_SIGNATURE


def test_foreign_thinking_is_dropped_with_a_loss() -> None:
    request = history(Reasoning("hm", seal=Seal(FormatId.MESSAGES, "sig")), Text("so"))
    encoded = encode_request(request, GEMINI_3)
    assert encoded.body["contents"][1]["parts"] == [{"text": "so"}]  # type: ignore[index,call-overload]
    assert [(loss.what, loss.level) for loss in encoded.losses] == [("thinking", LossLevel.SILENT)]


def test_results_follow_their_calls_in_order_and_missing_ones_are_filled() -> None:
    request = ChatRequest(
        "a",
        messages=(
            Message(Role.USER, (Text("hi"),)),
            Message(Role.ASSISTANT, (Text("t"), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", ""))),
            Message(Role.USER, (ToolResult("b", (Text("B"),)), Text("go on"), ToolResult("zz", (Text("orphan"),)))),
        ),
    )
    found = contents(request)
    assert [each["role"] for each in found] == ["user", "model", "user", "user"]
    responses = [part["functionResponse"] for part in found[2]["parts"]]
    assert [(each["id"], each["name"], each["response"]) for each in responses] == [
        ("a", "f", {"output": "[No response received]"}),
        ("b", "g", {"output": "B"}),
    ]
    assert [part["text"] for part in found[3]["parts"]] == ["orphan", "go on"]


def test_peers_9_an_image_in_a_tool_result_reaches_the_model() -> None:
    image = Media(MediaKind.IMAGE, SourceKind.DATA, PNG, "image/png")
    request = ChatRequest(
        "a",
        messages=(
            Message(Role.USER, (Text("hi"),)),
            Message(Role.ASSISTANT, (ToolCall("a", "f", "{}"),)),
            Message(Role.USER, (ToolResult("a", (Text("seen"), image)),)),
        ),
    )
    inner = contents(request)[2]["parts"][0]["functionResponse"]
    assert inner["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    old = contents(request, GEMINI_25)
    assert "parts" not in old[2]["parts"][0]["functionResponse"]
    assert old[3]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]


def test_instructions_keep_their_place_and_the_user_begins() -> None:
    request = ChatRequest(
        "a",
        system=(Text("x-anthropic-billing-header: cc=1"), Text("Be terse.")),
        messages=(
            Message(Role.ASSISTANT, (Text("pre"),)),
            Message(Role.USER, (Text("hi"),)),
            Message(Role.SYSTEM, (Text("late"),)),
        ),
    )
    encoded = encode_request(request, GEMINI_3)
    assert encoded.body["systemInstruction"] == {"parts": [{"text": "Be terse."}]}
    found = contents(request)
    assert [each["role"] for each in found] == ["user", "model", "user"]
    assert "<system-instruction>\nlate" in found[2]["parts"][1]["text"]


def test_every_kind_of_tool_is_a_function_and_names_are_legal() -> None:
    tools = (
        Tool("a.b c", "d", {"type": "object", "properties": {"x": {"type": "string"}}, "$schema": "s"}),
        Tool("none", "", {"type": "object", "properties": {}}),
        Tool("exec", kind=ToolKind.CUSTOM),
        Tool("read", namespace="fs", parameters={"type": "object", "properties": {"p": {"type": "string"}}}),
        Tool("apply_patch", kind=ToolKind.APPLY_PATCH),
        ServerTool(FormatId.MESSAGES, "web_search_20250305", {"name": "web_search"}, "web_search"),
    )
    encoded = encode_request(ChatRequest("a", tools=tools), GEMINI_3)
    found: Any = encoded.body["tools"]
    for each in found:
        types.Tool.model_validate(each)
    functions = found[0]["functionDeclarations"]
    assert [each["name"] for each in functions] == ["a.b_c", "none", "exec", "fs__read", "apply_patch"]
    assert "parameters" not in functions[1]
    assert functions[2]["parameters"]["required"] == ["input"]
    assert found[1] == {"googleSearch": {}}
    assert encoded.body["toolConfig"] == {
        "functionCallingConfig": {"mode": "VALIDATED"},
        "includeServerSideToolInvocations": True,
    }
    assert encoded.tool_names == {"a.b_c": "a.b c", "fs__read": "fs\x1fread"}
    old = encode_request(ChatRequest("a", tools=tools), GEMINI_25)
    assert [loss.what for loss in old.losses if loss.level is LossLevel.WARN] == ["tool web_search_20250305"]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice(ChoiceMode.AUTO), {"mode": "AUTO"}),
        (ToolChoice(ChoiceMode.NONE), {"mode": "NONE"}),
        (ToolChoice(ChoiceMode.REQUIRED), {"mode": "ANY"}),
        (ToolChoice(ChoiceMode.TOOL, "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice(ChoiceMode.ALLOWED, allowed=("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        (
            ToolChoice(ChoiceMode.ALLOWED, allowed=("f", "g"), required=True),
            {"mode": "ANY", "allowedFunctionNames": ["f", "g"]},
        ),
    ],
)
def test_tool_choice_in_all_forms(choice: ToolChoice, config: dict[str, Any]) -> None:
    request = ChatRequest("a", tools=(Tool("f"), Tool("g")), tool_choice=choice)
    assert encode_request(request, GEMINI_3).body["toolConfig"] == {"functionCallingConfig": config}


@pytest.mark.parametrize(
    ("thinking", "target", "config"),
    [
        (Thinking("adaptive", "high"), GEMINI_3, {"thinkingLevel": "high", "includeThoughts": True}),
        (Thinking("enabled", "", 3000), GEMINI_25, {"thinkingBudget": 3000, "includeThoughts": True}),
        (Thinking("disabled"), GEMINI_25, {"thinkingBudget": 0}),
        (Thinking("disabled"), Target("gemini-2.5-pro"), {"thinkingBudget": 128}),
        (Thinking("disabled"), GEMINI_3, {"thinkingLevel": "low"}),
        (Thinking("adaptive"), GEMINI_25, {"thinkingBudget": -1, "includeThoughts": True}),
        (Thinking("", "max", visible=False), GEMINI_25, {"thinkingBudget": 24576, "includeThoughts": False}),
        (Thinking("enabled", "", 9000), Target("gemini-2.0-flash"), None),
        (Thinking(), GEMINI_3, None),
    ],
)
def test_peers_8_thinking_is_what_the_model_takes(
    thinking: Thinking, target: Target, config: dict[str, Any] | None
) -> None:
    body = encode_request(ChatRequest("a", options=Options(thinking=thinking)), target).body
    found: Any = body.get("generationConfig", {})
    assert found.get("thinkingConfig") == config
    types.GenerationConfig.model_validate(found)


def test_options_are_written_and_losses_named() -> None:
    options = Options(
        max_tokens=9999,
        temperature=1.5,
        top_k=3,
        stop=("a", "b", "c", "d", "e", "f"),
        logit_bias={"1": 2},
        user="u",
        output=OutputFormat("json_schema", "o", {"type": "object", "properties": {"a": {"const": "x"}}}),
    )
    encoded = encode_request(ChatRequest("a", options=options), Target("gemini-3-pro", max_output_tokens=100))
    config: Any = encoded.body["generationConfig"]
    assert config == {
        "temperature": 1.5,
        "topK": 3,
        "maxOutputTokens": 100,
        "stopSequences": ["a", "b", "c", "d", "e"],
        "responseMimeType": "application/json",
        "responseSchema": {"type": "object", "properties": {"a": {"enum": ["x"], "type": "string"}}},
    }
    assert {(loss.path, loss.level) for loss in encoded.losses} >= {
        ("options.stop", LossLevel.WARN),
        ("options.logit_bias", LossLevel.SILENT),
    }


OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
SCHEMAS: list[Any] = [
    {"$schema": "http://json-schema.org/draft-07/schema#", **OBJECT},
    {**OBJECT, "additionalProperties": False},
    {**OBJECT, "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
    {"type": "object", "properties": {"a": {"type": ["string", "integer"]}}},
    {"type": "object", "properties": {"a": {"type": ["string", "integer", "null"]}}},
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
    {"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}},
    {"type": "object", "properties": {"a": {"allOf": [{"type": "object", "properties": {"b": {"type": "string"}}}]}}},
    {"type": "object", "properties": {"a": {"const": "x"}}},
    {"type": "object", "properties": {"a": {"const": 3}}},
    {"type": "object", "properties": {"a": {"enum": [1, 2]}}},
    {"type": "object", "properties": {"a": {"enum": ["x", None]}}},
    {"type": "object", "properties": {"a": {"type": "array"}}},
    {"type": "object", "properties": {"a": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}}},
    {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}]}}},
    {"type": "object", "properties": {"a": {"type": "string", "format": "uri"}}},
    {"type": "object", "properties": {"a": {"type": "string", "format": "date-time"}}},
    {"type": "object", "properties": {"a": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2}}},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}},
    {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/T"}},
        "$defs": {"T": {"type": "object", "properties": {"n": {"$ref": "#/$defs/T"}}}},
    },
    {"type": "object", "properties": {"a": {"$comment": "c", "type": "string", "enumDescriptions": ["d"]}}},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "properties": {"a": {}}},
    {"type": "object", "propertyNames": {"pattern": "x"}, "properties": {"a": {"type": "null"}}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "ghost"]},
    {"anyOf": [OBJECT, {"type": "object", "properties": {"b": {"type": "string"}}}]},
    {"type": "object", "properties": {"a": {"if": {}, "then": {}, "not": {}, "type": "string", "readOnly": True}}},
]
ALLOWED = {
    "anyOf",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
}


def strict(node: dict[str, Any]) -> None:
    """Asserts what the vendor asks of a schema."""
    assert set(node) <= ALLOWED, node
    assert "anyOf" in node or isinstance(node.get("type"), str)
    assert node.get("type") != "null"
    if "enum" in node:
        assert node["type"] == "string"
        assert all(isinstance(value, str) for value in node["enum"])
    if node.get("type") == "array":
        strict(node["items"])
    assert node.get("properties") != {}
    assert set(node.get("required", ())) <= set(node.get("properties", ()))
    for sub in [*node.get("properties", {}).values(), *node.get("anyOf", ())]:
        strict(sub)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_peers_5_schemas_are_what_gemini_takes(schema: dict[str, Any]) -> None:
    fitted, _ = from_json_schema(schema)
    assert isinstance(fitted, dict)
    strict(fitted)
    types.Schema.model_validate(fitted)
    assert from_json_schema(fitted)[0] == fitted


def test_longer_conversations_begin_with_the_shorter_ones_bytes() -> None:
    from llr.base.jsonio import dumps

    turns: list[Message] = []
    before = b""
    for number in range(10):
        call = ToolCall(f"id-{number}", "f", '{"b":1,"a":2}')
        turns += [
            Message(Role.USER, (Text(f"q{number}"),)),
            Message(Role.ASSISTANT, (Text("t"), call)),
            Message(Role.USER, (ToolResult(call.id, (Text("r"),)),)),
            Message(Role.ASSISTANT, (Text("done"),)),
        ]
        request = ChatRequest("a", (Text("s"),), tuple(turns), (Tool("f"),), options=Options(max_tokens=5))
        body = dumps(encode_request(request, GEMINI_3).body)
        assert body.startswith(before)
        before = body[: -len(b"]}")]


def test_foreign_blocks_are_words_or_losses() -> None:
    found: Any = {"type": "search_result", "title": "T", "source": "S", "content": [{"text": "w"}]}
    request = history(Opaque(FormatId.MESSAGES, found), Opaque(FormatId.RESPONSES, {"type": "compaction"}))
    encoded = encode_request(request, GEMINI_3)
    parts: Any = encoded.body["contents"][1]  # type: ignore[index]
    assert "T" in parts["parts"][0]["text"]
    assert [loss.what for loss in encoded.losses] == ["compaction"]
