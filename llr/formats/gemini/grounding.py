"""Citations between Gemini's grounding metadata and the Messages-style citations of the intermediate form."""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import JSON
from llr.formats import reading


def _citation(url: str, title: str, cited: str) -> JSON:
    return {
        "type": "web_search_result_location",
        "url": url,
        "title": title,
        "cited_text": cited,
        "encrypted_index": "",
    }


def read(candidate: Mapping[str, Any], text: str) -> list[JSON]:
    """Returns the citations a candidate's metadata holds for `text`."""
    grounding = reading.table(candidate.get("groundingMetadata"))
    chunks = [reading.table(each.get("web")) for _, each in reading.tables(grounding.get("groundingChunks"))]
    found: list[JSON] = []
    for _, support in reading.tables(grounding.get("groundingSupports")):
        cited = reading.text(reading.table(support.get("segment")).get("text"))
        for number in reading.rows(support.get("groundingChunkIndices")):
            if isinstance(number, int) and 0 <= number < len(chunks) and chunks[number].get("uri"):
                web = chunks[number]
                found.append(_citation(reading.text(web.get("uri")), reading.text(web.get("title")), cited))
    sources = reading.table(candidate.get("citationMetadata"))
    # The vendor's two services call them differently.
    for _, source in reading.tables(sources.get("citationSources") or sources.get("citations")):
        uri = reading.text(source.get("uri"))
        start, end = reading.count(source.get("startIndex")) or 0, reading.count(source.get("endIndex"))
        if uri:
            found.append(_citation(uri, reading.text(source.get("title")), text[start:end] if end else ""))
    return found


class Grounding:
    """Collects the citations of an answer's texts into one `groundingMetadata`."""

    __slots__ = ("_chunks", "_numbers", "_supports")

    def __init__(self) -> None:
        self._chunks: list[JSON] = []
        self._numbers: dict[str, int] = {}
        self._supports: list[JSON] = []

    def add(self, citations: list[JSON], text: str, part_index: int) -> None:
        """Adds the citations of one text part."""
        for each in citations:
            fields = reading.table(each)
            url = reading.text(fields.get("url"))
            if not url:
                continue
            if url not in self._numbers:
                self._numbers[url] = len(self._chunks)
                self._chunks.append({"web": {"uri": url, "title": reading.text(fields.get("title"))}})
            cited = reading.text(fields.get("cited_text"))
            start = text.find(cited) if cited else -1
            cited, start = (cited, start) if start >= 0 else (text, 0)
            # The vendor counts in UTF-8 bytes.
            before = len(text[:start].encode("utf-8", "surrogatepass"))
            size = len(cited.encode("utf-8", "surrogatepass"))
            segment: dict[str, JSON] = {"startIndex": before, "endIndex": before + size, "text": cited}
            if part_index:
                segment["partIndex"] = part_index
            self._supports.append({"segment": segment, "groundingChunkIndices": [self._numbers[url]]})

    def metadata(self) -> JSON:
        """Returns the metadata, None when nothing was cited."""
        if not self._chunks:
            return None
        return {"groundingChunks": self._chunks, "groundingSupports": self._supports}
