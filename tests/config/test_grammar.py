"""Slugs, references, URLs, numbers, words."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.config import grammar
from llr.config.grammar import Direct, ToAlias

STEADY = settings(deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Acme AI", "acme-ai"),
        ("--x--", "x"),
        ("a__b..c", "a-b-c"),
        ("", "word"),
        ("日本", "word"),
        ("9Router", "9router"),
    ],
)
def test_slugs(text: str, slug: str) -> None:
    assert grammar.slug(text, "word") == slug


@pytest.mark.parametrize(
    ("ref", "parsed"),
    [
        ("acme/m", Direct("acme", "m")),
        (" acme/vendor/model-x ", Direct("acme", "vendor/model-x")),
        ("acme/opus[1m]", Direct("acme", "opus[1m]")),
        ("acme/m@3", Direct("acme", "m@3")),
        ("fast", ToAlias("fast")),
        ("fast[1m]", ToAlias("fast[1m]")),
        ("alias:fast", ToAlias("fast")),
        ("alias:a/b", None),
        ("alias:", None),
        ("", None),
        ("  ", None),
        ("a b", None),
        ("acme/m x", None),
        ("openrouter/", None),
        ("/x", None),
        ("-x", None),
        ("a@2", None),
    ],
)
def test_references(ref: str, parsed: Any) -> None:
    assert grammar.parse_ref(ref) == parsed


@STEADY
@given(st.text(max_size=20))
def test_a_parsed_reference_reads_back(text: str) -> None:
    parsed = grammar.parse_ref(text)
    if parsed is not None:
        assert grammar.parse_ref(parsed.text) == parsed


@pytest.mark.parametrize(
    ("text", "ref", "weight"),
    [
        ("acme/m@3", "acme/m", 3.0),
        ("acme/m@0.5", "acme/m", 0.5),
        ("acme/m@0", "acme/m@0", None),
        ("acme/m@-1", "acme/m@-1", None),
        ("acme/m@x", "acme/m@x", None),
        ("acme/m@x@2", "acme/m@x", 2.0),
        ("fast@2", "fast", 2.0),
        ("@2", "@2", None),
        ("acme/known@7", "acme/known@7", None),
    ],
)
def test_weights_in_text(text: str, ref: str, weight: float | None) -> None:
    assert grammar.split_weight(text, {"acme/known@7"}) == (ref, weight)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://ampcode.example", "https://ampcode.example/"),
        ("HTTPS://API.Example:443/V1", "https://api.example/V1"),
        ("http://h:80/x", "http://h/x"),
        ("http://h:8080/x/", "http://h:8080/x/"),
        ("https://u:p@h/v1#frag", "https://h/v1"),
        ("https://h/v1?api-version=1&k=%20a", "https://h/v1?api-version=1&k=%20a"),
        ("https://h?x=1", "https://h/?x=1"),
        (" https://h/a b ", "https://h/a%20b"),
        ("http://[::1]:1234/v1", "http://[::1]:1234/v1"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://h/{model}/x", "https://h/{model}/x"),
        ("ftp://h/x", ""),
        ("h.example/v1", ""),
        ("//h/v1", ""),
        ("https:///v1", ""),
        ("https:h/v1", ""),
        ("https://h:99999/", ""),
        ("https://[::1/", ""),
        ("https://a b/", ""),
        ("https://<x>/", ""),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_urls(text: Any, normal: str) -> None:
    assert grammar.url(text) == normal


@STEADY
@given(st.text(max_size=40))
def test_no_url_text_raises_and_normal_form_is_stable(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://h/{text}"):
        normal = grammar.url(candidate)
        assert grammar.url(normal) == normal


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("100", 100),
        ("1e3", 1000),
        (2.9, 2),
        ("5x", None),
        (0, None),
        (-3, None),
        (None, None),
        ("", None),
        (True, None),
        (float("inf"), None),
        (float("nan"), None),
        ("1e999", None),
        ([1], None),
        ("0.5", None),
        (" 7 ", 7),
        (10**30, 10**30),
    ],
)
def test_positive_integers(value: Any, number: int | None) -> None:
    assert grammar.posint(value) == number


YES: list[Any] = ["1", "true", "YES", " y ", "on", 1]
NO: list[Any] = ["0", "False", "no", "N", "off", 0]
NEITHER: list[Any] = [None, "", "maybe", 2, [], {}]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True),
        (False, False),
        *((word, True) for word in YES),
        *((word, False) for word in NO),
        *((word, None) for word in NEITHER),
    ],
)
def test_bools(value: Any, read: bool | None) -> None:
    assert grammar.flag(value, True) == (True if read is None else read)
    assert grammar.flag(value, False) == (False if read is None else read)


@pytest.mark.parametrize(
    ("value", "text"), [(" a ", "a"), (7, "7"), (1.0, "1"), (1.5, "1.5"), (True, "true"), ([], "")]
)
def test_texts(value: Any, text: str) -> None:
    assert grammar.scalar_text(value) == text
