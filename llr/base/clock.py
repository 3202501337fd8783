"""Time as an argument: the real clock lives here, tests bring their own."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Clock(Protocol):
    """What a shell may know of time."""

    def now(self) -> float:
        """Returns the instant in epoch seconds."""

    def monotonic(self) -> float:
        """Returns seconds on a clock that never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Returns a context that is cut off after `seconds` with `TimeoutError`."""


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

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Returns a context that is cut off after `seconds` with `TimeoutError`."""
        return asyncio.timeout(seconds)
