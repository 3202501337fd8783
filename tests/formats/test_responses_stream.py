"""Responses streams, read and written."""

import json
from typing import Any

import pytest
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState

from llr.base.errors import ErrorKind, Fault
from llr.base.names import FormatId
from llr.formats.carrier import unpack
from llr.formats.openai_responses import FORMAT
from llr.formats.openai_responses.stream_in import StreamDecoder
from llr.formats.openai_responses.stream_out import StreamEncoder
from llr.ir.events import (
    Event,
    Failed,
    Finish,
    PartDelta,
    PartEnd,
    PartStart,
    Start,
    Stop,
    Usage,
    UsageSeen,
)
from llr.ir.parts import Opaque, Reasoning, Refusal, Seal, Text, ToolCall, ToolKind
from llr.ir.response import collect, replay
from tests.formats.laws import check_grammar, drain, every_failure, fails_when_cut, same_for_any_chunking
from tests.formats.responses_rig import EVENT, check_response, check_stream, meta, stream

RESP: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 5, "model": "gpt", "status": "in_progress"}
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 17,
}
CREATED = {"type": "response.created", "response": RESP}
REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Hm — “so”"}],
    "encrypted_content": "gAAA",
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hé llo", "annotations": [], "logprobs": []}],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "arguments": '{"a":1}',
    "call_id": "c1",
    "name": "f",
}


