"""Findings as values: about what, how bad, what was seen, what to do."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.base.redact import scrub


class Grade(StrEnum):
    """How much a finding matters; an error is what makes the doctor exit with 1."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `code` is stable.

    `subject` is `config`, `gateway`, `state`, `environment`, `auth` or `provider <id>`.
    """

    subject: str
    code: str
    grade: Grade
    message: str
    fix: str = ""
    facts: Mapping[str, JSON] = field(default_factory=dict)

    def form(self) -> dict[str, JSON]:
        """Returns the JSON form."""
        return {
            "subject": self.subject,
            "code": self.code,
            "level": self.grade.value,
            "message": self.message,
            "fix": self.fix,
            **self.facts,
        }


def cleaned(findings: Iterable[Finding], secrets: tuple[str, ...]) -> tuple[Finding, ...]:
    """Returns the findings without keys, whatever a server or an error may have quoted."""
    return tuple(
        Finding(one.subject, one.code, one.grade, scrub(one.message, secrets), one.fix, one.facts) for one in findings
    )
