"""What a tool sends, as text: endpoints, header names and field names; values only where they say what is spoken."""

import json
import re
from typing import Any

# Set by the machine, the connection or a library's version, not by what the tool means.
_PLAIN = ("content-length", "host", "connection", "accept-encoding", "user-agent")
_TELLING = ("type", "role", "kind", "status", "tool_choice", "object", "format", "effort", "verbosity", "shell_type")
_TELLING_HEADERS = ("anthropic-version", "content-type", "accept", "x-app", "openai-beta")
_DEEP = ("parameters", "input_schema", "schema", "arguments", "input_text")


def fields(value: Any, path: str = "", name: str = "") -> set[str]:
    """Returns `path: kind` of every field, lists folded into one, tool schemas not entered."""
    if isinstance(value, dict) and name not in _DEEP:
        found: set[str] = set()
        for key, one in value.items():
            found |= fields(one, f"{path}.{key}", key)
        return found or {f"{path}: {{}}"}
    if isinstance(value, list):
        found = set()
        for one in value:
            found |= fields(one, f"{path}[]", name)
        return found or {f"{path}: []"}
    if name in _TELLING and isinstance(value, str):
        return {f"{path}: {value!r}"}
    kind = "null" if value is None else type(value).__name__
    return {f"{path}: {kind}"}


def shape(rows: list[tuple[str, str, dict[str, str], Any]]) -> str:
    """Returns the sorted shapes of all requests, one block for each endpoint."""
    blocks: dict[str, set[str]] = {}
    for method, path, headers, body in rows:
        block = blocks.setdefault(f"{method} {path}", set())
        for name, text in headers.items():
            if name == "anthropic-beta":
                block |= {f"header anthropic-beta: {one.strip()}" for one in text.split(",")}
            elif name not in _PLAIN:
                block.add(f"header {name}" + (f": {text}" if name in _TELLING_HEADERS else ""))
        if body is not None:
            block |= {f"body {line}" for line in fields(body)}
            tools = body.get("tools") if isinstance(body, dict) else None
            for tool in tools if isinstance(tools, list) else ():
                block.add(f"tool {tool.get('type', 'function')} {tool.get('name', '')}".rstrip())
    parts = [f"{key}\n" + "".join(f"  {line}\n" for line in sorted(block)) for key, block in sorted(blocks.items())]
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<uuid>", "\n".join(parts))


def pretty(value: Any) -> str:
    """Returns a value as text for a failed test."""
    return json.dumps(value, indent=1)[:4000]