def completed(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = {**RESP, "status": "completed", "output": list(items), "usage": USAGE, **fields}
    return {"type": f"response.{response['status']}", "response": response}


REASONING_EVENTS = [
    {"type": "response.output_item.added", "output_index": 0, "item": {**REASONING, "summary": []}},
    {
        "type": "response.reasoning_summary_part.added",
        "item_id": "rs_1",
        "output_index": 0,
        "summary_index": 0,
        "part": {"type": "summary_text", "text": ""},
    },
    {
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs_1",
        "output_index": 0,
        "summary_index": 0,
        "delta": "Hm — ",
    },
    {
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs_1",
        "output_index": 0,
        "summary_index": 0,
        "delta": "“so”",
    },
    {
        "type": "response.reasoning_summary_text.done",
        "item_id": "rs_1",
        "output_index": 0,
        "summary_index": 0,
        "text": "Hm — “so”",
    },
    {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
]
MESSAGE_EVENTS = [
    {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": []}},
    {
        "type": "response.content_part.added",
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "delta": "Hé ",
        "logprobs": [],
    },
    {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "delta": "llo",
        "logprobs": [],
    },
    {
        "type": "response.output_text.done",
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "text": "Hé llo",
        "logprobs": [],
    },
    {
        "type": "response.content_part.done",
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "part": MESSAGE["content"][0],
    },
    {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
]
CALL_ADDED = {"type": "response.output_item.added", "output_index": 2, "item": {**CALL, "arguments": ""}}
CALL_DELTAS = [
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": '{"a"'},
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": ":1}"},
]
CALL_DONE = {
    "type": "response.function_call_arguments.done",
    "item_id": "fc_1",
    "output_index": 2,
    "arguments": '{"a":1}',
}
ITEM_DONE = {"type": "response.output_item.done", "output_index": 2, "item": CALL}
FULL: list[dict[str, Any]] = [
    CREATED,
    *REASONING_EVENTS,
    *MESSAGE_EVENTS,
    CALL_ADDED,
    *CALL_DELTAS,
    CALL_DONE,
    ITEM_DONE,
]
FULL_STREAM = stream(*FULL, completed(REASONING, MESSAGE, CALL))


def decoded(data: bytes) -> list[Event]:
    events = drain(StreamDecoder(), [data])
    check_grammar(events)
    return events


def encoded(events: list[Event], **changes: Any) -> bytes:
    return b"".join(drain(StreamEncoder(meta(**changes)), events))


def test_a_full_stream_is_read_the_same_for_any_chunking() -> None:
    events = same_for_any_chunking(StreamDecoder, FULL_STREAM)
    check_grammar(events)
    answer = collect(events)
    reasoning, text, call = answer.parts
    assert isinstance(reasoning, Reasoning)
    assert (reasoning.summary, reasoning.seal) == (
        ("Hm — “so”",),
        Seal(FormatId.RESPONSES, {"id": "rs_1", "encrypted_content": "gAAA"}),
    )
    assert isinstance(text, Text)
    assert text.text == "Hé llo"
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, call.arguments) == ("c1", "f", '{"a":1}')
    assert answer.stop is Stop.TOOL
    assert answer.usage == Usage(fresh=5, cache_read=4, cache_write_5m=1, output=7, reasoning=2)
    assert (answer.id, answer.model, answer.created_at) == ("resp_1", "gpt", 5.0)


def test_a_stream_cut_before_its_terminal_event_fails() -> None:
    fails_when_cut(StreamDecoder, FULL_STREAM, len(FULL_STREAM) - 2)


def test_the_stream_is_what_the_whole_answer_says() -> None:
    whole = FORMAT.decode_response(completed(REASONING, MESSAGE, CALL)["response"])
    assert whole.parts == collect(decoded(FULL_STREAM)).parts
    assert whole.usage == collect(decoded(FULL_STREAM)).usage


@pytest.mark.parametrize(
    "script",
    [
        [CALL_ADDED, *CALL_DELTAS, ITEM_DONE],
        [CALL_ADDED, CALL_DONE],
        [CALL_ADDED, *CALL_DELTAS, CALL_DONE, ITEM_DONE],
        [CALL_ADDED, CALL_DELTAS[0], CALL_DONE],
        [ITEM_DONE],
        [*CALL_DELTAS, ITEM_DONE],
        [],
    ],
    ids=["delta only", "done only", "both", "done has more", "item only", "late name", "completed only"],
)
def test_peers_1_tool_arguments_are_taken_from_delta_done_or_final_item_exactly_once(script: list[Any]) -> None:
    answer = collect(decoded(stream(CREATED, *script, completed(CALL))))
    (call,) = answer.parts
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, call.arguments) == ("c1", "f", '{"a":1}')
    assert answer.stop is Stop.TOOL


@pytest.mark.parametrize("size", range(len(MESSAGE_EVENTS) + 1))
def test_codex_completed_only_text_is_still_emitted_and_suffix_only(size: int) -> None:
    events = [{**event, "output_index": 0} for event in MESSAGE_EVENTS[:size]]
    answer = collect(decoded(stream(CREATED, *events, completed(MESSAGE))))
    assert [part.text for part in answer.parts if isinstance(part, Text)] == ["Hé llo"]


def test_items_that_interleave_come_out_one_after_the_other() -> None:
    second = {**CALL, "id": "fc_2", "call_id": "c2", "arguments": '{"b":2}'}
    script = [
        CALL_ADDED,
        {"type": "response.output_item.added", "output_index": 3, "item": {**second, "arguments": ""}},
        CALL_DELTAS[0],
        {"type": "response.function_call_arguments.delta", "item_id": "fc_2", "output_index": 3, "delta": '{"b":2}'},
        CALL_DELTAS[1],
        ITEM_DONE,
        {"type": "response.output_item.done", "output_index": 3, "item": second},
    ]
    answer = collect(decoded(stream(CREATED, *script, completed(CALL, second))))
    assert [part.arguments for part in answer.parts if isinstance(part, ToolCall)] == ['{"a":1}', '{"b":2}']


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}, ErrorKind.RATE_LIMITED),
        ({"type": "error", "error": {"type": "server_error", "message": "x"}}, ErrorKind.UPSTREAM_REJECTED),
        (
            {
                "type": "response.failed",
                "response": {**RESP, "status": "failed", "error": {"code": "server_is_overloaded", "message": "x"}},
            },
            ErrorKind.OVERLOADED,
        ),
        (
            {
                "type": "response.failed",
                "response": {**RESP, "status": "failed", "error": {"code": "context_length_exceeded", "message": "x"}},
            },
            ErrorKind.CONTEXT_OVERFLOW,
        ),
    ],
)
def test_peers_17_errors_inside_a_200_stream(event: dict[str, Any], kind: ErrorKind) -> None:
    for before in ([], [CREATED], [CREATED, *MESSAGE_EVENTS[:3]]):
        events = decoded(stream(*before, event, completed(MESSAGE)))
        last = events[-1]
        assert isinstance(last, Failed)
        assert last.fault.kind is kind


