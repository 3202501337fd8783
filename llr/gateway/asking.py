"""Asking one candidate: with its credential, within its time, once more where a refusal tells how."""

import logging
import re
from collections.abc import Sequence

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.base.records import replace
from llr.config.schema import TimeoutSpec
from llr.formats.reading import rows
from llr.gateway import convert, pausing
from llr.gateway.attempt import Answer, Events, Failure, Pace, Question, Verbatim, Whole, attempt, broken
from llr.gateway.call import Call
from llr.gateway.deps import Deps, Live
from llr.gateway.peers import learn
from llr.gateway.routes import GENERATIONS
from llr.gateway.unsaid import unsaid
from llr.ir.events import Event
from llr.providers.auth import Auth
from llr.providers.urls import GENERATION
from llr.routing.failures import EMPTY
from llr.routing.outcome import Phase
from llr.routing.route import Candidate, Route
from llr.wire.http import Timeouts

log = logging.getLogger("llr.gateway")

_NOTHING_SENT = convert.Sent(GENERATION[FormatId.CHAT], (), False)
_NO_SEARCH = re.compile(
    rb"(?i)web search credits are unavailable in this session|web access unavailable(?: \(out of credits\))?"
)


class Asker:
    """Asks candidates on behalf of one request, all within its deadline."""

    __slots__ = ("_call", "_deadline_at", "_deps", "_live", "_route")

    def __init__(self, call: Call, route: Route, live: Live, deps: Deps) -> None:
        self._call, self._route, self._live, self._deps = call, route, live, deps
        self._deadline_at = deps.clock.monotonic() + route.deadline_s

    def _expired(self) -> bool:
        return self.left_s() <= 0

    def left_s(self) -> float:
        """Returns the seconds until the request's deadline."""
        return self._deadline_at - self._deps.clock.monotonic()

    async def answer_of(self, candidate: Candidate) -> tuple[Answer | Failure, convert.Sent]:
        """Returns what one candidate answers, in the form the client wants where it came whole."""
        sent = _NOTHING_SENT
        try:
            sent = convert.outgoing(self._call, candidate, self._live, self._deps)
            answer = await self._ask(candidate, sent)
        except GatewayError as exc:
            return broken(exc.fault, Phase.PREPARE), sent
        if isinstance(answer, Whole):
            answer = await self._unpaused(candidate, sent, answer)
            if convert.needs_conversion(self._call, candidate, answer):
                answer = self._converted(candidate, sent, answer)
            if isinstance(answer, Whole):
                answer = _nothing_said(answer) if answer.empty else self._searched(answer)
        return answer, sent

    async def _unpaused(self, candidate: Candidate, sent: convert.Sent, answer: Whole) -> Whole:
        """Returns the whole turn where the provider paused in the middle of one."""
        body, said = sent.value, answer.value
        if body is None or said is None or not pausing.may_pause(self._call, candidate, body):
            return answer
        for _ in range(pausing.MOST_ROUNDS):
            if not pausing.paused(said):
                break
            again = pausing.following(body, rows(said.get("content")))
            found = await self._ask(candidate, replace(sent, value=again, body=[dumps(again)]))
            if not isinstance(found, Whole) or found.value is None:
                break
            said = pausing.joined(said, found.value)
        return answer if said is answer.value else replace(answer, value=said, body=dumps(dict(said)))

    def more(self, candidate: Candidate, sent: convert.Sent) -> pausing.More | None:
        """Returns what goes on with a paused stream of this request, None where pauses do not happen."""
        body, meta = sent.value, sent.meta
        if body is None or meta is None or not pausing.may_pause(self._call, candidate, body):
            return None
        rounds = 0

        async def goes_on(said: Sequence[Event]) -> Events | None:
            nonlocal rounds
            rounds += 1
            if rounds > pausing.MOST_ROUNDS:
                return None
            again = pausing.following(body, pausing.content_of(said, meta))
            try:
                found = await self._ask(candidate, replace(sent, value=again, body=[dumps(again)]))
            except GatewayError:
                return None
            return found if isinstance(found, Events) else None

        return goes_on

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

    def _converted(self, candidate: Candidate, sent: convert.Sent, answer: Whole) -> Whole | Failure:
        """Returns the answer in the client's form; one that cannot be read is a failure of its candidate."""
        try:
            return convert.whole_answer(self._call, candidate, sent, answer, self._deps)
        except GatewayError as exc:
            return replace(broken(exc.fault, Phase.BODY), answered=True, headers=answer.headers)

    async def _ask(self, candidate: Candidate, sent: convert.Sent) -> Answer | Failure:
        credentials = self._deps.credentials
        auth = await credentials.get(candidate)
        answer = await self._timed(self._question(candidate, sent, auth))
        if isinstance(answer, Failure) and answer.status == 401:
            fresh = await credentials.get(candidate, force=True)
            if fresh is not auth and fresh != auth:
                auth = fresh
                answer = await self._timed(self._question(candidate, sent, auth))
        if isinstance(answer, Failure) and answer.status in (400, 422) and self._call.action in GENERATIONS:
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
        if learn(self._deps, candidate.ref, candidate.wire, lesson):
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
        strict = call.action in GENERATIONS
        timeouts = timeouts_for(candidate, self._live)
        slow = self._route.slow_stream if call.stream else None
        pace = Pace(*slow) if slow is not None else None
        wire, clock, provider = candidate.wire, self._deps.clock, candidate.provider.id
        converts = strict and (call.stream or not convert.is_native(call, candidate))
        return Question(
            request, wire, call.stream, strict, call.choices, timeouts, provider, clock, pace, auth.key, converts
        )

    async def _timed(self, question: Question) -> Answer | Failure:
        limit_s, what = self.left_s(), "the request's deadline"
        first_token_s = self._route.first_token_s
        if first_token_s is not None and first_token_s < limit_s:
            limit_s, what = first_token_s, "the time for a first token"
        elif not question.stream and limit_s > question.timeouts.connect_s + question.timeouts.first_byte_s:
            # The head comes in time by the transport's own limits, and a plain body asks for itself: no timer needed.
            question.expired = self._expired
            answer = await attempt(question, self._deps.transport)
            return unsaid(answer, question) if isinstance(answer, Failure) else answer
        try:
            async with self._deps.clock.timeout(limit_s):
                answer = await attempt(question, self._deps.transport)
                return unsaid(answer, question) if isinstance(answer, Failure) else answer
        except TimeoutError:
            fault = Fault(ErrorKind.UPSTREAM_TIMEOUT, f"no answer came within {what}")
            return Failure(fault, Phase.HEADERS, kind=fault.kind, excerpt=fault.message)


def _nothing_said(answer: Whole) -> Failure:
    """Returns the failure of an answer without a word; the answer stays with it, in case nobody says more."""
    fault = Fault(ErrorKind.UPSTREAM_REJECTED, f"the provider gave an {EMPTY}: nothing said, no output counted")
    return Failure(fault, Phase.BODY, answer.status, None, EMPTY, True, answer.headers, answer=answer)


def timeouts_for(candidate: Candidate, live: Live) -> Timeouts:
    """Returns the limits of an attempt: environment, else model, provider, root, default."""
    known = live.timeouts.get(candidate.ref)
    if known is None:
        scopes = (candidate.model.timeouts, candidate.provider.timeouts, live.config.timeouts)
        default = Timeouts()
        known = live.timeouts[candidate.ref] = Timeouts(
            _first(scopes, "connect_s", default.connect_s),
            live.settings.upstream_first_byte_s or _first(scopes, "first_byte_s", default.first_byte_s),
            _first(scopes, "idle_s", default.idle_s),
        )
    return known


def _first(scopes: tuple[TimeoutSpec, ...], name: str, default: float) -> float:
    return next((value for scope in scopes if (value := getattr(scope, name)) is not None), default)
