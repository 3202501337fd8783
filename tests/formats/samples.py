"""What tests of the formats share: the way back of a request, and streams as servers write them."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from llr.base.ids import CountingIds
from llr.base.names import FormatId
from llr.formats.base import Meta, Target
from llr.formats.table import FORMATS
from llr.formats.translate import decode
from llr.ir.events import Event, Failed, Finish, PartDelta, PartEnd, PartStart, Start, Stop, Usage, UsageSeen
from llr.ir.parts import (
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Seal,
    SourceKind,
    Text,
    ToolCall,
    ToolKind,
    ToolResult,
)
from llr.ir.request import ChatRequest, Tool
from llr.ir.response import ChatResponse

A, C, R = FormatId.MESSAGES, FormatId.CHAT, FormatId.RESPONSES
L, G = FormatId.COMPLETIONS, FormatId.GEMINI
KEY = b"key of tests"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CLAUDE, GPT = Target("claude-sonnet-4-5", issuer="anthropic"), Target("gpt-4o", issuer="openai")
NOTHING = ChatRequest("alias")


def meta(upstream: FormatId, request: ChatRequest = NOTHING, **changes: Any) -> Meta:
    """Returns the way back of a request."""
    given = {"issuer": "prov", "upstream_model": "real", "key": KEY, **changes}
    return Meta("alias", request, CountingIds(), 1_795_349_734.5, upstream, **given)


def asked(client: FormatId, body: dict[str, Any]) -> ChatRequest:
    """Returns the decoded request of a client's body."""
    return decode(body, FORMATS[client], keys=(KEY,))


def events(*items: tuple[str, dict[str, Any]] | dict[str, Any]) -> bytes:
    """Returns Messages events as the vendor writes them."""
    out = b""
    for item in items:
        body = item if isinstance(item, dict) else {"type": item[0], **item[1]}
        out += f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()
    return out


