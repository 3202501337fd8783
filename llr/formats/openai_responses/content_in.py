"""Content parts of Responses messages and tool outputs, read.

Source: the openai SDK's `ResponseInputContent`, `ResponseOutputText` and `ResponseFunctionCallOutputItem` models.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats import reading
from llr.formats.media import parse_data_url, sniff, standard_base64
from llr.ir.parts import Media, MediaKind, Opaque, Part, Refusal, SourceKind, Text

OWN = FormatId.RESPONSES
# Content parts we do not know; everything else that is opaque is an item of its own.
PART_PREFIXES = ("input_", "output_", "summary_", "reasoning_text", "computer_screenshot", "encrypted_")

TEXTS = ("input_text", "output_text", "text", "summary_text")
_TEXT_KEYS = frozenset(("type", "text", "annotations"))
_REFUSAL_KEYS = frozenset(("type", "refusal"))
_IMAGE_KEYS = frozenset(("type", "image_url", "file_id", "detail"))
_FILE_KEYS = frozenset(("type", "filename", "file_data", "file_id", "file_url"))
_AUDIO_KEYS = frozenset(("type", "input_audio"))


def citation(annotation: Mapping[str, Any], text: str) -> JSON:
    """Returns an annotation as a Messages-style citation, None for one that no other format can show."""
    if annotation.get("type") != "url_citation":
        return None
    start, end = reading.count(annotation.get("start_index")), reading.count(annotation.get("end_index"))
    cited = text[start:end] if start is not None and end is not None else ""
    return {
        "type": "web_search_result_location",
        "url": reading.text(annotation.get("url")),
        "title": reading.text(annotation.get("title")),
        "cited_text": cited,
        "encrypted_index": "",
    }


def citations(annotations: Any, text: str) -> tuple[JSON, ...]:
    """Returns the citations in a list of annotations."""
    found = [citation(each, text) for _, each in reading.tables(annotations)]
    return tuple(each for each in found if each is not None)


def _text(part: Mapping[str, Any], at: str) -> Text:
    body = reading.text(part.get("text"))
    extras = reading.luggage(OWN, part, _TEXT_KEYS)
    extras = reading.noted(extras, OWN, "~type", reading.text(part.get("type")))
    annotations = part.get("annotations")
    if annotations is None:
        return Text(body, (), extras, at)
    return Text(body, citations(annotations, body), reading.noted(extras, OWN, "~annotations", annotations), at)


def _image(part: Mapping[str, Any], at: str) -> Part:
    url = part.get("image_url")
    if isinstance(url, dict):
        url = url.get("url")
    detail = reading.text(part.get("detail"))
    extras = reading.luggage(OWN, part, _IMAGE_KEYS)
    if isinstance(url, str) and url:
        data = parse_data_url(url)
        if data is not None:
            return Media(MediaKind.IMAGE, SourceKind.DATA, data[1], data[0], "", detail, extras, at)
        return Media(MediaKind.IMAGE, SourceKind.URL, url, "", "", detail, extras, at)
    file_id = reading.text(part.get("file_id"))
    if file_id:
        return Media(MediaKind.IMAGE, SourceKind.FILE_ID, file_id, "", "", detail, extras, at)
    return Opaque(OWN, dict(part), at)


def _file(part: Mapping[str, Any], at: str) -> Part:
    title = reading.text(part.get("filename"))
    extras = reading.luggage(OWN, part, _FILE_KEYS)
    raw = reading.text(part.get("file_data"))
    if raw:
        data = parse_data_url(raw)
        if data is not None:
            return Media(MediaKind.DOCUMENT, SourceKind.DATA, data[1], data[0], title, "", extras, at)
        plain = standard_base64(raw)
        extras = reading.noted(extras, OWN, "~bare")
        return Media(MediaKind.DOCUMENT, SourceKind.DATA, plain, sniff(plain), title, "", extras, at)
    url = reading.text(part.get("file_url")) or reading.text(part.get("url"))
    if url:
        return Media(MediaKind.DOCUMENT, SourceKind.URL, url, "", title, "", extras, at)
    file_id = reading.text(part.get("file_id"))
    if file_id:
        return Media(MediaKind.DOCUMENT, SourceKind.FILE_ID, file_id, "", title, "", extras, at)
    return Opaque(OWN, dict(part), at)


def _audio(part: Mapping[str, Any], at: str) -> Part:
    audio = reading.table(part.get("input_audio"))
    data, form = reading.text(audio.get("data")), reading.text(audio.get("format"))
    if not data:
        return Opaque(OWN, dict(part), at)
    media_type = "audio/mpeg" if form == "mp3" else f"audio/{form or 'wav'}"
    extras = reading.luggage(OWN, part, _AUDIO_KEYS)
    return Media(MediaKind.AUDIO, SourceKind.DATA, standard_base64(data), media_type, "", "", extras, at)


def part(raw: JSON, at: str) -> Part:
    """Returns one content part of a message or a tool output."""
    if isinstance(raw, str):
        return Text(raw, at=at)
    fields = reading.table(raw)
    kind = fields.get("type")
    if kind in TEXTS:
        return _text(fields, at)
    if kind in ("input_image", "image_url"):
        return _image(fields, at)
    if kind == "refusal":
        return Refusal(reading.text(fields.get("refusal")), reading.luggage(OWN, fields, _REFUSAL_KEYS), at)
    if kind == "input_file":
        return _file(fields, at)
    if kind == "input_audio":
        return _audio(fields, at)
    return Opaque(OWN, raw, at)


def parts(content: JSON, at: str) -> tuple[Part, ...]:
    """Returns the parts of a `content` or `output` value: a string, a list, or nothing."""
    if isinstance(content, str):
        return (Text(content, at=at),)
    if isinstance(content, list):
        return tuple(part(each, f"{at}[{place}]") for place, each in enumerate(content))
    return ()


def output_parts(output: JSON, at: str) -> tuple[Part, ...]:
    """Returns a tool output as parts; what is neither text nor a list of parts becomes its JSON text."""
    if output is None or isinstance(output, str | list):
        return parts(output, at)
    return (Text(dumps(output).decode(), at=at),)


def first_noted(found: tuple[Part, ...], key: str, value: JSON) -> tuple[Part, ...]:
    """Returns the parts with a note on the first one that can carry notes."""
    for place, each in enumerate(found):
        if isinstance(each, Text | Refusal | Media):
            noted = replace(each, extras=reading.noted(each.extras, OWN, key, value))
            return (*found[:place], noted, *found[place + 1 :])
    return found
