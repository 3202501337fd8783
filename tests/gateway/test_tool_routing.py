"""Tools of Messages clients by way of Chat: never unasked, with losses that have names, and not for long in vain."""

import json
from typing import Any

import pytest

from llr.gateway.peers import absorb, hear, lessons
from llr.gateway.toolrouting import SUPPRESSED_S
from llr.testing import Heard, Playbook, Reply, json_reply, sse_reply
from tests.gateway.samples import ANTHROPIC, CHAT, CHAT_STREAM, MESSAGES, event

TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [CALL]}, "finish_reason": "tool_calls"}],
}
NO_FIELD = json_reply({"error": {"message": "Unknown field: tools is not supported here"}}, 400)


def doc(traits: Any = None, **more: Any) -> dict[str, Any]:
    llr = {} if traits is None else {"metadata": {"llr": {"traits": traits}}}
    provider = {
        "id": "a",
        "name": "a",
        "apiKey": "k",
        "format": "claude",
        "formats": ["claude", "openai"],
        "baseUrlByFormat": {"claude": "http://claude.test", "openai": "http://chat.test/v1"},
        "models": [{"id": "m"}],
    }
    return {"version": 2, "providers": [{**provider, **llr, **more}]}


OPTED = {"tools_via_chat": True}


def play_with(document: dict[str, Any], chat: Reply, claude: Reply | None = None) -> Playbook:
    play = Playbook(document)
    play.upstream("chat.test").answers(chat)
    play.upstream("claude.test").answers(claude or json_reply(MESSAGES.answer))
    return play


async def ask(play: Playbook, *, stream: bool = False, debug: bool = False, **more: Any) -> Heard:
    body = {"model": "a/m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tools": [TOOL], **more}
    fields = ANTHROPIC | ({"x-llm-router-debug": "true"} if debug else {})
    return await play.ask("POST", "/v1/messages", body | ({"stream": True} if stream else {}), fields)


def asked(play: Playbook) -> tuple[int, int]:
    return len(play.upstream("chat.test").asked), len(play.upstream("claude.test").asked)


async def test_tools_go_to_chat_where_the_config_says_so_and_come_back_as_messages() -> None:
    play = play_with(doc(OPTED), json_reply(CALLED))
    heard = await ask(play, debug=True)
    assert (heard.json["stop_reason"], heard.json["content"][-1]["type"]) == ("tool_use", "tool_use")
    assert asked(play) == (1, 0)
    (request,) = play.upstream("chat.test").asked
    assert (request.target, dict(request.headers)[b"authorization"]) == ("/v1/chat/completions", b"Bearer k")
    assert play.upstream("chat.test").bodies[0]["tools"][0]["function"]["name"] == "f"
    assert heard.headers.text(b"x-llm-router-tool-routing") == "a/m:chat-first"
    assert heard.headers.text(b"x-llm-router-wire-format") == "openai-chat"


async def test_streams_come_back_as_events_of_messages() -> None:
    play = play_with(
        doc(OPTED), sse_reply(*CHAT_STREAM[:4], CHAT_STREAM[4].replace(b'"stop"', b'"tool_calls"'), *CHAT_STREAM[5:])
    )
    heard = await ask(play, stream=True)
    assert heard.events[-1].event == "message_stop"
    assert b'"stop_reason":"tool_use"' in heard.body.replace(b": ", b":")
    assert asked(play) == (1, 0)


@pytest.mark.parametrize(
    ("document", "more"),
    [
        (doc(), {}),
        (doc({"tools_via_chat": False}), {}),
        (doc(OPTED), {"tools": []}),
        (doc(OPTED, models=[{"id": "m", "formats": ["claude"]}]), {}),
        (doc(OPTED, models=[{"id": "m", "metadata": {"llr": {"traits": {"tools_via_chat": False}}}}]), {}),
        (doc(OPTED, formats=["claude"], baseUrlByFormat={}, baseUrl="http://claude.test"), {}),
        (doc(OPTED, formats=["claude", "openai-responses"], baseUrlByFormat={}, baseUrl="http://claude.test"), {}),
        (doc(OPTED, lastProbe={"modelPreferredFormat": {"m": "claude"}, "modelSupport": {"m": ["openai"]}}), {}),
    ],
    ids=["unset", "off", "no tools", "model", "model says no", "provider", "no chat", "probe"],
)
async def test_everything_else_is_relayed(document: dict[str, Any], more: dict[str, Any]) -> None:
    play = play_with(document, json_reply(CALLED))
    heard = await ask(play, debug=True, **more)
    assert heard.json == MESSAGES.answer
    assert asked(play) == (0, 1)
    assert b"x-llm-router-tool-routing" not in heard.headers


async def test_a_model_may_say_it_for_itself() -> None:
    play = play_with(doc(models=[{"id": "m", "metadata": {"llr": {"traits": OPTED}}}]), json_reply(CALLED))
    await ask(play)
    assert asked(play) == (1, 0)


