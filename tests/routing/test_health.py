"""Records and what planning makes of them."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from llr.base.errors import ErrorKind
from llr.routing.cooldowns import clear_ops, cooldown_rows
from llr.routing.health import Condition, diagnosis, health_factor, health_ops
from llr.routing.outcome import Category, Commit, GiveUp, Next, Outcome, Phase, RetrySame, Verdict
from llr.routing.plan import COOLDOWN, PROBING, keys_for, plan
from llr.routing.retry import classify
from llr.routing.route import Candidate, Route
from llr.state.memory import MemoryStore
from llr.state.store import Fail, Health, Recover, Snapshot
from tests.routing.build import NOW, alias_route, config, provider, refs, route, sick

FACTORS = [
    (Health(), 1.0),
    (Health(failures=1), 1 / 1.5),
    (Health(failures=2), 0.5),
    (Health(failures=1_000), 0.05),
    (Health(extra={"healthScore": 0.5}), 0.5),
    (Health(extra={"healthScore": 0.5}, failures=2), 0.25),
    (Health(extra={"healthScore": 7}), 1.0),
    (Health(extra={"healthScore": "high"}), 1.0),
    (Health(extra={"healthScore": 0.001}), 0.05),
    (None, 1.0),
]


@pytest.mark.parametrize(("record", "factor"), FACTORS)
def test_health_factor(record: Health | None, factor: float) -> None:
    assert health_factor(record) == pytest.approx(factor)


def fails(found: Route, store: MemoryStore, candidate: Candidate, *, now: float, **outcome: Any) -> Verdict:
    came = Outcome(candidate.ref, 1, Phase.HEADERS, started_at=now - 0.1, **outcome)
    verdict = classify(came, attempt=1, selected=False, policy=found.policy, now=now, rng=Random(1))
    store.commit(health_ops(candidate, came, verdict, policy=found.policy, now=now), now=now)
    return verdict


def order(found: Route, store: MemoryStore, now: float) -> list[str]:
    return refs(plan(found, store.peek(keys_for(found, now=now), now=now), now=now))


OPS: list[tuple[Verdict, int]] = [
    (RetrySame(Category.TEMPORARY, 0.1), 0),
    (GiveUp(Category.INVALID_REQUEST), 0),
    (GiveUp(Category.CLIENT), 0),
    (Next(Category.NOT_SUPPORTED), 0),
    (Next(Category.CONTEXT_WINDOW), 0),
    (GiveUp(Category.POLICY), 0),
    (Next(Category.UNKNOWN), 0),
    (Next(Category.TEMPORARY, 0.0, True), 1),
    (Next(Category.RATE_LIMITED, 30.0, True), 1),
    (Next(Category.NOT_FOUND, 45.0), 1),
    (Next(Category.INVALID_REQUEST, 60.0), 1),
    (Next(Category.FORBIDDEN, 600.0), 1),
    (Next(Category.AUTH, 600.0), 2),
    (Next(Category.BILLING, 900.0), 2),
    (Commit(), 2),
]


@pytest.mark.parametrize(("verdict", "count"), OPS)
def test_which_failures_are_recorded(verdict: Verdict, count: int) -> None:
    found = alias_route(1)
    candidate = found.candidates[0]
    outcome = Outcome(candidate.ref, 1, Phase.HEADERS, status=500)
    ops = health_ops(candidate, outcome, verdict, policy=found.policy, now=NOW)
    assert len(ops) == count
    assert all(isinstance(op, Recover if isinstance(verdict, Commit) else Fail) for op in ops)
    assert health_ops(candidate, outcome, verdict, policy=found.policy, now=NOW, auxiliary=True) == ()


def test_retry_after_sends_the_next_request_straight_to_the_fallback() -> None:
    store, found = MemoryStore(), alias_route(2)
    fails(found, store, found.candidates[0], now=NOW, status=429, retry_after_s=60.0)
    assert order(found, store, NOW + 59) == ["p-b/m"]
    assert order(found, store, NOW + 60) == ["p-a/m", "p-b/m"]


def test_the_circuit_opens_at_the_second_failure_and_reopens_at_once() -> None:
    store, found = MemoryStore(), alias_route(2)
    first = found.candidates[0]
    fails(found, store, first, now=NOW, status=500)
    assert order(found, store, NOW) == ["p-a/m", "p-b/m"]
    fails(found, store, first, now=NOW + 1, status=500)
    assert order(found, store, NOW + 30.9) == ["p-b/m"]
    assert order(found, store, NOW + 31) == ["p-a/m", "p-b/m"]
    fails(found, store, first, now=NOW + 40, kind=ErrorKind.UPSTREAM_TIMEOUT)
    assert order(found, store, NOW + 69) == ["p-b/m"]


def test_half_open_lets_one_request_try() -> None:
    store, found = MemoryStore(), alias_route(2)
    first = found.candidates[0]
    fails(found, store, first, now=NOW, status=429, retry_after_s=10.0)
    later = NOW + 11
    planned = plan(found, store.peek(keys_for(found, now=later), now=later), now=later)
    assert planned.probes == {first.key: (first.key,)}
    from llr.routing.limits import refusal, reserve

    held = reserve(found, first, holder="r1", now=later, probes=planned.probes[first.key])
    assert all(store.commit(held.ops, now=later))
    second = reserve(found, first, holder="r2", now=later, probes=planned.probes[first.key])
    assert refusal(second, store.commit(second.ops, now=later)) == ((PROBING,), 0.0)
    planned = plan(found, store.peek(keys_for(found, now=later), now=later), now=later)
    assert refs(planned) == ["p-b/m"]
    assert planned.skipped[0].reasons == (PROBING,)
    # The try is given back by a request that never came to an end, and over with a success.
    store.commit(held.unused(), now=later)
    assert order(found, store, later) == ["p-a/m", "p-b/m"]
    store.commit((Recover(first.key),), now=later)
    planned = plan(found, store.peek(keys_for(found, now=later), now=later), now=later)
    assert (refs(planned), planned.probes) == (["p-a/m", "p-b/m"], {})


def test_no_half_open_try_is_taken_where_nobody_else_can_serve() -> None:
    store, found = MemoryStore(), alias_route(2)
    for candidate in found.candidates:
        fails(found, store, candidate, now=NOW, status=429, retry_after_s=10.0)
    later = NOW + 11
    planned = plan(found, store.peek(keys_for(found, now=later), now=later), now=later)
    assert (refs(planned), planned.probes) == (["p-a/m", "p-b/m"], {})


def two_models() -> Route:
    return route(config([provider("p", "m1", "m2"), provider("q", "m")], {"a": {"targets": ["p/m1", "p/m2", "q/m"]}}))


@pytest.mark.parametrize(
    ("status", "left"),
    [(401, ["q/m"]), (402, ["q/m"]), (429, ["p/m2", "q/m"]), (404, ["p/m2", "q/m"]), (403, ["p/m2", "q/m"])],
)
def test_failures_of_the_key_cool_every_model_behind_it(status: int, left: list[str]) -> None:
    store, found = MemoryStore(), two_models()
    fails(found, store, found.candidates[0], now=NOW, status=status)
    assert order(found, store, NOW + 1) == left


def test_another_key_is_not_blamed() -> None:
    store = MemoryStore()

    def with_key(key: str) -> Route:
        providers = [provider("p", "m1", "m2", apiKey=key), provider("q", "m")]
        return route(config(providers, {"a": {"targets": ["p/m1", "p/m2", "q/m"]}}))

    old, new = with_key("sk-old-000000000"), with_key("sk-new-111111111")
    fails(old, store, old.candidates[0], now=NOW, status=401)
    fails(old, store, old.candidates[1], now=NOW, status=429)
    assert order(old, store, NOW) == ["q/m"]
    assert order(new, store, NOW) == ["p/m1", "p/m2", "q/m"]


def test_the_formats_of_a_model_cool_apart() -> None:
    providers = [provider("p", "m", formats=["openai", "claude"], format="openai"), provider("q", "m")]
    from llr.base.names import FormatId

    found = config(providers, {"a": {"targets": ["p/m", "q/m"]}})
    chat, messages = route(found), route(found, client=FormatId.MESSAGES)
    store = MemoryStore()
    fails(chat, store, chat.candidates[0], now=NOW, status=429)
    assert order(chat, store, NOW) == ["q/m"]
    assert order(messages, store, NOW) == ["p/m", "q/m"]


def test_all_cooling_down_tries_the_first_to_recover() -> None:
    store, found = MemoryStore(), alias_route(3)
    for candidate, wait in zip(found.candidates, (60.0, 20.0, 40.0), strict=True):
        fails(found, store, candidate, now=NOW, status=429, retry_after_s=wait)
    planned = plan(found, store.peek(keys_for(found, now=NOW), now=NOW), now=NOW)
    assert refs(planned) == ["p-b/m", "p-c/m", "p-a/m"]
    assert planned.recovers_at == NOW + 20


def test_network_failure_everywhere_never_ends_in_no_provider() -> None:
    store, found = MemoryStore(), alias_route(2)
    for request in range(5):
        now = NOW + request
        assert len(order(found, store, now)) == 2
        for candidate in found.candidates:
            fails(found, store, candidate, now=now, kind=ErrorKind.UPSTREAM_UNREACHABLE)


def test_a_clock_set_back_frees_impossible_cooldowns() -> None:
    found = alias_route(2)
    first = found.candidates[0]
    far = sick(first, cooldowns={"rate_limited": NOW + 400 * 86_400.0})
    assert diagnosis(first, Snapshot(health=far), NOW).condition is Condition.HEALTHY
    near = sick(first, cooldowns={"rate_limited": NOW + 86_400.0})
    assert diagnosis(first, Snapshot(health=near), NOW).condition is Condition.COOLDOWN


def test_success_forgets() -> None:
    store, found = MemoryStore(), two_models()
    first = found.candidates[0]
    fails(found, store, first, now=NOW, status=401)
    came = Outcome(first.ref, 1, Phase.BODY, ok=True, status=200)
    store.commit(health_ops(first, came, Commit(), policy=found.policy, now=NOW), now=NOW)
    assert store.health == {}


async def test_operators_see_and_clear() -> None:
    store, found = MemoryStore(), two_models()
    fails(found, store, found.candidates[0], now=NOW, status=401)
    fails(found, store, found.candidates[1], now=NOW, status=429)
    fails(found, store, found.candidates[2], now=NOW, status=429, retry_after_s=5.0)
    rows = cooldown_rows(await store.everything(now=NOW), now=NOW)
    assert [(row.name, row.format, row.reason, row.until_at - NOW, row.status) for row in rows] == [
        ("q/m", "openai", "rate_limited", 5.0, 429),
        ("p/m2", "openai", "rate_limited", 30.0, 429),
        ("p/m1", "openai", "auth_failed", 600.0, 401),
        ("p", "", "auth_failed", 600.0, 401),
    ]
    # What was noted of a key that was changed since stops nothing, so it is not told.
    others = {"p": "another", "q": found.candidates[2].credential}
    shown = cooldown_rows(await store.everything(now=NOW), now=NOW, credentials=others)
    assert [row.name for row in shown] == ["q/m"]
    store.commit(clear_ops(await store.everything(now=NOW), "p/m1"), now=NOW)
    assert order(found, store, NOW) == ["p/m1"]
    store.commit(clear_ops(await store.everything(now=NOW), "p"), now=NOW)
    assert order(found, store, NOW) == ["p/m1", "p/m2"]
    store.commit(clear_ops(await store.everything(now=NOW)), now=NOW)
    assert order(found, store, NOW) == ["p/m1", "p/m2", "q/m"]
    assert cooldown_rows(await store.everything(now=NOW), now=NOW) == ()


def test_a_circuit_of_zero_is_off() -> None:
    store, found = MemoryStore(), alias_route(2)
    found = replace(found, policy=replace(found.policy, circuit_failures=0))
    for step in range(5):
        fails(found, store, found.candidates[0], now=NOW + step, status=500)
    assert order(found, store, NOW + 5)[0] == "p-a/m"
    assert COOLDOWN == "cooldown"
