"""The worker's side: serve the inherited sockets, answer the parent, end when asked or when the parent is gone."""

import asyncio
import os
import socket
from collections.abc import Sequence

from llr import __version__
from llr.base.jsonio import JSON
from llr.daemon import channel, signals
from llr.daemon.channel import Answer, Ask
from llr.daemon.link import Link
from llr.daemon.log import Log
from llr.daemon.serving import PEERS_ASK, PEERS_NEWS, PEERS_TURNS, RELEASE, Build, Serving, settle
from llr.daemon.workers import ASK_TIMEOUT_S, LINK_FD, PEERS_TIMEOUT_S


class _Others:
    """The line to the other workers: the parent passes questions and news on."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def ask(self, question: JSON) -> Sequence[JSON]:
        """Returns what each of the others answers; who does not answer in time is left out."""
        reply = await self._pass(PEERS_ASK, question)
        return reply.body if reply.status == 200 and isinstance(reply.body, list) else ()

    def tell(self, news: JSON) -> None:
        """Tells all the others, without waiting."""
        task = asyncio.get_running_loop().create_task(self._pass(PEERS_NEWS, news))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, path: str, body: JSON) -> Answer:
        # The parent waits for the others; a moment more is for its own answer.
        return await self._link.ask(Ask("POST", path, {}, body), timeout_s=PEERS_TIMEOUT_S + 0.5)


class _Runtime:
    def __init__(self, serving: Serving, log: Log) -> None:
        self.serving = serving
        self.log = log
        self.end = asyncio.Event()
        self.deadline_s = serving.app.drain_s
        self.keep_idle = False

    async def answer(self, ask: Ask) -> Answer:
        if ask.key == "POST /drain":
            body = ask.body if isinstance(ask.body, dict) else {}
            wanted = body.get("deadlineSeconds")
            if isinstance(wanted, int | float):
                self.deadline_s = float(wanted)
            self.keep_idle = body.get("keepIdle") is True
            self.end.set()
            return Answer(202, {"pid": os.getpid()})
        if ask.key == "GET /process":
            return Answer(200, process_facts(self.serving))
        return await channel.answer(self.serving.app.routes, ask)


def process_facts(serving: Serving) -> dict[str, JSON]:
    """Returns what `status` shows of one serving process."""
    return {
        "pid": os.getpid(),
        "version": __version__,
        "connections": serving.connections,
        "requests": serving.requests,
    }


async def run_worker(build: Build, sockets: list[socket.socket], log: Log, link_fd: int) -> int:
    """Returns the exit code after serving. A build that fails is told to the parent, by its message."""
    signals.ignore("SIGINT", "SIGHUP", "SIGUSR2")
    runtime: _Runtime | None = None

    async def reply(ask: Ask) -> Answer:
        if runtime is None:
            return channel.problem(503, "starting", "The worker process is starting.")
        return await runtime.answer(ask)

    link = Link(lambda _note: None, reply)
    line = socket.socket(fileno=link_fd)
    line.set_inheritable(False)
    await link.open(line)
    try:
        app = await build()
        app.join(_Others(link))
        serving = await Serving.start(app, sockets)
    except Exception as exc:
        await link.note({"failed": str(exc) or type(exc).__name__})
        raise
    runtime = _Runtime(serving, log)
    signals.install({"SIGTERM": runtime.end.set})
    await link.note({"ready": os.getpid(), "version": __version__})
    settle()
    parent_gone = asyncio.ensure_future(link.closed.wait())
    asked = asyncio.ensure_future(runtime.end.wait())
    await asyncio.wait((parent_gone, asked), return_when=asyncio.FIRST_COMPLETED)
    if not runtime.end.is_set():
        log.warn("parent-gone", pid=os.getpid())
    signals.install({"SIGTERM": lambda: os._exit(143)})
    await _leave(runtime, link)
    parent_gone.cancel()
    asked.cancel()
    link.close()
    return 0


async def _leave(runtime: _Runtime, link: Link) -> None:
    """Lets open requests finish, then gives the parent what this process knew."""
    serving = runtime.serving
    await serving.drain(runtime.deadline_s, keep_idle=runtime.keep_idle)
    last = await channel.answer(serving.app.routes, Ask("POST", RELEASE))
    if last.status == 200:
        await link.note({"state": last.body})
    turns = await channel.answer(serving.app.routes, Ask("GET", PEERS_TURNS))
    if turns.status == 200:
        # Until an heir has them, this process is asked for them.
        await link.ask(Ask("POST", PEERS_TURNS, {}, turns.body), timeout_s=ASK_TIMEOUT_S)
    await serving.close()


def link_fd(env: "os._Environ[str]") -> int | None:
    """Returns the descriptor of the line to the parent and takes its variable out of `env`; None outside a worker."""
    text = env.pop(LINK_FD, "")
    return int(text) if text.isdigit() else None
