"""Content parts, tool calls and reasoning fields of Chat messages, in both directions.

Law: a part decoded and encoded again is the same part; unknown parts pass whole as `Opaque`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llr.base.jsonio import dumps_text
from llr.base.names import FormatId
from llr.formats import media
from llr.formats.cache import copied_mark
from llr.formats.foreign import document_text
from llr.formats.reading import bag, luggage, noted, rows, table, tables, text, unload, words
from llr.ir.parts import (
    Extras,
    Media,
    MediaKind,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Seal,
    SourceKind,
    Text,
    ToolCall,
    ToolKind,
)

CHAT = FormatId.CHAT
# Notes: content written as a list although a string would do; a legacy function call; an image URL written bare.
AS_LIST = "~list"
LEGACY = "~legacy"
BARE_URL = "~bare"
# Note on a file id: this vendor gave it out.
OWN_FILE = "~file"
# Which of the vendors' reasoning fields a message had.
FIELD = "~field"
REASONING_FIELDS = ("reasoning_content", "reasoning")
# Names inside the seal of Chat reasoning.
HASH, SIGNATURE, REDACTED, DETAILS, NAME = "h", "signature", "redacted", "details", "field"
# Note on reasoning that came as a `thinking_blocks` entry: without a carrier in it, it is the sender's own.
BLOCK = "~block"

_TEXT = words("type text")
_IMAGE = words("type image_url")
_AUDIO = words("type input_audio")
_FILE = words("type file")
_REFUSAL = words("type refusal")
_CALL = words("id type function custom index extra_content")


def marked(extras: Extras, source: Mapping[str, Any]) -> Extras:
    """Returns `extras` with the cache mark of `source`, which travels as luggage of the Messages format."""
    if "cache_control" not in source:
        return extras
    mark = copied_mark(source.get("cache_control"))
    return noted(extras, FormatId.MESSAGES, "cache_control", mark) if mark else extras


def _text(part: Mapping[str, Any], at: str) -> Part:
    if len(part) == 2:
        return Text(text(part.get("text")), at=at)
    return Text(text(part.get("text")), (), marked(luggage(CHAT, part, _TEXT), part), at)


def _refusal(part: Mapping[str, Any], at: str) -> Part:
    return Refusal(text(part.get("refusal")), luggage(CHAT, part, _REFUSAL), at)


def _image(part: Mapping[str, Any], at: str) -> Part:
    given = part.get("image_url")
    extras = marked(luggage(CHAT, part, _IMAGE), part)
    if isinstance(given, str):
        extras = noted(extras, CHAT, BARE_URL)
    url = given if isinstance(given, str) else text(table(given).get("url"))
    detail = text(table(given).get("detail")) or text(part.get("detail"))
    data = media.parse_data_url(url)
    if data is None:
        return Media(MediaKind.IMAGE, SourceKind.URL, url, "", "", detail, extras, at)
    return Media(MediaKind.IMAGE, SourceKind.DATA, data[1], data[0] or media.sniff(data[1]), "", detail, extras, at)


def _audio(part: Mapping[str, Any], at: str) -> Part:
    given = table(part.get("input_audio"))
    kind = text(given.get("format"))
    extras = luggage(CHAT, part, _AUDIO)
    media_type = {"mp3": "audio/mpeg", "wav": "audio/wav"}.get(kind, f"audio/{kind}" if kind else "")
    return Media(MediaKind.AUDIO, SourceKind.DATA, text(given.get("data")), media_type, extras=extras, at=at)


def _file(part: Mapping[str, Any], at: str) -> Part:
    given = table(part.get("file"))
    extras = marked(luggage(CHAT, part, _FILE), part)
    title = text(given.get("filename"))
    raw = text(given.get("file_data"))
    if not raw:
        extras = noted(extras, CHAT, OWN_FILE)
        return Media(MediaKind.DOCUMENT, SourceKind.FILE_ID, text(given.get("file_id")), "", title, "", extras, at)
    data = media.parse_data_url(raw)
    media_type, value = data if data is not None else ("", media.standard_base64(raw))
    media_type = media_type or media.sniff(value)
    return Media(MediaKind.DOCUMENT, SourceKind.DATA, value, media_type, title, "", extras, at)


_DECODERS: Mapping[str, Callable[[Mapping[str, Any], str], Part]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_image": _image,
    "input_audio": _audio,
    "file": _file,
}


def decode_part(part: Mapping[str, Any], at: str) -> Part:
    """Returns the part a content part stands for."""
    kind = part.get("type")
    decoder = _DECODERS.get(kind) if isinstance(kind, str) else None
    return decoder(part, at) if decoder is not None else Opaque(CHAT, dict(part), at)


def decode_content(content: Any, at: str) -> tuple[tuple[Part, ...], bool]:
    """Returns the parts of a `content` value, and whether it was a plain string (or nothing)."""
    if isinstance(content, str):
        return ((Text(content, at=at),) if content else ()), True
    out: list[Part] = []
    for place, part in enumerate(rows(content)):
        if isinstance(part, dict):
            out.append(decode_part(part, f"{at}[{place}]"))
        elif isinstance(part, str):
            out.append(Text(part, at=f"{at}[{place}]"))
    return tuple(out), not isinstance(content, list)


def simple_text(parts: tuple[Part, ...]) -> bool:
    """Returns whether the parts are one text: what a string can say."""
    return len(parts) == 1 and type(parts[0]) is Text and not parts[0].extras


def arguments_text(value: Any) -> str:
    """Returns arguments as text; servers that send them as an object are read too."""
    return value if isinstance(value, str) else "" if value is None else dumps_text(value)


def decode_call(call: Mapping[str, Any], at: str) -> ToolCall:
    """Returns a tool call of a message: a function or a custom tool."""
    extras = marked(luggage(CHAT, call, _CALL), call)
    seal = call_seal(call)
    custom = call.get("custom")
    if isinstance(custom, dict):
        name, given = text(custom.get("name")), text(custom.get("input"))
        return ToolCall(text(call.get("id")), name, given, ToolKind.CUSTOM, "", seal, extras, at)
    function = table(call.get("function"))
    arguments = arguments_text(function.get("arguments"))
    return ToolCall(text(call.get("id")), text(function.get("name")), arguments, seal=seal, extras=extras, at=at)


def call_seal(call: Mapping[str, Any]) -> Seal | None:
    """Returns the thought signature some servers attach to a call, None when it has none."""
    signature = table(table(call.get("extra_content")).get("google")).get("thought_signature")
    return Seal(CHAT, signature) if isinstance(signature, str) and signature else None


def sealed_call(signature: str) -> dict[str, Any]:
    """Returns the `extra_content` of a call that carries a thought signature."""
    return {"google": {"thought_signature": signature}}


def decode_reasoning(message: Mapping[str, Any], at: str) -> list[Part]:
    """Returns the reasoning of a message, whichever vendor's fields hold it."""
    blocks = message.get("thinking_blocks")
    field = next((name for name in REASONING_FIELDS if isinstance(message.get(name), str) and message[name]), "")
    if isinstance(blocks, list) and blocks:
        return [_thinking_block(block, f"{at}.thinking_blocks[{place}]", field) for place, block in tables(blocks)]
    details = message.get("reasoning_details")
    said = text(message.get(field)) if field else ""
    if isinstance(details, list) and details:
        said = said or details_text(details)
        extras: Extras = {CHAT: {FIELD: field or "reasoning_details"}}
        return [Reasoning(said, (), Seal(CHAT, {DETAILS: details}), False, extras, f"{at}.reasoning_details")]
    if not said:
        return []
    return [Reasoning(said, (), None, False, {CHAT: {FIELD: field}}, f"{at}.{field}")]


