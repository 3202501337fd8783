"""Token counts where nobody counts for us.

Law: an estimate is never 0 for a request with content, never fails, and is the same for the same request.
"""

import base64
import binascii
import math
import struct

from llr.base.jsonio import JSON, dumps
from llr.formats.media import sniff
from llr.ir.parts import (
    Media,
    MediaKind,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    SourceKind,
    Text,
    ToolCall,
    ToolResult,
)
from llr.ir.request import ChatRequest, Tool

_LATIN_BYTES = 4.0
_SCHEMA_BYTES = 3.5
_PER_MESSAGE = 4
_IMAGE = 1600
_PIXELS_PER_TOKEN = 750
# A page of a PDF costs about 2000 tokens; of unknown page count, one token per 3000 bytes would be too few.
_PDF_PAGE = 2000
_PDF_PAGE_BYTES = 3000
_AUDIO_BYTES = 640
# Code points from here on count as one token each: CJK, kana, hangul and beyond.
_WIDE = 0x2E80


def text_tokens(text: str) -> float:
    """Returns the tokens of text: a quarter per UTF-8 byte, one per wide character."""
    if text.isascii():
        return len(text) / _LATIN_BYTES
    size = len(text.encode("utf-8", "surrogatepass"))
    wide = sum(1 for char in text if ord(char) >= _WIDE) if size > 2 * len(text) or size - len(text) > 64 else 0
    return (size - 3 * wide) / _LATIN_BYTES + wide


def image_size(data: str) -> tuple[int, int] | None:
    """Returns (width, height) in pixels of a base64 PNG, GIF, JPEG or WebP, None when its head does not tell."""
    try:
        head = base64.b64decode(data[: 64 * 1024 // 3 * 4], validate=False)
    except (binascii.Error, ValueError):
        return None
    kind = sniff(data)
    if kind == "image/png" and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if kind == "image/gif" and len(head) >= 10:
        width, height = struct.unpack("<HH", head[6:10])
        return width, height
    if kind == "image/jpeg":
        return _jpeg_size(head)
    return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker, size = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        # SOF0..SOF15 without DHT, JPG and DAC hold the frame's size.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + size
    return None


def _media_tokens(part: Media) -> float:
    if part.source is SourceKind.TEXT:
        return text_tokens(part.value)
    if part.kind is MediaKind.IMAGE:
        size = image_size(part.value) if part.source is SourceKind.DATA else None
        return min(size[0] * size[1] / _PIXELS_PER_TOKEN, 4 * _IMAGE) if size else _IMAGE
    if part.source is not SourceKind.DATA:
        return _PDF_PAGE
    size_bytes = len(part.value) * 3 // 4
    if part.kind is MediaKind.DOCUMENT:
        return max(_PDF_PAGE, size_bytes / _PDF_PAGE_BYTES)
    return max(1, size_bytes / _AUDIO_BYTES)


def _json_tokens(value: JSON) -> float:
    return len(dumps(value)) / _SCHEMA_BYTES


def part_tokens(part: Part) -> float:
    """Returns the tokens of one part."""
    match part:
        case Text() | Refusal():
            return text_tokens(part.text)
        case Reasoning():
            return text_tokens(part.text) + sum(text_tokens(each) for each in part.summary)
        case ToolCall():
            return text_tokens(part.name) + len(part.arguments) / _SCHEMA_BYTES + _PER_MESSAGE
        case ToolResult():
            return _PER_MESSAGE + sum(part_tokens(each) for each in part.parts)
        case Media():
            return _media_tokens(part)
        case Opaque():
            return _json_tokens(part.raw)


def _tool_tokens(tool: Tool) -> float:
    words = text_tokens(tool.name) + text_tokens(tool.description)
    return words + (_json_tokens(tool.parameters) if tool.parameters is not None else 0) + _PER_MESSAGE


def estimate_request(request: ChatRequest) -> int:
    """Returns the input tokens a request will cost, at least 1."""
    total = sum(part_tokens(part) for part in request.system)
    for message in request.messages:
        total += _PER_MESSAGE + sum(part_tokens(part) for part in message.parts)
    for tool in request.tools:
        total += _tool_tokens(tool) if isinstance(tool, Tool) else _json_tokens(dict(tool.raw))
    return max(1, math.ceil(total))


def estimate_parts(parts: tuple[Part, ...]) -> int:
    """Returns the tokens of an answer's parts, at least 1."""
    return max(1, math.ceil(sum(part_tokens(part) for part in parts)))
