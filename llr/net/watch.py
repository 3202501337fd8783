"""Deadlines of many connections under one timer.

Law: setting a deadline costs one comparison; nothing here makes a timer per request or per chunk.
"""

import asyncio
import logging
from typing import Protocol

log = logging.getLogger("llr.net")

NEVER = float("inf")
# Two scans are at least this far apart, whatever the deadlines: 1,000 streams with heartbeats stay cheap.
_GAP_S = 0.05


class Watched(Protocol):
    """Something with a deadline on the loop's clock, `NEVER` for none."""

    deadline: float

    def expire(self, now: float) -> None:
        """Called once `deadline` has passed; sets a later one first of all."""


class Watch:
    """Calls `expire` on what is overdue."""

    __slots__ = ("_handle", "_items", "_loop", "_next_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: dict[Watched, None] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._next_at = NEVER

    def add(self, item: Watched) -> None:
        """Watches `item` from now on."""
        self._items[item] = None
        self.soon(item.deadline)

    def discard(self, item: Watched) -> None:
        """Forgets `item`."""
        self._items.pop(item, None)
        if not self._items:
            self.stop()

    def soon(self, deadline: float) -> None:
        """Makes sure that a deadline just set is noticed in time."""
        if deadline < self._next_at:
            if self._handle is not None:
                self._handle.cancel()
            self._next_at = deadline
            self._handle = self._loop.call_at(deadline, self._scan)

    def stop(self) -> None:
        """Ends the timer; the next deadline starts it again."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._next_at = NEVER

    def _scan(self) -> None:
        self._handle = None
        self._next_at = NEVER
        now = self._loop.time()
        for item in [item for item in self._items if item.deadline <= now]:
            try:
                item.expire(now)
            except Exception:
                # One connection's failure must not end the deadlines of all.
                log.exception("a deadline could not be acted on")
        nearest = min((item.deadline for item in self._items), default=NEVER)
        if nearest < NEVER:
            self.soon(max(nearest, now + _GAP_S))
