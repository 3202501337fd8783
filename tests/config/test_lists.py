"""What people type on a command line."""

from typing import Any

import pytest

from llr.config.lists import (
    BucketProblem,
    loose_list,
    parse_bucket,
    parse_context_windows,
    parse_qualified,
    parse_targets,
    parse_window,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a, b;c\nd e", ["a", "b", "c", "d", "e"]),
        ("a,,a; a", ["a"]),
        ("\"a\" 'b' `c` (d) [e] {f} <g>", ["a", "b", "c", "d", "e", "f", "g"]),
        ("a. b: c,", ["a", "b", "c"]),
        ("smart[1m]", ["smart[1m]"]),
        ("[smart[1m]]", ["smart[1m]"]),
        ("", []),
        (" ,; ", []),
    ],
)
def test_loose_lists(text: str, tokens: list[str]) -> None:
    assert loose_list(text) == tokens


TARGETS: list[tuple[str, list[dict[str, Any]]]] = [
    (
        "acme/smart-2@3, beta/claude-x@2, fast",
        [{"ref": "acme/smart-2", "weight": 3}, {"ref": "beta/claude-x", "weight": 2}, {"ref": "fast"}],
    ),
    ("a/b@0.5", [{"ref": "a/b", "weight": 0.5}]),
    ("a/b@0 a/c@-1 a/d@x", [{"ref": "a/b@0"}, {"ref": "a/c@-1"}, {"ref": "a/d@x"}]),
    ("a/b@3 a/b@4", [{"ref": "a/b", "weight": 3}]),
    ("https://a/b c", [{"ref": "c"}]),
    ("ollama/phi:3", [{"ref": "ollama/phi:3"}]),
    ("openrouter/gpt-4o:2", [{"ref": "openrouter/gpt-4o", "weight": 2}]),
    ("acme/known@2", [{"ref": "acme/known@2"}]),
    ("smart[1m]@2", [{"ref": "smart[1m]", "weight": 2}]),
    ("[a/b, a/c]", [{"ref": "a/b"}, {"ref": "a/c"}]),
    ('["a/b", {"target": "a/c", "weight": "2"}]', [{"ref": "a/b"}, {"ref": "a/c", "weight": 2}]),
    ('[{"ref": "a/b", "weight": 3, "metadata": {"k": "v"}}]', [{"ref": "a/b", "weight": 3, "metadata": {"k": "v"}}]),
    ('{"target": "a/b"}', [{"ref": "a/b"}]),
    ('[{"ref": "a/b", "weight": 0}, {"ref": "a/c", "weight": "x"}, {"weight": 1}]', []),
    ("", []),
]


@pytest.mark.parametrize(("text", "targets"), TARGETS)
def test_targets(text: str, targets: list[dict[str, Any]]) -> None:
    assert parse_targets(text, {"acme/known@2", "openrouter/gpt-4o"}) == targets


def test_qualified_models() -> None:
    assert parse_qualified("acme/m, plain, b.c/x:y, /z") == (["acme/m", "b.c/x:y"], ["plain", "/z"])


@pytest.mark.parametrize(
    ("text", "unit", "size"),
    [
        ("month:1", "month", 1),
        ("month/1", "month", 1),
        ("month 1", "month", 1),
        ("monthx1", "month", 1),
        ("month-1", "month", 1),
        ("week1", "week", 1),
        ("1 month", "month", 1),
        ("1month", "month", 1),
        ("2w", "week", 2),
        ("6hours", "hour", 6),
        ("30 SEC", "second", 30),
        ("5m", "minute", 5),
        ("5mo", "month", 5),
        ("hr:2", "hour", 2),
        (" day : 7 ", "day", 7),
        ('{"unit": "Days", "size": "3"}', "day", 3),
    ],
)
def test_windows(text: str, unit: str, size: int) -> None:
    assert parse_window(text) == {"unit": unit, "size": size}


def test_windows_as_objects() -> None:
    for given in ({"unit": "day", "size": 2}, {"windowUnit": "day", "windowSize": 2}, {"window-unit": "d", "value": 2}):
        assert parse_window(given) == {"unit": "day", "size": 2}  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["fortnightly", "", "week", "1", "week:0", "0w", "year:1", "{", None, 7, [], {}])
def test_what_is_no_window(value: Any) -> None:
    assert parse_window(value) is None


WINDOW = {"unit": "day", "size": 1}
BUCKETS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"id": "b", "models": "a, c", "requests": "5", "window": "1 day"},
        {"id": "b", "models": ["a", "c"], "requests": 5},
    ),
    (
        {"name": "Monthly cap", "model": "ALL", "limit": 5, "windowUnit": "d", "windowSize": 1},
        {"id": "monthly-cap", "name": "Monthly cap", "models": ["all"], "requests": 5},
    ),
    (
        {"bucket-name": "Minute cap", "model-selector": ["a"], "requests": 1, "window": WINDOW, "metadata": {"k": 1}},
        {"id": "minute-cap-2", "name": "Minute cap", "models": ["a"], "requests": 1, "metadata": {"k": 1}},
    ),
    (
        {"name": "!!", "models": ["a"], "requests": 1, "window": WINDOW},
        {"id": "bucket", "name": "!!", "models": ["a"], "requests": 1},
    ),
]


@pytest.mark.parametrize(("given", "stored"), BUCKETS)
def test_buckets(given: dict[str, Any], stored: dict[str, Any]) -> None:
    assert parse_bucket(given, {"minute-cap"}) == {**stored, "window": WINDOW}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "bucket id or bucket name is required"),
        ({"name": " "}, "bucket name cannot be empty"),
        ({"id": "b"}, "bucket 'b' requires models"),
        ({"id": "b", "models": "a", "requests": 0}, "bucket 'b' requests must be a positive integer"),
        ({"id": "b", "models": "a", "requests": 1, "window": "fortnightly"}, "bucket 'b' window is invalid"),
        (
            {"id": "b", "models": "a", "requests": 1, "window": WINDOW, "metadata": 1},
            "bucket 'b' metadata must be a JSON object",
        ),
    ],
)
def test_bucket_problems(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BucketProblem) as caught:
        parse_bucket(given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ('{"m": "256000", "n": 0, "o": 1.9}', {"m": 256000, "o": 1}),
        ("a=1000, b:2000\nollama/phi:3:4096, c=x, d", {"a": 1000, "b": 2000, "ollama/phi:3": 4096}),
        ("{broken", {}),
        ("", {}),
    ],
)
def test_context_windows(text: str, windows: dict[str, int]) -> None:
    assert parse_context_windows(text) == windows
