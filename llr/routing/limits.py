"""What a candidate may use: what is left of its windows, and taking, settling and giving back. Law: pure."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from llr.base.records import dataclass, replace
from llr.config.schema import Window
from llr.routing.health import PROBE_S
from llr.routing.keys import bucket_key, slot_key, token_bucket_key
from llr.routing.route import Candidate, Route
from llr.routing.windows import Span, span
from llr.state.records import undone
from llr.state.store import BucketKey, Evict, Keys, Lease, Op, Probe, Reserve, Settle, Snapshot, Unlease

# A slot not renewed for so long belonged to a process that is gone.
LEASE_S = 60.0
RENEW_EVERY_S = 20.0


class Gauge(NamedTuple):
    """One cap in its present window. `counts_tokens`: the cap is on input + output tokens, else on requests."""

    key: BucketKey
    limit: int
    end_at: float
    bucket: str
    counts_tokens: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """One cap on requests at once; `kind` is `provider`, `model` or `alias`."""

    key: str
    limit: int
    kind: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything of a route that holds until the next window begins: keys to read, gauges and slots per candidate."""

    from_at: float
    until_at: float
    keys: Keys
    gauges: tuple[tuple[Gauge, ...], ...]
    slots: tuple[tuple[Slot, ...], ...]
    capped: bool


def layout(route: Route, now: float) -> Layout:
    """Returns the route's layout at `now`, remembered on the route until one of its windows ends."""
    kept: Layout | None = route.memo.get("layout")
    if kept is None or not kept.from_at <= now < kept.until_at:
        kept = route.memo["layout"] = _laid_out(route, now)
    return kept


def _laid_out(route: Route, now: float) -> Layout:
    spans = {b.window: span(b.window, now) for candidate in route.tryable for b in candidate.buckets}
    gauges = tuple(tuple(_gauges(candidate, spans)) for candidate in route.tryable)
    slots = tuple(tuple(_slots(route, candidate)) for candidate in route.tryable)
    health = dict.fromkeys(key for one in route.tryable for key in (one.key, one.credential_key))
    keys = Keys(
        cursors=() if route.strategy == "ordered" else (route.key,),
        buckets=tuple(dict.fromkeys(gauge.key for row in gauges for gauge in row)),
        health=tuple(health),
        slots=tuple(dict.fromkeys(slot.key for row in slots for slot in row)),
    )
    from_at = max((one.start_at for one in spans.values()), default=-math.inf)
    until_at = min((one.end_at for one in spans.values()), default=math.inf)
    return Layout(from_at, until_at, keys, gauges, slots, any(gauges) or any(slots))


def _gauges(candidate: Candidate, spans: dict[Window, Span]) -> Iterator[Gauge]:
    provider = candidate.provider.id
    for bucket in candidate.buckets:
        window = spans[bucket.window]
        if bucket.requests >= 1:
            key = BucketKey(bucket_key(provider, bucket.id), window.key)
            yield Gauge(key, bucket.requests, window.end_at, bucket.id, False)
        if bucket.tokens is not None:
            key = BucketKey(token_bucket_key(provider, bucket.id), window.key)
            yield Gauge(key, bucket.tokens, window.end_at, bucket.id, True)


def _slots(route: Route, candidate: Candidate) -> Iterator[Slot]:
    if candidate.provider.max_concurrency is not None:
        yield Slot(slot_key("provider", candidate.provider.id), candidate.provider.max_concurrency, "provider")
    if candidate.model.max_concurrency is not None:
        yield Slot(slot_key("model", candidate.ref), candidate.model.max_concurrency, "model")
    if route.max_concurrency is not None:
        yield Slot(slot_key("alias", route.ref), route.max_concurrency, "alias")


class Room(NamedTuple):
    """What is left for a candidate: the smallest share of its caps, and when the last exhausted one starts anew."""

    ratio: float = 1.0
    exhausted_until_at: float = 0.0
    slots_full: bool = False


UNLIMITED = Room()


