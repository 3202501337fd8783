"""A process that is watched by a pipe."""

import asyncio
import os

import pytest

from llr.daemon import starter


async def test_the_end_of_the_starter_is_told_once() -> None:
    reading, writing = os.pipe()
    gone = asyncio.Event()
    starter.watch({starter.ALIVE_FD: str(reading)}, gone.set)
    await asyncio.sleep(0)
    assert not gone.is_set()
    os.close(writing)
    await asyncio.wait_for(gone.wait(), 5)
    assert not asyncio.get_running_loop().remove_reader(reading)
    os.close(reading)


@pytest.mark.parametrize("told", ["", "x", "-1"])
async def test_nobody_is_watched_where_none_is_named(told: str) -> None:
    starter.watch({starter.ALIVE_FD: told}, lambda: pytest.fail("nobody was named"))
    starter.watch({}, lambda: pytest.fail("nobody was named"))
    await asyncio.sleep(0)
