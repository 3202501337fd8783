"""Wheels: slots, proportions, smoothness."""

import math
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.routing.strategies import MAX_SLOTS, STRATEGIES, shares, slots, stride

# The same examples every time, and no clock: the machine may be busy.
calm = settings(deadline=None, derandomize=True)


@dataclass(frozen=True)
class Entry:
    name: str
    weight: float = 1.0
    health: float = 1.0
    ratio: float = 1.0


def entries(*weights: float) -> list[Entry]:
    return [Entry("abcdefghij"[place], weight) for place, weight in enumerate(weights)]


def turns(strategy: str, given_entries: list[Entry], count: int) -> tuple[list[str], list[int]]:
    cursor, firsts, cursors = 0, [], []
    for _ in range(count):
        order, following = STRATEGIES[strategy](given_entries, cursor)
        assert sorted(one.name for one in order) == sorted(one.name for one in given_entries)
        firsts.append(order[0].name)
        cursor = cursor if following is None else following
        cursors.append(cursor)
    return firsts, cursors


SLOTS = [
    ([1, 3], [1, 3]),
    ([2, 2, 1], [2, 2, 1]),
    ([1 / 1.5, 1], [67, 100]),
    ([1, 0.1], [10, 1]),
    ([0.5, 1], [1, 2]),
    ([5, 5], [1, 1]),
    ([0, 1], [1, 511]),
    ([0.001, 1], [1, 511]),
    ([7], [1]),
]


@pytest.mark.parametrize(("effective", "wheel"), SLOTS)
def test_slots(effective: list[float], wheel: list[int]) -> None:
    found = slots(effective)
    assert [abs(a - b) <= 1 for a, b in zip(found, wheel, strict=True)] == [True] * len(wheel)
    if max(wheel) < 200:
        assert found == wheel


def test_ordered_keeps_order_and_cursor() -> None:
    assert turns("ordered", entries(1, 9), 3) == (["a", "a", "a"], [0, 0, 0])


def test_round_robin() -> None:
    assert turns("round-robin", entries(1, 1, 1), 5) == (list("abcab"), [1, 2, 0, 1, 2])
    order, _ = STRATEGIES["round-robin"](entries(1, 1, 1), 7)
    assert [one.name for one in order] == ["b", "c", "a"]


def test_two_two_one_gives_every_order_around_the_wheel() -> None:
    three = entries(2, 2, 1)
    orders = {"".join(one.name for one in STRATEGIES["weighted-rr"](three, cursor)[0]) for cursor in range(5)}
    assert orders == {"abc", "bca", "cab"}
    firsts, cursors = turns("weighted-rr", three, 5)
    assert (Counter(firsts), cursors[-1]) == (Counter("aabbc"), 0)


PROPORTIONS = [
    ("weighted-rr", [Entry("a", 1), Entry("b", 3)], 120, {"a": (20, 40), "b": (80, 100)}),
    ("quota-aware-weighted-rr", [Entry("a"), Entry("b", ratio=0.1)], 100, {"a": (75, 100), "b": (1, 25)}),
    ("weighted-rr", [Entry("a", health=1 / 1.5), Entry("b")], 167, {"a": (67, 67), "b": (100, 100)}),
    ("weighted-rr", [Entry("a", ratio=0.1), Entry("b")], 100, {"a": (50, 50), "b": (50, 50)}),
    ("weighted-rr", [Entry("a", 0.5), Entry("b", 1)], 90, {"a": (30, 30), "b": (60, 60)}),
    ("round-robin", [Entry("a", 1), Entry("b", 9)], 10, {"a": (5, 5), "b": (5, 5)}),
]


@pytest.mark.parametrize(("strategy", "given_entries", "count", "bounds"), PROPORTIONS)
def test_proportions(strategy: str, given_entries: list[Entry], count: int, bounds: dict[str, tuple[int, int]]) -> None:
    found = Counter(turns(strategy, given_entries, count)[0])
    for name, (low, high) in bounds.items():
        assert low <= found[name] <= high


weights = st.lists(st.floats(0.01, 100), min_size=2, max_size=8)


@calm
@given(weights)
def test_a_whole_round_is_exact(found: list[float]) -> None:
    three = entries(*found)
    wheel = slots(found)
    firsts, cursors = turns("weighted-rr", three, sum(wheel))
    assert Counter(firsts) == {one.name: count for one, count in zip(three, wheel, strict=True)}
    assert cursors[-1] == 0


@calm
@given(weights, st.integers(0, 10**9))
def test_slots_follow_the_weights(found: list[float], cursor: int) -> None:
    wheel = slots(found)
    assert math.gcd(*wheel) >= 1
    assert min(wheel) >= 1
    assert sum(wheel) <= MAX_SLOTS + len(wheel)
    for share, count in zip(found, wheel, strict=True):
        assert abs(count / sum(wheel) - share / sum(found)) <= (1.5 + len(wheel)) / MAX_SLOTS + 0.02
    order, following = STRATEGIES["weighted-rr"](entries(*found), cursor)
    assert len(order) == len(found)
    assert following is not None
    assert 0 <= following < sum(wheel)


@calm
@given(st.floats(0.05, 0.95))
def test_equal_turns_are_no_long_run(part: float) -> None:
    two = entries(part, 1 - part)
    wheel = slots([part, 1 - part])
    firsts = "".join(turns("weighted-rr", two, 2 * sum(wheel))[0])
    for place, name in enumerate("ab"):
        fraction = wheel[place] / sum(wheel)
        longest = max(len(run) for run in firsts.split("b" if name == "a" else "a"))
        # The fair run of a share p is p / (1 - p); the golden stride stays within about three times that.
        assert longest <= 3 * fraction / (1 - fraction) + 2


@calm
@given(st.integers(1, 2_000))
def test_stride_visits_every_slot(total: int) -> None:
    assert {turn * stride(total) % total for turn in range(total)} == set(range(total))


def test_proportions_hold_while_quota_is_used_up() -> None:
    limit, used, cursor = 1_000, {"a": 0, "b": 0, "c": 500}, 0
    for _ in range(600):
        three = [Entry(name, ratio=(limit - count) / limit) for name, count in used.items()]
        order, following = STRATEGIES["quota-aware-weighted-rr"](three, cursor)
        used[order[0].name] += 1
        cursor = following or 0
    # c began with half its quota, so it gets about half of what the others get.
    assert 180 <= used["a"] <= 300
    assert 180 <= used["b"] <= 300
    assert 90 <= used["c"] - 500 <= 170


def test_shares() -> None:
    two = [Entry("a", 1), Entry("b", 3, ratio=0.5)]
    assert shares("ordered", two) == [1.0, 0.0]
    assert shares("round-robin", two) == [0.5, 0.5]
    assert shares("weighted-rr", two) == [0.25, 0.75]
    assert shares("quota-aware-weighted-rr", two) == [0.4, 0.6]
    assert shares("weighted-rr", two[:1]) == [1.0]
