"""The words of each client format for errors and pings, until every format brings its own."""

from collections.abc import Callable, Mapping

from llr.base.errors import Fault
from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.formats.base import FaultContext, Format
from llr.formats.errors import WORDS, fault_headers
from llr.formats.table import FORMATS
from llr.wire.http import RawHeaders
from llr.wire.sse import format_event


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one client format is told of failures and kept waiting."""

    encode_fault: Callable[[Fault, FaultContext], tuple[int, RawHeaders, bytes]]
    fault_event: Callable[[Fault, FaultContext], bytes]
    ping: Callable[[FaultContext], bytes]


def _gemini_body(fault: Fault) -> JSON:
    return {"error": {"code": fault.http_status, "message": fault.message, "status": WORDS[fault.kind].gemini}}


def _gemini(fault: Fault, context: FaultContext) -> tuple[int, RawHeaders, bytes]:
    return fault.http_status, fault_headers(fault, context.request_id), dumps(_gemini_body(fault))


_INTERIM = {
    FormatId.GEMINI: Dialect(_gemini, lambda fault, context: format_event(dumps(_gemini_body(fault))), lambda _: b"\n")
}
DIALECTS: Mapping[FormatId, Dialect | Format] = {**_INTERIM, **FORMATS}
