"""Decoding and encoding within one format gives back what the format says, unknown fields included."""

from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats.base import Target
from llr.formats.table import FORMATS

from .samples import PNG, A, C, meta

TARGET = Target("model-x", capabilities={"cache_control": True})

MESSAGES_BODIES: dict[str, dict[str, Any]] = {
    "plain": {"messages": [{"role": "user", "content": "hi"}]},
    "lists of one": {
        "system": [{"type": "text", "text": "s"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    },
    "all options": {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "stop_sequences": ["a", "b"],
        "metadata": {"user_id": "u@example.test", "other": 1},
        "service_tier": "auto",
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}, "x": 1},
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "tools": [{"name": "f", "input_schema": {"type": "object", "$schema": "x"}, "strict": False, "extra": 2}],
        "stream": True,
        "container": "c",
        "context_management": {"edits": []},
        "unknown": {"deep": [1]},
        "cache_control": {"type": "ephemeral"},
        "messages": [{"role": "user", "content": "hi"}],
    },
    "system role, marks and thinking": {
        "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "now"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "s"},
                    {"type": "thinking", "thinking": "", "signature": "only"},
                    {"type": "redacted_thinking", "data": "d"},
                    {"type": "text", "text": "b", "citations": [{"type": "char_location", "cited_text": "x"}]},
                    {
                        "type": "tool_use",
                        "id": "t1",
                        "name": "f",
                        "input": {"a": [1, None]},
                        "caller": {"type": "direct"},
                    },
                    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
                    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "is_error": True,
                        "content": [
                            {"type": "text", "text": "x"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                        ],
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}, "title": "T"},
                    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "z"}]}},
                    {"type": "image", "source": {"type": "file", "file_id": "f_1"}},
                    {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "r"}]},
                    {"type": "future_block", "x": 1},
                ],
            },
        ],
    },
    "no tools": {"tools": [], "messages": [{"role": "user", "content": "hi"}]},
    "result without content, result that is no error": {
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": False}]},
        ]
    },
}


@pytest.mark.parametrize("name", MESSAGES_BODIES)
def test_a_messages_request_comes_back_as_it_was(name: str) -> None:
    body = {"model": "model-x", "max_tokens": 9, **MESSAGES_BODIES[name]}
    encoded = FORMATS[A].encode_request(FORMATS[A].decode_request(body), TARGET)
    assert encoded.body == body
    assert encoded.losses == ()


CHAT_BODIES: dict[str, dict[str, Any]] = {
    "plain": {"messages": [{"role": "user", "content": "hi"}]},
    "instructions": {
        "messages": [
            {"role": "system", "content": "a", "name": "n"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "system", "content": "later"},
            {"role": "developer", "content": [{"type": "text", "text": "even later"}]},
            {"role": "user", "content": "go"},
        ]
    },
    "all options": {
        "max_completion_tokens": 7,
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 3,
        "stop": "x",
        "seed": 1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logit_bias": {"1": 2},
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "o", "schema": {"type": "object"}, "strict": True},
        },
        "reasoning_effort": "minimal",
        "verbosity": "low",
        "user": "u",
        "safety_identifier": "s",
        "metadata": {"a": "b"},
        "service_tier": "flex",
        "store": False,
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "modalities": ["text"],
        "prediction": {"type": "content", "content": "x"},
        "min_p": 0.1,
        "web_search_options": {"search_context_size": "low"},
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "parameters": {"$schema": "x", "type": "object"}, "strict": False},
            },
            {
                "type": "custom",
                "custom": {
                    "name": "g",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "d"}},
                },
            },
        ],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
        "messages": [{"role": "user", "content": "hi"}],
    },
    "calls, results and media": {
        "messages": [
            {
                "role": "user",
                "name": "bob",
                "content": [
                    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                    },
                    {"type": "file", "file": {"file_id": "f1"}},
                    {"type": "video_url", "video_url": {"url": "https://x.test/a.mp4"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "free"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "31C"},
            {
                "role": "tool",
                "tool_call_id": "c2",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {"role": "assistant", "content": "done", "audio": {"id": "au"}},
            {"role": "user", "content": "ok"},
        ],
        "tools": [{"type": "custom", "custom": {"name": "g"}}],
    },
    "legacy functions": {
        "functions": [{"name": "f", "parameters": {"type": "object", "properties": {}}}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"},
        ],
    },
}


@pytest.mark.parametrize("name", CHAT_BODIES)
def test_a_chat_request_comes_back_as_it_was(name: str) -> None:
    body = {"model": "model-x", "stream": False, **CHAT_BODIES[name]}
    encoded = FORMATS[C].encode_request(FORMATS[C].decode_request(body), TARGET)
    assert encoded.body == body
    assert encoded.losses == ()


ANSWERS: dict[str, tuple[FormatId, dict[str, Any]]] = {
    "messages": (
        A,
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "alias",
            "container": None,
            "stop_details": None,
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "text", "text": "hi"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": "standard", "new": {"x": 1}},
        },
    ),
    "chat": (
        C,
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 5,
            "model": "alias",
            "system_fingerprint": "fp",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "hi there",
                        "refusal": None,
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url_citation": {
                                    "url": "https://x.test",
                                    "title": "X",
                                    "start_index": 0,
                                    "end_index": 2,
                                },
                            }
                        ],
                        "reasoning": "hm",
                        "audio": None,
                        "tool_calls": [
                            {
                                "id": "c1",
                                "type": "function",
                                "function": {"name": "f", "arguments": "{ }"},
                                "extra_content": {"google": {"thought_signature": "sig"}},
                            }
                        ],
                    },
                    "logprobs": {"content": []},
                    "finish_reason": "tool_calls",
                },
                {"index": 1, "message": {"role": "assistant", "content": "other"}, "finish_reason": "stop"},
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.1},
        },
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_comes_back_as_it_was(name: str) -> None:
    form, body = ANSWERS[name]
    assert FORMATS[form].encode_response(FORMATS[form].decode_response(body), meta(form)) == body
