"""What refusals taught about upstream models: fields they do not take, endpoints they do not have.

Law: bounded; a mark is set only after a call without the fault went through.
"""

from collections.abc import Mapping

from llr.base.names import FormatId

# "Speaks Chat only": a Responses call to this model has to be translated.
CHAT_ONLY = "wire:chat"
_MAX_MODELS = 1000
_MAX_MARKS = 32
_NONE: frozenset[str] = frozenset()


class Learned:
    """Marks by candidate ("provider/model") and wire format; see `formats.fields` for what they mean."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: dict[tuple[str, FormatId], frozenset[str]] = {}

    def of(self, ref: str, wire: FormatId) -> frozenset[str]:
        """Returns the marks of one model in one format."""
        return self._marks.get((ref, wire), _NONE) if self._marks else _NONE

    def add(self, ref: str, wire: FormatId, mark: str) -> bool:
        """Notes a mark; returns whether it is news."""
        known = self.of(ref, wire)
        if not mark or mark in known or len(known) >= _MAX_MARKS:
            return False
        if len(self._marks) >= _MAX_MODELS and (ref, wire) not in self._marks:
            del self._marks[next(iter(self._marks))]
        self._marks[(ref, wire)] = known | {mark}
        return True

    def all(self) -> Mapping[tuple[str, FormatId], frozenset[str]]:
        """Returns every mark, for operators."""
        return dict(self._marks)

    def forget(self, ref: str = "") -> None:
        """Drops the marks of one model, or all of them."""
        self._marks = {key: marks for key, marks in self._marks.items() if ref and key[0] != ref}
