"""Gemini answers: streams as events and as an array, whole answers, errors, the model list."""

import base64
import json
from typing import Any

import pytest

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.names import FormatId
from llr.formats.base import FaultContext
from llr.formats.carrier import unpack
from llr.formats.gemini import FORMAT
from llr.formats.gemini.array import ObjectCutter
from llr.formats.gemini.catalogue import count_request
from llr.formats.gemini.request_in import decode_request
from llr.formats.gemini.stream_in import StreamDecoder
from llr.formats.gemini.stream_out import StreamEncoder
from llr.ir.events import Event, Failed, Finish, PartDelta, PartEnd, PartStart, Start, Stop, Usage, UsageSeen
from llr.ir.parts import Media, Opaque, Reasoning, Refusal, Seal, Text, ToolCall
from llr.ir.response import collect
from llr.wire.http import Headers
from tests.formats.gemini_rig import array, check_answer, check_stream, chunk, chunks_of, meta, sse
from tests.formats.laws import check_grammar, drain, every_failure, fails_when_cut, same_for_any_chunking

USAGE = {
    "promptTokenCount": 10,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "toolUsePromptTokenCount": 3,
    "totalTokenCount": 20,
}
CALL = {"functionCall": {"name": "wx", "args": {"city": "Hà Nội"}}, "thoughtSignature": "c2ln"}
SECOND = {"functionCall": {"id": "given", "name": "wx", "args": {}}}
CHUNKS = [
    chunk({"text": "Hm, ", "thought": True}),
    chunk({"text": "“so”", "thought": True}),
    chunk({"text": "Hé "}),
    chunk({"text": "llo"}),
    chunk(CALL, SECOND),
    chunk({"text": ""}, finish="STOP", usage=USAGE),
]


def decoded(data: bytes) -> list[Event]:
    events = drain(StreamDecoder(), [data])
    check_grammar(events)
    return events


@pytest.mark.parametrize("written", [sse(*CHUNKS), array(*CHUNKS)], ids=["events", "array"])
def test_a_full_stream_is_read_the_same_for_any_chunking(written: bytes) -> None:
    events = same_for_any_chunking(StreamDecoder, written)
    check_grammar(events)
    answer = collect(events)
    thought, text, call, second = answer.parts
    assert isinstance(thought, Reasoning)
    assert thought.text == "Hm, “so”"
    assert isinstance(text, Text)
    assert text.text == "Hé llo"
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, json.loads(call.arguments)) == ("call_rid_1", "wx", {"city": "Hà Nội"})
    assert call.seal == Seal(FormatId.GEMINI, "c2ln")
    assert isinstance(second, ToolCall)
    assert (second.id, second.arguments) == ("given", "{}")
    assert answer.stop is Stop.TOOL
    assert (answer.id, answer.model) == ("rid", "gemini-3-pro")
    used = answer.usage
    assert used is not None
    assert (used.fresh, used.cache_read, used.output, used.reasoning) == (9, 4, 7, 2)


def test_snake_case_answers_read_alike() -> None:
    data = sse(
        {
            "candidates": [
                {
                    "content": {"parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}}]},
                    "finish_reason": "STOP",
                }
            ],
            "usage_metadata": {"prompt_token_count": 3},
        }
    )
    (call,) = collect(decoded(data)).parts
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"a_b": 1}


@pytest.mark.parametrize("written", [sse(*CHUNKS), array(*CHUNKS)], ids=["events", "array"])
def test_a_stream_cut_before_its_finish_reason_fails(written: bytes) -> None:
    end = len(written.rstrip(b"\r\n]"))
    fails_when_cut(StreamDecoder, written, end)


