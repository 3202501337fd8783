"""In which order equal candidates are tried: one function per strategy, all driven by one integer per route.

Law: pure. A strategy gets at least two entries and returns their order and the next cursor, None to leave it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

MAX_SLOTS = 512
# The fraction that spreads points on a circle most evenly, for any number of them.
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class Weighed(Protocol):
    """What a strategy may know of an entry."""

    @property
    def weight(self) -> float:
        """Returns the configured weight, above 0."""

    @property
    def health(self) -> float:
        """Returns the health factor, 0.05 to 1."""

    @property
    def ratio(self) -> float:
        """Returns the smallest share left of its caps, 0 to 1."""


E = TypeVar("E", bound=Weighed)


class Strategy(Protocol):
    """Orders at least two entries by the route's cursor."""

    def __call__(self, entries: Sequence[E], cursor: int, /) -> tuple[list[E], int | None]:
        """Returns the order and the next cursor, None to leave it."""


def ordered(entries: Sequence[E], cursor: int) -> tuple[list[E], int | None]:
    """Returns the entries as they are."""
    return list(entries), None


def round_robin(entries: Sequence[E], cursor: int) -> tuple[list[E], int | None]:
    """Returns the entries rotated by the cursor."""
    place = cursor % len(entries)
    return _rotated(entries, place), (place + 1) % len(entries)


def weighted(entries: Sequence[E], cursor: int) -> tuple[list[E], int | None]:
    """Returns the entries in turns according to weight and health."""
    return _turn(entries, cursor, slots([_healthy_weight(entry) for entry in entries]))


def quota_aware(entries: Sequence[E], cursor: int) -> tuple[list[E], int | None]:
    """Returns the entries in turns according to weight, health and what is left of their caps."""
    return _turn(entries, cursor, slots([_weight_left(entry) for entry in entries]))


def _healthy_weight(entry: Weighed) -> float:
    return entry.weight * entry.health


def _weight_left(entry: Weighed) -> float:
    return entry.weight * entry.health * entry.ratio


_POWERS: Mapping[str, Callable[[Weighed], float]] = {
    "weighted-rr": _healthy_weight,
    "quota-aware-weighted-rr": _weight_left,
}


STRATEGIES: Mapping[str, Strategy] = {
    "ordered": ordered,
    "round-robin": round_robin,
    "weighted-rr": weighted,
    "quota-aware-weighted-rr": quota_aware,
}


def shares(strategy: str, entries: Sequence[Weighed]) -> list[float]:
    """Returns how often each entry comes first, as a fraction of all turns."""
    if strategy == "round-robin":
        return [1.0 / len(entries)] * len(entries)
    if strategy not in _POWERS or len(entries) < 2:
        return [1.0 if place == 0 else 0.0 for place in range(len(entries))]
    wheel = slots([_POWERS[strategy](entry) for entry in entries])
    return [count / sum(wheel) for count in wheel]


def slots(effective: Sequence[float]) -> list[int]:
    """Returns the wheel: a whole number of slots for each share, at least 1, about 512 in all, no common divisor.

    Shares under a hundredth are scaled up first, so that fractional weights keep their proportion.
    """
    least = min(effective)
    scale = 100.0 if least >= 0.01 else min(1.0 / max(least, 1e-9), 1e9)
    wheel = [max(1, int(share * scale + 0.5)) for share in effective]
    divisor = math.gcd(*wheel)
    wheel = [count // divisor for count in wheel]
    total = sum(wheel)
    if total > MAX_SLOTS:
        factor = total / MAX_SLOTS
        wheel = [max(1, int(count / factor + 0.5)) for count in wheel]
    return wheel


@lru_cache(maxsize=2 * MAX_SLOTS)
def stride(total: int) -> int:
    """Returns a step near the golden section of a wheel that visits each of its slots once before any twice."""
    near = max(1, round(total * _GOLDEN))
    for distance in range(total):
        for step in (near + distance, near - distance):
            if 0 < step < max(2, total) and math.gcd(step, total) == 1:
                return step
    return 1


def _turn(entries: Sequence[E], cursor: int, wheel: Sequence[int]) -> tuple[list[E], int | None]:
    """Returns the entries from the one whose turn it is, the rest following around the wheel.

    Slots lie in runs, but turns jump by the golden stride: the counts of a whole round are exact, and equal turns
    are never a run.
    """
    total = sum(wheel)
    turn = cursor % total
    slot = turn * stride(total) % total
    for place, count in enumerate(wheel):
        slot -= count
        if slot < 0:
            return _rotated(entries, place), (turn + 1) % total
    raise AssertionError("the slots of a wheel add up to its total")


def _rotated(entries: Sequence[E], place: int) -> list[E]:
    return [*entries[place:], *entries[:place]]
