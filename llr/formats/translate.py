"""From any format to any other: requests there, answers and streams back.

Law: nothing is lost without a name; a stream's output is well-formed wherever its input breaks; one chunk in gives at
most one piece of bytes out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import JSON, InvalidJSON, loads_answer
from llr.base.names import FormatId
from llr.base.records import dataclass, field, replace
from llr.formats import carrier
from llr.formats.base import Encoded, Format, Meta, Target
from llr.formats.cache import CacheHints, apply_hints
from llr.formats.count import estimate_parts, estimate_request
from llr.formats.effort import header_effort
from llr.formats.fields import filtered, include_losses, named, refuse_choices, refuse_modalities
from llr.formats.ids import FreshIds
from llr.formats.openai_responses.native import refused
from llr.formats.pauses import PausingDecoder
from llr.formats.restore import Restore, needed, restored
from llr.formats.shape import malformed
from llr.formats.think_tags import ThinkTags, split_tags
from llr.ir.events import Event, Failed, Finish, PartDelta, PartStart, Start, Usage, UsageSeen, merge_usage
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Reasoning, Text, ToolCall
from llr.ir.request import ChatRequest
from llr.ir.response import ChatResponse, collect, replay
from llr.wire.http import Headers
from llr.wire.stage import Stage

# Characters per token of answers nobody counted.
_CHARS = 4.0


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client's headers say about a request beside its body."""

    effort: str = ""
    cache: CacheHints = field(default_factory=CacheHints)


NO_HINTS = Hints()


def read_hints(headers: Headers) -> Hints:
    """Returns the hints in a client's headers: effort, cache key and retention, session id."""
    session = headers.text(b"x-claude-code-session-id") or headers.text(b"session-id") or headers.text(b"session_id")
    key = headers.text(b"x-prompt-cache-key") or headers.text(b"prompt-cache-key")
    retention = headers.text(b"x-prompt-cache-retention") or headers.text(b"prompt-cache-retention")
    return Hints(header_effort(headers), CacheHints(key.strip(), retention, session))


def decode(body: Mapping[str, JSON], client: Format, *, keys: tuple[bytes, ...] = ()) -> ChatRequest:
    """Returns the request in a client's body, its carriers opened with `keys`.

    Raises `GatewayError(INVALID_REQUEST)` for a body this format cannot mean.
    """
    if (fault := malformed(body, client.id)) is not None:
        raise GatewayError(fault)
    return carrier.open_request(client.decode_request(body), keys)


def encode(
    request: ChatRequest, client: FormatId, upstream: Format, target: Target, *, hints: Hints = NO_HINTS
) -> Encoded:
    """Returns a decoded request for the target, fields filtered, losses under the client's own names.

    Raises `GatewayError(INVALID_REQUEST)` for what has no equivalent there.
    """
    if client is FormatId.RESPONSES and upstream.id is not client and (fault := refused(request)) is not None:
        raise GatewayError(fault)
    if upstream.id not in (FormatId.CHAT, FormatId.COMPLETIONS) and upstream.id is not client:
        refuse_choices(request)
    if upstream.id is not client:
        refuse_modalities(request)
    thinking = request.options.thinking
    if hints.effort and not thinking.effort:
        options = replace(request.options, thinking=replace(thinking, effort=hints.effort))
        request = replace(request, options=options)
    request = apply_hints(request, hints.cache, client, upstream.id)
    encoded = upstream.encode_request(request, target)
    losses = encoded.losses if upstream.id is client else (*encoded.losses, *include_losses(request.options))
    return replace(encoded, body=filtered(encoded.body, target), losses=named(losses, client))


def request(
    body: Mapping[str, JSON],
    client: Format,
    upstream: Format,
    target: Target,
    *,
    hints: Hints = NO_HINTS,
    keys: tuple[bytes, ...] = (),
) -> Encoded:
    """Returns a client's body as the target takes it: `decode`, then `encode`."""
    return encode(decode(body, client, keys=keys), client.id, upstream, target, hints=hints)


