"""Parts of Gemini contents, read."""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import dumps_text
from llr.base.names import FormatId
from llr.formats import reading
from llr.formats.media import decoded_text, parse_data_url, sniff, standard_base64
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

OWN = FormatId.GEMINI
_TEXT = frozenset(("text",))
_THOUGHT = frozenset(("text", "thought", "thoughtSignature"))
_INLINE = frozenset(("inlineData",))
_FILE = frozenset(("fileData",))
_CALL = frozenset(("functionCall", "thoughtSignature"))
_RESULT = frozenset(("functionResponse",))
_CALL_FIELDS = frozenset(("id", "name", "args"))
_RESULT_FIELDS = frozenset(("id", "name", "response", "parts"))
_FILES = ("https://generativelanguage.googleapis.com/", "gs://", "files/")
_VIDEO_SITES = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")
_ENDINGS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".mp4": "video/mp4",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".txt": "text/plain",
}


def media_kind(media_type: str) -> MediaKind:
    """Returns what a media type shows; everything that is no picture, sound or film is a document."""
    head = media_type.partition("/")[0].lower()
    return MediaKind(head) if head in ("image", "audio", "video") else MediaKind.DOCUMENT


def guessed_type(url: str) -> str:
    """Returns the media type an address ends in, "" when it does not tell."""
    path = url.partition("?")[0].lower()
    return next((kind for ending, kind in _ENDINGS.items() if path.endswith(ending)), "")


def seal(fields: Mapping[str, Any]) -> Seal | None:
    """Returns the thought signature of a part."""
    signature = reading.text(fields.get("thoughtSignature"))
    return Seal(OWN, signature) if signature else None


def _inline(fields: Mapping[str, Any], at: str) -> Part:
    blob = reading.table(fields.get("inlineData"))
    data, media_type = standard_base64(reading.text(blob.get("data"))), reading.text(blob.get("mimeType"))
    if not data:
        return Opaque(OWN, dict(fields), at)
    title = reading.text(blob.get("displayName"))
    extras = reading.luggage(OWN, fields, _INLINE)
    if media_type.startswith("text/"):
        text = decoded_text(data)
        if text is not None:
            extras = reading.noted(extras, OWN, "~inline")
            return Media(MediaKind.DOCUMENT, SourceKind.TEXT, text, media_type, title, "", extras, at)
    return Media(media_kind(media_type), SourceKind.DATA, data, media_type or sniff(data), title, "", extras, at)


def _file(fields: Mapping[str, Any], at: str) -> Part:
    file = reading.table(fields.get("fileData"))
    uri, media_type = reading.text(file.get("fileUri")), reading.text(file.get("mimeType"))
    title, extras = reading.text(file.get("displayName")), reading.luggage(OWN, fields, _FILE)
    data = parse_data_url(uri)
    if data is not None:
        return Media(media_kind(data[0]), SourceKind.DATA, data[1], data[0], title, "", extras, at)
    if uri.startswith(_FILES) or not uri.startswith(("http://", "https://")):
        kind = media_kind(media_type or guessed_type(uri))
        return Media(kind, SourceKind.FILE_ID, uri, media_type, title, "", extras, at)
    kind = MediaKind.VIDEO if uri.startswith(_VIDEO_SITES) else media_kind(media_type or guessed_type(uri))
    return Media(kind, SourceKind.URL, uri, media_type, title, "", extras, at)


def _thought(fields: Mapping[str, Any], at: str) -> Part:
    text, found = reading.text(fields.get("text")), seal(fields)
    extras = reading.luggage(OWN, fields, _THOUGHT)
    return Reasoning(text, (), found, not text and found is not None, extras, at)


def call(fields: Mapping[str, Any], fallback_id: str, at: str) -> ToolCall:
    """Returns a function call; `fallback_id` stands in for an id the vendor left out."""
    inner = reading.table(fields.get("functionCall"))
    extras = reading.luggage(OWN, fields, _CALL)
    more = {key: value for key, value in inner.items() if key not in _CALL_FIELDS}
    if more:
        extras = reading.noted(extras, OWN, "~call", more)
    ident = reading.text(inner.get("id"))
    if not ident:
        extras = reading.noted(extras, OWN, "~noid")
    if "args" not in inner:
        extras = reading.noted(extras, OWN, "~noargs")
    arguments = dumps_text(inner.get("args") or {})
    return ToolCall(
        ident or fallback_id, reading.text(inner.get("name")), arguments, seal=seal(fields), extras=extras, at=at
    )


def result(fields: Mapping[str, Any], call_id: str, at: str) -> ToolResult:
    """Returns a function response that answers `call_id`."""
    inner = reading.table(fields.get("functionResponse"))
    response = inner.get("response")
    extras = reading.luggage(OWN, fields, _RESULT)
    extras = reading.noted(extras, OWN, "~response", response)
    more = {key: value for key, value in inner.items() if key not in _RESULT_FIELDS}
    if more:
        extras = reading.noted(extras, OWN, "~result", more)
    if not reading.text(inner.get("id")):
        extras = reading.noted(extras, OWN, "~noid")
    text, failed = _said(response)
    at = f"{at}.functionResponse"
    parts: list[Part] = [Text(text, at=f"{at}.response")] if text else []
    for place, raw in reading.tables(inner.get("parts")):
        parts.append(part(raw, "", f"{at}.parts[{place}]"))
    return ToolResult(call_id, tuple(parts), failed, name=reading.text(inner.get("name")), extras=extras, at=at)


def _said(response: Any) -> tuple[str, bool]:
    """Returns a result's text, and whether it is an error: the vendor's keys are `output` and `error`."""
    if isinstance(response, dict) and len(response) == 1:
        key, value = next(iter(response.items()))
        if key in ("output", "result", "error", "content"):
            return value if isinstance(value, str) else dumps_text(value), key == "error"
    if response is None:
        return "", False
    return response if isinstance(response, str) else dumps_text(response), False


def part(fields: Mapping[str, Any], fallback_id: str, at: str) -> Part:
    """Returns one part; results are read by `result`, which knows what they answer."""
    if "functionCall" in fields:
        return call(fields, fallback_id, at)
    if fields.get("thought") is True and "text" in fields:
        return _thought(fields, at)
    if "text" in fields:
        extras: Extras = reading.luggage(OWN, fields, _TEXT) if len(fields) > 1 else NO_EXTRAS
        return Text(reading.text(fields.get("text")), (), extras, at)
    if "inlineData" in fields:
        return _inline(fields, at)
    if "fileData" in fields:
        return _file(fields, at)
    return Opaque(OWN, dict(fields), at)
