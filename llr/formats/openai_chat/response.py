"""Whole answers of Chat Completions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llr.base.errors import ErrorKind, Fault, GatewayError, fail
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats import carrier
from llr.formats.base import Meta
from llr.formats.errors import stream_fault
from llr.formats.foreign import media_words, opaque_text
from llr.formats.ids import RULES, legal_id
from llr.formats.openai_chat.parts import (
    CHAT,
    DETAILS,
    FIELD,
    NAME,
    REASONING_FIELDS,
    REDACTED,
    SIGNATURE,
    attach,
    decode_call,
    decode_content,
    decode_reasoning,
    sealed_call,
    thinking_block,
)
from llr.formats.openai_chat.usage import decode_usage, encode_usage
from llr.formats.reading import bag, instant, integer, luggage, noted, rows, table, tables, text, unload, words
from llr.ir.events import Stop
from llr.ir.parts import (
    NO_EXTRAS,
    Extras,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolKind,
    ToolResult,
)
from llr.ir.response import ChatResponse

# Stop words of OpenAI and of the servers that speak its format; "sensitive" is Zhipu's filter.
STOPS: Mapping[str, Stop] = {
    "stop": Stop.DONE,
    "length": Stop.LENGTH,
    "max_tokens": Stop.LENGTH,
    "tool_calls": Stop.TOOL,
    "function_call": Stop.TOOL,
    "content_filter": Stop.POLICY,
    "sensitive": Stop.POLICY,
}
REASONS: Mapping[Stop, str] = {
    Stop.DONE: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.CONTEXT_FULL: "length",
    Stop.TOOL: "tool_calls",
    Stop.POLICY: "content_filter",
    Stop.PAUSE: "stop",
    Stop.CANCELLED: "stop",
}
# Notes: choices beyond the first and what stood beside the message in the first one.
CHOICES = "~choices"
CHOICE = "~choice"
MESSAGE = "~message"
_KNOWN = words("id object created model choices usage")
_CHOICE = words("index message finish_reason")
_MESSAGE = words(
    "role content refusal tool_calls function_call annotations reasoning_content reasoning thinking_blocks "
    "reasoning_details"
)


def decode_response(body: Mapping[str, JSON]) -> ChatResponse:
    """Returns the answer in a body. Raises `GatewayError` for an error object or something else in a 200."""
    choices = [choice for _, choice in tables(body.get("choices"))]
    if body.get("error") or (body.get("object") == "error" and not choices):
        raise GatewayError(stream_fault(dict(body)))
    if not choices:
        raise fail(ErrorKind.UPSTREAM_INVALID, "the upstream's answer is not a chat completion: it has no choices")
    first = choices[0]
    reason = text(first.get("finish_reason"))
    if reason == "error":
        raise GatewayError(stream_fault(first) if first.get("error") else _broken())
    message = table(first.get("message"))
    parts = _message_parts(message, first)
    called = any(isinstance(part, ToolCall) for part in parts)
    usage = decode_usage(body.get("usage"), whole=True) or decode_usage(first.get("usage"))
    return ChatResponse(
        id=text(body.get("id")),
        model=text(body.get("model")),
        parts=parts,
        stop=stop_of(reason, called=called, refused=any(isinstance(part, Refusal) for part in parts)),
        created_at=instant(body.get("created")),
        usage=usage or decode_usage(table(body.get("x_groq")).get("usage")),
        extras=_extras(body, choices, message),
    )


def _broken() -> Fault:
    return Fault(ErrorKind.UPSTREAM_REJECTED, "the upstream broke the answer off with an error", 502)


def stop_of(reason: str, *, called: bool, refused: bool) -> Stop:
    """Returns the stop a finish reason means; servers say "stop", or nothing, after tool calls and refusals too."""
    stop = STOPS.get(reason, Stop.DONE)
    if stop is not Stop.DONE:
        return stop
    return Stop.TOOL if called else Stop.POLICY if refused else stop


def _message_parts(message: Mapping[str, Any], choice: Mapping[str, Any]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in decode_reasoning(message, ""):
        parts.append(_sealed_here(part) if isinstance(part, Reasoning) else part)
    content = message.get("content", choice.get("text"))
    if isinstance(content, str):
        tokens = with_logprobs(rows(table(choice.get("logprobs")).get("content")))
        parts += [Text(content, citations(message.get("annotations"), content), tokens)] if content else []
    else:
        parts += decode_thinking_list(content)
    refusal = text(message.get("refusal"))
    if refusal:
        parts.append(Refusal(refusal))
    parts += [decode_call(call, "") for _, call in tables(message.get("tool_calls"))]
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        known = text(message.get("tool_call_id")) or text(message.get("tool_use_id")) or "tool_0"
        parts.append(ToolCall(known, text(legacy.get("name")), text(legacy.get("arguments"))))
    return tuple(parts)


def _sealed_here(part: Reasoning) -> Reasoning:
    """Returns reasoning of an answer with its signature as this server's own: who wrote it is to see it again."""
    given = part.seal.data if part.seal is not None else None
    data = given if isinstance(given, dict) else {}
    if isinstance(given, str):
        data = {REDACTED if part.redacted else SIGNATURE: given}
    if not part.redacted and bag(part.extras, CHAT).get(FIELD) == "reasoning":
        data = {**data, NAME: "reasoning"}
    return replace(part, seal=Seal(CHAT, data) if data else None)


