"""A request for one answer."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from llr.base.enums import constants
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass, field
from llr.ir.parts import NO_EXTRAS, Extras, Message, Part, ToolKind


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the client runs. `parameters` is a JSON Schema, None for none; `format` the grammar of a custom tool."""

    name: str
    description: str = ""
    parameters: JSON = None
    kind: ToolKind = ToolKind.FUNCTION
    strict: bool | None = None
    namespace: str = ""
    format: JSON = None
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool the vendor runs. `capability` names those several vendors have ("web_search"), "" for the rest."""

    format: FormatId
    type: str
    raw: Mapping[str, Any]
    capability: str = ""
    at: str = field(default="", compare=False)


@constants
class ChoiceMode(StrEnum):
    """May, must or must not the model call a tool. `TOOL` forces the named one, `ALLOWED` limits to a list."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    TOOL = "tool"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """The client's tool choice; `required` tells whether an `ALLOWED` list must be used."""

    mode: ChoiceMode
    name: str = ""
    kind: ToolKind = ToolKind.FUNCTION
    allowed: tuple[str, ...] = ()
    required: bool = False
    raw: JSON = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much the model should think. `mode` is "" (unsaid), "enabled", "adaptive" or "disabled".

    `effort` is a normal form (none < minimal < low < medium < high < xhigh < max) or "". `visible` False asks for no
    summary; None leaves it to the vendor.
    """

    mode: str = ""
    effort: str = ""
    budget_tokens: int | None = None
    visible: bool | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Structured output: `kind` is "json_schema" or "json_object"."""

    kind: str
    name: str = ""
    schema: JSON = None
    strict: bool | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that steers one answer; None means that the client said nothing."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: JSON = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tools: bool | None = None
    thinking: Thinking = Thinking()
    output: OutputFormat | None = None
    verbosity: str = ""
    user: str = ""
    metadata: JSON = None
    service_tier: str = ""
    cache_key: str = ""
    cache_retention: str = ""
    store: bool | None = None
    include_usage: bool | None = None
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request. `system` are leading instructions; later ones stay in `messages` with their role."""

    model: str
    system: tuple[Part, ...] = ()
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool | ServerTool, ...] = ()
    tool_choice: ToolChoice | None = None
    options: Options = Options()
    stream: bool = False
    previous_response_id: str = ""
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)
