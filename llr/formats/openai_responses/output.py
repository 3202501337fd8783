"""The items of an answer in the making: indexes, ids, sequence numbers, and the message item that is open.

Law: an item is added before and done after everything else of it, and the next begins only then.
"""

from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.formats import reading
from llr.formats.base import Meta
from llr.formats.openai_responses.content_in import OWN
from llr.formats.openai_responses.search_out import Searches
from llr.formats.tool_names import split
from llr.ir.events import Stop
from llr.ir.parts import ToolCall, ToolKind
from llr.ir.request import Tool


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
