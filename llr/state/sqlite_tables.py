"""The tables of routing state in SQLite, and what is done to them.

Law: every `apply` runs inside `BEGIN IMMEDIATE`, so no two processes decide on the same count.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llr.base.records import replace
from llr.state.records import cleared, expires_at, failed, outlives
from llr.state.statefile import Contents, decode, decode_health, encode_health
from llr.state.store import (
    BucketKey,
    Clear,
    Evict,
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

log = logging.getLogger("llr.state")

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
BUSY_S = 5.0
_PRUNE_EVERY_S = 60.0

Job: TypeAlias = "Callable[[Tables], Any]"


def _contents(path: str) -> Contents:
    """Returns what a state file holds; one that cannot be read holds nothing."""
    try:
        with open(path, encoding="utf-8") as file:
            return decode(json.load(file))
    except (OSError, ValueError, RecursionError):
        return Contents()


class Tables:
    """The tables and what is done to them; made in any thread, then used by the loop's alone."""

    def __init__(self, path: str, ttl_s: float, max_pins: int, begun_from: str = "") -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # Nobody waits for the disk: a power cut may cost the state, which then begins anew; a killed process
            # costs nothing.
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.executescript(_SCHEMA)
            self._ttl_s = ttl_s
            self._max_pins = max_pins
            self._pruned_at = float("-inf")
            self._begin(path, begun_from)
            self._db.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            self._db.close()
            raise

    def _begin(self, path: str, begun_from: str) -> None:
        """Fills a new database from a state file, once for all processes."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._one("PRAGMA user_version") == (0,):
                known = _contents(begun_from)
                self._db.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", known.cursors.items())
                for window, use in known.usage.items():
                    self._db.execute(
                        "INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", (*window, use.count, use.expires_at)
                    )
                for key, record in known.health.items():
                    self._put(key, record)
                self._db.execute("PRAGMA user_version = 1")
                taken = f", begun with what {begun_from} holds" if known.cursors or known.usage or known.health else ""
                log.info("routing state is shared through %s%s", path, taken)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def run(self, jobs: "Sequence[Job]", *, writes: bool) -> None:
        """Does jobs in one transaction; their results are good once this returns."""
        self._db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            for job in jobs:
                job(self)
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

    def _evict(self, op: Evict, now: float) -> None:
        found = "DELETE FROM leases WHERE slot = ? AND substr(holder, 1, ?) = ?"
        self._db.execute(found, (op.slot, len(op.holders), op.holders))

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
    Evict: Tables._evict,
    Fail: Tables._fail,
    Recover: Tables._recover,
    Clear: Tables._clear,
    Probe: Tables._probe,
    Pin: Tables._bind,
}
