"""One worker process as its parent sees it: started, ready, asked, drained, gone."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from llr.base.jsonio import JSON
from llr.daemon.channel import Answer, Ask
from llr.daemon.link import Link, Note
from llr.daemon.listener import LISTEN_FD
from llr.daemon.spawn import spawn

LINK_FD = "LLM_ROUTER_LINK_FD"
# What names of slots begin with, for all workers of one gateway.
HOLDER = "LLM_ROUTER_HOLDER"
ASK_TIMEOUT_S = 20.0
# A client waits while workers ask each other.
PEERS_TIMEOUT_S = 2.0
_REAP_STEP_S = 0.01
_REAP_STEPS = 500


# Answers what one worker asks of the others.
Between: TypeAlias = "Callable[[Worker, Ask], Awaitable[Answer]]"


def holder_of(crew: str, pid: int) -> str:
    """Returns what the names of all slots begin with that one worker holds in a shared store; "" outside a crew."""
    return f"{crew}.{pid}:" if crew else ""


class Worker:
    """A child at the other end of a link. `failure` tells why it did not become ready, `state` what it left behind."""

    def __init__(self, pid: int, sock: socket.socket, child: "subprocess.Popen[bytes] | None" = None) -> None:
        self.pid = pid
        self.sock = sock
        self.version = ""
        self.started_at = time.time()
        self.failure = ""
        self.state: JSON = None
        self._between: asyncio.Future[Between] = asyncio.get_running_loop().create_future()
        self.retiring = False
        self.ready = asyncio.Event()
        self._child = child
        self._link = Link(self._note, self._asked)

    @property
    def gone(self) -> asyncio.Event:
        """Returns the event that is set when the process has closed its end."""
        return self._link.closed

    @property
    def is_ready(self) -> bool:
        """Returns whether it serves."""
        return self.ready.is_set() and not self.failure and not self.gone.is_set()

    async def open(self) -> None:
        """Starts listening to the worker. The link works on a copy: `sock` stays for a hand-over by exec."""
        await self._link.open(self.sock.dup())

    async def take_over(self) -> None:
        """Starts listening to a worker of an earlier image of this process."""
        await self.open()
        await self._link.take_over()

    def serve_beside(self, between: Between) -> None:
        """Lets it ask the other workers, through `between`; until then its questions wait."""
        if not self._between.done():
            self._between.set_result(between)

    async def _asked(self, ask: Ask) -> Answer:
        return await (await asyncio.shield(self._between))(self, ask)

    def _note(self, note: Note) -> None:
        if "failed" in note:
            self.failure = str(note["failed"])
            self.ready.set()
        elif "state" in note:
            self.state = note["state"]
        elif "ready" in note:
            self.version = str(note.get("version", ""))
            self.ready.set()

    async def wait_ready(self, timeout_s: float) -> str | None:
        """Returns None once it serves, else why it does not."""
        ready = asyncio.ensure_future(self.ready.wait())
        gone = asyncio.ensure_future(self.gone.wait())
        done, pending = await asyncio.wait((ready, gone), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if self.failure:
            return self.failure
        if self.ready.is_set():
            return None
        if not done:
            return f"process {self.pid} was not ready within {timeout_s:g} s"
        return f"process {self.pid} ended before it was ready"

    async def ask(self, ask: Ask, timeout_s: float = ASK_TIMEOUT_S) -> Answer:
        """Returns the worker's answer; 503 when it is gone."""
        return await self._link.ask(ask, timeout_s=timeout_s)

    async def drain(self, deadline_s: float, *, keep_idle: bool = False) -> None:
        """Returns when the worker has ended: asked to drain, killed a little after the deadline."""
        self.retiring = True
        body: JSON = {"deadlineSeconds": deadline_s, "keepIdle": keep_idle}
        await self._link.ask(Ask("POST", "/drain", {}, body), timeout_s=ASK_TIMEOUT_S)
        try:
            async with asyncio.timeout(deadline_s + 2.0):
                await self.gone.wait()
        except TimeoutError:
            self.kill()
        await self.reap()

    def kill(self) -> None:
        """Ends the process at once."""
        try:
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        except ProcessLookupError:
            return

    async def reap(self) -> int | None:
        """Returns the exit code of the ended process (negative: a signal), None when it cannot be learned."""
        for _ in range(_REAP_STEPS):
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)  # noqa: ASYNC222 (WNOHANG never waits)
            except ChildProcessError:
                return None
            if pid:
                code = os.waitstatus_to_exitcode(status)
                if self._child is not None:
                    self._child.returncode = code
                self.sock.close()
                return code
            await asyncio.sleep(_REAP_STEP_S)
        return None


async def start(
    command: Sequence[str], env: Mapping[str, str], sockets: Sequence[socket.socket], fds: Sequence[int] = ()
) -> Worker:
    """Returns a worker that was just started with the listening sockets. Raises OSError."""
    ours, theirs = socket.socketpair()
    listen = [sock.fileno() for sock in sockets]
    extra = {LISTEN_FD: ",".join(map(str, listen)), LINK_FD: str(theirs.fileno())}
    try:
        child = spawn(command, {**env, **extra}, (*listen, theirs.fileno(), *fds))
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    worker = Worker(child.pid, ours, child)
    await worker.open()
    return worker


async def adopt(pid: int, fd: int, version: str) -> Worker:
    """Returns a worker that an earlier image of this process started."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    worker = Worker(pid, sock)
    worker.version = version
    worker.ready.set()
    await worker.take_over()
    return worker
