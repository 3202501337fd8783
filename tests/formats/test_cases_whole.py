"""The cases that must hold of whole answers between Messages, Chat and legacy Completions."""

import json
from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.formats import translate
from llr.formats.table import FORMATS
from tests.formats.cases_rig import (
    START,
    STOP,
    TEXT,
    as_stream,
    blocks_of,
    chat_stream,
    end,
    finished,
    messages_stream,
    text,
    to_client,
    to_target,
)

from .samples import CLAUDE, A, C, L, asked, chat, chunk, events, meta
from .strict import (
    check_chat_body,
    check_messages_body,
    check_messages_stream,
)


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
