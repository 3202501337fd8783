"""Whatever a server sends, in whatever order: decoders keep their grammar and clients get well-formed streams."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llr.base.errors import GatewayError
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.errors import read_fault
from llr.formats.table import FORMATS
from llr.wire.http import Headers

from .laws import check_grammar, drain
from .samples import CLAUDE, GPT, A, C, L, json_values, meta
from .strict import check_chat_stream, check_completions_stream, sse

MANY = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
junk: st.SearchStrategy[Any] = st.one_of(json_values, st.sampled_from([None, "", 0, [], {}, True, "x", -1, 1.5]))


def maybe(*good: Any) -> st.SearchStrategy[Any]:
    """Mostly one of the good values, sometimes anything."""
    return st.one_of(st.sampled_from(good), st.sampled_from(good), junk)


fragment = st.fixed_dictionaries(
    {},
    optional={
        "index": maybe(0, 1, None),
        "id": maybe("a", "b", ""),
        "type": maybe("function", "custom"),
        "function": st.one_of(
            st.fixed_dictionaries(
                {}, optional={"name": maybe("f", "g", ""), "arguments": maybe("", "{", '{"x":', "1}", '{"x":1}')}
            ),
            junk,
        ),
        "extra_content": junk,
    },
)
delta = st.fixed_dictionaries(
    {},
    optional={
        "role": maybe("assistant"),
        "content": maybe("hi", " ", "", None),
        "reasoning_content": maybe("hm", ""),
        "reasoning": maybe("hm"),
        "reasoning_details": st.one_of(
            st.lists(
                st.fixed_dictionaries({"type": st.just("reasoning.text"), "index": maybe(0), "text": maybe("t")}),
                max_size=2,
            ),
            junk,
        ),
        "thinking_blocks": st.one_of(st.just([{"type": "thinking", "thinking": "x", "signature": "s"}]), junk),
        "refusal": maybe("no", None),
        "tool_calls": st.one_of(st.lists(fragment, max_size=3), junk),
        "function_call": junk,
        "annotations": junk,
    },
)
choice = st.fixed_dictionaries(
    {},
    optional={
        "index": maybe(0, 0, 1),
        "delta": st.one_of(delta, junk),
        "message": st.one_of(delta, junk),
        "finish_reason": maybe(None, None, "stop", "tool_calls", ""),
        "text": maybe("x"),
        "usage": junk,
    },
)
chunks = st.fixed_dictionaries(
    {},
    optional={
        "id": maybe("c1"),
        "created": maybe(5),
        "model": maybe("m"),
        "choices": st.one_of(st.lists(choice, max_size=2), junk),
        "usage": st.one_of(st.just({"prompt_tokens": 3, "completion_tokens": 4}), junk),
    },
)
block = st.fixed_dictionaries(
    {"type": maybe("text", "thinking", "tool_use", "redacted_thinking", "server_tool_use", "web_search_tool_result")},
    optional={
        "text": maybe(""),
        "id": maybe("t1"),
        "name": maybe("f"),
        "input": maybe({}, {"a": 1}),
        "data": maybe("d"),
    },
)
delta_a = st.fixed_dictionaries(
    {"type": maybe("text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta")},
    optional={
        "text": maybe("x"),
        "partial_json": maybe("{", "}", ""),
        "thinking": maybe("t"),
        "signature": maybe("s"),
        "citation": maybe({"type": "char_location"}),
    },
)
events_a = st.fixed_dictionaries(
    {
        "type": maybe(
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "ping",
        )
    },
    optional={
        "index": maybe(0, 1, 2),
        "message": st.one_of(st.just({"id": "msg_1", "usage": {"input_tokens": 3}}), junk),
        "content_block": st.one_of(block, junk),
        "delta": st.one_of(delta_a, st.just({"stop_reason": "end_turn"}), junk),
        "usage": st.one_of(st.just({"output_tokens": 3}), junk),
    },
)


def raw(items: list[Any], *, named: bool) -> bytes:
    out = ""
    for item in items:
        head = (
            f"event: {item.get('type')}\n"
            if named and isinstance(item.get("type"), str) and "\n" not in item["type"]
            else ""
        )
        out += f"{head}data: {json.dumps(item)}\n\n"
    return out.encode("utf-8", "replace")


def check_client(client: FormatId, data: bytes) -> None:
    """The framing and the one end of a client's stream; odd values of the server may stand in its texts."""
    if client is C:
        check_chat_stream(data)
    elif client is L:
        check_completions_stream(data)
    else:
        kinds = [event["type"] for _, event in sse(data)]
        assert kinds[0] == "message_start"
        assert kinds.count("message_start") == 1
        assert kinds.count("message_stop") + kinds.count("error") == 1
        assert kinds[-1] in ("message_stop", "error")
        starts = [event["index"] for _, event in sse(data) if event["type"] == "content_block_start"]
        assert starts == list(range(len(starts)))


