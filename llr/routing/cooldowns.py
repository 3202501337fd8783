"""What is cooling down, for operators, and how it is cleared.

Law: pure; works on everything a store holds, so it also shows what no longer stands in the config.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from llr.routing.health import time_outs
from llr.state.store import Clear, Health, Op, Snapshot


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


def cooldown_rows(state: Snapshot, *, now: float) -> tuple[CooldownRow, ...]:
    """Returns every time-out that still runs, the first to end first."""
    rows = [row for key, record in state.health.items() for row in _rows(key, record, now)]
    return tuple(sorted(rows, key=lambda row: (row.until_at, row.key, row.reason)))


def clear_ops(state: Snapshot, ref: str | None = None) -> tuple[Op, ...]:
    """Returns what forgets the records of a "provider/model", of a whole provider, or of everything (None).

    A model's clearing includes its provider's credential: else the model stayed blocked.
    """
    keys = [key for key in state.health if ref is None or _concerns(key, ref)]
    return tuple(Clear(key) for key in keys)


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
