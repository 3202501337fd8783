"""A Responses stream, read.

Law: text and arguments are taken from deltas, `done` events, finished items and the final answer, whichever holds more,
and given out exactly once; the stream is complete at `response.completed` or `response.incomplete`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llr.base.errors import Fault, GatewayError
from llr.base.jsonio import InvalidJSON, loads_answer
from llr.formats import reading
from llr.formats.errors import truncated
from llr.formats.openai_responses import items_in
from llr.formats.openai_responses.answer_in import fault_of, read_usage, stop_of, told
from llr.formats.openai_responses.content_in import OWN, citation
from llr.formats.openai_responses.fragments import Fragments, Key
from llr.ir.events import Event, Failed, Finish, Start, UsageSeen
from llr.ir.parts import NO_EXTRAS, Extras, Opaque, Reasoning, Refusal, Text, ToolCall, ToolKind
from llr.wire.sse import SSEEvent, SSEParser

_STREAMED = {"function_call": ("arguments", ToolKind.FUNCTION), "custom_tool_call": ("input", ToolKind.CUSTOM)}


class StreamDecoder:
    """Bytes in, events out."""

    __slots__ = (
        "_called",
        "_done",
        "_ended",
        "_items",
        "_numbers",
        "_out",
        "_parser",
        "_parts",
        "_refused",
        "_started",
    )

    def __init__(self) -> None:
        self._parser = SSEParser()
        self._out: list[Event] = []
        self._parts = Fragments(self._out)
        self._items: dict[int, Mapping[str, Any]] = {}
        self._numbers: dict[str, int] = {}
        self._done: set[int] = set()
        self._started = self._ended = False
        self._called = self._refused = False

    def feed(self, item: bytes, /) -> list[Event]:
        """Returns the events this chunk completes."""
        try:
            for event in self._parser.feed(item):
                self._event(event)
        except GatewayError as exc:
            self._fail(exc.fault)
        return self._taken()

    def finish(self) -> list[Event]:
        """Returns the last events; a stream cut before its terminal event ends in a failure."""
        try:
            for event in self._parser.finish():
                self._event(event)
        except GatewayError as exc:
            self._fail(exc.fault)
        self._fail(truncated("response.completed"))
        return self._taken()

    def whole(self, response: Mapping[str, Any]) -> list[Event]:
        """Returns the events of a whole finished answer."""
        self._completed({"response": response})
        return self._taken()

    def _taken(self) -> list[Event]:
        out = self._out.copy()
        self._out.clear()
        return out

    def _event(self, event: SSEEvent) -> None:
        data = event.data
        if self._ended or not data or data == b"[DONE]":
            return
        try:
            fields = loads_answer(data)
        except InvalidJSON:
            return
        if not isinstance(fields, dict):
            return
        kind = fields.get("type") or event.event
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            fields["type"] = kind
            handler(self, fields)
        elif fields.get("object") == "response":
            _HANDLERS.get(f"response.{fields.get('status')}", StreamDecoder._begun)(self, {"response": fields})
        elif "error" in fields and not kind:
            self._error(fields)

    # Lifecycle

    def _start(self, response: Mapping[str, Any]) -> None:
        if not self._started:
            self._started = True
            created_at = reading.instant(response.get("created_at"))
            ident, model = reading.text(response.get("id")), reading.text(response.get("model"))
            self._out.append(Start(ident, model, created_at))

    def _begun(self, fields: Mapping[str, Any]) -> None:
        self._start(reading.table(fields.get("response")))

    def _fail(self, fault: Fault) -> None:
        if not self._ended:
            self._start({})
            self._ended = True
            self._out.append(Failed(fault))

    def _error(self, fields: Mapping[str, Any]) -> None:
        self._fail(fault_of(fields))

    def _failed(self, fields: Mapping[str, Any]) -> None:
        response = reading.table(fields.get("response"))
        self._start(response)
        self._fail(fault_of(response or fields))

    def _completed(self, fields: Mapping[str, Any]) -> None:
        response = reading.table(fields.get("response"))
        self._start(response)
        for place, item in reading.tables(response.get("output")):
            number = self._place(place, item)
            if number is not None:
                self._item(number, item)
        if (
            not response.get("output")
            and not self._parts.opened
            and (text := reading.text(response.get("output_text")))
        ):
            self._parts.fill((0, 0), Text(""), text)
        self._parts.close_all()
        usage = read_usage(response.get("usage"))
        if usage is not None:
            self._out.append(UsageSeen(usage))
        stop = stop_of(response, called=self._called, refused=self._refused)
        self._ended = True
        self._out.append(Finish(stop, None, told(response)))

    def _place(self, place: int, item: Mapping[str, Any]) -> int | None:
        """Returns the output index of an item of the final answer; None for one that was given out under another id."""
        ident = reading.text(item.get("id"))
        if ident in self._numbers:
            return self._numbers[ident]
        seen = self._items.get(place)
        if seen is None:
            return place if place not in self._done else None
        return place if seen.get("type") == item.get("type") else None

    # Items

    def _number(self, fields: Mapping[str, Any]) -> int:
        number = fields.get("output_index")
        if isinstance(number, int):
            return number
        ident = fields.get("item_id")
        if isinstance(ident, str) and ident in self._numbers:
            return self._numbers[ident]
        return max(self._items, default=0)

    def _added(self, fields: Mapping[str, Any]) -> None:
        item = reading.table(fields.get("item"))
        self._start({})
        number = fields.get("output_index")
        number = number if isinstance(number, int) else max(self._items, default=-1) + 1
        self._items[number] = item
        if ident := reading.text(item.get("id")):
            self._numbers[ident] = number
        kind = reading.text(item.get("type"))
        if kind in _STREAMED and reading.text(item.get("name")):
            self._called = True
            self._parts.open((number,), self._call(item, kind))

    @staticmethod
    def _call(item: Mapping[str, Any], kind: str) -> ToolCall:
        field, tool_kind = _STREAMED[kind]
        note = {key: value for key, value in item.items() if key not in ("type", "call_id", "name", "namespace", field)}
        call_id = reading.text(item.get("call_id")) or reading.text(item.get("id"))
        name, space = reading.text(item.get("name")), reading.text(item.get("namespace"))
        if "status" in note:
            note["status"] = "completed"
        return ToolCall(call_id, name, "", tool_kind, space, None, {OWN: {"~item": note}} if note else NO_EXTRAS)

    def _item_done(self, fields: Mapping[str, Any]) -> None:
        item = reading.table(fields.get("item"))
        self._start({})
        ident = reading.text(item.get("id"))
        number = fields.get("output_index")
        if not isinstance(number, int):
            number = self._numbers.get(ident, max(self._items, default=0))
        if ident:
            self._numbers.setdefault(ident, number)
        self._item(number, item)

    def _item(self, number: int, item: Mapping[str, Any]) -> None:
        """Gives out what is still missing of a finished item, and closes it."""
        if number in self._done:
            return
        self._done.add(number)
        self._items.setdefault(number, item)
        kind = reading.text(item.get("type"))
        if kind == "message":
            self._message(number, item)
        elif kind == "reasoning":
            self._reasoning(number, item)
        elif kind in _STREAMED:
            field = _STREAMED[kind][0]
            self._called = True
            self._parts.fill((number,), self._call(item, kind), items_in.arguments_text(item.get(field)))
            self._parts.close((number,))
        elif (call := items_in.CALLS.get(kind)) is not None:
            part = call(item, "")
            self._called = self._called or isinstance(part, ToolCall)
            self._parts.whole((number,), part)
        elif kind:
            self._parts.whole((number,), Opaque(OWN, dict(item)))

    def _message(self, number: int, item: Mapping[str, Any]) -> None:
        self._items[number] = {**self._items[number], **item}
        for place, part in reading.tables(item.get("content")):
            key = (number, place)
            refusal = part.get("type") == "refusal"
            text = reading.text(part.get("refusal" if refusal else "text"))
            if text or self._parts.knows(key):
                self._parts.fill(key, self._text(number, refusal=refusal), text)
                self._close_text(key, part)
        self._parts.close_item(number)

    def _reasoning(self, number: int, item: Mapping[str, Any]) -> None:
        part = items_in.reasoning(item, "")
        if not self._parts.knows((number,)) and part.redacted:
            self._parts.whole((number,), part)
            return
        for place, paragraph in enumerate(part.summary):
            self._parts.fill((number,), Reasoning(extras=part.extras), paragraph, place)
        if part.text:
            self._parts.fill((number,), Reasoning(extras=part.extras), part.text)
        if part.seal is not None and not self._parts.knows((number,)):
            self._parts.open((number,), Reasoning(extras=part.extras))
        self._parts.close((number,), part.seal, part.extras)

    # Text

    def _text(self, number: int, *, refusal: bool) -> Text | Refusal:
        """Returns the empty part of a message; the first one carries the item's own fields."""
        item = self._items.get(number, {})
        extras: Extras = NO_EXTRAS
        if item and not self._parts.begun(number):
            note = {key: value for key, value in item.items() if key not in ("role", "content")}
            if "status" in note:
                note["status"] = "completed"
            extras = {OWN: {"~message": note}}
        self._refused = self._refused or refusal
        return Refusal("", extras) if refusal else Text("", (), extras)

    def _content_key(self, fields: Mapping[str, Any]) -> Key:
        number, place = fields.get("output_index"), fields.get("content_index")
        if isinstance(number, int) and isinstance(place, int):
            return (number, place)
        return (self._number(fields), place if isinstance(place, int) else 0)

    def _part_added(self, fields: Mapping[str, Any]) -> None:
        """Ends the item's part before; the new one begins with its first words."""
        if reading.table(fields.get("part")).get("type") in ("output_text", "refusal"):
            key = self._content_key(fields)
            if not self._parts.knows(key):
                self._parts.close_item(key[0])

    def _text_delta(self, fields: Mapping[str, Any]) -> None:
        delta = fields.get("delta")
        if isinstance(delta, str):
            key = self._content_key(fields)
            if not self._parts.knows(key):
                self._start({})
                self._parts.open(key, self._text(key[0], refusal=fields["type"] == "response.refusal.delta"))
            self._parts.delta(key, delta)

    def _text_done(self, fields: Mapping[str, Any]) -> None:
        refusal = fields["type"] == "response.refusal.done"
        text = reading.text(fields.get("refusal" if refusal else "text"))
        key = self._content_key(fields)
        if text:
            self._start({})
            self._parts.fill(key, self._text(key[0], refusal=refusal), text)

    def _part_done(self, fields: Mapping[str, Any]) -> None:
        part = reading.table(fields.get("part"))
        kind = part.get("type")
        if kind not in ("output_text", "refusal"):
            return
        key = self._content_key(fields)
        text = reading.text(part.get("refusal" if kind == "refusal" else "text"))
        if text or self._parts.knows(key):
            self._start({})
            self._parts.fill(key, self._text(key[0], refusal=kind == "refusal"), text)
            self._close_text(key, part)

    def _annotation(self, fields: Mapping[str, Any]) -> None:
        key, note = self._content_key(fields), reading.table(fields.get("annotation"))
        found = citation(note, self._parts.text(key))
        if found is not None and self._parts.knows(key):
            self._parts.cite(key, found)

    def _close_text(self, key: Key, part: Mapping[str, Any]) -> None:
        notes = reading.rows(part.get("annotations"))
        text = self._parts.text(key)
        known = self._parts.cited(key)
        for note in [each for _, each in reading.tables(notes) if each.get("type") == "url_citation"][known:]:
            found = citation(note, text)
            if found is not None:
                self._parts.cite(key, found)
        own: dict[str, Any] = {"~annotations": notes} if notes else {}
        if part.get("logprobs"):
            own["logprobs"] = part["logprobs"]
        self._parts.close(key, None, {OWN: own} if own else NO_EXTRAS)

    # Reasoning and arguments

    def _thought(self, fields: Mapping[str, Any]) -> None:
        delta = fields.get("delta")
        if isinstance(delta, str):
            self._reason(fields, delta, whole=False)

    def _thought_done(self, fields: Mapping[str, Any]) -> None:
        text = reading.text(fields.get("text"))
        if text:
            self._reason(fields, text, whole=True)

    def _reason(self, fields: Mapping[str, Any], text: str, *, whole: bool) -> None:
        self._start({})
        number = self._number(fields)
        place = fields.get("summary_index")
        summary = place if isinstance(place, int) and "summary" in reading.text(fields.get("type")) else None
        key: Key = (number,)
        if not self._parts.knows(key):
            note = self._items.get(number, {})
            item = {name: value for name, value in note.items() if name not in ("summary", "encrypted_content")}
            self._parts.open(key, Reasoning(extras={OWN: {"~item": item}} if item else NO_EXTRAS))
        if whole:
            self._parts.fill(key, Reasoning(), text, summary)
        else:
            self._parts.delta(key, text, summary)

    def _arguments(self, fields: Mapping[str, Any]) -> None:
        delta = fields.get("delta")
        if isinstance(delta, str):
            self._parts.delta((self._number(fields),), delta)

    def _arguments_done(self, fields: Mapping[str, Any]) -> None:
        text = fields.get("input") if "input" in fields else fields.get("arguments")
        key: Key = (self._number(fields),)
        if isinstance(text, str) and self._parts.knows(key):
            self._parts.fill(key, Text(""), text)


