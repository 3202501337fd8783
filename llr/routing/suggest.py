"""Names close to a mistyped one."""

from collections.abc import Iterable
from heapq import nlargest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from difflib import SequenceMatcher

# Longer names are not typed by hand, and comparing is quadratic.
_MAX_CHARS = 128
_MAX_NAMES = 2_000
_LIKENESS = 0.6


def suggestions(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Returns at most `count` known names like `name`, the closest first; case and the provider part may differ."""
    from difflib import SequenceMatcher  # Only a wrong name pays for it.

    wanted = name[:_MAX_CHARS].lower()
    wanted_model = wanted.rpartition("/")[2]
    matcher = SequenceMatcher(autojunk=False)
    scored: list[tuple[float, str]] = []
    for index, word in enumerate(known):
        if index >= _MAX_NAMES:
            break
        lower = word.lower()
        score = _likeness(matcher, wanted, lower)
        if "/" in lower:
            score = max(score, 0.95 * _likeness(matcher, wanted_model, lower.partition("/")[2]))
        if score >= _LIKENESS:
            scored.append((score, word))
    return tuple(word for _, word in nlargest(count, scored, key=lambda pair: pair[0]))


def _likeness(matcher: "SequenceMatcher[str]", one: str, other: str) -> float:
    matcher.set_seqs(one, other[:_MAX_CHARS])
    if matcher.real_quick_ratio() < _LIKENESS or matcher.quick_ratio() < _LIKENESS:
        return 0.0
    return matcher.ratio()
