"""How a health record changes: one arithmetic for every store.

Law: pure functions of record, operation and instant.
"""

from collections.abc import Iterable

from llr.base.records import replace
from llr.state.store import Fail, Health, Lease, Op, Probe, Recover, Release, Reserve, Unlease

# No failure may lock a candidate out for longer, whatever an upstream asks for.
MAX_COOLDOWN_S = 86_400.0
CANDIDATE_TTL_S = 86_400.0
MAX_PINS = 10_000


def cooldown_until(record: Health) -> float:
    """Returns the instant the last cooldown of any reason ends, 0 without one."""
    return max(record.cooldowns.values()) if record.cooldowns else 0.0


def expires_at(record: Health, ttl_s: float) -> float:
    """Returns the instant a record is forgotten: `ttl_s` after its time-outs ended, or after its last change.

    Another writer's own `expiresAt` (milliseconds) stands.
    """
    explicit = record.extra.get("expiresAt") if record.extra else None
    if isinstance(explicit, int | float) and explicit > 0:
        return explicit / 1000.0
    return max(record.updated_at, record.open_until_at, cooldown_until(record)) + ttl_s


def failed(record: Health | None, op: Fail, now: float) -> Health:
    """Returns the record after one failure.

    Counts one step towards the circuit if the attempt began after the last counted failure; at the threshold the
    circuit opens. A failure that does not count resets the count. Cooldowns only ever get longer.
    """
    if record is None or (record.credential and op.credential and record.credential != op.credential):
        record = Health()
    fresh = op.counts and op.started_at >= record.counted_at
    failures = record.failures + (1 if fresh else 0) if op.counts else 0
    open_until = record.open_until_at if record.open_until_at > now else 0.0
    if fresh and 0 < op.threshold <= failures and op.open_s > 0:
        open_until = max(open_until, now + min(op.open_s, MAX_COOLDOWN_S))
    cooldowns = {reason: until for reason, until in record.cooldowns.items() if until > now}
    until = min(op.cooldown_until_at, now + MAX_COOLDOWN_S)
    if until > now:
        reason = op.reason or op.category
        cooldowns[reason] = max(cooldowns.get(reason, 0.0), until)
    return replace(
        record,
        failures=failures,
        open_until_at=open_until,
        cooldowns=cooldowns,
        last_failure_at=now,
        last_failure_status=op.status,
        last_failure_category=op.category,
        updated_at=now,
        probing_until_at=0.0,
        counted_at=now if fresh else record.counted_at,
        credential=op.credential or record.credential,
    )


def outlives(record: Health, op: Recover) -> bool:
    """Returns whether a record stays although the candidate answered: the answer is older news than the failure.

    Else the requests that were under way when a limit was hit would lift its cooldown again and again.
    """
    return 0 < op.started_at < record.last_failure_at


def cleared(record: Health, reason: str, now: float) -> Health | None:
    """Returns the record without one reason's cooldown, None when nothing worth keeping is left."""
    rest = {key: until for key, until in record.cooldowns.items() if key != reason}
    if not rest and not record.failures and record.open_until_at <= now:
        return None
    return replace(record, cooldowns=rest, updated_at=now)


def undone(ops: Iterable[Op]) -> tuple[Op, ...]:
    """Returns what gives back all that `ops` took: counts, slots and half-open tries."""
    given: list[Op] = []
    for op in ops:
        if isinstance(op, Reserve):
            given.append(Release(op.bucket, op.amount))
        elif isinstance(op, Lease):
            given.append(Unlease(op.slot, op.holder))
        elif isinstance(op, Probe) and op.until_at > 0:
            given.append(Probe(op.key, 0.0))
    return tuple(given)
