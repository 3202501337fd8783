"""Responses that live at a provider: who issued an id, so that later calls about it go there and nowhere else."""

from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.names import FormatId
from llr.base.records import replace
from llr.gateway.call import Call
from llr.gateway.deps import Deps
from llr.gateway.history import not_found
from llr.gateway.watch import first_object

_KEPT = 10_000


def note_issuer(deps: Deps, response_id: Any, ref: str, owner: str) -> None:
    """Remembers which candidate issued a response id, and to whom; the oldest are forgotten first."""
    if not isinstance(response_id, str) or not response_id:
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


def issuer_of(deps: Deps, response_id: Any, owner: str) -> str:
    """Returns the candidate that issued an id, "" when unknown.

    Raises `GatewayError` for an id that was issued to somebody else: the provider, who knows only us, would tell.
    """
    issued: dict[str, tuple[str, str]] = deps.memo.get("issued", {})
    ref, holder = issued.get(response_id, ("", owner)) if isinstance(response_id, str) else ("", owner)
    if holder != owner:
        raise not_found(response_id)
    return ref


def stored_call(call: Call, rest: str, deps: Deps) -> Call:
    """Returns a call about a stored response, addressed to its issuer. Raises `GatewayError(NOT_FOUND)`."""
    response_id = rest.partition("/")[0]
    issued: dict[str, tuple[str, str]] = deps.memo.get("issued", {})
    ref, holder = issued.get(response_id, ("", ""))
    if not ref or holder != call.owner:
        text = f"Response with id '{response_id[:120]}' not found: it was not issued through this gateway by a provider"
        raise fail(ErrorKind.NOT_FOUND, text, param="id")
    return replace(call, model=ref, client=FormatId.RESPONSES, model_in_body=False, no_fallback=True, stream=False)
