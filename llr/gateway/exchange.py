"""The attempt loop: plan, reserve, try, judge, and then answer, try again, go on, or give up.

Law: nothing reaches the client before an answer is committed; after that nobody else is asked. Whatever a request took
(slots, counts, connections) is given back on every way out, a cancelled one too.
"""

import logging
import re
from dataclasses import dataclass, replace

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.names import FormatId
from llr.base.redact import scrub
from llr.config.schema import TimeoutSpec
from llr.gateway import convert
from llr.gateway.attempt import Answer, Events, Failure, Question, Raw, Verbatim, Whole, attempt, broken
from llr.gateway.call import Call
from llr.gateway.deps import Deps, Live
from llr.gateway.downgrade import as_chat, as_learned, says_chat_only
from llr.gateway.hold import Hold
from llr.gateway.learned import CHAT_ONLY
from llr.gateway.observe import Attempted, ignore
from llr.gateway.routes import Action
from llr.ir.loss import Loss, LossLevel
from llr.providers.auth import Auth
from llr.providers.urls import GENERATION
from llr.routing.affinity import pin_ops
from llr.routing.health import health_ops
from llr.routing.limits import refusal, reserve
from llr.routing.outcome import Category, Commit, GiveUp, Next, Outcome, Phase, RetrySame, Verdict
from llr.routing.plan import NO_KEYS, Need, Plan, Skip, keys_for, nothing_to_try, plan
from llr.routing.retry import best_failure, classify
from llr.routing.route import Candidate, Route
from llr.routing.waits import retry_after
from llr.state.store import Snapshot
from llr.wire.http import Headers, Timeouts

log = logging.getLogger("llr.gateway")

