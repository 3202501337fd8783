"""Content parts written as Responses content: `input_*` on the user's side, `output_text` and `refusal` on the other.

Law: a part that came from Responses goes back as it came; what cannot be written is a loss at the part's own path.
"""

from collections.abc import Sequence
from typing import Any

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.foreign import document_text, opaque_text, plain_text
from llr.formats.media import audio_format, data_url
from llr.formats.openai_responses.content_in import OWN
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Media, MediaKind, Opaque, Part, Refusal, SourceKind, Text

# A file part needs a name; the vendor reads the type from its ending.
_NAMES = {"application/pdf": "document.pdf", "text/plain": "document.txt", "text/markdown": "document.md"}


def annotations(part: Text) -> list[JSON]:
    """Returns the citations of a text as `url_citation` annotations over the cited words (or over all of it)."""
    found: list[JSON] = []
    for each in part.citations:
        fields = reading.table(each)
        url = reading.text(fields.get("url")) or reading.text(fields.get("source"))
        if not url.startswith(("http://", "https://")):
            continue
        cited = reading.text(fields.get("cited_text"))
        start = part.text.find(cited) if cited else -1
        start, end = (start, start + len(cited)) if start >= 0 else (0, len(part.text))
        title = reading.text(fields.get("title"))
        found.append({"type": "url_citation", "start_index": start, "end_index": end, "url": url, "title": title})
    return found


def _text(part: Text, *, assistant: bool) -> dict[str, JSON]:
    notes = reading.bag(part.extras, OWN)
    kind = notes.get("~type") or ("output_text" if assistant else "input_text")
    out: dict[str, Any] = {"type": kind, "text": part.text}
    if kind == "output_text":
        if "~annotations" in notes:
            out["annotations"] = notes["~annotations"]
        elif not notes:
            out["annotations"] = annotations(part)
    reading.unload(part.extras, OWN, out)
    return out


def _image(part: Media) -> dict[str, JSON]:
    out: dict[str, JSON] = {"type": "input_image"}
    if part.source is SourceKind.FILE_ID:
        out["file_id"] = part.value
    elif part.source is SourceKind.URL:
        out["image_url"] = part.value
    else:
        out["image_url"] = data_url(part.media_type, part.value)
    if part.detail or OWN not in part.extras:
        out["detail"] = part.detail or "auto"
    return out


def _file(part: Media) -> dict[str, JSON]:
    out: dict[str, JSON] = {"type": "input_file"}
    if part.title:
        out["filename"] = part.title
    if part.source is SourceKind.URL:
        out["file_url"] = part.value
    elif part.source is SourceKind.FILE_ID:
        out["file_id"] = part.value
    elif reading.bag(part.extras, OWN).get("~bare"):
        out["file_data"] = part.value
    else:
        out.setdefault("filename", _NAMES.get(part.media_type, "document"))
        out["file_data"] = data_url(part.media_type, part.value)
    return out


def _media(part: Media, losses: list[Loss], *, own: bool) -> dict[str, JSON] | None:
    if part.source is SourceKind.FILE_ID and not own:
        losses.append(Loss(part.at, f"{part.kind} by file id", "the file belongs to another vendor", LossLevel.REJECT))
        return None
    if part.source is SourceKind.TEXT:
        return {"type": "input_text", "text": document_text(part.title, part.value)}
    if part.kind is MediaKind.IMAGE:
        out = _image(part)
    elif part.kind is MediaKind.DOCUMENT:
        out = _file(part)
    elif part.kind is MediaKind.AUDIO and part.source is SourceKind.DATA and own:
        # The vendor documents the part, its own types do not have it: it goes only where the client wrote it.
        form = audio_format(part.media_type) or part.media_type.rpartition("/")[2]
        out = {"type": "input_audio", "input_audio": {"data": part.value, "format": form}}
    else:
        losses.append(Loss(part.at, f"{part.kind} by {part.source}", "Responses has no such content", LossLevel.REJECT))
        return None
    reading.unload(part.extras, OWN, out)
    return out


def write(part: Part, losses: list[Loss], *, assistant: bool, own: bool) -> JSON:
    """Returns one content part, None when it has no form here. `own` says that the request came in as Responses."""
    match part:
        case Text():
            return _text(part, assistant=assistant)
        case Refusal():
            out: dict[str, JSON] = {"type": "refusal", "refusal": part.text}
            reading.unload(part.extras, OWN, out)
            return out if assistant else {"type": "input_text", "text": part.text}
        case Media():
            if assistant and not own:
                losses.append(Loss(part.at, f"{part.kind} of the assistant", "Responses replays only its text"))
                return None
            return _media(part, losses, own=own)
        case Opaque() if part.format is OWN:
            return part.raw
        case Opaque() if text := opaque_text(part):
            return {"type": "input_text", "text": text}
        case _:
            return None


def joined(parts: Sequence[Part]) -> str | None:
    """Returns the text of parts that are all text, joined by line ends; None when something else is among them."""
    lines: list[str] = []
    for each in parts:
        text = plain_text(each)
        if text is None:
            return None
        lines.append(text)
    return "\n".join(lines)
