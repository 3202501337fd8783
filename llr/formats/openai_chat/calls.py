"""Tool calls out of the fragments of a Chat stream, whatever the server does with indexes, ids and repeats.

Law: each call opens once, with a name; its arguments come out exactly once and in order.
"""

from typing import Any

from llr.base.jsonio import InvalidJSON, loads
from llr.base.records import dataclass, field
from llr.formats.openai_chat.parts import arguments_text, call_seal
from llr.formats.reading import integer, table, text
from llr.formats.sequencer import Sequencer
from llr.ir.events import Event
from llr.ir.parts import Seal, ToolCall, ToolKind


@dataclass(slots=True)
class _Call:
    key: str
    id: str = ""
    name: str = ""
    kind: ToolKind = ToolKind.FUNCTION
    seen: str = ""
    opened: bool = False
    held: list[str] = field(default_factory=list)
    seal: Seal | None = None
    told: Seal | None = None

    def late_seal(self) -> Seal | None:
        """Returns the seal that came after the call was opened, None when the opening already told it."""
        return self.seal if self.seal is not self.told else None

    def whole(self) -> bool:
        """Returns whether the arguments so far are one JSON value: nothing more can come."""
        if self.kind is not ToolKind.FUNCTION or not self.seen.rstrip().endswith("}"):
            return False
        try:
            loads(self.seen.encode("utf-8", "surrogatepass"))
        except InvalidJSON:
            return False
        return True


class Calls:
    """The tool calls of one choice."""

    def __init__(self, parts: Sequencer) -> None:
        self._parts = parts
        self._by_index: dict[int, _Call] = {}
        self._all: dict[str, _Call] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entry: dict[str, Any], out: list[Event]) -> None:
        """Takes one entry of `delta.tool_calls`."""
        index = integer(entry.get("index")) or 0
        custom = entry.get("custom")
        function = table(custom if isinstance(custom, dict) else entry.get("function"))
        call_id, name = text(entry.get("id")), text(function.get("name"))
        call = self._by_index.get(index)
        piece = arguments_text(function.get("input" if custom else "arguments"))
        if call is None or _is_new(call, call_id, name, piece):
            call = _Call(f"call{len(self._all)}", kind=ToolKind.CUSTOM if custom else ToolKind.FUNCTION)
            self._by_index[index] = self._all[call.key] = call
        call.id = call.id or call_id
        call.name = call.name or name
        call.seal = call.seal or call_seal(entry)
        piece = _fresh(call.seen, piece)
        call.seen += piece
        if call.opened:
            if piece:
                self._parts.delta(call.key, piece, out)
                self._release(out)
        else:
            if piece:
                call.held.append(piece)
            if call.name:
                self._open(call, out)

    def _open(self, call: _Call, out: list[Event]) -> None:
        self.yield_turn(out)
        call.opened, call.told = True, call.seal
        self._parts.open(call.key, ToolCall(call.id, call.name, "", call.kind, seal=call.seal), out)
        for piece in call.held:
            self._parts.delta(call.key, piece, out)
        call.held.clear()

    def yield_turn(self, out: list[Event]) -> None:
        """Closes the open call when its arguments are whole, because something else begins."""
        current = self._parts.current
        call = self._all.get(current) if isinstance(current, str) else None
        if call is not None and call.whole():
            self._parts.close(call.key, out, call.late_seal())

    def _release(self, out: list[Event]) -> None:
        """Lets waiting parts go on once the open call is whole."""
        while self._parts.waiting and isinstance(self._parts.current, str):
            before = self._parts.current
            self.yield_turn(out)
            if self._parts.current == before:
                return

    def finish(self, out: list[Event]) -> None:
        """Opens calls that never got a name and closes every call."""
        for call in self._all.values():
            if not call.opened:
                call.name = call.name or "tool"
                self._open(call, out)
        for call in self._all.values():
            self._parts.close(call.key, out, call.late_seal())


def _is_new(call: _Call, call_id: str, name: str, piece: str) -> bool:
    """Returns whether an entry with a known index is another call after all."""
    if call_id and call.id:
        if call_id != call.id:
            return True
        # Servers that give every call the same id: it is another one when nothing could be added to the first.
        return bool(name) and (name != call.name or not call.seen.startswith(piece)) and call.whole()
    if name and call.name and not call_id:
        return name != call.name or call.whole()
    return False


def _fresh(seen: str, piece: str) -> str:
    """Returns what is new in a fragment: servers that send all arguments so far, or all again, repeat `seen`."""
    return piece[len(seen) :] if seen and piece.startswith(seen) else piece
