"""The attempt loop: plan, reserve, try, judge, and then answer, try again, go on, or give up.

Law: nothing reaches the client before an answer is committed; after that nobody else is asked. Whatever a request took
(slots, counts, connections) is given back on every way out, a cancelled one too.
"""

import logging

from llr.base.errors import ErrorKind, Fault
from llr.base.records import dataclass, replace
from llr.base.redact import scrub
from llr.config.schema import ResponsesStoreSpec
from llr.gateway import convert
from llr.gateway.asking import Asker
from llr.gateway.attempt import Answer, Events, Failure, Raw, Verbatim
from llr.gateway.call import Call
from llr.gateway.deps import Deps, Live
from llr.gateway.downgrade import as_learned, chat_instead
from llr.gateway.hold import Hold
from llr.gateway.observe import Attempted, ignore
from llr.gateway.pausing import More
from llr.gateway.peers import learn
from llr.gateway.routes import GENERATIONS
from llr.gateway.toolrouting import CHAT_FIRST, CHAT_REFUSED, via_chat, way_back, word_for
from llr.ir.loss import Loss, LossLevel
from llr.routing.affinity import pin_ops
from llr.routing.health import health_ops
from llr.routing.limits import NOTHING_RESERVED, refusal, reserve
from llr.routing.outcome import Category, Commit, GiveUp, Next, Outcome, Phase, RetrySame, Verdict
from llr.routing.plan import NO_KEYS, Need, Plan, Skip, keys_for, nothing_to_try, plan
from llr.routing.retry import best_failure, classify
from llr.routing.route import Candidate, Route
from llr.routing.waits import MAX_WAIT_S, retry_after
from llr.state.store import Op, Snapshot
from llr.wire.http import Headers

log = logging.getLogger("llr.gateway")

