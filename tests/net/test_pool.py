"""`choose` as a table: what is there, and which connection a request gets."""

from dataclasses import dataclass

import pytest

from llr.net.pool import EvictThenOpen, Move, Open, PoolLimits, PoolView, Reuse, Wait, choose, may_idle
from llr.wire.http import Origin

A = Origin("https", "a.example", 443)
B = Origin("https", "b.example", 443)
LIMITS = PoolLimits(max_open=3, max_open_per_origin=2, max_idle_per_origin=2, idle_s=10)


@dataclass(frozen=True)
class Conn:
    name: str
    usable_until: float


OLD, NEW, STALE, OTHER = Conn("old", 105), Conn("new", 108), Conn("stale", 99), Conn("other", 103)


@pytest.mark.parametrize(
    ("idle", "opened", "move"),
    [
        ({}, {}, Open()),
        ({A: [OLD, NEW]}, {A: 2}, Reuse(NEW)),
        ({B: [OTHER]}, {B: 1}, Open()),
        ({A: [STALE]}, {A: 1}, EvictThenOpen(STALE)),
        ({A: [STALE]}, {A: 2, B: 1}, EvictThenOpen(STALE)),
        ({}, {A: 2}, Wait()),
        ({B: [OTHER]}, {A: 2, B: 1}, Wait()),
        ({}, {B: 3}, Wait()),
        ({B: [OTHER]}, {A: 1, B: 2}, EvictThenOpen(OTHER)),
        ({B: [NEW], Origin("http", "c", 80): [OTHER]}, {B: 3}, EvictThenOpen(OTHER)),
        ({A: [OLD]}, {A: 2, B: 1}, Reuse(OLD)),
    ],
)
def test_choose(idle: dict[Origin, list[Conn]], opened: dict[Origin, int], move: Move[Conn]) -> None:
    view = PoolView(idle, opened, sum(opened.values()))
    assert choose(view, A, now=100, limits=LIMITS) == move


def test_the_pool_key_is_the_whole_origin() -> None:
    view = PoolView({A: [NEW]}, {A: 1}, 1)
    for origin in (
        Origin("http", "a.example", 443),
        Origin("https", "a.example", 8443),
        Origin("https", "a.example", 443, proxy="direct"),
        Origin("https", "a.example", 443, ca_file="/ca.pem"),
    ):
        assert choose(view, origin, now=100, limits=LIMITS) == Open()


def test_only_so_many_stay_idle() -> None:
    assert may_idle(PoolView({A: [OLD]}), A, limits=LIMITS)
    assert not may_idle(PoolView({A: [OLD, NEW]}), A, limits=LIMITS)
    assert may_idle(PoolView({A: [OLD, NEW]}), B, limits=LIMITS)
