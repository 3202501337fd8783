"""Which connection a request gets, decided on values.

Law: pure. The client keeps the view true and does what `choose` says.
"""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeAlias, TypeVar

from llr.base.records import dataclass, field
from llr.wire.http import Origin


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections may be open and idle, and for how many seconds an idle one is trusted."""

    max_open: int = 4096
    max_open_per_origin: int = 4096
    max_idle_per_origin: int = 256
    idle_s: float = 50.0


class Idle(Protocol):
    """A connection without a request; past `usable_until` (loop clock) its peer may be closing it."""

    @property
    def usable_until(self) -> float:
        """Returns the instant after which it is not used any more."""


C = TypeVar("C", bound=Idle)


@dataclass(slots=True)
class PoolView(Generic[C]):
    """What there is: idle connections by origin, the longest idle first, and the number of open ones, idle included."""

    idle: dict[Origin, list[C]] = field(default_factory=dict)
    open: dict[Origin, int] = field(default_factory=dict)
    open_total: int = 0


@dataclass(frozen=True, slots=True)
class Reuse(Generic[C]):
    """Take this idle connection."""

    connection: C


@dataclass(frozen=True, slots=True)
class Open:
    """Dial a new one."""


@dataclass(frozen=True, slots=True)
class EvictThenOpen(Generic[C]):
    """Close this idle connection, then dial."""

    victim: C


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until a connection ends or becomes idle."""


Move: TypeAlias = Reuse[C] | Open | EvictThenOpen[C] | Wait

_OPEN = Open()
_WAIT = Wait()


def choose(view: PoolView[C], origin: Origin, *, now: float, limits: PoolLimits) -> Move[C]:
    """Returns what a request to `origin` should do: the most recently used connection first, it is the freshest."""
    idle = view.idle.get(origin)
    if idle:
        newest = idle[-1]
        if newest.usable_until > now:
            return Reuse(newest)
        return EvictThenOpen(idle[0])
    if view.open.get(origin, 0) >= limits.max_open_per_origin:
        return _WAIT
    if view.open_total < limits.max_open:
        return _OPEN
    oldest = _first_to_expire(each[0] for each in view.idle.values() if each)
    return _WAIT if oldest is None else EvictThenOpen(oldest)


def may_idle(view: PoolView[C], origin: Origin, *, limits: PoolLimits) -> bool:
    """Tells whether one more connection to `origin` may be kept idle."""
    return len(view.idle.get(origin, ())) < limits.max_idle_per_origin


def _first_to_expire(connections: Iterable[C]) -> C | None:
    return min(connections, key=lambda connection: connection.usable_until, default=None)
