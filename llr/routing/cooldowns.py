"""What is cooling down and what is used up, for operators, and how both are cleared.

Law: pure; works on everything a store holds, so it also shows what no longer stands in the config.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import unquote

from llr.base.records import dataclass, replace
from llr.config.schema import Provider
from llr.routing.health import time_outs
from llr.routing.windows import Span, span
from llr.state.store import BucketKey, Clear, Health, Op, Release, Snapshot

_ANY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CooldownRow:
    """One time-out. `name` is "provider/model" for a candidate, for a credential its provider, and `format` is "" then.

    `until_at` ends it; `status` and `failures` are those of the record.
    """

    name: str
    format: str
    reason: str
    until_at: float
    status: int
    failures: int
    key: str


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was counted in one window of a bucket; `unit` is `requests` or `tokens`.

    `resets_at` ends the window in epoch seconds, 0 where the config has no such bucket or another window is running.
    """

    provider: str
    bucket: str
    unit: str
    window: str
    used: int
    resets_at: float = 0.0


def usage_rows(state: Snapshot, *, now: float = 0.0, providers: Iterable[Provider] = ()) -> tuple[UsageRow, ...]:
    """Returns every count above 0, by provider, bucket and window; `providers` tell when each begins anew."""
    running: dict[tuple[str, str], Span] = {
        (one.id, own.id): span(own.window, now) for one in providers for own in one.rate_limits
    }
    rows = (_usage_row(key, used) for key, used in state.usage.items())
    return tuple(sorted((_dated(row, running.get((row.provider, row.bucket))) for row in rows), key=_by_name))


def _dated(row: UsageRow, running: Span | None) -> UsageRow:
    return replace(row, resets_at=running.end_at) if running is not None and running.key == row.window else row


def reset_ops(state: Snapshot, provider: str | None = None, bucket: str | None = None) -> tuple[Op, ...]:
    """Returns what empties the counts of a bucket, of a provider, or all (None)."""
    found = ((key, used, _usage_row(key, used)) for key, used in state.usage.items())
    return tuple(
        Release(key, used)
        for key, used, row in found
        if provider in (None, row.provider) and bucket in (None, row.bucket)
    )


def cooldown_rows(state: Snapshot, *, now: float, credentials: Mapping[str, str] = _ANY) -> tuple[CooldownRow, ...]:
    """Returns every time-out that still runs, the first to end first.

    `credentials` are fingerprints of the providers' present keys: what was noted of another key stops nothing any more.
    """
    rows = [
        row
        for key, record in state.health.items()
        if record.credential in ("", credentials.get(_named(key)[0].partition("/")[0], record.credential))
        for row in _rows(key, record, now)
    ]
    return tuple(sorted(rows, key=lambda row: (row.until_at, row.key, row.reason)))


def clear_ops(state: Snapshot, ref: str | None = None) -> tuple[Op, ...]:
    """Returns what forgets the records of a "provider/model", of a whole provider, or of everything (None).

    A model's clearing includes its provider's credential: else the model stayed blocked.
    """
    keys = [key for key in state.health if ref is None or _concerns(key, ref)]
    return tuple(Clear(key) for key in keys)


def _usage_row(key: BucketKey, used: int) -> UsageRow:
    _, provider, bucket = (*key.bucket.split(":", 2), "", "")[:3]
    name, hash_sign, _ = bucket.partition("#")
    return UsageRow(unquote(provider), unquote(name), "tokens" if hash_sign else "requests", key.window, used)


def _by_name(row: UsageRow) -> tuple[str, str, str, str]:
    return row.provider, row.bucket, row.unit, row.window


def _rows(key: str, record: Health, now: float) -> Iterator[CooldownRow]:
    name, shape = _named(key)
    for reason, until_at in time_outs(record, now):
        if until_at > now:
            yield CooldownRow(name, shape, reason, until_at, record.last_failure_status, record.failures, key)


def _named(key: str) -> tuple[str, str]:
    kind, _, rest = key.partition(":")
    name, _, tail = rest.rpartition("@")
    return unquote(name or rest), tail if kind == "candidate" else ""


def _concerns(key: str, ref: str) -> bool:
    name, _ = _named(key)
    provider = ref.partition("/")[0]
    if key.startswith("credential:"):
        return name == provider
    return name == ref or ("/" not in ref and name.partition("/")[0] == provider)
