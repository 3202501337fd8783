"""Routing state for the worker processes of one machine: one SQLite file, one thread per process that speaks to it.

Law: every `apply` runs inside `BEGIN IMMEDIATE`, so no two processes decide on the same count. What waits in the queue
together shares one transaction; answers go out after its commit. Failures are `StoreError`.
"""

import asyncio
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeAlias

from llr.base.records import replace
from llr.state.records import CANDIDATE_TTL_S, MAX_PINS, cleared, expires_at, failed, outlives, undone
from llr.state.resilient import StoreError
from llr.state.statefile import decode_health, encode_health
from llr.state.store import (
    BucketKey,
    Clear,
    Fail,
    Health,
    Keys,
    Lease,
    Op,
    Pin,
    Probe,
    Recover,
    Release,
    Reserve,
    SetCursor,
    Settle,
    Snapshot,
    Unlease,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursors (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (bucket TEXT, span TEXT, count INTEGER NOT NULL, expires_at REAL NOT NULL,
    PRIMARY KEY (bucket, span)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS health (key TEXT PRIMARY KEY, state TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (slot TEXT, holder TEXT, expires_at REAL NOT NULL, PRIMARY KEY (slot, holder))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pins (key TEXT PRIMARY KEY, candidate TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pins_by_end ON pins (expires_at);
"""
_BUSY_MS = 5_000
_PRUNE_EVERY_S = 60.0
_NOTHING = Keys()

Job: TypeAlias = "Callable[[Tables], Any]"


class SqliteStore:
    """A `Store` shared by the processes that open the same path. The file is made on first use, mode 0600."""

    def __init__(self, path: str, *, candidate_ttl_s: float = CANDIDATE_TTL_S, max_pins: int = MAX_PINS) -> None:
        self.path = os.path.realpath(os.path.expanduser(path))
        self._make: Callable[[], Tables] = lambda: Tables(self.path, candidate_ttl_s, max_pins)
        self._jobs: SimpleQueue[_Ticket | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

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
        """Returns when the thread has written what it was asked and is gone."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    async def _ask(self, job: Job, writes: bool, ops: Sequence[Op] = (), now: float = 0.0) -> Any:
        if self._thread is None:
            self._thread = threading.Thread(target=_serve, args=(self._jobs, self._make), name="llr-state", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        ticket = _Ticket(job, writes, loop, loop.create_future())
        self._jobs.put(ticket)
        try:
            return await ticket.answer
        except asyncio.CancelledError:
            back = undone(ops)
            if back:
                # Queued behind the job it undoes, so that it knows how that one ended.
                undo: Job = lambda tables: tables.apply(back, now) if ticket.granted else ()  # noqa: E731
                self._jobs.put(_Ticket(undo, True, loop, loop.create_future()))
            raise


class _Ticket:
    """One job on its way to the thread, and where its result is awaited."""

    __slots__ = ("answer", "error", "job", "loop", "result", "writes")

    def __init__(self, job: Job, writes: bool, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[Any]") -> None:
        self.job, self.writes, self.loop, self.answer = job, writes, loop, answer
        self.result: Any = None
        self.error: Exception | None = None

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


def _serve(jobs: "SimpleQueue[_Ticket | None]", make: "Callable[[], Tables]") -> None:
    """Runs jobs until a None comes; the database is opened by the first job, and again after a failure."""
    tables: Tables | None = None
    stop = False
    while not stop:
        batch: list[_Ticket] = []
        ticket = jobs.get()
        while True:
            if ticket is None:
                stop = True
                break
            batch.append(ticket)
            if jobs.empty() or len(batch) >= 256:
                break
            ticket = jobs.get()
        if batch:
            tables = _run(batch, tables, make)
    if tables is not None:
        tables.close()


def _run(batch: list[_Ticket], tables: "Tables | None", make: "Callable[[], Tables]") -> "Tables | None":
    try:
        tables = tables or make()
        tables.run(batch)
    except (sqlite3.Error, OSError, ValueError) as exc:
        for ticket in batch:
            ticket.error = StoreError(f"{type(exc).__name__}: {exc}")
        if tables is not None:
            tables.close()
        tables = None
    by_loop: dict[asyncio.AbstractEventLoop, list[_Ticket]] = {}
    for ticket in batch:
        by_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, tickets in by_loop.items():
        with suppress(RuntimeError):  # The loop was closed: nobody waits any more.
            loop.call_soon_threadsafe(_deliver, tickets)
    return tables


def _deliver(tickets: list[_Ticket]) -> None:
    for ticket in tickets:
        ticket.deliver()


class Tables:
    """The tables and what is done to them; used by one thread only."""

    def __init__(self, path: str, ttl_s: float, max_pins: int) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, timeout=_BUSY_MS / 1000.0, isolation_level=None)
        self._db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        self._db.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last moments of state, never its shape.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self._ttl_s = ttl_s
        self._max_pins = max_pins
        self._pruned_at = float("-inf")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def run(self, batch: Sequence[_Ticket]) -> None:
        """Runs the jobs of a batch in one transaction if any of them writes; results are good once this returns."""
        writes = any(ticket.writes for ticket in batch)
        self._db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            for ticket in batch:
                ticket.result = ticket.job(self)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def read(self, keys: Keys, now: float) -> Snapshot:
        """Returns what is known of `keys`."""
        usage = {key: count for key in keys.buckets if (count := self._count(key, now))}
        health = {key: record for key in keys.health if (record := self._record(key, now)) is not None}
        return Snapshot(
            cursors={key: value for key in keys.cursors if (value := self._cursor(key)) is not None},
            usage=usage,
            health=health,
            pins={key: pin for key in keys.pins if (pin := self._pin(key, now)) is not None},
            leases={slot: held for slot in keys.slots if (held := self._held(slot, now))},
        )

    def apply(self, ops: Sequence[Op], now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest."""
        if not _PRUNE_EVERY_S > now - self._pruned_at >= 0:
            self._prune(now)
        added: dict[object, int] = {}
        granted = tuple(self._grant(op, added, now) for op in ops)
        if all(granted):
            for op in ops:
                _APPLY[type(op)](self, op, now)
        return granted

    def everything(self, now: float) -> Snapshot:
        """Returns every live entry."""
        self._prune(now)
        rows = self._db.execute
        health = rows("SELECT key, state FROM health").fetchall()
        return Snapshot(
            cursors=dict(rows("SELECT key, value FROM cursors").fetchall()),
            usage={BucketKey(b, s): n for b, s, n in rows("SELECT bucket, span, count FROM usage WHERE count > 0")},
            health={key: decode_health(json.loads(state)) for key, state in health},
            pins={key: Pin(key, one, end) for key, one, end in rows("SELECT key, candidate, expires_at FROM pins")},
            leases=dict(rows("SELECT slot, COUNT(*) FROM leases GROUP BY slot").fetchall()),
        )

    # --- looking -------------------------------------------------------------------------------------------------

    def _one(self, sql: str, *args: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(sql, args).fetchone()
        return row

    def _cursor(self, key: str) -> int | None:
        row = self._one("SELECT value FROM cursors WHERE key = ?", key)
        return row[0] if row is not None else None

    def _count(self, key: BucketKey, now: float) -> int:
        row = self._one("SELECT count, expires_at FROM usage WHERE bucket = ? AND span = ?", *key)
        return 0 if row is None or 0 < row[1] <= now else int(row[0])

    def _record(self, key: str, now: float) -> Health | None:
        row = self._one("SELECT state FROM health WHERE key = ? AND expires_at > ?", key, now)
        return decode_health(json.loads(row[0])) if row is not None else None

    def _pin(self, key: str, now: float) -> Pin | None:
        row = self._one("SELECT candidate, expires_at FROM pins WHERE key = ? AND expires_at > ?", key, now)
        return Pin(key, *row) if row is not None else None

    def _held(self, slot: str, now: float) -> int:
        row = self._one("SELECT COUNT(*) FROM leases WHERE slot = ? AND expires_at > ?", slot, now)
        return int(row[0]) if row is not None else 0

    def _holds(self, op: Lease, now: float) -> bool:
        found = "SELECT 1 FROM leases WHERE slot = ? AND holder = ? AND expires_at > ?"
        return self._one(found, op.slot, op.holder, now) is not None

    def _grant(self, op: Op, added: dict[object, int], now: float) -> bool:
        if isinstance(op, Reserve):
            before = added.get(op.bucket, 0)
            if self._count(op.bucket, now) + before + op.amount > op.limit:
                return False
            added[op.bucket] = before + op.amount
        elif isinstance(op, Lease) and not self._holds(op, now):
            before = added.get(op.slot, 0)
            if self._held(op.slot, now) + before >= op.limit:
                return False
            added[op.slot] = before + 1
        elif isinstance(op, Probe) and op.until_at > 0:
            record = self._record(op.key, now)
            if (record is not None and record.probing_until_at > now) or ("probe", op.key) in added:
                return False
            added["probe", op.key] = 1
        return True

    # --- changing ------------------------------------------------------------------------------------------------

    def _prune(self, now: float) -> None:
        self._pruned_at = now
        self._db.execute("DELETE FROM usage WHERE expires_at > 0 AND expires_at <= ?", (now,))
        for table in ("health", "leases", "pins"):
            self._db.execute(f"DELETE FROM {table} WHERE expires_at <= ?", (now,))
        spare = "DELETE FROM pins WHERE key IN (SELECT key FROM pins ORDER BY expires_at DESC LIMIT -1 OFFSET ?)"
        self._db.execute(spare, (self._max_pins,))

    def _set_cursor(self, op: SetCursor, now: float) -> None:
        self._db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (op.key, max(0, op.value)))

    def _add(self, key: BucketKey, amount: int, until: float, now: float) -> None:
        row = self._one("SELECT count, expires_at FROM usage WHERE bucket = ? AND span = ?", *key)
        live = row is not None and not 0 < row[1] <= now
        if not live and (amount <= 0 or 0 < until <= now):
            return
        count = max(0, (int(row[0]) if row is not None and live else 0) + amount)
        until = until or (row[1] if row is not None and live else 0.0)
        self._db.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", (*key, count, until))

    def _reserve(self, op: Reserve, now: float) -> None:
        self._add(op.bucket, op.amount, op.expires_at, now)

    def _release(self, op: Release, now: float) -> None:
        self._add(op.bucket, -op.amount, 0.0, now)

    def _settle(self, op: Settle, now: float) -> None:
        self._add(op.bucket, op.actual - op.reserved, op.expires_at, now)

    def _lease(self, op: Lease, now: float) -> None:
        self._db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?)", (op.slot, op.holder, op.expires_at))

    def _unlease(self, op: Unlease, now: float) -> None:
        self._db.execute("DELETE FROM leases WHERE slot = ? AND holder = ?", (op.slot, op.holder))

    def _put(self, key: str, record: Health | None) -> None:
        if record is None:
            self._db.execute("DELETE FROM health WHERE key = ?", (key,))
            return
        state = json.dumps(encode_health(record), separators=(",", ":"))
        end = expires_at(record, self._ttl_s)
        self._db.execute("INSERT OR REPLACE INTO health VALUES (?, ?, ?)", (key, state, end))

    def _fail(self, op: Fail, now: float) -> None:
        self._put(op.key, failed(self._record(op.key, now), op, now))

    def _recover(self, op: Recover, now: float) -> None:
        record = self._record(op.key, now)
        if record is None or not outlives(record, op):
            self._put(op.key, None)

    def _clear(self, op: Clear, now: float) -> None:
        record = self._record(op.key, now)
        self._put(op.key, cleared(record, op.reason, now) if record is not None and op.reason else None)

    def _probe(self, op: Probe, now: float) -> None:
        record = self._record(op.key, now)
        if record is not None:
            self._put(op.key, replace(record, probing_until_at=op.until_at))

    def _bind(self, op: Pin, now: float) -> None:
        if op.candidate and op.expires_at > now:
            self._db.execute("INSERT OR REPLACE INTO pins VALUES (?, ?, ?)", (op.key, op.candidate, op.expires_at))
        else:
            self._db.execute("DELETE FROM pins WHERE key = ?", (op.key,))


_APPLY: dict[type, Callable[[Tables, Any, float], None]] = {
    SetCursor: Tables._set_cursor,
    Reserve: Tables._reserve,
    Release: Tables._release,
    Settle: Tables._settle,
    Lease: Tables._lease,
    Unlease: Tables._unlease,
    Fail: Tables._fail,
    Recover: Tables._recover,
    Clear: Tables._clear,
    Probe: Tables._probe,
    Pin: Tables._bind,
}
