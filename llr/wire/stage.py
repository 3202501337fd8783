"""A stage: a small machine that takes items and gives items."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Stage(Protocol[In, Out]):
    """Takes items one by one; `finish` says that no more come."""

    def feed(self, item: In, /) -> Iterable[Out]:
        """Returns what this item makes ready."""

    def finish(self) -> Iterable[Out]:
        """Returns what was still held back."""