_NO_STATE = Snapshot()
_NOTHING_SENT = convert.Sent(GENERATION[FormatId.CHAT], (), False)
_NO_SEARCH = re.compile(
    rb"(?i)web search credits are unavailable in this session|web access unavailable(?: \(out of credits\))?"
)
_OURS = frozenset((Category.AUTH, Category.FORBIDDEN))
_GENERATIONS = frozenset((Action.GENERATE, Action.UNIFIED))


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that came to nothing, and what was made of it."""

    candidate: Candidate
    failure: Failure
    outcome: Outcome
    verdict: Verdict


@dataclass(slots=True)
class Committed:
    """An answer worth showing, who gave it, and what is still held for it."""

    candidate: Candidate
    answer: Answer
    hold: Hold
    outcome: Outcome
    sent: convert.Sent


@dataclass(frozen=True, slots=True)
class Refused:
    """No answer: the fault to show, and the upstream's own words where the client's format is the upstream's."""

    fault: Fault
    verbatim: Verbatim | None = None


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
        "_call",
        "_deadline_at",
        "_deps",
        "_first",
        "_live",
        "_plan",
        "_route",
        "_state",
        "need",
        "skipped",
        "tried",
    )

    def __init__(self, call: Call, route: Route, need: Need, live: Live, deps: Deps, first: str = "") -> None:
        """Takes what one request needs; `first` is the candidate that holds what the request refers to."""
        self._first = first
        self._call, self._route, self._live, self._deps = call, route, live, deps
        self._deadline_at = deps.clock.monotonic() + route.deadline_s
        self._state = _NO_STATE
        self._plan: Plan | None = None
        self.need = need
        self.skipped: tuple[Skip, ...] = ()
        self.tried: list[Tried] = []

    @property
    def debug(self) -> bool:
        """Returns whether answers tell how they were routed."""
        return self._live.settings.debug_routing

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
            if self._left_s() <= 0:
                break
        return self._refused()

    async def _planned(self) -> Plan:
        deps, route = self._deps, self._route
        now = deps.clock.now()
        keys = keys_for(route, now=now, need=self.need)
        if keys is not NO_KEYS:
            self._state = await deps.store.read(keys, now=now)
        chosen = self._plan = plan(route, self._state, now=now, need=self.need)
        self.skipped = chosen.skipped
        if chosen.ops:
            await deps.store.apply(chosen.ops, now=now)
        return chosen

    def _left_s(self) -> float:
        return self._deadline_at - self._deps.clock.monotonic()

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
                if not isinstance(result.verdict, RetrySame) or self._left_s() <= result.verdict.after_s:
                    return result
                await self._deps.clock.sleep(result.verdict.after_s)
        finally:
            if not keep:
                await hold.close(used=answered)

    async def _hold(self, candidate: Candidate) -> Hold | None:
        deps, chosen = self._deps, self._plan
        # A half-open try may be refused because another candidate can serve: not to a client that wants no other.
        probes = chosen.probes.get(candidate.key, ()) if chosen is not None and not self._call.no_fallback else ()
        now = deps.clock.now()
        reservation = reserve(
            self._route, candidate, holder=self._call.id, now=now, tokens=self.need.context_tokens, probes=probes
        )
        hold = Hold(deps.store, deps.clock, reservation)
        granted = await hold.take()
        if all(granted):
            return hold
        reasons, until_at = refusal(reservation, granted)
        self.skipped = (*self.skipped, Skip(candidate, reasons, until_at))
        return None

    async def _once(self, asked: "_Asked", hold: Hold) -> Committed | Tried:
        asked.candidate = as_learned(asked.candidate, self._deps)
        answer, sent = await self._answer_of(asked.candidate)
        if isinstance(answer, Failure) and says_chat_only(asked.candidate, answer):
            chat = as_chat(asked.candidate)
            second, sent_as_chat = await self._answer_of(chat)
            if not isinstance(second, Failure):
                answer, sent, asked.candidate = second, sent_as_chat, chat
                if self._deps.learned.add(chat.ref, FormatId.RESPONSES, CHAT_ONLY):
                    log.warning("%s has no Responses endpoint; from now on it is asked in Chat", chat.ref)
        try:
            return await self._judged(asked, answer, sent, hold)
        except BaseException:
            if isinstance(answer, Events | Raw):
                await answer.source.aclose()
            raise

    async def _answer_of(self, candidate: Candidate) -> tuple[Answer | Failure, convert.Sent]:
        """Returns what one candidate answers, in the form the client wants where it came whole."""
        sent = _NOTHING_SENT
        try:
            sent = convert.outgoing(self._call, candidate, self._live, self._deps)
            answer = await self._ask(candidate, sent)
        except GatewayError as exc:
            return broken(exc.fault, Phase.PREPARE), sent
        if isinstance(answer, Whole):
            if convert.needs_conversion(self._call, candidate, answer):
                answer = self._converted(candidate, sent, answer)
            if isinstance(answer, Whole):
                answer = self._searched(answer)
        return answer, sent

    def _searched(self, answer: Whole) -> Whole | Failure:
        """Returns the answer, or the failure of one that only says that its web search does not work."""
        if not any(kind.startswith("web_search") for kind in self._call.tool_types):
            return answer
        found = _NO_SEARCH.search(answer.body)
        if found is None:
            return answer
        text = found.group().decode("utf-8", "replace")
        fault = Fault(ErrorKind.UPSTREAM_REJECTED, f"the provider's web search does not work: {text}")
        verbatim = Verbatim(answer.status, answer.headers, answer.body)
        return Failure(fault, Phase.BODY, answer.status, None, text, True, answer.headers, verbatim)

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
        auxiliary = self._call.action not in _GENERATIONS
        ops = health_ops(candidate, outcome, verdict, policy=policy, now=now, auxiliary=auxiliary)
        if isinstance(verdict, Commit):
            pins = pin_ops(self._route, candidate, self.need.session, self._state, now=now)
            ops = pins if self._known_well(candidate) else (*ops, *pins)
        if ops:
            await deps.store.apply(ops, now=now)
        if deps.observe is not ignore:
            self._report(asked, answer, outcome, verdict, sent)
        if not isinstance(answer, Failure):
            self._note_losses(sent.losses)
            return Committed(candidate, answer, hold, outcome, sent)
        tried = Tried(candidate, answer, outcome, verdict)
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
            )
        )

    def _note_losses(self, losses: tuple[Loss, ...]) -> None:
        """Tells the log of each loss once per route."""
        for loss in losses:
            key = f"loss {self._route.key} {loss.what}"
            if loss.level is not LossLevel.SILENT and key not in self._live.memo:
                self._live.memo[key] = True
                log.warning("route %s loses %s in translation: %s", self._route.ref, loss.path, loss.why)

    def _converted(self, candidate: Candidate, sent: convert.Sent, answer: Whole) -> Whole | Failure:
        """Returns the answer in the client's form; one that cannot be read is a failure of its candidate."""
        try:
            return convert.whole_answer(self._call, candidate, sent, answer, self._deps)
        except GatewayError as exc:
            return replace(broken(exc.fault, Phase.BODY), answered=True, headers=answer.headers)

    def _known_well(self, candidate: Candidate) -> bool:
        """Returns whether planning read this candidate's records and found none, so that success clears nothing."""
        health = self._state.health
        return self._state is not _NO_STATE and candidate.key not in health and candidate.credential_key not in health

    async def _ask(self, candidate: Candidate, sent: convert.Sent) -> Answer | Failure:
        credentials = self._deps.credentials
        auth = await credentials.get(candidate)
        answer = await self._timed(self._question(candidate, sent, auth))
        if isinstance(answer, Failure) and answer.status == 401:
            fresh = await credentials.get(candidate, force=True)
            if fresh is not auth and fresh != auth:
                auth = fresh
                answer = await self._timed(self._question(candidate, sent, auth))
        if isinstance(answer, Failure) and answer.status in (400, 422) and self._call.action in _GENERATIONS:
            return await self._mended(candidate, sent, auth, answer)
        return answer

    async def _mended(self, candidate: Candidate, sent: convert.Sent, auth: Auth, failure: Failure) -> Answer | Failure:
        """Asks once more without what the refusal names; the first refusal stands when that does not help."""
        found = convert.repaired(self._call, candidate, sent, failure.fault)
        if found is None:
            return failure
        mended, lesson = found
        answer = await self._timed(self._question(candidate, mended, auth))
        if isinstance(answer, Failure):
            return failure
        if self._deps.learned.add(candidate.ref, candidate.wire, lesson):
            log.warning("%s refused a request (%s); from now on: %s", candidate.ref, failure.fault.message, lesson)
        return answer

    def _question(self, candidate: Candidate, sent: convert.Sent, auth: Auth) -> Question:
        call = self._call
        request = self._live.preparer.prepare(
            candidate,
            sent.endpoint,
            sent.body,
            auth,
            call.headers,
            method=call.method,
            stream=sent.stream,
            content_type=call.payload.content_type,
        )
        strict = call.action in _GENERATIONS
        timeouts = timeouts_for(candidate, self._live)
        return Question(request, candidate.wire, call.stream, strict, call.choices, timeouts, candidate.provider.id)

    async def _timed(self, question: Question) -> Answer | Failure:
        limit_s, what = self._left_s(), "the request's deadline"
        first_token_s = self._route.first_token_s
        if first_token_s is not None and first_token_s < limit_s:
            limit_s, what = first_token_s, "the time for a first token"
        try:
            async with self._deps.clock.timeout(limit_s):
                return await attempt(question, self._deps.transport)
        except TimeoutError:
            fault = Fault(ErrorKind.UPSTREAM_TIMEOUT, f"no answer came within {what}")
            return Failure(fault, Phase.HEADERS, kind=fault.kind, excerpt=fault.message)

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
            return Refused(fault)
        return Refused(fault, verbatim)

    def _worded(self, tried: Tried) -> Fault:
        """Returns the fault a client is told: where it failed, but not whose key was refused."""
        fault, ref = tried.failure.fault, tried.candidate.ref
        verdict = tried.verdict
        category = None if isinstance(verdict, Commit) else verdict.category
        if category in _OURS and tried.failure.status in (401, 403):
            text = f"{ref}: the provider refused the gateway's credential (HTTP {tried.failure.status})"
            return Fault(ErrorKind.UPSTREAM_AUTH, text)
        if tried.failure.kind is None and tried.failure.verbatim is not None:
            return fault
        return replace(fault, message=scrub(f"{ref}: {fault.message}"))


def timeouts_for(candidate: Candidate, live: Live) -> Timeouts:
    """Returns the limits of an attempt: environment, else model, provider, root, default."""
    key = f"timeouts {candidate.ref}"
    known: Timeouts | None = live.memo.get(key)
    if known is None:
        scopes = (candidate.model.timeouts, candidate.provider.timeouts, live.config.timeouts)
        default = Timeouts()
        known = live.memo[key] = Timeouts(
            _first(scopes, "connect_s", default.connect_s),
            live.settings.upstream_first_byte_s or _first(scopes, "first_byte_s", default.first_byte_s),
            _first(scopes, "idle_s", default.idle_s),
        )
    return known


def _first(scopes: tuple[TimeoutSpec, ...], name: str, default: float) -> float:
    return next((value for scope in scopes if (value := getattr(scope, name)) is not None), default)


def _retry_after(failure: Failure, now: float) -> float | None:
    if failure.headers is None:
        return failure.fault.retry_after_s
    found = retry_after(failure.status or 0, _texts(failure.headers), now)
    return failure.fault.retry_after_s if found is None else found


def _texts(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): headers.text(name) for name in headers.names()}
