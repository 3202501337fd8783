"""Why a request would go where: the same planning, told instead of done.

Law: pure; nothing is reserved and no cursor moves. Read the state with `keys_for(route, ..., full=True)` first.
"""

from collections.abc import Iterator, Mapping, Sequence

from llr.base.jsonio import JSON
from llr.base.names import FormatId, ModelRef, ProviderFormat
from llr.base.records import dataclass
from llr.routing.health import Condition, diagnosis
from llr.routing.limits import layout
from llr.routing.plan import CONCURRENCY, NO_NEED, QUOTA, Entry, Need, Plan, arrange, plan, weigh
from llr.routing.route import Candidate, Route, RouteType, Tier
from llr.routing.strategies import shares
from llr.state.statefile import millis
from llr.state.store import Snapshot

_HARD = frozenset({QUOTA, CONCURRENCY})


@dataclass(frozen=True, slots=True)
class LimitLeft:
    """One cap: `unit` is `requests`, `tokens` or `at-once`; `resets_at` is 0 for the last."""

    name: str
    unit: str
    used: int
    limit: int
    resets_at: float


@dataclass(frozen=True, slots=True)
class Choice:
    """One candidate's case. `position` counts from 1 in the order of trying, None = not tried.

    `share` is the fraction of turns in which it comes first, `fit` one of `fits`, `unknown`, `too-small`, `not-asked`.
    """

    ref: ModelRef
    position: int | None
    skipped: tuple[str, ...]
    share: float
    weight: float
    tier: Tier
    via: str | None
    format: ProviderFormat
    wire: FormatId
    translated: bool
    condition: Condition
    cooling_for: tuple[str, ...]
    until_at: float
    failures: int
    health: float
    room: float
    limits: tuple[LimitLeft, ...]
    window: int | None
    fit: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a name means now. `strategy` is the one used; `ignored` are targets without a candidate, with reasons."""

    requested: str
    type: RouteType
    ref: str
    strategy: str
    client: FormatId
    required_tokens: int
    choices: tuple[Choice, ...]
    ignored: tuple[tuple[str, str], ...]
    cursor: int
    sticky: bool
    recovers_at: float | None


@dataclass(frozen=True, slots=True)
class _Case:
    """All that the rows of one explanation share; the maps go by candidate key."""

    route: Route
    state: Snapshot
    now: float
    need: Need
    entries: Mapping[str, Entry]
    positions: Mapping[str, int]
    shares: Mapping[str, float]


def explain(route: Route, state: Snapshot, *, now: float, need: Need = NO_NEED, first: str = "") -> Explanation:
    """Returns the candidates as they would be tried now, then those that would not be, each with its reasons.

    `first` is the candidate that holds what the request refers to.
    """
    chosen = plan(route, state, now=now, need=need)
    entries = {entry.candidate.key: entry for entry in weigh(route, layout(route, now), state, now)}
    # Planning leaves the caps of a single candidate to its reservation; here they are told.
    tried = [one for one in chosen.order if not _HARD.intersection(entries[one.key].reasons)]
    tried.sort(key=lambda one: one.ref != first)
    sticky = chosen.sticky or any(one.ref == first for one in tried)
    positions = {one.key: place for place, one in enumerate(tried, start=1)}
    case = _Case(
        route, state, now, need, entries, positions, _shares(route, tried, entries, None if sticky else chosen, need)
    )
    rest = [one for one in route.candidates if one.key not in positions]
    return Explanation(
        route.requested,
        route.type,
        route.ref,
        route.strategy,
        route.client,
        need.context_tokens,
        tuple(_choice(case, one) for one in (*tried, *rest)),
        route.skipped,
        state.cursors.get(route.key, 0),
        sticky,
        chosen.recovers_at or _free_at(tried, entries),
    )


def _free_at(tried: Sequence[Candidate], entries: Mapping[str, Entry]) -> float | None:
    """Returns when the first limit ends that keeps everybody from being tried, None when someone is or none ends."""
    ends = [entry.until_at for entry in entries.values()] if not tried else []
    return min(ends, default=None) or None


def _shares(
    route: Route, tried: Sequence[Candidate], entries: Mapping[str, Entry], chosen: Plan | None, need: Need
) -> dict[str, float]:
    """Returns how often each candidate is the first to be tried; without a choice it is always the same one."""
    if not tried or chosen is None:
        return {one.key: 1.0 for one in tried[:1]}
    if chosen.recovers_at is not None:
        eligible = sorted((entries[one.key] for one in tried), key=lambda entry: entry.until_at)
    else:
        eligible = [entries[one.key] for one in route.tryable if one in tried]
    ranked, _ = arrange(route, eligible, need)
    return {entry.candidate.key: part for entry, part in zip(ranked, shares(route.strategy, ranked), strict=True)}


def _choice(case: _Case, candidate: Candidate) -> Choice:
    entry = case.entries.get(candidate.key)
    position = case.positions.get(candidate.key)
    found = diagnosis(candidate, case.state, case.now)
    record = case.state.health.get(candidate.key)
    reasons = (candidate.unfit,) if candidate.unfit is not None else (entry.reasons if entry is not None else ())
    return Choice(
        ref=candidate.ref,
        position=position,
        skipped=() if position is not None else reasons,
        share=case.shares.get(candidate.key, 0.0),
        weight=entry.weight if entry is not None else candidate.weight or 1.0,
        tier=candidate.tier,
        via=candidate.target_ref,
        format=candidate.target,
        wire=candidate.wire,
        translated=candidate.wire is not case.route.client,
        condition=found.condition,
        cooling_for=found.reasons,
        until_at=found.until_at if found.until_at > case.now else 0.0,
        failures=record.failures if record is not None else 0,
        health=found.factor,
        room=entry.ratio if entry is not None else 1.0,
        limits=tuple(_limits(case, candidate)),
        window=candidate.model.context_window,
        fit=_fit(candidate, case.need),
    )


def _limits(case: _Case, candidate: Candidate) -> Iterator[LimitLeft]:
    if candidate.unfit is not None:
        return
    laid = layout(case.route, case.now)
    place = case.route.tryable.index(candidate)
    for gauge in laid.gauges[place]:
        unit = "tokens" if gauge.counts_tokens else "requests"
        used = case.state.usage.get(gauge.key, 0)
        yield LimitLeft(gauge.bucket, unit, used, gauge.limit, gauge.end_at)
    for slot in laid.slots[place]:
        yield LimitLeft(slot.kind, "at-once", case.state.leases.get(slot.key, 0), slot.limit, 0.0)


def _fit(candidate: Candidate, need: Need) -> str:
    window = candidate.model.context_window or 0
    if need.context_tokens <= 0:
        return "not-asked"
    if window <= 0:
        return "unknown"
    return "fits" if window >= need.context_tokens else "too-small"


def explanation_json(found: Explanation) -> dict[str, JSON]:
    """Returns an explanation as the answer of `POST /llr/explain`: stable keys, instants in milliseconds."""
    return {
        "requested": found.requested,
        "routeType": found.type.value,
        "routeRef": found.ref,
        "strategy": found.strategy,
        "clientFormat": found.client.value,
        "contextRequired": found.required_tokens,
        "cursor": found.cursor,
        "sticky": found.sticky,
        "recoversAt": _when(found.recovers_at or 0.0),
        "candidates": [_choice_json(choice) for choice in found.choices],
        "ignoredTargets": [{"ref": ref, "reason": reason} for ref, reason in found.ignored],
    }


def _choice_json(choice: Choice) -> dict[str, JSON]:
    limits: list[JSON] = [
        {
            "name": limit.name,
            "unit": limit.unit,
            "used": limit.used,
            "limit": limit.limit,
            "left": max(0, limit.limit - limit.used),
            "resetsAt": _when(limit.resets_at),
        }
        for limit in choice.limits
    ]
    return {
        "candidate": choice.ref,
        "position": choice.position,
        "skipped": list(choice.skipped),
        "share": round(choice.share, 4),
        "weight": choice.weight,
        "tier": choice.tier.value,
        "via": choice.via,
        "format": choice.format.value,
        "wire": choice.wire.value,
        "translated": choice.translated,
        "condition": choice.condition.value,
        "coolingFor": list(choice.cooling_for),
        "until": _when(choice.until_at),
        "failures": choice.failures,
        "healthFactor": round(choice.health, 4),
        "room": round(choice.room, 4),
        "limits": limits,
        "contextWindow": choice.window,
        "fit": choice.fit,
    }


def _when(at: float) -> int | None:
    return millis(at) if at else None
