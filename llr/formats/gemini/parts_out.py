"""Parts written as Gemini parts, for requests and for answers alike."""

import base64
from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.foreign import document_text
from llr.formats.gemini.parts_in import OWN, guessed_type
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Media, MediaKind, SourceKind, Text

_DEFAULT_TYPES = {
    MediaKind.IMAGE: "image/jpeg",
    MediaKind.DOCUMENT: "application/pdf",
    MediaKind.AUDIO: "audio/mpeg",
    MediaKind.VIDEO: "video/mp4",
}


def text(part: Text) -> dict[str, JSON]:
    """Returns a text part."""
    out: dict[str, JSON] = {"text": part.text}
    reading.unload(part.extras, OWN, out)
    return out


def media(part: Media, losses: list[Loss], *, own: bool) -> dict[str, JSON] | None:
    """Returns a media part, None when the vendor cannot be shown it."""
    if part.source is SourceKind.TEXT:
        if not reading.bag(part.extras, OWN).get("~inline"):
            return {"text": document_text(part.title, part.value)}
        data = base64.b64encode(part.value.encode("utf-8", "surrogatepass")).decode()
        out = _blob(part, data, own=own)
    elif part.source is SourceKind.DATA:
        out = _blob(part, part.value, own=own)
    elif part.source is SourceKind.FILE_ID and not own:
        losses.append(Loss(part.at, part.kind.value, "the file belongs to another vendor", LossLevel.REJECT))
        return None
    else:
        out = _file(part, own=own)
    reading.unload(part.extras, OWN, out)
    return out


def _blob(part: Media, data: str, *, own: bool) -> dict[str, JSON]:
    blob: dict[str, JSON] = {"mimeType": part.media_type or _DEFAULT_TYPES[part.kind], "data": data}
    if part.title and own:
        blob["displayName"] = part.title
    return {"inlineData": blob}


def _file(part: Media, *, own: bool) -> dict[str, JSON]:
    file: dict[str, JSON] = {"fileUri": part.value}
    kind = part.media_type or ("" if own else guessed_type(part.value) or _DEFAULT_TYPES[part.kind])
    if kind:
        file["mimeType"] = kind
    if part.title and own:
        file["displayName"] = part.title
    return {"fileData": file}


def call(name: str, args: Mapping[str, Any], ident: str, signature: str = "") -> dict[str, JSON]:
    """Returns a function call part."""
    inner: dict[str, JSON] = {"id": ident} if ident else {}
    inner["name"] = name
    inner["args"] = dict(args)
    out: dict[str, JSON] = {"functionCall": inner}
    if signature:
        out["thoughtSignature"] = signature
    return out
