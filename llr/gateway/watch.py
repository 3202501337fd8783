"""What a stream's events mean to the gateway: content, completion, errors, usage. It reads a copy and changes nothing.

Law: before the commit point every event is read; after it only those a needle finds, at the speed of `re`. A needle
may find too much (the event is then read and means nothing), never too little: JSON inside a string has its quotes
escaped, so a key's text in a message cannot look like the key.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from llr.base.errors import Fault
from llr.base.jsonio import JSON, InvalidJSON, loads_answer, object_in
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.formats.errors import stream_fault
from llr.gateway import said
from llr.wire.sse import BOM, parse_block, split_events


@dataclass(frozen=True, slots=True)
class Signs:
    """What one event says. `done` are the choices that finished with it; `last` is the format's closing event.

    `content` is something worth showing; a start of text and an ordinary end are nothing by themselves.
    """

    content: bool = False
    done: frozenset[int] = frozenset()
    last: bool = False
    fault: Fault | None = None


NOTHING = Signs()
_FIRST = frozenset({0})
_CONTENT = Signs(content=True)
_LAST = Signs(last=True)
_DONE = Signs(content=True, done=_FIRST)
_DONE_PLAIN = Signs(done=_FIRST)
_DONE_LAST = Signs(content=True, done=_FIRST, last=True)
_DONE_LAST_PLAIN = Signs(done=_FIRST, last=True)
Reader = Callable[[str, Mapping[str, Any]], Signs]


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def read_chat(name: str, value: Mapping[str, Any]) -> Signs:
    """Returns the signs of a Chat or Completions chunk."""
    if value.get("error") or name == "error":
        return Signs(fault=stream_fault(value))
    content, done = False, set[int]()
    for place, choice in enumerate(said.rows(value.get("choices"))):
        reason = choice.get("finish_reason")
        if reason == "error":
            return Signs(fault=stream_fault(choice if choice.get("error") else value))
        if isinstance(reason, str) and reason:
            done.add(_number(choice.get("index"), place))
        content = content or said.in_choice(choice)
    return Signs(content, frozenset(done)) if content or done else NOTHING


def read_messages(name: str, value: Mapping[str, Any]) -> Signs:
    """Returns the signs of a Messages event."""
    kind = value.get("type") or name
    if kind == "error" or name == "error":
        return Signs(fault=stream_fault(value))
    if kind == "content_block_delta":
        return _CONTENT
    if kind == "content_block_start":
        return _CONTENT if said.in_block(value.get("content_block")) else NOTHING
    if kind == "message_delta":
        delta = value.get("delta")
        if not isinstance(delta, dict) or not delta.get("stop_reason"):
            return NOTHING
        return _DONE_PLAIN if said.is_plain_end(delta) else _DONE
    return _LAST if kind == "message_stop" else NOTHING


_RESPONSES_PRELUDE = frozenset({"response.created", "response.in_progress", "response.queued"})
_RESPONSES_ITEMS = frozenset({"response.output_item.added", "response.output_item.done"})
_RESPONSES_PARTS = frozenset({"response.content_part.added", "response.content_part.done"})
_RESPONSES_TEXTS = frozenset({"response.output_text.done", "response.refusal.done"})
_RESPONSES_END = frozenset({"response.completed", "response.incomplete", "response.cancelled"})


def read_responses(name: str, value: Mapping[str, Any]) -> Signs:
    """Returns the signs of a Responses event."""
    kind = value.get("type") or name
    if kind == "error" or name == "error":
        return Signs(fault=stream_fault(value if value.get("error") else {"error": value}))
    if kind == "response.failed":
        response = value.get("response")
        error = response.get("error") if isinstance(response, dict) else None
        return Signs(last=True, fault=stream_fault({"error": error or "the response failed"}))
    if not isinstance(kind, str):
        return NOTHING
    if kind in _RESPONSES_END:
        response = value.get("response")
        plain = kind == "response.completed" and isinstance(response, dict) and not said.in_response(response)
        return _DONE_LAST_PLAIN if plain else _DONE_LAST
    if kind in _RESPONSES_ITEMS:
        return _CONTENT if said.in_item(value.get("item")) else NOTHING
    if kind in _RESPONSES_PARTS:
        return _CONTENT if said.in_part(value.get("part")) else NOTHING
    if kind in _RESPONSES_TEXTS:
        return _CONTENT if value.get("text") or value.get("refusal") else NOTHING
    known = kind.startswith("response.") and kind not in _RESPONSES_PRELUDE
    return _CONTENT if known else NOTHING


def read_gemini(name: str, value: Mapping[str, Any]) -> Signs:
    """Returns the signs of a `streamGenerateContent` chunk."""
    if value.get("error") or name == "error":
        return Signs(fault=stream_fault(value))
    feedback = value.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return _DONE
    content, done = False, set[int]()
    for place, candidate in enumerate(said.rows(value.get("candidates"))):
        content = content or said.in_candidate(candidate)
        if candidate.get("finishReason"):
            done.add(_number(candidate.get("index"), place))
    return Signs(content, frozenset(done)) if content or done else NOTHING


_NOT_SAID = frozenset(("role", "id", "type", "name", "signature", "thoughtSignature", "encrypted_content"))


def letters(value: Any) -> int:
    """Returns how many characters of content an event's delta brings."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(letters(item) for key, item in value.items() if key not in _NOT_SAID)
    return sum(letters(item) for item in value) if isinstance(value, list) else 0


def said_in(value: Mapping[str, Any]) -> int:
    """Returns the characters of content in one event of any format."""
    rows = said.rows(value.get("choices"))
    choices = sum(letters(choice.get("delta")) + letters(choice.get("text")) for choice in rows)
    parts = sum(letters(candidate.get("content")) for candidate in said.rows(value.get("candidates")))
    return choices + parts + letters(value.get("delta"))


