"""Events to streams of the Messages format.

Law: `message_start` and one ping; blocks one after the other, indexes without gaps, none empty; `message_delta` and
`message_stop` after `Finish`, an `error` event and nothing more after `Failed`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llr.base.jsonio import dumps, quote
from llr.formats import carrier, count
from llr.formats.anthropic_messages.blocks import MESSAGES
from llr.formats.anthropic_messages.errors import PING, fault_event
from llr.formats.anthropic_messages.response import REASONS, call_seal_block, message_id
from llr.formats.anthropic_messages.usage import encode_usage
from llr.formats.base import FaultContext, Meta
from llr.formats.foreign import media_words, opaque_text
from llr.formats.ids import RULES, legal_id
from llr.formats.reading import unload
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
from llr.ir.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolKind, ToolResult

_THINKING = {"type": "thinking", "thinking": "", "signature": ""}
_CONTEXT = FaultContext(streaming=True, started=True)


def _event(kind: str, body: dict[str, Any]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **body}) + b"\n\n"


class StreamEncoder:
    """Events in, bytes of a Messages stream out."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._start: Start | None = None
        self._usage: Usage | None = None
        self._index = -1
        self._part: Part | None = None
        self._open = False
        # Bytes before and after a delta's text, ready for the open block.
        self._head = b""
        self._said: list[str] = []
        self._paragraph: int | None = None
        self._called = False
        self._refused = False
        self._call_id = ""
        # The open call takes free text, which travels inside a JSON string here.
        self._quoting = False

    def feed(self, item: Event, /) -> Iterable[bytes]:
        """Returns the bytes this event makes."""
        return _HANDLERS[type(item)](self, item)

    def finish(self) -> Iterable[bytes]:
        """Returns nothing: a stream ends with `Finish` or `Failed`."""
        return ()

    def _on_start(self, start: Start) -> list[bytes]:
        self._start = start
        return []

    def _on_usage(self, seen: UsageSeen) -> list[bytes]:
        self._usage = merge_usage(self._usage, seen.usage)
        return []

    def _begun(self) -> list[bytes]:
        """`message_start`, held until something follows it, so that usage sent with it is in it."""
        start, self._start = self._start, None
        if start is None:
            return []
        usage = self._usage or Usage(fresh=count.estimate_request(self._meta.request), output=1)
        message: dict[str, Any] = {
            "id": message_id(start.id, self._meta),
            "type": "message",
            "role": "assistant",
            "model": self._meta.model or start.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": encode_usage(usage),
        }
        unload(start.extras, MESSAGES, message)
        return [_event("message_start", {"message": message}), PING]

    def _on_part(self, event: PartStart) -> list[bytes]:
        out = self._begun()
        part = self._part = event.part
        self._said.clear()
        self._paragraph = None
        match part:
            case ToolCall():
                self._called = True
                self._call_id = legal_id(part.id, RULES[MESSAGES])
                if part.seal is not None:
                    out += self._whole(call_seal_block(self._call_id, part.seal, self._meta))
                name = part.name or "tool"
                call: dict[str, Any] = {"type": "tool_use", "id": self._call_id, "name": name, "input": {}}
                unload(part.extras, MESSAGES, call)
                out.append(self._begin_block(call, "input_json_delta", "partial_json"))
                self._quoting = part.kind is ToolKind.CUSTOM
                if self._quoting:
                    out.append(self._delta('{"input":"'))
            case Refusal():
                self._refused = True
            case Opaque():
                if part.format is MESSAGES and isinstance(part.raw, dict) and "type" in part.raw:
                    out += self._server_block(part.raw)
                elif words := opaque_text(part):
                    out += self._whole_text(words)
            case Media():
                out += self._whole_text(media_words(part))
            case Text() | Reasoning() | ToolResult():
                pass
        return out

    def _begin_block(self, block: dict[str, Any], delta: str, field: str) -> bytes:
        self._index += 1
        self._open = True
        self._head = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":'
            % (self._index, delta.encode(), field.encode())
        )
        return _event("content_block_start", {"index": self._index, "content_block": block})

    def _end_block(self) -> bytes:
        self._open = False
        return _event("content_block_stop", {"index": self._index})

    def _delta(self, text: str) -> bytes:
        return self._head + quote(text) + b"}}\n\n"

    def _whole(self, block: dict[str, Any] | None) -> list[bytes]:
        return [] if block is None else [self._begin_block(block, "text_delta", "text"), self._end_block()]

    def _whole_text(self, words: str) -> list[bytes]:
        opened = self._begin_block({"type": "text", "text": ""}, "text_delta", "text")
        return [opened, self._delta(words), self._end_block()]

    def _server_block(self, raw: dict[str, Any]) -> list[bytes]:
        """A server tool's call streams its input; its result comes whole."""
        given = raw.get("input")
        if raw.get("type") not in ("server_tool_use", "mcp_tool_use") or not isinstance(given, dict):
            return self._whole(raw)
        opened = self._begin_block({**raw, "input": {}}, "input_json_delta", "partial_json")
        return [opened, self._delta(dumps(given).decode()), self._end_block()]

    def _on_delta(self, event: PartDelta) -> list[bytes]:
        if self._open and event.citation is None and event.summary is None and not isinstance(self._part, Reasoning):
            if self._quoting:
                return [self._delta(quote(event.text)[1:-1].decode())]
            return [self._head + quote(event.text) + b"}}\n\n"]
        return self._slow_delta(event)

    def _slow_delta(self, event: PartDelta) -> list[bytes]:
        text, out = event.text, []
        if isinstance(self._part, Reasoning):
            if event.summary is not None and self._paragraph not in (None, event.summary):
                text = "\n\n" + text
            self._paragraph = event.summary if event.summary is not None else self._paragraph
            if not text:
                return []
            self._said.append(text)
            if not self._open:
                out.append(self._begin_block(_THINKING, "thinking_delta", "thinking"))
        elif isinstance(self._part, Text | Refusal):
            if not self._open and (text or event.citation is not None):
                block: dict[str, Any] = {"type": "text", "text": ""}
                unload(self._part.extras, MESSAGES, block)
                out.append(self._begin_block(block, "text_delta", "text"))
            if isinstance(event.citation, dict) and "url_citation" not in event.citation:
                delta = {"type": "citations_delta", "citation": event.citation}
                out.append(_event("content_block_delta", {"index": self._index, "delta": delta}))
        else:
            return []
        return [*out, self._delta(text)] if text else out

    def _on_end(self, event: PartEnd) -> list[bytes]:
        part, self._part = self._part, None
        out: list[bytes] = []
        if isinstance(part, Reasoning):
            out += self._seal(part, event)
        if self._quoting:
            out.append(self._delta('"}'))
            self._quoting = False
        if self._open:
            out.append(self._end_block())
        if isinstance(part, ToolCall) and event.seal is not None and part.seal is None:
            out += self._whole(call_seal_block(self._call_id, event.seal, self._meta))
        return out

    def _seal(self, part: Reasoning, event: PartEnd) -> list[bytes]:
        seal = event.seal or part.seal
        if not self._open:
            if seal is None:
                return []
            packed = carrier.worded(seal, MESSAGES, self._meta)
            if not packed:
                return []
            if part.redacted or seal.format is not MESSAGES:
                return self._whole({"type": "redacted_thinking", "data": packed})
            opened = self._begin_block(_THINKING, "thinking_delta", "thinking")
        else:
            opened = b""
            packed = carrier.worded(seal, MESSAGES, self._meta, "".join(self._said))
        signed = _event(
            "content_block_delta",
            {"index": self._index, "delta": {"type": "signature_delta", "signature": packed}},
        )
        return [opened + signed]

    def _on_finish(self, event: Finish) -> list[bytes]:
        out = self._begun()
        stop = event.stop
        if stop is Stop.DONE:
            stop = Stop.TOOL if self._called else Stop.POLICY if self._refused else stop
        usage = self._usage or Usage(fresh=count.estimate_request(self._meta.request))
        delta: dict[str, Any] = {"stop_reason": REASONS[stop], "stop_sequence": event.stop_sequence}
        unload(event.extras, MESSAGES, delta)
        out.append(_event("message_delta", {"delta": delta, "usage": encode_usage(usage)}))
        out.append(_event("message_stop", {}))
        return out

    def _on_failed(self, event: Failed) -> list[bytes]:
        return [*self._begun(), fault_event(event.fault, _CONTEXT)]


_HANDLERS: Mapping[type, Callable[[StreamEncoder, Any], list[bytes]]] = {
    Start: StreamEncoder._on_start,
    PartStart: StreamEncoder._on_part,
    PartDelta: StreamEncoder._on_delta,
    PartEnd: StreamEncoder._on_end,
    UsageSeen: StreamEncoder._on_usage,
    Finish: StreamEncoder._on_finish,
    Failed: StreamEncoder._on_failed,
}
