"""Whole Gemini answers."""

from collections.abc import Mapping

from llr.base.errors import GatewayError
from llr.base.jsonio import JSON
from llr.formats import reading
from llr.formats.base import Meta
from llr.formats.gemini import parts_out
from llr.formats.gemini.parts_in import OWN
from llr.formats.gemini.signatures import signature
from llr.formats.gemini.stream_in import StreamDecoder
from llr.formats.gemini.stream_out import Answer, unreadable
from llr.ir.events import Finish, Start
from llr.ir.parts import Part, Reasoning, Refusal, Text, ToolCall
from llr.ir.response import ChatResponse, collect


def decode_response(body: Mapping[str, JSON]) -> ChatResponse:
    """Returns the answer in `body`.

    Raises `GatewayError`: the fault of an error object, UPSTREAM_INVALID for unusable output, UPSTREAM_TRUNCATED for an
    answer without a `finishReason`.
    """
    return collect(StreamDecoder().whole(body))


def _thought(part: Reasoning, answer: Answer) -> JSON:
    text = part.text or "\n\n".join(part.summary)
    signed = signature(part.seal, answer.meta, text)
    if not answer.shows_thoughts:
        answer.hide(part)
        return None
    if not (text or signed):
        return None
    out: dict[str, JSON] = {"text": text, "thought": True}
    if signed:
        out["thoughtSignature"] = signed
    return out


def _written(part: Part, answer: Answer) -> JSON:
    match part:
        case Text():
            answer.text = [part.text]
            for citation in part.citations:
                answer.cite(citation)
            answer.close_text()
            return parts_out.text(part) if part.text else None
        case Refusal():
            return {"text": part.text} if part.text else None
        case Reasoning():
            return _thought(part, answer)
        case ToolCall():
            called = answer.call(part, part.arguments)
            if called is None:
                raise GatewayError(unreadable(part.name))
            return called
        case _:
            return answer.piece(part)


def encode_response(response: ChatResponse, meta: Meta) -> dict[str, JSON]:
    """Returns a whole answer. Raises `GatewayError(UPSTREAM_INVALID)` for a call whose arguments are no JSON."""
    answer = Answer(meta)
    answer.begin(Start(response.id, response.model))
    parts: list[JSON] = [said for part in response.parts if (said := _written(part, answer)) is not None]
    last = answer.last(Finish(response.stop, response.stop_sequence, response.extras), response.usage)
    candidate = reading.table(last["candidate"])
    nothing: list[JSON] = [{"text": ""}]
    content: dict[str, JSON] = {"parts": parts or nothing, "role": "model"}
    out: dict[str, JSON] = {"candidates": [{"content": content, **candidate}]}
    feedback = reading.bag(response.extras, OWN).get("~promptFeedback")
    if feedback is not None:
        out = {"promptFeedback": feedback}
    if last["usageMetadata"]:
        out["usageMetadata"] = last["usageMetadata"]
    out["modelVersion"] = meta.model
    out["responseId"] = answer.ident
    return out
