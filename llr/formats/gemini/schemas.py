"""Schemas between JSON Schema and Gemini's `Schema` message.

Source: the vendor's Schema reference and python-genai's `types.Schema`: types in capitals, `nullable`, no references,
no `additionalProperties`, enums of strings only, arrays with `items`.
"""

from typing import Any

from llr.base.jsonio import JSON, dumps_text
from llr.formats.schema import GEMINI, clean, properties_of, required_names

_LISTS = ("anyOf", "oneOf", "allOf")
_OWN_ONLY = frozenset(("propertyOrdering", "nullable", "example"))


def to_json_schema(value: Any, depth: int = 0) -> Any:
    """Returns a Gemini `Schema` as JSON Schema: small types, unions for `nullable`, no keys of this vendor's own."""
    if not isinstance(value, dict) or depth > 64:
        return value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        if key in _OWN_ONLY or (key == "format" and inner == "enum"):
            continue
        if key == "type" and isinstance(inner, str):
            out["type"] = inner.lower()
        elif key == "properties" and isinstance(inner, dict):
            out[key] = {name: to_json_schema(sub, depth + 1) for name, sub in inner.items()}
        elif key == "items":
            out[key] = to_json_schema(inner, depth + 1)
        elif key in _LISTS and isinstance(inner, list):
            out[key] = [to_json_schema(sub, depth + 1) for sub in inner]
        elif key in ("maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"):
            # 64-bit integers travel as strings in this vendor's JSON.
            out[key] = int(inner) if isinstance(inner, str) and inner.isdigit() else inner
        else:
            out[key] = inner
    if value.get("nullable") is True and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
        if isinstance(out.get("enum"), list):
            out["enum"] = [*out["enum"], None]
    return out


def from_json_schema(schema: JSON) -> tuple[JSON, tuple[str, ...]]:
    """Returns a JSON Schema as Gemini takes it, and the paths of what was taken away."""
    cleaned, removed = clean(schema, GEMINI)
    lost = list(removed)
    return _fitted(cleaned, "$", lost, 0), tuple(lost)


def _fitted(node: Any, path: str, lost: list[str], depth: int) -> Any:
    if not isinstance(node, dict):
        # `true` and `false` are schemas elsewhere; here anything is an object without fields.
        return {"type": "string"} if isinstance(node, bool) else node
    if depth > 64:
        return {"type": "object"}
    out = dict(node)
    for key in ("oneOf", "allOf"):
        if isinstance(out.get(key), list):
            out = _without_union(out, key, f"{path}.{key}", lost)
    if isinstance(out.get("anyOf"), list):
        out = _unions(out, path, lost, depth)
    if isinstance(out.get("properties"), dict):
        out["properties"] = {
            name: _fitted(sub, f"{path}.properties.{name}", lost, depth + 1) for name, sub in out["properties"].items()
        }
    if isinstance(out.get("required"), list):
        known = properties_of(out)
        out["required"] = [name for name in required_names(out) if name in known]
        if not out["required"]:
            del out["required"]
    if isinstance(out.get("items"), list):
        lost.append(f"{path}.items")
        out["items"] = out["items"][0] if out["items"] else {"type": "string"}
    if "items" in out:
        out["items"] = _fitted(out["items"], f"{path}.items", lost, depth + 1)
    return _typed(out, path, lost)


def _without_union(out: dict[str, Any], key: str, path: str, lost: list[str]) -> dict[str, Any]:
    """Returns a node whose `oneOf` is an `anyOf`, or whose `allOf` is merged into it."""
    branches = [branch for branch in out[key] if isinstance(branch, dict)]
    rest = {name: value for name, value in out.items() if name != key}
    if key == "oneOf":
        before = rest.get("anyOf")
        rest["anyOf"] = [*before, *branches] if isinstance(before, list) else branches
        return rest
    lost.append(path)
    for branch in branches:
        for name, value in branch.items():
            if name == "properties" and isinstance(value, dict):
                rest["properties"] = {**value, **properties_of(rest)}
            elif name == "required" and isinstance(value, list):
                rest["required"] = list(dict.fromkeys([*required_names(rest), *required_names(branch)]))
            else:
                rest.setdefault(name, value)
    return rest


def _unions(out: dict[str, Any], path: str, lost: list[str], depth: int) -> dict[str, Any]:
    """Returns a node whose `anyOf` has no null branch; a single branch takes the node's place."""
    branches = [branch for branch in out["anyOf"] if not (isinstance(branch, dict) and branch.get("type") == "null")]
    nullable = len(branches) < len(out["anyOf"])
    rest = {name: value for name, value in out.items() if name != "anyOf"}
    if nullable:
        rest["nullable"] = True
    if len(branches) == 1 and isinstance(branches[0], dict):
        return {**_fitted(branches[0], path, lost, depth + 1), **rest}
    if branches:
        rest["anyOf"] = [_fitted(b, f"{path}.anyOf[{i}]", lost, depth + 1) for i, b in enumerate(branches)]
        rest.pop("type", None)
    return rest


def _typed(out: dict[str, Any], path: str, lost: list[str]) -> dict[str, Any]:
    enum = out.get("enum")
    if isinstance(enum, list):
        words = [value for value in enum if isinstance(value, str)]
        if len(words) == len(enum) and out.get("type", "string") == "string":
            out["type"] = "string"
        else:
            del out["enum"]
            lost.append(f"{path}.enum")
            others = [value for value in enum if value is not None]
            if words == others and words:
                out.update(type="string", enum=words, nullable=True)
            else:
                said = f"One of: {', '.join(value if isinstance(value, str) else dumps_text(value) for value in enum)}."
                told = out.get("description")
                out["description"] = f"{told} {said}" if isinstance(told, str) and told else said
                out.setdefault("type", _type_of(others))
    kind = out.get("type")
    if kind == "null":
        out.update(type="string", nullable=True)
    elif kind is None and "anyOf" not in out:
        out["type"] = "object" if "properties" in out else "array" if "items" in out else "string"
    if out.get("type") == "array" and "items" not in out:
        out["items"] = {"type": "string"}
    if out.get("format") == "enum" and "enum" not in out:
        del out["format"]
    return out


def _type_of(values: list[Any]) -> str:
    if values and all(isinstance(value, bool) for value in values):
        return "boolean"
    if values and all(isinstance(value, int) for value in values):
        return "integer"
    return "number" if values and all(isinstance(value, int | float) for value in values) else "string"
