"""The worker processes that serve now: started together, replaced one by one when they die."""

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import Sequence

from llr.daemon import respawn, workers
from llr.daemon.channel import Answer, Ask
from llr.daemon.log import Log
from llr.daemon.resume import Plan
from llr.daemon.serving import PEERS_ABSORB, PEERS_LESSONS, VACATE
from llr.daemon.source import Source
from llr.daemon.workers import Between, Worker
from llr.net.server import Server, serve
from llr.wire.http import Request, Response


class Crew:
    """Workers on the same sockets. While none can be started for long, clients are told with a 503.

    `between` answers what one worker asks of the others; without it nobody does.
    """

    def __init__(
        self,
        plan: Plan,
        sockets: Sequence[socket.socket],
        log: Log,
        between: "Between | None" = None,
    ) -> None:
        self.workers: list[Worker] = []
        self._between = between
        self._plan = plan
        self._sockets = sockets
        self._log = log
        self._source: Source | None = None
        self._failed_at: list[float] = []
        # Nothing secret goes into a store: the nonce also opens the control channel.
        self._name = hashlib.sha256(plan.instance.nonce.encode()).hexdigest()[:16]
        # What holders' names of dead workers begin with, until a living one has given their slots back.
        self._dead: list[str] = []
        self._unavailable: list[Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    @property
    def ready(self) -> list[Worker]:
        """Returns the workers that serve."""
        return [worker for worker in self.workers if worker.is_ready]

    @property
    def all_ready(self) -> bool:
        """Returns whether as many workers as there should be serve."""
        return len(self.ready) == len(self.workers) == max(self._plan.workers, 1)

    async def start(self, source: Source, count: int) -> tuple[list[Worker], str | None]:
        """Returns the ready workers, or none and the reason why they did not get ready. They are not taken on yet."""
        fresh: list[Worker] = []
        why: str | None = None
        try:
            for _ in range(count):
                fresh.append(await self._spawn(source))
        except OSError as exc:
            why = exc.strerror or str(exc)
        if why is None:
            answers = await asyncio.gather(*(worker.wait_ready(self._plan.ready_s) for worker in fresh))
            why = next((answer for answer in answers if answer is not None), None)
        if why is None:
            return fresh, None
        for worker in fresh:
            worker.kill()
            await worker.reap()
        return [], why

    async def _spawn(self, source: Source) -> Worker:
        path = self._plan.cli_path
        env = {**os.environ, workers.HOLDER: self._name, **({"LLM_ROUTER_CLI_PATH": path} if path else {})}
        return await workers.start(source.command(self._plan.worker_args), env, self._sockets, source.fds)

    def take_on(self, fresh: Sequence[Worker], source: Source) -> None:
        """Counts ready workers in and watches them; the ones that die are started again from `source`."""
        self._source = source
        for worker in fresh:
            if self._between is not None:
                worker.serve_beside(self._between)
            self.workers.append(worker)
            self._log.event("worker-ready", pid=worker.pid, version=worker.version)
            task = asyncio.get_running_loop().create_task(self._watch(worker))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def replace_all(self, fresh: Sequence[Worker], source: Source) -> list[Worker]:
        """Takes the fresh workers on instead of all others, and returns those to be drained."""
        old, self.workers = self.workers, []
        for worker in old:
            worker.retiring = True
        self.take_on(fresh, source)
        return old

    async def lay_off(self) -> list[Worker]:
        """Returns the workers to be drained; nobody is started any more."""
        self._ended = True
        await self._close_unavailable()
        old, self.workers = self.workers, []
        for worker in old:
            worker.retiring = True
        return old

    async def _watch(self, worker: Worker) -> None:
        """Replaces the worker when it ends without being asked to."""
        await worker.gone.wait()
        self._dead.append(workers.holder_of(self._name, worker.pid))
        if worker.retiring or self._ended:
            await self._vacate()
            return
        self.workers.remove(worker)
        code = await worker.reap()
        self._log.warn("worker-ended", pid=worker.pid, code=code)
        await self._vacate()
        await self._replace()

    async def _vacate(self) -> None:
        """Has a living worker give back the slots of those that are gone: they would be held until their lease ends."""
        while self._dead and self.ready:
            holders = self._dead.pop()
            reply = await self.ready[0].ask(Ask("POST", VACATE, {}, {"holders": holders}))
            if reply.status != 200:
                self._dead.append(holders)
                return

    async def _replace(self) -> None:
        while not self._ended and self._source is not None:
            now = time.monotonic()
            self._failed_at = respawn.recent([*self._failed_at, now], now)
            if respawn.hopeless(self._failed_at) and not self.workers:
                await self._open_unavailable()
            await asyncio.sleep(respawn.pause_s(len(self._failed_at)))
            if self._ended:
                return
            source = self._source
            fresh, why = await self.start(source, 1)
            if why is None and self.ready:
                await pass_on(await self.ready[0].ask(Ask("GET", PEERS_LESSONS)), fresh)
            if self._ended or source is not self._source:
                # Laid off or replaced meanwhile: this one is not needed any more.
                for worker in fresh:
                    await worker.drain(0.0)
                return
            if why is None:
                await self._close_unavailable()
                self.take_on(fresh, source)
                await self._vacate()
                return
            self._log.error("worker-not-ready", reason=why)

    async def _open_unavailable(self) -> None:
        if self._unavailable:
            return
        self._log.error("no-worker", advice="answering 503 until one can be started")
        self._unavailable = [await serve(_say_unavailable, sock.dup()) for sock in self._sockets]

    async def _close_unavailable(self) -> None:
        servers, self._unavailable = self._unavailable, []
        for server in servers:
            await server.close()


async def pass_on(known: Answer, fresh: Sequence[Worker]) -> None:
    """Gives fresh workers what another process knows."""
    if known.status == 200:
        for worker in fresh:
            await worker.ask(Ask("POST", PEERS_ABSORB, {}, known.body))


async def _say_unavailable(_request: Request) -> Response:
    body = b'{"error":"Router backend unavailable","message":"No worker process could be started. See the log."}'
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Response(503, headers, body, close=True)
