"""Whole Responses answers: the same machines as for streams, run to their end."""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import JSON
from llr.formats.errors import truncated
from llr.formats.openai_responses.answer_in import fault_of
from llr.formats.openai_responses.stream_in import StreamDecoder
from llr.ir.response import ChatResponse, collect


def decode_response(body: Mapping[str, JSON]) -> ChatResponse:
    """Returns the answer in `body`.

    Raises `GatewayError`: the fault of a failed answer, UPSTREAM_INVALID for what is none, UPSTREAM_TRUNCATED for one
    that was still in progress.
    """
    fields: Mapping[str, Any] = body
    status = fields.get("status")
    if fields.get("error") or status in ("failed", "cancelled"):
        raise GatewayError(fault_of(fields))
    if not isinstance(fields.get("output"), list):
        raise GatewayError(Fault(ErrorKind.UPSTREAM_INVALID, "the upstream's answer is no response object"))
    if status in ("queued", "in_progress"):
        raise GatewayError(truncated("the answer was finished"))
    return collect(StreamDecoder().whole(fields))
