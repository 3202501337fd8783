"""One timer for many deadlines."""

import asyncio

import pytest

from llr.net.watch import NEVER, Watch
from tests.net.rig import until


class Item:
    """Counts how often it was overdue; `again_s` sets the next deadline."""

    def __init__(self, deadline: float, again_s: float = NEVER, *, error: Exception | None = None) -> None:
        self.deadline = deadline
        self.again_s = again_s
        self.error = error
        self.expired: list[float] = []

    def expire(self, now: float) -> None:
        self.deadline = now + self.again_s
        self.expired.append(now)
        if self.error is not None:
            raise self.error


async def test_what_is_overdue_is_told_and_the_rest_is_not() -> None:
    loop = asyncio.get_running_loop()
    watch = Watch(loop)
    now = loop.time()
    early, late, never = Item(now + 0.01), Item(now + 0.06), Item(NEVER)
    for item in (late, never, early):
        watch.add(item)
    await until(lambda: bool(early.expired))
    assert late.expired == []
    await until(lambda: bool(late.expired))
    assert early.expired[0] >= now + 0.01
    assert late.expired[0] >= now + 0.06
    assert never.expired == []


async def test_a_later_deadline_is_honoured() -> None:
    loop = asyncio.get_running_loop()
    watch = Watch(loop)
    item = Item(loop.time() + 0.01)
    watch.add(item)
    item.deadline = until_then = loop.time() + 0.1
    await until(lambda: bool(item.expired))
    assert item.expired[0] >= until_then


async def test_a_forgotten_item_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    watch = Watch(loop)
    gone, kept = Item(loop.time() + 0.01), Item(loop.time() + 0.02)
    watch.add(gone)
    watch.add(kept)
    watch.discard(gone)
    await until(lambda: bool(kept.expired))
    assert gone.expired == []


async def test_one_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    watch = Watch(loop)
    bad = Item(loop.time() + 0.01, error=ValueError("a bug"))
    good = Item(loop.time() + 0.01, again_s=0.01)
    watch.add(bad)
    watch.add(good)
    await until(lambda: len(good.expired) > 2)
    assert "could not be acted on" in caplog.text
    watch.stop()
