"""Content blocks of the Messages format, in both directions.

Law: a block decoded and encoded again is the same block; unknown blocks pass whole as `Opaque`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llr.base.jsonio import dumps_text
from llr.base.names import FormatId
from llr.formats import media
from llr.formats.reading import bag, luggage, noted, rows, tables, text, unload
from llr.formats.toolforms import arguments_object
from llr.ir.parts import (
    NO_EXTRAS,
    Extras,
    Media,
    MediaKind,
    Opaque,
    Part,
    Reasoning,
    Seal,
    SourceKind,
    Text,
    ToolCall,
    ToolResult,
)

MESSAGES = FormatId.MESSAGES
# Notes: content written as a list although a string would do, and a document's own blocks.
AS_LIST = "~list"
OWN_SOURCE = "~source"
# Note on a file id: this vendor gave it out.
OWN_FILE = "~file"
# Notes on a thinking block of this format's own without a signature.
OWN, UNSIGNED = "~own", "~unsigned"

_TEXT = frozenset(("type", "text", "citations"))
_THINKING = frozenset(("type", "thinking", "signature"))
_REDACTED = frozenset(("type", "data"))
_TOOL_USE = frozenset(("type", "id", "name", "input"))
_RESULT = frozenset(("type", "tool_use_id", "content", "is_error"))
_RESULT_NOT_ERROR = frozenset(("type", "tool_use_id", "content"))
_MEDIA = frozenset(("type", "source", "title"))


def _text_block(block: Mapping[str, Any], at: str) -> Part:
    if len(block) == 2 and isinstance(block.get("text"), str):
        return Text(block["text"], at=at)
    citations = block.get("citations")
    known = _TEXT if isinstance(citations, list) and citations else _TEXT - {"citations"}
    cited = tuple(rows(citations))
    return Text(text(block.get("text")), cited, luggage(MESSAGES, block, known), at)


def _thinking(block: Mapping[str, Any], at: str) -> Part:
    signature = text(block.get("signature"))
    seal = Seal(MESSAGES, signature) if signature else None
    extras = luggage(MESSAGES, block, _THINKING)
    if not signature:
        extras = noted(extras, MESSAGES, OWN if "signature" in block else UNSIGNED)
    return Reasoning(text(block.get("thinking")), (), seal, False, extras, at)


def _redacted(block: Mapping[str, Any], at: str) -> Part:
    seal = Seal(MESSAGES, text(block.get("data")))
    return Reasoning("", (), seal, True, luggage(MESSAGES, block, _REDACTED), at)


def _tool_use(block: Mapping[str, Any], at: str) -> Part:
    given = block.get("input")
    arguments = dumps_text(given) if isinstance(given, dict) else given if isinstance(given, str) else "{}"
    extras = luggage(MESSAGES, block, _TOOL_USE)
    return ToolCall(text(block.get("id")), text(block.get("name")), arguments, extras=extras, at=at)


def _tool_result(block: Mapping[str, Any], at: str) -> Part:
    content = block.get("content")
    is_error = block.get("is_error") is True
    extras = luggage(MESSAGES, block, _RESULT if is_error else _RESULT_NOT_ERROR)
    parts, plain = decode_content(content, f"{at}.content")
    if not plain and simple_text(parts):
        extras = noted(extras, MESSAGES, AS_LIST)
    return ToolResult(text(block.get("tool_use_id")), parts, is_error, extras=extras, at=at)


def _image(block: Mapping[str, Any], at: str) -> Part:
    return _media(block, at, MediaKind.IMAGE)


def _document(block: Mapping[str, Any], at: str) -> Part:
    return _media(block, at, MediaKind.DOCUMENT)


def _media(block: Mapping[str, Any], at: str, kind: MediaKind) -> Part:
    source = block.get("source")
    if not isinstance(source, dict):
        return Opaque(MESSAGES, dict(block), at)
    extras = luggage(MESSAGES, block, _MEDIA)
    title = text(block.get("title"))
    media_type = text(source.get("media_type"))
    match source.get("type"):
        case "base64":
            value = media.standard_base64(text(source.get("data")))
            return Media(kind, SourceKind.DATA, value, media_type or media.sniff(value), title, extras=extras, at=at)
        case "url":
            return Media(kind, SourceKind.URL, text(source.get("url")), "", title, extras=extras, at=at)
        case "file":
            extras = noted(extras, MESSAGES, OWN_FILE)
            return Media(kind, SourceKind.FILE_ID, text(source.get("file_id")), "", title, extras=extras, at=at)
        case "text":
            return Media(kind, SourceKind.TEXT, text(source.get("data")), media_type, title, extras=extras, at=at)
        case "content":
            words = "\n".join(text(item.get("text")) for _, item in tables(source.get("content")))
            words = words or text(source.get("content"))
            extras = noted(extras, MESSAGES, OWN_SOURCE, source)
            return Media(kind, SourceKind.TEXT, words, "text/plain", title, extras=extras, at=at)
        case _:
            return Opaque(MESSAGES, dict(block), at)


_DECODERS: Mapping[str, Callable[[Mapping[str, Any], str], Part]] = {
    "text": _text_block,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "image": _image,
    "document": _document,
}


def decode_block(block: Mapping[str, Any], at: str = "") -> Part:
    """Returns the part a block stands for."""
    kind = block.get("type")
    decoder = _DECODERS.get(kind) if isinstance(kind, str) else None
    return decoder(block, at) if decoder is not None else Opaque(MESSAGES, dict(block), at)


def decode_content(content: Any, at: str) -> tuple[tuple[Part, ...], bool]:
    """Returns the parts of a `content` value, and whether it was a plain string (or nothing)."""
    if isinstance(content, str):
        return ((Text(content, at=at),) if content else ()), True
    parts = []
    for place, block in enumerate(rows(content)):
        if isinstance(block, dict):
            parts.append(decode_block(block, f"{at}[{place}]"))
        elif isinstance(block, str):
            parts.append(Text(block, at=f"{at}[{place}]"))
    return tuple(parts), not isinstance(content, list)


def simple_text(parts: tuple[Part, ...]) -> bool:
    """Returns whether the parts are one text without anything attached: what a string can say."""
    return len(parts) == 1 and type(parts[0]) is Text and MESSAGES not in parts[0].extras and not parts[0].citations


def text_block(part: Text) -> dict[str, Any]:
    """Returns a text part as a block."""
    block: dict[str, Any] = {"type": "text", "text": part.text}
    cited = [citation for citation in part.citations if isinstance(citation, dict) and "url_citation" not in citation]
    if cited:
        block["citations"] = cited
    if part.extras:
        unload(part.extras, MESSAGES, block)
    return block


def call_block(call_id: str, name: str, arguments: str, extras: Extras = NO_EXTRAS) -> dict[str, Any]:
    """Returns a tool call as a block; arguments that are no object become one."""
    block: dict[str, Any] = {
        "type": "tool_use",
        "id": call_id,
        "name": name,
        "input": arguments_object(arguments)[0],
    }
    unload(extras, MESSAGES, block)
    return block


def thinking_block(part: Reasoning, signature: str) -> dict[str, Any]:
    """Returns reasoning as a block: text or summary paragraphs, or a redacted one when there are no words."""
    words = part.text or "\n\n".join(part.summary)
    foreign = part.seal is not None and part.seal.format is not MESSAGES
    if part.redacted or (foreign and not words):
        block: dict[str, Any] = {"type": "redacted_thinking", "data": signature}
    else:
        block = {"type": "thinking", "thinking": words, "signature": signature}
        if not signature and UNSIGNED in bag(part.extras, MESSAGES):
            del block["signature"]
    unload(part.extras, MESSAGES, block)
    return block


def media_block(part: Media) -> dict[str, Any] | None:
    """Returns media as an image or document block, None when this format has no such block."""
    source = _source(part)
    if source is None:
        return None
    block: dict[str, Any] = {"type": "image" if part.kind is MediaKind.IMAGE else "document", "source": source}
    if part.title and part.kind is MediaKind.DOCUMENT:
        block["title"] = part.title
    unload(part.extras, MESSAGES, block)
    return block


def _source(part: Media) -> dict[str, Any] | None:
    own = bag(part.extras, MESSAGES).get(OWN_SOURCE)
    if own is not None:
        return dict(own)
    image = part.kind is MediaKind.IMAGE
    if not image and part.kind is not MediaKind.DOCUMENT:
        return None
    match part.source:
        case SourceKind.DATA:
            media_type = part.media_type or media.sniff(part.value)
            if image and media_type not in media.MESSAGES_IMAGES:
                media_type = media.sniff(part.value)
            if media_type in (media.MESSAGES_IMAGES if image else ("application/pdf",)):
                return {"type": "base64", "media_type": media_type, "data": part.value}
            words = media.decoded_text(part.value) if media_type.startswith("text/") else None
            return None if words is None else {"type": "text", "media_type": "text/plain", "data": words}
        case SourceKind.URL:
            return {"type": "url", "url": part.value}
        case SourceKind.FILE_ID:
            return {"type": "file", "file_id": part.value} if OWN_FILE in bag(part.extras, MESSAGES) else None
        case SourceKind.TEXT:
            return None if image else {"type": "text", "media_type": "text/plain", "data": part.value}