def strict_fault(losses: Iterable[Loss]) -> Fault | None:
    """Returns the 400 that strict mode gives for these losses, None when all of them are cosmetic."""
    serious = [loss for loss in losses if loss.level is not LossLevel.SILENT]
    if not serious:
        return None
    said = "; ".join(f"{loss.path}: {loss.why}" for loss in serious[:8])
    return Fault(ErrorKind.INVALID_REQUEST, f"strict mode refuses what would be lost: {said}", param=serious[0].path)


def response(body: Mapping[str, JSON], client: Format, upstream: Format, meta: Meta) -> dict[str, JSON]:
    """Returns an upstream's whole answer in the client's format.

    Raises `GatewayError` for an error object in the place of an answer.
    """
    return encode_whole(upstream.decode_response(body), client, meta)


def encode_whole(answer: ChatResponse, client: Format, meta: Meta) -> dict[str, JSON]:
    """Returns a decoded answer in the client's format; usage nobody counted is estimated and marked."""
    if answer.usage is None:
        usage = Usage(fresh=estimate_request(meta.request), output=estimate_parts(answer.parts), estimated=True)
        answer = replace(answer, usage=usage)
    fresh = FreshIds(meta, client.id)
    parts = tuple(fresh.of(part) if isinstance(part, ToolCall) else part for part in answer.parts)
    answer = replace(answer, parts=parts)
    return client.encode_response(restored(split_tags(answer) if meta.think_tags else answer, meta), meta)


def collect_stream(data: bytes, upstream: Format) -> ChatResponse:
    """Returns the answer a whole stream of the upstream's format amounts to.

    Raises `GatewayError` when the stream fails or ends early.
    """
    decoder = upstream.stream_decoder()
    return collect([*decoder.feed(data), *decoder.finish()])


def replay_body(body: Mapping[str, JSON], client: Format, upstream: Format, meta: Meta) -> bytes:
    """Returns a whole answer as the stream a client asked for; an error object becomes an in-band error."""
    try:
        events: Iterable[Event] = replay(upstream.decode_response(body))
    except GatewayError as exc:
        events = (Start("", ""), Failed(exc.fault))
    writer = _Writer(client, meta)
    return b"".join([*writer.write(events), *writer.end()])


class _Writer:
    """Events to the client's bytes: names restored, ids made new, missing usage estimated.

    Remembers how far the answer got.
    """

    __slots__ = ("_chars", "_encoder", "_fresh", "_meta", "_stages", "committed", "complete", "fault", "usage")

    def __init__(self, client: Format, meta: Meta) -> None:
        self._encoder = client.stream_encoder(meta)
        self._stages: list[Stage[Event, Event]] = [ThinkTags()] if meta.think_tags else []
        if needed(meta):
            self._stages.append(Restore(meta))
        self._meta = meta
        self._fresh = FreshIds(meta, client.id)
        self._chars = 0
        self.committed = False
        self.complete = False
        self.fault: Fault | None = None
        self.usage: Usage | None = None

    def write(self, events: Iterable[Event]) -> list[bytes]:
        """Returns the bytes of some events, in one piece or none."""
        out: list[bytes] = []
        for event in events:
            if isinstance(event, PartDelta):
                self._chars += len(event.text)
            else:
                event = self._noted(event, out)
            if not self._stages:
                out += self._encoder.feed(event)
                continue
            changed: list[Event] = [event]
            for stage in self._stages:
                changed = [each for one in changed for each in stage.feed(one)]
            for each in changed:
                out += self._encoder.feed(each)
        return out if len(out) < 2 else [b"".join(out)]

    def _noted(self, event: Event, out: list[bytes]) -> Event:
        if isinstance(event, PartStart):
            self.committed = True
            if isinstance(event.part, Text | Reasoning):
                self._chars += len(event.part.text)
            elif isinstance(event.part, ToolCall):
                return PartStart(event.index, self._fresh.of(event.part))
        elif isinstance(event, UsageSeen):
            self.usage = merge_usage(self.usage, event.usage)
        elif isinstance(event, Failed):
            self.committed, self.fault = True, event.fault
        elif isinstance(event, Finish):
            self.committed = self.complete = True
            if self.usage is None:
                fresh, output = estimate_request(self._meta.request), max(1, round(self._chars / _CHARS))
                self.usage = Usage(fresh=fresh, output=output, estimated=True)
                out += self._encoder.feed(UsageSeen(self.usage))
        return event

    def end(self) -> list[bytes]:
        """Returns what the encoder still held."""
        return list(self._encoder.finish())


