"""Gemini calls whose arguments come piece by piece."""

import json
from typing import Any

import pytest
from google.genai import types

from llr.base.errors import ErrorKind, GatewayError
from llr.base.names import FormatId
from llr.formats.base import Target
from llr.formats.gemini.partial import BadPath, segments
from llr.formats.gemini.request_in import decode_request
from llr.formats.gemini.request_out import encode_request
from llr.formats.gemini.stream_in import StreamDecoder
from llr.ir.events import Event, Failed, Finish, Stop
from llr.ir.parts import Part, Seal, Text, ToolCall, ToolResult
from llr.ir.response import collect
from tests.formats.gemini_rig import array, chunk, sse
from tests.formats.laws import check_grammar, drain, fails_when_cut, same_for_any_chunking

END = chunk({"text": ""}, finish="STOP", usage={"promptTokenCount": 1, "candidatesTokenCount": 1})


def piece(path: str, going: bool | None = None, **value: Any) -> dict[str, Any]:
    """Returns one `PartialArg` as the vendor's own types write it."""
    made = types.PartialArg(json_path=path, will_continue=going, **value)
    return made.model_dump(mode="json", by_alias=True, exclude_none=True)


def call(*pieces: dict[str, Any], going: bool = True, **fields: Any) -> dict[str, Any]:
    """Returns a part with some pieces of a call."""
    inner = {**fields, **({"partialArgs": list(pieces)} if pieces else {}), **({"willContinue": True} if going else {})}
    return {"functionCall": types.FunctionCall(**inner).model_dump(mode="json", by_alias=True, exclude_none=True)}


PIECES = [
    call(name="light", id="c1"),
    call(piece("$.brightness", number_value=50), piece("$.on", bool_value=True)),
    call(piece("$.color", True, string_value="wa")),
    call(piece("$.color", True, string_value="rm “é”")),
    call(piece("$.color", False, string_value="")),
    call(piece("$.rooms[0].name", string_value="hall"), piece("$['a.b'][\"c'd\"]", null_value="NULL_VALUE")),
    call(piece("$.rooms[1].name", string_value="attic")),
    call(going=False),
]
ARGUMENTS = {
    "brightness": 50,
    "on": True,
    "color": "warm “é”",
    "rooms": [{"name": "hall"}, {"name": "attic"}],
    "a.b": {"c'd": None},
}


def events_of(*parts: dict[str, Any], end: dict[str, Any] = END) -> list[Event]:
    events = drain(StreamDecoder(), [sse(*[chunk(part) for part in parts], end)])
    check_grammar(events)
    return events


def calls_of(*parts: dict[str, Any]) -> list[ToolCall]:
    found: tuple[Part, ...] = collect(events_of(*parts)).parts
    return [part for part in found if isinstance(part, ToolCall)]


@pytest.mark.parametrize("write", [sse, array])
def test_pieces_become_one_call_for_any_chunking(write: Any) -> None:
    answer = collect(same_for_any_chunking(StreamDecoder, write(*[chunk(part) for part in PIECES], END)))
    (found,) = answer.parts
    assert isinstance(found, ToolCall)
    assert (found.id, found.name, json.loads(found.arguments)) == ("c1", "light", ARGUMENTS)
    assert answer.stop is Stop.TOOL
    assert not found.extras


def test_a_cut_anywhere_fails() -> None:
    data = sse(*[chunk(part) for part in PIECES], END)
    fails_when_cut(StreamDecoder, data, len(data.rstrip()))


def test_text_between_and_a_signature_on_any_piece_are_kept() -> None:
    signed = {**PIECES[2], "thoughtSignature": "c2ln"}
    answer = collect(events_of(PIECES[0], {"text": "so"}, signed, call(going=False)))
    text, found = answer.parts
    assert text == Text("so")
    assert isinstance(found, ToolCall)
    assert found.seal == Seal(FormatId.GEMINI, "c2ln")
    assert json.loads(found.arguments) == {"color": "wa"}


def test_a_name_begins_the_next_call() -> None:
    first, second = calls_of(
        call(piece("$.a", number_value=1), name="f"), call(piece("$.a", number_value=2), name="g", going=False)
    )
    assert (first.name, first.arguments) == ("f", '{"a":1}')
    assert (second.name, second.arguments) == ("g", '{"a":2}')
    whole = {"functionCall": {"name": "g", "args": {"b": 1}}}
    assert [found.name for found in calls_of(call(name="f"), whole)] == ["f", "g"]


