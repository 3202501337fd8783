"""Web searches of an answer as `web_search_call` items.

A search of the Messages grammar is two blocks, the call and its result; here it is one item that is open between them.
"""

from typing import TYPE_CHECKING, Any

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.formats import reading
from llr.ir.parts import Opaque

if TYPE_CHECKING:
    from llr.formats.openai_responses.output import Output

_SOURCES = "web_search_call.action.sources"
_STEPS = {"web_search_call": ("in_progress", "searching", "completed")}


def progress(output: "Output", item: dict[str, JSON]) -> bytes:
    """Returns the progress events of a hosted item that comes whole."""
    kind = reading.text(item.get("type"))
    where: dict[str, JSON] = {"item_id": item.get("id"), "output_index": output.index}
    return b"".join(output.event(f"response.{kind}.{step}", where) for step in _STEPS.get(kind, ()))


class Searches:
    """The search under way, if any."""

    __slots__ = ("_item",)

    def __init__(self) -> None:
        self._item: dict[str, Any] | None = None

    def begin(self, output: "Output", raw: dict[str, Any]) -> bytes:
        """Returns the events that open a search."""
        query = reading.text(reading.table(raw.get("input")).get("query"))
        ident = reading.text(raw.get("id"))
        item: dict[str, Any] = {"id": f"ws_{ident}" if ident else output.fresh_id("ws_"), "type": "web_search_call"}
        item["status"] = "in_progress"
        item["action"] = {"type": "search", "query": query, "queries": [query]}
        self._item = item
        where: dict[str, JSON] = {"item_id": item["id"], "output_index": output.index}
        chunk = output.added(item)
        return chunk + b"".join(
            output.event(f"response.web_search_call.{step}", where) for step in ("in_progress", "searching")
        )

    def result(self, output: "Output", raw: dict[str, Any]) -> bytes:
        """Returns the events that close the open search with its hits."""
        if self._item is not None and _SOURCES in output.include:
            hits = [reading.text(hit.get("url")) for _, hit in reading.tables(raw.get("content"))]
            self._item["action"]["sources"] = [{"type": "url", "url": url} for url in hits if url]
        failed = isinstance(raw.get("content"), dict)
        return self.close(output, failed=failed)

    def close(self, output: "Output", *, failed: bool = False) -> bytes:
        """Returns the events that end the open search, b"" when there is none."""
        if self._item is None:
            return b""
        item, self._item = self._item, None
        where: dict[str, JSON] = {"item_id": item["id"], "output_index": output.index}
        chunk = output.event("response.web_search_call.completed", where)
        return chunk + output.done({**item, "status": "failed" if failed else "completed"})


def block(output: "Output", part: Opaque) -> bytes:
    """Returns the events of a foreign block: searches have a form here, everything else none."""
    raw = reading.table(part.raw)
    kind = raw.get("type")
    if part.format is not FormatId.MESSAGES:
        return b""
    if kind == "server_tool_use" and raw.get("name") == "web_search":
        return output.close_message() + output.search.begin(output, dict(raw))
    if kind == "web_search_tool_result":
        return output.search.result(output, dict(raw))
    return b""