def test_late_usage_is_waited_for_and_a_missing_one_is_not() -> None:
    late = sse(chunk({"text": "a"}, finish="STOP"), {"candidates": [], "usageMetadata": USAGE})
    answer = collect(decoded(late))
    assert answer.usage is not None
    assert answer.usage.output == 7
    assert collect(decoded(sse(chunk({"text": "a"}, finish="STOP")))).usage is None


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.DONE),
        ("MAX_TOKENS", Stop.LENGTH),
        ("SAFETY", Stop.POLICY),
        ("RECITATION", Stop.POLICY),
        ("PROHIBITED_CONTENT", Stop.POLICY),
        ("OTHER", Stop.DONE),
        ("SOMETHING_NEW", Stop.DONE),
    ],
)
def test_peers_11_stop_reasons_are_read(reason: str, stop: Stop) -> None:
    body = chunk({"text": "a"}, finish=reason, usage=USAGE)
    assert collect(decoded(sse(body))).stop is stop
    assert FORMAT.decode_response(body).stop is stop


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_unusable_output_is_a_failure(reason: str) -> None:
    events = decoded(sse(chunk({"text": "a"}), chunk(finish=reason, candidate={"finishMessage": "bad call"})))
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.fault.kind is ErrorKind.UPSTREAM_INVALID
    assert "bad call" in last.fault.message


def test_a_blocked_prompt_is_a_refusal() -> None:
    body: Any = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}
    answer = FORMAT.decode_response(body)
    assert isinstance(answer.parts[0], Refusal)
    assert answer.stop is Stop.POLICY
    again = FORMAT.encode_response(answer, meta(upstream=FormatId.GEMINI))
    assert again["promptFeedback"] == {"blockReason": "SAFETY"}


@pytest.mark.parametrize("written", [sse, array])
def test_peers_17_errors_inside_a_200_stream(written: Any) -> None:
    error = {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}],
        }
    }
    for before in ([], CHUNKS[:1], CHUNKS[:4]):
        last = decoded(written(*before, error))[-1]
        assert isinstance(last, Failed)
        assert (last.fault.kind, last.fault.retry_after_s) == (ErrorKind.RATE_LIMITED, 12.0)


def test_a_days_quota_is_a_quota() -> None:
    violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
    body = {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}],
        }
    }
    assert FORMAT.decode_fault(429, Headers(), json.dumps([body]).encode()).kind is ErrorKind.QUOTA


def test_grounding_becomes_citations() -> None:
    grounding = {
        "webSearchQueries": ["q"],
        "groundingChunks": [{"web": {"uri": "https://x", "title": "X"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 0, "endIndex": 5, "text": "It is"}, "groundingChunkIndices": [0]}
        ],
    }
    data = sse(
        chunk({"text": "It is hot"}), chunk(finish="STOP", usage=USAGE, candidate={"groundingMetadata": grounding})
    )
    answer = collect(decoded(data))
    (text,) = answer.parts
    assert isinstance(text, Text)
    assert text.citations == (
        {
            "type": "web_search_result_location",
            "url": "https://x",
            "title": "X",
            "cited_text": "It is",
            "encrypted_index": "",
        },
    )
    back: Any = FORMAT.encode_response(answer, meta(upstream=FormatId.GEMINI))
    check_answer(back)
    assert back["candidates"][0]["groundingMetadata"] == grounding


@pytest.mark.parametrize("after", [{"functionCall": {"name": "f", "args": {}}}, {"text": "hm", "thought": True}])
def test_grounding_is_kept_where_the_text_is_not_the_last_part(after: dict[str, Any]) -> None:
    grounding: dict[str, Any] = {
        "groundingChunks": [{"web": {"uri": "https://x", "title": "X"}}],
        "groundingSupports": [{"segment": {"text": "It is"}, "groundingChunkIndices": [0]}],
    }
    parts = [{"text": "It is hot"}, after]
    whole = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "groundingMetadata": grounding}
    body: dict[str, Any] = {"candidates": [whole], "responseId": "r", "modelVersion": "m", "usageMetadata": USAGE}
    found = FORMAT.decode_response(body)
    assert isinstance(found.parts[0], Text)
    urls: list[Any] = [one["url"] for one in found.parts[0].citations if isinstance(one, dict)]
    assert urls == ["https://x"]
    assert len(found.parts) == 2


def test_what_only_gemini_has_stays_whole() -> None:
    code = {"executableCode": {"code": "1", "language": "PYTHON"}}
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    answer = collect(decoded(sse(chunk(code, image, {"text": "done"}, finish="STOP", usage=USAGE))))
    assert isinstance(answer.parts[0], Opaque)
    assert isinstance(answer.parts[1], Media)
    back: Any = FORMAT.encode_response(answer, meta(upstream=FormatId.GEMINI))
    assert back["candidates"][0]["content"]["parts"] == [code, image, {"text": "done"}]


