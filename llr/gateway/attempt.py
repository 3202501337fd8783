"""One attempt: one candidate asked once, up to the point where its answer is good enough to show.

Law: whatever goes wrong comes back as a `Failure` or is the caller's own cancellation; an answer that is not returned
is closed.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from llr.base.clock import Clock
from llr.base.errors import ErrorKind, Fault, GatewayError, fail
from llr.base.jsonio import JSON, InvalidJSON, loads_answer
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.base.redact import Secret
from llr.formats.errors import plain_text, read_error, read_fault, stream_fault
from llr.gateway.said import is_empty
from llr.gateway.upstream import CONVERTED_BYTES, ERROR_BYTES, WHOLE_BYTES, Shape, Source, check_redirect, shape_of
from llr.gateway.usage import usage_of_stream
from llr.gateway.watch import StreamWatch
from llr.routing.outcome import Outcome, Phase
from llr.routing.route import Candidate
from llr.wire.http import Headers, InboundResponse, OutboundRequest, Timeouts, Transport
from llr.wire.sse import EventCutter

# What a stream may hold back before its first meaningful event.
_HELD_BYTES = 1024 * 1024
# A stream is read this far for a client that asked for a plain answer.
_COLLECTED_BYTES = 64 * 1024 * 1024
# How long an answer that is complete is waited for: for what it used, or just for its end.
LATE_S = 2.0
# Larger answers are judged by their first and last byte: parsing them would cost more than it finds.
_PARSED_BYTES = 1024 * 1024
_EXCERPT_CHARS = 4096
# In-stream errors stand for a status; these kinds hide theirs behind another one for clients.
_STATUS_BEHIND = {ErrorKind.UPSTREAM_AUTH: 401, ErrorKind.UPSTREAM_REJECTED: 500}
_OUR_KINDS = frozenset(
    (
        ErrorKind.UPSTREAM_UNREACHABLE,
        ErrorKind.UPSTREAM_TIMEOUT,
        ErrorKind.UPSTREAM_TRUNCATED,
        ErrorKind.UPSTREAM_INVALID,
        ErrorKind.CONFIGURATION,
        ErrorKind.NOT_SUPPORTED,
        ErrorKind.INVALID_REQUEST,
    )
)


@dataclass(slots=True)
class Whole:
    """An answer read to its end. `value` is the upstream's JSON object where it was parsed.

    `converted` tells that `body` is no longer what the upstream sent, `empty` that it says nothing at all.
    """

    status: int
    headers: Headers
    body: bytes
    shape: Shape
    value: Mapping[str, JSON] | None = None
    converted: bool = False
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """A stream that goes on: what was held back of it, what is known of it, and the source of the rest."""

    status: int
    headers: Headers
    source: Source
    held: bytes
    cutter: EventCutter
    watch: StreamWatch


@dataclass(frozen=True, slots=True)
class Raw:
    """A body that goes on and is handed through without being understood."""

    status: int
    headers: Headers
    source: Source
    held: bytes


Answer: TypeAlias = Whole | Events | Raw


@dataclass(frozen=True, slots=True)
class Verbatim:
    """An upstream's own error answer, fit to be relayed to a client of the same format."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt came to nothing: in our words, and the upstream's own answer if it may be shown.

    `answered` tells that the upstream sent an HTTP response, so that the call counts. `answer` is what it said where
    that is an answer after all, to be shown when nobody says more.
    """

    fault: Fault
    phase: Phase
    status: int | None = None
    kind: ErrorKind | None = None
    excerpt: str = ""
    answered: bool = False
    headers: Headers | None = None
    verbatim: Verbatim | None = None
    answer: Whole | None = None

    def outcome(self, candidate: Candidate, number: int, started_at: float, retry_after_s: float | None) -> Outcome:
        """Returns what routing may know of it."""
        return Outcome(
            candidate.ref,
            number,
            self.phase,
            status=self.status,
            kind=self.kind,
            excerpt=self.excerpt[:_EXCERPT_CHARS],
            retry_after_s=retry_after_s,
            started_at=started_at,
        )


@dataclass(slots=True)
class Question:
    """What an attempt asks: the request, and how its answer must be read.

    `wire` is the format on the line; `stream` whether the client waits for events; `strict` whether a 2xx body has to
    be an answer of that format (else anything is handed through), `converts` whether a body is not yet what the client
    wants. `key` is what no refusal may repeat. `expired` is asked while a body is read.
    """

    request: OutboundRequest
    wire: FormatId
    stream: bool
    strict: bool
    choices: int
    timeouts: Timeouts
    provider: str
    clock: Clock
    pace: "Pace | None" = None
    key: Secret | None = None
    converts: bool = False
    expired: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a stream must begin to be shown: judged once, `window_s` after its first meaningful event."""

    chars_per_s: float
    window_s: float


