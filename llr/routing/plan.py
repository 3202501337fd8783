"""In which order a route's candidates are tried now, and why some are not.

Law: pure. What depends on the route alone is worked out once and kept on it (`limits.layout`); a route with one
candidate needs no reading at all, its reservation decides.
"""

import math
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType

from llr.base.errors import ErrorKind, Fault
from llr.base.records import dataclass, field
from llr.routing.affinity import pinned, unpin_ops
from llr.routing.health import HEALTHY, Condition, Diagnosis, diagnosis
from llr.routing.keys import pin_key
from llr.routing.limits import UNLIMITED, Layout, Room, layout, room
from llr.routing.route import Candidate, Route, RouteType, Tier
from llr.routing.strategies import STRATEGIES
from llr.state.store import Keys, Op, SetCursor, Snapshot

COOLDOWN = "cooldown"
PROBING = "half-open-probe"
QUOTA = "quota-exhausted"
CONCURRENCY = "concurrency-limit"
_PASSES_BY_ITSELF = frozenset({COOLDOWN, PROBING})
_NO_PROBES: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs of its candidate: room for so many tokens; `session` names its conversation, if known."""

    context_tokens: int = 0
    session: str | None = None


NO_NEED = Need()
NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Skip:
    """A candidate that is not tried, why, and when that may change (0: not by itself)."""

    candidate: Candidate
    reasons: tuple[str, ...]
    until_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The candidates to try, in order, and the ops to apply before the first call.

    `probes` gives, by candidate key, the half-open tries to take with its reservation. `recovers_at` is set when every
    candidate was cooling down and some are tried nevertheless: the instant the first one would have recovered.
    `sticky`: the conversation's own candidate was moved to the front.
    """

    order: tuple[Candidate, ...]
    skipped: tuple[Skip, ...] = ()
    ops: tuple[Op, ...] = ()
    probes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_PROBES)
    recovers_at: float | None = None
    sticky: bool = False


class Entry:
    """One candidate while it is ranked; never changed once made."""

    __slots__ = ("candidate", "diagnosis", "health", "ratio", "reasons", "room", "until_at", "weight", "window")

    def __init__(self, candidate: Candidate, found: Diagnosis = HEALTHY, left: Room = UNLIMITED) -> None:
        self.candidate = candidate
        self.diagnosis = found
        self.room = left
        weight = candidate.weight
        self.weight = weight if weight is not None and weight > 0 else 1.0
        self.health = found.factor
        self.ratio = left.ratio
        self.window = max(0, candidate.model.context_window or 0)
        self.reasons: tuple[str, ...] = ()
        self.until_at = 0.0
        if found is not HEALTHY or left is not UNLIMITED:
            self._judge()

    def _judge(self) -> None:
        reasons: list[str] = []
        if self.diagnosis.condition is Condition.COOLDOWN:
            reasons.append(COOLDOWN)
        elif self.diagnosis.condition is Condition.PROBING:
            reasons.append(PROBING)
        if reasons:
            self.until_at = self.diagnosis.until_at
        if self.room.exhausted_until_at:
            reasons.append(QUOTA)
            self.until_at = max(self.until_at, self.room.exhausted_until_at)
        if self.room.slots_full:
            reasons.append(CONCURRENCY)
        self.reasons = tuple(reasons)


def keys_for(route: Route, *, now: float, need: Need = NO_NEED, full: bool = False) -> Keys:
    """Returns what to read before planning; nothing when there is no choice, unless `full` asks for a report's sake."""
    if len(route.tryable) < 2 and not full:
        return NO_KEYS
    keys = layout(route, now).keys
    if need.session is None or route.affinity == "off":
        return keys
    return Keys(keys.cursors, keys.buckets, keys.health, (pin_key(route.key, need.session),), keys.slots)