def test_a_name_repeated_with_the_id_goes_on() -> None:
    (found,) = calls_of(
        call(name="f", id="x", args={"a": 0}), call(piece("$.b", bool_value=False), name="f", id="x"), call(going=False)
    )
    assert json.loads(found.arguments) == {"a": 0, "b": False}


def test_a_call_without_arguments_is_one() -> None:
    (found,) = calls_of(call(name="f"), call(going=False))
    assert (found.name, found.arguments) == ("f", "{}")


def test_a_whole_number_is_an_integer_and_a_broken_one_is_not() -> None:
    pieces = [piece("$.a", number_value=2), piece("$.b", number_value=2.5), piece("$.c", number_value=1e300)]
    (found,) = calls_of(call(*pieces, name="f", going=False))
    assert found.arguments == '{"a":2,"b":2.5,"c":1e+300}'


def test_a_text_said_twice_is_not_doubled() -> None:
    (found,) = calls_of(
        call(piece("$.a", string_value="x"), name="f"), call(piece("$.a", string_value="y")), call(going=False)
    )
    assert json.loads(found.arguments) == {"a": "y"}


def test_an_answer_that_stops_inside_a_call_fails_and_one_at_its_limit_gives_no_call() -> None:
    last = events_of(*PIECES[:3])[-1]
    assert isinstance(last, Failed)
    assert last.fault.kind is ErrorKind.UPSTREAM_INVALID
    events = events_of(*PIECES[:3], end=chunk({"text": ""}, finish="MAX_TOKENS"))
    assert isinstance(events[-1], Finish)
    assert collect(events).parts == ()
    assert collect(events).stop is Stop.LENGTH


@pytest.mark.parametrize(
    "path", ["", "$", "a", "$.", "$..a", "$.a[-1]", "$.a[x]", "$.*", "$[?@.a]", "$.a[9999999]", "$['a"]
)
def test_what_is_no_path_to_one_value_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        segments(path)


@pytest.mark.parametrize("paths", [("$.a", "$.a.b"), ("$.a.b", "$.a[0]"), ("$.a[0]", "$.a.b"), ("$.a[99999]",)])
def test_pieces_that_fit_nowhere_fail(paths: tuple[str, ...]) -> None:
    last = events_of(call(name="f"), call(*[piece(path, string_value="x") for path in paths]), call(going=False))[-1]
    assert isinstance(last, Failed)
    assert last.fault.kind is ErrorKind.UPSTREAM_INVALID


ANSWER = {"functionResponse": {"id": "c1", "name": "light", "response": {"output": "done"}}}


def history(*contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns a request in which a client sends back the pieces it was sent, content by content."""
    kept = [{"role": "model", "parts": parts} for parts in contents]
    asked, answered = {"role": "user", "parts": [{"text": "a"}]}, {"role": "user", "parts": [ANSWER]}
    return {"contents": [asked, *kept, answered]}


@pytest.mark.parametrize("contents", [[PIECES], [[part] for part in PIECES]], ids=["one content", "one each"])
def test_pieces_that_a_client_sends_back_are_one_call_that_its_response_answers(contents: Any) -> None:
    body = history(*contents)
    request = decode_request(body)
    _, (called,), (result,) = [message.parts for message in request.messages]
    assert isinstance(called, ToolCall)
    assert isinstance(result, ToolResult)
    assert (called.id, json.loads(called.arguments), result.call_id) == ("c1", ARGUMENTS, "c1")
    assert encode_request(request, Target("m")).body["contents"] == body["contents"]


def test_a_call_whose_end_a_client_never_got_goes_as_far_as_it_came() -> None:
    request = decode_request(history([PIECES[0], PIECES[1]]))
    _, (called,), _ = [message.parts for message in request.messages]
    assert isinstance(called, ToolCall)
    assert json.loads(called.arguments) == {"brightness": 50, "on": True}


def test_pieces_of_a_client_that_fit_nowhere_are_its_fault() -> None:
    with pytest.raises(GatewayError) as caught:
        decode_request(history([call(name="f"), call(piece("a", string_value="x"))]))
    assert caught.value.fault.kind is ErrorKind.INVALID_REQUEST
