"""What was given out of each part so far, so that a repeat gives out only what is new.

Law: parts never overlap (`Sequencer`); a full text after its fragments adds its missing end, nothing twice; a full text
that contradicts its fragments is ignored.
"""

from typing import TypeAlias

from llr.base.jsonio import JSON
from llr.formats.sequencer import Sequencer
from llr.ir.events import Event
from llr.ir.parts import NO_EXTRAS, Extras, Part, Reasoning, Seal, Text, ToolCall

# (output index,) of an item that is one part, (output index, content index) of a message's part.
Key: TypeAlias = "tuple[int, ...]"


class Fragments:
    """Opens, fills and closes parts by their place in the answer."""

    __slots__ = ("_cited", "_closed", "_early", "_open", "_out", "_sent", "_sequence")

    def __init__(self, out: list[Event]) -> None:
        self._out = out
        self._sequence = Sequencer()
        self._open: dict[Key, None] = {}
        self._closed: set[Key] = set()
        self._sent: dict[tuple[Key, int | None], list[str]] = {}
        self._early: dict[Key, list[str]] = {}
        self._cited: dict[Key, int] = {}

    @property
    def opened(self) -> bool:
        """Returns whether any part was opened yet."""
        return bool(self._open or self._closed)

    def knows(self, key: Key) -> bool:
        """Returns whether this part was opened, closed or not."""
        return key in self._open or key in self._closed

    def begun(self, number: int) -> bool:
        """Returns whether any part of this item was opened."""
        return any(key[0] == number for key in self._open) or any(key[0] == number for key in self._closed)

    def text(self, key: Key) -> str:
        """Returns what was given out of a part's text."""
        return "".join(self._sent.get((key, None), ()))

    def cited(self, key: Key) -> int:
        """Returns how many citations of a part were given out."""
        return self._cited.get(key, 0)

    def open(self, key: Key, part: Part) -> None:
        """Begins a part; fragments that came before it follow."""
        if self.knows(key):
            return
        self._open[key] = None
        self._sequence.open(key, part, self._out)
        for text in self._early.pop(key, ()):
            self.delta(key, text)

    def delta(self, key: Key, text: str, summary: int | None = None) -> None:
        """Adds a fragment; one that comes before its part is known waits."""
        if key not in self._open:
            if key not in self._closed:
                self._early.setdefault(key, []).append(text)
            return
        if not text and summary is None:
            return
        sent = self._sent.get((key, summary))
        if sent is None:
            self._sent[key, summary] = [text]
        else:
            sent.append(text)
        self._sequence.delta(key, text, self._out, summary)

    def fill(self, key: Key, part: Part, full: str, summary: int | None = None) -> None:
        """Begins the part if need be and gives out what of `full` is missing."""
        if key in self._closed:
            return
        if key not in self._open:
            self.open(key, part)
        sent = "".join(self._sent.get((key, summary), ()))
        if len(full) > len(sent) and full.startswith(sent):
            self.delta(key, full[len(sent) :], summary)

    def cite(self, key: Key, citation: JSON) -> None:
        """Adds a citation."""
        if key in self._open:
            self._cited[key] = self._cited.get(key, 0) + 1
            self._sequence.delta(key, "", self._out, None, citation)

    def close(self, key: Key, seal: Seal | None = None, extras: Extras = NO_EXTRAS) -> None:
        """Ends a part."""
        if key in self._open:
            del self._open[key]
            self._closed.add(key)
            self._sequence.close(key, self._out, seal, extras)

    def close_item(self, number: int) -> None:
        """Ends every open part of an item."""
        for key in [key for key in self._open if key[0] == number]:
            self.close(key)

    def close_all(self) -> None:
        """Ends every part."""
        for key in list(self._open):
            self.close(key)

    def whole(self, key: Key, part: Part) -> None:
        """Gives out a part that comes in one piece."""
        if self.knows(key):
            return
        match part:
            case ToolCall():
                empty: Part = ToolCall(part.id, part.name, "", part.kind, part.namespace, None, part.extras)
                self.fill(key, empty, part.arguments)
            case Text():
                self.fill(key, Text("", (), part.extras), part.text)
            case _:
                self.open(key, part)
        self.close(key, part.seal if isinstance(part, Reasoning | ToolCall) else None)
