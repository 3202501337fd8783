"""Splicing: only the named top-level members change, every other byte stays."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llr.base.jsonio import InvalidJSON
from llr.wire.splice import REMOVED, Document

# The first draw is slow on a busy machine; that says nothing about the code.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["model", "a", "ü"]), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["model", "stream", "messages", "a", "ü", "mödel", "😀"]), VALUES, max_size=6)


def spliced(data: bytes, **edits: object) -> bytes:
    return b"".join(Document(data).splice(edits))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"a"}', b'{"model":"x/y"}'),
        (b' { "model" : "a" , "b":1 } ', b' { "model" : "x/y" , "b":1 } '),
        (b'{"model":"a","model":"b","c":{"model":"n"}}', b'{"model":"x/y","model":"x/y","c":{"model":"n"}}'),
        (rb'{"\u006dodel":"a","s":"\"model\":\"q\""}', rb'{"\u006dodel":"x/y","s":"\"model\":\"q\""}'),
        (b'{"messages":[{"model":"n"}]}', b'{"model":"x/y","messages":[{"model":"n"}]}'),
        (b"{}", b'{"model":"x/y"}'),
        (b"", b'{"model":"x/y"}'),
        (b" \n ", b'{"model":"x/y"}'),
        (b'\xef\xbb\xbf{"model":null}', b'\xef\xbb\xbf{"model":"x/y"}'),
        ('{"ä":"ö😀","model":"é","z":"ü"}'.encode(), '{"ä":"ö😀","model":"x/y","z":"ü"}'.encode()),
        (b'{"bad":"\xff\xfe","model":{"a":[1,2]}}', b'{"bad":"\xff\xfe","model":"x/y"}'),
    ],
)
def test_every_top_level_model_is_replaced_and_nothing_else(before: bytes, after: bytes) -> None:
    assert spliced(before, model="x/y") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"a":1,"b":2,"c":3}', b'{"a":1,"c":3}'),
        (b'{"b":2, "a":1}', b'{"a":1}'),
        (b'{"a":1 , "b":2 }', b'{"a":1 }'),
        (b'{"b":1,"b":2}', b"{}"),
        (b'{"b":1,"a":0,"b":2,"b":3}', b'{"a":0}'),
        (b'{"a":{"b":1}}', b'{"a":{"b":1}}'),
    ],
)
def test_a_removed_member_goes_with_its_comma(before: bytes, after: bytes) -> None:
    assert spliced(before, b=REMOVED) == after


@patient
@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_replacing_equals_replacing_in_the_parsed_object(
    value: dict[str, object], ascii_only: bool, indent: int
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    document = Document(data)
    assert json.loads(b"".join(document.splice({"model": "m", "a": REMOVED}))) == {
        **{key: part for key, part in json.loads(data.decode("utf-8", "replace")).items() if key != "a"},
        "model": "m",
    }
    assert b"".join(document.splice({})) == data


@patient
@given(OBJECTS, st.text(max_size=20), st.text(max_size=20))
def test_bytes_around_the_value_stay(value: dict[str, object], left: str, right: str) -> None:
    value.pop("model", None)
    head = json.dumps({"l": left, **value}, ensure_ascii=False)[:-1].encode("utf-8", "replace")
    tail = json.dumps({"r": right}, ensure_ascii=False)[1:].encode("utf-8", "replace")
    data = head + b' , "model"\t:  "old"\n, ' + tail
    assert spliced(data, model="nü") == head + ' , "model"\t:  "nü"\n, '.encode() + tail


@pytest.mark.parametrize(
    "data",
    [
        *(b"{", b"[]", b'"x"', b"1", b"null", b"nope", b'{"a":1}x', b"{'a':1}", b'{"a":}', b'{"a":1,}', b'{"a" 1}'),
        *(b'{"a":NaN}', b'{"a":"\n"}', b'{"a":1 "b":2}', b"{1:2}", b'{"a":' + b"[" * 100_000),
    ],
)
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidJSON):
        Document(data)


@patient
@given(st.text(alphabet='{}[]":,\\ \n1ae-.ntfu', max_size=24))
def test_accepts_exactly_the_objects_json_accepts(text: str) -> None:
    try:
        expected: object = json.loads(text)
    except ValueError:
        expected = None
    try:
        value: object = Document(text.encode()).value
    except InvalidJSON:
        value = None
    if text.strip(" \n"):
        assert value == (expected if isinstance(expected, dict) else None)


def test_parts_are_slices() -> None:
    data = b'{"model":"a","messages":"' + b"x" * 2_000_000 + b'"}'
    document = Document(data)
    parts = document.splice({"model": "b"})
    assert [len(part) for part in parts] == [9, 3, len(data) - 12]


def test_many_members_and_removals_cost_linear_time() -> None:
    data = b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b',"x":2}'
    started = time.process_time()
    document = Document(data)
    edits = {f"k{number}": REMOVED for number in range(50_000)}
    assert b"".join(document.splice(edits)) == b'{"x":2}'
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("data", "words"), [(b'{"a":' + b"9" * 5000 + b"}", "digits"), (b'{"a":"x', "starting at line 1")]
)
def test_what_the_reader_cannot_take_is_no_json(data: bytes, words: str) -> None:
    with pytest.raises(InvalidJSON, match=words):
        Document(data)
