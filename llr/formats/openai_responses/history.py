"""Answers kept so that a client may go on from them by id: `previous_response_id` and `item_reference`.

Law: bounded in entries, bytes and age, the least recently used goes first; what one owner stored no other can read; an
id that is not known is refused in the vendor's words, never ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import JSON, dumps
from llr.formats import reading
from llr.formats.openai_responses.content_in import OWN
from llr.ir.request import ChatRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: answers, bytes of JSON, seconds since an answer was last used."""

    entries: int = 1000
    size_bytes: int = 64 * 1024 * 1024
    ttl_s: float = 6 * 3600.0


@dataclass(slots=True)
class _Entry:
    owner: str
    before: str
    items: list[JSON]
    size_bytes: int
    used_at: float


def _not_found(ident: str) -> GatewayError:
    message = f"Previous response with id '{ident}' not found."
    return GatewayError(
        Fault(ErrorKind.INVALID_REQUEST, message, param="previous_response_id", code="previous_response_not_found")
    )


def _items(given: JSON) -> list[JSON]:
    """Returns an `input` as items; a string is one user message."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    return list(given) if isinstance(given, list) else []


@dataclass(slots=True)
class History:
    """The answers kept. Not thread-safe; every method takes the instant it happens at."""

    limits: Limits = field(default_factory=Limits)
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _size_bytes: int = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """Returns the bytes of JSON kept."""
        return self._size_bytes

    def expand(self, body: Mapping[str, JSON], *, owner: str, now: float) -> dict[str, JSON]:
        """Returns `body` with the items its `previous_response_id` and its references stand for, and without the id.

        Raises `GatewayError(INVALID_REQUEST)` with code `previous_response_not_found`, or for a reference to nothing.
        """
        out = dict(body)
        ident = reading.text(out.pop("previous_response_id", None))
        given = _items(out.get("input"))
        before = self._chain(ident, owner, now) if ident else []
        if not ident and not any(_reference(item) for item in given):
            return dict(body)
        out["input"] = [*before, *(self._resolved(item, owner, now) for item in given)]
        return out

    def _chain(self, ident: str, owner: str, now: float) -> list[JSON]:
        parts: list[list[JSON]] = []
        step, seen = ident, set[str]()
        while step:
            entry = self._entries.get(step)
            if entry is None or step in seen or entry.owner != owner or now - entry.used_at > self.limits.ttl_s:
                raise _not_found(ident)
            seen.add(step)
            parts.append(entry.items)
            step = entry.before
        # Oldest first, so that the latest answer is the last to go.
        for step in reversed(list(self._steps(ident))):
            self._touch(step, now)
        return [item for items in reversed(parts) for item in items]

    def _steps(self, ident: str) -> list[str]:
        out: list[str] = []
        while ident:
            out.append(ident)
            ident = self._entries[ident].before
        return out

    def _touch(self, ident: str, now: float) -> None:
        entry = self._entries.pop(ident)
        entry.used_at = now
        self._entries[ident] = entry

    def _resolved(self, item: JSON, owner: str, now: float) -> JSON:
        wanted = _reference(item)
        if not wanted:
            return item
        for entry in reversed(self._entries.values()):
            if entry.owner == owner and now - entry.used_at <= self.limits.ttl_s:
                for kept in entry.items:
                    if isinstance(kept, dict) and kept.get("id") == wanted:
                        return kept
        raise GatewayError(
            Fault(ErrorKind.INVALID_REQUEST, f"Item with id '{wanted}' not found.", status=404, param="input")
        )

    def keep(
        self,
        response: Mapping[str, JSON],
        given: JSON,
        *,
        before: str = "",
        owner: str,
        now: float,
    ) -> bool:
        """Keeps a finished answer with the `input` it answered (without what `before` holds already).

        Returns whether it was kept: not without an id, and not when it alone is larger than everything allowed.
        """
        ident = reading.text(response.get("id"))
        items = [*_items(given), *_replayable(reading.rows(response.get("output")))]
        size = len(dumps(items))
        if not ident or size > self.limits.size_bytes or self.limits.entries < 1:
            return False
        if before and before not in self._entries:
            return False
        self.forget(ident)
        self._entries[ident] = _Entry(owner, before, items, size, now)
        self._size_bytes += size
        self._shrink(now)
        return ident in self._entries

    def forget(self, ident: str, *, owner: str | None = None) -> bool:
        """Drops one answer (only if it is the owner's, where one is given) and returns whether it was there."""
        entry = self._entries.get(ident)
        if entry is None or (owner is not None and entry.owner != owner):
            return False
        del self._entries[ident]
        self._size_bytes -= entry.size_bytes
        return True

    def _shrink(self, now: float) -> None:
        limits = self.limits
        while self._entries:
            oldest = next(iter(self._entries))
            expired = now - self._entries[oldest].used_at > limits.ttl_s
            if not expired and len(self._entries) <= limits.entries and self._size_bytes <= limits.size_bytes:
                return
            self.forget(oldest)


def _reference(item: JSON) -> str:
    fields = reading.table(item)
    if fields.get("type") == "item_reference" or (fields.keys() == {"id"}):
        return reading.text(fields.get("id"))
    return ""


def _replayable(output: Sequence[Any]) -> list[JSON]:
    """Returns output items as input items: without what only an answer has."""
    out: list[JSON] = []
    for item in output:
        if isinstance(item, dict):
            out.append({key: value for key, value in item.items() if key != "created_by"})
    return out


def as_kept(request: ChatRequest) -> ChatRequest:
    """Returns a request whose answer will say `store: true`, because the gateway keeps it."""
    return replace(request, extras=reading.noted(request.extras, OWN, "~kept"))


def refused(request: ChatRequest) -> Fault | None:
    """Returns why only the vendor's own servers can answer a Responses request, None when anyone can.

    Stored conversations and prompts live there, and so do background runs.
    """
    if request.previous_response_id:
        return _not_found(request.previous_response_id).fault
    own = reading.bag(request.extras, OWN)
    for key, words in (
        ("conversation", "a stored conversation"),
        ("prompt", "a stored prompt"),
        ("background", "a background run"),
    ):
        if own.get(key):
            message = f"`{key}` asks for {words}, which the model behind this name cannot give"
            return Fault(ErrorKind.INVALID_REQUEST, message, param=key, code="unsupported_parameter")
    return None
