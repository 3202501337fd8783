"""A plausible value for a JSON schema: what a model might pass to a tool it has never seen.

Law: harmless if a client really runs it. Commands only echo, paths name a file that nobody has.
"""

from llr.base.jsonio import JSON

# Schemas may refer to themselves; nobody nests deeper on purpose.
MAX_DEPTH = 8
# Part of a property's name -> what it might hold; the first match wins.
BY_NAME: tuple[tuple[str, str], ...] = (
    ("command", "echo hello from the demo"),
    ("cmd", "echo hello from the demo"),
    ("path", "llr-demo.txt"),
    ("file", "llr-demo.txt"),
    ("city", "Paris"),
    ("location", "Paris"),
    ("url", "https://example.com/"),
    ("date", "2026-01-31"),
    ("unit", "celsius"),
    ("query", "hello"),
    ("pattern", "llr-demo*"),
)
BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "uri": "https://example.com/",
    "email": "someone@example.com",
}


def is_plain(schema: JSON) -> bool:
    """Returns whether a tool needs arguments, and all of them are texts that `BY_NAME` knows."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    required = schema.get("required") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not isinstance(required, list) or not required:
        return False
    return all(isinstance(name, str) and _known_text(properties.get(name), name) for name in required)


def _known_text(schema: JSON, name: str) -> bool:
    known = any(part in name.lower() for part, _ in BY_NAME)
    return known and isinstance(schema, dict) and _kind(schema) == "string"


def sample(schema: JSON, *, name: str = "", root: JSON = None, depth: int = 0) -> JSON:
    """Returns a value that fits `schema` as far as plain types, enums and required properties go."""
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return "demo" if depth else {}
    target = _referred(schema.get("$ref"), root)
    if target is not None:
        return sample(target, name=name, root=root, depth=depth + 1)
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("enum", "examples"):
        listed = schema.get(key)
        if isinstance(listed, list) and listed:
            return listed[0]
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list):
            fitting = [option for option in options if isinstance(option, dict) and option.get("type") != "null"]
            if fitting:
                return sample(fitting[0], name=name, root=root, depth=depth + 1)
    return _of_kind(schema, name, root, depth)


def _of_kind(schema: dict[str, JSON], name: str, root: JSON, depth: int) -> JSON:
    match _kind(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            least = schema.get("minItems")
            count = least if isinstance(least, int) and 1 <= least <= 16 else 1
            return [sample(schema.get("items"), name=name, root=root, depth=depth + 1) for _ in range(count)]
        case "integer" | "number":
            least = schema.get("minimum")
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema, name)


def _kind(schema: dict[str, JSON]) -> str:
    """Returns the schema's type in lower case (one vendor writes STRING); of several, the first that is not null."""
    kinds = schema.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds]
    names = [kind.lower() for kind in listed if isinstance(kind, str)]
    if not names:
        return "object" if "properties" in schema else "string"
    return next((kind for kind in names if kind != "null"), "null")


def _object(schema: dict[str, JSON], root: JSON, depth: int) -> dict[str, JSON]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required")
    wanted = [key for key in required if isinstance(key, str)] if isinstance(required, list) else list(properties)
    return {key: sample(properties.get(key), name=key, root=root, depth=depth + 1) for key in wanted}


def _text(schema: dict[str, JSON], name: str) -> str:
    form = schema.get("format")
    if isinstance(form, str) and form in BY_FORMAT:
        return BY_FORMAT[form]
    text = next((value for part, value in BY_NAME if part in name.lower()), "demo")
    least = schema.get("minLength")
    return text.ljust(min(least, 1000), ".") if isinstance(least, int) else text


def _referred(pointer: JSON, root: JSON) -> JSON:
    """Returns what `#/$defs/Name` points at, or None."""
    if not isinstance(pointer, str) or not pointer.startswith("#/"):
        return None
    found: JSON = root
    for step in pointer[2:].split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(step.replace("~1", "/").replace("~0", "~"))
    return found
