"""What a process serves, and the servers that serve it: one per listening socket."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from llr.base.records import dataclass, field
from llr.daemon.channel import Answerer
from llr.net.limits import ServerLimits
from llr.net.server import Server, serve
from llr.wire.http import Handler

if TYPE_CHECKING:
    from llr.gateway.deps import Line

# Rows that pass routing state on at a hand-over; for processes only, not for the owner.
RELEASE = "/state/release"
ABSORB = "/state/absorb"
# Gives back the slots that a dead process still holds in a shared store.
VACATE = "/state/vacate"
# Rows by which processes of one gateway ask and tell each other, and pass on what they know when they end.
PEERS_ASK = "/peers/ask"
PEERS_NEWS = "/peers/news"
PEERS_LESSONS = "/peers/lessons"
PEERS_TURNS = "/peers/turns"
PEERS_ABSORB = "/peers/absorb"
PRIVATE = frozenset((RELEASE, ABSORB, VACATE, PEERS_ASK, PEERS_NEWS, PEERS_LESSONS, PEERS_TURNS, PEERS_ABSORB))


def _alone(_line: "Line") -> None:
    """Has nothing to ask others."""


@dataclass(frozen=True, slots=True)
class App:
    """What a composition root builds. `routes` are rows of the control channel; `aclose` gives everything back.

    `routes` holds at least `GET /status` (a JSON object) and `POST /reload`. Where state must pass from process to
    process, it also holds RELEASE (state is kept for others no more; the answer is all of it) and ABSORB. `join` is
    given the line to the other workers, whose questions come by the PEERS rows.
    """

    handler: Handler
    aclose: Callable[[], Awaitable[None]]
    limits: ServerLimits
    drain_s: float = 30.0
    routes: Mapping[str, Answerer] = field(default_factory=dict)
    join: "Callable[[Line], None]" = _alone


Build = Callable[[], Awaitable[App]]


def settle() -> None:
    """Turns the garbage collector on for the time of serving; what start-up made is never looked at again."""
    gc.freeze()
    gc.enable()


class Serving:
    """An app on its sockets. It works on copies of the descriptors: closing it leaves the sockets bound."""

    def __init__(self, app: App, servers: Sequence[Server]) -> None:
        self.app = app
        self._servers = servers

    @classmethod
    async def start(cls, app: App, sockets: Sequence[socket.socket]) -> "Serving":
        """Returns once connections are accepted."""
        return cls(app, [await serve(app.handler, sock.dup(), app.limits) for sock in sockets])

    @property
    def connections(self) -> int:
        """Returns how many clients are connected."""
        return sum(server.connections for server in self._servers)

    @property
    def requests(self) -> int:
        """Returns how many requests are being answered."""
        return sum(server.requests for server in self._servers)

    async def drain(self, deadline_s: float, *, keep_idle: bool = False) -> None:
        """Stops accepting and lets requests end for at most `deadline_s`; the app stays until `close`.

        `keep_idle` leaves idle connections open: a successor listens already, and closing them would race with
        requests that their clients are about to send.
        """
        await asyncio.gather(*(server.drain(deadline_s, keep_idle=keep_idle) for server in self._servers))

    async def close(self) -> None:
        """Closes servers and app at once."""
        for server in self._servers:
            await server.close()
        await self.app.aclose()