def chunk(delta: dict[str, Any] | None = None, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """Returns one Chat chunk."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason}
    base = {"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 5, "model": "real", "choices": [choice]}
    return {**base, **fields}


def call(index: int | None, arguments: str | None = None, call_id: str = "", name: str = "") -> dict[str, Any]:
    """Returns a delta with one fragment of a tool call."""
    entry: dict[str, Any] = {} if index is None else {"index": index}
    function: dict[str, Any] = {}
    if call_id:
        entry |= {"id": call_id, "type": "function"}
    if name:
        function["name"] = name
    if arguments is not None:
        function["arguments"] = arguments
    return {"tool_calls": [{**entry, "function": function}]}


def chat(*chunks: dict[str, Any], done: bool = True) -> bytes:
    """Returns chunks as a Chat server writes them."""
    out = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks)
    return (out + ("data: [DONE]\n\n" if done else "")).encode()


# -- random answers and histories -------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
spoken = words.map(lambda text: text + "x")
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
wild_names = st.one_of(names, st.text("abc.: /é_-", min_size=1, max_size=80))
ids = st.one_of(st.from_regex(r"call_[a-z0-9]{1,4}", fullmatch=True), st.text("ab:./ é", min_size=1, max_size=60))
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), words),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=2)),
    max_leaves=4,
)
objects = st.dictionaries(words, json_values, max_size=3)
arguments = objects.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")))
wild_arguments = st.one_of(arguments, st.sampled_from(["", "{", "[1]", "null", '"x"', "not json"]))
pictures = st.one_of(
    st.just(Media(MediaKind.IMAGE, SourceKind.DATA, PNG, "image/png")),
    st.just(Media(MediaKind.IMAGE, SourceKind.URL, "https://example.test/a.png")),
    st.just(Media(MediaKind.IMAGE, SourceKind.URL, "http://example.test/a.png")),
    st.just(Media(MediaKind.IMAGE, SourceKind.DATA, "AAAA", "image/tiff")),
    st.just(Media(MediaKind.DOCUMENT, SourceKind.DATA, "JVBERi0xLjQ=", "application/pdf", "a.pdf")),
    st.just(Media(MediaKind.DOCUMENT, SourceKind.TEXT, "words", "text/plain", "notes")),
    st.just(Media(MediaKind.DOCUMENT, SourceKind.URL, "https://example.test/a.pdf")),
    st.just(Media(MediaKind.AUDIO, SourceKind.DATA, "AAAA", "audio/wav")),
)
texts = st.one_of(words, st.sampled_from(["", " ", "\n\n"])).map(Text)
seals = st.one_of(
    st.none(), st.just(Seal(A, "sig")), st.just(Seal(R, "enc", "p", "m")), st.just(Seal(C, {"h": "0"}, "p", "m"))
)
thoughts = st.builds(Reasoning, text=words, seal=seals, redacted=st.just(False))


@st.composite
def tool_calls(draw: st.DrawFn) -> ToolCall:
    """A call of any kind with any arguments."""
    if draw(st.integers(0, 5)) == 0:
        return ToolCall(draw(ids), draw(wild_names), draw(words), ToolKind.CUSTOM)
    return ToolCall(draw(ids), draw(wild_names), draw(wild_arguments), namespace=draw(st.sampled_from(["", "", "ns"])))


results = st.builds(
    ToolResult,
    call_id=ids,
    parts=st.lists(st.one_of(texts, pictures), max_size=3).map(tuple),
    is_error=st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn) -> ChatRequest:
    """A request with any history: dangling calls, orphan results, empty turns, odd roles, repeated ids."""
    messages: list[Message] = []
    open_calls: list[str] = []
    for _ in range(draw(st.integers(0, 7))):
        role = draw(
            st.sampled_from([Role.USER, Role.USER, Role.ASSISTANT, Role.ASSISTANT, Role.SYSTEM, Role.DEVELOPER])
        )
        parts: list[Part]
        if role is Role.ASSISTANT:
            parts = draw(st.lists(st.one_of(texts, thoughts, tool_calls(), st.builds(Refusal, words)), max_size=4))
            open_calls = [part.id for part in parts if isinstance(part, ToolCall)]
        elif role is Role.USER:
            answered = [ToolResult(each, (Text(draw(words)),)) for each in open_calls if draw(st.integers(0, 4))]
            parts = [*answered, *draw(st.lists(st.one_of(texts, pictures, results), max_size=3))]
            if answered:
                open_calls = []
        else:
            parts = draw(st.lists(texts, max_size=2).map(list))
        messages.append(Message(role, tuple(parts)))
    messages.append(Message(Role.USER, (Text("go on"),)))
    tools = draw(st.lists(st.builds(Tool, name=wild_names, parameters=st.sampled_from(SCHEMAS)), max_size=3))
    unique = {tool.name: tool for tool in tools}
    system = tuple(draw(st.lists(texts, max_size=2)))
    return ChatRequest("alias", system, tuple(messages), tuple(unique.values()))


SCHEMAS: tuple[Any, ...] = (
    None,
    {},
    {"type": "object"},
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"a": {"type": "string"}}},
    {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object"}]},
)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """A legal answer of any shape as events."""
    out: list[Event] = [Start(draw(st.sampled_from(["", "msg_1", "chatcmpl-1", "resp_1"])), "real")]
    if draw(st.booleans()):
        out.append(UsageSeen(Usage(fresh=draw(st.integers(0, 99)), output=1)))
    shapes = draw(st.lists(st.sampled_from(["text", "refusal", "thought", "call", "custom"]), max_size=4))
    for index, shape in enumerate(shapes):
        out += draw(_part(index, shape))
    if draw(st.booleans()):
        out.append(UsageSeen(Usage(fresh=5, cache_read=2, output=draw(st.integers(0, 99)), reasoning=1)))
    called = "call" in shapes or "custom" in shapes
    stops = [Stop.TOOL] if called else [stop for stop in Stop if stop is not Stop.TOOL]
    out.append(Finish(draw(st.sampled_from(stops))))
    return out


@st.composite
def _part(draw: st.DrawFn, index: int, shape: str) -> list[Event]:
    pieces = draw(st.lists(words, max_size=3))
    match shape:
        case "text":
            return [PartStart(index, Text("")), *_deltas(index, pieces), PartEnd(index)]
        case "refusal":
            return [PartStart(index, Refusal("")), *_deltas(index, pieces), PartEnd(index)]
        case "thought":
            seal = draw(seals)
            return [PartStart(index, Reasoning()), *_deltas(index, pieces), PartEnd(index, seal)]
        case "custom":
            part = ToolCall(f"c{index}", draw(names), "", ToolKind.CUSTOM)
            return [PartStart(index, part), *_deltas(index, pieces), PartEnd(index)]
        case _:
            text = draw(arguments)
            cut = draw(st.integers(0, len(text)))
            part = ToolCall(f"c{index}", draw(names), "")
            return [PartStart(index, part), *_deltas(index, [text[:cut], text[cut:]]), PartEnd(index)]


def _deltas(index: int, pieces: Iterable[str]) -> list[PartDelta]:
    return [PartDelta(index, piece) for piece in pieces]


def said(response: ChatResponse) -> str:
    """Returns the text of an answer."""
    return "".join(part.text for part in response.parts if isinstance(part, Text))


def gist(response: ChatResponse) -> tuple[Any, ...]:
    """Returns what an answer says, however its format cuts it: words, thinking, refusals, calls, stop."""
    parts = response.parts
    thoughts = [part.text or "\n\n".join(part.summary) for part in parts if isinstance(part, Reasoning)]
    calls = [(part.name, _plain(part.arguments), part.kind) for part in parts if isinstance(part, ToolCall)]
    refused = "".join(part.text for part in parts if isinstance(part, Refusal))
    # Chat has one text for all thinking; the blank lines between its pieces are its own.
    return said(response), "".join(thoughts).replace("\n", ""), refused, calls, response.stop


def _plain(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def failed(items: Iterable[Event]) -> Failed:
    """Returns the failure a stream ends in."""
    last = [*items][-1]
    assert isinstance(last, Failed)
    return last
