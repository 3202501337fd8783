"""A provider that runs tools of its own may pause its turn; clients without pauses get the turn whole."""

import json
from typing import Any

import pytest

from llr.testing import Playbook, Reply, json_reply, sse_reply
from tests.gateway.samples import CHAT, GEMINI, MESSAGES, RESPONSES, Sample, doc_speaking, event

SEARCH: dict[str, dict[str, Any]] = {
    "chat": {"web_search_options": {}},
    "responses": {"tools": [{"type": "web_search"}]},
    "gemini": {"tools": [{"googleSearch": {}}]},
    "messages": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
}
CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}


def half(stop: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 4}
    return {**MESSAGES.answer, "content": list(blocks), "stop_reason": stop, "usage": usage}


def told(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def stream(stop: str, *blocks: dict[str, Any]) -> list[bytes]:
    out = [event({"type": "message_start", "message": {**half(stop), "content": [], "stop_reason": None}})]
    for index, block in enumerate(blocks):
        words = block.get("text")
        begun = {**block, "text": ""} if words else {**block, "input": {}}
        delta: dict[str, Any] = {"type": "text_delta", "text": words}
        if not words:
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        out += [
            event({"type": "content_block_start", "index": index, "content_block": begun}),
            event({"type": "content_block_delta", "index": index, "delta": delta}),
            event({"type": "content_block_stop", "index": index}),
        ]
    end = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 4}}
    return [*out, event(end), event({"type": "message_stop"})]


def reply(streamed: bool, stop: str, *blocks: dict[str, Any]) -> Reply:
    return sse_reply(*stream(stop, *blocks)) if streamed else json_reply(half(stop, *blocks))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("client", [CHAT, RESPONSES, GEMINI], ids=lambda one: one.name)
async def test_a_paused_turn_is_gone_on_with(client: Sample, streamed: bool) -> None:
    play = Playbook(doc_speaking(MESSAGES, "a"))
    first = (told("Let me look."), CALL)
    play.upstream("a.test").answers(reply(streamed, "pause_turn", *first), reply(streamed, "end_turn", told("Found.")))
    body = {**client.body("any", stream=streamed), **SEARCH[client.name]}
    heard = await play.ask("POST", client.target("any", stream=streamed), body, client.headers)
    assert heard.status == 200
    assert heard.body.index(b"Let me look.") < heard.body.index(b"Found.")
    assert not client.says_error(heard.body) if streamed else True
    asked = play.upstream("a.test").bodies
    assert len(asked) == 2
    assert asked[1]["messages"] == [*asked[0]["messages"], {"role": "assistant", "content": list(first)}]
    usage = play.observer.finished[-1].usage
    assert usage is not None
    assert (usage.fresh, usage.output) == (20, 8)
    assert play.observer.finished[-1].end == "complete"
    assert play.transport.open == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_turn_that_is_paused_for_ever_ends_after_five_rounds(streamed: bool) -> None:
    play = Playbook(doc_speaking(MESSAGES, "a"))
    play.upstream("a.test").answers(reply(streamed, "pause_turn", told("still ")))
    body = {**CHAT.body("any", stream=streamed), **SEARCH["chat"]}
    heard = await play.ask("POST", CHAT.path, body)
    assert heard.status == 200
    assert heard.body.count(b"still ") == 6
    assert len(play.upstream("a.test").asked) == 6
    assert b'"finish_reason":"stop"' in heard.body.replace(b": ", b":")


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_was_said_stands_when_going_on_fails(streamed: bool) -> None:
    play = Playbook(doc_speaking(MESSAGES, "a"))
    failure = json_reply({"type": "error", "error": {"type": "api_error", "message": "no"}}, 500)
    play.upstream("a.test").answers(reply(streamed, "pause_turn", told("half")), failure)
    body = {**RESPONSES.body("any", stream=streamed), **SEARCH["responses"]}
    heard = await play.ask("POST", RESPONSES.path, body)
    assert heard.status == 200
    assert b"half" in heard.body
    assert play.observer.finished[-1].end == "complete"
    assert play.transport.open == 0


async def test_a_messages_client_goes_on_by_itself() -> None:
    play = Playbook(doc_speaking(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply(half("pause_turn", told("half"))))
    heard = await play.ask("POST", MESSAGES.path, {**MESSAGES.body("any"), **SEARCH["messages"]}, MESSAGES.headers)
    assert heard.json["stop_reason"] == "pause_turn"
    assert len(play.upstream("a.test").asked) == 1
