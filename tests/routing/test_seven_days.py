"""A week of random failures on a virtual clock: nobody is locked out, no limit is passed, no slot is lost."""

import heapq
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from llr.base.errors import ErrorKind
from llr.base.jsonio import JSON
from llr.routing.affinity import pin_ops
from llr.routing.health import diagnosis, health_ops
from llr.routing.limits import NOTHING_RESERVED, RENEW_EVERY_S, Reservation, layout, reserve
from llr.routing.outcome import Commit, GiveUp, Outcome, Phase, RetrySame
from llr.routing.plan import QUOTA, Need, keys_for, plan
from llr.routing.retry import classify
from llr.routing.route import Candidate, Route
from llr.state.memory import MemoryStore
from llr.state.store import Snapshot
from tests.routing.build import NOW, config, provider, route

WEEK_S = 7 * 86_400.0
REQUESTS = 10_000
IN_A_WEEK = 5_000
# How an attempt can end, and how often.
ENDINGS: tuple[tuple[str, int], ...] = (
    ("ok", 60),
    ("cancelled", 10),
    ("killed", 2),
    ("timeout", 6),
    ("refused", 4),
    ("429", 6),
    ("429-a-week", 1),
    ("500", 6),
    ("401", 1),
    ("402", 1),
    ("404", 1),
    ("overflow", 2),
)
OUTCOMES: dict[str, dict[str, Any]] = {
    "ok": {"ok": True, "status": 200},
    "timeout": {"kind": ErrorKind.UPSTREAM_TIMEOUT},
    "refused": {"kind": ErrorKind.UPSTREAM_UNREACHABLE},
    "429": {"status": 429, "retry_after_s": 20.0},
    "429-a-week": {"status": 429, "retry_after_s": WEEK_S},
    "500": {"status": 500},
    "401": {"status": 401},
    "402": {"status": 402},
    "404": {"status": 404, "excerpt": "model not found"},
    "overflow": {"status": 400, "excerpt": "prompt is too long"},
}


def week_route() -> Route:
    def bucket(name: str, unit: str, requests: int, tokens: int | None = None) -> JSON:
        more: dict[str, JSON] = {"metadata": {"llr": {"tokens": tokens}}} if tokens else {}
        return {"id": name, "models": ["all"], "requests": requests, "window": {"unit": unit, "size": 1}, **more}

    knobs: JSON = {"llr": {"maxConcurrency": 6}}
    providers = [
        provider("p", "m1", "m2", rateLimits=[bucket("minute", "minute", 4), bucket("week", "week", 2_500)]),
        provider("q", "m", rateLimits=[bucket("hour", "hour", 90, 300_000)], metadata=knobs),
        provider("r", "m", metadata=knobs),
    ]
    alias: JSON = {
        "strategy": "auto",
        "targets": ["p/m1", {"ref": "p/m2", "weight": 0.5}, "q/m"],
        "fallbackTargets": ["r/m"],
        "metadata": {"llr": {"maxConcurrency": 12}},
    }
    return route(config(providers, {"a": alias}))


@dataclass
class Request:
    """One simulated request between its events."""

    name: str
    candidates: list[Candidate]
    session: str
    selected: Candidate | None = None
    candidate: Candidate | None = None
    held: Reservation = NOTHING_RESERVED
    attempt: int = 0
    tokens: int = 0
    started_at: float = 0.0
    answered: bool = False
    ending: str = ""


