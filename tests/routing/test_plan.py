"""Who is tried in which order, and who is not."""

from collections import Counter
from pathlib import Path

import pytest

from llr.base.errors import ErrorKind
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.routing.limits import layout, reserve
from llr.routing.plan import (
    CONCURRENCY,
    COOLDOWN,
    NO_KEYS,
    QUOTA,
    Need,
    context_risk,
    keys_for,
    nothing_to_try,
    plan,
    required_tokens,
)
from llr.routing.route import Route
from llr.state.memory import MemoryStore
from llr.state.stateless import StatelessStore
from llr.state.store import Keys, SetCursor, Snapshot
from tests.routing.build import NOW, alias_route, config, first_choices, provider, refs, route, sick


def windows(*sizes: int | None, fallback: tuple[int | None, ...] = (), strategy: str = "ordered") -> Route:
    """Returns an alias whose primaries are w0, w1, ... with these windows, its fallbacks f0, f1, ..."""

    def entry(name: str, window: int | None) -> JSON:
        return {"id": name, **({"contextWindow": window} if window else {})}

    primaries = [entry(f"w{place}", size) for place, size in enumerate(sizes)]
    spares = [entry(f"f{place}", size) for place, size in enumerate(fallback)]
    alias = {
        "strategy": strategy,
        "targets": [f"p/w{place}" for place in range(len(sizes))],
        "fallbackTargets": [f"p/f{place}" for place in range(len(fallback))],
    }
    return route(config([provider("p", *primaries, *spares)], {"a": alias}))


def names(found: Route, required: int) -> str:
    planned = plan(found, Snapshot(), now=NOW, need=Need(required))
    return " ".join(ref.removeprefix("p/") for ref in refs(planned))


K = 1_000
WINDOWS: list[tuple[Route, int, str]] = [
    (windows(128 * K, 200 * K), 150 * K, "w1 w0"),
    (windows(64 * K, 128 * K, 200 * K), 1_000 * K, "w2 w1 w0"),
    (windows(128 * K, 200 * K), 0, "w0 w1"),
    (windows(128 * K, 200 * K), 100 * K, "w0 w1"),
    (windows(128 * K, None, 200 * K), 150 * K, "w2 w1 w0"),
    (windows(None, 8 * K), 150 * K, "w0 w1"),
    (windows(8 * K, 8 * K), 150 * K, "w0 w1"),
    # What is too small waits behind a fallback that fits, but not behind one of unknown size.
    (windows(8 * K, fallback=(200 * K,)), 150 * K, "f0 w0"),
    (windows(8 * K, fallback=(None, 200 * K)), 150 * K, "f1 w0 f0"),
    (windows(8 * K, fallback=(None,)), 150 * K, "w0 f0"),
    (windows(200 * K, 8 * K, fallback=(200 * K, 9 * K)), 150 * K, "w0 f0 w1 f1"),
    (windows(8 * K, 16 * K, fallback=(9 * K,)), 150 * K, "w1 w0 f0"),
    (windows(200 * K), 150 * K, "w0"),
]


@pytest.mark.parametrize(("found", "required", "order"), WINDOWS)
def test_windows(found: Route, required: int, order: str) -> None:
    assert names(found, required) == order


def test_a_direct_route_keeps_its_order() -> None:
    providers = [provider("p", {"id": "small", "contextWindow": 8_000, "fallbackModels": ["p/big"]}, "big")]
    found = route(config(providers), "p/small")
    assert refs(plan(found, Snapshot(), now=NOW, need=Need(100_000))) == ["p/small", "p/big"]
    assert not found.needs_estimate


def test_a_big_request_never_reaches_the_small_model_first() -> None:
    found = windows(8 * K, 200 * K, 200 * K, strategy="round-robin")
    chosen = first_choices(found, MemoryStore(), 9, need=Need(100 * K))
    assert Counter(chosen) == {"p/w1": 5, "p/w2": 4}


def test_the_estimate_is_asked_for_only_where_it_matters() -> None:
    assert windows(8 * K, None).needs_estimate
    assert not windows(None, None).needs_estimate
    assert not windows(8 * K).needs_estimate


@pytest.mark.parametrize(
    ("size", "output", "required"),
    [
        (0, None, 1_024),
        (3_000, None, 1_000 + 1_024 + 256),
        (30_000, 500, 10_000 + 500 + 1_000),
        (1, 0, 1 + 1_024 + 256),
    ],
)
def test_required_tokens(size: int, output: int | None, required: int) -> None:
    assert required_tokens(size, output) == required


