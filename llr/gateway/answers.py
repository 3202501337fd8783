"""From what an exchange came to, to the answer the client sees; and the books closed when it is over."""

import asyncio
from collections.abc import Callable, Mapping

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, object_in
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.formats.count import estimate_request
from llr.formats.table import FORMATS
from llr.gateway import convert
from llr.gateway.array import ArrayBody, as_array
from llr.gateway.attempt import Events, Raw, Whole
from llr.gateway.call import Call
from llr.gateway.debug import debug_headers, trace_of
from llr.gateway.deps import Deps
from llr.gateway.exchange import Committed, Exchange, Refused
from llr.gateway.history import final_response, remember
from llr.gateway.limitfields import told_by
from llr.gateway.observe import Finished, Trace, ignore
from llr.gateway.peers import calibrate
from llr.gateway.pings import SILENCE_S, Pinger
from llr.gateway.relay import EventBody, RawBody
from llr.gateway.respond import (
    STREAM_HEADERS,
    add_told,
    fault_response,
    relayed_headers,
    translated_headers,
    with_request_id,
)
from llr.gateway.stored import note_issuer, note_stream
from llr.gateway.usage import input_tokens_of, tokens_of, usage_of_answer, usage_of_stream
from llr.ir.events import Usage
from llr.routing.health import health_ops
from llr.routing.outcome import Outcome, Phase
from llr.routing.retry import classify
from llr.routing.route import Candidate
from llr.wire.http import Heartbeat, RawHeaders, Response


@dataclass(slots=True)
class Books:
    """What is still open of one request: what it holds, and that it is not yet reported.

    `logged`: the request log is on. `bytes_in` is the body's size, which is forgotten with the body.
    """

    call: Call
    exchange: Exchange
    deps: Deps
    committed: Committed | None = None
    status: int = 0
    first_token_at: float = 0.0
    bytes_out: Callable[[], int] = int
    usage: Callable[[], Usage | None] = lambda: None
    closed: bool = False
    logged: bool = False
    bytes_in: int = 0
    turn: Mapping[str, JSON] | None = None

    def keep_turn(self, said: bytes) -> None:
        """Keeps a translated Responses turn once its answer is whole, in events or as a body."""
        if self.turn is None:
            return
        response = final_response(said) if self.call.stream else object_in(said)
        if response is not None:
            deps, turn, self.turn = self.deps, self.turn, None
            spec, now = self.exchange.responses_store, deps.clock.now()
            remember(deps.history, turn, response, spec, now, owner=self.call.owner)

    async def close(self, fault: Fault | None, *, cancelled: bool = False) -> None:
        """Returns when everything held is given back and the end is reported; once."""
        if self.closed:
            return
        self.closed = True
        done = self.committed
        told = self._is_told(fault)
        usage = self.usage() if not cancelled and (told or self._asks_usage()) else None
        try:
            if done is not None:
                await done.hold.close(used=True, tokens=tokens_of(usage))
                self._calibrate(done, usage)
                if fault is not None and not cancelled:
                    await self._blame(done, fault)
        finally:
            if told:
                self._report(fault, usage, cancelled=cancelled)

    def _is_told(self, fault: Fault | None) -> bool:
        """Returns whether the observer is told of this end."""
        if self.deps.observe is ignore:
            return False
        return not self.deps.failures_only or fault is not None or bool(self.exchange.tried) or self.is_traced()

    def is_traced(self) -> bool:
        """Returns whether somebody wants to know the whole way of this request."""
        return self.logged or self.exchange.debug

    def _trace(self) -> Trace | None:
        if not self.is_traced():
            return None
        ended_at = self.first_token_at
        return trace_of(self.call, self.exchange, self.committed, now=ended_at, bytes_in=self.bytes_in)

    def _asks_usage(self) -> bool:
        """Returns whether it matters here what was used: for token limits and estimates."""
        done = self.committed
        return done is not None and (done.hold.counts or done.sent.meta is not None)

    def _calibrate(self, done: Committed, usage: Usage | None) -> None:
        """Compares what a translated request really took with what we would have guessed, now and then."""
        meta = done.sent.meta
        counted = input_tokens_of(usage)
        if meta is not None and counted and self.deps.calibration.wants(done.candidate.ref):
            calibrate(self.deps, done.candidate.ref, estimate_request(meta.request), counted)

    async def _blame(self, done: Committed, fault: Fault) -> None:
        """A stream that broke after it was committed counts against its candidate as if it had broken before."""
        deps, policy = self.deps, self.exchange.route.policy
        now = deps.clock.now()
        deps.recovered.pop(done.candidate.key, None)
        outcome = Outcome(
            done.candidate.ref,
            done.outcome.attempt,
            Phase.STREAM,
            kind=fault.kind,
            status=None if fault.kind is ErrorKind.UPSTREAM_TRUNCATED else fault.http_status,
            excerpt=fault.message,
            started_at=done.outcome.started_at,
        )
        verdict = classify(outcome, attempt=1, selected=False, policy=policy, now=now, rng=deps.rng)
        ops = health_ops(done.candidate, outcome, verdict, policy=policy, now=now)
        if ops:
            await deps.store.apply(ops, now=now)

    def _report(self, fault: Fault | None, usage: Usage | None, *, cancelled: bool) -> None:
        done = self.committed
        self.deps.observe(
            Finished(
                self.call.id,
                self.deps.clock.now(),
                self.call.started_at,
                self.status,
                "cancelled" if cancelled else "failed" if fault is not None else "complete",
                self.exchange.route.ref,
                done.candidate.ref if done is not None else "",
                done.candidate.wire if done is not None else None,
                len(self.exchange.tried) + (done is not None),
                self.first_token_at,
                self.bytes_out(),
                usage,
                fault.message if fault is not None else "",
                tuple(tried.candidate.ref for tried in self.exchange.tried),
                self.call.model,
                self._trace(),
            )
        )


