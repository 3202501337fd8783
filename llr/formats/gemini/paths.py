"""Gemini's addresses: the model and the method stand in the path, the form of a stream in the query.

Source: `v1beta/{model=models/*}:generateContent` and its siblings in the vendor's REST reference.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, unquote

from llr.base.jsonio import JSON
from llr.base.records import dataclass

GENERATE, STREAM, COUNT = "generateContent", "streamGenerateContent", "countTokens"
_METHODS = (GENERATE, STREAM, COUNT)
# What `inbound` adds to a body and `wire_body` takes away again.
_ADDED = frozenset(("model", "stream", "alt"))


@dataclass(frozen=True, slots=True)
class Call:
    """One call: model, method, and whether a stream is to be one array instead of events."""

    model: str
    method: str
    array: bool = False

    @property
    def stream(self) -> bool:
        """Returns whether the answer is a stream."""
        return self.method == STREAM


def parse(tail: str, query: str = "") -> Call | None:
    """Returns the call in `models/<id>:<method>` (what follows the version in a path), None for anything else."""
    name, colon, method = unquote(tail).removeprefix("/").rpartition(":")
    if not colon or method not in _METHODS or not name.startswith(("models/", "tunedModels/")):
        return None
    alt = parse_qs(query).get("alt", [""])[-1]
    return Call(name.removeprefix("models/"), method, method == STREAM and alt != "sse")


def inbound(body: Mapping[str, JSON], call: Call) -> dict[str, JSON]:
    """Returns the body with what the path says, as `decode_request` reads it."""
    out: dict[str, JSON] = {key: value for key, value in body.items() if key not in _ADDED}
    out["model"] = call.model
    if call.stream:
        out["stream"] = True
        out["alt"] = "json" if call.array else "sse"
    return out


def wire_body(body: Mapping[str, JSON]) -> dict[str, JSON]:
    """Returns a body without what `inbound` added: what a Gemini upstream may get."""
    return {key: value for key, value in body.items() if key not in _ADDED}


def upstream(model: str, *, stream: bool) -> str:
    """Returns `models/<id>:<method>` for an upstream; streams are always asked for as events."""
    name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    safe = quote(name, safe="/@:.-_~")
    return f"{safe}:{STREAM}?alt=sse" if stream else f"{safe}:{GENERATE}"


def count_path(model: str) -> str:
    """Returns `models/<id>:countTokens`."""
    return upstream(model, stream=False).removesuffix(GENERATE) + COUNT
