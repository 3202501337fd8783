"""`previous_response_id` where no provider keeps the conversation: kept here within bounds, or refused."""

import json
from typing import Any

import pytest

from llr.config.schema import ResponsesStoreSpec
from llr.gateway.history import Entry, History, remember
from llr.gateway.stored import issuers, note_issuer
from llr.testing import Heard, Playbook, json_reply, sse_reply
from tests.gateway.samples import CHAT, RESPONSES, doc_for


def playing(**store: int) -> Playbook:
    made = doc_for(CHAT, "a")
    made["providers"][0]["format"] = "openai-chat"
    made["metadata"] = {"llr": {"responsesStore": store}}
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    return play


async def ask(play: Playbook, text: str, *, stream: bool = False, **more: Any) -> Heard:
    return await play.ask("POST", RESPONSES.path, {"model": "any", "input": text, "stream": stream, **more})


def said(play: Playbook) -> list[tuple[str, str]]:
    messages = play.upstream("a.test").bodies[-1]["messages"]
    return [(message["role"], json.dumps(message["content"])) for message in messages]


def id_of(heard: Heard) -> str:
    if heard.headers.text(b"content-type") == "application/json":
        return str(heard.json["id"])
    return str(json.loads(heard.events[-1].data)["response"]["id"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("upstream_streams", [False, True])
async def test_a_conversation_goes_on_where_it_was(stream: bool, upstream_streams: bool) -> None:
    play = playing()
    if upstream_streams:
        play.upstream("a.test").answers(sse_reply(*CHAT.stream[:3], *CHAT.stream[4:]))
    first = await ask(play, "one", stream=stream)
    second = await ask(play, "two", stream=stream, previous_response_id=id_of(first))
    third = await ask(play, "three", stream=stream, previous_response_id=id_of(second))
    assert third.status == 200
    roles = [role for role, _ in said(play)]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert [text.count(word) for (_, text), word in zip(said(play)[::2], ("one", "two", "three"), strict=True)] == [
        1
    ] * 3
    assert "previous_response_id" not in play.upstream("a.test").bodies[-1]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_names_the_one_before_it(stream: bool) -> None:
    play = playing()
    first = await ask(play, "one", stream=stream)
    second = await ask(play, "two", stream=stream, previous_response_id=id_of(first))
    told = json.loads(second.events[-1].data)["response"] if stream else second.json
    assert told["previous_response_id"] == id_of(first)


async def refer(play: Playbook, *ids: str) -> Heard:
    items: list[Any] = [{"type": "item_reference", "id": each} for each in ids]
    body = {"model": "any", "input": [*items, {"role": "user", "content": "two"}]}
    return await play.ask("POST", RESPONSES.path, body)


async def test_an_item_said_here_stands_where_a_request_refers_to_it() -> None:
    play = playing()
    first = await ask(play, "one")
    item = first.json["output"][0]["id"]
    assert (await refer(play, item)).status == 200
    assert said(play) == [("assistant", '"hi"'), ("user", '"two"')]


@pytest.mark.parametrize("known", [False, True])
async def test_a_reference_to_what_nobody_said_is_refused_in_the_vendors_words(known: bool) -> None:
    play = playing()
    ids = [(await ask(play, "one")).json["output"][0]["id"]] if known else []
    asked = len(play.transport.seen)
    heard = await refer(play, *ids, "msg_nobody")
    assert heard.status == 404
    assert "Item with id 'msg_nobody' not found." in heard.json["error"]["message"]
    assert heard.json["error"]["param"] == "input"
    assert len(play.transport.seen) == asked


async def test_what_was_not_to_be_stored_is_not() -> None:
    play = playing()
    first = await ask(play, "one", store=False)
    heard = await ask(play, "two", previous_response_id=id_of(first))
    assert heard.status == 400
    assert heard.json["error"]["param"] == "previous_response_id"
    assert heard.json["error"]["code"] == "previous_response_not_found"


async def test_an_unknown_id_is_refused_before_anybody_is_asked() -> None:
    play = playing()
    assert (await ask(play, "x", previous_response_id="resp_nobody")).status == 400
    assert play.transport.seen == []


async def test_turns_are_forgotten_by_number_and_by_time() -> None:
    play = playing(maxEntries=1, ttlMs=60_000)
    first = await ask(play, "one")
    second = await ask(play, "two")
    assert (await ask(play, "x", previous_response_id=id_of(first))).status == 400
    third = await ask(play, "x", previous_response_id=id_of(second))
    await play.clock.advance(61)
    assert (await ask(play, "x", previous_response_id=id_of(third))).status == 400


async def test_turns_kept_here_can_be_read_and_deleted() -> None:
    play = playing()
    first = await ask(play, "one")
    path = f"/v1/responses/{id_of(first)}"
    assert (await play.ask("GET", path)).json == first.json
    items = (await play.ask("GET", f"{path}/input_items")).json
    assert "one" in json.dumps(items["data"])
    assert (await play.ask("POST", f"{path}/cancel")).status == 404
    assert (await play.ask("DELETE", path)).json["deleted"] is True
    assert (await play.ask("GET", path)).status == 404


def test_bytes_are_bounded() -> None:
    history, spec = History(), ResponsesStoreSpec(max_entries=100, max_bytes=1000)

    def entry(size: int) -> Entry:
        return Entry((), (), {}, size, 100.0)

    for number in range(10):
        history.put(str(number), entry(300), spec)
    assert [number for number in range(10) if history.get(str(number), 0.0)] == [7, 8, 9]
    history.put("big", entry(1001), spec)
    assert history.get("big", 0.0) is None
    history.get("7", 0.0)
    history.put("new", entry(300), spec)
    assert history.get("8", 0.0) is None
    assert history.get("7", 0.0) is not None
    assert history.get("7", 101.0) is None
    history.put("7", entry(400), spec)
    assert history.get("9", 0.0) is not None


async def test_a_turn_is_found_only_with_the_credential_it_was_asked_with() -> None:
    play = playing()
    mine, yours = {"authorization": "Bearer mine"}, {"x-api-key": "yours"}
    body = {"model": "any", "input": "secret", "stream": False}
    first = id_of(await play.ask("POST", RESPONSES.path, body, mine))
    for headers in (yours, {}):
        heard = await play.ask("POST", RESPONSES.path, {**body, "previous_response_id": first}, headers)
        assert heard.status == 400
        assert heard.json["error"]["code"] == "previous_response_not_found"
        assert (await play.ask("GET", f"/v1/responses/{first}", b"", headers)).status == 404
        assert (await play.ask("DELETE", f"/v1/responses/{first}", b"", headers)).status == 404
    again = await play.ask("POST", RESPONSES.path, {**body, "previous_response_id": first}, mine)
    assert again.status == 200
    assert (await play.ask("GET", f"/v1/responses/{first}", b"", mine)).status == 200


async def test_what_a_provider_keeps_is_reached_only_with_the_credential_it_was_asked_with() -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    play.upstream("a.test").answers(json_reply(RESPONSES.answer))
    mine, yours = {"authorization": "Bearer mine"}, {"authorization": "Bearer yours"}
    body = {"model": "any", "input": "secret"}
    first = id_of(await play.ask("POST", RESPONSES.path, body, mine))
    follow = {**body, "previous_response_id": first}
    asked = len(play.transport.seen)
    assert (await play.ask("POST", RESPONSES.path, follow, yours)).status == 400
    assert (await play.ask("GET", f"/v1/responses/{first}", b"", yours)).status == 404
    assert len(play.transport.seen) == asked
    assert (await play.ask("POST", RESPONSES.path, follow, mine)).status == 200


async def test_what_an_answer_echoes_counts_for_the_room_it_takes() -> None:
    history, spec = History(), ResponsesStoreSpec(max_bytes=10_000)
    for number in range(10):
        response: dict[str, Any] = {"id": f"r{number}", "output": [], "instructions": "x" * 4000}
        remember(history, {"input": "hi"}, response, spec, 0.0)
    assert [key for key, _ in history.all()] == [" r8", " r9"]


async def test_an_id_as_long_as_a_book_is_not_noted() -> None:
    play = playing()
    note_issuer(play.deps, "r" * 100_000, "a/m", "me")
    note_issuer(play.deps, "resp_1", "a/m", "me")
    assert list(issuers(play.deps)) == ["resp_1"]
