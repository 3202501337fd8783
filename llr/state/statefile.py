"""The reference router's state file as values, both ways.

Law: pure and tolerant: what is unknown or malformed in a file is dropped, never an error; what other writers keep in a
candidate's state is handed on. Times are whole milliseconds in the file, seconds in memory.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.base.stamps import stamp
from llr.state.records import cooldown_until
from llr.state.store import BucketKey, Health

VERSION = 1
_OWN_FIELDS = frozenset(
    {
        "cooldownUntil",
        "openUntil",
        "consecutiveRetryableFailures",
        "consecutiveFailures",
        "lastFailureAt",
        "lastFailureStatus",
        "lastFailureCategory",
        "updatedAt",
        "llr",
    }
)


@dataclass(frozen=True, slots=True)
class Count:
    """A window's count, its end and its last change, in seconds."""

    count: int
    expires_at: float
    updated_at: float


@dataclass(slots=True)
class Contents:
    """What a state file holds."""

    cursors: dict[str, int] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    usage: dict[BucketKey, Count] = field(default_factory=dict)


def encode(
    cursors: Mapping[str, int],
    health: Mapping[str, Health],
    usage: Iterable[tuple[BucketKey, Count]],
    *,
    now: float,
) -> dict[str, Any]:
    """Returns the document to write."""
    windows: dict[str, dict[str, Any]] = {}
    for key, entry in usage:
        windows.setdefault(key.bucket, {})[key.window] = {
            "count": entry.count,
            "expiresAt": millis(entry.expires_at),
            "updatedAt": millis(entry.updated_at),
        }
    return {
        "version": VERSION,
        "updatedAt": stamp(millis(now) / 1000.0),
        "routeCursors": dict(cursors),
        "candidateStates": {key: encode_health(record) for key, record in health.items()},
        "bucketUsage": windows,
    }


def decode(document: JSON) -> Contents:
    """Returns what is usable of a document; a root that is no object is empty."""
    root = _object(document)
    contents = Contents()
    for key, value in _object(root.get("routeCursors")).items():
        if key and _is_number(value):
            contents.cursors[key] = whole(value)
    for key, value in _object(root.get("candidateStates")).items():
        if key and isinstance(value, dict):
            contents.health[key] = decode_health(value)
    for bucket, windows in _object(root.get("bucketUsage")).items():
        for window, value in _object(windows).items():
            entry = _object(value)
            if bucket and window and _is_number(entry.get("count")):
                expires_at, updated_at = seconds(entry.get("expiresAt")), seconds(entry.get("updatedAt"))
                contents.usage[BucketKey(bucket, window)] = Count(whole(entry["count"]), expires_at, updated_at)
    return contents


def encode_health(record: Health) -> dict[str, Any]:
    """Returns a candidate's state; `llr` holds what the reference has no field for."""
    own: dict[str, Any] = {"cooldowns": {reason: millis(until) for reason, until in record.cooldowns.items()}}
    if record.counted_at:
        own["countedAt"] = millis(record.counted_at)
    if record.probing_until_at:
        own["probingUntil"] = millis(record.probing_until_at)
    if record.credential:
        own["credential"] = record.credential
    return {
        "expiresAt": 0,
        **record.extra,
        "cooldownUntil": millis(cooldown_until(record)),
        "openUntil": millis(record.open_until_at),
        "consecutiveRetryableFailures": record.failures,
        "lastFailureAt": millis(record.last_failure_at),
        "lastFailureStatus": record.last_failure_status,
        "lastFailureCategory": record.last_failure_category,
        "updatedAt": millis(record.updated_at),
        "llr": own,
    }


def decode_health(state: Mapping[str, Any]) -> Health:
    """Returns the record of a candidate's state, ours or the reference's.

    `cooldownUntil` has the last word over our own reasons: another program that knows only that field may have set it.
    """
    own = _object(state.get("llr"))
    until_at = seconds(state.get("cooldownUntil"))
    category = state.get("lastFailureCategory")
    category = category if isinstance(category, str) else ""
    reasons = {key: seconds(value) for key, value in _object(own.get("cooldowns")).items()}
    reasons = {key: end for key, end in reasons.items() if 0 < end <= until_at}
    if until_at > max(reasons.values(), default=0.0):
        reasons[category or "cooldown"] = until_at
    failures = state.get("consecutiveRetryableFailures", state.get("consecutiveFailures"))
    credential = own.get("credential")
    extra = {key: value for key, value in state.items() if key not in _OWN_FIELDS}
    if not whole(extra.get("expiresAt")):
        extra.pop("expiresAt", None)
    return Health(
        failures=whole(failures),
        open_until_at=seconds(state.get("openUntil")),
        cooldowns=reasons,
        last_failure_at=seconds(state.get("lastFailureAt")),
        last_failure_status=whole(state.get("lastFailureStatus")),
        last_failure_category=category,
        updated_at=seconds(state.get("updatedAt")),
        probing_until_at=seconds(own.get("probingUntil")),
        counted_at=seconds(own.get("countedAt")),
        credential=credential if isinstance(credential, str) else "",
        extra=extra,
    )


def millis(at: float) -> int:
    """Returns an instant in whole milliseconds."""
    return max(0, math.floor(at * 1000.0 + 0.5)) if math.isfinite(at) else 0


def seconds(value: object) -> float:
    """Returns an instant of a file in seconds, 0 for what is none."""
    return whole(value) / 1000.0


def whole(value: object) -> int:
    """Returns a number floored, 0 for anything else and below; beyond 2^53 no number of the file is exact."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return min(max(0, math.floor(value)), 2**53)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