class Week:
    """The attempt loop on a heap of events instead of an event loop."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.route = week_route()
        self.store = MemoryStore()
        self.events: list[tuple[float, int, str, Request]] = []
        self.order = count()
        self.seen_max: dict[tuple[str, int], int] = defaultdict(int)
        self.answers = self.refusals = self.lost = 0

    def push(self, at: float, what: str, request: Request) -> None:
        heapq.heappush(self.events, (at, next(self.order), what, request))

    def run(self) -> float:
        for number in range(IN_A_WEEK):
            # Bursts: a tenth of the moments bring ten requests at once.
            moment = self.rng.random() * WEEK_S if number % 10 else round(self.rng.random() * WEEK_S, -3)
            self.push(NOW + moment, "start", Request(f"r{number}", [], f"s{self.rng.randrange(400)}"))
        now = NOW
        while self.events:
            now, _, what, request = heapq.heappop(self.events)
            getattr(self, what)(request, now)
            self.check(now)
        return now

    def start(self, request: Request, now: float) -> None:
        request.tokens = self.rng.randrange(100, 20_000)
        need = Need(request.tokens, request.session)
        state = self.store.peek(keys_for(self.route, now=now, need=need), now=now)
        planned = plan(self.route, state, now=now, need=need)
        self.store.commit(planned.ops, now=now)
        request.candidates = list(planned.order)
        request.selected = planned.order[0] if planned.order else None
        self.probes = planned.probes
        self.following(request, now)

    def following(self, request: Request, now: float) -> None:
        while request.candidates:
            candidate = request.candidates.pop(0)
            held = reserve(
                self.route,
                candidate,
                holder=request.name,
                now=now,
                tokens=request.tokens,
                probes=self.probes.get(candidate.key, ()) if candidate is request.selected else (),
            )
            if all(self.store.commit(held.ops, now=now)):
                request.candidate, request.held, request.attempt, request.answered = candidate, held, 0, False
                self.call(request, now)
                return
        self.refusals += 1

    def call(self, request: Request, now: float) -> None:
        request.attempt += 1
        request.started_at = now
        lasts = self.rng.choice((0.5, 3.0, 40.0, 150.0))
        ending = self.rng.choices([name for name, _ in ENDINGS], [often for _, often in ENDINGS])[0]
        at = now
        while at + RENEW_EVERY_S < now + lasts and ending != "killed":
            at += RENEW_EVERY_S
            self.push(at, "renew", request)
        request.ending = ending
        self.push(now + lasts, f"end_{ending}" if ending in ("killed", "cancelled") else "end", request)

    def renew(self, request: Request, now: float) -> None:
        assert all(self.store.commit(request.held.renewals(now), now=now))

    def end_killed(self, request: Request, now: float) -> None:
        self.lost += 1

    def end_cancelled(self, request: Request, now: float) -> None:
        self.store.commit(request.held.used(0) if request.answered else request.held.unused(), now=now)

    def end(self, request: Request, now: float) -> None:
        self.judge(request, now, OUTCOMES[request.ending])

    def judge(self, request: Request, now: float, fields: dict[str, Any]) -> None:
        candidate, policy = request.candidate, self.route.policy
        assert candidate is not None
        outcome = Outcome(candidate.ref, request.attempt, Phase.HEADERS, started_at=request.started_at, **fields)
        request.answered = request.answered or outcome.status is not None
        first = candidate is request.selected
        verdict = classify(outcome, attempt=request.attempt, selected=first, policy=policy, now=now, rng=self.rng)
        self.store.commit(health_ops(candidate, outcome, verdict, policy=policy, now=now), now=now)
        match verdict:
            case Commit():
                self.answers += 1
                self.store.commit(pin_ops(self.route, candidate, request.session, Snapshot(), now=now), now=now)
                self.store.commit(request.held.used(self.rng.randrange(request.tokens + 1)), now=now)
            case RetrySame(after_s=pause):
                self.push(now + pause, "again", request)
            case _:
                self.store.commit(request.held.used(0) if request.answered else request.held.unused(), now=now)
                if not isinstance(verdict, GiveUp):
                    self.following(request, now)

    def again(self, request: Request, now: float) -> None:
        # A pause is no attempt of its own: the slot is kept meanwhile.
        self.call(request, now)

    def check(self, now: float) -> None:
        laid = layout(self.route, now)
        state = self.store.peek(keys_for(self.route, now=now), now=now)
        for place, candidate in enumerate(self.route.tryable):
            for gauge in laid.gauges[place]:
                assert state.usage.get(gauge.key, 0) <= gauge.limit
                self.seen_max[gauge.bucket, gauge.limit] = max(
                    self.seen_max[gauge.bucket, gauge.limit], state.usage.get(gauge.key, 0)
                )
            for slot in laid.slots[place]:
                assert state.leases.get(slot.key, 0) <= slot.limit
                self.seen_max[slot.key, slot.limit] = max(
                    self.seen_max[slot.key, slot.limit], state.leases.get(slot.key, 0)
                )
            assert diagnosis(candidate, state, now).until_at <= now + 86_400.0


def test_a_week() -> None:
    week = Week(seed=1)
    last = week.run()
    # The run was worth it: limits were reached, requests were answered, some were refused or lost.
    assert week.answers > IN_A_WEEK // 2
    assert week.lost > 50
    assert [key for (key, limit), seen in week.seen_max.items() if seen == limit]
    state = week.store.peek(keys_for(week.route, now=last + 61), now=last + 61)
    assert state.leases == {}
    # A day after the last failure everyone is back in the order.
    later = last + 86_401.0
    planned = plan(week.route, week.store.peek(keys_for(week.route, now=later), now=later), now=later)
    assert planned.recovers_at is None
    assert {skip.reasons for skip in planned.skipped} <= {(QUOTA,)}


def test_ten_thousand_random_ends_leave_no_slot() -> None:
    rng, store, found = Random(7), MemoryStore(), week_route()
    running: list[Reservation] = []
    now, taken = NOW, 0
    while taken < REQUESTS:
        now += rng.random() * 0.02
        held = reserve(found, found.tryable[3], holder=f"r{taken}", now=now)
        if all(store.commit(held.ops, now=now)):
            running.append(held)
            taken += 1
        while running and (len(running) >= 6 or rng.random() < 0.3):
            one = running.pop(rng.randrange(len(running)))
            ending = rng.choice(("cancel", "timeout", "finish", "twice"))
            store.commit(one.used(5) if ending == "finish" else one.unused(), now=now)
            if ending == "twice":
                store.commit(one.unleased(), now=now)
    assert store.peek(keys_for(found, now=now), now=now).leases["slot:provider:r"] == len(running)
    for one in running:
        store.commit(one.unused(), now=now)
    assert store.peek(keys_for(found, now=now), now=now).leases == {}
