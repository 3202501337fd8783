"""What a wire format offers, and what its encoders may know about the other side."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from llr.base.errors import Fault
from llr.base.ids import IdSource
from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass, field
from llr.ir.events import Event
from llr.ir.loss import Loss
from llr.ir.request import ChatRequest
from llr.ir.response import ChatResponse
from llr.wire.http import Headers, RawHeaders
from llr.wire.stage import Stage

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Target:
    """The upstream model as an encoder sees it. Never a provider: `issuer` is only an id to compare seals with.

    `capabilities` are the switches of config, catalogue and learned repairs (True, False, or absent = optimistic).
    `learned` names what repair found out ("drop:temperature", "no-signature", ...).
    """

    model: str
    issuer: str = ""
    capabilities: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    context_window: int | None = None
    max_output_tokens: int | None = None
    learned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request body for the target, what it could not carry, and the names it had to change (sent -> client's)."""

    body: dict[str, JSON]
    losses: tuple[Loss, ...] = ()
    tool_names: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Meta:
    """What the way back needs to know about the way there.

    `model` is the name the client asked for; `request` the decoded request; `issuer` and `upstream_model` who answers;
    `key` signs carriers; `created_at` is epoch seconds; `codex` says that the client is Codex CLI;
    `think_tags` that the model writes its thinking in tags at the start of its text.
    """

    model: str
    request: ChatRequest
    ids: IdSource
    created_at: float
    upstream: FormatId
    issuer: str = ""
    upstream_model: str = ""
    key: bytes = b""
    tool_names: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    codex: bool = False
    think_tags: bool = False


@dataclass(frozen=True, slots=True)
class FaultContext:
    """Where an error goes: into an open stream or not, to which tool, with which request id.

    `array` is the form of a Gemini stream without `alt=sse`: one JSON array instead of events.
    """

    streaming: bool = False
    started: bool = False
    codex: bool = False
    request_id: str = ""
    array: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format. Request and answer bodies are JSON objects; streams are bytes on both sides.

    `encode_fault` returns (status, headers, body) for an answer not begun; `fault_event` the bytes of an in-band error
    for a stream already open. `ping` is what keeps a silent stream alive at an event boundary.
    """

    id: FormatId
    decode_request: Callable[[Mapping[str, JSON]], ChatRequest]
    encode_request: Callable[[ChatRequest, Target], Encoded]
    decode_response: Callable[[Mapping[str, JSON]], ChatResponse]
    encode_response: Callable[[ChatResponse, Meta], dict[str, JSON]]
    stream_decoder: Callable[[], Stage[bytes, Event]]
    stream_encoder: Callable[[Meta], Stage[Event, bytes]]
    decode_fault: Callable[[int, Headers, bytes], Fault]
    encode_fault: Callable[[Fault, FaultContext], tuple[int, RawHeaders, bytes]]
    fault_event: Callable[[Fault, FaultContext], bytes]
    ping: Callable[[FaultContext], bytes]