def plan(route: Route, state: Snapshot, *, now: float, need: Need = NO_NEED) -> Plan:
    """Returns the candidates to try now, in order; `nothing_to_try` words an empty one."""
    if len(route.tryable) < 2:
        return _without_choice(route)
    entries = weigh(route, layout(route, now), state, now)
    eligible = [entry for entry in entries if not entry.reasons]
    recovers_at = None
    if not eligible:
        eligible = _least_bad(entries)
        recovers_at = eligible[0].until_at if eligible else None
    ranked, rest = arrange(route, eligible, need)
    order, ops = _turn(route, ranked, state)
    order += rest
    sticky = False
    if need.session is not None and route.affinity != "off":
        healthy = order if recovers_at is None else []
        keys = [entry.candidate.key for entry in healthy if not 0 < entry.window < need.context_tokens]
        found = pinned(route, state, need.session, keys, [entry.candidate.key for entry in healthy])
        ops += unpin_ops(route, need.session) if found.gone else ()
        if found.key is not None:
            order.sort(key=lambda entry: entry.candidate.key != found.key)
            sticky = True
    candidates = tuple([entry.candidate for entry in order])
    skipped = _unfit(route) + _left_out(entries, order)
    return Plan(candidates, skipped, ops, _probes(order, recovers_at), recovers_at, sticky)


def weigh(route: Route, laid: Layout, state: Snapshot, now: float) -> list[Entry]:
    """Returns an entry per tryable candidate, in the route's order."""
    usual: list[Entry] | None = route.memo.get("entries")
    if usual is None:
        usual = route.memo["entries"] = [Entry(candidate) for candidate in route.tryable]
    sick, capped = bool(state.health), laid.capped and bool(state.usage or state.leases)
    if not sick and not capped:
        return usual
    # What is left changes with each request for one candidate, not for all: the others' entries are those of last time.
    last: list[Entry] = route.memo.setdefault("last_entries", list(usual))
    entries: list[Entry] = []
    for place, entry in enumerate(usual):
        found = diagnosis(entry.candidate, state, now) if sick else HEALTHY
        left = room(laid.gauges[place], laid.slots[place], state) if capped else UNLIMITED
        if found is not HEALTHY:
            entry = Entry(entry.candidate, found, left)
        elif left is not UNLIMITED:
            entry = last[place]
            if entry.room != left:
                entry = last[place] = Entry(entry.candidate, HEALTHY, left)
        entries.append(entry)
    return entries


def _without_choice(route: Route) -> Plan:
    kept: Plan | None = route.memo.get("plan")
    if kept is None:
        kept = route.memo["plan"] = Plan(route.tryable, _unfit(route))
    return kept


def _unfit(route: Route) -> tuple[Skip, ...]:
    if len(route.tryable) == len(route.candidates):
        return ()
    return tuple(Skip(one, (one.unfit,)) for one in route.candidates if one.unfit is not None)


def _least_bad(entries: Sequence[Entry]) -> list[Entry]:
    """Returns those that only have to recover, the first to recover first: better tried early than a sure refusal."""
    cooling = [entry for entry in entries if _PASSES_BY_ITSELF.issuperset(entry.reasons)]
    return sorted(cooling, key=lambda entry: entry.until_at)


def _left_out(entries: Sequence[Entry], order: Sequence[Entry]) -> tuple[Skip, ...]:
    if len(order) == len(entries):
        return ()
    tried = {id(entry) for entry in order}
    return tuple(Skip(one.candidate, one.reasons, one.until_at) for one in entries if id(one) not in tried)


def arrange(route: Route, eligible: Sequence[Entry], need: Need) -> tuple[list[Entry], list[Entry]]:
    """Returns the entries the strategy orders, and those that follow them in the given order.

    Primaries before fallbacks; where windows matter, what is known to be too small comes after everything that fits.
    """
    active = [entry for entry in eligible if entry.candidate.tier is Tier.PRIMARY]
    spare = [entry for entry in eligible if entry.candidate.tier is not Tier.PRIMARY]
    if not active:
        active, spare = spare, []
    required = need.context_tokens
    if required <= 0 or route.type is RouteType.DIRECT or len(eligible) < 2:
        return active, spare
    small = [entry for entry in active if 0 < entry.window < required]
    spare_fits = [entry for entry in spare if entry.window >= required]
    rest = [entry for entry in spare if entry.window < required]
    if len(small) < len(active):
        fits = [entry for entry in active if entry.window >= required]
        unknown = [entry for entry in active if not entry.window]
        return fits + unknown, spare_fits + small + rest
    small.sort(key=lambda entry: entry.window, reverse=True)
    if spare_fits:
        return spare_fits[:1], spare_fits[1:] + small + rest
    return small, rest