@dataclass(frozen=True, slots=True)
class Grammar:
    """How one format's streams are read. `closing` is what may be missing after completion; `done` a bare end mark."""

    read: Reader
    needle: re.Pattern[bytes]
    closing: bytes = b""
    done: bytes = b""


_CHAT = Grammar(
    read_chat,
    re.compile(rb'"finish_reason"\s*:\s*"|"error"\s*:\s*[^\sn]|event:\s*error|data:\s*\[DONE\]'),
    b"data: [DONE]\n\n",
    b"[DONE]",
)
_RESPONSES_NAMES = rb"(?:error|response\.(?:completed|incomplete|cancelled|failed))"
GRAMMARS: Mapping[FormatId, Grammar] = {
    FormatId.CHAT: _CHAT,
    FormatId.COMPLETIONS: _CHAT,
    FormatId.MESSAGES: Grammar(
        read_messages,
        re.compile(rb'"stop_reason"\s*:\s*"|"type"\s*:\s*"(?:error|message_stop)"|event:\s*(?:error|message_stop)'),
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
    FormatId.RESPONSES: Grammar(
        read_responses, re.compile(rb'"type"\s*:\s*"%b"|event:\s*%b' % (_RESPONSES_NAMES, _RESPONSES_NAMES))
    ),
    FormatId.GEMINI: Grammar(
        read_gemini, re.compile(rb'"finishReason"\s*:\s*"|"error"\s*:\s*[^\sn]|"blockReason"|event:\s*error')
    ),
}


class StreamWatch:
    """What is known of one stream so far.

    `complete` tells that the format's mark was seen, `closed` that its closing event was relayed, `fault` what an event
    of the stream said went wrong. `usage_events` are the first and the last event that speak of usage.
    """

    __slots__ = (
        "_choices",
        "_done",
        "_grammar",
        "_measured",
        "chars",
        "closed",
        "complete",
        "content",
        "events",
        "fault",
        "usage_events",
    )

    def __init__(self, format_id: FormatId, choices: int = 1, *, measured: bool = False) -> None:
        """`measured` counts the characters of content while every event is read."""
        self._measured = measured
        self.chars = 0
        self._grammar = GRAMMARS[format_id]
        self._choices = max(1, choices)
        self._done = set[int]()
        self.content = self.complete = self.closed = False
        self.events = 0
        self.fault: Fault | None = None
        self.usage_events: list[bytes] = []

    def read(self, block: bytes) -> bytes:
        """Reads every event of a run and returns what of it may be relayed.

        A closing event before completion, or after an error, is kept back, with all that follows it.
        """
        return self._events(block, every=True)

    def look(self, block: bytes) -> bytes:
        """Does as `read`, but reads only events in which a needle is found."""
        if b"usage" in block:
            self._note_usage(block)
        if self._grammar.needle.search(block) is None:
            return block
        return self._events(block, every=False)

    def _events(self, block: bytes, *, every: bool) -> bytes:
        at = 0
        for raw in split_events(block):
            if every or self._grammar.needle.search(raw):
                if every and b"usage" in raw:
                    self._note_usage(raw)
                if not self._event(raw):
                    return block[:at]
            at += len(raw)
        return block

    def _note_usage(self, block: bytes) -> None:
        del self.usage_events[1:]
        self.usage_events.append(block)

    def _event(self, raw: bytes) -> bool:
        """Reads one event; returns False for a closing event that must not be relayed."""
        name, data = parse_block((raw if self.events else raw.removeprefix(BOM)).lstrip(b"\r\n"))
        if data is None:
            return True
        signs = self._signs(name, data)
        if signs is None:
            return True
        self.events += 1
        self.content = self.content or signs.content
        if signs.fault is not None:
            self.fault = self.fault or signs.fault
            self.closed = self.closed or signs.last
            return True
        self._done |= signs.done
        self.complete = self.complete or len(self._done) >= self._choices
        if signs.last:
            if not self.complete or self.fault is not None:
                return False
            self.closed = True
        return True

    def _signs(self, name: str, data: bytes) -> Signs | None:
        if self._grammar.done and data.strip() == self._grammar.done:
            return _LAST
        try:
            value = loads_answer(data)
        except InvalidJSON:
            # "event: error" with plain words is an error all the same; other text is no event of this format.
            return Signs(fault=stream_fault(data.decode("utf-8", "replace"))) if name == "error" else None
        if not isinstance(value, dict):
            return None
        if self._measured:
            self.chars += said_in(value)
        return self._grammar.read(name, value)

    def whole(self, tail: bytes) -> bool:
        """Returns whether the last event, which no blank line ended, was cut nowhere else."""
        name, data = parse_block(tail.lstrip(b"\r\n"))
        if data is None:
            return False
        if name == "error" or (self._grammar.done and data.strip() == self._grammar.done):
            return True
        return object_in(data) is not None

    @property
    def closing(self) -> bytes:
        """Returns the events a complete stream still misses."""
        return b"" if self.closed else self._grammar.closing

    def usage_values(self) -> list[Mapping[str, Any]]:
        """Returns the objects that speak of usage, earliest first."""
        values: list[Mapping[str, Any]] = []
        for block in self.usage_events:
            for raw in split_events(block):
                data = parse_block(raw.lstrip(b"\r\n"))[1] if b"usage" in raw else None
                value = object_in(data) if data else None
                if value is not None:
                    values.append(value)
        return values


def first_object(block: bytes) -> dict[str, JSON] | None:
    """Returns the object that the first event with data in a run holds, None when it holds none."""
    for raw in split_events(block):
        _, data = parse_block(raw.lstrip(b"\r\n"))
        if data is not None:
            return object_in(data)
    return None
