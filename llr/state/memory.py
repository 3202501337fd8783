"""Routing state in this process: dictionaries, expired entries left out when read and dropped now and then.

Law: pure; no await between looking and writing, so calls of one event loop never interleave.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llr.base.records import replace
from llr.state.records import CANDIDATE_TTL_S, MAX_PINS, cleared, expires_at, failed, outlives
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

_PRUNE_EVERY_S = 60.0
_NOTHING_ASKED = Keys()
_NOTHING_KNOWN = Snapshot()


class Usage:
    """A window's count; `expires_at` is the window's end, `updated_at` the last change."""

    __slots__ = ("count", "expires_at", "updated_at")

    def __init__(self, count: int, expires_at: float, updated_at: float) -> None:
        self.count = count
        self.expires_at = expires_at
        self.updated_at = updated_at


class MemoryStore:
    """A `Store` that forgets everything when the process ends.

    `cursors`, `usage` and `health` are what a file would keep; `version` counts their changes.
    """

    def __init__(self, *, candidate_ttl_s: float = CANDIDATE_TTL_S, max_pins: int = MAX_PINS) -> None:
        self.cursors: dict[str, int] = {}
        self.usage: dict[BucketKey, Usage] = {}
        self.health: dict[str, Health] = {}
        self.version = 0
        self._pins: OrderedDict[str, Pin] = OrderedDict()
        self._leases: dict[str, dict[str, float]] = {}
        self._ttl_s = candidate_ttl_s
        self._max_pins = max_pins
        self._pruned_at = float("-inf")

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns what is known of `keys`, expired entries left out."""
        return self.peek(keys, now=now)

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest; one False means nothing was written."""
        return self.commit(ops, now=now)

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry."""
        self.prune(now)
        return Snapshot(
            cursors=dict(self.cursors),
            usage={key: entry.count for key, entry in self.usage.items() if entry.count},
            health=dict(self.health),
            pins=dict(self._pins),
            leases={slot: len(held) for slot, held in self._leases.items()},
        )

    async def aclose(self) -> None:
        """Returns at once: nothing is kept."""

    def peek(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns the same as `read`, without an event loop."""
        if keys == _NOTHING_ASKED:
            return _NOTHING_KNOWN
        cursors, counted, known = self.cursors, self.usage, self.health
        usage: dict[BucketKey, int] = {}
        if counted:
            for window in keys.buckets:
                entry = counted.get(window)
                if entry is not None and entry.count and not 0 < entry.expires_at <= now:
                    usage[window] = entry.count
        health: dict[str, Health] = {}
        if known:
            for key in keys.health:
                record = known.get(key)
                if record is not None and expires_at(record, self._ttl_s) > now:
                    health[key] = record
        return Snapshot(
            cursors={key: cursors[key] for key in keys.cursors if key in cursors},
            usage=usage,
            health=health,
            pins=self._live_pins(keys.pins, now),
            leases={slot: held for slot in keys.slots if (held := self._held(slot, now))},
        )

    def commit(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns the same as `apply`, without an event loop."""
        if not _PRUNE_EVERY_S > now - self._pruned_at >= 0:
            self.prune(now)
        granted = self._grants(ops, now)
        if all(granted):
            for op in ops:
                _APPLY[type(op)](self, op, now)
        return granted

    def prune(self, now: float) -> None:
        """Drops what has expired: windows that ended, forgotten records, pins, slots of holders that died."""
        self._pruned_at = now
        for key in [key for key, entry in self.usage.items() if 0 < entry.expires_at <= now]:
            del self.usage[key]
            self.version += 1
        for name in [name for name, record in self.health.items() if expires_at(record, self._ttl_s) <= now]:
            del self.health[name]
            self.version += 1
        for name in [name for name, pin in self._pins.items() if pin.expires_at <= now]:
            del self._pins[name]
        for slot in list(self._leases):
            self._held(slot, now)

    def _live_pins(self, keys: tuple[str, ...], now: float) -> Mapping[str, Pin]:
        found: dict[str, Pin] = {}
        for key in keys:
            pin = self._pins.get(key)
            if pin is not None and pin.expires_at > now:
                self._pins.move_to_end(key)
                found[key] = pin
        return found

    def _held(self, slot: str, now: float) -> int:
        holders = self._leases.get(slot)
        if holders is None:
            return 0
        for holder in [holder for holder, until in holders.items() if until <= now]:
            del holders[holder]
        if not holders:
            del self._leases[slot]
        return len(holders)

    def _count(self, key: BucketKey, now: float) -> int:
        entry = self.usage.get(key)
        return 0 if entry is None or 0 < entry.expires_at <= now else entry.count

    def _grants(self, ops: Sequence[Op], now: float) -> tuple[bool, ...]:
        added: dict[object, int] = {}
        return tuple(self._grant(op, added, now) for op in ops)

    def _grant(self, op: Op, added: dict[object, int], now: float) -> bool:
        if isinstance(op, Reserve):
            before = added.get(op.bucket, 0)
            if self._count(op.bucket, now) + before + op.amount > op.limit:
                return False
            added[op.bucket] = before + op.amount
        elif isinstance(op, Lease):
            held = self._held(op.slot, now)
            if op.holder not in self._leases.get(op.slot, ()):
                before = added.get(op.slot, 0)
                if held + before >= op.limit:
                    return False
                added[op.slot] = before + 1
        elif isinstance(op, Probe) and op.until_at > 0:
            record = self.health.get(op.key)
            if (record is not None and record.probing_until_at > now) or ("probe", op.key) in added:
                return False
            added["probe", op.key] = 1
        return True

    def _set_cursor(self, op: SetCursor, now: float) -> None:
        if self.cursors.get(op.key) != op.value:
            self.cursors[op.key] = max(0, op.value)
            self.version += 1

    def _add(self, key: BucketKey, amount: int, until: float, now: float) -> None:
        entry = self.usage.get(key)
        if entry is None or 0 < entry.expires_at <= now:
            if amount <= 0 or 0 < until <= now:
                return
            self.usage[key] = Usage(amount, until, now)
        else:
            until = until or entry.expires_at
            if not amount and until == entry.expires_at:
                return
            entry.count = max(0, entry.count + amount)
            entry.expires_at = until
            entry.updated_at = now
        self.version += 1

    def _reserve(self, op: Reserve, now: float) -> None:
        self._add(op.bucket, op.amount, op.expires_at, now)

    def _release(self, op: Release, now: float) -> None:
        self._add(op.bucket, -op.amount, 0.0, now)

    def _settle(self, op: Settle, now: float) -> None:
        self._add(op.bucket, op.actual - op.reserved, op.expires_at, now)

    def _lease(self, op: Lease, now: float) -> None:
        self._leases.setdefault(op.slot, {})[op.holder] = op.expires_at

    def _unlease(self, op: Unlease, now: float) -> None:
        holders = self._leases.get(op.slot)
        if holders is not None:
            holders.pop(op.holder, None)
            if not holders:
                del self._leases[op.slot]

    def _evict(self, op: Evict, now: float) -> None:
        for holder in [one for one in self._leases.get(op.slot, ()) if one.startswith(op.holders)]:
            self._unlease(Unlease(op.slot, holder), now)

    def _fail(self, op: Fail, now: float) -> None:
        self.health[op.key] = failed(self.health.get(op.key), op, now)
        self.version += 1

    def _recover(self, op: Recover, now: float) -> None:
        record = self.health.get(op.key)
        if record is not None and not outlives(record, op):
            del self.health[op.key]
            self.version += 1

    def _clear(self, op: Clear, now: float) -> None:
        record = self.health.pop(op.key, None)
        if record is None:
            return
        self.version += 1
        rest = cleared(record, op.reason, now) if op.reason else None
        if rest is not None:
            self.health[op.key] = rest

    def _probe(self, op: Probe, now: float) -> None:
        record = self.health.get(op.key)
        if record is not None:
            self.health[op.key] = replace(record, probing_until_at=op.until_at)

    def _pin(self, op: Pin, now: float) -> None:
        self._pins.pop(op.key, None)
        if op.candidate and op.expires_at > now:
            self._pins[op.key] = op
            while len(self._pins) > self._max_pins:
                self._pins.popitem(last=False)


_APPLY: Mapping[type, Callable[[MemoryStore, Any, float], None]] = {
    SetCursor: MemoryStore._set_cursor,
    Reserve: MemoryStore._reserve,
    Release: MemoryStore._release,
    Settle: MemoryStore._settle,
    Lease: MemoryStore._lease,
    Unlease: MemoryStore._unlease,
    Evict: MemoryStore._evict,
    Fail: MemoryStore._fail,
    Recover: MemoryStore._recover,
    Clear: MemoryStore._clear,
    Probe: MemoryStore._probe,
    Pin: MemoryStore._pin,
}
