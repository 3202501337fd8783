"""Requests over several candidates, end to end: failing over, healing, limits, slots, conversations."""

import math
from collections import Counter
from random import Random
from typing import Any

import pytest

from llr.config.schema import Settings
from llr.routing.limits import LEASE_S
from llr.state.memory import MemoryStore
from llr.testing import HANG, Asking, Heard, Playbook, Reply, Wait, json_reply, refused, reset, sse_reply
from tests.gateway.samples import CHAT, event

OK = json_reply(CHAT.answer)


def doc(*names: str, alias: dict[str, Any] | None = None, **providers: dict[str, Any]) -> dict[str, Any]:
    """Returns a config: providers of these names with a model m each, and the alias `any` over them in order."""
    entries = [
        {
            "id": name,
            "name": name,
            "baseUrl": f"https://{name}.test",
            "models": [{"id": "m"}],
            **providers.get(name, {}),
        }
        for name in names
    ]
    targets = [f"{name}/m" for name in names]
    return {"version": 2, "providers": entries, "modelAliases": {"any": {"targets": targets, **(alias or {})}}}


def play(*names: str, alias: dict[str, Any] | None = None, attempts: int = 1, **providers: Any) -> Playbook:
    made = Playbook(doc(*names, alias=alias, **providers), settings=Settings(retry_attempts=attempts))
    for name in names:
        made.upstream(f"{name}.test").answers(OK)
    return made


async def ask(made: Playbook, model: str = "any", headers: dict[str, str] | None = None, **more: Any) -> Heard:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return await made.ask("POST", "/v1/chat/completions", body, headers or {})


def asked(made: Playbook) -> dict[str, int]:
    return {one: len(made.upstream(f"{one}.test").asked) for one in ("a", "b", "c")}


def memory(made: Playbook) -> MemoryStore:
    assert isinstance(made.store, MemoryStore)
    return made.store


FAILURES: list[tuple[Reply, bool]] = [
    (json_reply({"error": {"message": "slow down"}}, 429, retry_after="60"), True),
    (json_reply({"error": {"message": "no"}}, 401), True),
    (json_reply({"error": {"message": "pay"}}, 402), True),
    (json_reply({"error": {"message": "broken"}}, 500), False),
    (json_reply({"error": {"message": "This model's maximum context length is 10 tokens"}}, 400), False),
    (json_reply({"error": {"message": "model not found"}}, 404), True),
    (json_reply({"error": {"message": "CUDA out of memory"}}, 500), True),
    (Reply(200, [("content-type", "text/html")], [b"<html>hello</html>"]), False),
    (Reply(before=[refused()]), False),
]


@pytest.mark.parametrize(("reply", "cools"), FAILURES)
async def test_the_next_answers_and_what_cools_is_left_out(reply: Reply, cools: bool) -> None:
    made = play("a", "b")
    made.upstream("a.test").answers(reply, OK)
    assert (await ask(made)).status == 200
    assert asked(made) == {"a": 1, "b": 1, "c": 0}
    assert any(record.cooldowns for record in memory(made).health.values()) == cools
    assert (await ask(made)).status == 200
    assert asked(made) == ({"a": 1, "b": 2, "c": 0} if cools else {"a": 2, "b": 1, "c": 0})


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "41s"}
TOLD_IN_BODIES: list[tuple[str, Reply, float]] = [
    ("gemini", json_reply({"error": {"code": 429, "message": "Quota exceeded", "details": [RETRY_INFO]}}, 429), 41.0),
    ("openai", json_reply([{"error": {"code": 429, "message": "Quota exceeded", "details": [RETRY_INFO]}}], 429), 41.0),
    ("openai", json_reply({"error": {"message": "Rate limit: please try again in 1m2.5s."}}, 429), 62.5),
    (
        "openai",
        sse_reply(event({"error": {"message": "Please try again in 11.054s", "type": "rate_limit_error"}})),
        11.054,
    ),
    ("openai", json_reply({"error": {"message": "try again in 9s"}}, 429, retry_after="5"), 5.0),
    ("openai", json_reply({"error": {"message": "slow"}}, 429, retry_after="Sat, 28 Feb 2026 15:43:37 GMT"), 60.0),
    ("openai", json_reply({"error": {"message": "retry in 9 centuries"}}, 429), 30.0),
]


