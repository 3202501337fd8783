"""A Gemini stream, read: server-sent events, the array form, or one whole answer.

Law: fragments of text and of thought are one part each until something else comes; calls go on whole, and one that a
limit cut short not at all; the answer is complete when a `finishReason` (or a blocked prompt) was seen.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import InvalidJSON, loads_answer
from llr.formats import reading
from llr.formats.errors import stream_fault, truncated
from llr.formats.gemini import grounding, parts_in, usage
from llr.formats.gemini.array import ObjectCutter
from llr.formats.gemini.partial import PartialCalls
from llr.formats.gemini.parts_in import OWN
from llr.formats.gemini.spelling import normal
from llr.ir.events import Event, Failed, Finish, PartDelta, PartEnd, PartStart, Start, Stop, UsageSeen
from llr.ir.parts import NO_EXTRAS, Extras, Part, Reasoning, Refusal, Seal, Text, ToolCall
from llr.wire.sse import BOM, SSEParser

STOPS: Mapping[str, Stop] = {
    "STOP": Stop.DONE,
    "MAX_TOKENS": Stop.LENGTH,
    "CONTINUATION": Stop.PAUSE,
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
            "ESCALATION",
        ),
        Stop.POLICY,
    ),
}
# The model's output was unusable: another try or another model may do better.
BROKEN = reading.words(
    "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE"
)
_CANDIDATE = reading.words("content finishReason index")
_PLAIN = reading.words("content index")


class StreamDecoder:
    """Bytes in, events out."""

    __slots__ = (
        "_array",
        "_calls",
        "_counted",
        "_done",
        "_ended",
        "_head",
        "_ident",
        "_index",
        "_open",
        "_out",
        "_partial",
        "_sse",
        "_started",
        "_text",
        "_told",
        "_used",
    )

    def __init__(self) -> None:
        self._sse: SSEParser | None = None
        self._array: ObjectCutter | None = None
        self._head = b""
        self._out: list[Event] = []
        self._index = -1
        self._open: Part | None = None
        self._text: list[str] = []
        self._calls = 0
        self._partial = PartialCalls()
        self._counted: Any = None
        self._ident = ""
        self._told: dict[str, Any] = {}
        self._done: Finish | None = None
        self._started = self._ended = self._used = False

    def feed(self, item: bytes, /) -> list[Event]:
        """Returns the events this chunk completes."""
        try:
            for data in self._cut(item):
                self._chunk(data)
        except GatewayError as exc:
            self._fail(exc.fault)
        return self._taken()

    def finish(self) -> list[Event]:
        """Returns the last events; a stream cut before its `finishReason` ends in a failure."""
        try:
            if self._sse is not None:
                for event in self._sse.finish():
                    self._chunk(event.data)
        except GatewayError as exc:
            self._fail(exc.fault)
        self._finish()
        self._fail(truncated("a finishReason"))
        return self._taken()

    def whole(self, body: Mapping[str, Any]) -> list[Event]:
        """Returns the events of a whole answer."""
        self._answer(normal(dict(body)))
        self._finish()
        self._fail(truncated("a finishReason"))
        return self._taken()

    def _taken(self) -> list[Event]:
        out = self._out.copy()
        self._out.clear()
        return out

    def _cut(self, item: bytes) -> list[bytes]:
        if self._sse is not None:
            return [event.data for event in self._sse.feed(item)]
        if self._array is not None:
            return self._array.feed(item)
        head = (self._head + item).removeprefix(BOM).lstrip()
        if not head or BOM.startswith(head):
            self._head = self._head + item
            return []
        self._head = b""
        if head[:1] in (b"[", b"{"):
            self._array = ObjectCutter()
        else:
            self._sse = SSEParser()
        return self._cut(head)

    def _chunk(self, data: bytes) -> None:
        if self._ended or not data or data == b"[DONE]":
            return
        try:
            body = loads_answer(data)
        except InvalidJSON:
            return
        if isinstance(body, list):
            body = body[0] if body else {}
        if isinstance(body, dict) and not self._plain(body):
            self._answer(normal(body))

    def _plain(self, body: dict[str, Any]) -> bool:
        """Takes a chunk that is one more fragment of text, as most are, at a third of the cost."""
        candidates = body.get("candidates")
        if not self._started or not isinstance(candidates, list) or len(candidates) != 1 or "error" in body:
            return False
        candidate = candidates[0]
        if not isinstance(candidate, dict) or not candidate.keys() <= _PLAIN or candidate.get("index"):
            return False
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        if not isinstance(parts, list) or len(parts) != 1 or not isinstance(parts[0], dict) or self._done is not None:
            return False
        part = parts[0]
        text = part.get("text")
        if not text or not isinstance(text, str) or not (len(part) == 1 or (len(part) == 2 and "thought" in part)):
            return False
        counted = body.get("usageMetadata")
        if counted is not None:
            self._counted = counted
        self._fragment(part, text, thought=part.get("thought") is True)
        return True

    def _answer(self, body: Mapping[str, Any]) -> None:
        if "response" in body and "candidates" not in body and isinstance(body["response"], dict):
            # Code Assist wraps each chunk once more.
            body = normal(body["response"])
        if body.get("error"):
            self._fail(stream_fault(body))
            return
        self._start(body)
        counted = body.get("usageMetadata")
        if counted:
            self._counted = counted
            if not self._used:
                # The first count tells the input; the last one, at the end, all of it.
                self._used = True
                self._count()
        for _, candidate in reading.tables(body.get("candidates")):
            if not candidate.get("index"):
                self._candidate(candidate)
                break
        else:
            self._blocked(reading.table(body.get("promptFeedback")))
        if self._done is not None and counted:
            self._finish()

    def _start(self, body: Mapping[str, Any]) -> None:
        if not self._started:
            self._started = True
            self._ident = reading.text(body.get("responseId"))
            self._out.append(Start(self._ident, reading.text(body.get("modelVersion"))))

    def _count(self) -> None:
        counted = usage.read(self._counted)
        self._counted = None
        if counted is not None:
            self._out.append(UsageSeen(counted))

    def _fail(self, fault: Fault) -> None:
        if not self._ended:
            self._start({})
            self._count()
            self._ended = True
            self._out.append(Failed(fault))

    def _finish(self) -> None:
        if self._done is not None and not self._ended:
            self._close()
            self._count()
            self._ended = True
            self._out.append(self._done)

    def _blocked(self, feedback: Mapping[str, Any]) -> None:
        reason = reading.text(feedback.get("blockReason"))
        if reason and self._done is None:
            said = reading.text(feedback.get("blockReasonMessage")) or f"The prompt was blocked: {reason}."
            self._whole(Refusal(said))
            self._done = Finish(Stop.POLICY, None, {OWN: {"~promptFeedback": dict(feedback)}})

    def _candidate(self, candidate: Mapping[str, Any]) -> None:
        parts = [part for _, part in reading.tables(reading.table(candidate.get("content")).get("parts"))]
        # A call behind the text ends it, and then it takes no more citations.
        cited = next((at for at in range(len(parts), 0, -1) if _is_text(parts[at - 1])), len(parts))
        for part in parts[:cited]:
            self._part(part)
        self._cite(candidate)
        for part in parts[cited:]:
            self._part(part)
        for key, value in candidate.items():
            if key not in _CANDIDATE and value is not None:
                self._told[key] = value
        reason = reading.text(candidate.get("finishReason"))
        if not reason or reason == "FINISH_REASON_UNSPECIFIED" or self._done is not None:
            return
        if reason in BROKEN:
            said = reading.text(candidate.get("finishMessage"))
            message = f"the model's output was unusable ({reason})" + (f": {said}" if said else "")
            self._fail(Fault(ErrorKind.UPSTREAM_INVALID, message, code=reason))
            return
        stop = STOPS.get(reason, Stop.DONE)
        if stop is Stop.DONE and self._partial.waiting:
            self._fail(Fault(ErrorKind.UPSTREAM_INVALID, "the model stopped in the middle of a call's arguments"))
            return
        if stop is Stop.DONE and self._calls:
            stop = Stop.TOOL
        self._done = Finish(stop, None, {OWN: {**self._told, "~reason": reason}})

    # Parts

    def _part(self, fields: Mapping[str, Any]) -> None:
        text = fields.get("text")
        if isinstance(text, str) and "functionCall" not in fields:
            self._fragment(fields, text, thought=fields.get("thought") is True)
        elif "functionCall" in fields:
            for whole in self._partial.take(fields):
                self._calls += 1
                self._whole(parts_in.call(whole, f"call_{self._ident}_{self._calls}" if self._ident else "", ""))
        else:
            self._whole(parts_in.part(fields, "", ""))

    def _fragment(self, fields: Mapping[str, Any], text: str, *, thought: bool) -> None:
        seal = parts_in.seal(fields)
        if not text and (not thought or seal is None):
            self._sign(seal)
            return
        kind: type[Part] = Reasoning if thought else Text
        if not isinstance(self._open, kind):
            self._close()
            self._index += 1
            self._open = Reasoning() if thought else Text("")
            self._out.append(PartStart(self._index, self._open))
        if text:
            self._text.append(text)
            self._out.append(PartDelta(self._index, text))
        if seal is not None and thought:
            self._close(seal)
        else:
            self._sign(seal)

    def _sign(self, seal: Seal | None) -> None:
        """Ends a text with the signature of the answer's last part: luggage, for no other format signs text."""
        if seal is not None and isinstance(self._open, Text):
            self._told_signature(seal)
        elif seal is not None and isinstance(self._open, Reasoning):
            self._close(seal)

    def _told_signature(self, seal: Seal) -> None:
        self._told["~signature"] = seal.data

    def _close(self, seal: Seal | None = None) -> None:
        if self._open is None:
            return
        extras: Extras = NO_EXTRAS
        signature = self._told.pop("~signature", None)
        if signature is not None and isinstance(self._open, Text):
            extras = {OWN: {"thoughtSignature": signature}}
        self._out.append(PartEnd(self._index, seal, extras))
        self._open = None
        self._text.clear()

    def _whole(self, part: Part) -> None:
        self._close()
        self._index += 1
        match part:
            case ToolCall():
                empty = ToolCall(part.id, part.name, "", part.kind, "", part.seal, part.extras)
                self._out += [PartStart(self._index, empty), PartDelta(self._index, part.arguments)]
            case Refusal():
                self._out += [PartStart(self._index, Refusal("")), PartDelta(self._index, part.text)]
            case _:
                self._out.append(PartStart(self._index, part))
        self._out.append(PartEnd(self._index))

    def _cite(self, candidate: Mapping[str, Any]) -> None:
        if isinstance(self._open, Text) and ("groundingMetadata" in candidate or "citationMetadata" in candidate):
            for citation in grounding.read(candidate, "".join(self._text)):
                self._out.append(PartDelta(self._index, "", citation=citation))


def _is_text(fields: Mapping[str, Any]) -> bool:
    return bool(fields.get("text")) and fields.get("thought") is not True and "functionCall" not in fields
