"""What blocks only one vendor understands say to others, in words.

Law: the same block gives the same words; a block without words gives None and is a named loss.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.names import FormatId
from llr.formats import reading
from llr.ir.parts import Media, Opaque, Part, Refusal, SourceKind, Text

# Vendor ids in the first system block; their text changes per call and would break prefix caches elsewhere.
BILLING_LINE = "x-anthropic-billing-header:"
# What stands for the result of a call that got none, where the target wants one for each.
NO_RESPONSE = "[No response received]"


def search_result_text(raw: Mapping[str, Any]) -> str:
    """Returns a Messages `search_result` block as text with its title and source."""
    body = "\n".join(reading.text(item.get("text")) for _, item in reading.tables(raw.get("content")))
    title, source = reading.text(raw.get("title")), reading.text(raw.get("source"))
    return f'<search_result title="{title}" source="{source}">\n{body}\n</search_result>'


def document_text(title: str, body: str) -> str:
    """Returns a text document as one text with its title."""
    return f'<document title="{title}">\n{body}\n</document>' if title else f"<document>\n{body}\n</document>"


def media_words(part: Media) -> str:
    """Returns what stands for media a format cannot carry."""
    if part.source is SourceKind.TEXT:
        return document_text(part.title, part.value)
    return f"[{part.kind.value} not shown: {part.title or part.media_type or part.kind.value}]"


def search_digest(raw: Mapping[str, Any]) -> str | None:
    """Returns the hits of a `web_search_tool_result` as lines of title and address, None when it has none."""
    lines = [
        f"- {reading.text(hit.get('title'))} {reading.text(hit.get('url'))}".rstrip()
        for _, hit in reading.tables(raw.get("content"))
    ]
    return "Search results:\n" + "\n".join(lines) if lines else None


def opaque_text(part: Opaque, *, history: bool = False) -> str | None:
    """Returns the text a foreign block stands for; `history` also digests past searches. None: it has no words."""
    raw = reading.table(part.raw)
    if part.format is not FormatId.MESSAGES:
        return None
    if raw.get("type") == "search_result":
        return search_result_text(raw)
    if history and raw.get("type") == "web_search_tool_result":
        return search_digest(raw)
    return None


def plain_text(part: Part) -> str | None:
    """Returns the words of a part that has some: text, refusals, text documents, search results; else None."""
    match part:
        case Text() | Refusal():
            return part.text
        case Media(source=SourceKind.TEXT):
            return document_text(part.title, part.value)
        case Opaque():
            return opaque_text(part)
        case _:
            return None
