"""The parent of a gateway: it owns sockets, lock and control channel, and serves alone or through workers.

Law: at every moment someone accepts. A new process serves before an old one stops; if it cannot, the old one goes on.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from llr import __version__
from llr.base.jsonio import JSON
from llr.daemon import channel, instance, respawn, resume, signals, spawn, workers
from llr.daemon.channel import Answer, Ask, Endpoint
from llr.daemon.instance import Lock
from llr.daemon.log import Log
from llr.daemon.resume import Kept, Plan
from llr.daemon.runtime import process_facts
from llr.daemon.serving import App, Build, Serving
from llr.daemon.source import Source, newest
from llr.daemon.workers import Worker
from llr.net.limits import ServerLimits
from llr.net.server import Server, serve
from llr.wire.http import Request, Response


class StartFailed(Exception):
    """The gateway could not be brought up; the message says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What the parent holds for its whole life."""

    sockets: Sequence[socket.socket]
    endpoint: Endpoint
    lock: Lock


Merge = Callable[[Sequence[Answer]], Answer]


def first_bad(answers: Sequence[Answer]) -> Answer:
    """Returns the first answer that is an error, else the first one."""
    return next((reply for reply in answers if reply.status >= 400), answers[0])


class Supervisor:
    """One gateway. `merges` joins what several workers answer on a route (default: `first_bad`)."""

    def __init__(
        self,
        plan: Plan,
        hold: Hold,
        source: Source,
        build: Build,
        log: Log,
        merges: Mapping[str, Merge] | None = None,
    ) -> None:
        self.plan = plan
        self.hold = hold
        self.source = source
        self.log = log
        self.local: Serving | None = None
        self.workers: list[Worker] = []
        self._build = build
        self._merges = merges or {}
        # Sources of earlier hand-overs: this very process may still import from one of them.
        self._left: list[Source] = []
        self._retiring: list[Worker] = []
        self._draining: Serving | None = None
        self._control: Server | None = None
        self._unavailable: list[Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[int] | None = None
        self._stopping = False
        self._handing_over = False
        self._failed_at: list[float] = []
        self._began = time.time()

    # --- life -------------------------------------------------------------------------------------------------

    async def run(self, announce: Callable[["Supervisor"], Awaitable[None]], kept: Kept | None = None) -> int:
        """Returns the exit code after a life of serving. `announce` is awaited once everything is ready.

        Raises `StartFailed` when workers do not come up, and whatever `build` raises.
        """
        self._ended = asyncio.get_running_loop().create_future()
        signals.install(
            {
                "SIGTERM": lambda: self._on_stop_signal(143),
                "SIGINT": lambda: self._on_stop_signal(130),
                "SIGHUP": lambda: self._keep(self._reload_by_signal()),
                "SIGUSR2": lambda: self._keep(self._hand_over_by_signal()),
            }
        )
        signals.release()
        await self._come_up(kept)
        handler = channel.http_handler(self.answer, self._nonce())
        self._control = await serve(handler, self.hold.endpoint.sock.dup(), ServerLimits())
        self._write_state()
        await announce(self)
        code = await self._ended
        await self._control.close()
        return code

    async def _come_up(self, kept: Kept | None) -> None:
        if kept is not None:
            self.workers = [await workers.adopt(*row) for row in kept.workers]
            for worker in self.workers:
                self._keep(self._watch(worker))
        elif self.plan.workers > 1:
            fresh, why = await self._start_workers(self.source, self.plan.workers)
            if why is not None:
                raise StartFailed(why)
            self._take_on(fresh)
        else:
            self.local = await Serving.start(await self._build(), self.hold.sockets)

    def _nonce(self) -> str | None:
        return self.plan.instance.nonce if self.hold.endpoint.port is not None else None

    def _write_state(self) -> None:
        told = instance.with_process(self.plan.instance, os.getpid())
        try:
            instance.write(self.plan.state_path, told)
        except OSError as exc:
            self.log.error("state-file-not-written", path=self.plan.state_path, reason=exc.strerror or str(exc))

    def _keep(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error("internal-error", reason=repr(task.exception()))

    # --- end --------------------------------------------------------------------------------------------------

    def _on_stop_signal(self, code: int) -> None:
        if self._stopping:
            self.log.warn("stopping-at-once")
            for worker in [*self.workers, *self._retiring]:
                worker.kill()
            self._end(code)
        else:
            self._keep(self.stop(self.plan.drain_s))

    def _end(self, code: int) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(code)

    async def stop(self, deadline_s: float) -> None:
        """Drains everything for at most `deadline_s` and ends the run with 0."""
        if self._stopping:
            return
        self._stopping = True
        self.log.event("stopping", deadline_s=deadline_s)
        servings = [serving for serving in (self.local, self._draining) if serving is not None]
        children = [*self.workers, *self._retiring]
        await self._close_unavailable()
        await asyncio.gather(
            *(serving.drain(deadline_s) for serving in servings), *(child.drain(deadline_s) for child in children)
        )
        self._end(0)

    def give_back(self) -> None:
        """Removes control socket and state file and gives the lock up."""
        for sock in self.hold.sockets:
            sock.close()
        self.hold.endpoint.remove()
        instance.clear(self.plan.state_path, os.getpid())
        self.hold.lock.release()
        for source in (*self._left, self.source):
            source.discard()

    # --- workers ----------------------------------------------------------------------------------------------

    async def _start_workers(self, source: Source, count: int) -> tuple[list[Worker], str | None]:
        """Returns the ready workers, or none and the reason why they did not get ready."""
        fresh: list[Worker] = []
        why: str | None = None
        try:
            for _ in range(count):
                fresh.append(await self._spawn(source))
        except OSError as exc:
            why = exc.strerror or str(exc)
        if why is None:
            answers = await asyncio.gather(*(worker.wait_ready(self.plan.ready_s) for worker in fresh))
            why = next((answer for answer in answers if answer is not None), None)
        if why is None:
            return fresh, None
        for worker in fresh:
            worker.kill()
            await worker.reap()
        return [], why

    async def _spawn(self, source: Source) -> Worker:
        env = {**os.environ, "LLM_ROUTER_CLI_PATH": self.plan.cli_path} if self.plan.cli_path else dict(os.environ)
        return await workers.start(source.command(self.plan.worker_args), env, self.hold.sockets, source.fds)

    def _take_on(self, fresh: Sequence[Worker]) -> None:
        for worker in fresh:
            self.workers.append(worker)
            self.log.event("worker-ready", pid=worker.pid, version=worker.version)
            self._keep(self._watch(worker))

    async def _watch(self, worker: Worker) -> None:
        """Replaces the worker when it ends without being asked to."""
        await worker.gone.wait()
        if worker.retiring or self._stopping:
            return
        code = await worker.reap()
        if worker in self.workers:
            self.workers.remove(worker)
        self.log.warn("worker-ended", pid=worker.pid, code=code)
        await self._replace()

    async def _replace(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            self._failed_at = respawn.recent([*self._failed_at, now], now)
            if respawn.hopeless(self._failed_at) and not self.workers:
                await self._open_unavailable()
            await asyncio.sleep(respawn.pause_s(len(self._failed_at)))
            if self._stopping:
                return
            fresh, why = await self._start_workers(self.source, 1)
            if why is None:
                await self._close_unavailable()
                self._take_on(fresh)
                return
            self.log.error("worker-not-ready", reason=why)

    async def _open_unavailable(self) -> None:
        if self._unavailable:
            return
        self.log.error("no-worker", advice="answering 503 until one can be started")
        self._unavailable = [await serve(_say_unavailable, sock.dup(), ServerLimits()) for sock in self.hold.sockets]

    async def _close_unavailable(self) -> None:
        servers, self._unavailable = self._unavailable, []
        for server in servers:
            await server.close()

    # --- hand-over --------------------------------------------------------------------------------------------

    async def hand_over(self) -> Answer:
        """Returns 200 once new processes serve and the old ones drain, 500 with the reason when the old ones go on."""
        if self._handing_over or self._stopping:
            return channel.problem(409, "busy", "A hand-over or the end is under way already.")
        self._handing_over = True
        try:
            return await self._hand_over()
        finally:
            self._handing_over = False

    async def _hand_over(self) -> Answer:
        try:
            source = newest(self.source, self.plan.cli_path)
        except OSError as exc:
            return self._not_handed_over(f"{self.plan.cli_path} cannot be read: {exc.strerror or exc}")
        command = source.command(["--version"])
        why = await asyncio.to_thread(spawn.preflight, command, dict(os.environ), source.fds)
        fresh: list[Worker] = []
        if why is None:
            fresh, why = await self._start_workers(source, max(self.plan.workers, 1))
        if why is not None:
            source.discard()
            return self._not_handed_over(why)
        old, self.workers = self.workers, []
        self._take_on(fresh)
        self._retiring.extend(old)
        self._draining, self.local = self.local, None
        self._left.append(self.source)
        self.source = source
        self._keep(self._retire(old, self._draining))
        self.log.event("handed-over", pids=",".join(str(worker.pid) for worker in fresh))
        pids: JSON = [worker.pid for worker in fresh]
        return Answer(200, {"version": fresh[0].version, "pids": pids})

    def _not_handed_over(self, why: str) -> Answer:
        self.log.error("hand-over-failed", reason=why)
        text = f"The new process did not get ready, the old one goes on: {why}"
        return channel.problem(500, "hand-over-failed", text)

    async def _retire(self, old: Sequence[Worker], serving: Serving | None) -> None:
        wait_s = self.plan.handover_drain_s
        drains: list[Awaitable[None]] = [worker.drain(wait_s, keep_idle=True) for worker in old]
        if serving is not None:
            drains.append(serving.drain(wait_s, keep_idle=True))
        await asyncio.gather(*drains)
        for worker in old:
            self._retiring.remove(worker)
        if self._draining is serving:
            self._draining = None
        if not self._retiring and self._draining is None and not self._stopping:
            await self._become_new()

    async def _become_new(self) -> None:
        """Replaces this process's own image by the new code; pid, sockets, lock and workers stay."""
        if not all(worker.is_ready for worker in self.workers):
            return
        kept = self._kept()
        command = self.source.command(self.plan.parent_args)
        while self._control is not None and self._control.requests:  # noqa: ASYNC110 (the server has no event for it)
            await asyncio.sleep(0.01)
        self.log.event("renewing", pid=os.getpid())
        signals.hold()
        try:
            with resume.inheritable(kept.all_fds()):
                os.execve(command[0], command, {**os.environ, **resume.to_env(kept)})
        except OSError as exc:
            signals.release()
            self.log.error("not-renewed", reason=exc.strerror or str(exc))

    def _kept(self) -> Kept:
        copy = self.source.copy
        return Kept(
            plan=self.plan,
            listen=tuple(sock.fileno() for sock in self.hold.sockets),
            control=self.hold.endpoint.sock.fileno(),
            lock=self.hold.lock.fd,
            control_path=self.hold.endpoint.path,
            control_port=self.hold.endpoint.port,
            workers=tuple((worker.pid, worker.sock.fileno(), worker.version) for worker in self.workers),
            snapshot=copy.fd if copy is not None else None,
        )

    # --- control ----------------------------------------------------------------------------------------------

    async def answer(self, ask: Ask) -> Answer:
        """Returns the answer to one question on the control channel."""
        match ask.key:
            case "GET /status":
                return await self._status()
            case "POST /restart":
                return await self.hand_over()
            case "POST /drain":
                body = ask.body if isinstance(ask.body, dict) else {}
                wanted = body.get("deadlineSeconds")
                self._keep(self.stop(float(wanted) if isinstance(wanted, int | float) else self.plan.drain_s))
                return Answer(202, {"pid": os.getpid()})
            case _:
                return await self._pass_on(ask)

    async def _pass_on(self, ask: Ask) -> Answer:
        if self.local is not None:
            return await channel.answer(self.local.app.routes, ask)
        ready = [worker for worker in self.workers if worker.is_ready]
        if not ready:
            return channel.problem(503, "no-worker", "No worker process is ready.")
        answers = await asyncio.gather(*(worker.ask(ask) for worker in ready))
        return self._merges.get(ask.key, first_bad)(answers)

    async def _status(self) -> Answer:
        if self.local is not None:
            shown = await channel.answer(self.local.app.routes, Ask("GET", "/status"))
            processes: list[JSON] = [dict(process_facts(self.local))]
        else:
            shown = await self._pass_on(Ask("GET", "/status"))
            ready = [worker for worker in self.workers if worker.is_ready]
            answers = await asyncio.gather(*(worker.ask(Ask("GET", "/process")) for worker in ready))
            processes = [reply.body for reply in answers if reply.status == 200]
        facts: dict[str, JSON] = {
            **(shown.body if isinstance(shown.body, dict) and shown.status == 200 else {}),
            "pid": os.getpid(),
            "version": __version__,
            "origin": self.plan.instance.origin,
            "uptimeSeconds": round(time.time() - self._began, 3),
            "processes": processes,
            "draining": len(self._retiring) + (self._draining is not None),
        }
        return Answer(200, facts)

    async def _reload_by_signal(self) -> None:
        await self._pass_on(Ask("POST", "/reload"))

    async def _hand_over_by_signal(self) -> None:
        await self.hand_over()


async def _say_unavailable(_request: Request) -> Response:
    body = b'{"error":"Router backend unavailable","message":"No worker process could be started. See the log."}'
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Response(503, headers, body, close=True)


__all__ = ["App", "Hold", "StartFailed", "Supervisor"]