def test_risk() -> None:
    small, unknown = windows(200_000, None).candidates
    assert context_risk(small, Need(1_000_000)) == "selected-context-window-below-required:200000<1000000"
    assert context_risk(unknown, Need(5)) == "selected-context-window-unknown"
    assert context_risk(small, Need(200_000)) is None
    assert context_risk(unknown, Need()) is None


def test_round_robin_over_live_requests() -> None:
    store = MemoryStore()
    chosen = first_choices(alias_route(3, "round-robin"), store, 5)
    assert chosen == ["p-a/m", "p-b/m", "p-c/m", "p-a/m", "p-b/m"]
    assert store.cursors == {"route:alias:a@openai": 2}


def test_client_formats_rotate_apart() -> None:
    found = config([provider("p", "m"), provider("q", "m")], {"a": {"strategy": "rr", "targets": ["p/m", "q/m"]}})
    store = MemoryStore()
    assert first_choices(route(found, client=FormatId.CHAT), store, 1) == ["p/m"]
    assert first_choices(route(found, client=FormatId.MESSAGES), store, 1) == ["p/m"]
    assert first_choices(route(found, client=FormatId.RESPONSES), store, 1) == ["q/m"]


def test_ordered_and_single_routes_write_nothing() -> None:
    assert plan(alias_route(3), Snapshot(), now=NOW).ops == ()
    single = alias_route(1, "round-robin")
    assert keys_for(single, now=NOW) is NO_KEYS
    assert plan(single, Snapshot(), now=NOW) is plan(single, Snapshot(), now=NOW)
    assert keys_for(single, now=NOW, full=True) != Keys()


def tiers(strategy: str) -> Route:
    targets: JSON = ["p/a", "p/b"]
    spares: JSON = ["p/x", "p/y"]
    alias: JSON = {"strategy": strategy, "targets": targets, "fallbackTargets": spares}
    return route(config([provider("p", "a", "b", "x", "y")], {"a": alias}))


@pytest.mark.parametrize("strategy", ["ordered", "round-robin", "weighted-rr", "auto"])
def test_fallbacks_follow_every_strategy(strategy: str) -> None:
    store, found = MemoryStore(), tiers(strategy)
    for turn in range(6):
        planned = plan(found, store.peek(keys_for(found, now=NOW), now=NOW), now=NOW)
        store.commit(planned.ops, now=NOW)
        assert {*refs(planned)[:2]} == {"p/a", "p/b"}, turn
        assert refs(planned)[2:] == ["p/x", "p/y"]


def test_auto_with_one_primary_stays_on_it() -> None:
    alias: JSON = {"strategy": "auto", "targets": ["p/a"], "fallbackTargets": ["p/x"]}
    found = route(config([provider("p", "a", "x")], {"a": alias}))
    assert first_choices(found, MemoryStore(), 2) == ["p/a", "p/a"]


def test_cooling_primaries_leave_the_fallbacks_to_rank() -> None:
    found = tiers("round-robin")
    health = sick(found.candidates[0], open_until_at=NOW + 5) | sick(found.candidates[1], open_until_at=NOW + 9)
    state = Snapshot(health=health, cursors={found.key: 1})
    planned = plan(found, state, now=NOW)
    assert refs(planned) == ["p/y", "p/x"]
    assert planned.ops == (SetCursor(found.key, 0),)
    assert [(skip.candidate.ref, skip.reasons, skip.until_at) for skip in planned.skipped] == [
        ("p/a", (COOLDOWN,), NOW + 5),
        ("p/b", (COOLDOWN,), NOW + 9),
    ]


def test_all_cooling_prefers_a_primary_that_recovers_later() -> None:
    found = tiers("ordered")
    ends = zip(found.candidates, (9.0, 5.0, 1.0, 2.0), strict=True)
    health = {key: record for one, end in ends for key, record in sick(one, open_until_at=NOW + end).items()}
    planned = plan(found, Snapshot(health=health), now=NOW)
    assert refs(planned) == ["p/b", "p/a", "p/x", "p/y"]
    assert planned.recovers_at == NOW + 1


def limited(**aliases: JSON) -> Route:
    limits: JSON = [
        {"id": "minute", "models": ["all"], "requests": 10, "window": {"unit": "minute", "size": 1}},
        {"id": "hours", "models": ["m1"], "requests": 5, "window": {"unit": "hour", "size": 6}},
    ]
    providers = [provider("p", "m1", "m2", rateLimits=limits), provider("q", "m")]
    alias: JSON = {"targets": ["p/m1", "p/m2", "q/m"], **aliases}
    return route(config(providers, {"a": alias}))


def spent(found: Route, **counts: int) -> Snapshot:
    gauges = {gauge.bucket: gauge.key for row in layout(found, NOW).gauges for gauge in row}
    return Snapshot(usage={gauges[name]: count for name, count in counts.items()})