@pytest.mark.parametrize(
    ("fields", "stop"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, Stop.LENGTH),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, Stop.POLICY),
        ({"status": "completed", "incomplete_details": {"reason": "max_output_tokens"}}, Stop.LENGTH),
        ({"status": "completed"}, Stop.DONE),
    ],
)
def test_peers_11_stop_reasons_are_read(fields: dict[str, Any], stop: Stop) -> None:
    done = completed(MESSAGE, **fields)
    assert collect(decoded(stream(CREATED, done))).stop is stop
    assert FORMAT.decode_response(done["response"]).stop is stop


def test_a_refusal_is_a_refusal() -> None:
    item = {**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}
    script = [
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.refusal.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "n"},
        {"type": "response.refusal.done", "item_id": "msg_1", "output_index": 0, "content_index": 0, "refusal": "no"},
    ]
    answer = collect(decoded(stream(CREATED, *script, completed(item))))
    assert [part.text for part in answer.parts if isinstance(part, Refusal)] == ["no"]
    assert answer.stop is Stop.POLICY


def test_responses_to_responses_keeps_ids_and_seals() -> None:
    data = encoded(decoded(FULL_STREAM), upstream=FormatId.RESPONSES)
    final = check_stream(data)[-1]["response"]
    assert final["output"] == [REASONING, MESSAGE, CALL]
    assert final["usage"] == USAGE
    assert (final["id"], final["model"], final["created_at"]) == ("resp_1", "alias", 5)


ANSWER: list[Event] = [
    Start("msg_abcdefghijkl", "claude", 0.0),
    PartStart(0, Reasoning()),
    PartDelta(0, "thinking "),
    PartDelta(0, "hard"),
    PartEnd(0, Seal(FormatId.MESSAGES, "sig")),
    PartStart(1, Text("")),
    PartDelta(1, "a "),
    PartDelta(1, "b"),
    PartEnd(1),
    PartStart(2, Text("")),
    PartDelta(2, "cited"),
    PartDelta(2, "", citation={"type": "web_search_result_location", "url": "https://x", "title": "X"}),
    PartEnd(2),
    PartStart(3, ToolCall("t1", "f", "")),
    PartDelta(3, '{"a"'),
    PartDelta(3, ":1}"),
    PartEnd(3),
    UsageSeen(Usage(fresh=3, output=4, reasoning=1)),
    Finish(Stop.TOOL),
]


def test_thinking_then_text_then_tool_has_contiguous_indexes() -> None:
    events = check_stream(encoded(ANSWER))
    final = events[-1]["response"]
    reasoning, message, call = final["output"]
    assert final["id"] == "resp_msg_abcdefghijkl"
    assert reasoning["summary"] == [{"type": "summary_text", "text": "thinking hard"}]
    seal = unpack(reasoning["encrypted_content"], [b"key"])
    assert seal == Seal(FormatId.MESSAGES, "sig", "prov", "real")
    assert [part["text"] for part in message["content"]] == ["a b", "cited"]
    assert message["phase"] == "commentary"
    assert message["content"][1]["annotations"] == [
        {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://x", "title": "X"}
    ]
    assert call == {
        "id": "fc_t1",
        "type": "function_call",
        "call_id": "t1",
        "name": "f",
        "status": "completed",
        "arguments": '{"a":1}',
    }
    assert final["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 7,
    }


def test_amp_responses_order() -> None:
    events: list[Event] = [Start("m", "x"), PartStart(0, Text("")), PartDelta(0, "hi"), PartEnd(0), Finish(Stop.DONE)]
    kinds = [event["type"] for event in check_stream(encoded(events))]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_failure_after_every_event_leaves_a_legal_stream() -> None:
    for events in every_failure(ANSWER):
        written = check_stream(encoded(events))
        assert written[-1]["type"] == "response.failed"
        assert written[-1]["response"]["error"]["code"] == "server_error"


def test_the_whole_answer_is_the_terminal_event_and_echoes_the_request() -> None:
    body = {
        "model": "alias",
        "input": "hi",
        "instructions": "Be terse.",
        "temperature": 0.3,
        "metadata": {"a": "b"},
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}],
        "tool_choice": {"type": "function", "name": "f"},
        "store": True,
        "safety_identifier": "u",
    }
    whole = FORMAT.encode_response(collect(ANSWER), meta(body))
    check_response(whole)
    last = check_stream(encoded(ANSWER, body=body))[-1]["response"]
    assert whole == last
    assert (whole["instructions"], whole["temperature"], whole["metadata"]) == ("Be terse.", 0.3, {"a": "b"})
    assert (whole["tools"], whole["tool_choice"]) == (body["tools"], body["tool_choice"])
    assert whole["store"] is False
    assert whole["safety_identifier"] == "u"


