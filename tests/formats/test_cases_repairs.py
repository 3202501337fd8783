"""Refusals as vendors word them: each is mended by exactly what it names, remembered, and clean from then on."""

from typing import Any

import pytest

from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.formats.fields import apply_learned
from llr.formats.repair import repair
from llr.formats.table import FORMATS
from llr.wire.http import Headers

from .samples import A, C, R

G = FormatId.GEMINI
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}}
URI = {"type": "object", "properties": {"u": {"type": "string", "format": "uri"}}}
SIGN = "skip_thought_signature_validator"
IN_WORDS = {
    "role": "system",
    "content": 'Answer with one JSON object and nothing else. It must follow this JSON Schema:\n{"type":"object"}',
}
USER, SYSTEM = {"role": "user", "content": "x"}, {"role": "system", "content": "s"}


def openai(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def anthropic(message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def google(message: str) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


# Name: the format, the refusal, what was sent of the body, what is learned, what it is mended to.
CASES: dict[str, tuple[FormatId, dict[str, Any], dict[str, Any], str, dict[str, Any]]] = {
    "a message's name, but no tool's": (
        C,
        openai("Unknown parameter: 'messages[0].name'.", "messages[0].name", "unknown_parameter"),
        {"messages": [{**USER, "name": "n"}, {"role": "function", "name": "f", "content": "r"}], "tools": [TOOL]},
        "message:name",
        {"messages": [USER, {"role": "function", "name": "f", "content": "r"}], "tools": [TOOL]},
    ),
    "a role named by its place": (
        C,
        openai(
            "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
            "messages[0].role",
            "unsupported_value",
        ),
        {"messages": [{"role": "developer", "content": "s"}, USER]},
        "no-developer-role",
        {"messages": [SYSTEM, USER]},
    ),
    "a field under the server's own name": (
        C,
        openai("Argument not supported on this model: presencePenalty"),
        {"presence_penalty": 1},
        "drop:presence_penalty",
        {},
    ),
    "a detail inside the message": (
        C,
        {
            "object": "error",
            "message": {"detail": [{"loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]},
        },
        {"store": False},
        "drop:store",
        {},
    ),
    "JSON, but not by a schema": (
        C,
        openai("This response_format type is unavailable now"),
        {"response_format": SCHEMA, "messages": [SYSTEM, USER]},
        "answer:in-words",
        {"response_format": {"type": "json_object"}, "messages": [SYSTEM, IN_WORDS, USER]},
    ),
    "a format value": (
        C,
        openai("Invalid schema for function 'f': In context=('properties', 'u'), 'uri' is not a valid format."),
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": URI}}]},
        "schema:format",
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "parameters": {"type": "object", "properties": {"u": {"type": "string"}}},
                    },
                }
            ]
        },
    ),
    "a pair": (
        A,
        anthropic("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        {"temperature": 0.5, "top_p": 0.5},
        "drop:top_p",
        {"temperature": 0.5},
    ),
    "a system turn": (
        A,
        anthropic("messages.1.role: Input should be 'user' or 'assistant'"),
        {"messages": [USER, SYSTEM]},
        "no-system-role",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "x"},
                        {"type": "text", "text": "<system-instruction>\ns\n</system-instruction>"},
                    ],
                }
            ]
        },
    ),
    "effort": (
        A,
        anthropic("This model does not support the effort parameter."),
        {"output_config": {"effort": "high"}},
        "drop:output_config.effort",
        {"output_config": {}},
    ),
    "summaries for verified organizations": (
        R,
        openai(
            "Your organization must be verified to generate reasoning summaries.",
            "reasoning.summary",
            "unsupported_value",
        ),
        {"reasoning": {"effort": "low", "summary": "auto"}},
        "drop:reasoning.summary",
        {"reasoning": {"effort": "low"}},
    ),
    "an item that another server kept": (
        R,
        openai("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", "input"),
        {"input": [{"type": "reasoning", "id": "rs_1"}, {"type": "function_call", "id": "fc_1", "call_id": "c"}]},
        "",
        {"input": [{"type": "function_call", "call_id": "c"}]},
    ),
    "unsigned calls": (
        G,
        google("Function call is missing a thought_signature in functionCall parts. This is required for tools"),
        {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}]}]},
        "sign:calls",
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"name": "f"}, "thoughtSignature": SIGN},
                        {"functionCall": {"name": "g"}},
                    ],
                }
            ]
        },
    ),
    "a bad signature": (
        G,
        google("Corrupted thought signature."),
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [
                        {"text": "t", "thought": True, "thoughtSignature": "a"},
                        {"functionCall": {"name": "f"}, "thoughtSignature": "b"},
                    ],
                }
            ]
        },
        "",
        {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}, "thoughtSignature": SIGN}]}]},
    ),
    "thinking": (
        G,
        google("Thinking level is not supported for this model."),
        {"generationConfig": {"temperature": 1, "thinkingConfig": {"thinkingLevel": "high"}}},
        "drop:generationConfig.thinkingConfig",
        {"generationConfig": {"temperature": 1}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_mended_by_what_it_names(name: str) -> None:
    form, refusal, body, learned, mended = CASES[name]
    fault = FORMATS[form].decode_fault(400, Headers([]), dumps(refusal))
    found = repair(fault, {"model": "m", **body}, form)
    assert found is not None
    assert (found.learned, found.body) == (learned, {"model": "m", **mended})


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if ":" in case[3]])
def test_what_was_learned_keeps_the_next_body_clean(name: str) -> None:
    _, _, body, learned, mended = CASES[name]
    clean = apply_learned({"model": "m", **body}, (learned,))
    assert clean == {"model": "m", **mended}
    assert apply_learned(clean, (learned,)) == clean


@pytest.mark.parametrize("field", ["name", "id", "function", "arguments", "tool_call_id", "content"])
def test_nothing_is_taken_that_messages_and_tools_cannot_be_without(field: str) -> None:
    body = {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}], "tools": [TOOL]}
    for path in (field, f"tools[0].{field}", f"tools[0].function.{field}", f"messages[1].tool_calls[0].{field}"):
        fault = FORMATS[C].decode_fault(400, Headers([]), dumps(openai(f"Unknown parameter: '{path}'.", path)))
        assert repair(fault, body, C) is None, path
