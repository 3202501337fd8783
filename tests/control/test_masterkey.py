"""Made keys are strong, as long as asked, and begin as asked."""

import itertools

import pytest

from llr.control.ops.masterkey import generated, weaknesses


@pytest.mark.parametrize(
    ("prefix", "length", "begins", "size"),
    [
        (None, None, "gw_", 48),
        ("", 24, "gw_", 27),
        ("  \t\r\n ", 30, "gw_", 30),
        ("k-", 9, "k-", 26),
        ("k-", 9999, "k-", 256),
        ("x" * 40, 48, "x" * 32, 56),
        ("a\nb", 60, "ab", 60),
    ],
)
def test_generated(prefix: str | None, length: int | None, begins: str, size: int) -> None:
    key = generated(prefix, length)
    assert (key.startswith(begins), len(key)) == (True, size)


def test_a_weak_draw_is_drawn_again() -> None:
    draws = iter(["a" * 64, "password" * 8, "aB3-xY7_kL9qW2eR5tZ8uI1oP4sD6fG0hJcVbNm"])
    assert generated(None, None, lambda _size: next(draws)).startswith("gw_aB3-xY7")


def test_it_gives_up_after_twelve_draws() -> None:
    count = itertools.count()
    key = generated(None, None, lambda size: (next(count), "a" * size)[1])
    assert (next(count), key) == (12, "gw_" + "a" * 45)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("aB3-xY7_kL9qW2eR5tZ8uI1o", []),
        ("aB3-xY7_kL9", ["shorter"]),
        ("abcdefghijklmnopqrstuvwxyz", ["fewer"]),
        ("aB3-xY7_kL9qW2eR5tZ8PassWord", ["common word"]),
        ("aB3-xY7_kL9qW2eR5tZ8uIoooooo", ["repeats"]),
        ("123456", ["shorter", "fewer", "common word"]),
    ],
)
def test_weaknesses(key: str, words: list[str]) -> None:
    found = weaknesses(key)
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))
