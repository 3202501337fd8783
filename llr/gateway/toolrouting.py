"""Requests with tools of Messages clients, sent to a provider's Chat endpoint first: only where the config asks for it.

Law: off by default, since thinking, cache marks, citations and the vendor's own tools are lost on the way; the losses
are named like those of any translation. A Chat endpoint that cannot take the request sends it back to Messages, and is
left alone for a while; limits, keys and failures of the provider are no such refusal.
"""

import re

from llr.base.errors import ErrorKind
from llr.base.names import FormatId, ProviderFormat
from llr.base.records import replace
from llr.formats.reading import rows
from llr.gateway.attempt import Failure
from llr.gateway.call import Call
from llr.gateway.deps import Deps
from llr.gateway.downgrade import Detour
from llr.gateway.routes import GENERATIONS
from llr.providers.urls import base_url
from llr.routing.outcome import Phase
from llr.routing.route import Candidate

TRAIT = "tools_via_chat"
# "Tools of this model go to Messages": learned for so long.
TO_MESSAGES = "tools:messages"
SUPPRESSED_S = 1800.0
CHAT_FIRST, CHAT_REFUSED, CHAT_SUPPRESSED = "chat-first", "chat-refused", "chat-suppressed"

_CHAT = (ProviderFormat.OPENAI, ProviderFormat.OPENAI_CHAT)
_NO_ENDPOINT = frozenset((404, 405, 501))
_NOT_KNOWN = re.compile(
    r"(?i)\b(?:unknown|unrecogni[sz]ed|unsupported|unexpected|extra (?:fields?|inputs?))\b"
    r"|\b(?:not|no) (?:support|such|permit|allow|found|exist|known|available)"
)


def word_for(call: Call, candidate: Candidate, deps: Deps) -> str:
    """Returns what is done with a request's tools: `chat-first`, `chat-suppressed`, or "" for nothing special."""
    if not _is_preferred(candidate) or not _has_tools(call):
        return ""
    return CHAT_SUPPRESSED if is_suppressed(candidate, deps) else CHAT_FIRST


def via_chat(candidate: Candidate) -> Candidate:
    """Returns the same candidate, spoken to in Chat."""
    target = next(one for one in _CHAT if one in candidate.provider.formats)
    return replace(candidate, wire=FormatId.CHAT, target=target)


def way_back(candidate: Candidate, failure: Failure, now: float) -> Detour | None:
    """Returns the detour by Messages where Chat says that it cannot take the request.

    Nothing is learned of a request that was not sent: strict mode refuses its losses, another one may have none.
    """
    if failure.phase is Phase.PREPARE:
        return Detour(candidate, "", "") if failure.kind is ErrorKind.INVALID_REQUEST else None
    unknown = failure.status in (400, 422) and _NOT_KNOWN.search(failure.excerpt) is not None
    if failure.status not in _NO_ENDPOINT and not unknown:
        return None
    told = f"takes no tools in Chat ({failure.fault.message}); for {SUPPRESSED_S / 60:g} minutes they go to Messages"
    return Detour(candidate, TO_MESSAGES, told, now + SUPPRESSED_S)


def is_suppressed(candidate: Candidate, deps: Deps) -> bool:
    """Returns whether the Chat endpoint refused tools of this model not long ago."""
    return deps.learned.holds(candidate.ref, FormatId.MESSAGES, TO_MESSAGES, deps.clock.now())


def _is_preferred(candidate: Candidate) -> bool:
    """Returns whether a Messages candidate has a Chat twin that is preferred for tools."""
    model, provider = candidate.model, candidate.provider
    if not (provider.traits or model.traits) or candidate.wire is not FormatId.MESSAGES:
        return False
    if model.traits.get(TRAIT, provider.traits.get(TRAIT)) is not True or provider.type == "subscription":
        return False
    spoken = next((one for one in _CHAT if one in provider.formats), None)
    known = not model.formats or any(one in model.formats for one in _CHAT)
    return spoken is not None and known and bool(base_url(provider, spoken))


def _has_tools(call: Call) -> bool:
    asks = call.client is FormatId.MESSAGES and call.action in GENERATIONS
    return asks and bool(rows(call.payload.value.get("tools")))
