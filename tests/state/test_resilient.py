"""A shared store that dies, and one that comes back."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.state import opening
from llr.state.file import FileStore
from llr.state.memory import MemoryStore
from llr.state.opening import open_store, path_for, sqlite_path
from llr.state.resilient import Resilient, StoreError
from llr.state.sqlite import SqliteStore
from llr.state.store import BucketKey, Clear, Fail, Keys, Lease, Op, Recover, Reserve, SetCursor, Snapshot
from llr.testing import FakeClock
from tests.running import free_port
from tests.state.redis_rig import redis_server

NOW = 1_772_293_357.0
KEY = "candidate:a%2Fm@openai"
MINUTE = BucketKey("bucket:a:b", "minute:1:2026-02-28T15:42Z")


class Fragile(MemoryStore):
    """A shared store that can be broken and that counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.calls: list[str] = []

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.broken:
            raise StoreError("the plug was pulled")

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        self._called("read")
        return await super().read(keys, now=now)

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        self._called("apply")
        return await super().apply(ops, now=now)

    async def everything(self, *, now: float) -> Snapshot:
        self._called("everything")
        return await super().everything(now=now)


async def test_it_degrades_once_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    shared, clock = Fragile(), FakeClock(NOW)
    store = Resilient(shared, name="redis", clock=clock)
    await store.apply([SetCursor("route:a", 7)], now=NOW)
    shared.broken = True
    assert (await store.read(Keys(("route:a",)), now=NOW)).cursors == {}
    assert await store.apply([Reserve(MINUTE, 1, 1, NOW + 60)], now=NOW) == (True,)
    assert await store.apply([Reserve(MINUTE, 1, 1, NOW + 60)], now=NOW) == (False,)
    assert (await store.everything(now=NOW)).usage == {MINUTE: 1}
    # One failed call in all: nobody waits for a server that is away.
    assert (shared.calls, store.degraded) == (["apply", "read"], True)
    assert caplog.text.count("local to this process: redis is away: the plug was pulled") == 1
    await clock.advance(11.0)
    assert store.degraded
    shared.broken = False
    await clock.advance(5.0)
    assert not store.degraded
    assert (await store.read(Keys(("route:a",)), now=NOW)).cursors == {"route:a": 7}
    assert "shared again" in caplog.text
    await store.aclose()


async def test_success_costs_no_call_unless_a_record_was_seen() -> None:
    shared = Fragile()
    store = Resilient(shared, name="redis", clock=FakeClock(NOW))
    assert await store.apply([Recover(KEY), Recover("credential:a@x")], now=NOW) == (True, True)
    assert await store.read(Keys(), now=NOW) == Snapshot()
    assert shared.calls == []
    await store.apply([Fail(KEY, "temporary_error", 500, True, NOW)], now=NOW)
    assert await store.apply([Recover("credential:a@x"), Recover(KEY)], now=NOW) == (True, True)
    assert shared.health == {}
    await store.apply([Recover(KEY)], now=NOW)
    assert shared.calls == ["apply", "apply"]
    # An answer older than the failure clears nothing, and the failure is not forgotten over it.
    await store.apply([Fail(KEY, "temporary_error", 500, True, NOW)], now=NOW)
    await store.apply([Recover(KEY, NOW - 1)], now=NOW)
    assert KEY in shared.health
    await store.apply([Recover(KEY, NOW + 1)], now=NOW + 1)
    assert shared.health == {}
    shared.calls.clear()
    await store.apply([Recover(KEY, NOW + 2)], now=NOW + 2)
    assert shared.calls == []
    # A record of another process counts once it was read.
    await MemoryStore.apply(shared, [Fail(KEY, "temporary_error", 500, True, NOW)], now=NOW)
    await store.read(Keys(health=(KEY,)), now=NOW)
    await store.apply([Recover(KEY), SetCursor("route:a", 1)], now=NOW)
    assert shared.health == {}


async def test_a_refusal_keeps_its_place_beside_dropped_ops() -> None:
    store = Resilient(Fragile(), name="redis", clock=FakeClock(NOW))
    await store.apply([Reserve(MINUTE, 1, 1, NOW + 60)], now=NOW)
    ops: list[Op] = [Recover(KEY), SetCursor("route:a", 1), Recover(KEY), Reserve(MINUTE, 1, 1, NOW + 60)]
    assert await store.apply(ops, now=NOW) == (True, True, True, False)
    await store.apply([Clear(KEY)], now=NOW)


async def test_a_database_that_cannot_be_written_degrades(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Resilient(SqliteStore(str(tmp_path / "file" / "state.sqlite")), name="sqlite", clock=FakeClock(NOW))
    assert await store.apply([SetCursor("route:a", 1)], now=NOW) == (True,)
    assert store.degraded
    assert (await store.read(Keys(("route:a",)), now=NOW)).cursors == {"route:a": 1}
    await store.aclose()


async def test_a_broken_database_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"this is no database at all, but long enough to look at")
    store = SqliteStore(str(path))
    with pytest.raises(StoreError, match="DatabaseError"):
        await store.apply([SetCursor("route:a", 1)], now=NOW)
    # It is kept aside, and the next try begins anew.
    assert [kept.read_bytes()[:7] for kept in tmp_path.glob("state.sqlite.corrupt-*")] == [b"this is"]
    assert await store.apply([SetCursor("route:a", 1)], now=NOW) == (True,)
    await store.aclose()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT key, value FROM cursors").fetchall() == [("route:a", 1)]


