"""JSON at its edges: what is refused, and what is written from values no JSON can hold."""

import json

import pytest

from llr.base.jsonio import InvalidJSON, dumps, dumps_text, loads, loads_answer, object_in


@pytest.mark.parametrize(
    "bad",
    [b"", b"{", b'{"a":1}x', b"NaN", b"[-Infinity]", b"[" * 100_000, b'{"seed":' + b"9" * 5000 + b"}", b'"\x01"'],
)
def test_what_is_no_json_here_is_refused_with_words(bad: bytes) -> None:
    with pytest.raises(InvalidJSON, match=r"\w"):
        loads(bad)


@pytest.mark.parametrize(
    ("data", "found"), [(b'{"a":1}', {"a": 1}), (b"{}", {}), (b"[1]", None), (b"{", None), (b"", None)]
)
def test_an_object_is_told_from_anything_else(data: bytes, found: object) -> None:
    assert object_in(data) == found


def test_numbers_beyond_a_float_are_written_as_numbers() -> None:
    value = loads(b'{"a":[1e999,{"b":-1e999}],"c":1.5}')
    for text in (dumps(value).decode(), dumps_text(value)):
        again = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        assert again["a"][0] > 1e308
        assert again["a"][1]["b"] < -1e308
        assert again["c"] == 1.5


def test_lone_surrogates_stay_escapes_and_a_bom_is_skipped() -> None:
    assert dumps(loads(b'\xef\xbb\xbf["\\ud800", 1e999, "\xff"]')).startswith(b'["\\ud800",1.79')


def test_what_an_upstream_says_may_hold_what_python_calls_numbers() -> None:
    value = loads_answer(b'[NaN, -Infinity, {"a": Infinity}]')
    none, least, most = json.loads(dumps(value), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert none is None
    assert least < -1e308
    assert most["a"] > 1e308
    assert object_in(b'{"logprob": -Infinity}') == {"logprob": float("-inf")}
