"""Every store keeps the same promises."""

import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llr.state.file import FileStore
from llr.state.memory import MemoryStore
from llr.state.resilient import Resilient
from llr.state.sqlite import SqliteStore
from llr.state.store import Store
from tests.running import free_port
from tests.state.conformance import Check, every_check


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A `redis-server` that keeps nothing and is gone afterwards."""
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            assert server.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.02)
        yield server
    finally:
        server.kill()
        server.wait(20)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with redis_server(port, tmp_path_factory.mktemp("redis")):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
async def redis_store(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    from llr.state.redis import RedisStore

    store = RedisStore(redis_url, prefix=f"{{llr}}:{request.node.name}:")
    yield store
    await store.aclose()


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
