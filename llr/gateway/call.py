"""One request as the gateway understands it: whose format, which model, what body, what it wants.

Law: nobody changes a call. It is not frozen all the same, like the other values made anew for every request: building
a frozen dataclass takes four times as long.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass, field
from llr.formats.base import FaultContext
from llr.gateway.routes import Action
from llr.providers.urls import Endpoint
from llr.wire.http import Headers
from llr.wire.multipart import Form
from llr.wire.splice import Document, Edits

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(slots=True)
class Payload:
    """A body that can be sent on with another model: a JSON object, a form, or nothing."""

    document: Document | None = None
    form: Form | None = None
    content_type: bytes = b"application/json"

    @property
    def value(self) -> Mapping[str, JSON]:
        """Returns the JSON object's values, {} for other bodies and after `release`."""
        return self.document.value if self.document is not None else _EMPTY

    @property
    def data(self) -> bytes:
        """Returns the body as received, unpacked."""
        source = self.document or self.form
        return source.data if source is not None else b""

    @property
    def size(self) -> int:
        """Returns the body's length in bytes."""
        return len(self.data)

    def parts(self, edits: Edits) -> list[bytes]:
        """Returns the bytes with members (or the form's text fields) replaced."""
        if self.document is not None:
            return self.document.splice(edits)
        if self.form is None:
            return []
        model = edits.get("model")
        return self.form.splice("model", model) if isinstance(model, str) else [self.form.data]

    def release(self) -> None:
        """Forgets the body: the answer has begun, no other attempt will be made, and a stream may last for hours."""
        self.document = self.form = None


@dataclass(slots=True)
class Call:
    """One request. `endpoint` is where it goes when it is relayed; `choices` how many answers it asks for.

    `tool` is the coding tool's name ("codex", "claude-code", ...), `session` what names its conversation, both "" when
    unknown; `owner` tells whose Responses history this is. `gemini_array` asks for a JSON array instead of events,
    `debug` for the header fields that tell how it was routed. `started_at` is epoch seconds.
    """

    id: str
    action: Action
    client: FormatId
    endpoint: Endpoint
    headers: Headers
    payload: Payload
    model: str
    started_at: float
    method: str = "POST"
    stream: bool = False
    choices: int = 1
    tool: str = ""
    session: str = ""
    owner: str = ""
    gemini_array: bool = False
    no_fallback: bool = False
    debug: bool = False
    tool_types: tuple[str, ...] = ()
    model_in_body: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def codex(self) -> bool:
        """Returns whether the client is Codex CLI, which reads errors its own way."""
        return self.tool == "codex"

    def context(self, *, started: bool = False, streaming: bool | None = None) -> FaultContext:
        """Returns what an error's words depend on; `started` once the head of a stream went out."""
        stream = self.stream if streaming is None else streaming
        return FaultContext(streaming=stream, started=started, codex=self.codex, request_id=self.id)
