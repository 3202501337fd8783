"""Schemas of any shape: no exception, no endless work, the input never changed."""

import json
import random
from copy import deepcopy
from typing import Any

import pytest

from llr.formats.gemini.schemas import from_json_schema, to_json_schema
from llr.formats.schema import GEMINI, MESSAGES_STRICT, MESSAGES_TOOL, OPENAI_STRICT, OPENAI_TOOL, clean, object_schema

RULES = {
    "messages tool": MESSAGES_TOOL,
    "messages strict": MESSAGES_STRICT,
    "openai tool": OPENAI_TOOL,
    "openai strict": OPENAI_STRICT,
    "gemini": GEMINI,
}
RICH: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}},
    "type": "object",
    "oneOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"$ref": "#/$defs/node"}],
    "allOf": [{"properties": {"b": {"enum": [1, "x", None]}}, "required": ["b"]}],
    "anyOf": [{"type": "null"}, {"type": "object"}],
    "properties": {
        "n": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10},
        "u": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
        "l": {"type": "array", "items": [{"type": ["string", "null"]}], "uniqueItems": True},
        "c": {"const": "only", "description": "told"},
        "o": {"oneOf": [{"type": "number"}], "allOf": [{"required": ["z"], "properties": {"z": True}}]},
        "m": {"type": "object", "additionalProperties": {"type": "string"}, "patternProperties": {"^x": {}}},
    },
    "required": ["n", "nobody"],
}
ODD: tuple[Any, ...] = (
    None, True, 0, -1.5, "", "x", [], [None], [[]], [{}], {}, {"type": None}, {"$ref": 7}, {"$ref": "#/"},
    {"$ref": "#"}, [{"required": 1, "properties": 2}],
    {"properties": "x", "required": [{}], "anyOf": 3, "oneOf": [{}]},
)  # fmt: skip


def changed(value: Any, rng: random.Random) -> Any:
    """Returns a copy in which some values are odd ones."""
    if rng.random() < 0.06:
        return deepcopy(rng.choice(ODD))
    if isinstance(value, dict):
        return {key: changed(inner, rng) for key, inner in value.items()}
    return [changed(inner, rng) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("rule", RULES)
def test_no_schema_is_too_odd(rule: str) -> None:
    rng = random.Random(rule)
    for _ in range(1500):
        schema = changed(RICH, rng)
        before = json.dumps(schema)
        clean(object_schema(schema), RULES[rule])
        json.dumps([from_json_schema(object_schema(schema)), to_json_schema(schema)])
        assert json.dumps(schema) == before


def test_references_that_fan_out_are_written_out_only_so_far() -> None:
    fan = {f"d{level}": {"properties": {f"p{n}": {"$ref": f"#/$defs/d{level + 1}"} for n in range(20)}}
           for level in range(12)}  # fmt: skip
    schema: dict[str, Any] = {"type": "object", "properties": {"top": {"$ref": "#/$defs/d0"}}, "$defs": fan}
    out, lost = clean(schema, GEMINI)
    assert "$ref" not in json.dumps(out)
    assert len(json.dumps(out)) < 2_000_000
    assert any(path.endswith("$ref") for path in lost)


def test_exclusive_bounds_of_integers_become_inclusive_ones_for_gemini() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"n": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}},
    }
    out, lost = from_json_schema(schema)
    assert isinstance(out, dict)
    assert isinstance(out["properties"], dict)
    assert out["properties"]["n"] == {"type": "integer", "minimum": 1, "maximum": 8}
    assert lost == ()
    number: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "number", "exclusiveMinimum": 0}}}
    out, lost = from_json_schema(number)
    assert "exclusiveMinimum: 0" in json.dumps(out)
    assert lost == ("$.properties.n.exclusiveMinimum",)
