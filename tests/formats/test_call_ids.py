"""Calls of servers that repeat their ids or give none, and histories that hold such: every call has its own result."""

import json
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.parts import ToolCall

from .samples import A, C, G, R, asked, meta

TARGET = Target("real", issuer="prov")
TOOL: dict[str, Any] = {"type": "object", "properties": {}}


def calls_of(answer: Any, client: FormatId) -> list[str]:
    """Returns the call ids in a whole answer of a format."""
    match client:
        case FormatId.MESSAGES:
            return [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
        case FormatId.CHAT:
            return [call["id"] for call in answer["choices"][0]["message"]["tool_calls"]]
        case FormatId.RESPONSES:
            return [item["call_id"] for item in answer["output"] if item["type"] == "function_call"]
        case _:
            parts = answer["candidates"][0]["content"]["parts"]
            return [part["functionCall"]["id"] for part in parts if "functionCall" in part]


def history(client: FormatId, ids: list[list[str]]) -> dict[str, Any]:
    """Returns a client's request: one turn of calls and their results for each list of ids."""
    numbered: list[list[tuple[str, str]]] = []
    for turn, given in enumerate(ids):
        numbered.append([(ident, f"{turn}.{place}") for place, ident in enumerate(given)])
    match client:
        case FormatId.MESSAGES:
            return {"model": "m", "max_tokens": 99, "messages": _messages(numbered)}
        case FormatId.CHAT:
            return {"model": "m", "messages": _chat(numbered)}
        case FormatId.RESPONSES:
            return {"model": "m", "input": _responses(numbered)}
        case _:
            return {"contents": _gemini(numbered)}


def _messages(turns: list[list[tuple[str, str]]]) -> list[Any]:
    out: list[Any] = [{"role": "user", "content": "go"}]
    for turn in turns:
        uses = [{"type": "tool_use", "id": ident, "name": "f", "input": {"n": n}} for ident, n in turn]
        results = [{"type": "tool_result", "tool_use_id": ident, "content": n} for ident, n in turn]
        out += [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]
    return out


def _chat(turns: list[list[tuple[str, str]]]) -> list[Any]:
    out: list[Any] = [{"role": "user", "content": "go"}]
    for turn in turns:
        made = [_function(ident, n) for ident, n in turn]
        out.append({"role": "assistant", "content": None, "tool_calls": made})
        out += [{"role": "tool", "tool_call_id": ident, "content": n} for ident, n in turn]
    return out


def _function(ident: str, n: str) -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": "f", "arguments": json.dumps({"n": n})}}


def _responses(turns: list[list[tuple[str, str]]]) -> list[Any]:
    out: list[Any] = [{"role": "user", "content": "go"}]
    for turn in turns:
        for ident, n in turn:
            out.append({"type": "function_call", "call_id": ident, "name": "f", "arguments": json.dumps({"n": n})})
        out += [{"type": "function_call_output", "call_id": ident, "output": n} for ident, n in turn]
    return out


def _gemini(turns: list[list[tuple[str, str]]]) -> list[Any]:
    out: list[Any] = [{"role": "user", "parts": [{"text": "go"}]}]
    for turn in turns:
        calls = [{"functionCall": {"id": ident, "name": "f", "args": {"n": n}}} for ident, n in turn]
        results: list[Any] = [
            {"functionResponse": {"id": ident, "name": "f", "response": {"output": n}}} for ident, n in turn
        ]
        out += [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]
    return out


def pairs(body: Any, upstream: FormatId) -> list[tuple[str, str, str]]:
    """Returns (id, what the call says, what its result says) for every call of a request, in order."""
    calls: dict[str, str] = {}
    results: dict[str, str] = {}
    match upstream:
        case FormatId.MESSAGES:
            blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
            calls = {b["id"]: b["input"]["n"] for b in blocks if b["type"] == "tool_use"}
            results = {b["tool_use_id"]: b["content"] for b in blocks if b["type"] == "tool_result"}
        case FormatId.CHAT:
            made = [call for m in body["messages"] for call in m.get("tool_calls", ())]
            calls = {call["id"]: json.loads(call["function"]["arguments"])["n"] for call in made}
            results = {m["tool_call_id"]: m["content"] for m in body["messages"] if m["role"] == "tool"}
        case FormatId.RESPONSES:
            items = body["input"]
            calls = {i["call_id"]: json.loads(i["arguments"])["n"] for i in items if i.get("type") == "function_call"}
            results = {i["call_id"]: i["output"] for i in items if i.get("type") == "function_call_output"}
        case _:
            parts = [part for content in body["contents"] for part in content["parts"]]
            made = [part["functionCall"] for part in parts if "functionCall" in part]
            calls = {call["id"]: call["args"]["n"] for call in made}
            answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
            results = {each["id"]: each["response"]["output"] for each in answers}
    return [(ident, said, results[ident]) for ident, said in calls.items()]


FORMS = [A, C, R, G]


@pytest.mark.parametrize("ids", [["call_1"], ["call_1", "call_1"], ["", ""]], ids=["repeated", "twice", "none"])
@pytest.mark.parametrize("upstream", [C, R, G, A])
@pytest.mark.parametrize("client", FORMS)
def test_calls_of_an_answer_are_new_to_the_client(client: FormatId, upstream: FormatId, ids: list[str]) -> None:
    made = [_function(ident, "0") for ident in ids]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    source: Any = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    answer = FORMATS[upstream].encode_response(FORMATS[C].decode_response(source), meta(C))
    if upstream is A:
        for block in answer["content"]:  # type: ignore[union-attr]
            block["id"] = ids[0]  # type: ignore[index, call-overload]
    request = asked(client, history(client, [["call_1"]]))
    got = calls_of(translate.response(answer, FORMATS[client], FORMATS[upstream], meta(upstream, request)), client)
    assert len({*got, "call_1"}) == len(ids) + 1
    assert all(got)
    stream = translate.replay_body(answer, FORMATS[client], FORMATS[upstream], meta(upstream, request))
    streamed = calls_of(
        FORMATS[client].encode_response(translate.collect_stream(stream, FORMATS[client]), meta(client)), client
    )
    assert streamed == got


def test_an_id_of_its_own_stays() -> None:
    answer: Any = {"id": "c", "choices": [{"message": {"tool_calls": [_function("call_2", "0")]}}]}
    request = asked(A, history(A, [["call_1"]]))
    assert calls_of(translate.response(answer, FORMATS[A], FORMATS[C], meta(C, request)), A) == ["call_2"]


def test_an_id_the_client_knows_in_its_legal_form_is_known() -> None:
    answer: Any = {"id": "c", "choices": [{"message": {"tool_calls": [_function("functions.f:0", "0")]}}]}
    first = calls_of(translate.response(answer, FORMATS[A], FORMATS[C], meta(C)), A)
    request = asked(A, history(A, [first]))
    again = calls_of(translate.response(answer, FORMATS[A], FORMATS[C], meta(C, request)), A)
    assert again != first


@pytest.mark.parametrize("upstream", FORMS)
@pytest.mark.parametrize("client", FORMS)
def test_a_history_that_repeats_ids_is_paired_by_order(client: FormatId, upstream: FormatId) -> None:
    body = history(client, [["call_1"], ["call_1", "call_1"], ["call_1", "x", "call_1"]])
    sent = translate.request(body, FORMATS[client], FORMATS[upstream], TARGET).body
    found = pairs(sent, upstream)
    assert [said for _, said, _ in found] == ["0.0", "1.0", "1.1", "2.0", "2.1", "2.2"]
    assert [said for _, said, _ in found] == [result for _, _, result in found]
    shorter = translate.request(history(client, [["call_1"]]), FORMATS[client], FORMATS[upstream], TARGET).body
    assert pairs(shorter, upstream) == found[:1]


def test_a_call_nobody_answered_does_not_take_the_result_of_a_later_one() -> None:
    body = history(C, [["call_1"], ["call_1"]])
    body["messages"][2] = {"role": "user", "content": "never mind"}
    for upstream in FORMS:
        sent = translate.request(body, FORMATS[C], FORMATS[upstream], TARGET).body
        assert pairs(sent, upstream)[1][1:] == ("1.0", "1.0"), upstream


def test_calls_that_share_index_and_id_are_told_apart_by_what_they_say() -> None:
    def chunk(name: str, arguments: str) -> bytes:
        call = {"index": 0, "id": "call_1", "function": {"name": name, "arguments": arguments}}
        return b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"

    # The third repeats what was said and the second says the first's name again: no calls of their own.
    said = (
        chunk("f", '{"n":')
        + chunk("f", '{"n":"0"}')
        + chunk("f", '{"n":"0"}')
        + chunk("g", "{}")
        + chunk("g", '{"m":1}')
    )
    end = b'data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    made = translate.collect_stream(said + end, FORMATS[C])
    assert [(part.name, part.arguments) for part in made.parts if isinstance(part, ToolCall)] == [
        ("f", '{"n":"0"}'),
        ("g", "{}"),
        ("g", '{"m":1}'),
    ]