@pytest.mark.parametrize("stop", list(Stop))
@pytest.mark.parametrize("codex", [False, True])
def test_peers_11_stop_reasons_are_written(stop: Stop, codex: bool) -> None:
    events: list[Event] = [Start("m", "x"), PartStart(0, Text("")), PartDelta(0, "hi"), PartEnd(0), Finish(stop)]
    last = check_stream(encoded(events, codex=codex), codex=codex)[-1]
    reason = (last["response"]["incomplete_details"] or {}).get("reason")
    expected = {
        Stop.LENGTH: "max_output_tokens",
        Stop.CONTEXT_FULL: "max_output_tokens",
        Stop.POLICY: "content_filter",
    }.get(stop)
    assert reason == expected
    assert (last["type"] == "response.incomplete") is (expected is not None and not codex)


def test_refusals_are_output_text_for_codex_only() -> None:
    events: list[Event] = [Start("m", "x"), PartStart(0, Refusal("")), PartDelta(0, "no"), PartEnd(0)]
    events.append(Finish(Stop.POLICY))
    plain = check_stream(encoded(events))[-1]["response"]
    assert plain["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert plain["status"] == "completed"
    codex = check_stream(encoded(events, codex=True))[-1]["response"]
    assert codex["output"][0]["content"][0]["text"] == "no"


TOOLS = {
    "model": "alias",
    "input": "x",
    "tools": [
        {"type": "custom", "name": "exec"},
        {"type": "local_shell"},
        {"type": "shell"},
        {"type": "apply_patch"},
        {
            "type": "namespace",
            "name": "fs",
            "description": "d",
            "tools": [{"type": "function", "name": "read", "parameters": {}}],
        },
    ],
}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("exec", '{"input":"1+\\n1"}', {"type": "custom_tool_call", "name": "exec", "input": "1+\n1"}),
        ("exec", "not json", {"type": "custom_tool_call", "name": "exec", "input": "not json"}),
        (
            "local_shell",
            '{"command":["ls"],"workdir":"/"}',
            {
                "type": "local_shell_call",
                "action": {"type": "exec", "env": {}, "command": ["ls"], "working_directory": "/"},
            },
        ),
        (
            "shell",
            '{"commands":["ls"]}',
            {
                "type": "shell_call",
                "action": {"max_output_length": None, "timeout_ms": None, "commands": ["ls"]},
            },
        ),
        (
            "apply_patch",
            '{"type":"delete_file","path":"a"}',
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
        ),
        (
            "fs__read",
            "{}",
            {"type": "function_call", "name": "read", "namespace": "fs", "arguments": "{}"},
        ),
    ],
)
def test_peers_40_calls_come_back_as_the_items_their_tools_have(
    name: str, arguments: str, expected: dict[str, Any]
) -> None:
    call: list[Event] = [
        Start("m", "x"),
        PartStart(0, ToolCall("c_1", name, "")),
        PartDelta(0, arguments[:3]),
        PartDelta(0, arguments[3:]),
        PartEnd(0),
        Finish(Stop.TOOL),
    ]
    changes: dict[str, Any] = {"tool_names": {"fs__read": "fs\x1fread"}}
    final = check_stream(encoded(call, body=TOOLS, **changes))[-1]["response"]
    (item,) = final["output"]
    assert item["call_id"] == "c_1"
    assert expected.items() <= item.items()
    whole = FORMAT.encode_response(collect(call), meta(TOOLS, **changes))
    assert whole["output"] == final["output"]


def test_a_free_text_call_streams_as_it_is() -> None:
    call: list[Event] = [
        Start("m", "x"),
        PartStart(0, ToolCall("c1", "exec", "", ToolKind.CUSTOM)),
        PartDelta(0, "1+"),
        PartDelta(0, "1"),
        PartEnd(0),
        Finish(Stop.TOOL),
    ]
    kinds = [event["type"] for event in check_stream(encoded(call, body=TOOLS))]
    assert kinds.count("response.custom_tool_call_input.delta") == 2