def details_text(details: list[Any]) -> str:
    """Returns the readable text of `reasoning_details` entries."""
    return "".join(text(item.get("text")) or text(item.get("summary")) for _, item in tables(details))


def _thinking_block(block: Mapping[str, Any], at: str, field: str) -> Reasoning:
    """A block in the Messages vendor's own form: in a request its signature is that vendor's or a carrier."""
    extras: Extras = {CHAT: {FIELD: field, BLOCK: True}} if field else {CHAT: {BLOCK: True}}
    if block.get("type") == "redacted_thinking":
        return Reasoning("", (), Seal(FormatId.MESSAGES, text(block.get("data"))), True, extras, at)
    signature = text(block.get("signature"))
    seal = Seal(FormatId.MESSAGES, signature) if signature else None
    return Reasoning(text(block.get("thinking")), (), seal, False, extras, at)


def server_seal(block: Mapping[str, Any]) -> Seal | None:
    """Returns the proof in a `thinking_blocks` entry of an answer, as that server's own: it is to see it again."""
    for name, key in ((SIGNATURE, "signature"), (REDACTED, "data")):
        if given := text(block.get(key)):
            return Seal(CHAT, {name: given})
    return None


def thinking_block(said: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the `thinking_blocks` entry a seal's data was made from, None when it was made from none."""
    if isinstance(data.get(REDACTED), str):
        return {"type": "redacted_thinking", "data": data[REDACTED]}
    if isinstance(data.get(SIGNATURE), str):
        return {"type": "thinking", "thinking": said, "signature": data[SIGNATURE]}
    return None


def text_part(part: Text, *, marks: bool) -> dict[str, Any]:
    """Returns a text part; `marks` keeps its cache mark."""
    out: dict[str, Any] = {"type": "text", "text": part.text}
    attach(part.extras, out, marks=marks)
    return out


def attach(extras: Extras, out: dict[str, Any], *, marks: bool) -> None:
    """Adds luggage of this format, and the cache mark where the target takes one."""
    if not extras:
        return
    unload(extras, CHAT, out)
    if marks and "cache_control" not in out:
        mark = copied_mark(extras.get(FormatId.MESSAGES, {}).get("cache_control"))
        if mark:
            out["cache_control"] = mark


def media_part(part: Media, *, marks: bool) -> dict[str, Any] | None:
    """Returns media as a content part, None when this format has no such part."""
    out = _media(part)
    if out is not None:
        attach(part.extras, out, marks=marks)
    return out


def _media(part: Media) -> dict[str, Any] | None:
    match part.kind, part.source:
        case MediaKind.IMAGE, SourceKind.DATA | SourceKind.URL:
            url = part.value if part.source is SourceKind.URL else media.data_url(part.media_type, part.value)
            if BARE_URL in part.extras.get(CHAT, ()):
                return {"type": "image_url", "image_url": url}
            image = {"url": url, "detail": part.detail} if part.detail else {"url": url}
            return {"type": "image_url", "image_url": image}
        case MediaKind.DOCUMENT, SourceKind.DATA:
            url = media.data_url(part.media_type or "application/pdf", part.value)
            return {"type": "file", "file": {"filename": part.title or "document.pdf", "file_data": url}}
        case MediaKind.DOCUMENT, SourceKind.FILE_ID if OWN_FILE in bag(part.extras, CHAT):
            named = {"filename": part.title} if part.title else {}
            return {"type": "file", "file": {"file_id": part.value, **named}}
        case MediaKind.AUDIO, SourceKind.DATA:
            kind = media.audio_format(part.media_type) or part.media_type.rpartition("/")[2]
            return {"type": "input_audio", "input_audio": {"data": part.value, "format": kind}} if kind else None
        case _, SourceKind.TEXT:
            return {"type": "text", "text": document_text(part.title, part.value)}
        case _:
            return None