_NO_STATE = Snapshot()
# Successes of one candidate within so short a time clear its record once: the store is asked less under load.
_RECOVERED_S = 1.0
_OURS = frozenset((Category.AUTH, Category.FORBIDDEN))


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that came to nothing, and what was made of it. `sent` is kept where its answer may yet be shown."""

    candidate: Candidate
    failure: Failure
    outcome: Outcome
    verdict: Verdict
    sent: convert.Sent | None = None
    ended_at: float = 0.0


@dataclass(slots=True)
class Committed:
    """An answer worth showing, who gave it, what is still held for it, and what goes on with a paused turn."""

    candidate: Candidate
    answer: Answer
    hold: Hold
    outcome: Outcome
    sent: convert.Sent
    more: More | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """No answer: the fault to show, and the upstream's own words where the client's format is the upstream's.

    `headers` are the upstream's where the fault is told in ours.
    """

    fault: Fault
    verbatim: Verbatim | None = None
    headers: Headers | None = None


@dataclass(slots=True)
class _Asked:
    """Who is asked for the how-manieth time, and who would be next."""

    candidate: Candidate
    number: int
    selected: bool
    following: Candidate | None
    started_at: float


class Exchange:
    """One request on its way through the candidates of its route."""

    __slots__ = (
        "_asker",
        "_call",
        "_deps",
        "_first",
        "_live",
        "_pending",
        "_plan",
        "_route",
        "_state",
        "need",
        "skipped",
        "tool_routing",
        "tried",
    )

    def __init__(self, call: Call, route: Route, need: Need, live: Live, deps: Deps, first: str = "") -> None:
        """Takes what one request needs; `first` is the candidate that holds what the request refers to."""
        self._first = first
        self._call, self._route, self._live, self._deps = call, route, live, deps
        self._asker = Asker(call, route, live, deps)
        self._state = _NO_STATE
        self._plan: Plan | None = None
        self._pending: tuple[Op, ...] = ()
        self.need = need
        self.skipped: tuple[Skip, ...] = ()
        self.tried: list[Tried] = []
        self.tool_routing: dict[str, str] = {}

    @property
    def debug(self) -> bool:
        """Returns whether answers tell how they were routed."""
        return self._call.debug or self._live.settings.debug_routing

    @property
    def responses_store(self) -> ResponsesStoreSpec:
        """Returns how much of Responses conversations is kept here."""
        return self._live.config.responses_store

    @property
    def route(self) -> Route:
        """Returns the route that is tried."""
        return self._route

    @property
    def selected(self) -> Candidate | None:
        """Returns the candidate planning chose, None when it chose none."""
        return self._plan.order[0] if self._plan is not None and self._plan.order else None

    async def run(self) -> Committed | Refused:
        """Returns the committed answer or the failure to show."""
        chosen = await self._planned()
        queue = chosen.order
        if self._first:
            queue = tuple(sorted(queue, key=lambda candidate: candidate.ref != self._first))
        if self._call.no_fallback:
            queue = queue[:1]
        for place, candidate in enumerate(queue):
            following = queue[place + 1] if place + 1 < len(queue) else None
            result = await self._candidate(candidate, place == 0, following)
            if isinstance(result, Committed):
                return result
            if result is not None and isinstance(result.verdict, GiveUp):
                break
            if self._asker.left_s() <= 0:
                break
        return self._after_all() or self._refused()

    async def _planned(self) -> Plan:
        deps, route = self._deps, self._route
        now = deps.clock.now()
        keys = keys_for(route, now=now, need=self.need)
        if keys is not NO_KEYS:
            self._state = await deps.store.read(keys, now=now)
        chosen = self._plan = plan(route, self._state, now=now, need=self.need)
        self.skipped = chosen.skipped
        self._pending = chosen.ops
        return chosen

    async def _candidate(
        self, candidate: Candidate, selected: bool, following: Candidate | None
    ) -> Committed | Tried | None:
        """Returns what came of one candidate, None when its limits turned the request away."""
        hold = await self._hold(candidate)
        if hold is None:
            return None
        answered = keep = False
        number = 0
        try:
            while True:
                number += 1
                asked = _Asked(candidate, number, selected, following, self._deps.clock.now())
                result = await self._once(asked, hold)
                if isinstance(result, Committed):
                    keep = True
                    return result
                answered = answered or result.failure.answered
                if not isinstance(result.verdict, RetrySame) or self._asker.left_s() <= result.verdict.after_s:
                    return result
                await self._deps.clock.sleep(result.verdict.after_s)
        finally:
            if not keep:
                await hold.close(used=answered)

    async def _hold(self, candidate: Candidate) -> Hold | None:
        deps, chosen = self._deps, self._plan
        # A half-open try may be refused because another candidate can serve: not to a client that wants no other.
        probes = chosen.probes.get(candidate.key, ()) if chosen is not None and not self._call.no_fallback else ()
        now, holder = deps.clock.now(), deps.holder + self._call.id
        reservation = reserve(
            self._route, candidate, holder=holder, now=now, tokens=self.need.context_tokens, probes=probes
        )
        hold = Hold(deps.store, deps.clock, reservation)
        # The cursor moves with the first call: a request that gets nowhere leaves it, and a shared store is asked once.
        granted = await hold.take(self._pending)
        if all(granted):
            self._pending = ()
            return hold
        reasons, until_at = refusal(reservation, granted)
        self.skipped = (*self.skipped, Skip(candidate, reasons, until_at))
        return None

    async def _once(self, asked: "_Asked", hold: Hold) -> Committed | Tried:
        answer, sent = await self._answered(asked)
        try:
            return await self._judged(asked, answer, sent, hold)
        except BaseException:
            if isinstance(answer, Events | Raw):
                await answer.source.aclose()
            raise

    async def _answered(self, asked: "_Asked") -> tuple[Answer | Failure, convert.Sent]:
        """Returns the answer of a candidate in the format that is right for it, or in the other one it may have.

        The first refusal stands where the other format helps no more; where it does, that is remembered.
        """
        deps, plain = self._deps, as_learned(asked.candidate, self._deps)
        if word := word_for(self._call, plain, deps):
            self.tool_routing[plain.ref] = word
        asked.candidate = via_chat(plain) if word == CHAT_FIRST else plain
        answer, sent = await self._asker.answer_of(asked.candidate)
        if not isinstance(answer, Failure):
            return answer, sent
        tools = asked.candidate is not plain
        detour = way_back(plain, answer, deps.clock.now()) if tools else chat_instead(plain, answer)
        if detour is None:
            return answer, sent
        second, sent_again = await self._asker.answer_of(detour.other)
        if isinstance(second, Failure):
            return answer, sent
        asked.candidate = detour.other
        if tools:
            self.tool_routing[plain.ref] = CHAT_REFUSED
        if learn(deps, plain.ref, plain.wire, detour.mark, detour.until_at):
            log.warning("%s %s", plain.ref, detour.told)
        return second, sent_again

    async def _judged(
        self, asked: "_Asked", answer: Answer | Failure, sent: convert.Sent, hold: Hold
    ) -> Committed | Tried:
        """Draws the conclusions: verdict, health, report."""
        deps, policy, candidate = self._deps, self._route.policy, asked.candidate
        now = deps.clock.now()
        if isinstance(answer, Failure):
            wait_s = _retry_after(answer, now)
            outcome = answer.outcome(candidate, asked.number, asked.started_at, wait_s)
        else:
            outcome = Outcome(candidate.ref, asked.number, Phase.BODY, True, answer.status, started_at=asked.started_at)
        verdict = classify(outcome, attempt=asked.number, selected=asked.selected, policy=policy, now=now, rng=deps.rng)
        auxiliary = self._call.action not in GENERATIONS
        committed = isinstance(verdict, Commit)
        ops: tuple[Op, ...] = ()
        if not committed or not self._known_well(candidate, now):
            ops = health_ops(candidate, outcome, verdict, policy=policy, now=now, auxiliary=auxiliary)
        if committed:
            ops = (*ops, *pin_ops(self._route, candidate, self.need.session, self._state, now=now))
        else:
            deps.recovered.pop(candidate.key, None)
        if ops:
            await deps.store.apply(ops, now=now)
        if deps.observe is not ignore and not (deps.failures_only and committed and not self.tried):
            self._report(asked, answer, outcome, verdict, sent)
        if not isinstance(answer, Failure):
            self._note_losses(sent.losses)
            more = self._asker.more(candidate, sent) if sent.pausing else None
            return Committed(candidate, answer, hold, outcome, sent, more)
        tried = Tried(candidate, answer, outcome, verdict, sent if answer.answer is not None else None, ended_at=now)
        self.tried.append(tried)
        return tried

    def _report(
        self, asked: "_Asked", answer: Answer | Failure, outcome: Outcome, verdict: Verdict, sent: convert.Sent
    ) -> None:
        onward = asked.following.ref if asked.following is not None and isinstance(verdict, Next) else ""
        self._deps.observe(
            Attempted(
                self._call.id,
                self._deps.clock.now(),
                asked.started_at,
                self._route.ref,
                asked.candidate.ref,
                asked.candidate.wire,
                outcome,
                verdict,
                sent.losses,
                answer.fault.message if isinstance(answer, Failure) else "",
                onward,
                self._call.model,
            )
        )

    def _note_losses(self, losses: tuple[Loss, ...]) -> None:
        """Tells the log of each loss once per route."""
        for loss in losses:
            key = f"loss {self._route.key} {loss.what}"
            if loss.level is not LossLevel.SILENT and key not in self._live.memo:
                self._live.memo[key] = True
                log.warning("route %s loses %s in translation: %s", self._route.ref, loss.path, loss.why)

    def _known_well(self, candidate: Candidate, now: float) -> bool:
        """Returns whether success clears nothing: planning found no record, or one was cleared a moment ago."""
        health, recovered = self._state.health, self._deps.recovered
        if self._state is not _NO_STATE and candidate.key not in health and candidate.credential_key not in health:
            return True
        if now < recovered.get(candidate.key, 0.0):
            return True
        if len(recovered) > 10_000:
            recovered.clear()
        recovered[candidate.key] = now + _RECOVERED_S
        return False

    def _after_all(self) -> Committed | None:
        """Returns the first answer without a word: where nobody said more, it is what the vendor says, not an error.

        What it held was given back when the next candidate was asked.
        """
        for tried in self.tried:
            if tried.failure.answer is not None and tried.sent is not None:
                self.tried.remove(tried)
                self._note_losses(tried.sent.losses)
                hold = Hold(self._deps.store, self._deps.clock, NOTHING_RESERVED)
                return Committed(tried.candidate, tried.failure.answer, hold, tried.outcome, tried.sent)
        return None

    def _refused(self) -> Refused:
        now = self._deps.clock.now()
        best = best_failure([tried.outcome for tried in self.tried])
        if best is None:
            return Refused(nothing_to_try(self._route, self.skipped, now=now))
        shown = next(tried for tried in self.tried if tried.outcome is best)
        fault = self._worded(shown)
        waits = [tried.outcome.retry_after_s for tried in self.tried if tried.outcome.retry_after_s]
        recovers_at = self._plan.recovers_at if self._plan is not None else None
        if recovers_at is not None and recovers_at > now:
            # Everybody was cooling down already: before the first recovers, no answer will be another.
            waits.append(recovers_at - now)
        if fault.retry_after_s is None and waits and fault.http_status in (429, 502, 503, 504, 529):
            fault = replace(fault, retry_after_s=min(waits))
        verbatim = shown.failure.verbatim
        # Codex knows an overflow only as an event of a stream; no error answer makes it compact.
        as_event = fault.kind is ErrorKind.CONTEXT_OVERFLOW and self._call.codex and self._call.stream
        foreign = not convert.is_native(self._call, shown.candidate) and shown.failure.status != 200
        if verbatim is None or as_event or foreign:
            return Refused(fault, headers=shown.failure.headers)
        return Refused(fault, verbatim)

    def _worded(self, tried: Tried) -> Fault:
        """Returns the fault a client is told: where it failed, but not whose key was refused."""
        fault, ref = tried.failure.fault, tried.candidate.ref
        verdict = tried.verdict
        category = None if isinstance(verdict, Commit) else verdict.category
        keys = tried.failure.status in (401, 403) or fault.kind is ErrorKind.UPSTREAM_AUTH
        if category in _OURS and keys:
            text = f"{ref}: the provider refused the gateway's credential (HTTP {tried.failure.status})"
            return Fault(ErrorKind.UPSTREAM_AUTH, text)
        if tried.failure.kind is None and tried.failure.verbatim is not None:
            return fault
        return replace(fault, message=scrub(f"{ref}: {fault.message}"))


def _retry_after(failure: Failure, now: float) -> float | None:
    """Returns the wait a failure asks for: its own fields and words before the resets of limits it may not have hit."""
    said_s = failure.fault.retry_after_s
    if said_s is not None or failure.headers is None:
        return said_s if said_s is None else min(said_s, MAX_WAIT_S)
    return retry_after(failure.status or 0, _texts(failure.headers), now)


def _texts(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): headers.text(name) for name in headers.names()}