def test_a_search_of_the_messages_grammar_is_one_item() -> None:
    use: Any = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
    hits: Any = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "https://x", "title": "X"}]}
    events: list[Event] = [
        Start("m", "x"),
        PartStart(0, Opaque(FormatId.MESSAGES, use)),
        PartEnd(0),
        PartStart(1, Opaque(FormatId.MESSAGES, hits)),
        PartEnd(1),
        PartStart(2, Text("")),
        PartDelta(2, "a"),
        PartEnd(2),
        Finish(Stop.DONE),
    ]
    body = {"model": "m", "input": "x", "include": ["web_search_call.action.sources"]}
    final = check_stream(encoded(events, body=body))[-1]["response"]
    assert final["output"][0] == {
        "id": "ws_s1",
        "type": "web_search_call",
        "status": "completed",
        "action": {
            "type": "search",
            "query": "q",
            "queries": ["q"],
            "sources": [{"type": "url", "url": "https://x"}],
        },
    }


def test_redacted_thinking_is_an_item_without_text() -> None:
    sealed = Reasoning("", (), Seal(FormatId.MESSAGES, "data"), redacted=True)
    events: list[Event] = [Start("m", "x"), PartStart(0, sealed), PartEnd(0), Finish(Stop.DONE)]
    (item,) = check_stream(encoded(events))[-1]["response"]["output"]
    assert item["summary"] == []
    assert unpack(item["encrypted_content"], [b"key"]) == Seal(FormatId.MESSAGES, "data", "prov", "real")


def test_an_overflow_reaches_codex_as_a_failed_answer() -> None:
    from llr.formats.base import FaultContext

    fault = Fault(ErrorKind.CONTEXT_OVERFLOW, "too long")
    status, headers, body = FORMAT.encode_fault(fault, FaultContext(streaming=True, codex=True, request_id="r"))
    assert status == 200
    assert (b"content-type", b"text/event-stream") in headers
    fields = json.loads(body.decode().split("data: ")[1])
    assert fields["type"] == "response.failed"
    assert fields["response"]["error"]["code"] == "context_length_exceeded"
    status, _, body = FORMAT.encode_fault(fault, FaultContext())
    assert (status, json.loads(body)["error"]["code"]) == (400, "context_length_exceeded")


def test_replay_of_what_was_read_writes_the_same_answer() -> None:
    answer = collect(decoded(FULL_STREAM))
    again = list(replay(answer))
    check_grammar(again)
    assert encoded(again, upstream=FormatId.RESPONSES)


def test_peers_40_an_empty_output_on_completed_loses_nothing() -> None:
    answer = collect(
        decoded(stream(CREATED, *REASONING_EVENTS, *MESSAGE_EVENTS, CALL_ADDED, *CALL_DELTAS, completed()))
    )
    assert [type(part) for part in answer.parts] == [Reasoning, Text, ToolCall]
    call = answer.parts[2]
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"a":1}'
    assert answer.stop is Stop.TOOL


def test_the_sdk_puts_the_stream_together_to_the_terminal_answer() -> None:
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    events = check_stream(encoded(ANSWER))
    for event in events:
        state.handle_event(EVENT.validate_python(event))
    built = state._completed_response
    assert built.output_text == "a bcited"
    assert [item.type for item in built.output] == ["reasoning", "message", "function_call"]
    assert built.output[2].arguments == '{"a":1}'


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_other_line_ends_and_events_without_names_read_alike(ending: bytes) -> None:
    whole = decoded(FULL_STREAM)
    assert decoded(FULL_STREAM.replace(b"\n", ending)) == whole
    nameless = b"\n".join(line for line in FULL_STREAM.split(b"\n") if not line.startswith(b"event:"))
    assert decoded(nameless) == whole
    noisy = b": comment\n\n" + FULL_STREAM.replace(b"\n\n", b'\n\nevent: codex.rate_limits\ndata: {"type":"x"}\n\n', 3)
    assert decoded(noisy) == whole


def test_multi_line_data_is_one_event() -> None:
    split = FULL_STREAM.replace(b'", "', b'",\ndata: "')
    assert decoded(split) == decoded(FULL_STREAM)
