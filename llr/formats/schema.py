"""JSON Schemas made fit for a target.

Law: a schema the target takes as it is comes back as the same object; the input is never changed; what was taken away
is named by its path in the schema.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import dumps_text
from llr.base.records import dataclass, field
from llr.formats.reading import words

# How deep `$ref`s are written out; deeper, or round in a circle, an open object stands for the rest.
REF_DEPTH = 8
# How many nodes may be written out in all: references that fan out grow with the power of their depth.
_REF_NODES = 5000
_MAPS = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
_LISTS = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
_ONES = frozenset(
    ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "additionalItems")
)
_DATA = frozenset(("enum", "const", "default", "examples", "example", "required"))


@dataclass(frozen=True, slots=True)
class SchemaRule:
    """What a target cannot take.

    `drop` keywords vanish; `tell` keywords move into the description; `formats` lists the allowed `format` values
    (None: all); `closed` forces `additionalProperties: false` and `all_required` lists every property as required;
    `inline` writes `$ref`s out; `const_enum` writes `const` as `enum`; `one_type` splits a list of types;
    `object_top` wraps a top-level union; `no_empty` drops `properties: {}`; `closed_bounds` writes the exclusive
    bounds of integers as inclusive ones.
    """

    drop: frozenset[str] = frozenset()
    tell: frozenset[str] = frozenset()
    formats: frozenset[str] | None = None
    closed: bool = False
    all_required: bool = False
    inline: bool = False
    const_enum: bool = False
    one_type: bool = False
    object_top: bool = False
    no_empty: bool = False
    closed_bounds: bool = False


_BOUNDS = words(
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems uniqueItems "
    "minProperties maxProperties contains minContains maxContains"
)
_NOTES = frozenset(("$schema", "$id", "$comment", "$anchor"))
# Tools of Messages: any draft 2020-12 object schema; a union at the top is refused ("input_schema does not support
# oneOf, allOf, or anyOf at the top level").
MESSAGES_TOOL = SchemaRule(object_top=True)
# Structured output and strict tools of Messages: vendor reference, "JSON Schema limitations".
MESSAGES_STRICT = SchemaRule(
    drop=_NOTES,
    tell=_BOUNDS | {"patternProperties", "propertyNames", "not", "if", "then", "else"},
    formats=words("date-time time date duration email hostname uri ipv4 ipv6 uuid"),
    closed=True,
    object_top=True,
)
OPENAI_TOOL = SchemaRule(drop=frozenset(("$schema",)), object_top=True)
# A strict schema was written for these rules by its author: only what is surely refused goes.
OPENAI_STRICT = SchemaRule(drop=_NOTES, closed=True, all_required=True, object_top=True)
# Gemini function declarations: the subset of OpenAPI 3.0 that the vendor's Schema message has.
GEMINI = SchemaRule(
    drop=_NOTES
    | words(
        "$defs definitions additionalProperties patternProperties propertyNames unevaluatedProperties unevaluatedItems "
        "dependentSchemas dependentRequired enumDescriptions markdownDescription examples readOnly writeOnly "
        "deprecated contentEncoding contentMediaType if then else not contains minContains maxContains "
        "prefixItems additionalItems $ref strict"
    ),
    tell=frozenset(("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems")),
    formats=frozenset(("enum", "date-time", "float", "double", "int32", "int64")),
    inline=True,
    const_enum=True,
    one_type=True,
    object_top=True,
    no_empty=True,
    closed_bounds=True,
)
# Exclusive bound -> the inclusive one that says the same of integers, and how far away it lies.
_INCLUSIVE = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}


def object_schema(schema: Any) -> dict[str, Any]:
    """Returns a schema of an object: missing or none at all becomes an empty object's, `properties` are there."""
    if not isinstance(schema, dict) or not schema:
        return {"type": "object", "properties": {}}
    kind = schema.get("type")
    if kind == "object" and not isinstance(schema.get("properties"), dict):
        return {**schema, "properties": {}}
    if kind is None and not _LISTS & schema.keys() and "$ref" not in schema:
        return (
            {"type": "object", **schema} if "properties" in schema else {"type": "object", "properties": {}, **schema}
        )
    return schema