def with_logprobs(tokens: list[Any]) -> Extras:
    """Returns the luggage of a text with the chances of its tokens, which Chat and Responses write alike."""
    return {FormatId.RESPONSES: {"logprobs": tokens}} if tokens else NO_EXTRAS


def logprobs_of(extras: Extras) -> list[JSON]:
    """Returns the chances of a text's tokens, [] when nobody asked for them."""
    return rows(bag(extras, FormatId.RESPONSES).get("logprobs"))


def decode_thinking_list(content: Any) -> list[Part]:
    """Returns the parts of list content, where some servers put thinking between the text."""
    parts: list[Part] = []
    for _, item in tables(content):
        if item.get("type") == "thinking":
            said = item.get("thinking")
            spoken = said if isinstance(said, str) else "".join(text(each.get("text")) for _, each in tables(said))
            if spoken:
                parts.append(Reasoning(spoken))
        else:
            parts += decode_content([item], "")[0]
    return parts


def citations(annotations: Any, content: str) -> tuple[JSON, ...]:
    """Returns URL annotations as citations in the form all formats share."""
    out: list[JSON] = []
    for _, item in tables(annotations):
        cited = table(item.get("url_citation"))
        if cited:
            start, end = integer(cited.get("start_index")) or 0, integer(cited.get("end_index")) or 0
            out.append(
                {
                    "type": "web_search_result_location",
                    "url": text(cited.get("url")),
                    "title": text(cited.get("title")),
                    "cited_text": content[start:end],
                    "encrypted_index": "",
                    "llr_citation": item,
                }
            )
    return tuple(out)


def annotation(citation: Any, start: int, end: int) -> dict[str, Any] | None:
    """Returns a citation as an annotation over `start..end` of the content, None when it has no address."""
    given = table(citation)
    original = given.get("llr_citation")
    if isinstance(original, dict) and "url_citation" in original:
        return original
    url = text(given.get("url"))
    if not url:
        return None
    inner = {"url": url, "title": text(given.get("title")), "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": inner}


def _extras(body: Mapping[str, Any], choices: Sequence[Mapping[str, Any]], message: Mapping[str, Any]) -> Extras:
    extras = luggage(CHAT, body, _KNOWN)
    if len(choices) > 1:
        extras = noted(extras, CHAT, CHOICES, list(choices[1:]))
    beside = {key: value for key, value in choices[0].items() if key not in _CHOICE}
    if beside:
        extras = noted(extras, CHAT, CHOICE, beside)
    inside = {key: value for key, value in message.items() if key not in _MESSAGE}
    if inside:
        extras = noted(extras, CHAT, MESSAGE, inside)
    return noted(extras, CHAT, "~own", {key: message[key] for key in ("refusal", "annotations") if key in message})


def completion_id(upstream_id: str, meta: Meta) -> str:
    """Returns the id a client of this format gets: the upstream's with the prefix it needs, else a new one."""
    if not upstream_id:
        return meta.ids.new("chatcmpl_")
    return upstream_id if upstream_id.startswith("chatcmpl") else f"chatcmpl_{upstream_id}"


def reasoning_block(part: Reasoning, seal: Seal | None, said: str, meta: Meta) -> dict[str, Any] | None:
    """Returns the `thinking_blocks` entry that lets a client send this reasoning back, None when nothing is kept."""
    if seal is not None and seal.format is CHAT and meta.upstream is CHAT:
        return thinking_block(said, table(seal.data))
    if seal is None and meta.upstream is CHAT:
        return None
    packed = carrier.worded(seal, CHAT, meta, said)
    if not packed:
        return None
    if not said:
        return {"type": "redacted_thinking", "data": packed}
    return {"type": "thinking", "thinking": said, "signature": packed}


