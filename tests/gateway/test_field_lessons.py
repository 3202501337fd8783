"""What users of other gateways ran into (the numbers are those of the list of forty), through a whole gateway."""

import json
from typing import Any

import pytest

from llr.routing.cooldowns import clear_ops
from llr.state.records import MAX_COOLDOWN_S
from llr.testing import Heard, Playbook, json_reply, sse_reply
from tests.gateway.samples import ANTHROPIC, CHAT, MESSAGES, Sample, doc_for, event

HOUR_S = 3600.0
WEEK_H = 7 * 24


async def ask(play: Playbook, sample: Sample = CHAT, model: str = "any", **more: Any) -> Heard:
    return await play.ask("POST", sample.path, {**sample.body(model), **more}, sample.headers)


async def explained(play: Playbook, model: str = "any") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await play.ask("POST", "/llr/explain", {"model": model})).json["candidates"]
    return rows


# -- 21: a cooldown that never ends or hits too much ------------------------------------------------------------------


async def test_peer_21_a_cooldown_asked_for_a_week_ends_within_a_day() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    week = json_reply({"error": {"message": "quota"}}, 429, retry_after=str(7 * 86_400))
    play.upstream("a.test").answers(week, json_reply(CHAT.answer))
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    assert (await ask(play)).status == 200
    for _ in range(WEEK_H):
        await play.clock.advance(HOUR_S)
        assert (await ask(play)).status == 200
    first, second = len(play.upstream("a.test").asked), len(play.upstream("b.test").asked)
    assert first + second == WEEK_H + 2
    assert second <= 24 + 1, "it was tried again after a day at the latest, and kept then"


async def test_peer_21_a_provider_that_stays_down_is_tried_by_single_requests_and_comes_back() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(*[json_reply({"error": {"message": "down"}}, 500)] * WEEK_H)
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    for _ in range(WEEK_H):
        assert (await ask(play)).status == 200
        await play.clock.advance(HOUR_S)
    tried = len(play.upstream("a.test").asked)
    assert WEEK_H / 24 <= tried <= WEEK_H + 3, "once in a while, never in every request's way"
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    before = len(play.upstream("b.test").asked)
    await play.clock.advance(MAX_COOLDOWN_S)
    for _ in range(3):
        assert (await ask(play)).status == 200
    assert len(play.upstream("b.test").asked) == before, "healthy again, it serves again"


async def test_peer_21_one_models_limit_is_not_its_providers() -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0]["models"] = ["m", "n"]
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply({"error": {"message": "slow"}}, 429), json_reply(CHAT.answer))
    assert (await ask(play, model="a/m")).status == 429
    assert (await ask(play, model="a/n")).status == 200
    assert [row["condition"] for row in await explained(play, "a/m")] == ["cooldown"]
    assert [row["condition"] for row in await explained(play, "a/n")] == ["healthy"]


@pytest.mark.parametrize("status", [404, 405, 500])
async def test_peer_21_side_calls_never_cool_a_model(status: int) -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply({"type": "error", "error": {"message": "no"}}, status))
    counted = await play.ask("POST", "/v1/messages/count_tokens", MESSAGES.body("any"), ANTHROPIC)
    assert counted.status == 200
    assert counted.json["input_tokens"] > 0
    assert not (await play.store.everything(now=play.clock.now())).health


async def test_peer_21_a_status_nobody_knows_stays_what_it_is() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "odd"}}, 520))
    assert (await ask(play)).status == 520


async def test_peer_21_what_cools_says_why_and_for_how_long() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "slow"}}, 429, retry_after="90"))
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    await ask(play)
    await play.clock.advance(30)
    row = next(each for each in await explained(play) if each["candidate"] == "a/m")
    assert row["coolingFor"] == ["rate_limited"]
    assert row["until"] - play.clock.now() * 1000 == 60_000
    await play.store.apply(clear_ops(await play.store.everything(now=play.clock.now()), "a/m"), now=play.clock.now())
    assert [each["condition"] for each in await explained(play)] == ["healthy", "healthy"]


# -- 28: bans ---------------------------------------------------------------------------------------------------------

GENUINE = {
    **ANTHROPIC,
    "user-agent": "claude-cli/2.1.197 (external, cli)",
    "x-app": "cli",
    "anthropic-beta": "claude-code-20250219, context-1m-2025-08-07",
    "x-claude-code-session-id": "5f4c",
}
OTHER = {"user-agent": "curl/8", "anthropic-version": "2023-06-01"}


async def test_peer_28_no_client_is_imitated_and_what_it_says_to_its_vendor_goes_on_byte_for_byte() -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply(MESSAGES.answer))
    line = [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197.abc; cc_entrypoint=cli;"}]
    body = {**MESSAGES.body("any"), "system": line, "metadata": {"user_id": "u"}}
    for fields in (GENUINE, OTHER):
        await play.ask("POST", MESSAGES.path, body, fields)
    genuine, other = (dict(each.headers) for each in play.upstream("a.test").asked)
    assert genuine.get(b"anthropic-beta") == GENUINE["anthropic-beta"].encode()
    assert genuine.get(b"anthropic-version") == b"2023-06-01"
    assert other.get(b"anthropic-beta") is None
    for sent in (genuine, other):
        assert b"claude-cli" not in sent.get(b"user-agent", b"")
        assert sent.get(b"x-app") is None
    assert play.upstream("a.test").bodies[0] == {**body, "model": "m"}


# -- 38: server tools -------------------------------------------------------------------------------------------------

# What the coding client sends when its model wants to search: one hosted tool, and it must be called.
SEARCH: dict[str, Any] = {
    "system": [{"type": "text", "text": "You are an assistant for performing a web search tool use"}],
    "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
    "tool_choice": {"type": "tool", "name": "web_search"},
    "thinking": {"type": "disabled"},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "web_search", "arguments": '{"query":"q"}'}}


@pytest.mark.parametrize("stream", [False, True])
async def test_peer_38_a_coding_clients_search_on_an_openai_only_upstream_fails_openly(stream: bool) -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0]["format"] = "openai-chat"
    play = Playbook(made)
    said = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
    chunk = {"index": 0, "delta": {"tool_calls": [{"index": 0, **CALL}]}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    events = [event({"id": "c", "choices": [each]}) for each in (chunk, last)]
    play.upstream("a.test").answers(sse_reply(*events) if stream else json_reply({**CHAT.answer, "choices": [choice]}))
    asked: dict[str, Any] = {**SEARCH, "stream": True} if stream else SEARCH
    heard = await ask(play, MESSAGES, **asked)
    sent = play.upstream("a.test").bodies[0]
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["web_search"]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}
    if stream:
        told = [json.loads(each.data) for each in heard.events]
        blocks = [each["content_block"] for each in told if each["type"] == "content_block_start"]
        stop = told[-2]["delta"]["stop_reason"]
    else:
        blocks, stop = heard.json["content"], heard.json["stop_reason"]
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result"]
    assert blocks[1]["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    assert blocks[1]["tool_use_id"] == blocks[0]["id"]
    assert stop == "end_turn"
