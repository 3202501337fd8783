"""In which order a model is tried at endpoints and formats, and how fast."""

from collections.abc import Iterable, Sequence
from math import ceil

from llr.base.names import ProviderFormat
from llr.base.records import dataclass
from llr.control.probe.addresses import preference

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
# What in a model's id names a format.
_NAMED = {OPENAI: "gpt", CLAUDE: "claude", GEMINI: "gemini"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One endpoint, by its index and address, in one format."""

    index: int
    endpoint: str
    format: ProviderFormat


def score(model: str, pair: Pair) -> int:
    """Returns how promising a pair is for a model: its name counts more than any address."""
    named = _NAMED[pair.format] in model.lower()
    return (1000 if named else 0) + preference(pair.endpoint, pair.format)


def candidates(model: str, endpoints: Sequence[str], formats: Sequence[Sequence[ProviderFormat]]) -> list[Pair]:
    """Returns every pair for a model, the most promising first; `formats` are those of each endpoint."""
    pairs = [Pair(at, url, name) for at, url in enumerate(endpoints) for name in formats[at]]
    return sorted(pairs, key=lambda pair: (-score(model, pair), pair.index, pair.format.value))


def variants_first(known: str | None, usual: Sequence[str]) -> tuple[str, ...]:
    """Returns the auth variants in their usual order, the one known to work first."""
    return tuple(dict.fromkeys((known, *usual))) if known in usual and known else tuple(usual)


def unique(texts: Iterable[str]) -> tuple[str, ...]:
    """Returns the texts trimmed, each once, empty ones left out."""
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))


class Pace:
    """How often one host may be asked. Instants are seconds of the clock that the caller reads."""

    __slots__ = ("_allowed", "interval_s")

    def __init__(self, requests_per_minute: int) -> None:
        self.interval_s = ceil(60_000 / max(1, requests_per_minute)) / 1000
        self._allowed: dict[str, float] = {}

    def wait_s(self, host: str, *, now: float) -> float:
        """Returns how long to wait before the next call, 0 for not at all."""
        return max(0.0, self._allowed.get(host, now) - now)

    def spent(self, host: str, *, began: float, requests: int) -> None:
        """Notes a check that made so many requests."""
        self._allowed[host] = max(self._allowed.get(host, began), began) + self.interval_s * requests

    def retry_s(self, retry_after_s: float) -> float:
        """Returns how long to wait after being told to slow down."""
        return max(self.interval_s, retry_after_s, 0.25)
