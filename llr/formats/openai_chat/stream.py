"""Streams of Chat Completions to events.

Law: complete once every choice has a finish reason (or `[DONE]` came after an answer); an end before that is a failure.
The end waits for the usage chunk that may follow the finish reason.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import InvalidJSON, loads_answer
from llr.base.names import FormatId
from llr.formats.errors import stream_fault, truncated
from llr.formats.openai_chat.calls import Calls
from llr.formats.openai_chat.parts import (
    CHAT,
    DETAILS,
    FIELD,
    NAME,
    REASONING_FIELDS,
    SIGNATURE,
    arguments_text,
    details_text,
    server_seal,
)
from llr.formats.openai_chat.response import citations, stop_of, with_logprobs
from llr.formats.openai_chat.usage import decode_usage
from llr.formats.reading import instant, integer, luggage, rows, table, tables, text, words
from llr.formats.sequencer import Sequencer
from llr.ir.events import Event, Failed, Finish, Start, UsageSeen
from llr.ir.parts import NO_EXTRAS, Extras, Part, Reasoning, Refusal, Seal, Text
from llr.wire.sse import SSEEvent, SSEParser

_CHUNK = words("id object created model choices usage error x_groq")
_PLAIN_DELTA = words("content role")
_EMPTY: Mapping[str, Part] = {"text": Text(""), "refusal": Refusal(""), "reasoning": Reasoning()}
# Reasoning of a server that has another name for the field: a client of this format gets it under that name.
_NAMED = {name: Reasoning(extras={CHAT: {FIELD: name}}) for name in REASONING_FIELDS[1:]}


class StreamDecoder:
    """Bytes of a Chat stream in, events out."""

    def __init__(self) -> None:
        self._parser = SSEParser()
        self._parts = Sequencer()
        self._calls = Calls(self._parts)
        self._started = False
        self._ended = False
        self._finished: set[int] = set()
        self._seen: set[int] = set()
        self._reason = ""
        # The open text-like part: its kind, and what it needs at its end.
        self._kind = ""
        self._number = 0
        self._space = ""
        # What the answer says so far: annotations point into it.
        self._spoken: list[str] = []
        self._field = ""
        self._signature = ""
        self._details: list[Any] = []
        self._thought: list[str] = []
        self._refused = False
        self._tokens: list[Any] = []

    def feed(self, item: bytes, /) -> Iterable[Event]:
        """Returns the events in this chunk."""
        out: list[Event] = []
        for event in self._parser.feed(item):
            self._event(event, out)
        return out

    def finish(self) -> Iterable[Event]:
        """Returns the end: `Finish` when every choice has its finish reason, else `Failed`."""
        out: list[Event] = []
        for event in self._parser.finish():
            self._event(event, out)
        if not self._ended:
            if self._complete():
                self._end(out)
            else:
                self._fail(truncated("a finish reason"), out)
        return out

    def _complete(self) -> bool:
        return bool(self._finished) and self._seen <= self._finished

    def _event(self, event: SSEEvent, out: list[Event]) -> None:
        if self._ended:
            return
        data = event.data
        if data == b"[DONE]" or data.strip() == b"[DONE]":
            self._done(out)
            return
        try:
            chunk = loads_answer(data)
        except InvalidJSON:
            if event.event == "error":
                self._fail(stream_fault(data.decode("utf-8", "replace")), out)
            return
        if self._kind == "text" and (content := _plain_text(chunk)):
            self._spoken.append(content)
            self._parts.delta(self._number, content, out)
        elif event.event == "error" or (isinstance(chunk, dict) and chunk.get("error")):
            self._fail(stream_fault(chunk), out)
        elif isinstance(chunk, dict):
            self._chunk(chunk, out)

    def _done(self, out: list[Event]) -> None:
        if self._complete() or self._parts.count or self._space or len(self._calls):
            self._end(out)
        else:
            self._fail(Fault(ErrorKind.UPSTREAM_TRUNCATED, "the upstream's stream is empty"), out)

    def _chunk(self, chunk: Mapping[str, Any], out: list[Event]) -> None:
        choices = chunk.get("choices")
        if not choices:
            self._usage(chunk, out)
            if self._complete() and chunk.get("usage"):
                self._end(out)
            return
        if not self._started:
            self._start(chunk, out)
        for _, choice in tables(choices):
            self._choice(choice, out)
            if self._ended:
                return
        if chunk.get("usage") or "x_groq" in chunk:
            self._usage(chunk, out)
            if self._complete() and chunk.get("usage"):
                self._end(out)

    def _start(self, chunk: Mapping[str, Any], out: list[Event]) -> None:
        self._started = True
        extras = luggage(CHAT, chunk, _CHUNK)
        created = instant(chunk.get("created"))
        out.append(Start(text(chunk.get("id")), text(chunk.get("model")), created, extras))

    def _usage(self, chunk: Mapping[str, Any], out: list[Event]) -> None:
        usage = decode_usage(chunk.get("usage")) or decode_usage(table(chunk.get("x_groq")).get("usage"))
        if usage is not None:
            if not self._started:
                self._start(chunk, out)
            out.append(UsageSeen(usage))

    def _choice(self, choice: Mapping[str, Any], out: list[Event]) -> None:
        index = integer(choice.get("index")) or 0
        self._seen.add(index)
        reason = choice.get("finish_reason")
        if index == 0:
            self._tokens += rows(table(choice.get("logprobs")).get("content"))
            delta = choice.get("delta")
            if isinstance(delta, dict):
                content = delta.get("content")
                if isinstance(content, str) and delta.keys() <= _PLAIN_DELTA:
                    if content:
                        self._text(content, out)
                else:
                    self._delta(delta, out)
            elif isinstance(choice.get("text"), str) and choice["text"]:
                self._text(choice["text"], out)
            if isinstance(choice.get("message"), dict):
                self._message(choice["message"], out)
            if choice.get("usage"):
                self._usage(choice, out)
        if isinstance(reason, str) and reason:
            if reason == "error":
                broken = Fault(ErrorKind.UPSTREAM_REJECTED, "the upstream broke the answer off with an error", 502)
                self._fail(stream_fault(choice) if choice.get("error") else broken, out)
                return
            self._finished.add(index)
            self._reason = reason if index == 0 else self._reason

    def _delta(self, delta: Mapping[str, Any], out: list[Event]) -> None:
        self._reasoning(delta, out)
        content = delta.get("content")
        if isinstance(content, str):
            if content:
                self._text(content, out)
        elif content:
            self._content_list(content, out)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            self._say("refusal", refusal, out)
        for item in rows(delta.get("annotations")):
            self._annotate(item, out)
        for _, entry in tables(delta.get("tool_calls")):
            self._leave(out)
            self._calls.add(entry, out)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            self._leave(out)
            self._calls.add({"index": 0, "function": legacy}, out)

    def _reasoning(self, delta: Mapping[str, Any], out: list[Event]) -> None:
        said = ""
        for name in REASONING_FIELDS:
            value = delta.get(name)
            if isinstance(value, str) and value:
                said, self._field = value, name
                break
        details = delta.get("reasoning_details")
        if isinstance(details, list) and details:
            said = said or details_text(details)
            if said or self._kind == "reasoning":
                self._say("reasoning", said, out)
            self._details += details
            return
        blocks = [block for _, block in tables(delta.get("thinking_blocks"))]
        if not blocks:
            self._think(said, out)
        for block in blocks:
            self._block(block, said, out)
            said = ""

    def _block(self, block: Mapping[str, Any], said: str, out: list[Event]) -> None:
        """A piece of a `thinking_blocks` entry, with what the delta says beside it; a redacted one comes whole."""
        if block.get("type") == "redacted_thinking":
            self._think(said, out)
            self._leave(out)
            self._calls.yield_turn(out)
            self._number += 1
            self._parts.open(self._number, Reasoning("", (), server_seal(block), True), out)
            self._parts.close(self._number, out)
            return
        # A block that closes the thinking repeats all of it beside its signature.
        whole = text(block.get("thinking"))
        self._think(said or ("" if "".join(self._thought).endswith(whole) else whole), out)
        self._signature = text(block.get("signature")) or self._signature

    def _think(self, said: str, out: list[Event]) -> None:
        if not said:
            return
        if self._signature:
            # What was signed is over: this is another thought.
            self._leave(out)
        self._say("reasoning", said, out)
        self._thought.append(said)

    def _content_list(self, content: Any, out: list[Event]) -> None:
        for _, item in tables(content):
            if item.get("type") == "thinking":
                inner = item.get("thinking")
                said = inner if isinstance(inner, str) else "".join(text(t.get("text")) for _, t in tables(inner))
                if said:
                    self._say("reasoning", said, out)
            elif text(item.get("text")):
                self._text(item["text"], out)

    def _text(self, content: str, out: list[Event]) -> None:
        """Leading white space waits for the first visible text, so that no empty block comes before a call."""
        if self._kind != "text":
            if not content.strip():
                self._space += content
                return
            content, self._space = self._space + content, ""
        self._spoken.append(content)
        self._say("text", content, out)

    def _say(self, kind: str, content: str, out: list[Event]) -> None:
        if self._kind != kind:
            self._leave(out)
            self._calls.yield_turn(out)
            self._kind = kind
            self._number += 1
            named = _NAMED.get(self._field) if kind == "reasoning" else None
            self._parts.open(self._number, named or _EMPTY[kind], out)
        if content:
            self._parts.delta(self._number, content, out)

    def _leave(self, out: list[Event]) -> None:
        if not self._kind:
            return
        seal: Seal | None = None
        if self._kind == "reasoning":
            seal = self._seal()
        tokens: Extras = NO_EXTRAS
        if self._kind == "text" and self._tokens:
            tokens, self._tokens = with_logprobs(self._tokens), []
        self._parts.close(self._number, out, seal, tokens)
        self._kind = ""

    def _seal(self) -> Seal | None:
        """What the server itself needs to see again with its reasoning, None when the text is all there is."""
        data: dict[str, Any] = {}
        if self._details:
            data[DETAILS] = merged_details(self._details)
        if self._signature:
            data[SIGNATURE] = self._signature
        if self._field == "reasoning":
            data[NAME] = self._field
        self._details, self._signature = [], ""
        self._thought.clear()
        return Seal(FormatId.CHAT, data) if data else None

    def _annotate(self, item: Any, out: list[Event]) -> None:
        if self._kind == "text":
            # Joined once, not for each of many annotations.
            self._spoken = ["".join(self._spoken)]
            for citation in citations([item], self._spoken[0]):
                self._parts.delta(self._number, "", out, citation=citation)

    def _message(self, message: Mapping[str, Any], out: list[Event]) -> None:
        """A whole message inside a chunk: used only for what no delta has brought."""
        if not self._spoken and not self._refused:
            self._delta({key: message.get(key) for key in ("content", "refusal")}, out)
        if not len(self._calls):
            for place, entry in tables(message.get("tool_calls")):
                self._leave(out)
                self._calls.add({"index": place, **entry}, out)
            legacy = message.get("function_call")
            if isinstance(legacy, dict):
                self._leave(out)
                arguments = arguments_text(legacy.get("arguments"))
                self._calls.add({"function": {**legacy, "arguments": arguments}}, out)

    def _end(self, out: list[Event]) -> None:
        if not self._started:
            self._start({}, out)
        self._leave(out)
        self._calls.finish(out)
        if self._space and not self._parts.count:
            self._say("text", self._space, out)
            self._leave(out)
        self._parts.close_all(out)
        out.append(Finish(stop_of(self._reason, called=len(self._calls) > 0, refused=self._refused)))
        self._ended = True

    def _fail(self, fault: Fault, out: list[Event]) -> None:
        if not self._started:
            self._start({}, out)
        out.append(Failed(fault))
        self._ended = True


def _plain_text(chunk: Any) -> str:
    """Returns the text of a chunk that holds nothing else of its one choice, "" for every other chunk."""
    try:
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        content = delta["content"]
    except (KeyError, TypeError, ValueError):
        return ""
    if choice.get("finish_reason") or choice.get("index") or not isinstance(content, str):
        return ""
    if len(delta) > 1 and not delta.keys() <= _PLAIN_DELTA:
        return ""
    if choice.get("logprobs") or "message" in choice or "usage" in choice:
        return ""
    return "" if chunk.get("usage") or chunk.get("error") else content


def merged_details(details: list[Any]) -> list[Any]:
    """Returns `reasoning_details` fragments put together: pieces with one index and type are one entry."""
    merged: list[Any] = []
    for item in details:
        last = merged[-1] if merged else None
        if not isinstance(item, dict) or not isinstance(last, dict) or not _same_entry(item, last):
            merged.append(dict(item) if isinstance(item, dict) else item)
            continue
        for key, value in item.items():
            if key in ("text", "summary", "data") and isinstance(value, str) and isinstance(last.get(key), str):
                last[key] += value
            elif value is not None:
                last[key] = value
    return merged


def _same_entry(item: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    return item.get("index") is not None and all(item.get(key) == last.get(key) for key in ("type", "index"))