async def answer(call: Call, exchange: Exchange, deps: Deps, *, logged: bool = False) -> Response:
    """Returns the answer to a request: at once for a plain one, by the silence rule for a stream.

    A stream client hears nothing for 15 s, so that a failure of all candidates is a real status; then the head goes
    out, pings follow, and the loop goes on behind them. `logged`: the request log wants to know all of it.
    """
    books = Books(call, exchange, deps, logged=logged)
    if books.is_traced():
        books.bytes_in = call.payload.size
    try:
        if not call.stream:
            return await _shown(await exchange.run(), books)
        return await _streamed(books)
    except BaseException as exc:
        await books.close(None, cancelled=isinstance(exc, asyncio.CancelledError))
        raise


async def _streamed(books: Books) -> Response:
    task = asyncio.ensure_future(books.exchange.run())
    try:
        async with books.deps.clock.timeout(SILENCE_S):
            await asyncio.wait((task,))
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        await _abandon(task, books)
        raise
    if task.done():
        return await _shown(task.result(), books)
    body = LateBody(task, books)
    books.status = 200
    fields = with_request_id(list(STREAM_HEADERS), books.call.id, books.call.client)
    if books.exchange.debug:
        fields += debug_headers(books.call, books.exchange, None)
    return _in_form(Response(200, fields, body, Heartbeat(SILENCE_S, body.pinger.beat)), books.call)


def _in_form(response: Response, call: Call) -> Response:
    """Returns a stream's answer in the form the client asked for: events, or one JSON array."""
    if not call.gemini_array or response.status != 200:
        return response
    fields = [field for field in response.headers if field[0] != b"content-type"]
    fields.append((b"content-type", b"application/json"))
    body = as_array(response.body) if isinstance(response.body, bytes) else ArrayBody(response.body)
    return Response(response.status, fields, body, response.heartbeat)


async def _abandon(task: "asyncio.Future[Committed | Refused]", books: Books) -> None:
    """Stops a loop whose client left, and closes what it may have committed in the same instant."""
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled() and task.exception() is None:
        result = task.result()
        if isinstance(result, Committed):
            books.committed = result
            if isinstance(result.answer, Events | Raw):
                await result.answer.source.aclose()


async def _shown(result: Committed | Refused, books: Books) -> Response:
    if isinstance(result, Refused):
        return await _refused(result, books)
    books.committed = result
    books.first_token_at = books.deps.clock.now()
    books.status = result.answer.status
    call, candidate, found = books.call, result.candidate, result.answer
    books.turn = _turn(call, candidate)
    call.payload.release()
    result.sent.release()
    if isinstance(found, Raw):
        return _raw(found, books)
    native = convert.is_native(call, candidate) and not (isinstance(found, Whole) and found.converted)
    if native:
        fields = relayed_headers(found.headers, stream=call.stream)
    else:
        fields = translated_headers(found.headers, call.client, stream=call.stream, now=books.deps.clock.now())
    with_request_id(fields, call.id, call.client)
    if books.exchange.debug:
        fields += debug_headers(call, books.exchange, result)
    if call.client is FormatId.RESPONSES is candidate.wire:
        _note_issuer(found, books, candidate.ref)
    if isinstance(found, Events):
        body, pinger = event_body(found, books)
        return _in_form(Response(found.status, fields, body, Heartbeat(SILENCE_S, pinger.beat)), call)
    return _in_form(await _whole(found, fields, books), call)


def _turn(call: Call, candidate: Candidate) -> Mapping[str, JSON] | None:
    """Returns what must be remembered of a request whose answer no provider keeps under the client's id."""
    body = call.payload.value
    if call.client is not FormatId.RESPONSES or candidate.wire is call.client or body.get("store") is False:
        return None
    return {"input": body.get("input")}