def room(gauges: tuple[Gauge, ...], slots: tuple[Slot, ...], state: Snapshot) -> Room:
    """Returns what is left; a window nobody counted in is full."""
    ratio, until_at = 1.0, 0.0
    used = state.usage
    for key, limit, end_at, _, _ in gauges if used else ():
        count = used.get(key)
        if count:
            left = limit - count
            if left <= 0:
                ratio, until_at = 0.0, max(until_at, end_at)
            elif left < ratio * limit:
                ratio = left / limit
    leases = state.leases
    full = bool(leases) and any(leases.get(slot.key, 0) >= slot.limit for slot in slots)
    return Room(ratio, until_at, full) if ratio < 1.0 or full else UNLIMITED


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request holds of one candidate. Apply `ops` before the first call; if one is refused, nothing is held.

    Empty `ops` mean that there is nothing to hold: no store call is needed then, nor later for the same reservation.
    """

    ops: tuple[Op, ...] = ()

    def renewals(self, now: float) -> tuple[Op, ...]:
        """Returns what keeps the slots: to be applied every `RENEW_EVERY_S` while the request lives."""
        return tuple(replace(op, expires_at=now + LEASE_S) for op in self.ops if isinstance(op, Lease))

    def unused(self) -> tuple[Op, ...]:
        """Returns what gives everything back: no answer came from the upstream."""
        return undone(self.ops)

    def used(self, tokens: int | None) -> tuple[Op, ...]:
        """Returns what ends an answered call: `tokens` were used in all; None = unknown, the estimate stands."""
        settled: list[Op] = []
        for op in self.ops:
            if tokens is not None and isinstance(op, Reserve) and op.bucket.bucket.endswith("#tokens"):
                settled.append(Settle(op.bucket, op.amount, max(0, tokens), op.expires_at))
        return (*settled, *self.unleased())

    def unleased(self) -> tuple[Op, ...]:
        """Returns what frees the slots alone."""
        return tuple(Unlease(op.slot, op.holder) for op in self.ops if isinstance(op, Lease))


NOTHING_RESERVED = Reservation()


def reserve(
    route: Route,
    candidate: Candidate,
    *,
    holder: str,
    now: float,
    tokens: int = 0,
    probes: tuple[str, ...] = (),
) -> Reservation:
    """Returns what a request must hold before it calls a candidate.

    `holder` names the request among those of all processes; `tokens` is the estimate of input and output, reserved at
    most up to the cap, so that a request larger than the whole cap can still run in an empty window; `probes` are the
    half-open tries of the plan.
    """
    plan = layout(route, now)
    if not plan.capped and not probes:
        return NOTHING_RESERVED
    place = route.tryable.index(candidate)
    ops: list[Op] = []
    for gauge in plan.gauges[place]:
        amount = max(1, min(tokens, gauge.limit)) if gauge.counts_tokens else 1
        ops.append(Reserve(gauge.key, amount, gauge.limit, gauge.end_at))
    ops.extend(Lease(slot.key, holder, slot.limit, now + LEASE_S) for slot in plan.slots[place])
    ops.extend(Probe(key, now + PROBE_S) for key in probes)
    return Reservation(tuple(ops))


def vacated(state: Snapshot, holders: str) -> tuple[Op, ...]:
    """Returns what gives back all slots whose holder's name begins with `holders`: a process that is gone."""
    return tuple(Evict(slot, holders) for slot in state.leases) if holders else ()


def refusal(reservation: Reservation, granted: tuple[bool, ...]) -> tuple[tuple[str, ...], float]:
    """Returns why a reservation was refused, in the words of planning, and when the last refusing window ends."""
    refused = [op for op, ok in zip(reservation.ops, granted, strict=True) if not ok]
    words = {Reserve: "quota-exhausted", Lease: "concurrency-limit", Probe: "half-open-probe"}
    until_at = max((op.expires_at for op in refused if isinstance(op, Reserve)), default=0.0)
    return tuple(dict.fromkeys(words[type(op)] for op in refused if type(op) in words)), until_at
