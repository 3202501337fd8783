"""Results as values: what a command found, before anyone words it as text or JSON.

Law: no I/O and no colour here; a secret is masked before it gets into a report.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field

OK = 0
FAILED = 1
INVALID = 2
INTERRUPTED = 130

_NO_DATA: Mapping[str, JSON] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fields:
    """A section of names and values."""

    heading: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A section of rows under column names; `empty` is said instead when there are none."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Items:
    """A section of list items; `empty` is said instead when there are none."""

    heading: str
    items: tuple[str, ...]
    empty: str = "None."


Section: TypeAlias = Fields | Table | Items


@dataclass(frozen=True, slots=True)
class Report:
    """A title and its sections, in reading order."""

    title: str
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong: a stable code, one sentence, and what to do about it."""

    code: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        end = "" if self.message.endswith((".", "!", "?", ":")) or "\n" in self.message else "."
        return f"{self.message}{end} {self.fix}".rstrip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """All a command has to say. `data` is the JSON form and carries what the text shows."""

    exit_code: int = OK
    report: Report | None = None
    text: str = ""
    data: Mapping[str, JSON] = field(default_factory=lambda: _NO_DATA)
    problem: Problem | None = None


class Refused(Exception):
    """Ends a command early with a problem and an exit code (2 for wrong input, 1 for a failure)."""

    def __init__(self, problem: Problem, exit_code: int = INVALID) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.exit_code = exit_code

    def outcome(self) -> Outcome:
        """Returns the outcome that says it."""
        return Outcome(self.exit_code, problem=self.problem)


def refuse(code: str, message: str, fix: str = "", *, exit_code: int = INVALID) -> Refused:
    """Returns a `Refused` to be raised by the caller."""
    return Refused(Problem(code, message, fix), exit_code)


def yes(value: bool) -> str:
    """Returns the cell text of a truth value."""
    return "Yes" if value else "No"
