"""Parts of an answer written as output items, one writer per kind of part.

Law: a writer's events come between those that add its item and those that close it. Texts that stand side by side
share one message item, which stays open until something else begins.
"""

from typing import Protocol

from llr.base.jsonio import JSON, quote
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats import reading
from llr.formats.carrier import CALL, SEAL, outgoing, pack
from llr.formats.foreign import media_words
from llr.formats.openai_responses import content_out, search_out
from llr.formats.openai_responses.content_in import OWN
from llr.formats.openai_responses.items_in import TOOL_SEARCH
from llr.formats.openai_responses.output import MessageItem, Output
from llr.formats.toolforms import arguments_object, unwrapped
from llr.ir.events import PartDelta, PartEnd
from llr.ir.parts import Media, Opaque, Part, Reasoning, Refusal, Seal, Text, ToolCall, ToolKind, ToolResult


class Writer(Protocol):
    """Writes one open part."""

    def delta(self, item: PartDelta, /) -> bytes:
        """Returns the events of one more fragment."""

    def end(self, item: PartEnd, /) -> bytes:
        """Returns the events that close the part."""


class _TextWriter:
    """Writes text or a refusal as a content part of a message item; the first words open it, none leave no trace."""

    __slots__ = ("_citations", "_head", "_message", "_note", "_output", "_pieces", "_place", "_refusal")

    def __init__(self, output: Output, note: dict[str, JSON] | None, *, refusal: bool) -> None:
        self._output, self._note, self._refusal = output, note, refusal
        self._message: MessageItem | None = None
        self._pieces: list[str] = []
        self._citations: list[JSON] = []
        self._place = 0
        self._head = b""

    def _begin(self) -> bytes:
        output = self._output
        before = output.search.close(output)
        self._message, opened = output.message(self._note)
        self._place = len(self._message.content)
        name = b"response.refusal.delta" if self._refusal else b"response.output_text.delta"
        self._head = b'event: %b\ndata: {"type":"%b","item_id":%b,"output_index":%d,"content_index":%d,%b"delta":' % (
            name,
            name,
            quote(self._message.id),
            self._message.index,
            self._place,
            b"" if self._refusal else b'"logprobs":[],',
        )
        part: JSON = (
            {"type": "refusal", "refusal": ""}
            if self._refusal
            else {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        )
        where = self._where(self._message)
        return before + opened + output.event("response.content_part.added", {**where, "part": part})

    def _where(self, message: MessageItem) -> dict[str, JSON]:
        return {"item_id": message.id, "output_index": message.index, "content_index": self._place}

    def delta(self, item: PartDelta) -> bytes:
        if item.citation is not None:
            self._citations.append(item.citation)
        text = item.text
        if not text:
            return b""
        opened = b"" if self._head else self._begin()
        self._pieces.append(text)
        return opened + self._head + quote(text) + b',"sequence_number":%d}\n\n' % self._output.number()

    def end(self, item: PartEnd) -> bytes:
        message = self._message
        if message is None:
            return b""
        text, where, event = "".join(self._pieces), self._where(message), self._output.event
        if self._refusal:
            part: dict[str, JSON] = {"type": "refusal", "refusal": text}
            chunk = event("response.refusal.done", {**where, "refusal": text})
        else:
            notes = content_out.annotations(Text(text, tuple(self._citations)))
            own = reading.bag(item.extras, OWN)
            notes = own.get("~annotations", notes)
            part = {"type": "output_text", "text": text, "annotations": notes, "logprobs": own.get("logprobs") or []}
            chunk = b"".join(
                event("response.output_text.annotation.added", {**where, "annotation_index": place, "annotation": note})
                for place, note in enumerate(notes)
            )
            chunk += event("response.output_text.done", {**where, "text": text, "logprobs": part["logprobs"]})
        message.content.append(part)
        return chunk + event("response.content_part.done", {**where, "part": part})


class _ReasoningWriter:
    """Writes thinking: other vendors' text as a summary, the own vendor's text as reasoning text."""

    __slots__ = ("_content", "_id", "_native", "_note", "_output", "_part", "_place", "_seal", "_summary", "_text")

    def __init__(self, output: Output, part: Reasoning) -> None:
        self._output, self._part, self._seal = output, part, part.seal
        self._note = dict(reading.bag(part.extras, OWN).get("~item", {}))
        self._native = output.meta.upstream is FormatId.RESPONSES
        self._id = reading.text(self._note.get("id")) or output.fresh_id("rs_")
        self._summary: list[list[str]] = []
        self._content: list[str] | None = None
        self._text: list[str] = []
        self._place: int | None = None

    def _where(self, key: str, place: int) -> dict[str, JSON]:
        return {"item_id": self._id, "output_index": self._output.index, key: place}

    def begin(self) -> bytes:
        return self._output.added({"id": self._id, "type": "reasoning", "summary": []})

    def delta(self, item: PartDelta) -> bytes:
        self._text.append(item.text)
        event = self._output.event
        if item.summary is None and self._native:
            where = self._where("content_index", 0)
            chunk = b""
            if self._content is None:
                self._content = []
                chunk = event("response.content_part.added", {**where, "part": {"type": "reasoning_text", "text": ""}})
            self._content.append(item.text)
            return chunk + event("response.reasoning_text.delta", {**where, "delta": item.text})
        place = 0 if item.summary is None else item.summary
        chunk = b""
        if self._place != place:
            chunk = self._close_summary()
            self._place = place
            while len(self._summary) <= place:
                self._summary.append([])
            where = self._where("summary_index", place)
            part: JSON = {"type": "summary_text", "text": ""}
            chunk += event("response.reasoning_summary_part.added", {**where, "part": part})
        if not item.text:
            return chunk
        self._summary[place].append(item.text)
        where = self._where("summary_index", place)
        return chunk + event("response.reasoning_summary_text.delta", {**where, "delta": item.text})

    def _close_summary(self) -> bytes:
        if self._place is None:
            return b""
        where, text = self._where("summary_index", self._place), "".join(self._summary[self._place])
        chunk = self._output.event("response.reasoning_summary_text.done", {**where, "text": text})
        part: JSON = {"type": "summary_text", "text": text}
        return chunk + self._output.event("response.reasoning_summary_part.done", {**where, "part": part})

    def end(self, item: PartEnd) -> bytes:
        chunk = self._close_summary()
        out: dict[str, JSON] = {"id": self._id, "type": "reasoning"}
        out["summary"] = [{"type": "summary_text", "text": "".join(pieces)} for pieces in self._summary]
        if self._content is not None:
            text, where = "".join(self._content), self._where("content_index", 0)
            part: JSON = {"type": "reasoning_text", "text": text}
            chunk += self._output.event("response.reasoning_text.done", {**where, "text": text})
            chunk += self._output.event("response.content_part.done", {**where, "part": part})
            out["content"] = [part]
        sealed = self._sealed(item)
        if sealed:
            out["encrypted_content"] = sealed
        return chunk + self._output.done(out)

    def _sealed(self, item: PartEnd) -> str:
        seal, meta = item.seal or self._seal, self._output.meta
        if seal is None and self._native:
            return ""
        found = outgoing(seal, OWN, meta, "".join(self._text))
        if found.format is not OWN or found.provider:
            return pack(found, meta.key)
        data = found.data
        return reading.text(data.get("encrypted_content") if isinstance(data, dict) else data)


class _CallWriter:
    """Writes a function or free-text call whose arguments stream as they are."""

    __slots__ = ("_field", "_head", "_item", "_name", "_output", "_pieces")

    def __init__(self, output: Output, item: dict[str, JSON], field: str) -> None:
        self._output, self._item, self._field = output, item, field
        self._pieces: list[str] = []
        custom = field == "input"
        self._name = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
        name = f"{self._name}.delta".encode()
        self._head = b'event: %b\ndata: {"type":"%b","item_id":%b,"output_index":%d,"delta":' % (
            name,
            name,
            quote(reading.text(item["id"])),
            output.index,
        )

    def delta(self, item: PartDelta) -> bytes:
        text = item.text
        if not text:
            return b""
        self._pieces.append(text)
        return self._head + quote(text) + b',"sequence_number":%d}\n\n' % self._output.number()

    def end(self, item: PartEnd) -> bytes:
        text = "".join(self._pieces)
        if self._field == "arguments" and not text.strip():
            text = "{}"
        done: dict[str, JSON] = {"item_id": self._item["id"], "output_index": self._output.index, self._field: text}
        if self._field == "arguments":
            done["name"] = self._item["name"]
        chunk = self._output.event(f"{self._name}.done", done)
        out = {**self._item, self._field: text}
        if "status" in out:
            out["status"] = "completed"
        return chunk + self._output.done(out) + _late_seal(self._output, self._item, item)


class _HeldCall:
    """Holds a call whose item has a shape of its own until its arguments are whole."""

    __slots__ = ("_item", "_kind", "_output", "_pieces")

    def __init__(self, output: Output, item: dict[str, JSON], kind: ToolKind) -> None:
        self._output, self._item, self._kind = output, item, kind
        self._pieces: list[str] = []

    def delta(self, item: PartDelta) -> bytes:
        self._pieces.append(item.text)
        return b""

    def end(self, item: PartEnd) -> bytes:
        text, output = "".join(self._pieces), self._output
        if self._kind is ToolKind.CUSTOM:
            writer = _CallWriter(output, {**self._item, "input": ""}, "input")
            chunk = output.added({**self._item, "input": ""})
            return chunk + writer.delta(PartDelta(0, unwrapped(text, ToolKind.CUSTOM))) + writer.end(item)
        fields = arguments_object(text)[0]
        if self._kind is ToolKind.FUNCTION:
            shaped: dict[str, JSON] = {**self._item, "arguments": fields}
        elif self._kind is ToolKind.APPLY_PATCH:
            shaped = {**self._item, "operation": fields}
        else:
            shaped = {**self._item, "action": _action(fields, self._kind)}
        chunk = output.added({**shaped, "status": "in_progress"}) + output.done({**shaped, "status": "completed"})
        return chunk + _late_seal(output, self._item, item)


def _late_seal(output: Output, item: dict[str, JSON], end: PartEnd) -> bytes:
    return _kept(output, reading.text(item["call_id"]), end.seal) if end.seal is not None else b""


def _action(fields: dict[str, JSON], kind: ToolKind) -> JSON:
    if kind is ToolKind.SHELL:
        return {"max_output_length": None, "timeout_ms": None, **fields}
    out = {"type": "exec", "env": {}, **fields}
    if "workdir" in out:
        out["working_directory"] = out.pop("workdir")
    return out


_PREFIXES = {
    ToolKind.FUNCTION: ("function_call", "fc_"),
    ToolKind.CUSTOM: ("custom_tool_call", "ctc_"),
    ToolKind.LOCAL_SHELL: ("local_shell_call", "lsh_"),
    ToolKind.SHELL: ("shell_call", "sh_"),
    ToolKind.APPLY_PATCH: ("apply_patch_call", "apc_"),
}


def _kept(output: Output, call_id: str, seal: Seal) -> bytes:
    """Returns the item that keeps a call's seal beside it; `carrier.open_request` puts it back on the call."""
    if seal.format is OWN:
        return b""
    kept = replace(seal, data={CALL: call_id, SEAL: seal.data})
    packed = pack(outgoing(kept, OWN, output.meta, ""), output.meta.key)
    item: dict[str, JSON] = {"id": output.fresh_id("rs_"), "type": "reasoning", "summary": []}
    return output.added(item) + output.done({**item, "encrypted_content": packed}) if packed else b""


def _call(output: Output, call: ToolCall) -> tuple[Writer, bytes]:
    before = output.close_message()
    output.calls = True
    kind, space, name = output.kind(call)
    call_id = call.id
    item_type, prefix = _PREFIXES[kind]
    if call.seal is not None:
        before += _kept(output, call_id, call.seal)
    note = reading.bag(call.extras, OWN).get("~item", {})
    item: dict[str, JSON] = {"id": reading.text(note.get("id")) or f"{prefix}{call_id}", "type": item_type}
    item["call_id"] = call_id
    if kind in (ToolKind.FUNCTION, ToolKind.CUSTOM):
        item["name"] = name
        if space:
            item["namespace"] = space
    if name == TOOL_SEARCH and output.searches and kind is ToolKind.FUNCTION:
        found: dict[str, JSON] = {"id": f"tsc_{call_id}", "type": "tool_search_call", "call_id": call_id}
        return _HeldCall(output, {**found, "execution": "client"}, kind), before
    if kind not in (ToolKind.FUNCTION, ToolKind.CUSTOM) or kind is not call.kind:
        return _HeldCall(output, item, kind), before
    field = "input" if kind is ToolKind.CUSTOM else "arguments"
    item["status"] = "in_progress"
    item[field] = ""
    return _CallWriter(output, item, field), before + output.added(item)


class _Nothing:
    """Writes nothing: the part was written whole when it began, or has no form here."""

    __slots__ = ()

    def delta(self, item: PartDelta) -> bytes:
        return b""

    def end(self, item: PartEnd) -> bytes:
        return b""


_NOTHING = _Nothing()


def writer_of(output: Output, part: Part) -> tuple[Writer, bytes]:
    """Returns the writer of a part that begins, and the events of its beginning."""
    match part:
        case Text() | Refusal():
            note = reading.bag(part.extras, OWN).get("~message")
            refusal = isinstance(part, Refusal)
            output.refused = output.refused or refusal
            return _TextWriter(output, note, refusal=refusal and not output.meta.codex), b""
        case Reasoning():
            before = output.close_message()
            reasoning = _ReasoningWriter(output, part)
            return reasoning, before + reasoning.begin()
        case ToolCall():
            return _call(output, part)
        case Opaque():
            return _NOTHING, _opaque(output, part)
        case Media():
            words = _TextWriter(output, None, refusal=False)
            return words, words.delta(PartDelta(0, media_words(part)))
        case ToolResult():
            return _NOTHING, b""


def _opaque(output: Output, part: Opaque) -> bytes:
    if part.format is OWN and isinstance(part.raw, dict):
        before = output.close_message()
        return before + output.added(part.raw) + search_out.progress(output, part.raw) + output.done(part.raw)
    return search_out.block(output, part)
