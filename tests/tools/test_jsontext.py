import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr.tools.jsontext import BadJSON, append, parse, put, remove, scan

SETTINGS = """{
  // what may run
  "permissions": {
    "allow": ["Bash", "Read"], /* both */
  },
  "env": {
    "FOO": "1e3",
    "BAR": "x" // keep
  },
  "ratio": 1.50
}
"""


def test_setting_a_known_key_touches_only_its_value() -> None:
    assert put(SETTINGS, ("env", "FOO"), "2") == SETTINGS.replace('"1e3"', '"2"')


def test_setting_the_same_value_changes_nothing() -> None:
    assert put('{"a": 1.50}', ("a",), 1.5) == '{"a": 1.50}'
    assert put('{"a": 1}', ("a",), True) == '{"a": true}'


def test_a_new_member_stands_after_the_last_with_its_indentation() -> None:
    assert put(SETTINGS, ("env", "NEW"), "v") == SETTINGS.replace('"x" // keep', '"x", // keep\n    "NEW": "v"')


def test_a_trailing_comma_stays_trailing() -> None:
    assert put('{\n\t"a": 1,\n}', ("b",), 2) == '{\n\t"a": 1,\n\t"b": 2,\n}'


def test_missing_objects_are_made_in_the_files_own_indentation() -> None:
    text = '{\n    "a": 1\n}\n'
    assert put(text, ("env", "X"), "y") == '{\n    "a": 1,\n    "env": {\n        "X": "y"\n    }\n}\n'


def test_crlf_and_bom_stay() -> None:
    assert put('\ufeff{\r\n  "a": 1\r\n}\r\n', ("b",), {"c": 1}) == (
        '\ufeff{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 1\r\n  }\r\n}\r\n'
    )


def test_a_one_line_object_stays_on_one_line() -> None:
    assert put('{"a": 1}', ("b",), 2) == '{"a": 1, "b": 2}'
    assert remove('{"a": 1, "b": 2, "c": 3}', ("b",)) == '{"a": 1, "c": 3}'
    assert remove('{"a": 1, "b": 2}', ("b",)) == '{"a": 1}'


def test_blank_text_counts_as_an_empty_object() -> None:
    assert parse(put("", ("a", "b"), 1)) == {"a": {"b": 1}}
    assert remove(" \n", ("a",)) == " \n"


def test_a_scalar_on_the_way_is_replaced_by_an_object() -> None:
    for scalar in ("5", "[1]", '"x"'):
        assert put(f'{{"env": {scalar}}}', ("env", "A"), "b") == '{"env": {\n  "A": "b"\n}}'


def test_removing_what_was_added_gives_the_text_back() -> None:
    for path in (("env", "NEW"), ("top",), ("permissions", "deny")):
        assert remove(put(SETTINGS, path, ["x", {"y": 1}]), path) == SETTINGS


def test_removing_takes_every_duplicate_of_a_key() -> None:
    assert parse(remove('{"a": 1, "b": 2, "a": 3}', ("a",))) == {"b": 2}


def test_items_are_appended_and_removed_in_place() -> None:
    text = '{\n  "m": [\n    {"id": 1}, // mine\n    {"id": 2}\n  ]\n}\n'
    more = append(text, ("m",), {"id": 3})
    assert parse(more)["m"] == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert remove(more, ("m", 2)) == text
    assert append('{"m": []}', ("m",), 1) == '{"m": [\n  1\n]}'
    assert parse(append("{}", ("m",), 1)) == {"m": [1]}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{\n  "a": ,\n}', 2, 8),
        ('{"a": 1', 1, 8),
        ('{"a" 1}', 1, 6),
        ("{} x", 1, 4),
        ('{"a": tru}', 1, 7),
        ("/* x", 1, 1),
    ],
)
def test_broken_text_is_refused_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(BadJSON) as caught:
        scan(text)
    assert (caught.value.line, caught.value.column) == (line, column)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), VALUES), st.text(), VALUES, st.sampled_from([None, 2, "\t"]))
def test_an_edit_changes_exactly_what_it_names(
    doc: dict[str, object], key: str, value: object, indent: int | str | None
) -> None:
    text = json.dumps(doc, indent=indent)
    edited = put(text, (key,), value)  # type: ignore[arg-type]
    assert json.loads(edited) == {**doc, key: value}
    assert json.loads(remove(edited, (key,))) == {k: v for k, v in doc.items() if k != key}