@MANY
@given(st.lists(chunks, max_size=8), st.booleans())
def test_peer_12_any_chat_chunks_in_any_order(items: list[Any], done: bool) -> None:
    data = raw(items, named=False) + (b"data: [DONE]\n\n" if done else b"")
    check_grammar(drain(FORMATS[C].stream_decoder(), [data]))
    out = b"".join(drain(translate.stream(FORMATS[A], FORMATS[C], meta(C)), [data]))
    if out:
        check_client(A, out)


@MANY
@given(st.lists(events_a, max_size=10), st.booleans(), st.sampled_from([C, L, A]))
def test_peer_12_any_messages_events_in_any_order(items: list[Any], named: bool, client: FormatId) -> None:
    data = raw(items, named=named)
    check_grammar(drain(FORMATS[A].stream_decoder(), [data]))
    out = b"".join(drain(translate.stream(FORMATS[client], FORMATS[A], meta(A)), [data]))
    if not out:
        return
    try:
        check_client(client, out)
    except json.JSONDecodeError:
        # The server's own fragments were no JSON: that is for the client to see.
        assert b"partial_json" in data


@MANY
@given(st.binary(max_size=60))
def test_any_bytes_are_no_crash(data: bytes) -> None:
    for form in (A, C):
        check_grammar(drain(FORMATS[form].stream_decoder(), [data]))
    read_fault(500, Headers([]), data)


request_fields = (
    "messages system tools tool_choice max_tokens stop stop_sequences thinking output_config response_format metadata "
    "functions temperature cache_control reasoning stream_options user"
)
bodies = st.dictionaries(
    st.sampled_from(sorted(request_fields.split())),
    st.one_of(
        junk,
        st.lists(
            st.one_of(
                junk,
                st.fixed_dictionaries(
                    {"role": maybe("user", "assistant", "system", "tool", "function", "developer")},
                    optional={
                        "content": st.one_of(maybe("x", ""), st.lists(st.one_of(block, delta_a, junk), max_size=3)),
                        "tool_calls": st.one_of(st.lists(fragment, max_size=2), junk),
                        "tool_call_id": maybe("a"),
                        "function_call": junk,
                        "name": maybe("f"),
                        "type": maybe("function", "custom", "web_search_20250305", "bash_20250124"),
                        "function": st.one_of(st.fixed_dictionaries({"name": maybe("f")}), junk),
                        "input_schema": junk,
                    },
                ),
            ),
            max_size=4,
        ),
    ),
    max_size=6,
)


@MANY
@given(bodies, st.sampled_from([(A, C), (C, A), (A, A), (C, C)]))
def test_any_request_body_is_translated_or_refused_never_a_crash(
    body: dict[str, Any], ways: tuple[FormatId, FormatId]
) -> None:
    client, upstream = ways
    target: Target = GPT if upstream is C else CLAUDE
    try:
        encoded = translate.request({"model": "m", **body}, FORMATS[client], FORMATS[upstream], target)
    except GatewayError as exc:
        if exc.fault.http_status != 400:
            raise
        return
    json.dumps(encoded.body)


answer_fields = ["id", "model", "content", "choices", "usage", "stop_reason", "error"]
answer_bodies = st.dictionaries(
    st.sampled_from(answer_fields), st.one_of(junk, st.lists(st.one_of(block, choice, junk), max_size=3))
)


@MANY
@given(answer_bodies, st.sampled_from([A, C]))
def test_any_answer_body_is_translated_or_a_failure_never_a_crash(body: dict[str, Any], upstream: FormatId) -> None:
    for client in (A, C, L):
        try:
            made = translate.response(body, FORMATS[client], FORMATS[upstream], meta(upstream))
        except GatewayError:
            continue
        json.dumps(made)
