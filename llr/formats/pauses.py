"""A decoder that reads several streams as one answer: where an upstream pauses its turn and goes on in the next one.

Law: one Start, parts numbered through, usage added up; the pause itself is held back until it is known to be the end.
"""

from collections.abc import Callable, Iterable

from llr.base.records import replace
from llr.ir.events import (
    Event,
    Failed,
    Finish,
    PartDelta,
    PartEnd,
    PartStart,
    Start,
    Stop,
    Usage,
    UsageSeen,
    merge_usage,
)
from llr.wire.stage import Stage


class PausingDecoder:
    """Bytes of one stream after the other in, events of one answer out. `said` is all of it so far."""

    __slots__ = ("_before", "_decoder", "_held", "_make", "_shift", "_usage", "said")

    def __init__(self, make: Callable[[], Stage[bytes, Event]]) -> None:
        self._make = make
        self._decoder = make()
        self._held: Finish | None = None
        self._shift = 0
        self._before: Usage | None = None
        self._usage: Usage | None = None
        self.said: list[Event] = []

    @property
    def paused(self) -> bool:
        """Returns whether the stream ended in a pause."""
        return self._held is not None

    def feed(self, item: bytes, /) -> Iterable[Event]:
        """Returns the events this chunk completes, without a pause."""
        return self._passed(self._decoder.feed(item))

    def finish(self) -> Iterable[Event]:
        """Returns the last events; a pause nobody went on from is the end."""
        out = self._passed(self._decoder.finish()) if self._held is None else []
        if self._held is not None:
            out.append(self._held)
            self._held = None
        return out

    def resume(self) -> None:
        """Begins to read the stream that goes on with the paused answer."""
        self._decoder, self._held = self._make(), None
        self._shift = sum(isinstance(event, PartStart) for event in self.said)
        self._before, self._usage = _added(self._before, self._usage), None

    def _passed(self, events: Iterable[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if self._held is not None or (isinstance(event, Start) and self.said):
                continue
            if isinstance(event, Finish) and event.stop is Stop.PAUSE:
                self._held = event
                continue
            made = self._fitted(event)
            if not isinstance(event, UsageSeen | Failed):
                self.said.append(made)
            out.append(made)
        return out

    def _fitted(self, event: Event) -> Event:
        if isinstance(event, UsageSeen):
            self._usage = merge_usage(self._usage, event.usage)
            total = _added(self._before, self._usage)
            return UsageSeen(total) if total is not None else event
        if self._shift and isinstance(event, PartStart | PartDelta | PartEnd):
            return replace(event, index=event.index + self._shift)
        return event


def _added(first: Usage | None, second: Usage | None) -> Usage | None:
    """Returns the tokens of two halves together."""
    if first is None or second is None:
        return second or first

    def total(old: int | None, new: int | None) -> int | None:
        return new if old is None else old if new is None else old + new

    return Usage(
        total(first.fresh, second.fresh),
        total(first.cache_read, second.cache_read),
        total(first.cache_write_5m, second.cache_write_5m),
        total(first.cache_write_1h, second.cache_write_1h),
        total(first.output, second.output),
        total(first.reasoning, second.reasoning),
        second.estimated,
        second.extras,
    )
