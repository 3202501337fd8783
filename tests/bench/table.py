"""The rows of the report and how they print."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: `ours` beside `floor` (seconds, or MB when `kind` is "MB"); `aim` is a ratio, or an absolute value
    where there is no floor, 0 for none."""

    name: str
    ours: float
    floor: float | None
    aim: float
    note: str = ""
    kind: str = "s"

    @classmethod
    def memory(cls, name: str, mb: float, aim: float, note: str = "") -> Self:
        """Returns a row of megabytes (or of whatever unit its name says)."""
        return cls(name, mb, None, aim, note, "MB")

    @classmethod
    def duration(cls, name: str, seconds: float, aim_s: float, note: str = "") -> Self:
        """Returns a row of seconds with an absolute aim."""
        return cls(name, seconds, None, aim_s, note)

    @property
    def met(self) -> str:
        """Returns "yes", "no", or "" where nothing is aimed at."""
        if not self.aim:
            return ""
        return "yes" if (self.ours / self.floor if self.floor else self.ours) <= self.aim else "no"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"


def _aim(row: Row) -> str:
    if not row.aim:
        return ""
    if row.floor:
        return f"≤ {row.aim:g} ×"
    return f"≤ {row.aim:g}" if row.kind == "MB" else f"≤ {_time(row.aim)}"


def render(rows: Sequence[Row], unit_s: float) -> str:
    """Returns a Markdown table; `unit_s` is what `json.loads` of the 2 KB body takes."""
    lines = [
        "| what | llr | × json.loads(2 KB) | floor | llr / floor | aim | met | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = f"{row.ours:.1f}" if row.kind == "MB" else _time(row.ours)
        units = "" if row.kind == "MB" else f"{row.ours / unit_s:.1f}"
        floor = _time(row.floor) if row.floor else ""
        ratio = f"{row.ours / row.floor:.2f}" if row.floor else ""
        lines.append(f"| {row.name} | {ours} | {units} | {floor} | {ratio} | {_aim(row)} | {row.met} | {row.note} |")
    return "\n".join(lines) + "\n"
