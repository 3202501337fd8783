"""The intermediate form as JSON: scenario files of the goldens are written in it.

An object with "$" is the class of that name; lists are tuples; what is left out has its default.
"""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.names import FormatId
from llr.ir import events, parts
from llr.ir import request as requests
from llr.ir.parts import MediaKind, SourceKind, ToolKind

_PARTS = ("Text", "Refusal", "Reasoning", "Media", "ToolCall", "ToolResult", "Opaque", "Message", "Seal")
_REQUESTS = ("Tool", "ServerTool", "ToolChoice", "Thinking", "OutputFormat", "Options", "ChatRequest")
_EVENTS = ("Start", "PartStart", "PartDelta", "PartEnd", "UsageSeen", "Usage", "Finish", "Failed")
CLASSES: dict[str, Any] = {
    **{name: getattr(parts, name) for name in _PARTS},
    **{name: getattr(requests, name) for name in _REQUESTS},
    **{name: getattr(events, name) for name in _EVENTS},
    "Fault": Fault,
}
ENUMS: dict[tuple[str, str], type[StrEnum]] = {
    ("Message", "role"): parts.Role,
    ("Media", "kind"): MediaKind,
    ("Media", "source"): SourceKind,
    ("ToolCall", "kind"): ToolKind,
    ("ToolResult", "kind"): ToolKind,
    ("Tool", "kind"): ToolKind,
    ("ToolChoice", "kind"): ToolKind,
    ("ToolChoice", "mode"): requests.ChoiceMode,
    ("Seal", "format"): FormatId,
    ("Opaque", "format"): FormatId,
    ("ServerTool", "format"): FormatId,
    ("Finish", "stop"): events.Stop,
    ("Fault", "kind"): ErrorKind,
}
# Fields that hold foreign JSON, taken as it is.
RAW = {"raw", "parameters", "schema", "metadata", "logit_bias", "citation", "citations", "data", "format"}


def load(value: Any) -> Any:
    """Returns what a JSON value of a scenario file stands for."""
    if isinstance(value, list):
        return tuple(load(item) for item in value)
    if not isinstance(value, dict):
        return value
    name = value.get("$")
    if name is None:
        return {key: load(item) for key, item in value.items()}
    fields: dict[str, Any] = {}
    for key, item in value.items():
        if key == "$":
            continue
        enum = ENUMS.get((name, key))
        if enum is not None:
            fields[key] = enum(item)
        elif key == "extras":
            fields[key] = {FormatId(form): bag for form, bag in item.items()}
        elif key == "citations":
            fields[key] = tuple(item)
        else:
            fields[key] = item if key in RAW else load(item)
    return CLASSES[name](**fields)


def dump(value: Any) -> Any:
    """Returns a value of the intermediate form as JSON, defaults left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        out: dict[str, Any] = {"$": type(value).__name__}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            default = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            if item == default or (field.name == "extras" and not item):
                continue
            out[field.name] = dump(item)
        return out
    if isinstance(value, Mapping):
        return {str(key): dump(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [dump(item) for item in value]
    return value