THINKS: dict[str, Any] = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
ANSWER: list[Event] = [
    Start("msg_1", "claude"),
    PartStart(0, Reasoning()),
    PartDelta(0, "think"),
    PartDelta(0, "ing"),
    PartEnd(0, Seal(FormatId.MESSAGES, "sig")),
    PartStart(1, Text("")),
    PartDelta(1, "a "),
    PartDelta(1, "b"),
    PartEnd(1),
    PartStart(2, ToolCall("t1", "f", "")),
    PartDelta(2, '{"a"'),
    PartDelta(2, ":1}"),
    PartEnd(2),
    UsageSeen(Usage(fresh=3, cache_read=2, output=4, reasoning=1)),
    Finish(Stop.TOOL),
]


def encoded(events: list[Event], body: dict[str, Any] | None = None, **changes: Any) -> bytes:
    return b"".join(drain(StreamEncoder(meta(body, **changes)), events))


def test_an_answer_is_written_as_chunks() -> None:
    chunks = chunks_of(encoded(ANSWER, THINKS))
    parts = check_stream(chunks)
    seal = parts[2].pop("thoughtSignature")
    assert unpack(seal, [b"key"]) == Seal(FormatId.MESSAGES, "sig", "prov", "real")
    assert base64.b64decode(seal, validate=True)
    assert parts == [
        {"text": "think", "thought": True},
        {"text": "ing", "thought": True},
        {"text": "", "thought": True},
        {"text": "a "},
        {"text": "b"},
        {"functionCall": {"id": "t1", "name": "f", "args": {"a": 1}}},
        {"text": ""},
    ]
    assert chunks[-1]["usageMetadata"] == {
        "promptTokenCount": 5,
        "candidatesTokenCount": 3,
        "cachedContentTokenCount": 2,
        "thoughtsTokenCount": 1,
        "totalTokenCount": 9,
    }
    assert {each["modelVersion"] for each in chunks} == {"alias"}
    assert {each["responseId"] for each in chunks} == {"msg_1"}


def test_thoughts_are_shown_only_to_a_client_that_asked() -> None:
    parts = check_stream(chunks_of(encoded(ANSWER)))
    assert not any(part.get("thought") for part in parts)
    whole: Any = FORMAT.encode_response(collect(ANSWER), meta())
    assert not any(part.get("thought") for part in whole["candidates"][0]["content"]["parts"])


def test_a_thought_comes_back_from_the_clients_history_with_its_seal() -> None:
    from llr.formats.carrier import open_request

    history = [
        {"role": "model", "parts": each["candidates"][0]["content"]["parts"]}
        for each in chunks_of(encoded(ANSWER, THINKS))
    ]
    contents: Any = [{"role": "user", "parts": [{"text": "hi"}]}, *history]
    request = open_request(decode_request({"model": "m", "contents": contents}), (b"key",))
    thought = request.messages[1].parts[0]
    assert isinstance(thought, Reasoning)
    assert (thought.text, thought.seal) == ("thinking", Seal(FormatId.MESSAGES, "sig", "prov", "real"))


