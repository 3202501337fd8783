"""Between the format the client speaks and the one on the line: requests there, answers back.

Law: the same format on both sides is never taken apart; only the members that must change are spliced.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from llr.base.errors import ErrorKind, fail
from llr.base.names import FormatId
from llr.gateway.attempt import Whole
from llr.gateway.call import Call
from llr.ir.loss import Loss
from llr.providers.urls import GEMINI_STREAM, GENERATION, Endpoint
from llr.routing.route import Candidate
from llr.wire.stage import Stage


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes to a candidate: endpoint and body, whether it will answer in events, what was lost on the way."""

    endpoint: Endpoint
    body: Sequence[bytes]
    stream: bool
    losses: tuple[Loss, ...] = ()


def is_native(call: Call, candidate: Candidate) -> bool:
    """Returns whether client and candidate speak the same format."""
    return candidate.wire is call.client


def outgoing(call: Call, candidate: Candidate) -> Sent:
    """Returns the request for a candidate.

    Raises `GatewayError`: INVALID_REQUEST when it cannot be said in the candidate's format.
    """
    if not is_native(call, candidate):
        raise fail(ErrorKind.NOT_SUPPORTED, f"{call.client} requests cannot be sent to {candidate.wire} models yet")
    stream = call.stream or candidate.provider.stream_only
    edits: dict[str, str | bool] = {}
    if call.model_in_body:
        edits["model"] = candidate.model.id
        if stream and not call.stream:
            edits["stream"] = True
    return Sent(call.endpoint, call.payload.parts(edits), stream)


def endpoint_of(wire: FormatId, *, stream: bool) -> Endpoint:
    """Returns the generation endpoint of a wire format."""
    return GEMINI_STREAM if stream and wire is FormatId.GEMINI else GENERATION[wire]


def whole_answer(call: Call, candidate: Candidate, answer: Whole) -> bytes:
    """Returns a whole answer as the client wants it: JSON or events, in its format."""
    raise fail(ErrorKind.UPSTREAM_INVALID, "the provider answered in another form than it was asked for")


def answer_stage(call: Call, candidate: Candidate) -> Stage[bytes, bytes] | None:
    """Returns what turns the candidate's stream into the client's, None when they are the same."""
    return None