async def attempt(question: Question, transport: Transport) -> Answer | Failure:
    """Returns the answer once it is good enough to show, or why there is none."""
    try:
        inbound = await transport.send(question.request, timeouts=question.timeouts)
    except GatewayError as exc:
        return broken(exc.fault, Phase.CONNECT)
    keep, source = False, None
    try:
        source = Source(inbound)
        answer = await _judge(question, source)
        keep = isinstance(answer, Events | Raw)
        return answer
    except GatewayError as exc:
        failure = broken(exc.fault, Phase.BODY)
        return Failure(
            failure.fault, failure.phase, failure.status, failure.kind, failure.excerpt, True, inbound.headers
        )
    finally:
        if not keep:
            await (source or inbound).aclose()


def broken(fault: Fault, phase: Phase) -> Failure:
    """Returns the failure of an attempt that brought no usable answer."""
    kind = fault.kind if fault.kind in _OUR_KINDS else None
    status = None if kind else _STATUS_BEHIND.get(fault.kind, fault.http_status)
    return Failure(fault, phase, status, kind, fault.message)


async def _judge(question: Question, source: Source) -> Answer | Failure:
    inbound = source.inbound
    status, headers = inbound.status, inbound.headers
    check_redirect(status, headers.text(b"location"))
    if status >= 400:
        return _refused(question, status, headers, await source.read(ERROR_BYTES))
    if not 200 <= status < 300:
        return broken(Fault(ErrorKind.UPSTREAM_INVALID, f"the provider answered with status {status}"), Phase.HEADERS)
    start = await source.next()
    if start is None:
        return _empty(question, inbound)
    shape = shape_of(headers.text(b"content-type"), start)
    if shape is Shape.EVENTS and question.strict:
        return await _events(question, source, start)
    if not question.strict and shape is not Shape.JSON:
        return Raw(status, headers, source, start)
    most = CONVERTED_BYTES if question.converts else WHOLE_BYTES
    rest, whole = await source.read(most, question.expired)
    body = start + rest if rest else start
    if not whole and question.converts:
        fault = Fault(ErrorKind.UPSTREAM_INVALID, f"the provider's answer is larger than {most} bytes")
        return Failure(fault, Phase.BODY, kind=fault.kind, answered=True, headers=headers)
    if not whole:
        return Raw(status, headers, source, body)
    return _whole(question, inbound, body, shape)


def _empty(question: Question, inbound: InboundResponse) -> Whole | Failure:
    if question.strict:
        fault = Fault(ErrorKind.UPSTREAM_INVALID, "the provider answered with an empty body")
        return Failure(fault, Phase.BODY, kind=fault.kind, answered=True, headers=inbound.headers)
    return Whole(inbound.status, inbound.headers, b"", Shape.OTHER)


def _whole(question: Question, inbound: InboundResponse, body: bytes, shape: Shape) -> Whole | Failure:
    """Judges a body read to its end: JSON of a success, an error that came as 200, or something else altogether."""
    value: JSON = None
    if shape is Shape.JSON and len(body) <= _PARSED_BYTES:
        try:
            value = loads_answer(body)
        except InvalidJSON:
            shape = Shape.OTHER
    if shape is not Shape.JSON or (value is None and body.rstrip()[-1:] not in (b"}", b"]")):
        seen = plain_text(body)[:120]
        text = f"the provider answered with something that is not JSON: {seen}" if seen else "no JSON in the answer"
        fault = Fault(ErrorKind.UPSTREAM_INVALID, text)
        return Failure(fault, Phase.BODY, kind=fault.kind, excerpt=text, answered=True, headers=inbound.headers)
    found = error_inside(value)
    if found is not None:
        return in_stream(found, inbound.headers, body)
    answer = Whole(inbound.status, inbound.headers, body, shape, value if isinstance(value, dict) else None)
    answer.empty = question.strict and answer.value is not None and is_empty(question.wire, answer.value)
    return answer


def error_inside(value: JSON) -> Fault | None:
    """Returns the fault of an error object that came with status 200, None for an answer.

    An answer may have `"error": null` (Responses) or an `error` beside its content; only a bare error is one.
    """
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict) or not value.get("error"):
        return None
    if value.get("object") == "response" and value.get("status") != "failed":
        return None
    if any(value.get(key) for key in ("choices", "content", "candidates", "data", "output")):
        return None
    return stream_fault(value) if read_error(value) is not None else None


def in_stream(fault: Fault, headers: Headers, raw: bytes, phase: Phase = Phase.BODY) -> Failure:
    """Returns the failure of an error that came inside a 200: it counts as the status it stands for."""
    status = _STATUS_BEHIND.get(fault.kind, fault.http_status)
    excerpt = raw[: _EXCERPT_CHARS * 4].decode("utf-8", "replace")
    return Failure(fault, phase, status=status, excerpt=excerpt, answered=True, headers=headers)


