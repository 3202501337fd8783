"""The items of an answer in the making: indexes, ids, sequence numbers, and the message item that is open.

Law: an item is added before and done after everything else of it, and the next begins only then.
"""

from typing import Any

from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.formats import reading
from llr.formats.base import Meta
from llr.formats.openai_responses.content_in import OWN
from llr.formats.tool_names import split
from llr.ir.events import Stop
from llr.ir.parts import ToolCall, ToolKind
from llr.ir.request import Tool

_SOURCES = "web_search_call.action.sources"


class Output:
    """The items of one answer: numbers, ids, the open message item, what is done so far."""

    __slots__ = (
        "_counts",
        "_message",
        "_number",
        "_tools",
        "calls",
        "id",
        "include",
        "items",
        "meta",
        "refused",
        "search",
        "searches",
        "stop",
    )

    def __init__(self, meta: Meta) -> None:
        self.meta = meta
        self.id = ""
        self.items: list[JSON] = []
        self.refused = False
        self.calls = False
        self.stop: Stop | None = None
        self.include = frozenset(meta.request.options.include)
        self.search = Searches()
        self._number = -1
        self._counts: dict[str, int] = {}
        self._message: MessageItem | None = None
        self.searches = any(
            "~search" in reading.bag(tool.extras, OWN) for tool in meta.request.tools if isinstance(tool, Tool)
        )
        self._tools = {(tool.namespace, tool.name): tool.kind for tool in meta.request.tools if isinstance(tool, Tool)}

    def begin(self, ident: str) -> None:
        """Takes the id of the answer."""
        self.id = ident

    @property
    def index(self) -> int:
        """Returns the output index of an item that begins now."""
        return len(self.items)

    def number(self) -> int:
        """Returns the next sequence number."""
        self._number += 1
        return self._number

    def event(self, name: str, fields: dict[str, JSON]) -> bytes:
        """Returns one server-sent event."""
        body = dumps({"type": name, **fields, "sequence_number": self.number()})
        return b"event: %b\ndata: %b\n\n" % (name.encode(), body)

    def lifecycle(self, name: str, response: bytes) -> bytes:
        """Returns a lifecycle event around a `response` object that is JSON already."""
        kind = name.encode()
        head = b'event: %b\ndata: {"type":"%b","sequence_number":%d,"response":' % (kind, kind, self.number())
        return head + response + b"}\n\n"

    def fresh_id(self, prefix: str) -> str:
        """Returns an item id that hangs on the answer's id alone, so that the same answer has the same ids."""
        count = self._counts.get(prefix, 0)
        self._counts[prefix] = count + 1
        return f"{prefix}{self.id.removeprefix('resp_')}_{count}"

    def added(self, item: JSON) -> bytes:
        """Returns the event that opens an item."""
        return self.event("response.output_item.added", {"output_index": self.index, "item": item})

    def done(self, item: JSON) -> bytes:
        """Returns the event that closes an item, and keeps the item."""
        chunk = self.event("response.output_item.done", {"output_index": self.index, "item": item})
        self.items.append(item)
        return chunk

    def message(self, note: dict[str, JSON] | None) -> "tuple[MessageItem, bytes]":
        """Returns the open message item, or a new one with the events that begin it."""
        if self._message is not None and note is None:
            return self._message, b""
        before = self.close_message()
        self._message = MessageItem(self, note or {})
        return self._message, before + self._message.begin()

    def close_message(self) -> bytes:
        """Returns the events that end an open message item and searches still under way."""
        if self._message is None:
            return self.search.close(self)
        message, self._message = self._message, None
        return message.finish()

    def close(self, stop: Stop) -> bytes:
        """Returns the events that end what is still open at the end of the answer."""
        self.stop = stop
        return self.close_message()

    def kind(self, call: ToolCall) -> tuple[ToolKind, str, str]:
        """Returns (kind, namespace, name) of a call as the client declared its tool."""
        space, name = split(self.meta.tool_names.get(call.name, call.name))
        space = call.namespace or space
        return self._tools.get((space, name), call.kind), space, name


class MessageItem:
    """An open message item; `content` are its parts so far."""

    __slots__ = ("_note", "_output", "content", "id", "index")

    def __init__(self, output: Output, note: dict[str, JSON]) -> None:
        self._output = output
        self._note = note
        self.id = reading.text(note.get("id")) or output.fresh_id("msg_")
        self.index = output.index
        self.content: list[JSON] = []

    def begin(self) -> bytes:
        """Returns the event that opens the item."""
        item: dict[str, JSON] = {"id": self.id, "type": "message", "status": "in_progress", "role": "assistant"}
        item["content"] = []
        if "phase" in self._note:
            item["phase"] = self._note["phase"]
        return self._output.added(item)

    def finish(self) -> bytes:
        """Returns the event that closes the item."""
        output = self._output
        cut = output.stop in (Stop.LENGTH, Stop.CONTEXT_FULL) and not output.meta.codex
        item: dict[str, JSON] = {"id": self.id, "type": "message", "status": "incomplete" if cut else "completed"}
        item["role"] = "assistant"
        item["content"] = self.content
        if "phase" in self._note:
            item["phase"] = self._note["phase"]
        elif output.meta.upstream is not FormatId.RESPONSES:
            # What the model says before it calls tools is commentary; a turn without calls is its answer.
            last = output.stop is not None and not output.calls
            item["phase"] = "final_answer" if last else "commentary"
        return output.done(item)


class Searches:
    """The search under way, if any: two blocks of the Messages grammar are one item that is open between them."""

    __slots__ = ("_item",)

    def __init__(self) -> None:
        self._item: dict[str, Any] | None = None

    def begin(self, output: Output, raw: dict[str, Any]) -> bytes:
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

    def result(self, output: Output, raw: dict[str, Any]) -> bytes:
        """Returns the events that close the open search with its hits."""
        if self._item is not None and _SOURCES in output.include:
            hits = [reading.text(hit.get("url")) for _, hit in reading.tables(raw.get("content"))]
            self._item["action"]["sources"] = [{"type": "url", "url": url} for url in hits if url]
        failed = isinstance(raw.get("content"), dict)
        return self.close(output, failed=failed)

    def close(self, output: Output, *, failed: bool = False) -> bytes:
        """Returns the events that end the open search, b"" when there is none."""
        if self._item is None:
            return b""
        item, self._item = self._item, None
        where: dict[str, JSON] = {"item_id": item["id"], "output_index": output.index}
        chunk = output.event("response.web_search_call.completed", where)
        return chunk + output.done({**item, "status": "failed" if failed else "completed"})
