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
    """Marks by candidate ("provider/model") and wire format; see `formats.fields` for what they mean.

    A mark may hold only until an instant: `holds` says whether it does, `of` and `all` do not look at clocks.
    """

    __slots__ = ("_marks", "_until")

    def __init__(self) -> None:
        self._marks: dict[tuple[str, FormatId], frozenset[str]] = {}
        self._until: dict[tuple[str, FormatId, str], float] = {}

    def of(self, ref: str, wire: FormatId) -> frozenset[str]:
        """Returns the marks of one model in one format."""
        return self._marks.get((ref, wire), _NONE) if self._marks else _NONE

    def holds(self, ref: str, wire: FormatId, mark: str, now: float) -> bool:
        """Returns whether a mark is set and has not ended; one that has is forgotten."""
        known = self.of(ref, wire)
        if mark not in known:
            return False
        if now < self._until.get((ref, wire, mark), now + 1):
            return True
        self._marks[(ref, wire)] = known - {mark}
        del self._until[(ref, wire, mark)]
        return False

    def until(self, ref: str, wire: FormatId, mark: str) -> float:
        """Returns when a mark ends, 0 for one that does not."""
        return self._until.get((ref, wire, mark), 0.0)

    def add(self, ref: str, wire: FormatId, mark: str, until_at: float = 0.0) -> bool:
        """Notes a mark, for ever or until an instant; returns whether it is news."""
        known = self.of(ref, wire)
        if mark in known and until_at > self.until(ref, wire, mark) > 0:
            self._until[(ref, wire, mark)] = until_at
            return True
        if not mark or mark in known or len(known) >= _MAX_MARKS:
            return False
        if len(self._marks) >= _MAX_MODELS and (ref, wire) not in self._marks:
            del self._marks[next(iter(self._marks))]
        self._marks[(ref, wire)] = known | {mark}
        if until_at > 0:
            self._until[(ref, wire, mark)] = until_at
        return True

    def all(self) -> Mapping[tuple[str, FormatId], frozenset[str]]:
        """Returns every mark, for operators."""
        return dict(self._marks)

    def forget(self, provider: str = "") -> None:
        """Drops the marks of one provider's models, or all of them."""
        start = f"{provider}/"
        self._marks = {key: marks for key, marks in self._marks.items() if provider and not key[0].startswith(start)}
        self._until = {key: until for key, until in self._until.items() if key[:2] in self._marks}


class Calibration:
    """How far our estimates are from what providers count, by model; a slow mean of the ratio, within bounds."""

    __slots__ = ("_asked", "_ratios")

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}
        self._asked = 0

    def wants(self, ref: str) -> bool:
        """Returns whether another example of this model is worth its cost: the first, then one of sixteen."""
        self._asked += 1
        return ref not in self._ratios or self._asked % 16 == 0

    def note(self, ref: str, estimated: int, counted: int) -> None:
        """Learns from one answered request."""
        if estimated < 50 or counted <= 0:
            return
        ratio = min(3.0, max(0.33, counted / estimated))
        known = self._ratios.get(ref)
        if known is None and len(self._ratios) >= 1000:
            del self._ratios[next(iter(self._ratios))]
        self._ratios[ref] = ratio if known is None else known + (ratio - known) * 0.2

    def all(self) -> Mapping[str, float]:
        """Returns the ratio of every model."""
        return dict(self._ratios)

    def take_over(self, ratios: Mapping[str, float]) -> None:
        """Takes what another process learned for models this one knows nothing of."""
        for ref, ratio in ratios.items():
            if ref not in self._ratios and len(self._ratios) < 1000:
                self._ratios[ref] = ratio

    def corrected(self, ref: str, estimated: int) -> int:
        """Returns an estimate in this model's own tokens, at least 1."""
        return max(1, round(estimated * self._ratios.get(ref, 1.0)))
