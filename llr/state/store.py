"""What routing remembers, and the operations on it.

Law: `apply` is atomic. `Reserve`, `Lease` and `Probe` are decided on the state before the call, earlier ones of the
call added; if any is refused, nothing of the call is written. Keys are the exact texts of the persisted state file.
Instants are epoch seconds here; the state file holds milliseconds.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

from llr.base.records import dataclass, field

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class BucketKey(NamedTuple):
    """One window of one bucket: `bucket:<provider>:<id>` and `month:1:2026-02`. Token caps use `#tokens` buckets."""

    bucket: str
    window: str


@dataclass(frozen=True, slots=True)
class Health:
    """The record of a candidate or of a credential. `extra` keeps fields of other writers.

    `cooldowns` maps a reason to the instant it ends; `cooldownUntil` of the state file is their latest. `counted_at` is
    the last failure that counted towards the circuit; `credential` the fingerprint of the key the record is about.
    """

    failures: int = 0
    open_until_at: float = 0.0
    cooldowns: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    last_failure_at: float = 0.0
    last_failure_status: int = 0
    last_failure_category: str = ""
    updated_at: float = 0.0
    probing_until_at: float = 0.0
    counted_at: float = 0.0
    credential: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Pin:
    """Binds a conversation to a candidate until `expires_at`; an empty candidate unbinds."""

    key: str
    candidate: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Keys:
    """What a route needs to know; each tuple names keys of one kind."""

    cursors: tuple[str, ...] = ()
    buckets: tuple[BucketKey, ...] = ()
    health: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answers to `Keys`; an absent key means 0, no record, no pin."""

    cursors: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    usage: Mapping[BucketKey, int] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=lambda: _NOTHING)
    pins: Mapping[str, Pin] = field(default_factory=lambda: _NOTHING)
    leases: Mapping[str, int] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class SetCursor:
    """Stores a route's cursor."""

    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Reserve:
    """Adds `amount` to a bucket window unless that would exceed `limit`; refused otherwise."""

    bucket: BucketKey
    amount: int
    limit: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Release:
    """Takes `amount` back, never below 0."""

    bucket: BucketKey
    amount: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Replaces a reserved amount by the actual one; may exceed the limit, because it was really used."""

    bucket: BucketKey
    reserved: int
    actual: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Lease:
    """Takes or renews one of `limit` slots for `holder` until `expires_at`; refused when all are held."""

    slot: str
    holder: str
    limit: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Unlease:
    """Gives a slot back."""

    slot: str
    holder: str


@dataclass(frozen=True, slots=True)
class Evict:
    """Gives back what every holder holds of a slot whose name begins with `holders`: they died together."""

    slot: str
    holders: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Records a failure read-modify-write: `counts` towards the circuit, `reason` cools until `cooldown_until_at`.

    `started_at` is when the attempt began: failures of attempts that began before the last counted one count once.
    A record about another `credential` is forgotten first.
    """

    key: str
    category: str
    status: int
    counts: bool
    started_at: float
    reason: str = ""
    cooldown_until_at: float = 0.0
    threshold: int = 0
    open_s: float = 0.0
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Recover:
    """Forgets a record because the candidate answered, unless it failed after that attempt began.

    `started_at` is that beginning, 0 for "whenever". A store of several processes may skip it when this process never
    saw such a record: most successes have none.
    """

    key: str
    started_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Clear:
    """Forgets a candidate's record, or only the cooldown of one reason, because an operator says so."""

    key: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """Takes the one half-open try of a candidate whose time-out has ended; refused while another holds it.

    An `until_at` of 0 gives the try back and is never refused; without a record there is nothing to take.
    """

    key: str
    until_at: float


Op: TypeAlias = (
    "SetCursor | Reserve | Release | Settle | Lease | Unlease | Evict | Fail | Recover | Clear | Probe | Pin"
)


class Store(Protocol):
    """Where routing remembers."""

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns what is known of `keys`, expired entries left out."""

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest; one False means nothing of the call was written."""

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry, for operators."""

    async def aclose(self) -> None:
        """Returns when everything is written."""
