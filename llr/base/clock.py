"""Time as an argument: the real clock lives here, tests bring their own."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What a shell may know of time."""

    def now(self) -> float:
        """Returns the instant in epoch seconds."""

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Returns the instant in epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""
        await asyncio.sleep(seconds)
