"""Data URLs, base64 alphabets and media types."""

import base64
import binascii
import re

# Source: translation of `data:` addresses allows parameters before `;base64`; vendors refuse them, so they are dropped.
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
_URLSAFE = str.maketrans("-_", "+/")
_NOT_BASE64 = re.compile(r"\s+")

# First base64 characters of the magic bytes of each type.
_MAGIC = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi0", "application/pdf"),
)
# What the Messages format takes as an image: vendor reference, "Vision".
MESSAGES_IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_AUDIO = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def parse_data_url(url: str) -> tuple[str, str] | None:
    """Returns (media type, standard base64) of a base64 `data:` URL with content, None for any other address."""
    if url[:5].lower() != "data:":
        return None
    match = _DATA_URL.match(url)
    if match is None or match.end() == len(url):
        return None
    return match.group(1).lower(), standard_base64(url[match.end() :])


def data_url(media_type: str, data: str) -> str:
    """Returns `data` (base64) as a `data:` URL."""
    return f"data:{media_type or 'application/octet-stream'};base64,{data}"


def standard_base64(data: str) -> str:
    """Returns base64 in the standard alphabet with padding, without white space; good input comes back unchanged."""
    if "-" in data or "_" in data:
        data = data.translate(_URLSAFE)
    if "\n" in data or " " in data or "\r" in data:
        data = _NOT_BASE64.sub("", data)
    missing = -len(data) % 4
    return data + "=" * missing if missing else data


def sniff(data: str) -> str:
    """Returns the media type that the first bytes of base64 `data` tell, "" when unknown."""
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    return ""


def decoded_text(data: str) -> str | None:
    """Returns what base64 `data` says in UTF-8, None when it says nothing readable."""
    try:
        return base64.b64decode(data, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def audio_format(media_type: str) -> str:
    """Returns the Chat name of an audio type ("wav", "mp3"), "" for the others."""
    return _AUDIO.get(media_type.lower(), "")
