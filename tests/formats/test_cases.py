"""The cases that must hold between Messages, Chat and legacy Completions, each a test named after it."""

import json
from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.loss import LossLevel

from .laws import fails_when_cut, same_for_any_chunking
from .samples import CLAUDE, GPT, KEY, PNG, A, C, L, asked, call, chat, chunk, events, meta
from .strict import (
    check_chat_body,
    check_chat_request,
    check_chat_stream,
    check_messages_body,
    check_messages_request,
    check_messages_stream,
    sse,
)

MARK = {"type": "ephemeral"}
# Bodies of tests are written as plain dictionaries; JSON as a type would want each of them spelt out.
to_target: Any = translate.request
to_client: Any = translate.response
as_stream: Any = translate.replay_body


def to_chat(body: dict[str, Any], target: Target = GPT, **hints: Any) -> dict[str, Any]:
    full = {"model": "m", "max_tokens": 64, **body}
    made: dict[str, Any] = to_target(full, FORMATS[A], FORMATS[C], target, **hints).body
    check_chat_request(made)
    return made


def to_messages(body: dict[str, Any], target: Target = CLAUDE, **hints: Any) -> dict[str, Any]:
    made: dict[str, Any] = to_target({"model": "m", **body}, FORMATS[C], FORMATS[A], target, **hints).body
    check_messages_request(made)
    return made


def chat_stream(*chunks: dict[str, Any], body: dict[str, Any] | None = None, done: bool = True) -> list[dict[str, Any]]:
    """What a Messages client sees of a Chat stream."""
    request = asked(A, {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **(body or {})})
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C, request))
    out = b"".join([*stage.feed(chat(*chunks, done=done)), *stage.finish()])
    return check_messages_stream(out)


