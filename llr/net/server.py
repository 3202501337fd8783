"""A listening socket and the connections it gave.

Law: at most one connection is accepted per wake-up, so that workers sharing the socket share the load.
"""

import asyncio
import contextlib
import errno
import logging
import socket

from llr.net.connection import Connection
from llr.net.limits import ServerLimits
from llr.net.plain import refusal, trace
from llr.net.stream import Wire
from llr.net.watch import Watch
from llr.wire.http import Handler

log = logging.getLogger("llr.net.server")

BACKLOG = 1024
# Out of file descriptors or memory: accepting again at once would spin.
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_ACCEPT_PAUSE_S = 1.0
# A request whose clean-up waits for something is cancelled again, and then left behind.
_CLOSE_ROUNDS = 3
_CLOSE_ROUND_S = 2.0
# Connections over the cap that may wait for their 503 to be read; beyond them the kernel just closes.
_MAX_REFUSING = 64


class Server:
    """Serves `handler` on one listening socket, which it owns from now on."""

    def __init__(self, handler: Handler, sock: socket.socket, limits: ServerLimits) -> None:
        self.handler = handler
        self.limits = limits
        self.draining = False
        self.closing_idle = False
        self.requests = 0
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self.watch = Watch(self._loop)
        self._live: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = 0
        self._acceptor: asyncio.Task[None] | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._listening = False

    @property
    def connections(self) -> int:
        """Returns the number of open client connections."""
        return len(self._live)

    def start(self) -> None:
        """Starts to accept."""
        self._sock.setblocking(False)
        self._sock.listen(BACKLOG)
        self._listening = True
        self._listen()

    async def drain(self, deadline_s: float, *, keep_idle: bool = False) -> int:
        """Stops accepting, lets running requests finish, and returns how many were cut after `deadline_s` seconds.

        Answers from now on say `Connection: close`. Idle connections are closed at once, or with `keep_idle` (a
        successor already listens on the same socket) left to end by themselves.
        """
        self._stop_accepting()
        self.draining = True
        self.closing_idle = not keep_idle
        if self.closing_idle:
            for connection in tuple(self._live):
                connection.close_if_idle()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=deadline_s)
        cut = self.requests
        await self.close()
        return cut

    async def close(self) -> None:
        """Stops accepting and ends every connection now."""
        self._stop_accepting()
        for _ in range(_CLOSE_ROUNDS):
            tasks = set(self._tasks)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CLOSE_ROUND_S)
        self.watch.stop()

    # Accepting.

    def _listen(self) -> None:
        self._resume = None
        try:
            self._loop.add_reader(self._sock.fileno(), self._accept)
        except NotImplementedError:  # the proactor loop of Windows
            self._acceptor = self._loop.create_task(self._accept_forever())

    def _stop_accepting(self) -> None:
        if not self._listening:
            return
        self._listening = False
        if self._resume is not None:
            self._resume.cancel()
        if self._acceptor is not None:
            self._acceptor.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _accept(self) -> None:
        try:
            sock, address = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the client gave up
        except OSError as exc:
            self._accept_failed(exc)
            return
        self._start(sock, address)

    def _accept_failed(self, exc: OSError) -> None:
        log.error("cannot accept a connection: %s", exc)
        if exc.errno in _EXHAUSTED:
            self._loop.remove_reader(self._sock.fileno())
            self._resume = self._loop.call_later(_ACCEPT_PAUSE_S, self._listen)

    async def _accept_forever(self) -> None:
        while True:
            try:
                sock, address = await self._loop.sock_accept(self._sock)
            except OSError as exc:
                log.error("cannot accept a connection: %s", exc)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            self._start(sock, address)
            await asyncio.sleep(0)

    def _start(self, sock: socket.socket, address: object) -> None:
        sock.setblocking(False)
        if len(self._live) >= self.limits.max_connections:
            coroutine = self._turn_away(sock)
        else:
            wire = Wire(self._loop)
            connection = Connection(self, wire, peer_of(address), self._loop)
            self._live.add(connection)
            coroutine = self._serve(connection, wire, sock)
            task = self._loop.create_task(coroutine)
            connection.task = task
            self._keep(task)
            return
        self._keep(self._loop.create_task(coroutine))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a connection failed\n%s", trace(exc))

    async def _serve(self, connection: Connection, wire: Wire, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: wire, sock)
            await connection.run()
        finally:
            self._live.discard(connection)

    async def _turn_away(self, sock: socket.socket) -> None:
        """Answers 503 without reading, and waits a little so that the client can read it."""
        if self._refusing >= _MAX_REFUSING:
            sock.close()
            return
        self._refusing += 1
        wire = Wire(self._loop)
        try:
            await self._loop.connect_accepted_socket(lambda: wire, sock)
            wire.mute()
            wire.write(refusal(503, "too many connections"))
            wire.write_eof()
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(self.limits.linger_s):
                    await wire.read()
            wire.abort()
        finally:
            self._refusing -= 1


def peer_of(address: object) -> str:
    """Returns the IP address of a socket address, an IPv4 one in its own form; "" for a Unix socket."""
    if not isinstance(address, tuple) or not address:
        return ""
    host = str(address[0])
    return host[7:] if host.startswith("::ffff:") and "." in host else host


async def serve(handler: Handler, sock: socket.socket, limits: ServerLimits | None = None) -> Server:
    """Returns a server that answers on `sock`, a bound TCP or Unix socket; the server owns the socket from now on."""
    server = Server(handler, sock, limits if limits is not None else ServerLimits())
    server.start()
    return server
