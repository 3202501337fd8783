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


def introduced(before: Parsed, after: Parsed, *, renamed: bool = False) -> tuple[Issue, ...]:
    """Returns the errors of `after` that `before` did not have, counted: what was wrong already blocks no edit.

    After a rename an old error may name the new id, so only its code tells it from others.
    """
    had = Counter(_key(issue, renamed) for issue in before.errors)
    fresh = []
    for issue in after.errors:
        key = _key(issue, renamed)
        if had[key] > 0:
            had[key] -= 1
        else:
            fresh.append(issue)
    return tuple(fresh)


def _key(issue: Issue, renamed: bool) -> tuple[str, str]:
    # Without list positions: removing one entry moves those behind it, which makes nothing worse.
    return issue.code, "" if renamed else re.sub(r"\[\d+\]", "[]", issue.message)
