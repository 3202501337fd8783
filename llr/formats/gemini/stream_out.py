"""Events of an answer written as a Gemini stream: chunks of one candidate, as events or as one array.

Law: every chunk has a part, the last one a `finishReason` and the usage; calls come whole, so that one whose arguments
are no JSON ends the stream in an error; thoughts are shown only to a client that asked for them.
"""

from collections.abc import Iterable
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, dumps, quote
from llr.formats import reading
from llr.formats.base import FaultContext, Meta
from llr.formats.carrier import with_thoughts
from llr.formats.foreign import opaque_text
from llr.formats.gemini import parts_out, usage
from llr.formats.gemini.faults import fault_event
from llr.formats.gemini.grounding import Grounding
from llr.formats.gemini.parts_in import OWN
from llr.formats.gemini.signatures import signature
from llr.formats.tool_names import split
from llr.formats.toolforms import arguments_object, wrapped
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
from llr.ir.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall

REASONS = {
    Stop.LENGTH: "MAX_TOKENS",
    Stop.CONTEXT_FULL: "MAX_TOKENS",
    Stop.POLICY: "SAFETY",
    Stop.CANCELLED: "OTHER",
}


def unreadable(name: str) -> Fault:
    """Returns the fault of a call whose arguments are no JSON: this format cannot say it any other way."""
    return Fault(ErrorKind.UPSTREAM_INVALID, f"the model called {name} with arguments that are no JSON")


class Answer:
    """What a whole answer and a stream share: ids, citations, the parts that come in one piece."""

    __slots__ = (
        "_citations",
        "_names",
        "_texts",
        "_told",
        "grounding",
        "hidden",
        "ident",
        "meta",
        "shows_thoughts",
        "text",
    )

    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self.ident = ""
        self.grounding = Grounding()
        self.shows_thoughts = meta.request.options.thinking.visible is True
        self.hidden: list[tuple[Reasoning, bool]] = []
        self.text: list[str] = []
        self._told = False
        self._citations: list[JSON] = []
        self._texts = 0

    def begin(self, start: Start) -> None:
        """Takes the answer's id."""
        self.ident = start.id or self.meta.ids.new("")

    def cite(self, citation: JSON) -> None:
        """Adds a citation of the open text."""
        self._citations.append(citation)

    def hide(self, part: Reasoning) -> None:
        """Keeps a thought that is not shown, for the call it may lead to: some vendors want it back with that call."""
        if self.meta.upstream is not OWN:
            self.hidden.append((part, not self._told))

    def close_text(self) -> None:
        """Books the citations of a text that ends."""
        self._told = True
        if self._citations:
            self.grounding.add(self._citations, "".join(self.text), self._texts)
            self._citations = []
        self._texts += 1
        self.text = []

    def call(self, part: ToolCall, arguments: str) -> JSON:
        """Returns a call's part, None when its arguments are no JSON."""
        args, legal = arguments_object(wrapped(arguments, part.kind))
        if not legal and not args:
            return None
        meta = self.meta
        name = split(meta.tool_names.get(part.name, part.name))[1]
        seal = with_thoughts(part, self.hidden, OWN, meta) if self.hidden else part.seal
        self.hidden, self._told = [], False
        return parts_out.call(name, args, part.id, signature(seal, meta) if seal is not None else "")

    def piece(self, part: Part) -> JSON:
        """Returns a part that comes in one piece, None when this format has no form of it."""
        if isinstance(part, Opaque):
            if part.format is OWN:
                return part.raw
            words = opaque_text(part)
            return {"text": words} if words else None
        return parts_out.media(part, [], own=True) if isinstance(part, Media) else None

    def last(self, done: Finish, used: Usage | None) -> dict[str, JSON]:
        """Returns the candidate fields and the usage that end an answer."""
        own = reading.bag(done.extras, OWN)
        candidate: dict[str, JSON] = {"finishReason": own.get("~reason") or REASONS.get(done.stop, "STOP"), "index": 0}
        found = self.grounding.metadata()
        if found is not None:
            candidate["groundingMetadata"] = found
        for key, value in own.items():
            if key[:1] != reading.NOTE:
                candidate[key] = value
        return {"candidate": candidate, "usageMetadata": usage.write(used)}


