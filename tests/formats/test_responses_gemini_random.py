"""Whatever the history or the answer: what goes to Responses and Gemini is legal, what comes back is well-formed."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llr.base.errors import GatewayError
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.events import Event, Failed, Finish
from llr.ir.request import ChatRequest
from llr.ir.response import collect
from tests.formats import gemini_rig, responses_rig
from tests.formats.laws import check_grammar, drain, every_failure
from tests.formats.samples import A, C, G, R, answers, histories, meta
from tests.formats.strict import check_chat_request, check_messages_request
from tests.formats.strict_responses_gemini import check_gemini_request, check_responses_request

MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
GPTS = [Target("gpt-4o"), Target("gpt-5.4"), Target("llama")]
GEMINIS = [Target("gemini-3-pro-preview"), Target("gemini-2.5-flash"), Target("gemini-2.0-flash"), Target("x")]
REQUEST_CHECKS: dict[FormatId, Any] = {
    A: check_messages_request,
    C: check_chat_request,
    R: check_responses_request,
    G: check_gemini_request,
}


def check_stream(form: FormatId, data: bytes) -> None:
    if form is R:
        responses_rig.check_stream(data)
    else:
        gemini_rig.check_stream(gemini_rig.chunks_of(data))


def encoded(form: FormatId, events: list[Event], upstream: FormatId = A) -> bytes:
    return b"".join(drain(FORMATS[form].stream_encoder(meta(upstream)), events))


@MANY
@given(histories(), st.sampled_from(GPTS))
def test_peers_10_any_history_is_a_legal_responses_request(request: ChatRequest, target: Target) -> None:
    check_responses_request(FORMATS[R].encode_request(request, target).body)


@MANY
@given(histories(), st.sampled_from(GEMINIS))
def test_peers_10_any_history_is_a_legal_gemini_request(request: ChatRequest, target: Target) -> None:
    check_gemini_request(FORMATS[G].encode_request(request, target).body)


@MANY
@given(histories(), st.sampled_from([A, C, R, G]), st.sampled_from([A, C, R, G]))
def test_a_history_stays_legal_over_a_second_translation(
    request: ChatRequest, first: FormatId, second: FormatId
) -> None:
    if not {R, G} & {first, second} or first is second:
        return
    target = Target("claude-sonnet-4-5")
    middle = FORMATS[first].encode_request(request, target).body
    try:
        body = translate.request(middle, FORMATS[first], FORMATS[second], target).body
    except GatewayError:
        return
    REQUEST_CHECKS[second](body)


@MANY
@given(histories(), st.sampled_from([R, G]))
def test_what_was_written_reads_and_writes_the_same(request: ChatRequest, form: FormatId) -> None:
    target = Target("m")
    body = FORMATS[form].encode_request(request, target).body
    again = FORMATS[form].encode_request(FORMATS[form].decode_request({"model": "m", **body}), target)
    assert again.body == body
    assert again.losses == ()


@MANY
@given(answers(), st.sampled_from([R, G]))
def test_any_answer_is_a_well_formed_stream(events: list[Event], form: FormatId) -> None:
    check_stream(form, encoded(form, events))


@MANY
@given(answers(), st.sampled_from([R, G]))
def test_peers_18_any_answer_broken_off_ends_in_an_error(events: list[Event], form: FormatId) -> None:
    for broken in every_failure(events):
        data = encoded(form, broken)
        check_stream(form, data)
        assert b"error" in data
        decoded = drain(FORMATS[form].stream_decoder(), [data])
        check_grammar(decoded)
        assert isinstance(decoded[-1], Failed)


@MANY
@given(answers())
def test_any_answer_is_a_valid_responses_body(events: list[Event]) -> None:
    responses_rig.check_response(FORMATS[R].encode_response(collect(events), meta(A)))


@MANY
@given(answers())
def test_any_answer_is_a_valid_gemini_body(events: list[Event]) -> None:
    gemini_rig.check_answer(FORMATS[G].encode_response(collect(events), meta(A)))


@settings(MANY, max_examples=60)
@given(answers(), st.sampled_from([R, G]), st.integers(1, 9))
def test_an_encoded_stream_decodes_the_same_for_any_chunking(events: list[Event], form: FormatId, size: int) -> None:
    data = encoded(form, events)
    whole = drain(FORMATS[form].stream_decoder(), [data])
    check_grammar(whole)
    assert isinstance(whole[-1], Finish)
    assert drain(FORMATS[form].stream_decoder(), [data[at : at + size] for at in range(0, len(data), size)]) == whole


@settings(MANY, max_examples=80)
@given(answers(), st.sampled_from([A, C, R, G]), st.sampled_from([A, C, R, G]), st.data())
def test_a_translated_stream_cut_anywhere_is_well_formed(
    events: list[Event], upstream: FormatId, client: FormatId, data: st.DataObject
) -> None:
    raw = encoded(upstream, events, upstream)
    cut = data.draw(st.integers(0, len(raw)))
    stage = translate.stream(FORMATS[client], FORMATS[upstream], meta(upstream))
    out = b"".join([*stage.feed(raw[:cut]), *stage.finish()])
    if out and client in (R, G):
        check_stream(client, out)
    assert stage.complete != (stage.fault is not None)


@settings(MANY, max_examples=120)
@given(answers(), st.sampled_from([A, C, R, G]), st.sampled_from([A, C, R, G]))
def test_the_stream_put_together_equals_the_whole_answer(
    events: list[Event], upstream: FormatId, client: FormatId
) -> None:
    if not {R, G} & {upstream, client}:
        return
    way = meta(upstream)
    raw = encoded(upstream, events, upstream)
    stage = translate.stream(FORMATS[client], FORMATS[upstream], way)
    streamed = translate.collect_stream(b"".join([*stage.feed(raw), *stage.finish()]), FORMATS[client])
    whole = translate.encode_whole(translate.collect_stream(raw, FORMATS[upstream]), FORMATS[client], meta(upstream))
    again = FORMATS[client].decode_response(whole)
    assert [type(part) for part in streamed.parts] == [type(part) for part in again.parts]
    for left, right in zip(streamed.parts, again.parts, strict=True):
        for field in ("text", "name", "arguments", "summary"):
            assert getattr(left, field, None) == getattr(right, field, None)
    assert streamed.stop is again.stop
