"""The parent of a gateway: it owns sockets, lock and control channel, and serves alone or through workers.

Law: at every moment someone accepts. A new process serves before an old one stops; if it cannot, the old one goes on.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from llr import __version__
from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.daemon import channel, instance, resume, signals, spawn, starter, workers
from llr.daemon.channel import Answer, Ask, Endpoint
from llr.daemon.crew import Crew, pass_on
from llr.daemon.instance import Lock
from llr.daemon.log import Log
from llr.daemon.resume import Kept, Plan
from llr.daemon.runtime import process_facts
from llr.daemon.serving import (
    ABSORB,
    PEERS_ASK,
    PEERS_LESSONS,
    PEERS_NEWS,
    PEERS_TURNS,
    PRIVATE,
    RELEASE,
    Build,
    Serving,
    settle,
)
from llr.daemon.source import Source, identity, newest
from llr.daemon.workers import PEERS_TIMEOUT_S, Worker
from llr.net.limits import ServerLimits
from llr.net.server import Server, serve


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
        self.crew = Crew(plan, hold.sockets, log, self._between)
        self._build = build
        self._merges = merges or {}
        # Sources of earlier hand-overs: this very process may still import from one of them.
        self._left: list[Source] = []
        self._retiring: list[Worker] = []
        self._draining: list[Serving] = []
        self._control: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[int] | None = None
        self._stopping = False
        self._handing_over = False

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
        starter.watch(os.environ, self._on_starter_gone)
        await self._come_up(kept)
        handler = channel.http_handler(self.answer, self._nonce())
        self._control = await serve(handler, self.hold.endpoint.sock.dup(), ServerLimits())
        self._write_state()
        if self.plan.instance.watch_binary and self.plan.cli_path and self.source.copy is not None:
            self._keep(self._watch_binary())
        await announce(self)
        settle()
        code = await self._ended
        await self._control.close()
        return code

    async def _come_up(self, kept: Kept | None) -> None:
        if kept is not None:
            self.crew.take_on([await workers.adopt(*row) for row in kept.workers], self.source)
        elif self.plan.workers > 1:
            fresh, why = await self.crew.start(self.source, self.plan.workers)
            if why is not None:
                raise StartFailed(why)
            self.crew.take_on(fresh, self.source)
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

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
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
            for worker in [*self.crew.workers, *self._retiring]:
                worker.kill()
            self._end(code)
        else:
            self._keep(self.stop(self.plan.drain_s))

    def _on_starter_gone(self) -> None:
        self.log.warn("starter-gone")
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
        servings = [*self._draining, *([self.local] if self.local is not None else [])]
        children = [*await self.crew.lay_off(), *self._retiring]
        await asyncio.gather(
            *(serving.drain(deadline_s) for serving in servings), *(child.drain(deadline_s) for child in children)
        )
        for serving in servings:
            await serving.close()
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

    # --- hand-over --------------------------------------------------------------------------------------------

    async def hand_over(self) -> Answer:
        """Returns 200 once new processes serve and the old ones drain, 500 with the reason when the old ones go on."""
        if sys.platform == "win32":
            return channel.problem(501, "not-here", "Windows cannot hand sockets over; stop the gateway and start it.")
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
            fresh, why = await self.crew.start(source, max(self.plan.workers, 1))
        if why is not None:
            source.discard()
            return self._not_handed_over(why)
        old = self.crew.replace_all(fresh, source)
        self._retiring.extend(old)
        serving, self.local = self.local, None
        if serving is not None:
            self._draining.append(serving)
        await self._pass_state(old, serving, fresh)
        self._left.append(self.source)
        self.source = source
        self._keep(self._retire(old, serving))
        self.log.event("handed-over", pids=",".join(str(worker.pid) for worker in fresh))
        pids: JSON = [worker.pid for worker in fresh]
        return Answer(200, {"version": fresh[0].version, "pids": pids})

    def _not_handed_over(self, why: str) -> Answer:
        self.log.error("hand-over-failed", reason=why)
        text = f"The new process did not get ready, the old one goes on: {why}"
        return channel.problem(500, "hand-over-failed", text)

    async def _pass_state(self, old: Sequence[Worker], serving: Serving | None, fresh: Sequence[Worker]) -> None:
        """Has the old processes keep state for others no more, and gives what they know to the new ones.

        Turns stay where they are until their process ends: until then it is asked for them.
        """
        lessons = Ask("GET", PEERS_LESSONS)
        if old:
            await pass_on(await old[0].ask(lessons), fresh)
        elif serving is not None:
            await pass_on(await channel.answer(serving.app.routes, lessons), fresh)
        ask = Ask("POST", RELEASE)
        answers = [await worker.ask(ask) for worker in old]
        if serving is not None:
            answers.append(await channel.answer(serving.app.routes, ask))
        for reply in answers:
            if reply.status == 200:
                await self._absorb(reply.body, fresh)

    async def _absorb(self, state: JSON, fresh: Sequence[Worker]) -> None:
        if state is not None:
            for worker in fresh:
                await worker.ask(Ask("POST", ABSORB, {}, state))

    async def _retire(self, old: Sequence[Worker], serving: Serving | None) -> None:
        wait_s = self.plan.handover_drain_s
        drains: list[Awaitable[None]] = [worker.drain(wait_s, keep_idle=True) for worker in old]
        if serving is not None:
            drains.append(serving.drain(wait_s, keep_idle=True))
        await asyncio.gather(*drains)
        if serving is not None:
            await self._pass_state((), serving, self.crew.workers)
            turns = await channel.answer(serving.app.routes, Ask("GET", PEERS_TURNS))
            await pass_on(turns, self.crew.ready[:1])
            await serving.close()
            self._draining.remove(serving)
        for worker in old:
            self._retiring.remove(worker)
            await self._absorb(worker.state, self.crew.workers)
        await self._become_new()

    async def _become_new(self) -> None:
        """Replaces this process's own image by the new code; pid, sockets, lock and workers stay."""
        while self._busy():  # noqa: ASYNC110 (several things are waited for, none has an event)
            await asyncio.sleep(0.01)
        if self._retiring or self._draining or self._stopping:
            # Whoever drains last comes here again.
            return
        # From here on nothing is awaited: what is passed on must be what there is.
        kept = self._kept()
        command = self.source.command(self.plan.parent_args)
        self.log.event("renewing", pid=os.getpid())
        signals.hold()
        try:
            with resume.inheritable(kept.all_fds()):
                os.execve(command[0], command, {**os.environ, **resume.to_env(kept)})
        except OSError as exc:
            signals.release()
            self.log.error("not-renewed", reason=exc.strerror or str(exc))

    def _busy(self) -> bool:
        """Returns whether an exec would lose a question, a hand-over, or a worker that is only just starting."""
        if self._stopping:
            return False
        asked = self._control is not None and self._control.connections > 0
        return asked or self._handing_over or not self.crew.all_ready

    def _kept(self) -> Kept:
        copy = self.source.copy
        return Kept(
            plan=self.plan,
            listen=tuple(sock.fileno() for sock in self.hold.sockets),
            control=self.hold.endpoint.sock.fileno(),
            lock=self.hold.lock.fd,
            control_path=self.hold.endpoint.path,
            control_port=self.hold.endpoint.port,
            workers=tuple((worker.pid, worker.sock.fileno(), worker.version) for worker in self.crew.workers),
            snapshot=copy.fd if copy is not None else None,
            file=self.source.file,
        )

    async def _watch_binary(self) -> None:
        """Hands over to a new program file once two looks in a row agree on it; a bad one is tried once."""
        tried, pending = self.source.file or identity(self.plan.cli_path), None
        while True:
            await asyncio.sleep(self.plan.binary_watch_s)
            found = identity(self.plan.cli_path)
            if found is None or found in (tried, self.source.file):
                pending = None
            elif found != pending:
                pending = found
            else:
                tried, pending = found, None
                self.log.event("program-file-changed", path=self.plan.cli_path)
                await self.hand_over()

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
        if ask.path in PRIVATE:
            return channel.problem(404, "not-found", f"The control channel has no {ask.path}.")
        if self.local is not None:
            return await channel.answer(self.local.app.routes, ask)
        ready = self.crew.ready
        if not ready:
            return channel.problem(503, "no-worker", "No worker process is ready.")
        answers = await asyncio.gather(*(worker.ask(ask) for worker in ready))
        return self._merges.get(ask.key, first_bad)(answers)

    async def _between(self, asker: Worker, ask: Ask) -> Answer:
        """Returns what each of the other processes answers to one worker; what it leaves behind goes to one of them."""
        if ask.path == PEERS_TURNS:
            heirs = [one for one in self.crew.ready if one is not asker]
            await pass_on(Answer(200, ask.body), heirs[asker.pid % len(heirs) :][:1] if heirs else ())
            return Answer(200)
        if ask.path not in (PEERS_ASK, PEERS_NEWS):
            return channel.problem(404, "not-found", f"Workers do not ask each other for {ask.path}.")
        others = [one for one in (*self.crew.workers, *self._retiring) if one is not asker and one.is_ready]
        answers = await asyncio.gather(
            *(other.ask(ask, PEERS_TIMEOUT_S) for other in others),
            *(channel.answer(serving.app.routes, ask) for serving in self._draining),
        )
        return Answer(200, [reply.body for reply in answers if reply.status == 200])

    async def _status(self) -> Answer:
        if self.local is not None:
            shown = await channel.answer(self.local.app.routes, Ask("GET", "/status"))
            processes: list[JSON] = [dict(process_facts(self.local))]
        else:
            shown = await self._pass_on(Ask("GET", "/status"))
            ready = self.crew.ready
            answers = await asyncio.gather(*(worker.ask(Ask("GET", "/process")) for worker in ready))
            processes = [reply.body for reply in answers if reply.status == 200]
        facts: dict[str, JSON] = {
            **(shown.body if isinstance(shown.body, dict) and shown.status == 200 else {}),
            "pid": os.getpid(),
            "version": __version__,
            "origin": self.plan.instance.origin,
            "uptimeSeconds": round(time.time() - self.plan.began_at, 3),
            "processes": processes,
            "draining": len(self._retiring) + len(self._draining),
        }
        return Answer(200, facts)

    async def _reload_by_signal(self) -> None:
        reply = await self._pass_on(Ask("POST", "/reload"))
        self.log.event("reload-by-signal", level="info" if reply.status < 400 else "warn", status=reply.status)

    async def _hand_over_by_signal(self) -> None:
        await self.hand_over()