SPENT: list[tuple[dict[str, int], list[str]]] = [
    ({}, ["p/m1", "p/m2", "q/m"]),
    ({"minute": 9, "hours": 4}, ["p/m1", "p/m2", "q/m"]),
    ({"minute": 10}, ["q/m"]),
    ({"minute": 10, "hours": 1}, ["q/m"]),
    ({"hours": 5}, ["p/m2", "q/m"]),
    ({"hours": 99}, ["p/m2", "q/m"]),
]


@pytest.mark.parametrize(("counts", "order"), SPENT)
def test_exhausted_buckets(counts: dict[str, int], order: list[str]) -> None:
    found = limited()
    planned = plan(found, spent(found, **counts), now=NOW)
    assert refs(planned) == order
    assert all(skip.reasons == (QUOTA,) for skip in planned.skipped)


def test_quota_and_cooldown_together_are_not_overridden() -> None:
    found = limited()
    state = spent(found, minute=10)
    health = {key: one for c in found.candidates for key, one in sick(c, open_until_at=NOW + 5).items()}
    planned = plan(found, Snapshot(usage=state.usage, health=health), now=NOW)
    assert refs(planned) == ["q/m"]
    assert [skip.reasons for skip in planned.skipped] == [(COOLDOWN, QUOTA)] * 2


def test_quota_awareness() -> None:
    limits: JSON = [{"id": "b", "models": ["all"], "requests": 1_000, "window": {"unit": "month", "size": 1}}]
    providers = [provider("p", "m", rateLimits=limits), provider("q", "m", rateLimits=limits)]
    found = route(config(providers, {"a": {"strategy": "auto", "targets": ["p/m", "q/m"]}}))
    keys = layout(found, NOW).keys.buckets
    store = MemoryStore()
    chosen: list[str] = []
    for _ in range(100):
        cursors = store.peek(keys_for(found, now=NOW), now=NOW).cursors
        planned = plan(found, Snapshot(usage={keys[1]: 900}, cursors=cursors), now=NOW)
        store.commit(planned.ops, now=NOW)
        chosen.append(planned.order[0].ref)
    assert chosen.count("p/m") >= 75
    assert chosen.count("q/m") <= 25


def test_nothing_left_says_when() -> None:
    limits: JSON = [{"id": "minute", "models": ["all"], "requests": 1, "window": {"unit": "minute", "size": 1}}]
    providers = [provider("p", "m1", "m2", rateLimits=limits)]
    found = route(config(providers, {"a": {"targets": ["p/m1", "p/m2"]}}))
    planned = plan(found, spent(found, minute=1), now=NOW)
    assert planned.order == ()
    fault = nothing_to_try(found, planned.skipped, now=NOW)
    assert (fault.kind, fault.http_status, fault.retry_after_s) == (ErrorKind.RATE_LIMITED, 429, 23.0)
    assert "no eligible providers remain for route 'a'" in fault.message
    assert "p/m1: quota-exhausted" in fault.message
    assert fault.message.endswith("is used up; `llr cooldowns` shows the counts. Try again in 23 s")


def test_full_slots_are_skipped_and_worded() -> None:
    knobs: JSON = {"llr": {"maxConcurrency": 1}}
    found = route(config([provider("p", "m", "n", metadata=knobs)], {"a": {"targets": ["p/m", "p/n"]}}))
    planned = plan(found, Snapshot(leases={"slot:provider:p": 1}), now=NOW)
    assert [skip.reasons for skip in planned.skipped] == [(CONCURRENCY,)] * 2
    fault = nothing_to_try(found, planned.skipped, now=NOW)
    assert (fault.http_status, fault.retry_after_s) == (429, 1.0)


def test_unfit_candidates_are_named() -> None:
    providers = [provider("s", "m", "n", type="subscription", subscriptionType="claude-code")]
    found = route(config(providers, {"a": {"targets": ["s/m", "s/n"]}}))
    planned = plan(found, Snapshot(), now=NOW)
    assert planned.order == ()
    fault = nothing_to_try(found, planned.skipped, now=NOW)
    assert (fault.kind, fault.http_status) == (ErrorKind.NO_CANDIDATE, 503)
    assert "s/m: subscription-not-built" in fault.message


async def test_without_state_every_request_is_the_first(tmp_path: Path) -> None:
    store, found = StatelessStore(), limited(strategy="round-robin")
    for _ in range(30):
        planned = plan(found, await store.read(keys_for(found, now=NOW), now=NOW), now=NOW)
        assert refs(planned)[0] == "p/m1"
        assert all(
            await store.apply((*planned.ops, *reserve(found, planned.order[0], holder="r", now=NOW).ops), now=NOW)
        )
    assert list(tmp_path.iterdir()) == []