def _turn(route: Route, ranked: list[Entry], state: Snapshot) -> tuple[list[Entry], tuple[Op, ...]]:
    """Returns the ranked entries as the strategy orders them, and the op that moves the cursor on."""
    if len(ranked) < 2:
        return ranked, ()
    strategy = STRATEGIES.get(route.strategy, STRATEGIES["ordered"])
    order, cursor = strategy(ranked, state.cursors.get(route.key, 0))
    return order, () if cursor is None else (SetCursor(route.key, cursor),)


def _probes(order: Sequence[Entry], recovers_at: float | None) -> Mapping[str, tuple[str, ...]]:
    """Returns which half-open tries to take: none unless a healthy candidate can serve those who find it taken."""
    if recovers_at is not None:
        return _NO_PROBES
    waiting = [entry for entry in order if entry.diagnosis is not HEALTHY and entry.diagnosis.probes]
    if not waiting or len(waiting) == len(order):
        return _NO_PROBES
    return {entry.candidate.key: entry.diagnosis.probes for entry in waiting}


def context_risk(candidate: Candidate, need: Need) -> str | None:
    """Returns what is doubtful about a candidate's window, None when it fits or nothing is required."""
    window = candidate.model.context_window or 0
    if need.context_tokens <= 0 or window >= need.context_tokens:
        return None
    if window <= 0:
        return "selected-context-window-unknown"
    return f"selected-context-window-below-required:{window}<{need.context_tokens}"


def required_tokens(body_bytes: int, max_output_tokens: int | None) -> int:
    """Returns the context a request needs, from the size of its body as received and the output it asks for.

    A third of the bytes is never below a quarter of the characters, the other bound of the estimate; a tenth, at least
    256, is added for what tokenizers make of it.
    """
    read = -(-body_bytes // 3)
    written = max_output_tokens if max_output_tokens is not None and max_output_tokens > 0 else 1024
    return read + written + (max(256, -(-read // 10)) if read else 0)


def _remedy(reasons: Set[str], retry_after_s: float | None) -> str:
    """Returns what the person in front of the client can do, to be added to the message; "" when nothing is known."""
    told = []
    if QUOTA in reasons:
        told.append("A rate limit of the gateway's own config is used up; `llr cooldowns` shows the counts.")
    if CONCURRENCY in reasons:
        told.append("As many requests are under way as maxConcurrency allows.")
    if retry_after_s is not None:
        told.append(f"Try again in {math.ceil(retry_after_s)} s.")
    return "".join(f". {text[:-1]}" for text in told)


def nothing_to_try(route: Route, skipped: Sequence[Skip], *, now: float) -> Fault:
    """Returns the failure of a request for which no candidate could be tried, with the earliest sensible retry."""
    text = f"no eligible providers remain for route '{route.ref}'"
    why = "; ".join(f"{skip.candidate.ref}: {'+'.join(skip.reasons)}" for skip in skipped[:8])
    message = f"{text} ({why})" if why else text
    reasons = {reason for skip in skipped for reason in skip.reasons}
    if reasons and reasons <= {"format-incompatible"}:
        text = f"no provider of route '{route.ref}' speaks the format of this endpoint ({why})"
        return Fault(ErrorKind.CONFIGURATION, text, status=400, param="model")
    waits = [skip.until_at - now for skip in skipped if skip.until_at > now]
    # What another request holds may be free at any moment.
    retry_after_s = min(waits) if waits else (1.0 if reasons & {CONCURRENCY, PROBING} else None)
    message += _remedy(reasons, retry_after_s)
    if reasons and reasons <= {QUOTA, CONCURRENCY}:
        return Fault(ErrorKind.RATE_LIMITED, message, retry_after_s=retry_after_s)
    return Fault(ErrorKind.NO_CANDIDATE, message, retry_after_s=retry_after_s)
