"""The cases that must hold of requests between Messages and Chat, each a test named after it."""

import json
from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.loss import LossLevel
from tests.formats.cases_rig import (
    MARK,
    START,
    STOP,
    end,
    finished,
    to_chat,
    to_client,
    to_messages,
    to_target,
)

from .samples import CLAUDE, GPT, PNG, A, C, asked, events, meta
from .strict import (
    check_chat_request,
    check_chat_stream,
    check_messages_request,
)


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
