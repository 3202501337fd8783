"""What every store must do, as checks that take a store: `check_all(make)` runs each on a fresh one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from llr.state.store import (
    BucketKey,
    Clear,
    Evict,
    Fail,
    Health,
    Keys,
    Lease,
    Op,
    Pin,
    Probe,
    Recover,
    Release,
    Reserve,
    SetCursor,
    Settle,
    Snapshot,
    Store,
    Unlease,
)

NOW = 1_772_293_357.125
MINUTE = BucketKey("bucket:acme:burst", "minute:1:2026-02-28T15:42Z")
MONTH = BucketKey("bucket:acme:monthly cap#tokens", "month:1:2026-02")
SICK = "candidate:acme%2Fsmart-2@openai"
Check = Callable[[Store], Awaitable[None]]


async def health(store: Store, now: float = NOW, key: str = SICK) -> Health | None:
    return (await store.read(Keys(health=(key,)), now=now)).health.get(key)


async def used(store: Store, key: BucketKey = MINUTE, now: float = NOW) -> int:
    return (await store.read(Keys(buckets=(key,)), now=now)).usage.get(key, 0)


async def held(store: Store, slot: str, now: float = NOW) -> int:
    return (await store.read(Keys(slots=(slot,)), now=now)).leases.get(slot, 0)


def failure(**changes: object) -> Fail:
    base = Fail(SICK, "temporary_error", 500, True, NOW - 1, threshold=2, open_s=30.0, credential="aa")
    return replace(base, **changes)  # type: ignore[arg-type]


async def check_unknown_keys_are_absent(store: Store) -> None:
    keys = Keys(("route:x",), (MINUTE,), (SICK,), ("pin:x",), ("slot:x",))
    assert await store.read(keys, now=NOW) == Snapshot()
    assert await store.read(Keys(), now=NOW) == Snapshot()
    assert await store.apply((), now=NOW) == ()


async def check_cursors(store: Store) -> None:
    assert await store.apply([SetCursor("route:a", 3), SetCursor("route:b", 0)], now=NOW) == (True, True)
    found = await store.read(Keys(cursors=("route:a", "route:b", "route:c")), now=NOW)
    assert found.cursors == {"route:a": 3, "route:b": 0}
    await store.apply([SetCursor("route:a", 4)], now=NOW + 1e6)
    assert (await store.read(Keys(cursors=("route:a",)), now=NOW + 1e6)).cursors == {"route:a": 4}


async def check_counters_accumulate_and_end(store: Store) -> None:
    await store.apply([Reserve(MINUTE, 2, 10, NOW + 30)], now=NOW)
    await store.apply([Reserve(MINUTE, 1, 10, NOW + 30), Reserve(MONTH, 5, 10, NOW + 9e5)], now=NOW + 1)
    assert await used(store) == 3
    assert await used(store, MONTH) == 5
    assert await used(store, now=NOW + 29.9) == 3
    assert await used(store, now=NOW + 30) == 0
    # An ended window starts from nothing.
    assert await store.apply([Reserve(MINUTE, 10, 10, NOW + 90)], now=NOW + 31) == (True,)
    assert await used(store, now=NOW + 31) == 10


async def check_reserve_stops_at_the_limit(store: Store) -> None:
    assert await store.apply([Reserve(MINUTE, 3, 3, NOW + 30)], now=NOW) == (True,)
    assert await store.apply([Reserve(MINUTE, 1, 3, NOW + 30)], now=NOW) == (False,)
    assert await used(store) == 3
    # The limit may have been lowered since.
    assert await store.apply([Reserve(MINUTE, 1, 2, NOW + 30)], now=NOW) == (False,)


async def check_one_refusal_writes_nothing(store: Store) -> None:
    await store.apply([Reserve(MINUTE, 3, 3, NOW + 30)], now=NOW)
    ops: list[Op] = [
        SetCursor("route:a", 7),
        Reserve(MONTH, 4, 100, NOW + 9e5),
        Reserve(MINUTE, 1, 3, NOW + 30),
        Lease("slot:s", "r1", 5, NOW + 60),
        failure(),
        Pin("pin:x", SICK, NOW + 60),
    ]
    assert await store.apply(ops, now=NOW) == (True, True, False, True, True, True)
    keys = Keys(("route:a",), (MONTH,), (SICK,), ("pin:x",), ("slot:s",))
    assert await store.read(keys, now=NOW) == Snapshot()


async def check_one_call_cannot_pass_a_limit_in_parts(store: Store) -> None:
    twice = [Reserve(MINUTE, 2, 3, NOW + 30), Reserve(MINUTE, 2, 3, NOW + 30)]
    assert await store.apply(twice, now=NOW) == (True, False)
    assert await used(store) == 0
    leases = [Lease("slot:s", "r1", 1, NOW + 60), Lease("slot:s", "r2", 1, NOW + 60)]
    assert await store.apply(leases, now=NOW) == (True, False)
    assert await held(store, "slot:s") == 0


async def check_release_never_goes_below_zero(store: Store) -> None:
    await store.apply([Release(MINUTE, 5)], now=NOW)
    assert await used(store) == 0
    await store.apply([Reserve(MINUTE, 3, 9, NOW + 30)], now=NOW)
    await store.apply([Release(MINUTE, 1)], now=NOW)
    assert await used(store) == 2
    await store.apply([Release(MINUTE, 5)], now=NOW)
    assert await used(store) == 0
    # The window's end is still known after all this.
    await store.apply([Reserve(MINUTE, 2, 9, NOW + 30)], now=NOW)
    await store.apply([Release(MINUTE, 1)], now=NOW)
    assert await used(store, now=NOW + 30) == 0


async def check_settle_may_pass_the_limit(store: Store) -> None:
    await store.apply([Reserve(MONTH, 10, 10, NOW + 60)], now=NOW)
    await store.apply([Settle(MONTH, 10, 25, NOW + 60)], now=NOW)
    assert await used(store, MONTH) == 25
    await store.apply([Settle(MONTH, 25, 3, NOW + 60)], now=NOW)
    assert await used(store, MONTH) == 3
    # A window that ended before its answer did keeps nothing.
    await store.apply([Settle(MONTH, 3, 400, NOW + 60)], now=NOW + 61)
    assert await used(store, MONTH, now=NOW + 61) == 0


async def check_leases(store: Store) -> None:
    assert await store.apply([Lease("slot:s", "r1", 2, NOW + 60)], now=NOW) == (True,)
    assert await store.apply([Lease("slot:s", "r2", 2, NOW + 60)], now=NOW) == (True,)
    assert await store.apply([Lease("slot:s", "r3", 2, NOW + 60)], now=NOW) == (False,)
    assert await held(store, "slot:s") == 2
    # Renewing needs no free slot, even where the limit was lowered.
    assert await store.apply([Lease("slot:s", "r1", 1, NOW + 90)], now=NOW + 20) == (True,)
    await store.apply([Unlease("slot:s", "r2"), Unlease("slot:s", "nobody")], now=NOW + 20)
    assert await held(store, "slot:s", NOW + 20) == 1
    assert await store.apply([Lease("slot:s", "r3", 2, NOW + 80)], now=NOW + 20) == (True,)


async def check_a_dead_holder_frees_its_slot(store: Store) -> None:
    await store.apply([Lease("slot:s", "dead", 1, NOW + 60)], now=NOW)
    assert await store.apply([Lease("slot:s", "next", 1, NOW + 90)], now=NOW + 59.9) == (False,)
    assert await held(store, "slot:s", NOW + 60) == 0
    assert await store.apply([Lease("slot:s", "next", 1, NOW + 120)], now=NOW + 60) == (True,)
    assert await held(store, "slot:s", NOW + 61) == 1


async def check_a_dead_process_gives_back_all_it_held_and_nobody_elses(store: Store) -> None:
    held_by = ("w.7:r1", "w.7:r2", "w.71:r1", "W.7:r1", "x:w.7:r1", "%.7:r1")
    await store.apply([Lease("slot:s", holder, 9, NOW + 60) for holder in held_by], now=NOW)
    await store.apply([Lease("slot:t", "w.7:r1", 1, NOW + 60), Reserve(MINUTE, 1, 9, NOW + 30)], now=NOW)
    assert await store.apply([Evict(slot, "w.7:") for slot in ("slot:s", "slot:t", "slot:u")], now=NOW) == (True,) * 3
    assert (await held(store, "slot:s"), await held(store, "slot:t"), await used(store)) == (4, 0, 1)
    assert await store.apply([Lease("slot:t", "next", 1, NOW + 60)], now=NOW) == (True,)
    # Once more, and of one who never held anything: nothing happens.
    await store.apply([Evict("slot:s", "w.7:"), Evict("slot:s", "nobody")], now=NOW)
    assert (await held(store, "slot:s"), await held(store, "slot:t")) == (4, 1)


async def check_failures_open_the_circuit(store: Store) -> None:
    await store.apply([failure()], now=NOW)
    record = await health(store)
    assert record is not None
    assert (record.failures, record.open_until_at, record.credential) == (1, 0.0, "aa")
    assert (record.last_failure_at, record.last_failure_status) == (NOW, 500)
    assert (record.last_failure_category, record.updated_at, dict(record.cooldowns)) == ("temporary_error", NOW, {})
    await store.apply([failure(started_at=NOW + 1)], now=NOW + 2)
    record = await health(store)
    assert record is not None
    assert (record.failures, record.open_until_at) == (2, NOW + 32)
    # Open time over: one more failure opens it again at once.
    await store.apply([failure(started_at=NOW + 40)], now=NOW + 41)
    record = await health(store, NOW + 41)
    assert record is not None
    assert (record.failures, record.open_until_at) == (3, NOW + 71)


async def check_a_burst_counts_once(store: Store) -> None:
    for delay in (0.0, 0.5, 1.0, 1.5):
        await store.apply([failure(started_at=NOW - 5)], now=NOW + delay)
    record = await health(store)
    assert record is not None
    assert (record.failures, record.open_until_at) == (1, 0.0)
    await store.apply([failure(started_at=NOW + 0.25)], now=NOW + 2)
    record = await health(store)
    assert record is not None
    assert record.failures == 2


async def check_a_failure_that_does_not_count_resets(store: Store) -> None:
    await store.apply([failure()], now=NOW)
    cool = failure(counts=False, category="not_found", reason="not_found", status=404, cooldown_until_at=NOW + 45)
    await store.apply([cool], now=NOW)
    record = await health(store)
    assert record is not None
    assert (record.failures, dict(record.cooldowns)) == (0, {"not_found": NOW + 45})


async def check_cooldowns_only_get_longer_and_are_capped(store: Store) -> None:
    def cool(until: float, reason: str = "rate_limited") -> Fail:
        return failure(counts=False, reason=reason, cooldown_until_at=until, threshold=0)

    await store.apply([cool(NOW + 60)], now=NOW)
    await store.apply([cool(NOW + 20), cool(NOW + 40, "not_found")], now=NOW)
    record = await health(store)
    assert record is not None
    assert dict(record.cooldowns) == {"rate_limited": NOW + 60, "not_found": NOW + 40}
    await store.apply([cool(NOW + 10 * 86_400)], now=NOW)
    record = await health(store)
    assert record is not None
    assert record.cooldowns["rate_limited"] == NOW + 86_400
    # What is over is dropped with the next failure.
    await store.apply([failure(started_at=NOW + 50)], now=NOW + 50)
    record = await health(store)
    assert record is not None
    assert dict(record.cooldowns) == {"rate_limited": NOW + 86_400}


async def check_another_key_starts_clean(store: Store) -> None:
    await store.apply([failure(), failure(started_at=NOW)], now=NOW)
    await store.apply([failure(credential="bb")], now=NOW)
    record = await health(store)
    assert record is not None
    assert (record.failures, record.open_until_at, record.credential) == (1, 0.0, "bb")


async def check_recovery_and_clearing(store: Store) -> None:
    cool = failure(counts=False, reason="auth_failed", cooldown_until_at=NOW + 600)
    await store.apply([cool], now=NOW)
    await health(store)
    await store.apply([Recover(SICK)], now=NOW)
    assert await health(store) is None
    # An answer to an attempt that began before the failure is older news.
    await store.apply([cool], now=NOW)
    await health(store)
    await store.apply([Recover(SICK, NOW - 1)], now=NOW + 5)
    assert await health(store) is not None
    await store.apply([Recover(SICK, NOW + 1)], now=NOW + 6)
    assert await health(store) is None
    await store.apply([cool, replace(cool, reason="rate_limited", cooldown_until_at=NOW + 30)], now=NOW)
    await store.apply([Clear(SICK, "auth_failed")], now=NOW)
    record = await health(store)
    assert record is not None
    assert dict(record.cooldowns) == {"rate_limited": NOW + 30}
    await store.apply([Clear(SICK, "rate_limited")], now=NOW)
    assert await health(store) is None
    await store.apply([cool], now=NOW)
    await store.apply([Clear(SICK), Clear("candidate:nobody")], now=NOW)
    assert await health(store) is None


async def check_records_are_forgotten_a_day_after_their_end(store: Store) -> None:
    await store.apply([failure(counts=False, reason="x", cooldown_until_at=NOW + 100)], now=NOW)
    assert await health(store, NOW + 100 + 86_399) is not None
    assert await health(store, NOW + 100 + 86_400) is None


async def check_one_half_open_try(store: Store) -> None:
    await store.apply([failure(), failure(started_at=NOW)], now=NOW)
    later = NOW + 40
    assert await store.apply([Probe(SICK, later + 30)], now=later) == (True,)
    assert await store.apply([Probe(SICK, later + 31)], now=later + 1) == (False,)
    record = await health(store, later)
    assert record is not None
    assert record.probing_until_at == later + 30
    await store.apply([Probe(SICK, 0.0)], now=later + 2)
    assert await store.apply([Probe(SICK, later + 40)], now=later + 3) == (True,)
    # A holder that died frees it by time; a failure frees it at once; without a record nothing is taken.
    assert await store.apply([Probe(SICK, later + 90)], now=later + 41) == (True,)
    await store.apply([failure(started_at=later)], now=later + 42)
    record = await health(store, later + 42)
    assert record is not None
    assert record.probing_until_at == 0.0
    assert await store.apply([Probe("candidate:well", later)], now=NOW) == (True,)
    assert await health(store, key="candidate:well") is None
    assert await store.apply([Probe("c:x", later), Probe("c:x", later)], now=NOW) == (True, False)


async def check_pins(store: Store) -> None:
    await store.apply([Pin("pin:a", "candidate:1", NOW + 60), Pin("pin:b", "candidate:2", NOW + 90)], now=NOW)
    keys = Keys(pins=("pin:a", "pin:b", "pin:c"))
    found = await store.read(keys, now=NOW)
    assert found.pins == {
        "pin:a": Pin("pin:a", "candidate:1", NOW + 60),
        "pin:b": Pin("pin:b", "candidate:2", NOW + 90),
    }
    assert set((await store.read(keys, now=NOW + 60)).pins) == {"pin:b"}
    await store.apply([Pin("pin:b", "", 0.0)], now=NOW)
    await store.apply([Pin("pin:a", "candidate:3", NOW + 70)], now=NOW)
    assert (await store.read(keys, now=NOW)).pins == {"pin:a": Pin("pin:a", "candidate:3", NOW + 70)}


async def check_everything(store: Store) -> None:
    ops: list[Op] = [
        SetCursor("route:a", 2),
        Reserve(MINUTE, 2, 9, NOW + 30),
        Reserve(MONTH, 7, 9, NOW + 9e5),
        Lease("slot:s", "r1", 2, NOW + 60),
        Lease("slot:t", "r1", 2, NOW + 5),
        failure(counts=False, reason="rate_limited", cooldown_until_at=NOW + 60),
        Pin("pin:a", SICK, NOW + 60),
    ]
    assert all(await store.apply(ops, now=NOW))
    found = await store.everything(now=NOW + 40)
    assert found.cursors == {"route:a": 2}
    assert found.usage == {MONTH: 7}
    assert found.leases == {"slot:s": 1}
    assert found.pins == {"pin:a": Pin("pin:a", SICK, NOW + 60)}
    assert dict(found.health[SICK].cooldowns) == {"rate_limited": NOW + 60}


async def check_parallel_reservations_never_overshoot(store: Store) -> None:
    async def one(number: int) -> bool:
        ops: list[Op] = [Reserve(MINUTE, 1, 50, NOW + 30), Lease("slot:s", f"r{number}", 60, NOW + 60)]
        return all(await store.apply(ops, now=NOW))

    granted = await asyncio.gather(*(one(number) for number in range(200)))
    assert sum(granted) == 50
    assert await used(store) == 50
    assert await held(store, "slot:s") == 50


async def check_a_caller_cancelled_at_once_holds_nothing(store: Store) -> None:
    """The pump or thread of a store has not even begun."""
    await store.apply([SetCursor("route:a", 1)], now=NOW)
    ops: list[Op] = [Reserve(MINUTE, 1, 9, NOW + 30), Lease("slot:s", "r", 9, NOW + 60)]
    task = asyncio.ensure_future(store.apply(ops, now=NOW))
    giving = asyncio.ensure_future(store.apply([SetCursor("route:a", 2)], now=NOW))
    asyncio.get_running_loop().call_soon(task.cancel)
    asyncio.get_running_loop().call_soon(giving.cancel)
    results = await asyncio.gather(task, giving, return_exceptions=True)
    kept = 1 if results[0] == (True, True) else 0
    assert (await used(store), await held(store, "slot:s")) == (kept, kept)
    # What only gives or notes is done although nobody waits for it.
    assert (await store.read(Keys(cursors=("route:a",)), now=NOW)).cursors == {"route:a": 2}


async def check_a_cancelled_caller_holds_nothing(store: Store) -> None:
    tasks = [
        asyncio.ensure_future(
            store.apply([Reserve(MINUTE, 1, 500, NOW + 30), Lease("slot:s", f"r{n}", 500, NOW + 60)], now=NOW)
        )
        for n in range(40)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    kept = sum(1 for result in results if result == (True, True))
    assert all(result == (True, True) or isinstance(result, asyncio.CancelledError) for result in results)
    assert await used(store) == kept
    assert await held(store, "slot:s") == kept


CHECKS: tuple[Check, ...] = tuple(value for name, value in list(globals().items()) if name.startswith("check_"))
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
