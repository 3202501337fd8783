"""Contents of a Gemini request, read into turns.

Law: the same history gives the same ids; a function response answers the call of its id, else the oldest call of its
name that no response answered yet.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind
from llr.base.records import dataclass, field
from llr.formats import reading
from llr.formats.gemini import parts_in
from llr.formats.gemini.partial import PartialCalls
from llr.formats.gemini.parts_in import OWN
from llr.ir.parts import NO_EXTRAS, Extras, Message, Part, Reasoning, Role, Text

_ROLES = {"model": Role.ASSISTANT, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_KNOWN = frozenset(("role", "parts"))


@dataclass(slots=True)
class Contents:
    """Turns contents into messages; calls without an id get one by their place in the conversation."""

    messages: list[Message] = field(default_factory=list)
    _calls: int = 0
    _waiting: dict[str, list[str]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    # A call in pieces, as a client keeps it that was sent one so, and whether the open turn has any.
    _partial: PartialCalls = field(default_factory=lambda: PartialCalls(ErrorKind.INVALID_REQUEST))
    _pieced: bool = False
    _orphans: int = 0
    _open: list[Part] = field(default_factory=list)
    _role: Role = Role.USER
    _extras: Extras = field(default_factory=lambda: NO_EXTRAS)
    _raw: list[Any] = field(default_factory=list)
    _at: str = ""

    def add(self, raw: Any, at: str) -> None:
        """Adds one content; a bare string or a content without a role is the user's."""
        if isinstance(raw, str):
            raw = {"parts": [{"text": raw}]}
        fields = reading.table(raw)
        role = _ROLES.get(reading.text(fields.get("role")), Role.USER)
        extras = reading.luggage(OWN, fields, _KNOWN)
        written = fields.get("role")
        if written != ("model" if role is Role.ASSISTANT else "user"):
            extras = reading.noted(extras, OWN, "~role", written)
        goes_on = bool(self._raw) and role is Role.ASSISTANT and self._role is role
        if goes_on:
            # What a client kept of one streamed answer (many contents, many fragments) is one turn again.
            self._extras = NO_EXTRAS
        else:
            self._close()
            self._role, self._extras, self._at = role, extras, at
        self._raw.append(dict(fields))
        self._rows(fields.get("parts"), at)
        if not goes_on and not self._open and not self._partial.waiting:
            self.messages.append(Message(role, (), extras, at))
            self._raw = []

    def _rows(self, given: Any, at: str) -> None:
        """Adds the parts of one content to the open turn."""
        for place, row in enumerate(given if isinstance(given, list) else [given]):
            if isinstance(row, dict) and "functionCall" in row and "functionResponse" not in row:
                whole = self._partial.take(row)
                self._pieced = self._pieced or len(whole) != 1 or whole[0] is not row
                self._open += [self._call(each, f"{at}.parts[{place}]") for each in whole]
            elif row is not None:
                self._open.append(self._part(row, f"{at}.parts[{place}]"))

    def _part(self, raw: Any, at: str) -> Part:
        if isinstance(raw, str):
            return Text(raw, at=at)
        fields: Mapping[str, Any] = reading.table(raw)
        if "functionResponse" in fields:
            return parts_in.result(fields, self._answered(reading.table(fields.get("functionResponse"))), at)
        return parts_in.part(fields, "", at)

    def _call(self, fields: Mapping[str, Any], at: str) -> Part:
        self._calls += 1
        found = parts_in.call(fields, f"call_{self._calls}", at)
        self._known.add(found.id)
        self._waiting.setdefault(found.name, []).append(found.id)
        return found

    def _answered(self, response: Mapping[str, Any]) -> str:
        ident, name = reading.text(response.get("id")), reading.text(response.get("name"))
        waiting = self._waiting.get(name, [])
        if ident and ident in self._known:
            if ident in waiting:
                waiting.remove(ident)
            return ident
        if waiting:
            return waiting.pop(0)
        self._orphans += 1
        return ident or f"orphan_{self._orphans}"

    def _close(self) -> None:
        self._open += [self._call(each, self._at) for each in self._partial.rest()]
        raw, pieced, self._raw, self._pieced = self._raw, self._pieced, [], False
        if not self._open:
            return
        parts = joined(self._open) if self._role is Role.ASSISTANT else tuple(self._open)
        extras = self._extras
        if len(raw) > 1 or len(parts) < len(self._open) or pieced:
            extras = reading.noted(extras, OWN, "~contents", raw)
        self.messages.append(Message(self._role, parts, extras, self._at))
        self._open = []

    def finish(self) -> tuple[Message, ...]:
        """Returns the turns."""
        self._close()
        return tuple(self.messages)


def _same_kind(left: Part, right: Part) -> bool:
    if isinstance(left, Text) and isinstance(right, Text):
        return not left.extras
    return isinstance(left, Reasoning) and isinstance(right, Reasoning) and left.seal is None and not left.extras


def joined(parts: list[Part]) -> tuple[Part, ...]:
    """Returns the parts with neighbouring fragments of text or of thought as one; a signature ends a fragment's run."""
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if last is None or not _same_kind(last, part):
            out.append(part)
        elif isinstance(part, Text) and isinstance(last, Text):
            out[-1] = Text(last.text + part.text, (), part.extras, last.at)
        elif isinstance(part, Reasoning) and isinstance(last, Reasoning):
            text = last.text + part.text
            redacted = not text and part.seal is not None
            out[-1] = Reasoning(text, (), part.seal, redacted, part.extras, last.at)
    return tuple(out)
