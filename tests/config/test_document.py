"""Bytes to document and back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.config.document import MAX_DEPTH, DocumentError, clone, read_document, write_document

STEADY = settings(deadline=None, derandomize=True)

objects = st.dictionaries(
    st.text(max_size=6),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=12,
    ),
    max_size=5,
)


@STEADY
@given(objects)
def test_what_is_written_reads_back(doc: dict[str, Any]) -> None:
    data = write_document(doc)
    again = read_document(data)
    assert again.value == doc
    assert write_document(again.value) == data
    assert data.endswith(b"\n")
    assert json.loads(data) == doc


@pytest.mark.parametrize(
    "number",
    ["1.0", "1e3", "1E+3", "-0", "-0.0", "0.10", "123456789012345678901234567890", "1.00000000000000000001", "1e999"],
)
def test_numbers_keep_their_spelling(number: str) -> None:
    data = f'{{\n  "n": {number}\n}}\n'.encode()
    doc = read_document(data).value
    assert isinstance(doc, dict)
    assert write_document(doc) == data
    copied = clone(doc)
    assert isinstance(copied, dict)
    assert write_document(copied) == data


def test_a_number_beyond_the_digit_limit_is_kept() -> None:
    data = ('{\n  "n": ' + "7" * 5000 + "\n}\n").encode()
    doc = read_document(data).value
    assert isinstance(doc, dict)
    assert write_document(doc) == data


def test_numbers_stay_numbers() -> None:
    doc = read_document(b'{"a": 1, "b": 1.5, "c": 1e3}').value
    assert doc == {"a": 1, "b": 1.5, "c": 1000.0}
    assert json.loads(json.dumps(doc)) == doc


def test_the_written_form() -> None:
    doc: dict[str, Any] = {"ü": '日本\n"', "empty": {}, "none": [], "list": [1, {"a": None}], "surrogate": "\ud800"}
    assert write_document(doc).decode() == (
        '{\n  "ü": "日本\\n\\"",\n  "empty": {},\n  "none": [],\n'
        '  "list": [\n    1,\n    {\n      "a": null\n    }\n  ],\n'
        '  "surrogate": "\\ud800"\n}\n'
    )


@pytest.mark.parametrize("data", [b"", b"  \n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_blank_text_is_an_empty_object(data: bytes) -> None:
    document = read_document(data)
    assert document.blank
    assert document.value == {}


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_document(b'\xef\xbb\xbf{"a": 1}').value == {"a": 1}


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b'{\n  "a": 1,\n}', 3, 1),
        (b'{"a" 1}', 1, 6),
        (b'{"a": 1} x', 1, 10),
        (b'{\n "a": NaN}', 2, 7),
        (b'{"a": Infinity}', 1, 7),
        (b'{\n "a": "\xff"}', 2, 8),
        (b'{"a": 1', 1, 8),
        (b'{"Infinity": "NaN \\" -Infinity",\n "a": NaN}', 2, 7),
        (b'{"a": [1, -Infinity, NaN]}', 1, 11),
    ],
)
def test_an_error_has_its_place(data: bytes, line: int, column: int) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(data)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"line {line}" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{\n  // which is which\n  "a": 1}', "JSON has no comments at line 2, column 3"),
        (b'{"a": /* one */ 1}', "JSON has no comments at line 1, column 7"),
        (b'{"a": 1}\n# end', "JSON has no comments at line 2, column 1"),
        (b'{"a": 1,\n}', "JSON has no comma before } at line 2, column 1"),
        (b'{"a": [1, ]}', "JSON has no comma before ] at line 1, column 11"),
        (b'{"a": "\n"}', "Invalid control character at line 1, column 8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16 text, which has to be saved as UTF-8, at line 1, column 1"),
    ],
)
def test_what_other_formats_allow_is_named(data: bytes, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document(data)
    assert str(caught.value) == said


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_absurd_nesting_is_refused(depth: int) -> None:
    with pytest.raises(DocumentError, match="nested too deeply"):
        read_document(b"[" * depth + b"]" * depth)


def test_the_deepest_allowed_document_is_written() -> None:
    text = b'{"a": ' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    doc = read_document(text).value
    assert isinstance(doc, dict)
    assert json.loads(write_document(doc)) == doc


@STEADY
@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_place(data: bytes) -> None:
    problem = None
    try:
        read_document(data)
    except DocumentError as exc:
        problem = exc
    assert problem is None or (problem.line >= 1 and problem.column >= 1)


def test_keys_written_twice_are_named() -> None:
    assert read_document(b'{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}').duplicates == ("c", "a")
