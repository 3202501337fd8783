"""What answers hold besides words, each case by its name: it reaches every client, or says that it is missing."""

import json
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.loss import LossLevel

from .samples import A, C, R, asked, chat, meta
from .strict import sse

G = FormatId.GEMINI
ASKING: dict[FormatId, dict[str, Any]] = {
    A: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
    C: {"model": "m", "messages": [{"role": "user", "content": "x"}]},
    R: {"model": "m", "input": "x"},
    G: {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
}
# Bodies of tests are written as plain dictionaries; JSON as a type would want each of them spelt out.
to_client: Any = translate.response
as_stream: Any = translate.replay_body


def whole(body: dict[str, Any], client: FormatId, upstream: FormatId) -> dict[str, Any]:
    made: dict[str, Any] = to_client(
        body, FORMATS[client], FORMATS[upstream], meta(upstream, asked(client, ASKING[client]))
    )
    return made


def streamed(body: dict[str, Any], client: FormatId, upstream: FormatId) -> str:
    way = meta(upstream, asked(client, ASKING[client]))
    made: bytes = as_stream(body, FORMATS[client], FORMATS[upstream], way)
    return made.decode()


def gemini(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"responseId": "r", "candidates": [{"index": 0, "content": content, "finishReason": "STOP", **fields}]}


@pytest.mark.parametrize("client", [A, C, R])
def test_a_picture_in_an_answer_is_told_of_where_it_cannot_be_shown(client: FormatId) -> None:
    body = gemini({"text": "Look: "}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}})
    for said in (json.dumps(whole(body, client, G)), streamed(body, client, G)):
        assert "Look: " in said
        assert "[image not shown: image/png]" in said


@pytest.mark.parametrize("name", ["citationSources", "citations"])
def test_both_of_googles_names_for_sources_are_read(name: str) -> None:
    body = gemini({"text": "said"}, citationMetadata={name: [{"endIndex": 4, "uri": "https://u.test"}]})
    assert whole(body, A, G)["content"][0]["citations"][0]["url"] == "https://u.test"
    assert whole(body, C, G)["choices"][0]["message"]["annotations"][0]["url_citation"]["url"] == "https://u.test"
    assert "https://u.test" in streamed(body, R, G)


def searching(client: FormatId, calls: list[dict[str, Any]]) -> tuple[Any, list[dict[str, Any]]]:
    """Returns what a client that offered the hosted search gets, whole and put together from a stream."""
    tools: dict[FormatId, Any] = {
        A: [{"type": "web_search_20250305", "name": "web_search"}, {"name": "f", "input_schema": {"type": "object"}}],
        R: [{"type": "web_search"}, {"type": "function", "name": "f"}],
    }
    request = asked(client, {**ASKING[client], "tools": tools[client]})
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    made = to_client(body, FORMATS[client], FORMATS[C], meta(C, request))
    stream: bytes = as_stream(body, FORMATS[client], FORMATS[C], meta(C, request))
    return made, [event for _, event in sse(stream)]


SEARCH = {"id": "t-1", "type": "function", "function": {"name": "web_search", "arguments": '{"query":"q"}'}}
CALL = {"id": "t2", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(("calls", "stop"), [([SEARCH], "end_turn"), ([SEARCH, CALL], "tool_use")])
def test_peer_38_a_search_nobody_runs_is_an_error_of_the_search(calls: list[dict[str, Any]], stop: str) -> None:
    made, events = searching(A, calls)
    asked_for, result = made["content"][:2]
    assert asked_for == {
        "type": "server_tool_use",
        "id": "srvtoolu_t_1",
        "name": "web_search",
        "input": {"query": "q"},
    }
    assert result == {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_t_1",
        "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"},
    }
    assert made["stop_reason"] == stop
    assert [block["type"] for block in made["content"][2:]] == ["tool_use"] * (len(calls) - 1)
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in starts] == [block["type"] for block in made["content"]]
    assert starts[1] == result
    assert events[-2]["delta"]["stop_reason"] == stop


def test_peer_38_a_responses_client_sees_its_search_fail() -> None:
    made, events = searching(R, [SEARCH, CALL])
    search = {"type": "search", "query": "q", "queries": ["q"]}
    assert made["output"][0] == {
        "id": "ws_srvtoolu_t_1",
        "type": "web_search_call",
        "status": "failed",
        "action": search,
    }
    assert made["output"][1]["type"] == "function_call"
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["web_search_call", "function_call"]
    assert events[-1]["response"]["output"][0]["status"] == "failed"
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.added"] == [0, 1]


def test_a_function_of_the_clients_own_is_no_hosted_search() -> None:
    tools = [{"name": "web_search", "input_schema": {"type": "object"}}]
    request = asked(A, {**ASKING[A], "tools": tools})
    message = {"role": "assistant", "content": None, "tool_calls": [SEARCH]}
    body = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    made = to_client(body, FORMATS[A], FORMATS[C], meta(C, request))
    assert (made["content"][0]["type"], made["stop_reason"]) == ("tool_use", "tool_use")


TOKENS = [{"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": []} for word in ("Hel", "lo")]


def test_logprobs_of_a_chat_answer_reach_a_responses_client_whole_and_streamed() -> None:
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "logprobs": {"content": TOKENS, "refusal": None}, "finish_reason": "stop"}
    made = whole({"id": "c", "choices": [choice]}, R, C)
    assert made["output"][0]["content"][0]["logprobs"] == TOKENS
    assert whole({"id": "c", "choices": [choice]}, C, C)["choices"][0]["logprobs"]["content"] == TOKENS
    chunks = [
        chunk({"reasoning_content": "hm"}),
        *[chunk({"content": token["token"]}, logprobs=[token]) for token in TOKENS],
        chunk({}, "stop"),
    ]
    way = meta(C, asked(R, ASKING[R]))
    stage = translate.stream(FORMATS[R], FORMATS[C], way)
    events = [event for _, event in sse(b"".join([*stage.feed(chat(*chunks)), *stage.finish()]))]
    done = next(event for event in events if event["type"] == "response.output_text.done")
    assert (done["text"], done["logprobs"]) == ("Hello", TOKENS)
    assert events[-1]["response"]["output"][1]["content"][0]["logprobs"] == TOKENS


def chunk(delta: dict[str, Any], reason: str | None = None, logprobs: list[Any] | None = None) -> dict[str, Any]:
    told = {"content": logprobs, "refusal": None} if logprobs else None
    choice = {"index": 0, "delta": delta, "logprobs": told, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def test_logprobs_of_a_responses_answer_reach_a_chat_client_whole_and_streamed() -> None:
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": TOKENS}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    body = {"id": "resp_1", "object": "response", "status": "completed", "output": [item]}
    made = whole(body, C, R)
    assert made["choices"][0]["logprobs"] == {"content": TOKENS, "refusal": None}
    choices = [event["choices"][0] for _, event in sse(streamed(body, C, R).encode()) if isinstance(event, dict)]
    assert [token for choice in choices for token in (choice.get("logprobs") or {}).get("content", ())] == TOKENS
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "Hello"


def test_logprobs_in_a_history_are_a_cosmetic_loss() -> None:
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": TOKENS}
    item = {"type": "message", "role": "assistant", "content": [part]}
    items = [{"role": "user", "content": "x"}, item, {"role": "user", "content": "y"}]
    for upstream in (A, C, G):
        body: Any = {"model": "m", "input": items}
        losses = translate.request(body, FORMATS[R], FORMATS[upstream], Target("m")).losses
        assert {loss.level for loss in losses} <= {LossLevel.SILENT}
