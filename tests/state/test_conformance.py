"""Every store keeps the same promises."""

from pathlib import Path

import pytest

from llr.state.file import FileStore
from llr.state.memory import MemoryStore
from llr.state.resilient import Resilient
from llr.state.sqlite import SqliteStore
from llr.state.store import Store
from tests.state.conformance import Check, every_check


@every_check
async def test_memory(check: Check) -> None:
    await check(MemoryStore())


@every_check
async def test_file(check: Check, tmp_path: Path) -> None:
    store = FileStore(str(tmp_path / "state.json"))
    await check(store)
    await store.aclose()


@every_check
async def test_sqlite(check: Check, tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "state.sqlite"))
    await check(store)
    await store.aclose()


@every_check
async def test_resilient(check: Check, tmp_path: Path) -> None:
    store = Resilient(SqliteStore(str(tmp_path / "state.sqlite")), name="sqlite")
    await check(store)
    assert not store.degraded
    await store.aclose()


@pytest.mark.needs("redis-server")
@every_check
async def test_redis(check: Check, redis_store: Store) -> None:
    await check(redis_store)
