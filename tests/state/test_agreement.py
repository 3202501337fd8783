"""All stores come to the same state by the same operations, whatever these are."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from llr.state.memory import MemoryStore
from llr.state.sqlite import SqliteStore
from llr.state.store import (
    BucketKey,
    Clear,
    Evict,
    Fail,
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
    Store,
    Unlease,
)

START = 1_772_293_357.125
SICK = ("candidate:a%2Fm@openai", "candidate:b@claude", "credential:a@00ff00ff")
WINDOWS = tuple(BucketKey(f"bucket:a:{name}", f"minute:1:{name}") for name in "xy")
SLOTS = ("slot:provider:a", "slot:alias:b")
KEYS = Keys(("route:a", "route:b"), WINDOWS, SICK, ("pin:a", "pin:b"), SLOTS)


def random_op(rng: Random, now: float) -> Op:
    def later(most: int) -> float:
        return now + rng.randrange(most * 8) / 8

    window = rng.choice(WINDOWS)
    made: Sequence[Op] = (
        SetCursor(rng.choice(KEYS.cursors), rng.randrange(9)),
        Reserve(window, rng.randrange(1, 4), rng.randrange(3, 9), later(90)),
        Release(window, rng.randrange(4)),
        Settle(window, rng.randrange(4), rng.randrange(6), later(90)),
        Lease(rng.choice(SLOTS), rng.choice("klmn"), rng.randrange(1, 4), later(60)),
        Unlease(rng.choice(SLOTS), rng.choice("klmn")),
        Evict(rng.choice(SLOTS), rng.choice("klmn")),
        Fail(
            rng.choice(SICK),
            rng.choice(("temporary_error", "rate_limited")),
            rng.choice((0, 429, 500)),
            rng.random() < 0.6,
            now - rng.randrange(40) / 8,
            rng.choice(("", "rate_limited", "auth_failed")),
            rng.choice((0.0, later(200), now + 1e6)),
            rng.randrange(3),
            rng.choice((0.0, 30.0, 1e6)),
            rng.choice(("", "aa", "aa", "bb")),
        ),
        Recover(rng.choice(SICK), rng.choice((0.0, now, now - 30.0))),
        Clear(rng.choice(SICK), rng.choice(("", "rate_limited", "nothing"))),
        Probe(rng.choice(SICK), rng.choice((0.0, later(60)))),
        Pin(rng.choice(KEYS.pins), rng.choice(("", "c1", "c2")), later(90)),
    )
    # Failures make the most of the arithmetic, so they come more often.
    return rng.choice((*made, made[6], made[6]))


async def same_history(one: Store, other: Store, seed: int, steps: int) -> None:
    rng, now, refused = Random(seed), START, 0
    for step in range(steps):
        now += rng.choice((0.0, 0.125, 1.0, 20.0, 20.0, 400.0 if rng.random() < 0.1 else 3.0))
        if rng.random() < 0.005:
            now += 90_000.0
        ops = [random_op(rng, now) for _ in range(rng.choice((1, 1, 2, 4)))]
        mine, theirs = await one.apply(ops, now=now), await other.apply(ops, now=now)
        assert mine == theirs, (step, ops)
        refused += not all(mine)
        assert await one.read(KEYS, now=now) == await other.read(KEYS, now=now), (step, ops)
    assert 5 < refused < steps / 2
    assert await one.everything(now=now) == await other.everything(now=now)


@pytest.mark.parametrize("seed", range(3))
async def test_sqlite_agrees_with_memory(seed: int, tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "state.sqlite"))
    await same_history(MemoryStore(), store, seed, 400)
    await store.aclose()


@pytest.mark.needs("redis-server")
@pytest.mark.parametrize("seed", range(3))
async def test_redis_agrees_with_memory(seed: int, redis_store: Store) -> None:
    await same_history(MemoryStore(), redis_store, seed, 400)