@pytest.mark.needs("redis-server")
async def test_a_dead_redis_never_fails_a_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port, clock = free_port(), FakeClock(NOW)
    with redis_server(port, tmp_path) as server:
        store = open_store("redis", url=f"redis://nobody:hunter2hunter2@127.0.0.1:{port}/0", clock=clock)
        assert isinstance(store, Resilient)
        # The server knows no such user: the refusal degrades, and never shows the password.
        assert await store.apply([SetCursor("route:a", 1)], now=NOW) == (True,)
        assert store.degraded
        assert "hunter2" not in caplog.text
        await store.aclose()
        store = open_store("redis", url=f"redis://127.0.0.1:{port}/0", clock=clock)
        assert isinstance(store, Resilient)
        await store.apply([SetCursor("route:a", 1)], now=NOW)
        assert not store.degraded
        server.kill()
        server.wait(20)
    started = time.monotonic()
    assert (await store.read(Keys(("route:a",)), now=NOW)).cursors == {}
    assert await store.apply([SetCursor("route:a", 5)], now=NOW) == (True,)
    assert store.degraded
    assert time.monotonic() - started < 5
    with redis_server(port, tmp_path):
        await until(lambda: not store.degraded, clock)
        assert await store.apply([SetCursor("route:a", 2), Reserve(MINUTE, 1, 1, NOW + 60)], now=NOW) == (True, True)
        assert (await store.read(Keys(("route:a",)), now=NOW)).cursors == {"route:a": 2}
        await store.aclose()


async def until(holds: Callable[[], bool], clock: FakeClock) -> None:
    """Lets virtual and real time pass until a condition holds: the server's answer needs the latter."""
    async with asyncio.timeout(20):
        while not holds():
            await clock.advance(5.0)
            await asyncio.sleep(0.01)


WORKER = """
import asyncio, sys
from llr.state.opening import open_store
from llr.state.store import BucketKey, Lease, Reserve

async def main():
    store = open_store(sys.argv[1], path=sys.argv[2], url=sys.argv[2])
    key = BucketKey("bucket:a:b", "minute:1:2026-02-28T15:42Z")
    async def one(number):
        ops = [Reserve(key, 1, 500, 2e9), Lease("slot:s", f"{sys.argv[3]}-{number}", 10_000, 2e9)]
        return all(await store.apply(ops, now=1.7e9))
    passed = 0
    for start in range(0, 1_000, 50):
        passed += sum(await asyncio.gather(*(one(number) for number in range(start, start + 50))))
    print(passed, getattr(store, "degraded", False))
    if sys.argv[3] == "dies":
        sys.stdout.flush()
        __import__("os").kill(__import__("os").getpid(), 9)
    await store.aclose()

asyncio.run(main())
"""


def passed_of_four(backend: str, where: str) -> int:
    names = ("w1", "w2", "w3", "dies")
    root = Path(__file__).resolve().parent.parent.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, backend, where, name], stdout=subprocess.PIPE, env=env, text=True
        )
        for name in names
    ]
    outputs = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [words[1] for words in outputs] == ["False"] * 4
    return sum(int(words[0]) for words in outputs)


def test_four_processes_pass_exactly_the_limit_with_sqlite(tmp_path: Path) -> None:
    assert passed_of_four("sqlite", str(tmp_path / "state.sqlite")) == 500


@pytest.mark.needs("redis-server")
def test_four_processes_pass_exactly_the_limit_with_redis(tmp_path: Path) -> None:
    port = free_port()
    with redis_server(port, tmp_path):
        assert passed_of_four("redis", f"redis://127.0.0.1:{port}/0") == 500


def test_backends(tmp_path: Path) -> None:
    assert isinstance(open_store("memory"), MemoryStore)
    assert isinstance(open_store("file", path=str(tmp_path / "s.json")), FileStore)
    assert isinstance(open_store("sqlite", path=str(tmp_path / "s.json")), Resilient)
    assert sqlite_path("/x/state.json") == "/x/state.sqlite"
    assert sqlite_path("/x/state.db") == "/x/state.db"
    assert path_for(None) == path_for("~/.llm-router.json") == "~/.llm-router.state.json"
    assert path_for("/srv/dev/llr.json") == "/srv/dev/llr.state.json"
    assert path_for("/srv/dev/conf") == "/srv/dev/conf.state.json"
    with pytest.raises(GatewayError, match=r"unknown state backend 'etcd'.*sqlite") as caught:
        open_store("etcd")
    assert caught.value.fault.kind is ErrorKind.CONFIGURATION


def test_a_missing_redis_package_says_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="redis")

    monkeypatch.setattr(opening, "import_module", absent)
    with pytest.raises(GatewayError, match=r"--with redis.*pip install redis") as caught:
        open_store("redis")
    assert caught.value.fault.kind is ErrorKind.CONFIGURATION


async def test_slots_of_a_killed_process_free_themselves(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "s.sqlite"))
    await store.apply([Lease("slot:s", "dead", 1, NOW + 60)], now=NOW)
    await store.aclose()
    again = SqliteStore(str(tmp_path / "s.sqlite"))
    assert await again.apply([Lease("slot:s", "next", 1, NOW + 100)], now=NOW + 40) == (False,)
    assert await again.apply([Lease("slot:s", "next", 1, NOW + 121)], now=NOW + 61) == (True,)
    await again.aclose()