def encode_call(part: ToolCall, meta: Meta, seal: Seal | None) -> dict[str, Any]:
    """Returns a tool call of an answer."""
    call_id = legal_id(part.id, RULES[CHAT])
    call: dict[str, Any]
    if part.kind is ToolKind.CUSTOM:
        call = {"id": call_id, "type": "custom", "custom": {"name": part.name or "tool", "input": part.arguments}}
    else:
        function = {"name": part.name or "tool", "arguments": part.arguments or "{}"}
        call = {"id": call_id, "type": "function", "function": function}
    kept = kept_signature(seal, meta)
    if kept:
        call["extra_content"] = sealed_call(kept)
    attach(part.extras, call, marks=False)
    return call


def kept_signature(seal: Seal | None, meta: Meta) -> str:
    """Returns what a client keeps for a call's seal, "" for nothing."""
    return carrier.worded(seal, CHAT, meta) if seal is not None else ""


class _Message:
    """One assistant message in the making: Chat has one text, its order with the calls is lost."""

    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self.content = ""
        self.said: list[str] = []
        self.refusal = ""
        self.blocks: list[dict[str, Any]] = []
        self.details: list[Any] = []
        self.calls: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.tokens: list[JSON] = []
        self.field = REASONING_FIELDS[0]
        self.opaque: list[dict[str, Any]] = []

    def add(self, parts: Iterable[Part]) -> None:
        for part in parts:
            match part:
                case Text():
                    self._text(part.text, part.citations)
                    self.tokens += logprobs_of(part.extras)
                case Refusal():
                    self.refusal += part.text
                case Reasoning():
                    self._reasoning(part)
                case ToolCall():
                    self.calls.append(encode_call(part, self.meta, part.seal))
                case Opaque():
                    self._text(opaque_text(part) or "", ())
                case Media():
                    self._text(media_words(part), ())
                case ToolResult():
                    pass

    def _text(self, words: str, cited: Sequence[JSON]) -> None:
        start = len(self.content)
        self.content += words
        made = (annotation(each, start, len(self.content)) for each in cited)
        self.annotations += [each for each in made if each is not None]

    def _reasoning(self, part: Reasoning) -> None:
        words = part.text or "\n\n".join(part.summary)
        own = text(bag(part.extras, CHAT).get(FIELD))
        data = part.seal.data if part.seal is not None and part.seal.format is CHAT else None
        self.details += rows(table(data).get(DETAILS))
        if own in REASONING_FIELDS:
            self.field = own
        if words and own != "reasoning_details":
            self.said.append(words)
        block = reasoning_block(part, part.seal, words, self.meta)
        if block is not None:
            self.blocks.append(block)

    def body(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.content or None}
        message["refusal"] = self.refusal or None
        if self.said:
            message[self.field] = "\n\n".join(self.said)
        if self.blocks:
            message["thinking_blocks"] = self.blocks
        if self.details:
            message["reasoning_details"] = self.details
        if self.annotations:
            message["annotations"] = self.annotations
        if self.calls:
            message["tool_calls"] = self.calls
        return message


def finish_reason(stop: Stop, *, called: bool, refused: bool) -> str:
    """Returns the finish reason of an answer: calls win over a plain stop, a worded refusal is a plain stop."""
    if called and stop is Stop.DONE:
        return "tool_calls"
    return "stop" if refused and stop is Stop.POLICY else REASONS[stop]


def encode_response(response: ChatResponse, meta: Meta) -> dict[str, JSON]:
    """Returns a chat completion with one choice (all of them when the answer came in this format)."""
    made = _Message(meta)
    made.add(response.parts)
    own = bag(response.extras, CHAT)
    message = made.body()
    given = own.get("~own")
    if isinstance(given, dict):
        message = {**message, **{key: value for key, value in given.items() if not message.get(key)}}
        if "refusal" not in given and message["refusal"] is None:
            del message["refusal"]
    message.update(own.get(MESSAGE, {}))
    reason = finish_reason(response.stop, called=bool(made.calls), refused=bool(made.refusal))
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason}
    told = {"content": made.tokens, "refusal": None} if made.tokens else None
    choice.update(own.get(CHOICE, {"logprobs": told} if not own else {}))
    body: dict[str, Any] = {
        "id": completion_id(response.id, meta),
        "object": "chat.completion",
        "created": int(response.created_at or meta.created_at),
        "model": meta.model or response.model,
        "choices": [choice, *rows(own.get(CHOICES))],
    }
    if response.usage is not None:
        body["usage"] = encode_usage(response.usage)
    unload(response.extras, FormatId.CHAT, body)
    return body
