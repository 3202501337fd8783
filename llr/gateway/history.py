"""What was said under a Responses id, kept here where no provider keeps it, so that `previous_response_id` works.

Law: bounded in entries, bytes and time; a conversation whose beginning was forgotten is refused, never shortened; who
brings another credential than the one a turn was asked with does not find it.
"""

from collections.abc import Collection, Mapping

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import JSON, dumps, object_in
from llr.base.records import dataclass, replace
from llr.config.schema import ResponsesStoreSpec
from llr.formats.openai_responses.native import reference, resolved
from llr.gateway.call import Call, Payload
from llr.wire.splice import REMOVED, Document
from llr.wire.sse import parse_block, split_events

_ENDS = frozenset(("response.completed", "response.incomplete"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered turn: everything said up to and with it, the answer itself, and what it weighs."""

    items: tuple[JSON, ...]
    asked: tuple[JSON, ...]
    response: Mapping[str, JSON]
    size_bytes: int
    expires_at: float


def owned(owner: str, response_id: object) -> str | None:
    """Returns the key under which a response id is remembered for one owner, None for what is no id."""
    return f"{owner} {response_id}" if isinstance(response_id, str) and response_id else None


class History:
    """Answered turns by `owned` key, the least recently used forgotten first."""

    __slots__ = ("_bytes", "_entries")

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._bytes = 0

    def get(self, key: str | None, now: float) -> Entry | None:
        """Returns a turn that is still remembered."""
        entry = self._entries.pop(key, None) if key is not None else None
        if entry is None or key is None:
            return None
        if entry.expires_at <= now:
            self._bytes -= entry.size_bytes
            return None
        self._entries[key] = entry
        return entry

    def all(self) -> tuple[tuple[str, Entry], ...]:
        """Returns every turn with its key, the least recently used first."""
        return tuple(self._entries.items())

    def drop(self, key: str) -> None:
        """Forgets a turn."""
        entry = self._entries.pop(key, None)
        self._bytes -= entry.size_bytes if entry is not None else 0

    def put(self, key: str, entry: Entry, spec: ResponsesStoreSpec) -> None:
        """Keeps a turn and forgets what there is no more room for; one larger than all the room is not kept."""
        self.drop(key)
        if entry.size_bytes > spec.max_bytes or spec.max_entries < 1:
            return
        self._entries[key] = entry
        self._bytes += entry.size_bytes
        while len(self._entries) > spec.max_entries or self._bytes > spec.max_bytes:
            self.drop(next(iter(self._entries)))


def input_items(value: JSON) -> tuple[JSON, ...]:
    """Returns a request's input as items."""
    if isinstance(value, str):
        return ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": value}]},)
    return tuple(value) if isinstance(value, list) else ()


def expanded(call: Call, entry: Entry) -> Call:
    """Returns the call with everything said before as its own input, as if it had come whole."""
    document = call.payload.document
    assert document is not None
    said: list[JSON] = [*entry.items, *resolved(input_items(document.value.get("input")), entry.items)]
    data = b"".join(document.splice({"input": said, "previous_response_id": REMOVED}))
    previous = {"previous": document.value.get("previous_response_id")}
    return replace(call, payload=Payload(Document(data)), extra=previous)


def references(call: Call) -> frozenset[str]:
    """Returns the ids of the items a call only refers to."""
    document = call.payload.document
    # One look at the bytes: nearly no request refers to anything.
    items = document.value.get("input") if document is not None and b"item_reference" in document.data else None
    return frozenset(one for item in items if (one := reference(item))) if isinstance(items, list) else frozenset()


def said_items(history: History, owner: str, wanted: Collection[str], now: float) -> dict[str, JSON]:
    """Returns the items answered to an owner, by id; None for an id that two answers gave to different items."""
    found: dict[str, JSON] = {}
    for key, entry in history.all():
        said = entry.response.get("output") if key.startswith(f"{owner} ") and entry.expires_at > now else None
        for item in said if isinstance(said, list) else ():
            ident = item.get("id") if isinstance(item, dict) else None
            if isinstance(ident, str) and ident in wanted:
                found[ident] = item if found.get(ident, item) == item else None
    return found


def with_items(call: Call, found: Mapping[str, JSON]) -> Call:
    """Returns the call with these items in place of references to them."""
    document = call.payload.document
    items = document.value.get("input") if document is not None else None
    if document is None or not isinstance(items, list) or not any(found.values()):
        return call
    data = b"".join(document.splice({"input": [found.get(reference(item)) or item for item in items]}))
    return replace(call, payload=Payload(Document(data)), extra={})


def not_found(response_id: object) -> GatewayError:
    """Returns the vendor's refusal of an id nobody remembers."""
    text = f"Previous response with id '{str(response_id)[:120]}' not found."
    return GatewayError(
        Fault(
            ErrorKind.INVALID_REQUEST,
            text,
            status=400,
            param="previous_response_id",
            code="previous_response_not_found",
        )
    )


def remember(
    history: History,
    body: Mapping[str, JSON],
    response: Mapping[str, JSON],
    spec: ResponsesStoreSpec,
    now: float,
    *,
    owner: str = "",
) -> None:
    """Keeps an answered turn, unless its client said `store: false`. `body` is the expanded request."""
    key, output = owned(owner, response.get("id")), response.get("output")
    if body.get("store") is False or key is None or not isinstance(output, list):
        return
    asked = input_items(body.get("input"))
    items = (*asked, *output)
    # The answer echoes more than its output: instructions, tools.
    size_bytes = len(dumps([*asked, dict(response)])) + len(key)
    history.put(key, Entry(items, asked, dict(response), size_bytes, now + spec.ttl_s), spec)


def final_response(events: bytes) -> Mapping[str, JSON] | None:
    """Returns the response object of the last event of a run, None when it is not the end of one."""
    for raw in split_events(events):
        _, data = parse_block(raw.lstrip(b"\r\n"))
        if data is None or b'"response.' not in data:
            continue
        value = object_in(data) or {}
        response = value.get("response")
        if value.get("type") in _ENDS and isinstance(response, dict):
            return response
    return None


def stored_answer(method: str, rest: str, entry: Entry) -> JSON:
    """Returns what a call about a turn kept here is answered, None for what only a provider can do."""
    response_id, _, path = rest.partition("/")
    if method == "GET" and not path:
        return dict(entry.response)
    if method == "GET" and path == "input_items":
        items: list[JSON] = list(entry.asked)
        return {"object": "list", "data": items, "has_more": False, "first_id": None, "last_id": None}
    if method == "DELETE" and not path:
        return {"id": response_id, "object": "response", "deleted": True}
    return None
