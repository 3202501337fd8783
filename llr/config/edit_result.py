"""What an edit gives back, and the comparison that decides whether it may be saved."""

import re
from collections import Counter

from llr.base.records import dataclass
from llr.config.schema import Doc, Issue, Parsed


@dataclass(frozen=True, slots=True)
class Edit:
    """The new document, and one line per thing that changed, followed references included."""

    doc: Doc
    changes: tuple[str, ...] = ()


def introduced(before: Parsed, after: Parsed) -> tuple[Issue, ...]:
    """Returns the errors of `after` that `before` did not have, counted: what was wrong already blocks no edit."""
    had = Counter(_key(issue) for issue in before.errors)
    fresh = []
    for issue in after.errors:
        key = _key(issue)
        if had[key] > 0:
            had[key] -= 1
        else:
            fresh.append(issue)
    return tuple(fresh)


def _key(issue: Issue) -> tuple[str, str]:
    # Without list positions: removing one entry moves those behind it, which makes nothing worse.
    return issue.code, re.sub(r"\[\d+\]", "[]", issue.message)
