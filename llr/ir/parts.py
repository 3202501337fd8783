"""Content: ordered parts of a message or an answer.

`at` is where a part stands in the client's request (`messages[3].content[0]`), "" in answers: losses name it. It says
nothing about the content, so parts are equal whatever it is.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from llr.base.enums import constants
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass, field

# Luggage: fields one format knows and the intermediate form does not, by the format they came from.
Extras: TypeAlias = "Mapping[FormatId, Mapping[str, Any]]"
NO_EXTRAS: Extras = MappingProxyType({})


@constants
class Role(StrEnum):
    """Who speaks. System and developer messages keep their place in the conversation."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    DEVELOPER = "developer"


@dataclass(frozen=True, slots=True)
class Seal:
    """An opaque proof that only its issuer can read: a signature, encrypted reasoning, a thought signature.

    `format` is the wire format it was issued in; `provider` and `model` say who issued it, "" when unknown (it came
    from the client as that vendor's own). `data` is JSON-compatible: a string, or an object where one is not enough.
    """

    format: FormatId
    data: JSON
    provider: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Text; `citations` are Messages-style citation objects."""

    text: str
    citations: tuple[JSON, ...] = ()
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's words for why it does not answer."""

    text: str
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thinking: full `text` or `summary` paragraphs or both; `redacted` has neither, only a seal."""

    text: str = ""
    summary: tuple[str, ...] = ()
    seal: Seal | None = None
    redacted: bool = False
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@constants
class MediaKind(StrEnum):
    """What a media part shows."""

    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    VIDEO = "video"


@constants
class SourceKind(StrEnum):
    """How media travels: base64 text, an address, a vendor's file id, or plain text."""

    DATA = "data"
    URL = "url"
    FILE_ID = "file_id"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a document (PDF, text), audio or video. `value` is standard base64, a URL, a file id or text."""

    kind: MediaKind
    source: SourceKind
    value: str
    media_type: str = ""
    title: str = ""
    detail: str = ""
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@constants
class ToolKind(StrEnum):
    """`function` takes JSON arguments, `custom` free text; the rest are Responses items with a shape of their own."""

    FUNCTION = "function"
    CUSTOM = "custom"
    LOCAL_SHELL = "local_shell"
    SHELL = "shell"
    APPLY_PATCH = "apply_patch"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. `arguments` is JSON text for functions and the raw input for custom tools."""

    id: str
    name: str
    arguments: str
    kind: ToolKind = ToolKind.FUNCTION
    namespace: str = ""
    seal: Seal | None = None
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back, linked to its call by `call_id`. `name` is known where the format repeats it."""

    call_id: str
    parts: "tuple[Part, ...]" = ()
    is_error: bool = False
    kind: ToolKind = ToolKind.FUNCTION
    name: str = ""
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A block only `format` understands (server tools and their results, compaction, ...), kept as it came."""

    format: FormatId
    raw: JSON
    at: str = field(default="", compare=False)


Part: TypeAlias = "Text | Refusal | Reasoning | Media | ToolCall | ToolResult | Opaque"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn, its parts in order."""

    role: Role
    parts: tuple[Part, ...]
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)
