"""The `Transport` over real sockets: a pool of connections by origin.

Law: a request is sent again silently only when nothing of it had left; every other failure is the caller's to judge.
"""

import asyncio
from collections.abc import Mapping

from llr.base.errors import ErrorKind, fail
from llr.net.dial import dial
from llr.net.exchange import Answer, NothingSent, Upstream, exchange
from llr.net.pool import EvictThenOpen, PoolLimits, PoolView, Reuse, Wait, choose, may_idle
from llr.net.proxy import Proxy, proxy_for
from llr.net.tls import Trust
from llr.net.watch import Watch
from llr.wire.http import Origin, OutboundRequest, Timeouts

# Origins come from the configuration; the bound only keeps a client that is misused from growing.
_MAX_ROUTES = 1024
_CLOSED = "the client is closed"


class Client:
    """Sends requests over kept-alive connections. `env` gives proxies and trusted roots.

    Used from one event loop, the one running at the first `send`.
    """

    def __init__(self, env: Mapping[str, str], limits: PoolLimits | None = None) -> None:
        self._env = env
        self._limits = limits if limits is not None else PoolLimits()
        self._trust = Trust(env)
        self._routes: dict[Origin, Proxy | None] = {}
        self._view: PoolView[Upstream] = PoolView()
        self._busy: set[Upstream] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._watch: Watch | None = None
        self._closed = False

    @property
    def open_connections(self) -> int:
        """Returns the number of open upstream connections, idle ones included."""
        return self._view.open_total

    async def send(self, request: OutboundRequest, *, timeouts: Timeouts) -> Answer:
        """Returns once the answer's head is there. Raises `GatewayError` as `Transport` has it, and CONFIGURATION for

        an unusable proxy, CA file, path or header field.
        """
        while True:
            upstream = await self._acquire(request.origin, timeouts)
            try:
                return await exchange(upstream, request, timeouts, self._settle)
            except NothingSent:
                self._drop(upstream)
            except BaseException:
                self._drop(upstream)
                raise

    async def aclose(self) -> None:
        """Ends every connection; requests under way fail."""
        self._closed = True
        for upstream in [*self._busy, *(each for idle in self._view.idle.values() for each in idle)]:
            self._drop(upstream)
        if self._watch is not None:
            self._watch.stop()
        await asyncio.sleep(0)  # the transports close in the loop's next turn

    # Getting a connection.

    async def _acquire(self, origin: Origin, timeouts: Timeouts) -> Upstream:
        loop = asyncio.get_running_loop()
        if self._watch is None:
            self._watch = Watch(loop)
        give_up_at = loop.time() + timeouts.connect_s
        while True:
            if self._closed:
                raise fail(ErrorKind.UPSTREAM_UNREACHABLE, _CLOSED)
            move = choose(self._view, origin, now=loop.time(), limits=self._limits)
            if isinstance(move, Reuse):
                upstream = move.connection
                self._take_idle(upstream)
                if not upstream.stream.is_dead():
                    return upstream
                self._drop(upstream)
            elif isinstance(move, Wait):
                await self._wait_turn(origin, give_up_at)
            else:
                if isinstance(move, EvictThenOpen):
                    self._drop(move.victim)
                return await self._open(origin, self._watch, timeouts.connect_s)

    async def _open(self, origin: Origin, watch: Watch, connect_s: float) -> Upstream:
        self._count(origin, 1)
        try:
            proxy = self._route(origin)
            stream, wire = await dial(origin, proxy, self._trust, connect_s=connect_s)
        except BaseException:
            self._count(origin, -1)
            raise
        if self._closed:
            self._count(origin, -1)
            stream.abort()
            raise fail(ErrorKind.UPSTREAM_UNREACHABLE, _CLOSED)
        upstream = Upstream(origin, proxy, stream, wire, watch)
        self._busy.add(upstream)
        return upstream

    def _route(self, origin: Origin) -> Proxy | None:
        try:
            return self._routes[origin]
        except KeyError:
            proxy = proxy_for(origin, self._env)
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            self._routes[origin] = proxy
            return proxy

    async def _wait_turn(self, origin: Origin, give_up_at: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            async with asyncio.timeout_at(give_up_at):
                await turn
        except TimeoutError:
            raise fail(
                ErrorKind.UPSTREAM_TIMEOUT, f"connecting to {origin.host}:{origin.port}: all connections are busy"
            ) from None
        finally:
            if turn in self._waiters:
                self._waiters.remove(turn)

    # Giving it back.

    def _settle(self, upstream: Upstream, reusable: bool) -> None:
        origin, wire = upstream.origin, upstream.wire
        keep_s = min(self._limits.idle_s, upstream.keep_s)
        if not reusable or keep_s <= 0 or wire.ended or self._closed or upstream not in self._busy:
            self._drop(upstream)
            return
        if not may_idle(self._view, origin, limits=self._limits):
            self._drop(upstream)
            return
        self._busy.discard(upstream)
        upstream.wait_for("request", keep_s)
        upstream.usable_until = upstream.deadline

        def end() -> None:
            self._drop(upstream)

        upstream.on_idle_end = wire.on_end = end
        self._view.idle.setdefault(origin, []).append(upstream)
        self._wake()

    def _take_idle(self, upstream: Upstream) -> None:
        idle = self._view.idle[upstream.origin]
        idle.remove(upstream)
        if not idle:
            del self._view.idle[upstream.origin]
        upstream.on_idle_end = upstream.wire.on_end = None
        self._busy.add(upstream)

    def _drop(self, upstream: Upstream) -> None:
        if upstream in self._busy:
            self._busy.discard(upstream)
        elif upstream in self._view.idle.get(upstream.origin, ()):
            self._take_idle(upstream)
            self._busy.discard(upstream)
        else:
            return
        upstream.discard()
        self._count(upstream.origin, -1)

    def _count(self, origin: Origin, by: int) -> None:
        view = self._view
        view.open_total += by
        left = view.open.get(origin, 0) + by
        if left:
            view.open[origin] = left
        else:
            view.open.pop(origin, None)
        if by < 0:
            self._wake()

    def _wake(self) -> None:
        """Lets everyone who waits look again: whose turn it is depends on the origin."""
        waiters = self._waiters
        self._waiters = []
        for turn in waiters:
            if not turn.done():
                turn.set_result(None)