def test_the_array_form_is_one_json_array() -> None:
    body: dict[str, Any] = {"alt": "json", **THINKS}
    data = encoded(ANSWER, body)
    chunks = json.loads(data)
    assert chunks == chunks_of(encoded(ANSWER, THINKS))
    broken = json.loads(encoded([*ANSWER[:7], Failed(Fault(ErrorKind.OVERLOADED, "busy"))], body))
    assert broken[-1] == {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    first = json.loads(encoded([Start("", ""), Failed(Fault(ErrorKind.OVERLOADED, "busy"))], body))
    assert len(first) == 1
    assert collect(decoded(data)).stop is Stop.TOOL


def test_a_failure_after_every_event_leaves_a_legal_stream() -> None:
    for events in every_failure(ANSWER):
        chunks = chunks_of(encoded(events, THINKS))
        check_stream(chunks)
        assert chunks[-1]["error"]["status"] == "UNAVAILABLE"


def test_a_call_whose_arguments_are_no_json_ends_the_stream_in_an_error() -> None:
    events = [*ANSWER[:10], PartDelta(2, '{"a'), PartEnd(2), *ANSWER[13:]]
    chunks = chunks_of(encoded(events))
    check_stream(chunks)
    assert chunks[-1]["error"]["code"] == 502
    with pytest.raises(GatewayError):
        FORMAT.encode_response(collect(events), meta())


@pytest.mark.parametrize("stop", list(Stop))
def test_peers_11_stop_reasons_are_written(stop: Stop) -> None:
    events: list[Event] = [Start("m", "x"), PartStart(0, Text("")), PartDelta(0, "hi"), PartEnd(0), Finish(stop)]
    last = chunks_of(encoded(events))[-1]
    expected = {
        Stop.LENGTH: "MAX_TOKENS",
        Stop.CONTEXT_FULL: "MAX_TOKENS",
        Stop.POLICY: "SAFETY",
        Stop.CANCELLED: "OTHER",
    }.get(stop, "STOP")
    assert last["candidates"][0]["finishReason"] == expected
    whole: Any = FORMAT.encode_response(collect(events), meta())
    check_answer(whole)
    assert whole["candidates"][0]["finishReason"] == expected


def test_gemini_to_gemini_keeps_signatures_and_reasons() -> None:
    signed = {"text": "", "thoughtSignature": "dGV4dA=="}
    data = sse(*CHUNKS[:5], chunk(signed, finish="STOP", usage=USAGE))
    parts = check_stream(chunks_of(encoded(decoded(data), THINKS, upstream=FormatId.GEMINI)))
    assert [part["thoughtSignature"] for part in parts if "thoughtSignature" in part] == ["c2ln"]
    text_only = sse(chunk({"text": "hi"}), chunk(signed, finish="STOP", usage=USAGE))
    parts = check_stream(chunks_of(encoded(decoded(text_only), THINKS, upstream=FormatId.GEMINI)))
    assert signed in parts


def test_errors_are_googles_shape() -> None:
    fault = Fault(ErrorKind.RATE_LIMITED, "slow", retry_after_s=7.0)
    status, headers, body = FORMAT.encode_fault(fault, FaultContext(request_id="r"))
    assert status == 429
    assert (b"retry-after", b"7") in headers
    assert json.loads(body) == {
        "error": {
            "code": 429,
            "message": "slow",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}],
        }
    }
    again = FORMAT.decode_fault(status, Headers(headers), body)
    assert (again.kind, again.retry_after_s) == (ErrorKind.RATE_LIMITED, 7.0)


@pytest.mark.parametrize(("wait_s", "written"), [(0.25, "0.25s"), (60.0, "60s"), (3_196_524.0, "3196524s")])
def test_delays_have_no_exponent(wait_s: float, written: str) -> None:
    _, _, body = FORMAT.encode_fault(Fault(ErrorKind.RATE_LIMITED, "slow", retry_after_s=wait_s), FaultContext())
    assert json.loads(body)["error"]["details"][0]["retryDelay"] == written


def test_pings_are_a_blank_line_or_a_space() -> None:
    assert FORMAT.ping(FaultContext()) == b"\n"
    assert FORMAT.ping(FaultContext(array=True)) == b" "
    data = FORMAT.ping(FaultContext()) + sse(*CHUNKS[:2]) + FORMAT.ping(FaultContext()) + sse(*CHUNKS[2:])
    assert collect(decoded(data)).stop is Stop.TOOL


def test_a_count_asks_about_contents_or_a_whole_request() -> None:
    inner: Any = {"contents": [{"parts": [{"text": "hi"}]}], "systemInstruction": {"parts": [{"text": "s"}]}}
    for body in ({"model": "m", "generateContentRequest": inner}, {"model": "m", **inner}):
        request = count_request(body)
        assert (request.model, len(request.messages), len(request.system)) == ("m", 1, 1)


def test_objects_are_cut_at_their_ends() -> None:
    data = b'[{"a":"}\\"{"},\r\n{"b":{"c":"\\\\"}} ]'
    for size in (1, 2, 3, 100):
        cutter = ObjectCutter()
        found = [piece for at in range(0, len(data), size) for piece in cutter.feed(data[at : at + size])]
        assert found == [b'{"a":"}\\"{"}', b'{"b":{"c":"\\\\"}}']
