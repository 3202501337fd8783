"""The cases that must hold of streams between Messages and Chat."""

import json
from typing import Any

import pytest

from llr.base.errors import ErrorKind
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from tests.formats.cases_rig import (
    START,
    STOP,
    TEXT,
    blocks_of,
    chat_stream,
    end,
    finished,
    messages_stream,
    text,
    to_chat,
    to_client,
    to_messages,
    to_target,
)

from .laws import fails_when_cut, same_for_any_chunking
from .samples import GPT, KEY, A, C, L, asked, call, chat, chunk, events, meta


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