def _note_issuer(found: Whole | Events, books: Books, ref: str) -> None:
    if isinstance(found, Events):
        note_stream(books.deps, found.held, ref, books.call.owner)
    else:
        note_issuer(books.deps, (found.value or {}).get("id"), ref, books.call.owner)


async def _refused(result: Refused, books: Books) -> Response:
    call, verbatim = books.call, result.verbatim
    if verbatim is None:
        response = fault_response(result.fault, call.client, call.context())
        if result.headers is not None:
            add_told(response, told_by(result.headers, call.client, books.deps.clock.now()))
    else:
        fields = relayed_headers(verbatim.headers, stream=False)
        response = Response(verbatim.status, with_request_id(fields, call.id, call.client), verbatim.body)
    if books.exchange.debug:
        response.headers.extend(debug_headers(call, books.exchange, None))
    books.status = response.status
    await books.close(result.fault)
    return response


async def _whole(found: Whole, fields: RawHeaders, books: Books) -> Response:
    books.bytes_out = lambda: len(found.body)
    books.usage = lambda: _usage_of(found, books)
    if books.turn is not None and found.converted:
        books.keep_turn(found.body)
    if found.converted and _usage_of(found, books) is None:
        fields.append((b"x-llm-router-usage", b"estimated"))
    await books.close(None)
    return Response(found.status, fields, found.body)


def _usage_of(found: Whole, books: Books) -> Usage | None:
    assert books.committed is not None
    return usage_of_answer(books.committed.candidate.wire, found.value)


def _raw(found: Raw, books: Books) -> Response:
    body = RawBody(found, books.close)
    books.bytes_out = lambda: body.bytes_out
    fields = with_request_id(relayed_headers(found.headers, stream=False), books.call.id, books.call.client)
    return Response(found.status, fields, body)


def event_body(found: Events, books: Books) -> tuple[EventBody, Pinger]:
    """Returns the body that relays or translates a stream, and what keeps it alive in silence."""
    call, done = books.call, books.committed
    assert done is not None
    wire, watch = done.candidate.wire, found.watch
    context = call.context(started=True)
    words = FORMATS[call.client]
    stage = convert.answer_stage(call, done.candidate, done.sent)
    pinger = Pinger(call)

    def seen(said: bytes) -> None:
        pinger.saw(said)
        books.keep_turn(said)

    watched = stage is not None and (books.turn is not None or call.codex)
    clock = books.deps.clock
    body = EventBody(
        found,
        books.close,
        lambda fault: words.fault_event(fault, context),
        stage,
        seen if watched else None,
        clock,
        done.more,
    )
    books.bytes_out = lambda: body.bytes_out
    books.usage = lambda: stage.usage if stage is not None else usage_of_stream(wire, watch)
    if stage is None:
        pinger.saw(found.held)
    return body, pinger


class LateBody:
    """The body of a stream whose head had to go out before anybody answered."""

    __slots__ = ("_books", "_inner", "_over", "_pinged", "_task", "pinger")

    def __init__(self, task: "asyncio.Future[Committed | Refused]", books: Books) -> None:
        self._task = task
        self._books = books
        self._inner: EventBody | RawBody | None = None
        self._over = self._pinged = False
        self.pinger = Pinger(books.call)

    def __aiter__(self) -> "LateBody":
        return self

    async def __anext__(self) -> bytes:
        """Returns a ping at once, then the next bytes; what could not be answered ends in an error event."""
        if self._inner is not None:
            return await self._inner.__anext__()
        if self._over:
            raise StopAsyncIteration
        if not self._pinged:
            self._pinged = True
            return self.pinger.beat()
        await asyncio.wait((self._task,))
        return await self._begin(self._task.result())

    async def _begin(self, result: Committed | Refused) -> bytes:
        books = self._books
        call = books.call
        if isinstance(result, Committed):
            books.committed, found = result, result.answer
            books.first_token_at = books.deps.clock.now()
            books.turn = _turn(call, result.candidate)
            call.payload.release()
            result.sent.release()
            if isinstance(found, Events):
                self._inner, pinger = event_body(found, books)
                self.pinger.follow(pinger)
                return await self._inner.__anext__()
            if isinstance(found, Raw):
                self._inner = RawBody(found, books.close)
                return await self._inner.__anext__()
            self._over = True
            if books.turn is not None:
                books.keep_turn(found.body)
            books.usage = lambda: _usage_of(found, books)
            await books.close(None)
            return found.body
        fault = result.fault
        self._over = True
        await books.close(fault)
        return FORMATS[call.client].fault_event(fault, call.context(started=False))

    async def aclose(self) -> None:
        """Returns when the loop is stopped, the upstream closed and the books are."""
        if self._inner is not None:
            await self._inner.aclose()
            return
        if not self._over:
            self._over = True
            await _abandon(self._task, self._books)
            await self._books.close(None, cancelled=True)
