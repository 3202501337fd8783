"""Processes of one gateway: what one answered or learned, any other knows, and what none knows is refused."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.gateway import peers
from llr.gateway.deps import Peers
from llr.gateway.stored import note_issuer
from llr.testing import Heard, Playbook, json_reply
from tests.gateway.samples import CHAT, RESPONSES, doc_for

MINE, YOURS = {"authorization": "Bearer mine"}, {"authorization": "Bearer yours"}


class Joined:
    """A line to other playbooks, with JSON in between as on a real one."""

    def __init__(self, others: Sequence[Playbook]) -> None:
        self.others = others
        self.asked = 0

    async def ask(self, question: JSON) -> list[JSON]:
        self.asked += 1
        return [json.loads(json.dumps(peers.told(other.deps, question))) for other in self.others]

    def tell(self, news: JSON) -> None:
        for other in self.others:
            peers.hear(other.deps, json.loads(json.dumps(news)))


def processes(doc: dict[str, Any], answer: dict[str, Any], count: int = 3) -> list[Playbook]:
    made = [Playbook(doc) for _ in range(count)]
    for number, play in enumerate(made):
        # Ids count from 1 in each: real ones are never the same in two processes.
        for _ in range(100 * number):
            play.deps.ids.new("")
        play.deps.peers.line = Joined([other for other in made if other is not play])
        play.upstream("a.test").answers(json_reply(answer))
    return made


def translated() -> dict[str, Any]:
    made = doc_for(CHAT, "a")
    made["providers"][0]["format"] = "openai-chat"
    return made


async def ask(play: Playbook, text: str, headers: dict[str, str] = MINE, **more: Any) -> Heard:
    return await play.ask("POST", RESPONSES.path, {"model": "any", "input": text, **more}, headers)


async def test_a_conversation_goes_on_in_any_process() -> None:
    first, second, third = processes(translated(), CHAT.answer)
    one = (await ask(first, "one")).json["id"]
    two = (await ask(second, "two", previous_response_id=one)).json["id"]
    assert (await ask(third, "three", previous_response_id=two)).status == 200
    sent = third.upstream("a.test").bodies[-1]["messages"]
    assert [row["role"] for row in sent] == ["user", "assistant", "user", "assistant", "user"]
    assert [word in json.dumps(sent) for word in ("one", "two", "three")] == [True] * 3


async def test_a_turn_is_read_and_deleted_from_any_process() -> None:
    first, second, third = processes(translated(), CHAT.answer)
    answered = await ask(first, "one")
    path = f"/v1/responses/{answered.json['id']}"
    assert (await second.ask("GET", path, b"", MINE)).json == answered.json
    assert (await second.ask("DELETE", path, b"", MINE)).json["deleted"] is True
    assert [(await play.ask("GET", path, b"", MINE)).status for play in (first, second, third)] == [404] * 3


async def test_items_said_in_one_process_can_be_referred_to_in_another() -> None:
    first, second, third = processes(translated(), CHAT.answer)
    ids = [(await ask(play, "x")).json["output"][0]["id"] for play in (first, second)]
    items: list[Any] = [{"type": "item_reference", "id": each} for each in ids]
    items.append({"role": "user", "content": "and?"})
    body = {"model": "any", "input": items}
    assert (await third.ask("POST", RESPONSES.path, body, MINE)).status == 200
    sent = third.upstream("a.test").bodies[-1]["messages"]
    assert [row["role"] for row in sent][-1] == "user"
    assert json.dumps(sent).count(CHAT.answer["choices"][0]["message"]["content"]) == 2
    assert (await third.ask("POST", RESPONSES.path, body, YOURS)).status == 404


async def test_what_is_kept_for_one_owner_is_hidden_from_others_in_any_process() -> None:
    first, second, _ = processes(translated(), CHAT.answer)
    one = (await ask(first, "one")).json["id"]
    heard = await ask(second, "two", YOURS, previous_response_id=one)
    assert (heard.status, heard.json["error"]["code"]) == (400, "previous_response_not_found")
    assert (await second.ask("GET", f"/v1/responses/{one}", b"", YOURS)).status == 404


async def test_an_id_nobody_knows_is_refused_in_any_process() -> None:
    for play in processes(translated(), CHAT.answer):
        heard = await ask(play, "x", previous_response_id="resp_nobody")
        assert (heard.status, heard.json["error"]["code"]) == (400, "previous_response_not_found")
        assert play.transport.seen == []


async def test_a_follow_up_goes_to_the_issuer_from_any_process() -> None:
    doc = doc_for(RESPONSES, "a", "b")
    doc["modelAliases"]["any"]["strategy"] = "round-robin"
    made = processes(doc, RESPONSES.answer, 2)
    for play in made:
        play.upstream("b.test").answers(json_reply({**RESPONSES.answer, "id": "resp_of_b"}))
    await ask(made[0], "one")
    assert (await ask(made[0], "one")).json["id"] == "resp_of_b"
    for _ in range(4):
        assert (await ask(made[1], "two", previous_response_id="resp_of_b")).status == 200
    assert made[1].upstream("a.test").asked == []
    assert (await made[1].ask("GET", "/v1/responses/resp_of_b", b"", MINE)).status == 200
    assert made[1].upstream("b.test").asked[-1].target == "/v1/responses/resp_of_b"
    asked = len(made[1].transport.seen)
    assert (await ask(made[1], "x", YOURS, previous_response_id="resp_of_b")).status == 400
    assert (await made[1].ask("GET", "/v1/responses/resp_of_b", b"", YOURS)).status == 404
    assert len(made[1].transport.seen) == asked


async def test_who_knows_asks_nobody() -> None:
    first, _, _ = processes(translated(), CHAT.answer)
    one = (await ask(first, "one")).json["id"]
    await ask(first, "two", previous_response_id=one)
    line = first.deps.peers.line
    assert isinstance(line, Joined)
    assert line.asked == 0


async def test_a_lesson_is_learned_once_for_all() -> None:
    made = processes(doc_for(RESPONSES, "a"), CHAT.answer)
    made[0].upstream("a.test").answers(json_reply({"error": {"message": "Not Found"}}, 404), json_reply(CHAT.answer))
    for play in made:
        assert (await ask(play, "x")).status == 200
    assert [[request.target for request in play.transport.seen] for play in made] == [
        ["/v1/responses", "/v1/chat/completions"],
        ["/v1/chat/completions"],
        ["/v1/chat/completions"],
    ]


async def test_what_a_provider_counted_corrects_the_estimates_of_all() -> None:
    made = processes(translated(), CHAT.answer)
    peers.calibrate(made[0].deps, "a/m", 1000, 2000)
    assert [play.deps.calibration.corrected("a/m", 100) for play in made] == [200] * 3


async def test_a_successor_takes_over_what_was_known() -> None:
    (old,) = processes(translated(), CHAT.answer, 1)
    one = (await ask(old, "one")).json["id"]
    peers.learn(old.deps, "a/m", FormatId.CHAT, "drop:top_k")
    peers.calibrate(old.deps, "a/m", 1000, 2000)
    note_issuer(old.deps, "resp_far", "a/m", "me")
    (fresh,) = processes(translated(), CHAT.answer, 1)
    for memory in (peers.lessons(old.deps), peers.turns(old.deps)):
        peers.absorb(fresh.deps, json.loads(json.dumps(memory)))
    assert (await ask(fresh, "two", previous_response_id=one)).status == 200
    assert fresh.deps.learned.all() == old.deps.learned.all()
    assert fresh.deps.calibration.all() == {"a/m": 2.0}
    assert (await peers.look_up(fresh.deps, "resp_far", "me")).issuer == "a/m"


@pytest.mark.parametrize(
    "memory",
    [None, [], {"lessons": 1}, {"lessons": [["a", "no-wire", "x"]], "ratios": [], "turns": [["k"], ["k", {}], 3]}],
)
async def test_what_is_not_understood_is_left_out(memory: JSON) -> None:
    (play,) = processes(translated(), CHAT.answer, 1)
    peers.absorb(play.deps, memory)
    assert (play.deps.learned.all(), play.deps.history.all()) == ({}, ())


def test_alone_there_is_no_line() -> None:
    assert Peers().line is None
