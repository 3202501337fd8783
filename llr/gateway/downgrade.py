"""Responses and legacy calls to providers that only have Chat: told by the refusal, tried once, remembered per model.

Law: only a missing endpoint or an unknown field of the request is such a refusal; no bad key, limit or failure is.
"""

import re

from llr.base.errors import ErrorKind
from llr.base.names import FormatId, ProviderFormat
from llr.base.records import dataclass, replace
from llr.gateway.attempt import Failure
from llr.gateway.deps import Deps
from llr.gateway.learned import CHAT_ONLY
from llr.routing.route import Candidate

_NO_ENDPOINT = frozenset((404, 405, 501))
_UNKNOWN_FIELD = re.compile(
    r"(?i)/responses\b|responses (?:api|endpoint)|endpoint.{0,40}(?:not found|not supported|unknown|does not exist)"
    r"|(?:unknown|unrecognized|unsupported|unexpected|extra).{0,40}[`'\"]input[`'\"]|[`'\"]messages[`'\"].{0,40}required"
    r"|(?:missing|required).{0,40}[`'\"]?messages[`'\"]?"
)


# What the vendor says to a legacy call for a model that has only Chat.
_CHAT_MODEL = re.compile(r"(?i)chat model|/chat/completions\b")


@dataclass(frozen=True, slots=True)
class Detour:
    """Who is asked instead after a refusal, and what is learned where that helps: a mark, until when (0: for ever)."""

    other: Candidate
    mark: str
    told: str
    until_at: float = 0.0


def may_downgrade(candidate: Candidate) -> bool:
    """Returns whether calls may be tried as Chat: a provider of `openai` has Chat, and perhaps what was asked."""
    if candidate.wire is FormatId.COMPLETIONS:
        return candidate.target is not ProviderFormat.OPENAI_RESPONSES
    responses = candidate.wire is FormatId.RESPONSES and candidate.target is ProviderFormat.OPENAI
    return responses and candidate.model.wire is None


def as_learned(candidate: Candidate, deps: Deps) -> Candidate:
    """Returns the candidate with the wire format it is known to understand."""
    if may_downgrade(candidate) and CHAT_ONLY in deps.learned.of(candidate.ref, candidate.wire):
        return as_chat(candidate)
    return candidate


def as_chat(candidate: Candidate) -> Candidate:
    """Returns the same candidate, spoken to in Chat."""
    return replace(candidate, wire=FormatId.CHAT)


def chat_instead(candidate: Candidate, failure: Failure) -> Detour | None:
    """Returns the detour by Chat where a refusal says that only that is there."""
    if not says_chat_only(candidate, failure):
        return None
    told = f"has no {candidate.wire.value} endpoint; from now on it is asked in Chat"
    return Detour(as_chat(candidate), CHAT_ONLY, told)


def says_chat_only(candidate: Candidate, failure: Failure) -> bool:
    """Returns whether a refusal says that there is no endpoint for this, or none for this model."""
    legacy = candidate.wire is FormatId.COMPLETIONS
    if legacy and may_downgrade(candidate) and _CHAT_MODEL.search(failure.excerpt):
        return failure.status in _NO_ENDPOINT or failure.status == 400
    if not may_downgrade(candidate) or failure.fault.kind is ErrorKind.MODEL_NOT_FOUND:
        return False
    if failure.status in _NO_ENDPOINT:
        return True
    return failure.status in (400, 422) and _UNKNOWN_FIELD.search(failure.excerpt) is not None
