"""Answers given back the names and kinds their client knows.

Law: what the way there changed is changed back exactly; everything else passes untouched. A hosted web search that
went out as a function has nobody to run it: a call of it comes back as the search the client knows, with an error.
"""

import re
from collections.abc import Iterable

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats.base import Meta
from llr.formats.tool_names import AS_TEXT, client_name, split
from llr.formats.toolforms import arguments_object, search_function, unwrapped
from llr.ir.events import Event, Finish, PartDelta, PartEnd, PartStart, Stop
from llr.ir.parts import Opaque, Part, Text, ToolCall, ToolKind
from llr.ir.request import ServerTool, Tool
from llr.ir.response import ChatResponse

# The clients whose answers show searches, and what the ids of these may not hold.
_SHOWING = (FormatId.MESSAGES, FormatId.RESPONSES)
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_]")


def needed(meta: Meta) -> bool:
    """Returns whether anything was changed on the way there."""
    return bool(meta.tool_names) or any(
        tool.kind is not ToolKind.FUNCTION if isinstance(tool, Tool) else tool.capability == "web_search"
        for tool in meta.request.tools
    )


def _searches(meta: Meta) -> set[str]:
    """Returns the names of functions that stand for a hosted search."""
    tools = meta.request.tools
    hosted = [tool for tool in tools if isinstance(tool, ServerTool) and tool.capability == "web_search"]
    found = {search_function(tool).name for tool in hosted if tool.format in _SHOWING}
    return found - {tool.name for tool in tools if isinstance(tool, Tool)}


def _unsearched(call: ToolCall, arguments: str) -> tuple[Opaque, Opaque]:
    """Returns a search nobody ran, as the two blocks it is in the Messages grammar: the call, and why it failed."""
    ident = f"srvtoolu_{_NOT_IN_IDS.sub('_', call.id)}"
    given = arguments_object(arguments)[0]
    asked: dict[str, JSON] = {"type": "server_tool_use", "id": ident, "name": "web_search", "input": given}
    error: JSON = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    result: dict[str, JSON] = {"type": "web_search_tool_result", "tool_use_id": ident, "content": error}
    return Opaque(FormatId.MESSAGES, asked), Opaque(FormatId.MESSAGES, result)


def _kinds(meta: Meta) -> dict[str, ToolKind]:
    kinds: dict[str, ToolKind] = {}
    for tool in meta.request.tools:
        if isinstance(tool, Tool) and tool.kind is not ToolKind.FUNCTION:
            kinds[client_name(tool.name or tool.kind.value, tool.namespace)] = tool.kind
    return kinds


class Restore:
    """Events in, events out, with the client's tool names, namespaces and kinds."""

    __slots__ = ("_called", "_held", "_kinds", "_names", "_open", "_searches", "_shift", "_texts")

    def __init__(self, meta: Meta) -> None:
        self._names = meta.tool_names
        self._kinds = _kinds(meta)
        self._open: ToolCall | None = None
        # Fragments of a free-text call wait: its input is inside a JSON string.
        self._held: list[str] | None = None
        self._called = False
        # Something that was a call on the line is none for the client.
        self._texts = False
        self._searches = _searches(meta)
        self._shift = 0

    def feed(self, item: Event, /) -> Iterable[Event]:
        """Returns the event as the client is to see it."""
        kind = type(item)
        if self._shift and isinstance(item, PartStart | PartDelta | PartEnd):
            item = replace(item, index=item.index + self._shift)
        if kind is PartDelta:
            if self._held is None or not isinstance(item, PartDelta):
                return (item,)
            self._held.append(item.text)
            return ()
        if isinstance(item, PartStart) and isinstance(item.part, ToolCall):
            return self._start(item, item.part)
        if isinstance(item, PartEnd) and self._open is not None:
            return self._end(item, self._open)
        if isinstance(item, Finish) and self._texts and not self._called and item.stop is Stop.TOOL:
            return (replace(item, stop=Stop.DONE),)
        return (item,)

    def finish(self) -> Iterable[Event]:
        """Returns nothing: a decoder's end closes every part."""
        return ()

    def _start(self, event: PartStart, part: ToolCall) -> Iterable[Event]:
        restored = restored_call(part, self._names.get(part.name, part.name), self._kinds)
        if restored is None:
            self._texts = True
            return (PartStart(event.index, Text("")),)
        self._open = restored
        if restored.name in self._searches:
            self._texts, self._held = True, []
            return ()
        self._called = True
        if restored.kind is ToolKind.CUSTOM and part.kind is not ToolKind.CUSTOM:
            self._held = []
        return (PartStart(event.index, restored),)

    def _end(self, event: PartEnd, part: ToolCall) -> Iterable[Event]:
        held, self._held, self._open = self._held, None, None
        if held is None:
            return (event,)
        if part.name in self._searches:
            self._shift += 1
            asked, result = _unsearched(part, "".join(held))
            place = event.index
            return (
                PartStart(place, asked),
                PartEnd(place),
                PartStart(place + 1, result),
                PartEnd(place + 1),
            )
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
    kinds, searches = _kinds(meta), _searches(meta)
    parts: list[Part] = []
    texts = called = False
    for part in response.parts:
        if isinstance(part, ToolCall):
            back = restored_call(part, meta.tool_names.get(part.name, part.name), kinds)
            if back is None:
                texts = True
                parts.append(Text(part.arguments))
                continue
            if back.name in searches:
                texts = True
                parts += _unsearched(back, part.arguments)
                continue
            called = True
            if back.kind is not part.kind:
                back = replace(back, arguments=unwrapped(part.arguments, back.kind))
            parts.append(back)
        else:
            parts.append(part)
    stop = Stop.DONE if texts and not called and response.stop is Stop.TOOL else response.stop
    return replace(response, parts=tuple(parts), stop=stop)