_Handler = Callable[[StreamDecoder, Mapping[str, Any]], None]
_HANDLERS: Mapping[str, _Handler] = {
    "response.output_text.delta": StreamDecoder._text_delta,
    "response.function_call_arguments.delta": StreamDecoder._arguments,
    "response.custom_tool_call_input.delta": StreamDecoder._arguments,
    "response.reasoning_summary_text.delta": StreamDecoder._thought,
    "response.reasoning_text.delta": StreamDecoder._thought,
    "response.refusal.delta": StreamDecoder._text_delta,
    "response.created": StreamDecoder._begun,
    "response.queued": StreamDecoder._begun,
    "response.in_progress": StreamDecoder._begun,
    "response.output_item.added": StreamDecoder._added,
    "response.output_item.done": StreamDecoder._item_done,
    "response.content_part.added": StreamDecoder._part_added,
    "response.content_part.done": StreamDecoder._part_done,
    "response.output_text.done": StreamDecoder._text_done,
    "response.refusal.done": StreamDecoder._text_done,
    "response.output_text.annotation.added": StreamDecoder._annotation,
    "response.reasoning_summary_text.done": StreamDecoder._thought_done,
    "response.reasoning_text.done": StreamDecoder._thought_done,
    "response.function_call_arguments.done": StreamDecoder._arguments_done,
    "response.custom_tool_call_input.done": StreamDecoder._arguments_done,
    "response.completed": StreamDecoder._completed,
    "response.incomplete": StreamDecoder._completed,
    "response.failed": StreamDecoder._failed,
    "response.cancelled": StreamDecoder._failed,
    "error": StreamDecoder._error,
}