def blocks_of(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The content blocks a Messages stream amounts to, with their text and input."""
    blocks: list[dict[str, Any]] = []
    for event in seen:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "said": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            blocks[-1]["said"] += delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
            if "signature" in delta:
                blocks[-1]["signature"] = delta["signature"]
    return blocks


def messages_stream(raw: bytes, client: FormatId = C, **options: Any) -> list[Any]:
    """What a Chat client sees of a Messages stream."""
    request = asked(C, {"model": "m", "messages": [{"role": "user", "content": "x"}], **options})
    stage = translate.stream(FORMATS[client], FORMATS[A], meta(A, request))
    out = b"".join([*stage.feed(raw), *stage.finish()])
    check_chat_stream(out)
    return [event for _, event in sse(out)]


START = (
    "message_start",
    {"message": {"id": "msg_7", "model": "real", "usage": {"input_tokens": 11, "output_tokens": 1}}},
)
TEXT = ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
STOP: tuple[str, dict[str, Any]] = ("message_stop", {})


def text(piece: str, index: int = 0) -> tuple[str, dict[str, Any]]:
    return ("content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": piece}})


def end(index: int = 0) -> tuple[str, dict[str, Any]]:
    return ("content_block_stop", {"index": index})


def finished(reason: str = "end_turn", **usage: Any) -> tuple[str, dict[str, Any]]:
    return (
        "message_delta",
        {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 5, **usage}},
    )


# -- requests ---------------------------------------------------------------------------------------------------------


def test_anthropic_web_search_tool_becomes_function_with_required_query() -> None:
    body = {
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "messages": [{"role": "user", "content": "x"}],
    }
    tool = to_chat(body)["tools"][0]
    assert tool["type"] == "function"
    assert tool["function"]["name"] == "web_search"
    assert tool["function"]["parameters"]["required"] == ["query"]
    assert tool["function"]["parameters"]["additionalProperties"] is False


def test_openai_web_search_preview_keeps_name_and_max_uses_and_required_is_any() -> None:
    tools = [{"type": "web_search_preview", "name": "search", "max_uses": 3}]
    made = to_messages({"tools": tools, "tool_choice": "required", "messages": [{"role": "user", "content": "x"}]})
    assert made["tools"] == [{"type": "web_search_20250305", "name": "search", "max_uses": 3}]
    assert made["tool_choice"] == {"type": "any"}


def test_the_worked_example_of_messages_to_chat() -> None:
    body = {
        "system": [{"type": "text", "text": "Be terse."}],
        "messages": [
            {"role": "user", "content": "weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "t1", "name": "wx", "input": {"c": "HN"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "31C"}]},
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
    }
    wx = {"id": "t1", "type": "function", "function": {"name": "wx", "arguments": '{"c":"HN"}'}}
    assert to_chat(body) == {
        "model": "gpt-4o",
        "max_tokens": 64,
        "stream": False,
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "Looking.", "tool_calls": [wx]},
            {"role": "tool", "tool_call_id": "t1", "content": "31C"},
            {"role": "user", "content": "and?"},
        ],
    }


def test_cache_control_survives_both_directions() -> None:
    marks = Target("m", capabilities={"cache_control": True})
    body = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": " ephemeral ", "ttl": "1h", "x": 1}}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": MARK}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": MARK}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r", "cache_control": MARK}],
            },
        ],
    }
    made = to_chat(body, marks)
    system, user, _, tool = made["messages"]
    assert system["content"] == [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert user["content"] == [{"type": "text", "text": "a", "cache_control": MARK}]
    assert tool["cache_control"] == MARK
    assert made["tools"][0]["cache_control"] == MARK
    back = to_messages(made)
    assert back["system"] == [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert back["messages"][0]["content"][0]["cache_control"] == MARK
    assert back["messages"][2]["content"][0]["cache_control"] == MARK
    assert back["tools"][0]["cache_control"] == MARK


def test_without_cache_control_content_stays_in_the_short_string_form() -> None:
    body = {
        "system": [{"type": "text", "text": "s"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    }
    made = to_chat(body)
    assert [message["content"] for message in made["messages"]] == ["s", "a"]
    assert to_messages(made)["messages"] == [{"role": "user", "content": "a"}]
    assert to_messages(made)["system"] == "s"


def test_cache_marks_a_chat_server_does_not_take_are_named() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": MARK}]}],
    }
    encoded = to_target(body, FORMATS[A], FORMATS[C], GPT)
    assert [(loss.path, loss.level) for loss in encoded.losses] == [
        ("messages[0].content[0].cache_control", LossLevel.SILENT)
    ]


def test_prompt_cache_key_and_retention_survive_claude_to_chat() -> None:
    body = {"prompt_cache_key": " k ", "prompt_cache_retention": "24h", "messages": [{"role": "user", "content": "a"}]}
    made = to_chat(body)
    assert (made["prompt_cache_key"], made["prompt_cache_retention"]) == ("k", "24h")


@pytest.mark.parametrize("empty", [[], "", [{"type": "text", "text": "  "}]])
def test_trailing_empty_assistant_removed(empty: Any) -> None:
    tail = [{"role": "assistant", "content": empty}] * 2
    made = to_chat({"messages": [{"role": "user", "content": "a"}, *tail]})
    assert [message["role"] for message in made["messages"]] == ["user"]


def test_trailing_assistant_with_calls_or_visible_text_kept_and_empty_one_in_the_middle_kept() -> None:
    user = {"role": "user", "content": "a"}
    assert to_chat({"messages": [user, {"role": "assistant", "content": "I"}]})["messages"][-1]["content"] == "I"
    use = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
    assert to_chat({"messages": [user, use]})["messages"][1]["tool_calls"]
    middle = to_chat({"messages": [user, {"role": "assistant", "content": []}, user]})["messages"]
    assert [message["role"] for message in middle] == ["user", "assistant", "user"]


def test_missing_tool_responses_filled_for_partially_answered_parallel_calls() -> None:
    uses: list[Any] = [{"type": "tool_use", "id": each, "name": "f", "input": {}} for each in ("a", "b", "c")]
    body = {
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": uses},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "B"}]},
        ]
    }
    tools = [m for m in to_chat(body)["messages"] if m["role"] == "tool"]
    assert {m["tool_call_id"]: m["content"] for m in tools} == {
        "a": "[No response received]",
        "b": "B",
        "c": "[No response received]",
    }
    history = to_chat(body)["messages"][:-3] + tools[:1]
    assert to_messages({"messages": history})["messages"][-1]["content"][1]["content"] == "[No response received]"


def test_orphan_results_become_user_text() -> None:
    body = {"messages": [{"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "x", "content": "late"}]}
    assert to_messages(body)["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "late"}]}
    ]


def test_parallel_tool_results_share_one_user_turn_before_its_text() -> None:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ("a", "b")]
    body = {
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "a", "content": "A"},
            {"role": "user", "content": "now"},
            {"role": "tool", "tool_call_id": "b", "content": "B"},
        ]
    }
    turn = to_messages(body)["messages"][2]["content"]
    assert [block["type"] for block in turn] == ["tool_result", "tool_result", "text"]
    assert [block.get("tool_use_id") for block in turn] == ["a", "b", None]


def test_tool_choice_none_is_none_both_ways() -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    made = to_chat({"tools": tools, "tool_choice": {"type": "none"}, "messages": [{"role": "user", "content": "x"}]})
    assert made["tool_choice"] == "none"
    assert to_messages(made)["tool_choice"] == {"type": "none"}


def test_one_forced_tool_both_ways_also_in_the_flat_shape() -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    body = {
        "tools": tools,
        "tool_choice": {"type": "tool", "name": "f"},
        "messages": [{"role": "user", "content": "x"}],
    }
    made = to_chat(body)
    assert made["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    for choice in (made["tool_choice"], {"type": "function", "name": "f"}):
        assert to_messages({**made, "tool_choice": choice})["tool_choice"] == {"type": "tool", "name": "f"}


def test_parallel_tool_switch_is_the_inverse_on_the_other_side() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    made = to_messages({"tools": tools, "parallel_tool_calls": False, "messages": [{"role": "user", "content": "x"}]})
    assert made["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert to_chat(made)["parallel_tool_calls"] is False


def test_allowed_tools_filter_the_list_where_the_target_has_no_such_choice() -> None:
    tools = [{"type": "function", "function": {"name": each}} for each in "fgh"]
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    made = to_messages({"tools": tools, "tool_choice": choice, "messages": [{"role": "user", "content": "x"}]})
    assert [tool["name"] for tool in made["tools"]] == ["g"]
    assert made["tool_choice"] == {"type": "any"}


def test_developer_leads_as_system_and_later_instructions_keep_their_place() -> None:
    body = {
        "messages": [
            {"role": "developer", "content": "one"},
            {"role": "system", "content": "two"},
            {"role": "user", "content": "a"},
            {"role": "developer", "content": "three"},
            {"role": "user", "content": "b"},
        ]
    }
    made = to_messages(body)
    assert made["system"] == "one\ntwo"
    words = [block["text"] for block in made["messages"][0]["content"]]
    assert words == ["a", "<system-instruction>\nthree\n</system-instruction>", "b"]


def test_a_system_role_inside_messages_stays_an_instruction() -> None:
    body = {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "be kind"}]}
    assert to_chat(body)["messages"][1] == {"role": "system", "content": "be kind"}


def test_remote_images_stay_addresses_both_ways() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}
    made = to_chat({"messages": [{"role": "user", "content": [image]}]})
    assert made["messages"][0]["content"] == [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]
    assert to_messages(made)["messages"][0]["content"] == [image]


def test_default_output_limit_is_the_models_own_or_8192() -> None:
    body = {"messages": [{"role": "user", "content": "x"}]}
    assert to_messages(body)["max_tokens"] == 8192
    assert to_messages(body, Target("claude-x", max_output_tokens=64000))["max_tokens"] == 64000


def test_peer_10_null_content_next_to_calls_makes_no_empty_text() -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]
    body = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": calls}]}
    assert to_messages(body)["messages"][1]["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]


@pytest.mark.parametrize(
    ("given", "sent"), [("", {}), ("{", {}), ("[1]", {"value": [1]}), ("null", {}), ('{"a":1}', {"a": 1})]
)
def test_arguments_of_history_are_always_an_object(given: str, sent: Any) -> None:
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": given}}]
    body = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": calls}]}
    assert to_messages(body)["messages"][1]["content"][0]["input"] == sent


def test_stop_top_p_top_k_schema_user_and_tier_go_along() -> None:
    body = {
        "stop_sequences": list("abcde"),
        "top_p": 0.5,
        "top_k": 5,
        "metadata": {"user_id": "u1"},
        "service_tier": "standard_only",
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {}}}}},
        "messages": [{"role": "user", "content": "x"}],
    }
    made = to_chat(body, Target("m", capabilities={"top_k": True}))
    assert made["stop"] == list("abcd")
    assert (made["top_p"], made["top_k"], made["user"], made["service_tier"]) == (0.5, 5, "u1", "default")
    form = made["response_format"]["json_schema"]
    assert (form["name"], form["strict"]) == ("output", True)
    assert form["schema"]["additionalProperties"] is False
    assert form["schema"]["required"] == ["a"]


def test_structured_output_natively_where_the_model_has_it() -> None:
    form = {"name": "o", "schema": {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}}}
    body = {
        "response_format": {"type": "json_schema", "json_schema": form},
        "messages": [{"role": "user", "content": "x"}],
    }
    made = to_messages(body)
    schema = made["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["a"] == {"type": "string", "description": "(minLength: 2)"}


def test_structured_output_by_an_answer_tool_where_it_has_not_and_its_input_is_the_text() -> None:
    form = {"name": "o", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    body = {
        "model": "m",
        "response_format": {"type": "json_schema", "json_schema": form},
        "messages": [{"role": "user", "content": "x"}],
    }
    target = Target("claude-3-5-haiku")
    encoded = to_target(body, FORMATS[C], FORMATS[A], target)
    assert encoded.body["tool_choice"] == {"type": "tool", "name": "json_output"}
    way = meta(A, asked(C, body), tool_names=encoded.tool_names)
    use = {"type": "tool_use", "id": "t", "name": "json_output", "input": {"a": "b"}}
    answer = {
        "id": "msg_1",
        "content": [use],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    made = to_client(answer, FORMATS[C], FORMATS[A], way)
    choice: Any = made["choices"]
    assert json.loads(choice[0]["message"]["content"]) == {"a": "b"}
    assert choice[0]["finish_reason"] == "stop"
    raw = events(
        START,
        ("content_block_start", {"index": 0, "content_block": {**use, "input": {}}}),
        ("content_block_delta", {"index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":"b"}'}}),
        end(),
        finished("tool_use"),
        STOP,
    )
    stage = translate.stream(FORMATS[C], FORMATS[A], way)
    chunks = check_chat_stream(b"".join([*stage.feed(raw), *stage.finish()]))
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == '{"a":"b"}'
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_json_object_is_asked_of_messages_in_words() -> None:
    body = {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "x"}]}
    assert "JSON object" in to_messages(body)["system"]


def test_free_text_tools_are_functions_elsewhere_and_come_back_as_free_text() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    body = {
        "model": "m",
        "tools": [{"type": "custom", "custom": {"name": "patch", "description": "d", "format": grammar}}],
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** a"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "ok"},
        ],
    }
    encoded = to_target(body, FORMATS[C], FORMATS[A], CLAUDE)
    check_messages_request(encoded.body)
    tool: Any = encoded.body["tools"]
    assert tool[0]["input_schema"]["required"] == ["input"]
    assert "start: X" in tool[0]["description"]
    messages: Any = encoded.body["messages"]
    assert messages[1]["content"][0]["input"] == {"input": "*** a"}
    use = {"type": "tool_use", "id": "t", "name": "patch", "input": {"input": 'say "hi"\n'}}
    way = meta(A, asked(C, body), tool_names=encoded.tool_names)
    made: Any = to_client({"id": "m", "content": [use], "stop_reason": "tool_use"}, FORMATS[C], FORMATS[A], way)
    assert made["choices"][0]["message"]["tool_calls"][0]["custom"] == {"name": "patch", "input": 'say "hi"\n'}


def test_free_text_input_streams_back_without_its_wrapping() -> None:
    body = {"model": "m", "tools": [{"type": "custom", "custom": {"name": "patch"}}], "messages": []}
    use = {"type": "tool_use", "id": "t", "name": "patch", "input": {}}
    pieces = ['{"inp', 'ut":"a\\n', '\\"b"}']
    deltas = [
        ("content_block_delta", {"index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}})
        for piece in pieces
    ]
    start = ("content_block_start", {"index": 0, "content_block": use})
    raw = events(START, start, *deltas, end(), finished("tool_use"), STOP)
    stage = translate.stream(FORMATS[C], FORMATS[A], meta(A, asked(C, body)))
    seen = check_chat_stream(b"".join([*stage.feed(raw), *stage.finish()]))
    calls = [call for part in seen for call in part["choices"][0]["delta"].get("tool_calls", ())]
    assert calls[0]["type"] == "custom"
    assert "".join(call["custom"]["input"] for call in calls) == 'a\n"b'


def test_tool_names_are_made_legal_and_given_back() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "tools": [{"name": each, "input_schema": {"type": "object"}} for each in ("a.b", "a:b", "a_b", "x" * 80)],
        "tool_choice": {"type": "tool", "name": "a.b"},
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a.b", "input": {}}]},
        ],
    }
    encoded = to_target(body, FORMATS[A], FORMATS[C], GPT)
    check_chat_request(encoded.body)
    tools: Any = encoded.body["tools"]
    names = [tool["function"]["name"] for tool in tools]
    assert names[2] == "a_b"
    assert len(set(names)) == 4
    messages: Any = encoded.body["messages"]
    assert messages[1]["tool_calls"][0]["function"]["name"] == names[0]
    way = meta(C, asked(A, body), tool_names=encoded.tool_names)
    for sent, original in zip(names, ("a.b", "a:b", "a_b", "x" * 80), strict=True):
        answer = {
            "id": "c",
            "choices": [{"message": {"tool_calls": [{"id": "i", "function": {"name": sent, "arguments": "{}"}}]}}],
        }
        made: Any = to_client(answer, FORMATS[A], FORMATS[C], way)
        assert made["content"][0]["name"] == original


def test_peer_9_images_in_tool_results_follow_in_a_user_message_after_all_results() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    body = {
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": each, "name": "f", "input": {}} for each in "ab"],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": [image]},
                    {"type": "tool_result", "tool_use_id": "b", "content": "B", "is_error": True},
                ],
            },
        ]
    }
    made = to_chat(body)["messages"]
    assert [m["role"] for m in made] == ["user", "assistant", "tool", "tool", "user"]
    assert made[2]["content"] == "[image 1 of 1: see next user message]"
    assert made[3]["content"] == "Error: B"
    assert made[4]["content"][0]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


def test_pdfs_travel_both_ways() -> None:
    document = {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    }
    made = to_chat({"messages": [{"role": "user", "content": [document]}]})
    part = made["messages"][0]["content"][0]
    assert part == {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    assert to_messages(made)["messages"][0]["content"][0] == document


def test_prefill_is_refused_with_advice_by_models_without_it() -> None:
    body = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "I "}]}
    assert to_messages(body, Target("claude-sonnet-4-5"))["messages"][-1] == {"role": "assistant", "content": "I"}
    with pytest.raises(GatewayError) as caught:
        to_messages(body, Target("claude-opus-4-6"))
    assert caught.value.fault.kind is ErrorKind.INVALID_REQUEST
    made = to_chat({"messages": body["messages"]}, Target("m", capabilities={"prefill": False}))
    assert made["messages"][-1]["role"] == "user"


def test_billing_line_of_the_other_vendor_stays_out_of_chat() -> None:
    line = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=1"}
    body = {"system": [line, {"type": "text", "text": "s"}], "messages": [{"role": "user", "content": "x"}]}
    assert to_chat(body)["messages"][0] == {"role": "system", "content": "s"}


def test_mcp_servers_are_a_loss_that_changes_meaning() -> None:
    body = {
        "model": "m",
        "max_tokens": 1,
        "mcp_servers": [{"url": "x"}],
        "messages": [{"role": "user", "content": "x"}],
    }
    encoded = to_target(body, FORMATS[A], FORMATS[C], GPT)
    assert [(loss.path, loss.level) for loss in encoded.losses] == [("mcp_servers", LossLevel.REJECT)]
    fault = translate.strict_fault(encoded.losses)
    assert fault is not None
    assert fault.http_status == 400


def test_losses_carry_the_clients_own_names_and_paths() -> None:
    body = {
        "model": "m",
        "seed": 1,
        "logprobs": True,
        "messages": [
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}]}
        ],
    }
    encoded = to_target(body, FORMATS[C], FORMATS[A], CLAUDE)
    assert {(loss.path, loss.level) for loss in encoded.losses} == {
        ("seed", LossLevel.SILENT),
        ("logprobs", LossLevel.WARN),
        ("messages[0].content[0]", LossLevel.WARN),
    }


# -- whole answers ----------------------------------------------------------------------------------------------------


def chat_answer(message: dict[str, Any], reason: str | None = "stop", **fields: Any) -> dict[str, Any]:
    """What a Messages client sees of a whole Chat answer."""
    body = {"id": "chatcmpl-1", "model": "real", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    made: dict[str, Any] = to_client({**body, **fields}, FORMATS[A], FORMATS[C], meta(C))
    check_messages_body(made)
    return made


def test_finish_reason_stop_with_tool_calls_is_tool_use() -> None:
    calls = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]
    assert chat_answer({"content": None, "tool_calls": calls})["stop_reason"] == "tool_use"


def test_legacy_function_call_is_tool_0() -> None:
    made: Any = chat_answer({"content": None, "function_call": {"name": "f", "arguments": '{"a":1}'}})
    assert made["content"] == [{"type": "tool_use", "id": "tool_0", "name": "f", "input": {"a": 1}}]
    assert made["stop_reason"] == "tool_use"


def test_unparsable_tool_arguments_are_an_empty_object() -> None:
    made: Any = chat_answer({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{oops"}}]})
    assert made["content"][0]["input"] == {}


def test_usage_defaults_complete_and_anthropic_style_fields_preserved() -> None:
    made: Any = chat_answer({"content": "x"}, usage={"prompt_tokens": 7, "completion_tokens": 2})
    assert made["usage"] == {
        "input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "output_tokens": 2,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "inference_geo": "",
        "iterations": [],
        "speed": "standard",
    }
    given = {"prompt_tokens": 7, "completion_tokens": 2, "service_tier": "priority", "speed": "fast"}
    given["server_tool_use"] = {"web_search_requests": 3}
    kept: Any = chat_answer({"content": "x"}, usage=given)
    assert kept["usage"]["service_tier"] == "priority"
    assert kept["usage"]["speed"] == "fast"
    assert kept["usage"]["server_tool_use"] == {"web_search_requests": 3, "web_fetch_requests": 0}


def test_peer_34_cached_and_written_tokens_are_classes_of_their_own() -> None:
    given = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    usage: Any = chat_answer({"content": "x"}, usage=given)["usage"]
    assert usage["input_tokens"] == 10
    assert usage["cache_read_input_tokens"] == 60
    assert usage["cache_creation_input_tokens"] == 30
    assert usage["output_tokens_details"] == {"thinking_tokens": 5}
    back = FORMATS[C].encode_response(FORMATS[A].decode_response({"content": [], "usage": usage}), meta(A))
    total: Any = back["usage"]
    assert (total["prompt_tokens"], total["total_tokens"]) == (100, 120)
    assert total["prompt_tokens_details"]["cached_tokens"] == 60


def test_usage_nobody_counted_is_estimated_and_never_zero() -> None:
    usage: Any = chat_answer({"content": "some words"})["usage"]
    assert usage["input_tokens"] >= 1
    assert usage["output_tokens"] >= 1


def test_an_error_object_in_a_200_is_a_failure() -> None:
    with pytest.raises(GatewayError) as caught:
        FORMATS[C].decode_response({"error": {"message": "overloaded", "code": 529}})
    assert caught.value.fault.kind is ErrorKind.OVERLOADED


def test_a_refusal_is_text_with_stop_reason_refusal() -> None:
    made: Any = chat_answer({"content": None, "refusal": "I can't."})
    assert made["content"] == [{"type": "text", "text": "I can't."}]
    assert made["stop_reason"] == "refusal"
    back: Any = to_client(made, FORMATS[C], FORMATS[A], meta(A))
    assert back["choices"][0]["finish_reason"] == "content_filter"


STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "stop",
}


@pytest.mark.parametrize("reason", STOP_REASONS)
def test_peer_11_wrong_stop_reason_matrix_messages_to_chat(reason: str) -> None:
    body = {"id": "msg_1", "content": [{"type": "text", "text": "x"}], "stop_reason": reason}
    made: Any = to_client(body, FORMATS[C], FORMATS[A], meta(A))
    check_chat_body(made)
    assert made["choices"][0]["finish_reason"] == STOP_REASONS[reason]
    seen = messages_stream(events(START, TEXT, text("x"), end(), finished(reason), STOP))
    assert seen[-2]["choices"][0]["finish_reason"] == STOP_REASONS[reason]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("sensitive", "refusal"),
        (None, "end_turn"),
    ],
)
def test_peer_11_wrong_stop_reason_matrix_chat_to_messages(reason: str | None, stop: str) -> None:
    assert chat_answer({"content": "x"}, reason)["stop_reason"] == stop
    if reason:
        assert chat_stream(chunk({"content": "x"}), chunk(reason=reason))[-2]["delta"]["stop_reason"] == stop


def test_the_model_a_client_sees_is_the_one_it_asked_for() -> None:
    assert chat_answer({"content": "x"})["model"] == "alias"


# -- streams ----------------------------------------------------------------------------------------------------------


def test_multi_line_data_events_are_joined_and_cr_lf_accepted_at_any_chunk_boundary() -> None:
    body = json.dumps(chunk({"content": "é漢"}), ensure_ascii=False, indent=1)
    lines = "".join(f"data: {line}\r\n" for line in body.split("\n"))
    raw = (lines + "\r\n" + "data: " + json.dumps(chunk(reason="stop")) + "\r\n\r\n").encode()
    seen = same_for_any_chunking(FORMATS[C].stream_decoder, raw)
    assert [event.text for event in seen if hasattr(event, "text")] == ["é漢"]


def test_tool_only_answer_has_no_empty_text_block_before_it() -> None:
    seen = chat_stream(chunk({"content": "\n\n"}), chunk(call(0, "{}", "a", "f")), chunk(reason="tool_calls"))
    assert [block["type"] for block in blocks_of(seen)] == ["tool_use"]


def test_leading_white_space_comes_with_the_first_visible_text() -> None:
    seen = chat_stream(chunk({"content": "\n "}), chunk({"content": " hi"}), chunk(reason="stop"))
    assert blocks_of(seen)[0]["said"] == "\n  hi"


def test_provider_ends_with_stop_after_tool_calls_is_tool_use() -> None:
    assert chat_stream(chunk(call(0, "{}", "a", "f")), chunk(reason="stop"))[-2]["delta"]["stop_reason"] == "tool_use"


def test_missing_tool_id_gets_one_that_starts_with_tool() -> None:
    assert blocks_of(chat_stream(chunk(call(0, "{}", "", "f")), chunk(reason="stop")))[0]["id"].startswith("tool_")


def test_terminal_choice_message_used_when_no_deltas_came() -> None:
    whole = {"content": "hi", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    last = chunk(reason="stop")
    last["choices"][0]["message"] = whole
    assert [block["type"] for block in blocks_of(chat_stream(last))] == ["text", "tool_use"]
    seen = blocks_of(chat_stream(chunk({"content": "hi"}), chunk(call(0, "{}", "a", "f")), last))
    assert [(block["type"], block["said"]) for block in seen] == [("text", "hi"), ("tool_use", "{}")]


def test_thinking_then_text_then_tool_has_contiguous_indexes() -> None:
    seen = chat_stream(
        chunk({"reasoning_content": "hm"}),
        chunk({"content": "hi"}),
        chunk(call(0, "{}", "a", "f")),
        chunk(reason="tool_calls"),
    )
    starts = [event for event in seen if event["type"] == "content_block_start"]
    assert [event["index"] for event in starts] == [0, 1, 2]
    assert [event["content_block"]["type"] for event in starts] == ["thinking", "text", "tool_use"]


def test_exactly_one_message_stop_and_one_done_whatever_the_upstream_sends() -> None:
    once = [chunk({"content": "x"}), chunk(reason="stop"), chunk(reason="stop"), chunk({"content": "late"}, "stop")]
    request = asked(A, {"model": "m", "messages": []})
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C, request))
    raw = chat(*once) + chat(*once)
    out = b"".join([*stage.feed(raw), *stage.feed(raw), *stage.finish()])
    assert out.count(b"event: message_stop") == 1
    seen = messages_stream(events(START, TEXT, text("x"), end(), finished(), STOP, STOP, START, finished(), STOP))
    assert seen.count("[DONE]") == 1


def test_peer_14_usage_chunk_after_the_finish_reaches_messages_clients() -> None:
    usage = {"id": "chatcmpl-9", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 4}}
    seen = chat_stream(chunk({"content": "x"}), chunk(reason="stop"), usage)
    assert seen[0]["message"]["usage"]["input_tokens"] > 0
    assert (seen[-2]["usage"]["input_tokens"], seen[-2]["usage"]["output_tokens"]) == (10, 4)


def test_peer_14_usage_of_start_and_delta_is_merged_for_chat_clients() -> None:
    raw = events(START, TEXT, text("x"), end(), finished(output_tokens=5), STOP)
    last = messages_stream(raw)[-2]
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (11, 5)
    seen = messages_stream(raw, stream=True, stream_options={"include_usage": True})
    assert seen[-2]["choices"] == []
    assert seen[-2]["usage"]["prompt_tokens"] == 11
    assert seen[-3]["usage"] is None
    assert seen[0]["usage"] is None


def test_translated_streams_ask_chat_upstreams_for_usage() -> None:
    made = to_chat({"stream": True, "messages": [{"role": "user", "content": "x"}]})
    assert made["stream_options"] == {"include_usage": True}


# -- peers: what others got wrong -------------------------------------------------------------------------------------


def test_peer_1_arguments_come_out_once_from_deltas_or_the_message_whichever_holds_them() -> None:
    whole = {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}]}
    last = chunk(reason="tool_calls")
    last["choices"][0]["message"] = whole
    deltas = [chunk(call(0, "", "a", "f")), chunk(call(0, '{"x":')), chunk(call(0, "1}"))]
    for script in (
        [*deltas, chunk(reason="tool_calls")],
        [*deltas, last],
        [last],
        [chunk(call(0, '{"x":1}', "a", "f")), last],
    ):
        block = blocks_of(chat_stream(*script))[0]
        assert (block["id"], block["name"], block["said"]) == ("a", "f", '{"x":1}')


@pytest.mark.parametrize(
    "script",
    [
        [call(0, '{"x":1}', "a", "f"), call(0, '{"y":2}', "b", "g")],
        [call(0, '{"x":', "a", "f"), call(0, "1}"), call(0, '{"y":', "b", "g"), call(0, "2}")],
        [call(None, '{"x":1}', "", "f"), call(None, '{"y":2}', "", "g")],
        [call(0, '{"x":1}', "", "f"), call(0, '{"y":2}', "", "g")],
    ],
)
def test_peer_2_all_parallel_calls_carry_index_0(script: list[dict[str, Any]]) -> None:
    seen = blocks_of(chat_stream(*[chunk(each) for each in script], chunk(reason="tool_calls")))
    assert [(block["name"], block["said"]) for block in seen] == [("f", '{"x":1}'), ("g", '{"y":2}')]
    assert len({block["id"] for block in seen}) == 2


def test_peer_2_same_name_twice_without_ids() -> None:
    seen = blocks_of(chat_stream(*[chunk(call(0, f'{{"x":{n}}}', "", "f")) for n in (1, 2)], chunk(reason="stop")))
    assert [block["said"] for block in seen] == ['{"x":1}', '{"x":2}']


def test_peer_3_interleaved_fragments() -> None:
    script = [call(0, '{"a":', "A", "f"), call(1, '{"b":', "B", "g"), call(0, "1}"), call(1, "2}")]
    seen = blocks_of(chat_stream(*[chunk(each) for each in script], chunk(reason="tool_calls")))
    assert [(block["id"], block["said"]) for block in seen] == [("A", '{"a":1}'), ("B", '{"b":2}')]


def test_peer_4_ids_repeat_or_are_illegal() -> None:
    def turn(value: str) -> list[dict[str, Any]]:
        use = {"id": "call:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        return [
            {"role": "assistant", "content": None, "tool_calls": [use]},
            {"role": "tool", "tool_call_id": "call:0", "content": value},
        ]

    body = {"messages": [{"role": "user", "content": "x"}, *turn("one"), *turn("two")]}
    made = to_messages(body)["messages"]
    ids = [made[place]["content"][0]["id"] for place in (1, 3)]
    assert len(set(ids)) == 2
    for place, value in ((2, "one"), (4, "two")):
        result = made[place]["content"][0]
        assert (result["tool_use_id"], result["content"]) == (made[place - 1]["content"][0]["id"], value)


def test_peer_7_deepseek_reasoning_comes_back_on_tool_turns() -> None:
    way = meta(C, asked(A, {"model": "m", "messages": []}))
    answer = {
        "id": "1",
        "choices": [
            {
                "message": {
                    "reasoning_content": "because",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
    }
    seen: Any = to_client(answer, FORMATS[A], FORMATS[C], way)
    history = {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": seen["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r"}]},
        ],
    }
    for target, expected in ((Target("m", issuer="prov"), "because"), (Target("m", issuer="other"), None)):
        made: Any = to_target(history, FORMATS[A], FORMATS[C], target, keys=(KEY,)).body
        assert made["messages"][1].get("reasoning_content") == expected
    forged = to_target(history, FORMATS[A], FORMATS[C], Target("m", issuer="prov"), keys=(b"other",)).body
    messages: Any = forged["messages"]
    assert "reasoning_content" not in messages[1]


def test_peer_35_thinking_after_a_switch_of_vendors_is_dropped_not_forged_and_comes_back_to_its_own() -> None:
    thinking = {"type": "thinking", "thinking": "t", "signature": "sig-of-claude"}
    answer = {"id": "m", "content": [thinking, {"type": "text", "text": "x"}], "stop_reason": "end_turn"}
    seen: Any = to_client(answer, FORMATS[C], FORMATS[A], meta(A))
    message = seen["choices"][0]["message"]
    assert message["reasoning_content"] == "t"
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}, message, {"role": "user", "content": "b"}]}
    own: Any = to_target(body, FORMATS[C], FORMATS[A], Target("claude-opus-4-5", issuer="prov"), keys=(KEY,)).body
    assert own["messages"][1]["content"][0] == thinking
    other: Any = to_target(body, FORMATS[C], FORMATS[A], Target("claude-opus-4-5", issuer="else"), keys=(KEY,)).body
    assert other["messages"][1]["content"] == "x"
    chat_again: Any = to_target(body, FORMATS[C], FORMATS[L], GPT, keys=(KEY,)).body
    assert "sig-of-claude" not in json.dumps(chat_again)


def test_peer_12_broken_anthropic_event_grammar_is_mended() -> None:
    raw = events(
        START,
        ("message_start", {"message": {"id": "msg_8"}}),
        TEXT,
        text("a"),
        (
            "content_block_start",
            {"index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
        ),
        text("b"),
        ("content_block_delta", {"index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        end(1),
        text("lost", 9),
        finished("tool_use"),
        STOP,
    )
    seen = messages_stream(raw)
    said = "".join(c["choices"][0]["delta"].get("content") or "" for c in seen[:-1])
    assert said == "ab"
    assert seen[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_peer_13_every_fixture_cut_at_every_byte_decodes_the_same() -> None:
    raw = events(START, TEXT, text("é漢\n"), text('"q"'), end(), finished(), STOP)
    same_for_any_chunking(FORMATS[A].stream_decoder, raw)
    same_for_any_chunking(FORMATS[A].stream_decoder, raw.replace(b"\n", b"\r\n"))
    same_for_any_chunking(FORMATS[A].stream_decoder, raw.replace(b"data: ", b"data:"))


def test_peer_17_errors_inside_a_200_stream_are_failures_with_their_status() -> None:
    error = events(START, ("error", {"error": {"type": "overloaded_error", "message": "busy"}}))
    stage = translate.stream(FORMATS[C], FORMATS[A], meta(A))
    out = b"".join(stage.feed(error))
    assert stage.fault is not None
    assert stage.fault.kind is ErrorKind.OVERLOADED
    assert b"[DONE]" not in out
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C))
    out = b"".join(stage.feed(b'data: {"error":{"message":"slow down","code":429}}\n\n'))
    assert stage.fault.kind is ErrorKind.RATE_LIMITED if stage.fault else False
    assert b"message_stop" not in out
    broken = {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C))
    assert b"event: error" in b"".join(stage.feed(chat(chunk({"content": "x"}), broken)))


def test_peer_18_truncation_is_never_success() -> None:
    raw = events(START, TEXT, text("a"), end(), finished(), STOP)
    mark = raw.index(b"\n\n", raw.index(b"stop_reason"))
    fails_when_cut(FORMATS[A].stream_decoder, raw, mark)
    raw = chat(chunk({"content": "a"}), chunk(reason="stop"))
    mark = raw.index(b"\n\n", raw.index(b'"stop"'))
    fails_when_cut(FORMATS[C].stream_decoder, raw, mark)


def test_an_empty_stream_is_a_failure() -> None:
    for raw in (b"", b"data: [DONE]\n\n", b": keep-alive\n\n"):
        stage = translate.stream(FORMATS[A], FORMATS[C], meta(C))
        out = b"".join([*stage.feed(raw), *stage.finish()])
        assert b"event: error" in out


# -- answers in the other shape ---------------------------------------------------------------------------------------


def test_a_json_answer_to_a_stream_request_becomes_a_stream() -> None:
    body = {"id": "1", "model": "real", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C))
    raw = json.dumps(body).encode()
    out = b"".join([*stage.feed(raw[:9]), *stage.feed(raw[9:]), *stage.finish()])
    assert blocks_of(check_messages_stream(out))[0]["said"] == "hi"
    assert blocks_of(check_messages_stream(as_stream(body, FORMATS[A], FORMATS[C], meta(C))))[0]["said"] == "hi"
    failed = as_stream({"error": {"message": "no"}}, FORMATS[A], FORMATS[C], meta(C))
    assert b"event: error" in failed


def test_a_stream_answer_to_a_plain_request_becomes_json() -> None:
    raw = chat(chunk({"content": "hi"}), chunk(reason="stop", usage={"prompt_tokens": 1, "completion_tokens": 2}))
    made = translate.encode_whole(translate.collect_stream(raw, FORMATS[C]), FORMATS[A], meta(C))
    check_messages_body(made)
    assert made["content"] == [{"type": "text", "text": "hi"}]


# -- legacy completions -----------------------------------------------------------------------------------------------


def test_legacy_completions_are_one_user_turn_and_answered_as_text() -> None:
    body = {"model": "m", "prompt": ["say hi"], "max_tokens": 5, "stop": "x"}
    made: Any = to_target(body, FORMATS[L], FORMATS[A], CLAUDE).body
    assert made["messages"] == [{"role": "user", "content": "say hi"}]
    assert made["stop_sequences"] == ["x"]
    answer = {"id": "msg_1", "content": [{"type": "text", "text": "hi"}], "stop_reason": "max_tokens"}
    seen: Any = to_client(answer, FORMATS[L], FORMATS[A], meta(A, asked(L, body)))
    assert seen["object"] == "text_completion"
    assert seen["id"].startswith("cmpl-")
    assert seen["choices"][0] == {"text": "hi", "index": 0, "logprobs": None, "finish_reason": "length"}


@pytest.mark.parametrize(
    "extra",
    [{"prompt": ["a", "b"]}, {"prompt": [1, 2]}, {"suffix": "x"}, {"echo": True}, {"best_of": 2}, {"logprobs": 1}],
)
def test_legacy_completions_refuse_what_only_an_engine_can_do(extra: dict[str, Any]) -> None:
    with pytest.raises(GatewayError) as caught:
        FORMATS[L].decode_request({"model": "m", "prompt": "x", **extra})
    assert caught.value.fault.kind is ErrorKind.INVALID_REQUEST
