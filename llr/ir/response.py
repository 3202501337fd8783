"""A whole answer, and the way between a stream of events and a whole."""

from collections.abc import Iterable, Iterator

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.records import dataclass, field, replace
from llr.ir.events import (
    Event,
    Failed,
    Finish,
    PartDelta,
    PartEnd,
    PartStart,
    Start,
    Stop,
    Usage,
    UsageSeen,
    merge_usage,
)
from llr.ir.parts import NO_EXTRAS, Extras, Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """One answer, its parts in order; `created_at` is epoch seconds, 0 when unknown."""

    id: str
    model: str
    parts: tuple[Part, ...]
    stop: Stop
    created_at: float = 0.0
    stop_sequence: str | None = None
    usage: Usage | None = None
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)


def _extended(part: Part, delta: PartDelta) -> Part:
    match part:
        case Text():
            if delta.citation is not None:
                return replace(part, citations=(*part.citations, delta.citation))
            return replace(part, text=part.text + delta.text)
        case Refusal():
            return replace(part, text=part.text + delta.text)
        case ToolCall():
            return replace(part, arguments=part.arguments + delta.text)
        case Reasoning():
            if delta.summary is None:
                return replace(part, text=part.text + delta.text)
            # A number far beyond the last paragraph is a mistake: the next one is meant.
            place = min(delta.summary, len(part.summary))
            paragraphs = [*part.summary, ""]
            paragraphs[place] += delta.text
            return replace(part, summary=tuple(paragraphs if paragraphs[-1] else paragraphs[:-1]))
        case Opaque() | Media() | ToolResult():
            return part


def _said(part: Part, run: list[PartDelta]) -> Part:
    """Returns the part with a run of deltas of one kind, joined first: one by one would copy the text each time."""
    first = run[0]
    joined = first if len(run) == 1 else replace(first, text="".join(delta.text for delta in run))
    run.clear()
    return _extended(part, joined)


def _closed(part: Part, end: PartEnd) -> Part:
    if end.seal is not None and isinstance(part, Reasoning | ToolCall):
        part = replace(part, seal=end.seal)
    if end.extras and not isinstance(part, Opaque):
        part = replace(part, extras={**part.extras, **end.extras})
    return part


def collect(events: Iterable[Event]) -> ChatResponse:
    """Returns the whole answer of a complete stream. Raises the `GatewayError` of a `Failed` event."""
    start: Start | None = None
    done: Finish | None = None
    parts: list[Part] = []
    usage: Usage | None = None
    run: list[PartDelta] = []
    for event in events:
        if isinstance(event, PartDelta):
            if run and (event.citation is not None or event.summary != run[0].summary):
                parts[-1] = _said(parts[-1], run)
            run.append(event)
            if event.citation is not None:
                parts[-1] = _said(parts[-1], run)
            continue
        if run:
            parts[-1] = _said(parts[-1], run)
        match event:
            case Start():
                start = event
            case PartStart():
                parts.append(event.part)
            case PartEnd():
                parts[-1] = _closed(parts[-1], event)
            case UsageSeen():
                usage = merge_usage(usage, event.usage)
            case Finish():
                done = event
            case Failed():
                raise GatewayError(event.fault)
    if start is None or done is None:
        raise fail(ErrorKind.UPSTREAM_TRUNCATED, "the answer ended before it was complete")
    extras = {**start.extras, **done.extras}
    return ChatResponse(
        start.id, start.model, tuple(parts), done.stop, start.created_at, done.stop_sequence, usage, extras
    )


def _opened(part: Part) -> Part:
    match part:
        case Text():
            return replace(part, text="", citations=())
        case Refusal():
            return replace(part, text="")
        case ToolCall():
            return replace(part, arguments="")
        case Reasoning():
            return replace(part, text="", summary=(), seal=part.seal if part.redacted else None)
        case Opaque() | Media() | ToolResult():
            return part


def _deltas(index: int, part: Part) -> Iterator[PartDelta]:
    match part:
        case Text():
            if part.text:
                yield PartDelta(index, part.text)
            for citation in part.citations:
                yield PartDelta(index, "", citation=citation)
        case Refusal() if part.text:
            yield PartDelta(index, part.text)
        case ToolCall() if part.arguments:
            yield PartDelta(index, part.arguments)
        case Reasoning():
            if part.text:
                yield PartDelta(index, part.text)
            for number, paragraph in enumerate(part.summary):
                yield PartDelta(index, paragraph, summary=number)


def replay(response: ChatResponse) -> Iterator[Event]:
    """Yields the stream that `collect` would turn back into `response`."""
    yield Start(response.id, response.model, response.created_at, response.extras)
    for index, part in enumerate(response.parts):
        yield PartStart(index, _opened(part))
        yield from _deltas(index, part)
        seal = part.seal if isinstance(part, Reasoning) else None
        yield PartEnd(index, seal, part.extras if isinstance(part, Text) else NO_EXTRAS)
    if response.usage is not None:
        yield UsageSeen(response.usage)
    yield Finish(response.stop, response.stop_sequence)
