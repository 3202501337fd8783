"""Parts of an answer put one behind the other, whatever order their fragments come in.

Law: every part that was opened is closed before the next opens; fragments of a part that has to wait are kept and given
out when its turn comes; nothing is lost and nothing comes twice.
"""

from collections.abc import Hashable

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.ir.events import Event, PartDelta, PartEnd, PartStart
from llr.ir.parts import NO_EXTRAS, Extras, Part, Seal


@dataclass(slots=True)
class _Waiting:
    part: Part
    deltas: list[tuple[str, int | None, JSON]] = field(default_factory=list)
    end: tuple[Seal | None, Extras] | None = None


class Sequencer:
    """Takes parts by key, gives events. The open part's fragments pass at once; those of others wait."""

    __slots__ = ("_current", "_index", "_waiting")

    def __init__(self) -> None:
        self._current: Hashable | None = None
        self._index = -1
        self._waiting: dict[Hashable, _Waiting] = {}

    @property
    def current(self) -> Hashable | None:
        """Returns the key of the part whose fragments pass at once, None when none is open."""
        return self._current

    @property
    def count(self) -> int:
        """Returns how many parts were opened so far, waiting ones included."""
        return self._index + 1 + len(self._waiting)

    @property
    def waiting(self) -> bool:
        """Returns whether parts wait for the open one to end."""
        return bool(self._waiting)

    def open(self, key: Hashable, part: Part, out: list[Event]) -> None:
        """Begins a part; it waits while another is open."""
        if self._current is not None:
            self._waiting[key] = _Waiting(part)
            return
        self._current = key
        self._index += 1
        out.append(PartStart(self._index, part))

    def knows(self, key: Hashable) -> bool:
        """Returns whether this part is open or waiting."""
        return key == self._current or key in self._waiting

    def delta(
        self, key: Hashable, text: str, out: list[Event], summary: int | None = None, citation: JSON = None
    ) -> None:
        """Adds to a part; for a part that is not known (closed already) nothing happens."""
        if key == self._current:
            out.append(PartDelta(self._index, text, summary, citation))
        elif (waiting := self._waiting.get(key)) is not None and waiting.end is None:
            waiting.deltas.append((text, summary, citation))

    def close(self, key: Hashable, out: list[Event], seal: Seal | None = None, extras: Extras = NO_EXTRAS) -> None:
        """Ends a part; whole parts that waited follow, and the first unfinished one becomes the open one."""
        if key != self._current:
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.end is None:
                waiting.end = (seal, extras)
            return
        out.append(PartEnd(self._index, seal, extras))
        self._current = None
        while self._waiting and self._current is None:
            first = next(iter(self._waiting))
            self._release(first, self._waiting.pop(first), out)

    def _release(self, key: Hashable, waiting: _Waiting, out: list[Event]) -> None:
        self._current = key
        self._index += 1
        out.append(PartStart(self._index, waiting.part))
        for text, summary, citation in waiting.deltas:
            out.append(PartDelta(self._index, text, summary, citation))
        if waiting.end is not None:
            out.append(PartEnd(self._index, *waiting.end))
            self._current = None

    def close_all(self, out: list[Event]) -> None:
        """Ends every part, in the order they were opened."""
        while self._current is not None:
            self.close(self._current, out)