class StreamEncoder:
    """Events in, bytes out."""

    __slots__ = (
        "_answer",
        "_array",
        "_ended",
        "_first",
        "_foot",
        "_paragraph",
        "_part",
        "_pieces",
        "_text_head",
        "_usage",
    )

    def __init__(self, meta: Meta) -> None:
        self._answer = Answer(meta)
        self._array = bool(reading.bag(meta.request.extras, OWN).get("~array"))
        self._first = True
        self._ended = False
        self._part: Part | None = None
        self._pieces: list[str] = []
        self._paragraph: int | None = None
        self._usage: Usage | None = None
        self._foot = b""
        self._text_head = b""

    def feed(self, item: Event, /) -> Iterable[bytes]:
        """Returns the bytes this event becomes, in one piece."""
        if self._ended:
            return ()
        if isinstance(item, PartDelta):
            chunk = self._delta(item)
        elif isinstance(item, PartStart):
            chunk = self._open(item.part)
        elif isinstance(item, PartEnd):
            chunk = self._close(item)
        elif isinstance(item, Start):
            self._start(item)
            chunk = b""
        elif isinstance(item, UsageSeen):
            self._usage = merge_usage(self._usage, item.usage)
            chunk = b""
        else:
            chunk = self._end(item)
        return (chunk,) if chunk else ()

    def finish(self) -> Iterable[bytes]:
        """Returns nothing: a decoder always ends its events."""
        return ()

    def _start(self, start: Start) -> None:
        self._answer.begin(start)
        ids: dict[str, JSON] = {"modelVersion": self._answer.meta.model, "responseId": self._answer.ident}
        self._foot = b'],"role":"model"},"index":0}],' + dumps(ids)[1:]
        self._text_head = b'{"candidates":[{"content":{"parts":['

    def _framed(self, body: bytes) -> bytes:
        first, self._first = self._first, False
        if self._array:
            return (b"[" if first else b",\n") + body
        return b"data: " + body + b"\n\n"

    def _chunk(self, part: bytes) -> bytes:
        return self._framed(self._text_head + part + self._foot)

    def _open(self, part: Part) -> bytes:
        self._part = part
        self._pieces = []
        self._paragraph = None
        if isinstance(part, Opaque | Media):
            piece = self._answer.piece(part)
            return self._chunk(dumps(piece)) if piece is not None else b""
        return b""

    def _delta(self, item: PartDelta) -> bytes:
        part = self._part
        if isinstance(part, Text | Refusal):
            if item.citation is not None:
                self._answer.cite(item.citation)
            if not item.text:
                return b""
            self._answer.text.append(item.text)
            return self._chunk(b'{"text":' + quote(item.text) + b"}")
        text = item.text
        if isinstance(part, Reasoning):
            if item.summary is not None and self._paragraph not in (None, item.summary):
                text = "\n\n" + text
            self._paragraph = item.summary
            self._pieces.append(text)
            if not text or not self._answer.shows_thoughts:
                return b""
            return self._chunk(b'{"text":' + quote(text) + b',"thought":true}')
        self._pieces.append(text)
        return b""

    def _close(self, item: PartEnd) -> bytes:
        part, self._part = self._part, None
        match part:
            case Text() | Refusal():
                self._answer.close_text()
                signed = reading.bag(item.extras, OWN).get("thoughtSignature")
                return self._chunk(dumps({"text": "", "thoughtSignature": signed})) if signed else b""
            case Reasoning():
                if not self._answer.shows_thoughts:
                    self._answer.hide(Reasoning("".join(self._pieces), (), item.seal or part.seal))
                    return b""
                signed = signature(item.seal or part.seal, self._answer.meta, "".join(self._pieces))
                out: dict[str, JSON] = {"text": "", "thought": True, "thoughtSignature": signed}
                return self._chunk(dumps(out)) if signed else b""
            case ToolCall():
                if item.seal is not None:
                    part = _sealed(part, item)
                called = self._answer.call(part, "".join(self._pieces))
                if called is None:
                    return self._fail(unreadable(part.name))
                return self._chunk(dumps(called))
            case _:
                return b""

    def _fail(self, fault: Fault) -> bytes:
        self._ended = True
        return fault_event(fault, FaultContext(streaming=True, started=not self._first, array=self._array))

    def _end(self, item: Finish | Failed) -> bytes:
        if isinstance(item, Failed):
            return self._fail(item.fault)
        last = self._answer.last(item, self._usage)
        candidate: Any = last["candidate"]
        body: dict[str, JSON] = {
            "candidates": [{"content": {"parts": [{"text": ""}], "role": "model"}, **candidate}],
        }
        if last["usageMetadata"]:
            body["usageMetadata"] = last["usageMetadata"]
        body["modelVersion"] = self._answer.meta.model
        body["responseId"] = self._answer.ident
        self._ended = True
        return self._framed(dumps(body)) + (b"]" if self._array else b"")


def _sealed(part: ToolCall, item: PartEnd) -> ToolCall:
    return ToolCall(part.id, part.name, part.arguments, part.kind, part.namespace, item.seal, part.extras)
