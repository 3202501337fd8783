"""What a Responses request leans on beyond its own body: answers, items and prompts that a server keeps.

Law: nothing that was leant on is ignored: it is put in, or the request is refused in the vendor's words.
"""

from collections.abc import Iterable, Mapping, Sequence

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import JSON
from llr.base.records import replace
from llr.formats import reading
from llr.formats.openai_responses.content_in import OWN
from llr.ir.parts import Opaque
from llr.ir.request import ChatRequest

_ELSEWHERE = (
    ("conversation", "a stored conversation"),
    ("prompt", "a stored prompt"),
    ("background", "a background run"),
)


def refused(request: ChatRequest) -> Fault | None:
    """Returns why only the vendor's own servers can answer a Responses request, None when anyone can."""
    earlier = request.previous_response_id
    if earlier:
        said = f"Previous response with id '{earlier[:120]}' not found."
        return Fault(ErrorKind.INVALID_REQUEST, said, param="previous_response_id", code="previous_response_not_found")
    own = reading.bag(request.extras, OWN)
    for key, words in _ELSEWHERE:
        if own.get(key):
            said = f"`{key}` asks for {words}, which the model behind this name cannot give"
            return Fault(ErrorKind.INVALID_REQUEST, said, param=key, code="unsupported_parameter")
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Opaque) and (wanted := reference(part.raw)):
                return _missing(wanted)
    return None


def _missing(item_id: str) -> Fault:
    return Fault(ErrorKind.INVALID_REQUEST, f"Item with id '{item_id[:120]}' not found.", status=404, param="input")


def reference(item: JSON) -> str:
    """Returns the id of the item that an input item only refers to, "" for one that stands for itself."""
    fields = reading.table(item)
    if fields.get("type") == "item_reference" or fields.keys() == {"id"}:
        return reading.text(fields.get("id"))
    return ""


def resolved(items: Sequence[JSON], known: Iterable[JSON]) -> list[JSON]:
    """Returns input items with every `item_reference` to one of the `known` items replaced by that item.

    Raises `GatewayError(INVALID_REQUEST)`, status 404, for a reference to anything else.
    """
    if not any(reference(item) for item in items):
        return list(items)
    by_id: Mapping[str, JSON] = {
        ident: item for item in known if isinstance(item, dict) and (ident := reading.text(item.get("id")))
    }
    out: list[JSON] = []
    for item in items:
        wanted = reference(item)
        if wanted and wanted not in by_id:
            raise GatewayError(_missing(wanted))
        out.append(by_id[wanted] if wanted else item)
    return out


def as_following(request: ChatRequest, previous: JSON) -> ChatRequest:
    """Returns a request whose answer will name the one before it, which the gateway has put in front of it."""
    echo = {**reading.bag(request.extras, OWN).get("~echo", {}), "previous_response_id": previous}
    return replace(request, extras=reading.noted(request.extras, OWN, "~echo", echo))


def as_kept(request: ChatRequest) -> ChatRequest:
    """Returns a request whose answer will say `store: true`, because the gateway keeps it."""
    return replace(request, extras=reading.noted(request.extras, OWN, "~kept"))
