"""The words of each client format for errors and pings, until every format brings its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.formats.base import FaultContext
from llr.formats.errors import WORDS, fault_headers, messages_type, openai_words, overflow_message
from llr.wire.http import RawHeaders
from llr.wire.sse import format_event


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one client format is told of failures and kept waiting."""

    encode_fault: Callable[[Fault, FaultContext], tuple[int, RawHeaders, bytes]]
    fault_event: Callable[[Fault, FaultContext], bytes]
    ping: Callable[[FaultContext], bytes]


def _messages(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    status = 529 if fault.kind is ErrorKind.OVERLOADED else fault.http_status
    return status, fault_headers(fault, context.request_id), dumps(_messages_body(fault, context))


def _messages_body(fault: Fault, context: FaultContext) -> JSON:
    message = overflow_message(fault) if fault.kind is ErrorKind.CONTEXT_OVERFLOW else fault.message
    error: JSON = {"type": messages_type(fault), "message": message}
    return {"type": "error", "error": error, "request_id": context.request_id}


def _openai_body(fault: Fault) -> JSON:
    kind, code = openai_words(fault)
    return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": code}, "type": "error"}


def _openai(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    return fault.http_status, fault_headers(fault, context.request_id), dumps(_openai_body(fault))


def _responses(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    if fault.kind is ErrorKind.CONTEXT_OVERFLOW and context.codex and context.streaming:
        return 200, [(b"content-type", b"text/event-stream")], _responses_event(fault, context)
    return _openai(fault, context)


def _responses_event(fault: Fault, context: FaultContext) -> bytes:
    kind, code = openai_words(fault)
    error: JSON = {"code": code or kind, "message": fault.message}
    event: JSON = {"type": "response.failed", "response": {"status": "failed", "error": error}}
    return format_event(dumps(event), "response.failed")


def _gemini_body(fault: Fault) -> JSON:
    return {"error": {"code": fault.http_status, "message": fault.message, "status": WORDS[fault.kind].gemini}}


def _gemini(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    return fault.http_status, fault_headers(fault, context.request_id), dumps(_gemini_body(fault))


_CHAT = Dialect(_openai, lambda fault, context: format_event(dumps(_openai_body(fault))), lambda _: b": keep-alive\n\n")
DIALECTS: Mapping[FormatId, Dialect] = {
    FormatId.MESSAGES: Dialect(
        _messages,
        lambda fault, context: format_event(dumps(_messages_body(fault, context)), "error"),
        lambda _: b'event: ping\ndata: {"type":"ping"}\n\n',
    ),
    FormatId.CHAT: _CHAT,
    FormatId.COMPLETIONS: _CHAT,
    FormatId.RESPONSES: Dialect(_responses, _responses_event, lambda _: b": keep-alive\n\n"),
    FormatId.GEMINI: Dialect(_gemini, lambda fault, context: format_event(dumps(_gemini_body(fault))), lambda _: b"\n"),
}
