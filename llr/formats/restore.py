"""Answers given back the names and kinds their client knows.

Law: what the way there changed is changed back exactly; everything else passes untouched.
"""

from collections.abc import Iterable

from llr.base.records import replace
from llr.formats.base import Meta
from llr.formats.tool_names import AS_TEXT, client_name, split
from llr.formats.toolforms import unwrapped
from llr.ir.events import Event, Finish, PartDelta, PartEnd, PartStart, Stop
from llr.ir.parts import Part, Text, ToolCall, ToolKind
from llr.ir.request import Tool
from llr.ir.response import ChatResponse


def needed(meta: Meta) -> bool:
    """Returns whether anything was changed on the way there."""
    return bool(meta.tool_names) or any(
        isinstance(tool, Tool) and tool.kind is not ToolKind.FUNCTION for tool in meta.request.tools
    )


def _kinds(meta: Meta) -> dict[str, ToolKind]:
    kinds: dict[str, ToolKind] = {}
    for tool in meta.request.tools:
        if isinstance(tool, Tool) and tool.kind is not ToolKind.FUNCTION:
            kinds[client_name(tool.name or tool.kind.value, tool.namespace)] = tool.kind
    return kinds


class Restore:
    """Events in, events out, with the client's tool names, namespaces and kinds."""

    __slots__ = ("_called", "_held", "_kinds", "_names", "_open", "_texts")

    def __init__(self, meta: Meta) -> None:
        self._names = meta.tool_names
        self._kinds = _kinds(meta)
        self._open: ToolCall | None = None
        # Fragments of a free-text call wait: its input is inside a JSON string.
        self._held: list[str] | None = None
        self._called = False
        self._texts = False

    def feed(self, item: Event, /) -> Iterable[Event]:
        """Returns the event as the client is to see it."""
        kind = type(item)
        if kind is PartDelta:
            if self._held is None or not isinstance(item, PartDelta):
                return (item,)
            self._held.append(item.text)
            return ()
        if isinstance(item, PartStart) and isinstance(item.part, ToolCall):
            return (self._start(item, item.part),)
        if isinstance(item, PartEnd) and self._open is not None:
            return self._end(item, self._open)
        if isinstance(item, Finish) and self._texts and not self._called and item.stop is Stop.TOOL:
            return (replace(item, stop=Stop.DONE),)
        return (item,)

    def finish(self) -> Iterable[Event]:
        """Returns nothing: a decoder's end closes every part."""
        return ()

    def _start(self, event: PartStart, part: ToolCall) -> Event:
        restored = restored_call(part, self._names.get(part.name, part.name), self._kinds)
        if restored is None:
            self._texts = True
            return PartStart(event.index, Text(""))
        self._called = True
        self._open = restored
        if restored.kind is ToolKind.CUSTOM and part.kind is not ToolKind.CUSTOM:
            self._held = []
        return PartStart(event.index, restored)

    def _end(self, event: PartEnd, part: ToolCall) -> Iterable[Event]:
        held, self._held, self._open = self._held, None, None
        if held is None:
            return (event,)
        text = unwrapped("".join(held), part.kind)
        return (PartDelta(event.index, text), event) if text else (event,)


def restored_call(part: ToolCall, client: str, kinds: dict[str, ToolKind]) -> ToolCall | None:
    """Returns a call under its client's name and kind, None when its input is the answer's text."""
    if client == AS_TEXT:
        return None
    namespace, name = split(client)
    kind = kinds.get(client, part.kind)
    if name == part.name and namespace == part.namespace and kind is part.kind:
        return part
    return replace(part, name=name, namespace=namespace or part.namespace, kind=kind)


def restored(response: ChatResponse, meta: Meta) -> ChatResponse:
    """Returns a whole answer with the client's tool names, namespaces and kinds."""
    if not needed(meta):
        return response
    kinds = _kinds(meta)
    parts: list[Part] = []
    texts = called = False
    for part in response.parts:
        if isinstance(part, ToolCall):
            back = restored_call(part, meta.tool_names.get(part.name, part.name), kinds)
            if back is None:
                texts = True
                parts.append(Text(part.arguments))
                continue
            called = True
            if back.kind is not part.kind:
                back = replace(back, arguments=unwrapped(part.arguments, back.kind))
            parts.append(back)
        else:
            parts.append(part)
    stop = Stop.DONE if texts and not called and response.stop is Stop.TOOL else response.stop
    return replace(response, parts=tuple(parts), stop=stop)