@pytest.mark.parametrize(("spoken", "reply", "wait_s"), TOLD_IN_BODIES)
async def test_a_limit_cools_for_as_long_as_its_refusal_says(spoken: str, reply: Reply, wait_s: float) -> None:
    made = play("a", "b", a={"format": spoken})
    made.upstream("a.test").answers(reply)
    now = made.clock.now()
    await ask(made, stream=True)
    (record,) = memory(made).health.values()
    assert record.cooldowns["rate_limited"] == pytest.approx(now + wait_s)
    made.upstream("b.test").answers(reply)
    body = {"model": "b/m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    heard = await made.ask("POST", "/v1/messages", body)
    assert (heard.status, int(heard.headers.text(b"retry-after") or 30)) == (429, math.ceil(wait_s))


@pytest.mark.parametrize("status", [400, 422, 405])
async def test_the_clients_own_fault_is_told_once(status: int) -> None:
    made = play("a", "b")
    made.upstream("a.test").answers(json_reply({"error": {"message": "bad tools"}}, status))
    heard = await ask(made)
    assert heard.status == status
    assert asked(made) == {"a": 1, "b": 0, "c": 0}
    assert memory(made).health == {}


async def test_network_failure_everywhere_stays_a_network_failure() -> None:
    made = play("a", "b")
    for name in "ab":
        made.upstream(f"{name}.test").answers(Reply(before=[refused(name)]))
    for _ in range(4):
        heard = await ask(made)
        assert heard.status == 502
        assert b"no eligible" not in heard.body
    assert asked(made) == {"a": 4, "b": 4, "c": 0}


BUCKET = {"id": "b", "models": ["all"], "requests": 3, "window": {"unit": "hour", "size": 1}}


async def test_three_tries_one_fallback_one_count() -> None:
    made = play("a", "b", attempts=3, a={"rateLimits": [BUCKET]})
    made.upstream("a.test").answers(json_reply({}, 500))
    asking = await made.open("POST", "/v1/chat/completions", {"model": "any", "messages": []})
    await made.clock.advance(10.0)
    assert (await asking.heard()).status == 200
    assert asked(made) == {"a": 3, "b": 1, "c": 0}
    assert [entry.count for entry in memory(made).usage.values()] == [1]


async def test_what_never_answered_is_not_counted() -> None:
    made = play("a", "b", a={"rateLimits": [BUCKET]})
    made.upstream("a.test").answers(Reply(before=[refused()]))
    await ask(made)
    assert [entry.count for entry in memory(made).usage.values()] == [0]


async def test_an_exhausted_bucket_passes_to_the_other_provider() -> None:
    made = play("a", "b", a={"rateLimits": [BUCKET]})
    for _ in range(5):
        assert (await ask(made)).status == 200
    assert asked(made) == {"a": 3, "b": 2, "c": 0}


async def test_all_exhausted_is_a_429_that_says_when() -> None:
    for names in (("a",), ("a", "b")):
        limited: dict[str, Any] = {name: {"rateLimits": [BUCKET]} for name in names}
        made = play(*names, **limited)
        for _ in range(3 * len(names)):
            assert (await ask(made)).status == 200
        heard = await ask(made)
        assert heard.status == 429
        assert 0 < int(heard.headers.text(b"retry-after")) <= 3_600
        assert b"quota-exhausted" in heard.body


async def test_a_window_ends_at_its_edge_and_not_before() -> None:
    made = play("a", a={"rateLimits": [BUCKET]})
    # The clock begins at 15:42:37; the hour ends at 16:00.
    await made.clock.advance(17 * 60 + 22.75)
    assert [(await ask(made)).status for _ in range(3)] == [200] * 3
    refused_at_the_edge = await ask(made)
    assert (refused_at_the_edge.status, refused_at_the_edge.headers.text(b"retry-after")) == (429, "1")
    await made.clock.advance(0.25)
    assert [(await ask(made)).status for _ in range(4)] == [200] * 3 + [429]
    assert (await ask(made)).headers.text(b"retry-after") == "3600"


async def test_a_request_counts_in_the_window_it_began_in() -> None:
    bucket = {**BUCKET, "metadata": {"llr": {"tokens": 5_000}}}
    made = play("a", a={"rateLimits": [bucket]})
    usage = {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100}
    answer = json_reply({**CHAT.answer, "usage": usage})
    made.upstream("a.test").answers(Reply(200, answer.headers, answer.steps, before=[Wait(10.0)]))
    await made.clock.advance(17 * 60 + 20.0)
    asking = await made.open("POST", "/v1/chat/completions", {"model": "any", "messages": [], "max_tokens": 9})
    await made.clock.advance(10.0)
    assert (await asking.heard()).status == 200
    assert {key.window for key in memory(made).usage} == {"hour:1:2026-02-28T15:00Z"}
    # That window is over: nothing of it is left in the new one.
    assert (await made.store.everything(now=made.clock.now())).usage == {}


async def test_token_caps_are_settled_by_what_was_used() -> None:
    bucket = {**BUCKET, "requests": 1_000, "metadata": {"llr": {"tokens": 5_000}}}
    made = play("a", "b", a={"rateLimits": [bucket]})
    usage = {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100}
    made.upstream("a.test").answers(json_reply({**CHAT.answer, "usage": usage}))
    for turn in range(1, 4):
        await ask(made, max_tokens=2_000)
        counts = {key.bucket: entry.count for key, entry in memory(made).usage.items()}
        assert counts == {"bucket:a:b": turn, "bucket:a:b#tokens": 100 * turn}


async def test_slots_hold_while_a_stream_runs_and_are_freed_however_it_ends() -> None:
    made = play("a", "b", a={"metadata": {"llr": {"maxConcurrency": 1}}})
    made.upstream("a.test").answers(sse_reply(*CHAT.stream[:2], HANG), OK)
    running = await made.open("POST", "/v1/chat/completions", {"model": "any", "messages": [], "stream": True})
    await ask(made)
    assert asked(made) == {"a": 1, "b": 1, "c": 0}
    # The lease is renewed for as long as the stream lasts.
    await made.clock.advance(2 * LEASE_S)
    await ask(made)
    assert asked(made) == {"a": 1, "b": 2, "c": 0}
    await running.leave()
    assert memory(made)._leases == {}
    await ask(made)
    assert asked(made) == {"a": 2, "b": 2, "c": 0}
    assert memory(made)._leases == {}


ENDS: list[Reply] = [
    OK,
    json_reply({}, 500),
    json_reply({}, 400),
    Reply(before=[refused()]),
    sse_reply(event({"error": {"message": "overloaded"}})),
    Reply(200, [("content-type", "application/json")], [b"{"]),
]


@pytest.mark.parametrize("reply", ENDS)
async def test_every_end_frees_the_slot(reply: Reply) -> None:
    made = play("a", alias={"metadata": {"llr": {"maxConcurrency": 1}}})
    made.upstream("a.test").answers(reply)
    for stream in (False, True):
        await ask(made, stream=stream)
        assert memory(made)._leases == {}


async def test_round_robin_and_a_conversation_that_stays() -> None:
    made = play("a", "b", alias={"strategy": "round-robin"})
    for _ in range(4):
        await ask(made)
    assert asked(made) == {"a": 2, "b": 2, "c": 0}
    for _ in range(4):
        await ask(made, headers={"x-session-id": "s1"})
    assert sorted(asked(made).values()) == [0, 2, 6]
    stays = max(asked(made), key=asked(made).__getitem__)
    made.upstream(f"{stays}.test").answers(json_reply({}, 429))
    await ask(made, headers={"x-session-id": "s1"})
    before = asked(made)
    await ask(made, headers={"x-session-id": "s1"})
    assert asked(made)[stays] == before[stays]


async def test_everybody_cooling_is_tried_and_the_refusal_says_when() -> None:
    made = play("a", "b")
    made.upstream("a.test").answers(json_reply({}, 404))
    made.upstream("b.test").answers(json_reply({}, 401))
    await ask(made)
    await made.clock.advance(5.0)
    for name in "ab":
        made.upstream(f"{name}.test").answers(Reply(before=[refused()]))
    heard = await ask(made)
    # a rests 45 s after its 404, 5 of which are over.
    assert (heard.status, heard.headers.text(b"retry-after")) == (502, "40")
    assert asked(made) == {"a": 2, "b": 2, "c": 0}


async def test_half_open_lets_one_of_many_try() -> None:
    made = play("a", "b")
    made.upstream("a.test").answers(json_reply({}, 429, retry_after="10"))
    await ask(made)
    await made.clock.advance(11.0)
    made.upstream("a.test").answers(Reply(before=[HANG]))
    trying = await made.open("POST", "/v1/chat/completions", {"model": "any", "messages": []})
    for _ in range(5):
        assert (await ask(made)).status == 200
    assert asked(made) == {"a": 2, "b": 6, "c": 0}
    await trying.leave()
    made.upstream("a.test").answers(OK)
    await ask(made)
    await ask(made)
    assert asked(made) == {"a": 4, "b": 6, "c": 0}
    assert memory(made).health == {}


async def test_no_fallback_asks_one() -> None:
    made = play("a", "b")
    made.upstream("a.test").answers(json_reply({}, 503))
    heard = await ask(made, headers={"x-llm-router-no-fallback": "true"})
    assert heard.status == 503
    assert asked(made) == {"a": 1, "b": 0, "c": 0}


BEST: list[tuple[int, int, int]] = [(429, 401, 429), (401, 503, 503), (503, 401, 503), (404, 429, 429)]


@pytest.mark.parametrize(("first", "second", "shown"), BEST)
async def test_the_best_failure_is_shown(first: int, second: int, shown: int) -> None:
    made = play("a", "b")
    made.upstream("a.test").answers(json_reply({}, first))
    made.upstream("b.test").answers(json_reply({}, second))
    assert (await ask(made)).status == shown


async def test_a_rule_of_the_user_decides() -> None:
    rules = [{"status": 400, "contains": "signature", "action": "next"}]
    made = Playbook({**doc("a", "b"), "metadata": {"llr": {"failureRules": rules}}})
    made.upstream("a.test").answers(json_reply({"error": {"message": "odd signature"}}, 400))
    made.upstream("b.test").answers(OK)
    assert (await ask(made)).status == 200


async def test_big_requests_go_where_they_fit() -> None:
    small, big = ({"models": [{"id": "m", "contextWindow": size}]} for size in (4_000, 200_000))
    made = play("a", "b", a=small, b=big)
    await ask(made)
    body = {"model": "any", "messages": [{"role": "user", "content": "x" * 60_000}]}
    await made.ask("POST", "/v1/chat/completions", body, {})
    assert asked(made) == {"a": 1, "b": 1, "c": 0}


MANY = 1_500
RANDOM_REPLIES: tuple[tuple[Reply, bool], ...] = (
    (OK, False),
    (sse_reply(*CHAT.stream), True),
    (json_reply({}, 500), False),
    (json_reply({}, 429, retry_after="1"), False),
    (Reply(before=[refused()]), True),
    (Reply(before=[HANG]), False),
    (Reply(before=[HANG]), True),
    (sse_reply(*CHAT.stream[:2], HANG), True),
    (sse_reply(*CHAT.stream[:3], reset()), True),
    (sse_reply(event({"error": {"message": "overloaded"}})), True),
)


async def test_random_ends_leave_nothing_behind() -> None:
    bucket = {**BUCKET, "requests": 200, "metadata": {"llr": {"tokens": 100_000}}}
    limits = {"rateLimits": [bucket], "metadata": {"llr": {"maxConcurrency": 5}}}
    made = play("a", "b", alias={"metadata": {"llr": {"maxConcurrency": 8}}}, attempts=2, a=limits, b=limits)
    rng, store = Random(11), memory(made)
    running: list[Asking] = []
    statuses: Counter[int] = Counter()
    for number in range(MANY):
        reply, stream = rng.choice(RANDOM_REPLIES)
        made.upstream(f"{rng.choice('ab')}.test").answers(reply)
        body = {"model": "any", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        running.append(await made.open("POST", "/v1/chat/completions", body))
        if number % 40 == 39:
            await made.clock.advance(rng.choice((1.0, 30.0, 700.0)))
        for asking in [one for one in running if one.done or rng.random() < 0.2]:
            running.remove(asking)
            if asking.done and asking.answer is not None:
                statuses[asking.answer.status] += 1
            await asking.leave()
        assert all(len(held) <= 8 for held in store._leases.values())
        assert all(use.count <= (100_000 if "#" in key.bucket else 200) for key, use in store.usage.items())
    for asking in running:
        await asking.leave()
    assert store._leases == {}
    assert (made.transport.open, made.clock.sleepers) == (0, 0)
    # The run was worth it: there were answers, failures and refusals for want of room.
    assert min(statuses[200], statuses[429], statuses[500] + statuses[502] + statuses[504]) > 10


async def test_no_provider_sees_the_key_of_another() -> None:
    keys: dict[str, Any] = {
        "a": {"apiKey": "key-a"},
        "b": {"apiKey": "key-b", "auth": {"type": "x-api-key"}},
        "c": {"apiKey": "key-c", "auth": {"type": "header", "headerName": "x-own-key"}},
    }
    made = play("a", "b", "c", **keys)
    for name in "ab":
        made.upstream(f"{name}.test").answers(json_reply({}, 500))
    sent = {"authorization": "Bearer key-client", "x-api-key": "key-client", "x-own-key": "key-client"}
    assert (await ask(made, headers=sent)).status == 200
    names = {"a": b"authorization", "b": b"x-api-key", "c": b"x-own-key"}
    for name, field in names.items():
        (request,) = made.upstream(f"{name}.test").asked
        held = {key: value for key, value in request.headers if b"key-" in value}
        assert list(held) == [field]
        assert held[field].endswith(b"key-" + name.encode())


async def test_no_pause_outlasts_the_deadline() -> None:
    made = play("a", "b", alias={"metadata": {"llr": {"deadlineMs": 1_000}}}, attempts=3)
    made.upstream("a.test").answers(json_reply({}, 500, retry_after="2"))
    # No time passes: who must wait longer than the request may take is passed over at once.
    assert (await ask(made)).status == 200
    assert asked(made) == {"a": 1, "b": 1, "c": 0}


NO_SEARCH = json_reply({**CHAT.answer, "note": "Web access unavailable (out of credits)."})


async def test_an_answer_that_only_says_its_search_does_not_work_is_asked_of_the_next() -> None:
    tools: dict[str, Any] = {"tools": [{"type": "web_search"}]}
    made = play("a", "b")
    made.upstream("a.test").answers(NO_SEARCH)
    assert (await ask(made, **tools)).json == CHAT.answer
    assert asked(made) == {"a": 1, "b": 1, "c": 0}
    assert memory(made).health == {}
    # Nobody else is left: it is shown as it came.
    heard = await ask(made, "a/m", **tools)
    assert (heard.status, heard.json["note"]) == (200, "Web access unavailable (out of credits).")
    # Who did not ask for a search gets the text, whatever it says.
    assert (await ask(made)).json["note"]
    assert asked(made) == {"a": 3, "b": 1, "c": 0}