async def test_chat_clients_are_relayed_as_ever() -> None:
    play = play_with(doc(OPTED), json_reply(CHAT.answer))
    assert (await play.ask("POST", CHAT.path, {**CHAT.body("a/m"), "tools": [CALL]})).json == CHAT.answer
    assert asked(play) == (1, 0)


@pytest.mark.parametrize("refusal", [NO_FIELD, *(json_reply({"error": {"message": "no"}}, n) for n in (404, 405, 501))])
async def test_a_refusal_goes_back_to_messages_and_is_remembered_for_half_an_hour(refusal: Reply) -> None:
    play = play_with(doc(OPTED), refusal)
    heard = await ask(play, debug=True)
    assert (heard.json, asked(play)) == (MESSAGES.answer, (1, 1))
    assert heard.headers.text(b"x-llm-router-tool-routing") == "a/m:chat-refused"
    heard = await ask(play, debug=True)
    assert (heard.json, asked(play)) == (MESSAGES.answer, (1, 2))
    assert heard.headers.text(b"x-llm-router-tool-routing") == "a/m:chat-suppressed"
    assert (await explained(play))["toolRouting"] == "chat-suppressed"
    await play.clock.advance(SUPPRESSED_S)
    await ask(play)
    assert asked(play) == (2, 3)
    await ask(play)
    assert asked(play) == (2, 4), "refused again, it is left alone again"
    assert (await play.store.everything(now=play.clock.now())).health == {}


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
async def test_other_failures_are_no_reason_to_ask_twice(status: int) -> None:
    play = play_with(doc(OPTED), json_reply({"error": {"message": "rate limit reached"}}, status))
    assert (await ask(play)).status != 200
    assert asked(play) == (1, 0)


async def test_where_messages_fails_too_the_first_refusal_is_told_and_nothing_learned() -> None:
    play = play_with(doc(OPTED), NO_FIELD, json_reply({"error": {"type": "api_error", "message": "broken"}}, 500))
    heard = await ask(play)
    assert (heard.status, "Unknown field" in heard.json["error"]["message"]) == (400, True)
    assert play.deps.learned.all() == {}


async def explained(play: Playbook, **more: Any) -> dict[str, Any]:
    body = {"model": "a/m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "tools": [TOOL], **more}
    heard = await play.ask("POST", "/llr/explain", {"model": "a/m", "format": "claude", "body": body})
    found: dict[str, Any] = heard.json["candidates"][0]
    return found


async def test_explain_tells_the_way_and_what_is_lost_on_it() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    thought = [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "so"}]
    said = [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": thought},
        {"role": "user", "content": "go on"},
    ]
    row = await explained(play_with(doc(OPTED), NO_FIELD), messages=said, tools=[TOOL, search])
    assert (row["toolRouting"], row["wire"], row["translated"]) == ("chat-first", "openai-chat", True)
    assert {"cache_control", "reasoning", "web_search_20250305"} <= {loss["what"] for loss in row["losses"]}, row[
        "losses"
    ]
    row = await explained(play_with(doc(), NO_FIELD), messages=said)
    assert (row["toolRouting"], row["wire"], row["losses"]) == ("", "anthropic-messages", [])


async def test_what_is_left_alone_other_processes_leave_alone_too() -> None:
    first, second, third = (play_with(doc(OPTED), NO_FIELD) for _ in range(3))
    told: list[Any] = []

    class Line:
        async def ask(self, question: Any) -> list[Any]:
            return []

        def tell(self, news: Any) -> None:
            told.append(json.loads(json.dumps(news)))

    first.deps.peers.line = Line()
    await ask(first)
    hear(second.deps, told[0])
    absorb(third.deps, json.loads(json.dumps(lessons(first.deps))))
    for play in (second, third):
        await ask(play)
        assert asked(play) == (0, 1)
        await play.clock.advance(SUPPRESSED_S)
        await ask(play)
        assert asked(play) == (1, 2), "they know when it ends, too"


async def test_strict_mode_takes_the_way_without_losses() -> None:
    strict = doc(OPTED)
    strict["providers"][0]["metadata"]["llr"]["strict"] = True
    play = play_with(strict, json_reply(CALLED))
    assert (await ask(play, top_k=3)).json == MESSAGES.answer
    assert asked(play) == (0, 1)
    assert (await ask(play)).json["stop_reason"] == "tool_use"
    assert asked(play) == (1, 1)


async def test_a_stream_that_breaks_by_chat_is_told_in_messages() -> None:
    play = play_with(doc(OPTED), sse_reply(*CHAT_STREAM[:2], event({"error": {"message": "gone", "code": 503}})))
    heard = await ask(play, stream=True)
    assert MESSAGES.says_error(heard.body)
