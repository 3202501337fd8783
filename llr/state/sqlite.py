"""Routing state for the worker processes of one machine: one SQLite file, asked from the event loop itself.

Law: what had to wait together shares one transaction; answers go out after its commit. Failures are `StoreError`.

There is no thread for it. A transaction takes some 20 microseconds and waits for no disk; with a thread it would give
the interpreter away at every statement, and keep the other processes out for as long as it takes to get it back. Where
another process is writing just now, the loop goes on with other things and tries again.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from llr.state.records import CANDIDATE_TTL_S, MAX_PINS, undone
from llr.state.resilient import StoreError
from llr.state.sqlite_tables import BUSY_S, Job, Tables
from llr.state.store import Keys, Op, Snapshot

# Another process writes for less than this; a shorter wait would only look more often.
_AGAIN_S = 0.0005
_BATCH = 256
_NOTHING = Keys()
_BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
_BROKEN = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))


class SqliteStore:
    """A `Store` shared by the processes that open the same path. The file is made on first use, mode 0600."""

    def __init__(
        self,
        path: str,
        *,
        begun_from: str = "",
        candidate_ttl_s: float = CANDIDATE_TTL_S,
        max_pins: int = MAX_PINS,
    ) -> None:
        """`begun_from` is the state file whose contents a new database begins with."""
        self.path = os.path.realpath(os.path.expanduser(path))
        seed = os.path.realpath(os.path.expanduser(begun_from)) if begun_from else ""
        seed = "" if seed == self.path else seed
        self._make: Callable[[], Tables] = lambda: Tables(self.path, candidate_ttl_s, max_pins, seed)
        self._tables: Tables | None = None
        self._queue: list[_Ticket] = []
        # Whether a turn is under way: waiting for another process, for its turn, or for the file to be opened.
        self._turning = False
        self._opening: asyncio.Task[None] | None = None
        self._busy_since = 0.0

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns what is known of `keys`, expired entries left out. Raises `StoreError`."""
        if keys == _NOTHING:
            return Snapshot()
        found: Snapshot = await self._ask(lambda tables: tables.read(keys, now), False)
        return found

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest. Raises `StoreError`."""
        if not ops:
            return ()
        granted: tuple[bool, ...] = await self._ask(lambda tables: tables.apply(ops, now), True, ops, now)
        return granted

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry. Raises `StoreError`."""
        found: Snapshot = await self._ask(lambda tables: tables.everything(now), True)
        return found

    async def aclose(self) -> None:
        """Returns when everything that was asked is written and the file is closed."""
        if self._tables is not None or self._turning:
            with suppress(StoreError):
                await self._ask(lambda tables: None, False)
        tables, self._tables = self._tables, None
        if tables is not None:
            tables.close()

    async def _ask(self, job: Job, writes: bool, ops: Sequence[Op] = (), now: float = 0.0) -> Any:
        ticket = self._queued(job, writes)
        try:
            return await ticket.answer
        except asyncio.CancelledError:
            back = undone(ops)
            if back:
                # Queued behind the job it undoes, so that it knows how that one ended.
                self._queued(lambda tables: tables.apply(back, now) if ticket.granted else (), True)
            raise

    def _queued(self, job: Job, writes: bool) -> "_Ticket":
        loop = asyncio.get_running_loop()
        ticket = _Ticket(job, writes, loop.create_future())
        self._queue.append(ticket)
        if not self._turning:
            self._turning = True
            self._turn()
        return ticket

    def _turn(self) -> None:
        """Runs what is queued in one transaction, or comes back later."""
        loop = asyncio.get_running_loop()
        if self._tables is None:
            self._opening = loop.create_task(self._open())
            return
        batch = self._queue[:_BATCH]
        try:
            self._tables.run([ticket.work for ticket in batch], writes=any(ticket.writes for ticket in batch))
        except sqlite3.OperationalError as exc:
            if _code(exc) in _BUSY and self._may_wait(loop.time()):
                loop.call_later(_AGAIN_S, self._turn)
                return
            self._fail(batch, exc)
        except (sqlite3.Error, OSError, ValueError) as exc:
            self._fail(batch, exc)
        self._busy_since = 0.0
        del self._queue[:_BATCH]
        for ticket in batch:
            ticket.deliver()
        self._turning = bool(self._queue)
        if self._turning:
            loop.call_soon(self._turn)

    def _may_wait(self, now: float) -> bool:
        self._busy_since = self._busy_since or now
        return now - self._busy_since < BUSY_S

    async def _open(self) -> None:
        """Opens the file beside the loop: that may wait for a disk, and for a process that opens it too."""
        try:
            self._tables = await asyncio.to_thread(self._make)
        except (sqlite3.Error, OSError, ValueError) as exc:
            batch, self._queue = self._queue, []
            self._fail(batch, exc)
            self._turning = False
            for ticket in batch:
                ticket.deliver()
        else:
            self._turn()
        finally:
            self._opening = None

    def _fail(self, batch: "list[_Ticket]", exc: Exception) -> None:
        for ticket in batch:
            ticket.error = StoreError(f"{type(exc).__name__}: {exc}")
        tables, self._tables = self._tables, None
        if tables is not None:
            tables.close()
        if _code(exc) in _BROKEN:
            _set_aside(self.path)


def _code(exc: Exception) -> int:
    """Returns SQLite's primary result code, -1 for an exception without one."""
    code = getattr(exc, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else -1


def _set_aside(path: str) -> None:
    """Renames a file that is no usable database, so that the next try makes a new one."""
    with suppress(OSError):
        os.replace(path, f"{path}.corrupt-{int(time.time() * 1000)}")
        for tail in ("-wal", "-shm"):
            with suppress(OSError):
                os.unlink(path + tail)


class _Ticket:
    """One job in the queue, and where its result is awaited."""

    __slots__ = ("answer", "error", "job", "result", "writes")

    def __init__(self, job: Job, writes: bool, answer: "asyncio.Future[Any]") -> None:
        self.job, self.writes, self.answer = job, writes, answer
        self.result: Any = None
        self.error: Exception | None = None

    def work(self, tables: Tables) -> None:
        """Does the job; jobs behind it in the batch may look at its result."""
        self.result = self.job(tables)

    @property
    def granted(self) -> bool:
        """Returns whether the job was an `apply` that took effect."""
        return self.error is None and bool(self.result) and all(self.result)

    def deliver(self) -> None:
        """Hands the result over, unless nobody waits any more."""
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
            # An undoing has nobody who looks at it.
            self.answer.exception()
        else:
            self.answer.set_result(self.result)
