"""Windows to the letter; taking, settling and giving back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.config.schema import Config, Window
from llr.routing.cooldowns import reset_ops, usage_rows
from llr.routing.limits import LEASE_S, NOTHING_RESERVED, layout, refusal, reserve
from llr.routing.plan import QUOTA, keys_for, plan
from llr.routing.windows import span
from llr.state.memory import MemoryStore
from llr.state.store import BucketKey, Keys, Lease
from tests.routing.build import NOW, config, provider, refs, route

# The same examples every time, and no clock: the machine may be busy.
calm = settings(deadline=None, derandomize=True)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


WINDOWS = [
    ("second", 10, "second:10:2026-02-28T15:42:30Z", "2026-02-28T15:42:40"),
    ("minute", 15, "minute:15:2026-02-28T15:30Z", "2026-02-28T15:45"),
    ("hour", 1, "hour:1:2026-02-28T15:00Z", "2026-02-28T16:00"),
    ("hour", 5, "hour:5:2026-02-28T12:00Z", "2026-02-28T17:00"),
    ("hour", 6, "hour:6:2026-02-28T12:00Z", "2026-02-28T18:00"),
    ("day", 1, "day:1:2026-02-28", "2026-03-01"),
    ("day", 3, "day:3:2026-02-27", "2026-03-02"),
    ("week", 1, "week:1:2026-02-23", "2026-03-02"),
    ("week", 2, "week:2:2026-02-16", "2026-03-02"),
    ("month", 1, "month:1:2026-02", "2026-03-01"),
    ("month", 3, "month:3:2026-01", "2026-04-01"),
    ("month", 5, "month:5:2025-11", "2026-04-01"),
    ("month", 12, "month:12:2026-01", "2027-01-01"),
    ("fortnight", 1, "day:1:2026-02-28", "2026-03-01"),
    ("hour", 0, "hour:1:2026-02-28T15:00Z", "2026-02-28T16:00"),
]


@pytest.mark.parametrize(("unit", "size", "key", "end"), WINDOWS)
def test_window(unit: str, size: int, key: str, end: str) -> None:
    assert at("2026-02-28T15:42:37") == NOW
    found = span(Window(unit, size), NOW)
    assert (found.key, found.end_at) == (key, at(end))
    assert found.start_at <= NOW < found.end_at


EDGES = [
    ("week", 1, "2026-03-01T23:59:59.999", "week:1:2026-02-23"),
    ("week", 1, "2026-03-02T00:00:00", "week:1:2026-03-02"),
    ("month", 1, "2028-02-29T23:59:59", "month:1:2028-02"),
    ("month", 12, "2025-12-31T23:59:59", "month:12:2025-01"),
    ("day", 1, "1970-01-01T00:00:00", "day:1:1970-01-01"),
    ("week", 1, "1970-01-01T00:00:00", "week:1:1969-12-29"),
]


@pytest.mark.parametrize(("unit", "size", "now", "key"), EDGES)
def test_edges(unit: str, size: int, now: str, key: str) -> None:
    assert span(Window(unit, size), at(now)).key == key


units = st.sampled_from(["second", "minute", "hour", "day", "week", "month"])
instants = st.floats(min_value=0, max_value=4e9, allow_nan=False)


@calm
@given(units, st.integers(1, 400), instants)
def test_windows_tile_time(unit: str, size: int, now: float) -> None:
    window = Window(unit, size)
    found = span(window, now)
    assert found.start_at <= now < found.end_at
    assert span(window, found.start_at) == found
    following = span(window, found.end_at)
    assert following.start_at == found.end_at
    assert following.key != found.key
    if found.start_at > 0:
        assert span(window, found.start_at - 1).end_at == found.start_at


@calm
@given(st.sampled_from(["second", "minute", "hour", "day"]), st.integers(1, 400), instants)
def test_equal_lengths(unit: str, size: int, now: float) -> None:
    found = span(Window(unit, size), now)
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[unit]
    assert found.end_at - found.start_at == size * seconds
    assert found.start_at % (size * seconds) == 0


def bucket(name: str, requests: int, unit: str = "minute", *models: str, **more: Any) -> dict[str, Any]:
    window = {"unit": unit, "size": 1}
    return {"id": name, "models": list(models) or ["all"], "requests": requests, "window": window, **more}


def limited(*buckets: dict[str, Any], **knobs: int) -> Config:
    first = provider("acme", "m1", {"id": "m2", "aliases": ["nick"]}, rateLimits=list(buckets), metadata={"llr": knobs})
    aliases = {"a": {"targets": ["acme/m1", "acme/m2", "beta/m"]}}
    return config([first, provider("beta", "m")], aliases)


def test_which_buckets_apply() -> None:
    found = route(limited(bucket("any", 5), bucket("one", 5, "hour", "m1"), bucket("two", 5, "day", "m2")))
    names = [[gauge.bucket for gauge in row] for row in layout(found, NOW).gauges]
    assert names == [["any", "one"], ["any", "two"], []]
    keys = layout(found, NOW).keys.buckets
    assert BucketKey("bucket:acme:one", "hour:1:2026-02-28T15:00Z") in keys
    assert len(keys) == 3


def test_the_layout_changes_with_the_window() -> None:
    found = route(limited(bucket("any", 5)))
    one = layout(found, NOW)
    assert layout(found, NOW + 1) is one
    assert one.until_at == at("2026-02-28T15:43")
    other = layout(found, one.until_at)
    assert other.keys.buckets != one.keys.buckets
    # A clock that is set back finds its window again.
    assert layout(found, NOW).keys.buckets == one.keys.buckets


def test_reserve_counts_once_per_bucket_and_gives_back() -> None:
    store, found = MemoryStore(), route(limited(bucket("any", 2), bucket("month", 9, "month")))
    held = reserve(found, found.tryable[0], holder="r1", now=NOW)
    assert all(store.commit(held.ops, now=NOW))
    assert sorted(entry.count for entry in store.usage.values()) == [1, 1]
    store.commit(held.unused(), now=NOW)
    assert all(entry.count == 0 for entry in store.usage.values())
    for number in range(2):
        assert all(store.commit(reserve(found, found.tryable[0], holder=f"r{number}", now=NOW).ops, now=NOW))
    late = reserve(found, found.tryable[1], holder="r3", now=NOW)
    granted = store.commit(late.ops, now=NOW)
    assert refusal(late, granted) == ((QUOTA,), at("2026-02-28T15:43"))
    assert all(entry.count == 2 for entry in store.usage.values())


def test_nothing_to_hold_needs_no_call() -> None:
    found = route(limited(), "beta/m")
    assert reserve(found, found.tryable[0], holder="r1", now=NOW) is NOTHING_RESERVED


def test_tokens_are_estimated_then_settled() -> None:
    store = MemoryStore()
    found = route(limited(bucket("any", 100, metadata={"llr": {"tokens": 1_000}})))
    assert found.needs_estimate
    key = next(key for key in layout(found, NOW).keys.buckets if key.bucket.endswith("#tokens"))
    one = reserve(found, found.tryable[0], holder="r1", now=NOW, tokens=600)
    assert all(store.commit(one.ops, now=NOW))
    two = reserve(found, found.tryable[0], holder="r2", now=NOW, tokens=600)
    assert refusal(two, store.commit(two.ops, now=NOW))[0] == (QUOTA,)
    store.commit(one.used(150), now=NOW)
    assert store.usage[key].count == 150
    assert all(store.commit(two.ops, now=NOW))
    # An answer without usage leaves the estimate standing; one that failed used none.
    store.commit(two.used(None), now=NOW)
    assert store.usage[key].count == 750
    store.commit(two.used(0), now=NOW)
    assert store.usage[key].count == 150


def test_a_request_larger_than_the_cap_runs_in_an_empty_window() -> None:
    store = MemoryStore()
    found = route(limited(bucket("any", 100, metadata={"llr": {"tokens": 1_000}})))
    huge = reserve(found, found.tryable[0], holder="r1", now=NOW, tokens=50_000)
    assert all(store.commit(huge.ops, now=NOW))
    assert not all(store.commit(reserve(found, found.tryable[0], holder="r2", now=NOW, tokens=1).ops, now=NOW))


def test_slots_are_leased_renewed_and_freed() -> None:
    store, found = MemoryStore(), route(limited(maxConcurrency=1))
    held = reserve(found, found.tryable[0], holder="r1", now=NOW)
    assert held.ops == (Lease("slot:provider:acme", "r1", 1, NOW + LEASE_S),)
    assert all(store.commit(held.ops, now=NOW))
    other = reserve(found, found.tryable[1], holder="r2", now=NOW)
    assert refusal(other, store.commit(other.ops, now=NOW)) == (("concurrency-limit",), 0.0)
    store.commit(held.renewals(NOW + 50), now=NOW + 50)
    assert not all(store.commit(other.ops, now=NOW + LEASE_S + 1))
    planned = plan(found, store.peek(keys_for(found, now=NOW), now=NOW), now=NOW)
    assert refs(planned) == ["beta/m"]
    assert [skip.reasons for skip in planned.skipped] == [("concurrency-limit",)] * 2
    store.commit(held.unleased(), now=NOW + 70)
    assert all(store.commit(reserve(found, found.tryable[1], holder="r2", now=NOW + 70).ops, now=NOW + 70))


def test_all_three_scopes_of_slots() -> None:
    model = {"id": "m", "metadata": {"llr": {"maxConcurrency": 3}}}
    entry = provider("p", model, metadata={"llr": {"maxConcurrency": 5}})
    alias = {"targets": ["p/m"], "metadata": {"llr": {"maxConcurrency": 7}}}
    found = route(config([entry], {"a": alias}))
    ops = reserve(found, found.tryable[0], holder="r", now=NOW).ops
    assert [(op.slot, op.limit) for op in ops if isinstance(op, Lease)] == [
        ("slot:provider:p", 5),
        ("slot:model:p%2Fm", 3),
        ("slot:alias:a", 7),
    ]


@calm
@given(st.lists(st.tuples(st.sampled_from(["take", "finish", "fail"]), st.integers(1, 900)), max_size=80))
def test_no_window_is_ever_over_its_limit(steps: list[tuple[str, int]]) -> None:
    store = MemoryStore()
    found = route(limited(bucket("any", 7, metadata={"llr": {"tokens": 2_000}}), maxConcurrency=4))
    keys = layout(found, NOW).keys
    held = []
    for number, (step, tokens) in enumerate(steps):
        if step == "take":
            one = reserve(found, found.tryable[number % 2], holder=f"r{number}", now=NOW, tokens=tokens)
            if all(store.commit(one.ops, now=NOW)):
                held.append((one, tokens))
        elif held:
            one, estimate = held.pop(0)
            store.commit(one.used(min(tokens, estimate)) if step == "finish" else one.unused(), now=NOW)
        seen = store.peek(keys, now=NOW)
        assert all(count <= (2_000 if key.bucket.endswith("#tokens") else 7) for key, count in seen.usage.items())
        assert all(count <= 4 for count in seen.leases.values())
    for one, _ in held:
        store.commit(one.unused(), now=NOW)
    assert store.peek(Keys(slots=keys.slots), now=NOW).leases == {}


async def test_operators_see_and_empty_counts() -> None:
    store = MemoryStore()
    found_in = limited(bucket("any bucket", 100, metadata={"llr": {"tokens": 1_000}}), bucket("day", 9, "day"))
    found = route(found_in)
    store.commit(reserve(found, found.tryable[0], holder="r", now=NOW, tokens=70).ops, now=NOW)
    rows = usage_rows(await store.everything(now=NOW))
    assert [(row.provider, row.bucket, row.unit, row.window, row.used) for row in rows] == [
        ("acme", "any bucket", "requests", "minute:1:2026-02-28T15:42Z", 1),
        ("acme", "any bucket", "tokens", "minute:1:2026-02-28T15:42Z", 70),
        ("acme", "day", "requests", "day:1:2026-02-28", 1),
    ]
    dated = usage_rows(await store.everything(now=NOW), now=NOW, providers=found_in.providers)
    assert [row.resets_at for row in dated] == [at("2026-02-28T15:43"), at("2026-02-28T15:43"), at("2026-03-01")]
    later = usage_rows(await store.everything(now=NOW), now=NOW + 60, providers=found_in.providers)
    assert [row.resets_at for row in later] == [0.0, 0.0, at("2026-03-01")]
    store.commit(reset_ops(await store.everything(now=NOW), "acme", "any bucket"), now=NOW)
    assert [row.bucket for row in usage_rows(await store.everything(now=NOW))] == ["day"]
    assert reset_ops(await store.everything(now=NOW), "beta") == ()
    store.commit(reset_ops(await store.everything(now=NOW)), now=NOW)
    assert usage_rows(await store.everything(now=NOW)) == ()
