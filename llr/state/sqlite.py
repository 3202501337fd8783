"""Routing state for the worker processes of one machine: one SQLite file, asked from the event loop itself.

Law: every `apply` runs inside `BEGIN IMMEDIATE`, so no two processes decide on the same count. What had to wait
together shares one transaction; answers go out after its commit. Failures are `StoreError`.

There is no thread for it. A transaction takes some 30 microseconds and waits for no disk; with a thread it would give
the interpreter away at every statement, and keep the other processes out for as long as it takes to get it back. Where
another process is writing just now, the loop goes on with other things and tries again.
"""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
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
_DEAD = "expires_at > 0 AND expires_at <= ?5"
_ADD = f"""
INSERT INTO usage VALUES (?1, ?2, ?3, ?4) ON CONFLICT (bucket, span) DO UPDATE SET
    count = max(0, ?3 + CASE WHEN {_DEAD} THEN 0 ELSE count END),
    expires_at = CASE WHEN ?4 > 0 THEN ?4 WHEN {_DEAD} THEN 0 ELSE expires_at END
"""
_CHANGE = f"""
UPDATE usage SET count = max(0, count + ?3), expires_at = CASE WHEN ?4 > 0 THEN ?4 ELSE expires_at END
WHERE bucket = ?1 AND span = ?2 AND NOT ({_DEAD})
"""
_BUSY_S = 5.0
# Another process writes for less than this; a shorter wait would only look more often.
_AGAIN_S = 0.0005
_BATCH = 256
_PRUNE_EVERY_S = 60.0
_NOTHING = Keys()
_BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
_BROKEN = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))

Job: TypeAlias = "Callable[[Tables], Any]"


class SqliteStore:
    """A `Store` shared by the processes that open the same path. The file is made on first use, mode 0600."""

    def __init__(self, path: str, *, candidate_ttl_s: float = CANDIDATE_TTL_S, max_pins: int = MAX_PINS) -> None:
        self.path = os.path.realpath(os.path.expanduser(path))
        self._make: Callable[[], Tables] = lambda: Tables(self.path, candidate_ttl_s, max_pins)
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
            self._tables.run(batch)
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
        return now - self._busy_since < _BUSY_S

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


class Tables:
    """The tables and what is done to them; made in any thread, then used by the loop's alone."""

    def __init__(self, path: str, ttl_s: float, max_pins: int) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # Nobody waits for the disk: a power cut may cost the state, which then begins anew; a killed process
            # costs nothing.
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.executescript(_SCHEMA)
            self._db.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            self._db.close()
            raise
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
        if amount > 0 and not 0 < until <= now:
            self._db.execute(_ADD, (*key, amount, until, now))
        else:
            self._db.execute(_CHANGE, (*key, amount, until, now))

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
