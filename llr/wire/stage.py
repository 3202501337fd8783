"""Stages: small machines that take items and give items, and a pipe of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
First = TypeVar("First")
Last = TypeVar("Last")
Item = TypeVar("Item")


class Stage(Protocol[In, Out]):
    """Takes items one by one; `finish` says that no more come."""

    def feed(self, item: In, /) -> Iterable[Out]:
        """Returns what this item makes ready."""

    def finish(self) -> Iterable[Out]:
        """Returns what was still held back."""


class Pipe(Generic[First, Last]):
    """Stages one behind the other, itself a stage. The caller says what goes in and comes out."""

    __slots__ = ("_stages",)

    def __init__(self, *stages: Stage[Any, Any]) -> None:
        self._stages = stages

    def feed(self, item: First, /) -> Iterable[Last]:
        """Returns what comes out at the end for this item."""
        return self._through([item], 0)

    def finish(self) -> Iterable[Last]:
        """Returns what the stages still held, each flushed through those behind it."""
        out: list[Last] = []
        for place, stage in enumerate(self._stages):
            out.extend(self._through(list(stage.finish()), place + 1))
        return out

    def _through(self, items: Sequence[Any], place: int) -> Sequence[Any]:
        for stage in self._stages[place:]:
            if not items:
                return items
            if len(items) == 1:
                items = list(stage.feed(items[0]))
            else:
                items = [out for item in items for out in stage.feed(item)]
        return items


class Tap(Generic[Item]):
    """Shows each item to `observe` and hands it on."""

    __slots__ = ("_observe",)

    def __init__(self, observe: Callable[[Item], None]) -> None:
        self._observe = observe

    def feed(self, item: Item, /) -> Iterable[Item]:
        """Returns the item itself."""
        self._observe(item)
        return (item,)

    def finish(self) -> Iterable[Item]:
        """Returns nothing: a tap holds nothing back."""
        return ()
