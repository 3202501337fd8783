"""When to start a dead worker again: quickly at first, then ever more slowly."""

from collections.abc import Sequence

FIRST_S = 0.25
MOST_S = 10.0
WINDOW_S = 60.0
HOPELESS = 5


def recent(failed_at: Sequence[float], now: float) -> list[float]:
    """Returns the failures of the last minute."""
    return [at for at in failed_at if now - at < WINDOW_S]


def pause_s(failures: int) -> float:
    """Returns how long to wait after that many failures in a minute: 0.25 s, doubling up to 10 s."""
    return float(min(FIRST_S * 2.0 ** max(failures - 1, 0), MOST_S))


def hopeless(failed_at: Sequence[float]) -> bool:
    """Returns whether so many starts failed that clients should be told."""
    return len(failed_at) >= HOPELESS