class StreamTranslator:
    """Bytes of the upstream's stream in, bytes of the client's out; a stage.

    `committed` is True from the first part, finish or failure on; `complete` after the format's completion mark;
    `fault` is what broke the answer off; `usage` what was counted. A JSON body in place of a stream is understood too.
    """

    __slots__ = ("_body", "_decoder", "_ended", "_first", "_pausing", "_upstream", "_writer")

    def __init__(self, client: Format, upstream: Format, meta: Meta, *, pausing: bool = False) -> None:
        self._upstream = upstream
        self._pausing = PausingDecoder(upstream.stream_decoder) if pausing else None
        self._decoder: Stage[bytes, Event] = self._pausing or upstream.stream_decoder()
        self._writer = _Writer(client, meta)
        self._body: list[bytes] | None = None
        self._first = True
        self._ended = False

    @property
    def committed(self) -> bool:
        """Returns whether something meaningful has come: from here on no other candidate may take over."""
        return self._writer.committed

    @property
    def complete(self) -> bool:
        """Returns whether the answer is whole."""
        return self._writer.complete

    @property
    def fault(self) -> Fault | None:
        """Returns what broke the answer off, None when nothing did."""
        return self._writer.fault

    @property
    def usage(self) -> Usage | None:
        """Returns what the answer cost so far, None when unknown."""
        return self._writer.usage

    @property
    def pause(self) -> Sequence[Event] | None:
        """Returns what was said before the upstream paused its turn, None while it did not (or pauses do not count)."""
        return self._pausing.said if self._pausing is not None and self._pausing.paused else None

    def resume(self) -> None:
        """Makes the next bytes those of the stream that goes on with the paused turn."""
        if self._pausing is not None:
            self._pausing.resume()

    def feed(self, item: bytes, /) -> Iterable[bytes]:
        """Returns the client's bytes for this chunk, in one piece or none."""
        if self._first:
            head = item.lstrip()
            if not head:
                return ()
            self._first = False
            if head[:1] == b"{":
                self._body = []
        if self._body is not None:
            self._body.append(item)
            return ()
        try:
            return self._writer.write(self._decoder.feed(item))
        except GatewayError as exc:
            return self._break(exc.fault)

    def finish(self) -> Iterable[bytes]:
        """Returns the end of the client's stream: after a cut, its format's error."""
        if self._ended:
            return ()
        body = self._body
        events = self._decoder.finish() if body is None else self._whole(b"".join(body))
        try:
            out = [*self._writer.write(events), *self._writer.end()]
        except GatewayError as exc:
            out = list(self._break(exc.fault))
        self._ended = True
        return [b"".join(out)] if out else ()

    def fail(self, fault: Fault) -> Iterable[bytes]:
        """Returns the end of the client's stream for a failure the stream itself does not tell; then it is over."""
        if self._ended or self.complete or self.fault is not None:
            return ()
        return self._break(fault)

    def _break(self, fault: Fault) -> Iterable[bytes]:
        self._ended = True
        return self._writer.write([Failed(fault)])

    def _whole(self, data: bytes) -> Iterable[Event]:
        try:
            body: Any = loads_answer(data)
            if not isinstance(body, dict):
                raise InvalidJSON("not an object")
            return replay(self._upstream.decode_response(body))
        except GatewayError as exc:
            return (Start("", ""), Failed(exc.fault))
        except InvalidJSON as exc:
            said = f"the upstream's answer is cut off or no JSON: {exc}"
            return (Start("", ""), Failed(Fault(ErrorKind.UPSTREAM_INVALID, said)))


def stream(client: Format, upstream: Format, meta: Meta, *, pausing: bool = False) -> StreamTranslator:
    """Returns the stage from the upstream's stream to the client's; `pausing` holds back a paused turn's end."""
    return StreamTranslator(client, upstream, meta, pausing=pausing)