def _refused(question: Question, status: int, headers: Headers, read: tuple[bytes, bool]) -> Failure:
    """Returns the failure of an HTTP error; a JSON body may be shown to clients of the same format."""
    body, whole = read
    fault = read_fault(status, headers, body)
    excerpt = body[: _EXCERPT_CHARS * 4].decode("utf-8", "replace")
    if not whole or not _is_json(body):
        if body.lstrip()[:1] == b"<" and status != 429:
            text = f"the provider answered {status} with a web page: {fault.message}"
            fault = Fault(ErrorKind.UPSTREAM_INVALID, text, retry_after_s=fault.retry_after_s)
        return Failure(fault, Phase.HEADERS, status, None, excerpt, True, headers)
    if status in (401, 403) or fault.kind is ErrorKind.UPSTREAM_AUTH:
        # Said again in our words by whoever shows it: whose key it was is not the client's business (Gemini: 400).
        return Failure(fault, Phase.HEADERS, status, None, excerpt, True, headers)
    return Failure(fault, Phase.HEADERS, status, None, excerpt, True, headers, Verbatim(status, headers, body))


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(loads_answer(body), dict | list)
    except InvalidJSON:
        return False


async def _events(question: Question, source: Source, start: bytes) -> Events | Whole | Failure:
    """Reads a stream up to its first meaningful event, or to its end for a client that wants no stream."""
    inbound = source.inbound
    pace = question.pace
    cutter, watch = EventCutter(), StreamWatch(question.wire, question.choices, measured=pace is not None)
    until_at = 0.0
    held: list[bytes] = []
    size = 0
    chunk: bytes | None = start
    while chunk is not None:
        block = cutter.feed(chunk)
        if block:
            relayed = watch.read(block)
            held.append(relayed)
            size += len(relayed)
            if watch.fault is not None:
                return in_stream(watch.fault, inbound.headers, block, Phase.STREAM)
            if len(relayed) < len(block):
                return _ended_early(inbound)
            if pace is not None and watch.content and not watch.complete:
                until_at = until_at or question.clock.monotonic() + pace.window_s
            elif question.stream and (watch.content or size > _HELD_BYTES):
                return Events(inbound.status, inbound.headers, source, b"".join(held), cutter, watch)
            elif watch.complete and not watch.content:
                # An end without a word. What it counted, and the closing event, may still follow.
                if watch.closed:
                    break
                until_at = until_at or question.clock.monotonic() + LATE_S
            if question.expired is not None and question.expired():
                raise fail(ErrorKind.UPSTREAM_TIMEOUT, "the answer was not complete within the request's deadline")
            if size > _COLLECTED_BYTES:
                fault = Fault(ErrorKind.UPSTREAM_INVALID, f"the provider's stream is larger than {size} bytes")
                return Failure(fault, Phase.STREAM, kind=fault.kind, answered=True, headers=inbound.headers)
        if not until_at:
            chunk = await source.next()
            continue
        try:
            left_s = until_at - question.clock.monotonic()
            chunk = await source.next_within(max(0.0, left_s), question.clock)
        except TimeoutError:
            if pace is None or watch.complete:
                break
            if watch.chars < pace.chars_per_s * pace.window_s:
                return _too_slow(inbound, watch.chars, pace)
            return Events(inbound.status, inbound.headers, source, b"".join(held), cutter, watch)
    tail = cutter.finish()
    if tail:
        # Nothing else comes: a last event without its blank line counts, and gets the blank line.
        held.append(watch.read(tail) + (b"\n" if tail.endswith(b"\n") else b"\n\n"))
        if watch.fault is not None:
            return in_stream(watch.fault, inbound.headers, tail, Phase.STREAM)
    return _at_end(question, source, b"".join(held), cutter, watch)


def _at_end(
    question: Question, source: Source, held: bytes, cutter: EventCutter, watch: StreamWatch
) -> Events | Whole | Failure:
    """Judges a stream that was read as far as it goes."""
    inbound = source.inbound
    if watch.complete and not watch.content:
        usage = usage_of_stream(question.wire, watch)
        empty = usage is None or not usage.output
        return Whole(inbound.status, inbound.headers, held + watch.closing, Shape.EVENTS, empty=empty)
    if not question.stream and watch.complete:
        return Whole(inbound.status, inbound.headers, held, Shape.EVENTS)
    if question.stream and watch.content:
        return Events(inbound.status, inbound.headers, source, held, cutter, watch)
    return _ended_early(inbound)


def _too_slow(inbound: InboundResponse, chars: int, pace: Pace) -> Failure:
    text = f"the stream is too slow: {chars} characters in {pace.window_s:g} s"
    fault = Fault(ErrorKind.UPSTREAM_TIMEOUT, text)
    return Failure(fault, Phase.STREAM, kind=fault.kind, excerpt=text, answered=True, headers=inbound.headers)


def _ended_early(inbound: InboundResponse) -> Failure:
    fault = Fault(ErrorKind.UPSTREAM_TRUNCATED, "the provider's stream ended before it was an answer")
    return Failure(fault, Phase.STREAM, kind=fault.kind, answered=True, headers=inbound.headers)
