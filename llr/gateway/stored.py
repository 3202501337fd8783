"""Responses that live at a provider: who issued an id, so that later calls about it go there and nowhere else."""

from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.names import FormatId
from llr.base.records import replace
from llr.gateway.call import Call
from llr.gateway.deps import Deps
from llr.gateway.watch import first_object

_KEPT = 10_000
# Vendors' ids have some 60 characters; a longer one is not worth its room.
_LONGEST_ID = 512


def note_issuer(deps: Deps, response_id: Any, ref: str, owner: str) -> None:
    """Remembers which candidate issued a response id, and to whom; the oldest are forgotten first."""
    if not isinstance(response_id, str) or not 0 < len(response_id) <= _LONGEST_ID:
        return
    issued: dict[str, tuple[str, str]] = deps.memo.setdefault("issued", {})
    issued.pop(response_id, None)
    issued[response_id] = (ref, owner)
    if len(issued) > _KEPT:
        del issued[next(iter(issued))]


def note_stream(deps: Deps, held: bytes, ref: str, owner: str) -> None:
    """Remembers the issuer of the response a native stream begins with."""
    response = (first_object(held) or {}).get("response")
    if isinstance(response, dict):
        note_issuer(deps, response.get("id"), ref, owner)


def issuers(deps: Deps) -> dict[str, tuple[str, str]]:
    """Returns the candidate and the owner of every id that is remembered."""
    found: dict[str, tuple[str, str]] = deps.memo.get("issued", {})
    return found


def stored_call(call: Call, rest: str, issuer: str) -> Call:
    """Returns a call about a stored response, addressed to its issuer. Raises `GatewayError(NOT_FOUND)` without one."""
    if not issuer:
        response_id = rest.partition("/")[0]
        text = f"Response with id '{response_id[:120]}' not found: it was not issued through this gateway by a provider"
        raise fail(ErrorKind.NOT_FOUND, text, param="id")
    return replace(call, model=issuer, client=FormatId.RESPONSES, model_in_body=False, no_fallback=True, stream=False)
