"""Responses requests: what comes in goes out again, and what others cannot say is named."""

from typing import Any

import pytest

from llr.formats.base import Target
from llr.formats.openai_responses.request_in import decode_request
from llr.formats.openai_responses.request_out import encode_request
from llr.ir.parts import Reasoning, Role, Text, ToolCall, ToolKind, ToolResult
from llr.ir.request import Tool

CODEX: dict[str, Any] = {
    "model": "m",
    "input": [
        {
            "type": "additional_tools",
            "role": "developer",
            "tools": [
                {
                    "type": "namespace",
                    "name": "fs",
                    "description": "Files.",
                    "tools": [
                        {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False},
                        {"type": "function", "name": "write", "description": "Writes.", "parameters": None},
                    ],
                },
                {
                    "type": "custom",
                    "name": "exec",
                    "description": "JavaScript.",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
                },
            ],
        },
        {
            "type": "message",
            "id": "msg_dev",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Be terse."}, {"type": "input_text", "text": "Very."}],
        },
        {"type": "message", "id": "msg_u", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "thought"}],
            "content": None,
            "encrypted_content": "gAAAA",
        },
        {
            "type": "message",
            "id": "msg_a",
            "role": "assistant",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "looking", "annotations": []}],
            "internal_chat_message_metadata_passthrough": {"x": 1},
        },
        {"type": "function_call", "id": "fc_1", "name": "read", "namespace": "fs", "arguments": "{}", "call_id": "c1"},
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "status": "completed",
            "call_id": "c2",
            "name": "exec",
            "input": "1+1",
        },
        {"type": "function_call_output", "id": "fco_1", "call_id": "c1", "output": "ok"},
        {
            "type": "custom_tool_call_output",
            "id": "fco_2",
            "call_id": "c2",
            "output": [
                {"type": "input_text", "text": "2"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"},
            ],
        },
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "c3",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        {"type": "function_call_output", "call_id": "c3", "output": "a b"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "message", "role": "developer", "content": "late"},
        {"role": "user", "content": "and?"},
    ],
    "tools": [
        {"type": "web_search", "external_web_access": False, "search_content_types": ["text"]},
        {"type": "local_shell"},
        {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "auto", "context": "all_turns"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "k",
    "text": {"verbosity": "low"},
    "client_metadata": {"origin": "cli"},
    "service_tier": "priority",
}


def round_trip(body: dict[str, Any]) -> dict[str, Any]:
    encoded = encode_request(decode_request(body), Target(model=body["model"]))
    assert encoded.losses == ()
    return encoded.body


def test_a_codex_request_comes_back_as_it_was_sent() -> None:
    assert round_trip(CODEX) == CODEX


@pytest.mark.parametrize(
    "extra",
    [
        {"input": "hi"},
        {"input": "hi", "instructions": "Be terse.", "temperature": 0.2, "top_p": 1, "max_output_tokens": 4},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}], "instructions": None},
        {"input": [], "tools": [], "stream": False, "store": True, "metadata": {"a": "b"}},
        {"input": "x", "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": None}]},
        {"input": "x", "tool_choice": {"type": "mcp", "server_label": "s"}, "tools": [{"type": "mcp"}]},
        {"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}}},
        {"input": "x", "truncation": "auto", "background": False, "previous_response_id": "resp_1", "user": "u"},
        {"input": [{"role": "assistant", "content": "pre"}, {"role": "user", "content": "a"}]},
        {"input": [{"type": "item_reference", "id": "msg_1"}], "conversation": "conv_1"},
        {"input": [{"type": "function_call_output", "output": "lone"}]},
        {
            "input": [
                {"type": "shell_call", "call_id": "s", "action": {"commands": ["ls"]}, "status": "completed"},
                {
                    "type": "shell_call_output",
                    "call_id": "s",
                    "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}],
                },
                {
                    "type": "apply_patch_call",
                    "call_id": "p",
                    "operation": {"type": "delete_file", "path": "a"},
                    "status": "completed",
                },
                {"type": "apply_patch_call_output", "call_id": "p", "status": "failed", "output": "no"},
            ]
        },
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,JVBERi0=",
                        },
                        {"type": "input_file", "file_url": "https://x/a.pdf"},
                        {"type": "input_image", "file_id": "file_1", "detail": "auto"},
                        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                        {"type": "input_video", "video_url": "v"},
                    ],
                },
                {
                    "type": "message",
                    "id": "m",
                    "role": "assistant",
                    "status": "completed",
                    "content": [
                        {
                            "type": "output_text",
                            "text": "see x",
                            "annotations": [
                                {
                                    "type": "url_citation",
                                    "url": "https://x",
                                    "title": "X",
                                    "start_index": 4,
                                    "end_index": 5,
                                }
                            ],
                            "logprobs": [],
                        },
                        {"type": "refusal", "refusal": "no"},
                    ],
                },
            ]
        },
    ],
)
def test_every_form_of_a_field_survives(extra: dict[str, Any]) -> None:
    body = {"model": "m", **extra}
    assert round_trip(body) == body


def test_items_become_turns_in_order() -> None:
    request = decode_request(CODEX)
    assert [message.role for message in request.messages] == [
        Role.USER,
        Role.ASSISTANT,
        Role.USER,
        Role.ASSISTANT,
        Role.USER,
        Role.ASSISTANT,
        Role.DEVELOPER,
        Role.USER,
    ]
    assistant = request.messages[1].parts
    assert [type(part) for part in assistant] == [Reasoning, Text, ToolCall, ToolCall]
    assert assistant[2] == ToolCall("c1", "read", "{}", namespace="fs", extras=assistant[2].extras)  # type: ignore[union-attr]
    custom = assistant[3]
    assert isinstance(custom, ToolCall)
    assert (custom.kind, custom.arguments) == (ToolKind.CUSTOM, "1+1")
    results = request.messages[2].parts
    assert all(isinstance(part, ToolResult) for part in results)
    assert [tool.name for tool in request.tools if isinstance(tool, Tool)] == [
        "local_shell",
        "tool_search",
        "read",
        "write",
        "exec",
    ]
    assert [part.text for part in request.system if isinstance(part, Text)] == ["Be terse.", "Very."]
