"""`<think>...</think>` at the very start of an answer's text, made reasoning: what some open models write.

Law: only the first text of an answer is looked at; nothing is lost, and text that turns out not to begin so is given
out unchanged.
"""

from collections.abc import Iterable

from llr.base.records import replace
from llr.ir.events import Event, PartDelta, PartEnd, PartStart
from llr.ir.parts import Part, Reasoning, Text
from llr.ir.response import ChatResponse

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Events in, events out; for targets whose flag `think_tags` is set."""

    def __init__(self) -> None:
        # "look": the first text is open and may begin with the tag; "think": inside it; "pass": nothing more to do.
        self._state = "wait"
        self._held = ""
        self._shift = 0

    def feed(self, item: Event, /) -> Iterable[Event]:
        """Returns the event, or what it becomes."""
        if self._state == "pass":
            return (self._shifted(item),)
        if isinstance(item, PartStart):
            if self._state == "wait" and isinstance(item.part, Text):
                self._state = "look"
                return ()
            self._state = "pass" if isinstance(item.part, Reasoning) else self._state
            return (item,)
        if self._state in ("look", "think") and isinstance(item, PartDelta):
            self._held += item.text
            return self._look(item.index) if self._state == "look" else self._think(item.index)
        if self._state in ("look", "think") and isinstance(item, PartEnd):
            return self._end(item)
        return (item,)

    def finish(self) -> Iterable[Event]:
        """Returns nothing: a decoder's end closes every part."""
        return ()

    def _shifted(self, item: Event) -> Event:
        if self._shift and isinstance(item, PartStart | PartDelta | PartEnd):
            return replace(item, index=item.index + self._shift)
        return item

    def _look(self, index: int) -> Iterable[Event]:
        begun = self._held.lstrip()
        if begun.startswith(OPEN):
            self._state, self._held = "think", begun[len(OPEN) :].lstrip("\n")
            return (PartStart(index, Reasoning()), *self._think(index))
        if OPEN.startswith(begun):
            return ()
        self._state = "pass"
        return (PartStart(index, Text("")), PartDelta(index, self._held))

    def _think(self, index: int) -> list[Event]:
        thought, found, rest = self._held.partition(CLOSE)
        if not found:
            keep = next((n for n in range(len(CLOSE) - 1, 0, -1) if self._held.endswith(CLOSE[:n])), 0)
            said = self._held[: len(self._held) - keep]
            self._held = self._held[len(self._held) - keep :]
            return [PartDelta(index, said)] if said else []
        self._state, self._shift = "pass", 1
        out: list[Event] = [PartDelta(index, thought)] if thought else []
        out += [PartEnd(index), PartStart(index + 1, Text(""))]
        rest = rest.lstrip("\n")
        return [*out, PartDelta(index + 1, rest)] if rest else out

    def _end(self, end: PartEnd) -> Iterable[Event]:
        thinking, self._state = self._state == "think", "pass"
        said: list[Event] = [PartDelta(end.index, self._held)] if self._held else []
        return (*said, end) if thinking else (PartStart(end.index, Text("")), *said, end)


def split_tags(response: ChatResponse) -> ChatResponse:
    """Returns a whole answer with thinking tags at its start made reasoning."""
    first = response.parts[0] if response.parts else None
    if not isinstance(first, Text) or not first.text.lstrip().startswith(OPEN):
        return response
    thought, _, rest = first.text.lstrip()[len(OPEN) :].partition(CLOSE)
    parts: list[Part] = [Reasoning(thought.lstrip("\n"))]
    if rest.lstrip("\n"):
        parts.append(replace(first, text=rest.lstrip("\n")))
    return replace(response, parts=(*parts, *response.parts[1:]))
