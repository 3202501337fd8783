"""Workers of one gateway share limits and slots: as many requests pass as may, and a killed worker keeps no slot.

All of it in the built archives: the one with SQLite as everybody has it, the one that carries `redis` for Redis.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from llr.state.opening import open_store, sqlite_path
from llr.state.store import Store
from tests.cli.life import Life
from tests.cli.providers import ANSWER
from tests.running import free_port
from tests.state.redis_rig import redis_server

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")

CONNECTIONS, EACH, LIMIT = 200, 25, 500
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
BODY = json.dumps({"model": "p/m", "messages": [{"role": "user", "content": "hi"}]}).encode()
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n" % len(BODY)
) + BODY


class Upstream:
    """A provider that answers once `open` is set, and counts."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked = 0
        self.moved = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await read_message(reader)
                async with self.moved:
                    self.asked += 1
                    self.moved.notify_all()
                await self.open.wait()
                writer.write(HEAD + ANSWER)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    async def reached(self, count: int) -> None:
        async with self.moved, asyncio.timeout(60):
            await self.moved.wait_for(lambda: self.asked >= count)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return head


@dataclass(frozen=True)
class Shared:
    """A backend several processes can share, its address, and the archive that has it."""

    backend: str
    url: str
    life: Life

    def opened(self) -> Store:
        return open_store(self.backend, path=sqlite_path(str(self.life.home / "state.json")), url=self.url)


@asynccontextmanager
async def upstream(shared: Shared, limits: dict[str, Any]) -> AsyncIterator[Upstream]:
    """Gives a provider and points the life's config and state at it."""
    life = shared.life
    made = Upstream()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    entry = {"id": "p", "name": "p", "apiKey": "k", "models": [{"id": "m"}], "baseUrl": f"http://127.0.0.1:{port}/v1"}
    config = life.home / ".llm-router.json"
    config.write_text(json.dumps({"version": 2, "providers": [{**entry, **limits}]}))
    life.env |= {
        "LLM_ROUTER_STATE_BACKEND": shared.backend,
        "LLM_ROUTER_STATE_FILE_PATH": str(life.home / "state.json"),
        "LLM_ROUTER_STATE_URL": shared.url,
    }
    try:
        yield made
    finally:
        server.close()


async def client(address: tuple[str, int], requests: int, seen: Counter[str]) -> None:
    """Sends requests one after the other over one connection; what is cut counts as lost."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for _ in range(requests):
        try:
            connection = connection or await asyncio.open_connection(*address)
            connection[1].write(REQUEST)
            head = await read_message(connection[0])
        except (OSError, asyncio.IncompleteReadError):
            seen["lost"] += 1
            connection = None
            continue
        seen[head.split(maxsplit=2)[1].decode()] += 1
        if b"connection: close" in head:
            connection[1].close()
            connection = None
    if connection is not None:
        connection[1].close()


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.needs("redis-server"))])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    if request.param == "sqlite":
        yield Shared("sqlite", "", request.getfixturevalue("archived"))
        return
    port = free_port()
    with redis_server(port, tmp_path):
        yield Shared("redis", f"redis://127.0.0.1:{port}/0", request.getfixturevalue("with_redis"))


async def test_exactly_as_many_pass_as_may(shared: Shared) -> None:
    bucket = {"id": "b", "models": ["all"], "requests": LIMIT, "window": {"unit": "month", "size": 12}}
    async with upstream(shared, {"rateLimits": [bucket]}) as provider:
        provider.open.set()
        gateway = await asyncio.to_thread(shared.life.start, "--workers=4")
        seen: Counter[str] = Counter()
        await asyncio.gather(*(client(gateway.address, EACH, seen) for _ in range(CONNECTIONS)))
        assert seen == {"200": LIMIT, "429": CONNECTIONS * EACH - LIMIT}
        assert provider.asked == LIMIT


async def test_a_killed_worker_loses_its_own_requests_and_keeps_no_slot(shared: Shared) -> None:
    slots = 16
    async with upstream(shared, {"metadata": {"llr": {"maxConcurrency": slots}}}) as provider:
        gateway = await asyncio.to_thread(shared.life.start, "--workers=4")
        status = await asyncio.to_thread(shared.life.json, "status")
        workers = [row["pid"] for row in status["data"]["processes"]]
        seen: Counter[str] = Counter()
        crowd = [asyncio.ensure_future(client(gateway.address, 1, seen)) for _ in range(60)]
        await provider.reached(slots)
        # All that came too late for a slot are turned away at once; the others wait for the provider.
        for turned_away in islice(asyncio.as_completed(crowd), 60 - slots):
            await turned_away
        assert seen == {"429": 60 - slots}
        store = shared.opened()
        assert (await store.everything(now=time.time())).leases == {"slot:provider:p": slots}
        busiest = max(workers, key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))
        os.kill(busiest, signal.SIGKILL)
        await asyncio.to_thread(gateway.wait_for, "worker-ended")
        # Its slots are given back before the next one is started, long before their lease ends; the others keep theirs.
        await asyncio.to_thread(gateway.wait_for, "worker-ready")
        left = (await store.everything(now=time.time())).leases.get("slot:provider:p", 0)
        provider.open.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*crowd)
        # Only its own requests are lost.
        assert seen["200"] + seen["lost"] == slots
        assert (left, seen["lost"] > 0) == (seen["200"], True)
        assert (await store.everything(now=time.time())).leases == {}
        await store.aclose()
        # The dead one is replaced: as many as before, and all of them answer.
        status = await asyncio.to_thread(shared.life.json, "status")
        now = [row["pid"] for row in status["data"]["processes"]]
        assert (len(now), busiest in now) == (4, False)
        later: Counter[str] = Counter()
        await asyncio.gather(*(client(gateway.address, 1, later) for _ in range(slots)))
        assert later == {"200": slots}


@pytest.mark.needs("redis-server")
async def test_a_dead_redis_costs_no_request_and_is_found_again(with_redis: Life, tmp_path: Path) -> None:
    port = free_port()
    shared = Shared("redis", f"redis://127.0.0.1:{port}/0", with_redis)
    bucket = {"id": "b", "models": ["all"], "requests": 100_000, "window": {"unit": "month", "size": 12}}
    limits = {"rateLimits": [bucket], "metadata": {"llr": {"maxConcurrency": 500}}}
    async with upstream(shared, limits) as provider:
        provider.open.set()
        seen: Counter[str] = Counter()
        with redis_server(port, tmp_path) as server:
            gateway = await asyncio.to_thread(with_redis.start, "--workers=2")
            crowd = [asyncio.ensure_future(client(gateway.address, 30, seen)) for _ in range(20)]
            await provider.reached(100)
            server.kill()
            await asyncio.gather(*crowd)
        assert seen == {"200": 600}
        assert "local to this process" in await asyncio.to_thread(gateway.wait_for, "note")
        assert "(away: each process counts for itself)" in (await asyncio.to_thread(with_redis.run, "status")).stdout
        with redis_server(port, tmp_path):
            until = time.monotonic() + 20
            while "is back" not in await asyncio.to_thread(gateway.wait_for, "note"):
                assert time.monotonic() < until
            await asyncio.gather(*(client(gateway.address, 5, seen) for _ in range(20)))
        assert seen == {"200": 700}
        assert (await asyncio.to_thread(with_redis.json, "status"))["data"]["stateAway"] is False
