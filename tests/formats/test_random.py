"""Whatever the history or the answer: what comes out is legal for its target, and streams stay well-formed."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llr.base.errors import GatewayError
from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.events import Event, Finish
from llr.ir.parts import Message, Role, Text
from llr.ir.request import ChatRequest
from llr.ir.response import collect
from llr.wire.stage import Stage

from .laws import check_grammar, drain, every_failure
from .samples import A, C, G, L, R, answers, gist, histories, meta
from .strict import (
    check_chat_body,
    check_chat_request,
    check_chat_stream,
    check_completions_body,
    check_completions_stream,
    check_messages_body,
    check_messages_request,
    check_messages_stream,
)

MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
CLAUDES = [Target("claude-sonnet-4-5"), Target("claude-opus-4-7"), Target("kimi-k2")]
GPTS = [Target("gpt-4o"), Target("gpt-5.1"), Target("llama", capabilities={"image": False, "developer_role": False})]
STREAM_CHECKS: dict[FormatId, Any] = {A: check_messages_stream, C: check_chat_stream, L: check_completions_stream}
BODY_CHECKS: dict[FormatId, Any] = {A: check_messages_body, C: check_chat_body, L: check_completions_body}


@MANY
@given(histories(), st.sampled_from(CLAUDES))
def test_peer_10_any_history_is_a_legal_messages_request(request: ChatRequest, target: Target) -> None:
    check_messages_request(FORMATS[A].encode_request(request, target).body)


@MANY
@given(histories(), st.sampled_from(GPTS))
def test_peer_10_any_history_is_a_legal_chat_request(request: ChatRequest, target: Target) -> None:
    check_chat_request(FORMATS[C].encode_request(request, target).body)


@settings(MANY, max_examples=300)
@given(histories(), st.sampled_from([A, C, R, G]))
def test_peer_37_a_longer_history_begins_with_the_bytes_of_the_shorter_one(
    request: ChatRequest, form: FormatId
) -> None:
    later = (Message(Role.ASSISTANT, (Text("done"),)), Message(Role.USER, (Text("next"),)))
    longer = ChatRequest("alias", request.system, (*request.messages, *later), request.tools)
    target = Target("m")
    short = dumps(FORMATS[form].encode_request(request, target).body)
    assert dumps(FORMATS[form].encode_request(longer, target).body).startswith(short[: -len(b"]}")])


@settings(MANY, max_examples=300)
@given(histories(), st.sampled_from([A, C, R, G]))
def test_encoding_twice_gives_the_same_bytes(request: ChatRequest, form: FormatId) -> None:
    target = Target("m")
    once = FORMATS[form].encode_request(request, target)
    assert dumps(FORMATS[form].encode_request(request, target).body) == dumps(once.body)


@MANY
@given(histories(), st.sampled_from([(A, C), (C, A)]))
def test_a_history_stays_legal_over_a_second_translation(request: ChatRequest, ways: tuple[FormatId, FormatId]) -> None:
    first, second = ways
    target = Target("claude-sonnet-4-5")
    middle = FORMATS[first].encode_request(request, target).body
    body = translate.request(middle, FORMATS[first], FORMATS[second], target).body
    {A: check_messages_request, C: check_chat_request}[second](body)


@MANY
@given(answers(), st.sampled_from([A, C, L]))
def test_peer_12_any_answer_is_a_well_formed_stream(events: list[Event], form: FormatId) -> None:
    STREAM_CHECKS[form](b"".join(drain(FORMATS[form].stream_encoder(meta(A)), events)))


@MANY
@given(answers(), st.sampled_from([A, C, L]))
def test_peer_18_any_answer_broken_off_is_a_well_formed_stream_that_ends_in_an_error(
    events: list[Event], form: FormatId
) -> None:
    for broken in every_failure(events):
        data = b"".join(drain(FORMATS[form].stream_encoder(meta(A)), broken))
        STREAM_CHECKS[form](data)
        assert b"error" in data


@MANY
@given(answers(), st.sampled_from([A, C, L]))
def test_any_answer_is_a_valid_body(events: list[Event], form: FormatId) -> None:
    BODY_CHECKS[form](FORMATS[form].encode_response(collect(events), meta(A)))


def _decoder(form: FormatId) -> Stage[bytes, Event]:
    return FORMATS[form].stream_decoder()


@settings(MANY, max_examples=60)
@given(answers(), st.sampled_from([A, C]), st.integers(1, 9))
def test_an_encoded_stream_decodes_the_same_for_any_chunking(events: list[Event], form: FormatId, size: int) -> None:
    data = b"".join(drain(FORMATS[form].stream_encoder(meta(A)), events))
    whole = drain(_decoder(form), [data])
    check_grammar(whole)
    assert isinstance(whole[-1], Finish)
    assert drain(_decoder(form), [data[at : at + size] for at in range(0, len(data), size)]) == whole


@settings(MANY, max_examples=40)
@given(answers(), st.sampled_from([A, C]), st.sampled_from([A, C, L]), st.data())
def test_a_translated_stream_cut_anywhere_is_well_formed(
    events: list[Event], upstream: FormatId, client: FormatId, data: st.DataObject
) -> None:
    raw = b"".join(drain(FORMATS[upstream].stream_encoder(meta(upstream)), events))
    cut = data.draw(st.integers(0, len(raw)))
    stage = translate.stream(FORMATS[client], FORMATS[upstream], meta(upstream))
    out = b"".join([*stage.feed(raw[:cut]), *stage.finish()])
    if out:
        STREAM_CHECKS[client](out)
    assert stage.complete != (stage.fault is not None)


@settings(MANY, max_examples=40)
@given(answers(), st.sampled_from([A, C]), st.sampled_from([A, C, L]), st.sampled_from([1, 7, 64]))
def test_a_translated_stream_is_the_same_bytes_for_any_chunking(
    events: list[Event], upstream: FormatId, client: FormatId, size: int
) -> None:
    raw = b"".join(drain(FORMATS[upstream].stream_encoder(meta(upstream)), events))
    whole = b"".join(drain(translate.stream(FORMATS[client], FORMATS[upstream], meta(upstream)), [raw]))
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert b"".join(drain(translate.stream(FORMATS[client], FORMATS[upstream], meta(upstream)), pieces)) == whole


@settings(MANY, max_examples=80)
@given(answers(), st.sampled_from([A, C]), st.sampled_from([A, C, L]))
def test_the_stream_put_together_equals_the_whole_answer(
    events: list[Event], upstream: FormatId, client: FormatId
) -> None:
    """Stream → client stream → collected must say what whole → client body says."""
    way = meta(upstream)
    raw = b"".join(drain(FORMATS[upstream].stream_encoder(way), events))
    stage = translate.stream(FORMATS[client], FORMATS[upstream], meta(upstream))
    streamed = translate.collect_stream(b"".join([*stage.feed(raw), *stage.finish()]), FORMATS[client])
    whole = translate.encode_whole(translate.collect_stream(raw, FORMATS[upstream]), FORMATS[client], meta(upstream))
    again = FORMATS[client].decode_response(whole)
    assert gist(streamed) == gist(again)
    if client is A:
        assert [type(part) for part in streamed.parts] == [type(part) for part in again.parts]


def test_a_second_choice_cannot_be_asked_of_messages() -> None:
    request = FORMATS[C].decode_request({"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 2})
    with pytest.raises(GatewayError) as caught:
        FORMATS[A].encode_request(request, Target("claude-opus-4-6"))
    assert caught.value.fault.param == "n"
