"""Events to streams of Chat Completions.

Law: a role chunk first; parts as the deltas of one choice.
"""

from typing import Any

from llr.base.jsonio import dumps, quote
from llr.formats.base import Meta
from llr.formats.foreign import media_words, opaque_text
from llr.formats.ids import RULES, legal_id
from llr.formats.openai_chat.chunks import ChunkEncoder
from llr.formats.openai_chat.parts import CHAT, DETAILS, FIELD, sealed_call
from llr.formats.openai_chat.response import (
    annotation,
    completion_id,
    finish_reason,
    kept_signature,
    logprobs_of,
    reasoning_block,
)
from llr.formats.reading import bag, table, unload
from llr.ir.events import Finish, PartDelta, PartEnd, PartStart, Start
from llr.ir.parts import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall, ToolKind, ToolResult


class StreamEncoder(ChunkEncoder):
    """Events in, bytes of a Chat stream out."""

    def __init__(self, meta: Meta) -> None:
        super().__init__(meta)
        self._part: Part | None = None
        # Ready bytes around a delta: from the start of the chunk to its text, and from there to its end.
        self._open = b""
        self._tail = b""
        self._head = b""
        self._calls = -1
        self._arguments = False
        self._said: list[str] = []
        self._paragraph: int | None = None
        self._reasoned = False
        self._spoken = 0
        self._before = 0
        self._refused = False

    def _on_start(self, start: Start) -> list[bytes]:
        self._begin(start, completion_id(start.id, self._meta), "chat.completion.chunk")
        unload(start.extras, CHAT, self._frame)
        head = dumps(self._frame)[:-1]
        self._open = b"data: " + head + b',"choices":[{"index":0,"delta":{'
        self._tail = b'},"finish_reason":null}]' + (b',"usage":null' if self._wanted else b"") + b"}\n\n"
        return [self._open + b'"role":"assistant","content":""' + self._tail]

    def _chunk(self, delta: dict[str, Any]) -> bytes:
        return self._open + dumps(delta)[1:-1] + self._tail

    def _on_part(self, event: PartStart) -> list[bytes]:
        part = self._part = event.part
        match part:
            case Text():
                self._head = self._open + b'"content":'
                self._before = self._spoken
            case Refusal():
                self._head = self._open + b'"refusal":'
                self._refused = True
            case Reasoning():
                field = bag(part.extras, CHAT).get(FIELD)
                self._head = self._open + (b'"reasoning":' if field == "reasoning" else b'"reasoning_content":')
                self._said.clear()
                self._paragraph = None
            case ToolCall():
                return [self._call(part)]
            case Opaque():
                said = opaque_text(part)
                return [self._chunk({"content": said})] if said else []
            case Media():
                return [self._chunk({"content": media_words(part)})]
            case ToolResult():
                pass
        return []

    def _call(self, part: ToolCall) -> bytes:
        self._calls += 1
        self._arguments = False
        call_id = legal_id(part.id, RULES[CHAT])
        name = part.name or "tool"
        place = self._open + b'"tool_calls":[{"index":%d,' % self._calls
        if part.kind is ToolKind.CUSTOM:
            body: dict[str, Any] = {"type": "custom", "custom": {"name": name, "input": ""}}
            self._head = place + b'"custom":{"input":'
        else:
            body = {"type": "function", "function": {"name": name, "arguments": ""}}
            self._head = place + b'"function":{"arguments":'
        kept = kept_signature(part.seal, self._meta)
        if kept:
            body["extra_content"] = sealed_call(kept)
        return self._chunk({"tool_calls": [{"index": self._calls, "id": call_id, **body}]})

    def _on_delta(self, event: PartDelta) -> list[bytes]:
        part = self._part
        if isinstance(part, Text):
            if event.citation is not None:
                return self._cite(event)
            self._spoken += len(event.text)
            return [self._head + quote(event.text) + self._tail] if event.text else []
        if isinstance(part, ToolCall):
            self._arguments = self._arguments or bool(event.text)
            return [self._head + quote(event.text) + b"}}]" + self._tail] if event.text else []
        return self._slow_delta(event)

    def _slow_delta(self, event: PartDelta) -> list[bytes]:
        said = event.text
        if isinstance(self._part, Reasoning):
            if event.summary is not None and self._paragraph not in (None, event.summary):
                said = "\n\n" + said
            self._paragraph = event.summary if event.summary is not None else self._paragraph
            if said and not self._said and self._reasoned:
                self._said.append(said)
                return [self._head + quote("\n\n" + said) + self._tail]
            self._reasoned = self._reasoned or bool(said)
            self._said.append(said)
        elif not isinstance(self._part, Refusal):
            return []
        return [self._head + quote(said) + self._tail] if said else []

    def _cite(self, event: PartDelta) -> list[bytes]:
        made = annotation(event.citation, self._before, self._spoken)
        return [self._chunk({"annotations": [made]})] if made is not None else []

    def _on_end(self, event: PartEnd) -> list[bytes]:
        part, self._part = self._part, None
        if isinstance(part, Reasoning):
            seal = event.seal or part.seal
            block = reasoning_block(part, seal, "".join(self._said), self._meta)
            if block is not None:
                return [self._chunk({"thinking_blocks": [block]})]
            details = table(seal.data).get(DETAILS) if seal is not None and seal.format is CHAT else None
            return [self._chunk({"reasoning_details": details})] if details else []
        if isinstance(part, ToolCall):
            return self._call_end(part, event)
        tokens = logprobs_of(event.extras) if event.extras else []
        told = {"content": tokens, "refusal": None}
        return [self._more({"index": 0, "delta": {}, "logprobs": told, "finish_reason": None})] if tokens else []

    def _call_end(self, part: ToolCall, event: PartEnd) -> list[bytes]:
        out: list[bytes] = []
        if not self._arguments and part.kind is not ToolKind.CUSTOM:
            out.append(self._head + b'"{}"}}]' + self._tail)
        kept = kept_signature(event.seal, self._meta) if part.seal is None else ""
        if kept:
            out.append(self._chunk({"tool_calls": [{"index": self._calls, "extra_content": sealed_call(kept)}]}))
        return out

    def _on_finish(self, event: Finish) -> list[bytes]:
        reason = finish_reason(event.stop, called=self._calls >= 0, refused=self._refused)
        return self._close({"index": 0, "delta": {}, "finish_reason": reason}, usage=None)
