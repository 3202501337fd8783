"""Streams of the Messages format to events.

Law: complete once a `stop_reason` was seen, or `message_stop`; an end before that is a failure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llr.base.jsonio import InvalidJSON, dumps_text, loads, loads_answer
from llr.formats.anthropic_messages.blocks import MESSAGES, decode_block
from llr.formats.anthropic_messages.response import STOPS
from llr.formats.anthropic_messages.usage import decode_usage, update
from llr.formats.errors import stream_fault, truncated
from llr.formats.reading import integer, luggage, table, text, words
from llr.formats.sequencer import Sequencer
from llr.ir.events import Event, Failed, Finish, Start, Stop, UsageSeen
from llr.ir.parts import Opaque, Reasoning, Seal, Text, ToolCall
from llr.wire.sse import SSEEvent, SSEParser

_MESSAGE = words("id type role model content stop_reason stop_sequence usage")
_DELTA = words("stop_reason stop_sequence")


class StreamDecoder:
    """Bytes of a Messages stream in, events out."""

    def __init__(self) -> None:
        self._parser = SSEParser()
        self._parts = Sequencer()
        self._started = False
        self._ended = False
        self._stop: Finish | None = None
        self._called = False
        self._message = 0
        self._usage: dict[str, Any] = {}
        # Per open block: what its end still needs (input given at the start, signature, input of server tools).
        self._inputs: dict[tuple[int, int], str] = {}
        self._seals: dict[tuple[int, int], str] = {}
        self._held: dict[tuple[int, int], tuple[dict[str, Any], list[str]]] = {}

    def feed(self, item: bytes, /) -> Iterable[Event]:
        """Returns the events in this chunk."""
        out: list[Event] = []
        for event in self._parser.feed(item):
            self._event(event, out)
        return out

    def finish(self) -> Iterable[Event]:
        """Returns the end: `Finish` after a stop reason, else `Failed`."""
        out: list[Event] = []
        for event in self._parser.finish():
            self._event(event, out)
        if self._ended:
            return out
        if self._stop is not None:
            self._end(out)
        else:
            self._fail(Failed(truncated("a stop reason")), out)
        return out

    def _event(self, event: SSEEvent, out: list[Event]) -> None:
        if self._ended:
            return
        try:
            data = loads_answer(event.data)
        except InvalidJSON:
            if event.event == "error":
                self._fail(Failed(stream_fault(event.data.decode("utf-8", "replace"))), out)
            return
        if not isinstance(data, dict):
            return
        kind = data.get("type")
        if kind == "error" or event.event == "error" or (kind is None and "error" in data):
            self._fail(Failed(stream_fault(data)), out)
            return
        if kind == "content_block_delta":
            self._block_delta(data, out)
            return
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else _HANDLERS.get(event.event)
        if handler is not None:
            handler(self, data, out)

    def _start(self, out: list[Event], message: Mapping[str, Any]) -> None:
        if not self._started:
            self._started = True
            extras = luggage(MESSAGES, message, _MESSAGE)
            out.append(Start(text(message.get("id")), text(message.get("model")), extras=extras))

    def _message_start(self, data: Mapping[str, Any], out: list[Event]) -> None:
        message = table(data.get("message"))
        self._message += 1
        self._start(out, message)
        self._see_usage(message.get("usage"), out)

    def _see_usage(self, usage: Any, out: list[Event]) -> None:
        if isinstance(usage, dict) and usage:
            update(self._usage, usage)
            seen = decode_usage(self._usage)
            if seen is not None:
                out.append(UsageSeen(seen))

    def _block_start(self, data: Mapping[str, Any], out: list[Event]) -> None:
        self._start(out, {})
        block = data.get("content_block")
        if not isinstance(block, dict):
            return
        key = (self._message, integer(data.get("index")) or 0)
        part = decode_block(block)
        match part:
            case ToolCall():
                self._called = True
                given = block.get("input")
                if given:
                    self._inputs[key] = given if isinstance(given, str) else dumps_text(given)
                self._parts.open(key, ToolCall(part.id, part.name, "", extras=part.extras), out)
            case Text():
                self._parts.open(key, Text("", extras=part.extras), out)
                if part.text:
                    self._parts.delta(key, part.text, out)
                for citation in part.citations:
                    self._parts.delta(key, "", out, citation=citation)
            case Reasoning() if not part.redacted:
                self._parts.open(key, Reasoning(), out)
                if part.text:
                    self._parts.delta(key, part.text, out)
                if part.seal is not None:
                    self._seals[key] = text(part.seal.data)
            case Opaque() if block.get("type") in ("server_tool_use", "mcp_tool_use"):
                self._held[key] = (block, [])
            case _:
                self._parts.open(key, part, out)

    def _block_delta(self, data: Mapping[str, Any], out: list[Event]) -> None:
        delta = data.get("delta")
        if not isinstance(delta, dict):
            return
        key = (self._message, integer(data.get("index")) or 0)
        kind = delta.get("type")
        if kind == "text_delta":
            self._parts.delta(key, text(delta.get("text")), out)
            return
        match kind:
            case "input_json_delta":
                piece = text(delta.get("partial_json"))
                if key in self._held:
                    self._held[key][1].append(piece)
                elif piece:
                    self._inputs.pop(key, None)
                    self._parts.delta(key, piece, out)
            case "thinking_delta":
                self._parts.delta(key, text(delta.get("thinking")), out)
            case "signature_delta":
                self._seals[key] = self._seals.get(key, "") + text(delta.get("signature"))
            case "citations_delta":
                if isinstance(delta.get("citation"), dict):
                    self._parts.delta(key, "", out, citation=delta["citation"])

    def _block_stop(self, data: Mapping[str, Any], out: list[Event]) -> None:
        self._close((self._message, integer(data.get("index")) or 0), out)

    def _close(self, key: tuple[int, int], out: list[Event]) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._parts.open(key, Opaque(MESSAGES, _with_input(*held)), out)
        given = self._inputs.pop(key, "")
        if given:
            self._parts.delta(key, given, out)
        signature = self._seals.pop(key, "")
        self._parts.close(key, out, Seal(MESSAGES, signature) if signature else None)

    def _message_delta(self, data: Mapping[str, Any], out: list[Event]) -> None:
        self._start(out, {})
        delta = table(data.get("delta"))
        self._see_usage(data.get("usage"), out)
        reason = text(delta.get("stop_reason"))
        if reason:
            stop = STOPS.get(reason, Stop.TOOL if self._called else Stop.DONE)
            extras = luggage(MESSAGES, delta, _DELTA)
            self._stop = Finish(stop, text(delta.get("stop_sequence")) or None, extras)

    def _message_stop(self, data: Mapping[str, Any], out: list[Event]) -> None:
        self._start(out, {})
        if self._stop is None:
            self._stop = Finish(Stop.TOOL if self._called else Stop.DONE)
        self._end(out)

    def _end(self, out: list[Event]) -> None:
        for key in [*self._held, *self._inputs, *self._seals]:
            self._close(key, out)
        self._parts.close_all(out)
        if self._stop is not None:
            out.append(self._stop)
        self._ended = True

    def _fail(self, failed: Failed, out: list[Event]) -> None:
        self._start(out, {})
        out.append(failed)
        self._ended = True


def _with_input(block: dict[str, Any], pieces: list[str]) -> dict[str, Any]:
    """Returns a server tool's block with the input its fragments spell."""
    if not pieces:
        return block
    try:
        return {**block, "input": loads("".join(pieces).encode("utf-8", "surrogatepass"))}
    except InvalidJSON:
        return block


_HANDLERS: Mapping[str, Callable[[StreamDecoder, Mapping[str, Any], list[Event]], None]] = {
    "message_start": StreamDecoder._message_start,
    "content_block_start": StreamDecoder._block_start,
    "content_block_delta": StreamDecoder._block_delta,
    "content_block_stop": StreamDecoder._block_stop,
    "message_delta": StreamDecoder._message_delta,
    "message_stop": StreamDecoder._message_stop,
}