@dataclass(slots=True)
class _Cleaner:
    rule: SchemaRule
    root: Mapping[str, Any]
    removed: list[str] = field(default_factory=list)
    written: int = 0

    def schema(self, node: Any, path: str, depth: int, refs: tuple[str, ...] = ()) -> Any:
        if not isinstance(node, dict) or depth > 64:
            return node
        rule = self.rule
        if refs:
            self.written += 1
        if rule.inline and isinstance(node.get("$ref"), str):
            return self._inlined(node, path, depth, refs)
        if rule.closed_bounds:
            node = _closed_bounds(node)
        out: dict[str, Any] = {}
        told: list[str] = []
        same = True
        for key, value in node.items():
            if key in rule.drop:
                self.removed.append(f"{path}.{key}")
                same = False
            elif key in rule.tell:
                self.removed.append(f"{path}.{key}")
                told.append(f"{key}: {_brief(value)}")
                same = False
            else:
                new = self._value(key, value, f"{path}.{key}", depth, refs)
                same = same and new is value
                out[key] = new
        adjusted = self._adjusted(out, told, path)
        return node if same and adjusted is out else adjusted

    def _value(self, key: str, value: Any, path: str, depth: int, refs: tuple[str, ...]) -> Any:
        if key in _DATA:
            return value
        if key in _MAPS and isinstance(value, dict):
            new = {name: self.schema(sub, f"{path}.{name}", depth + 1, refs) for name, sub in value.items()}
            return value if all(new[name] is sub for name, sub in value.items()) else new
        if (key in _LISTS or key == "items") and isinstance(value, list):
            items = [self.schema(sub, f"{path}[{place}]", depth + 1, refs) for place, sub in enumerate(value)]
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        if key in _ONES:
            return self.schema(value, path, depth + 1, refs)
        return value

    def _adjusted(self, out: dict[str, Any], told: list[str], path: str) -> dict[str, Any]:
        rule, before = self.rule, out
        if rule.formats is not None and isinstance(out.get("format"), str) and out["format"] not in rule.formats:
            self.removed.append(f"{path}.format")
            told.append(f"format: {out['format']}")
            out = {key: value for key, value in out.items() if key != "format"}
        if told:
            words = f"({', '.join(told)})"
            described = out.get("description")
            out = {**out, "description": f"{described} {words}" if isinstance(described, str) and described else words}
        if rule.const_enum and "const" in out:
            out = {**{key: value for key, value in out.items() if key != "const"}, "enum": [out["const"]]}
        if rule.one_type and isinstance(out.get("type"), list):
            out = _split_types(out)
        if rule.no_empty and out.get("properties") == {}:
            out = {key: value for key, value in out.items() if key != "properties"}
        if rule.closed and _is_object(out):
            out = self._closed(out, path)
        return out if out is not before else before

    def _closed(self, out: dict[str, Any], path: str) -> dict[str, Any]:
        if out.get("additionalProperties") is not False:
            if out.get("additionalProperties") not in (None, False):
                self.removed.append(f"{path}.additionalProperties")
            out = {**out, "additionalProperties": False}
        if self.rule.all_required and isinstance(out.get("properties"), dict):
            names = list(out["properties"])
            if out.get("required") != names and set(names) != set(required_names(out)):
                out = {**out, "required": names}
        return out

    def _inlined(self, node: dict[str, Any], path: str, depth: int, refs: tuple[str, ...]) -> Any:
        ref = node["$ref"]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        target = _resolve(self.root, ref)
        if target is None or ref in refs or len(refs) >= REF_DEPTH or self.written > _REF_NODES:
            self.removed.append(f"{path}.$ref")
            return self.schema({"type": "object", **rest}, path, depth + 1, refs)
        return self.schema({**target, **rest}, path, depth + 1, (*refs, ref))


def required_names(node: Mapping[str, Any]) -> list[str]:
    """Returns the names a schema requires, each once, whatever stands there."""
    named = node.get("required")
    return list(dict.fromkeys(n for n in named if isinstance(n, str))) if isinstance(named, list) else []


def properties_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the properties a schema describes, {} for none."""
    found = node.get("properties")
    return found if isinstance(found, dict) else {}


def _closed_bounds(node: dict[str, Any]) -> dict[str, Any]:
    """Returns an integer's schema with inclusive bounds; another is the same object."""
    kind = node.get("type")
    if not (kind == "integer" or (isinstance(kind, list) and "integer" in kind and "number" not in kind)):
        return node
    for exclusive, (inclusive, step) in _INCLUSIVE.items():
        bound = node.get(exclusive)
        if isinstance(bound, int) and not isinstance(bound, bool) and inclusive not in node:
            node = {inclusive if key == exclusive else key: value for key, value in node.items()}
            node[inclusive] = bound + step
    return node


def _is_object(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in node)


def _brief(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _split_types(node: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in node["type"] if kind != "null"]
    rest = {key: value for key, value in node.items() if key != "type"}
    nullable = {"nullable": True} if len(kinds) < len(node["type"]) else {}
    if len(kinds) == 1:
        return {"type": kinds[0], **rest, **nullable}
    return {**rest, "anyOf": [{"type": kind} for kind in kinds], **nullable} if kinds else {"type": "string", **rest}


def _resolve(root: Mapping[str, Any], ref: str) -> Mapping[str, Any] | None:
    if not ref.startswith("#"):
        return None
    node: Any = root
    for step in ref[1:].split("/"):
        if step:
            name = step.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


def _object_top(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns one object schema for a union at the top: all properties, required only where every branch says so."""
    unions = [key for key in ("anyOf", "oneOf", "allOf") if isinstance(schema.get(key), list)]
    if not unions:
        return schema
    rest = {key: value for key, value in schema.items() if key not in unions}
    properties: dict[str, Any] = dict(properties_of(rest))
    required: set[str] | None = None
    needed: set[str] = set(required_names(rest))
    for key in unions:
        for branch in schema[key]:
            if not isinstance(branch, dict):
                continue
            for name, sub in properties_of(branch).items():
                properties.setdefault(name, sub)
            names = set(required_names(branch))
            if key == "allOf":
                needed |= names
            else:
                required = names if required is None else required & names
    needed |= required or set()
    out = {"type": "object", **rest, "properties": properties}
    if needed:
        out["required"] = [name for name in properties if name in needed]
    return out


def clean(schema: Any, rule: SchemaRule) -> tuple[Any, tuple[str, ...]]:
    """Returns `schema` as the rule's target takes it, and paths of what was taken away ("$.properties.a.format")."""
    if not isinstance(schema, dict):
        return schema, ()
    removed: list[str] = []
    if rule.object_top and any(key in schema for key in ("anyOf", "oneOf", "allOf")):
        removed = [f"$.{key}" for key in ("anyOf", "oneOf", "allOf") if key in schema]
        schema = _object_top(schema)
    cleaner = _Cleaner(rule, schema, removed)
    return cleaner.schema(schema, "$", 0), tuple(cleaner.removed)


def schema_words(schema: Any) -> str:
    """Returns the instruction that asks in words for an answer by a schema."""
    return f"Answer with one JSON object and nothing else. It must follow this JSON Schema:\n{dumps_text(schema)}"
