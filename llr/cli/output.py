"""Outcomes into text or JSON on the right stream; colours only on a terminal."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from llr.base.jsonio import JSON
from llr.base.redact import without_logins
from llr.control.report import OK, Fields, Items, Outcome, Report, Section, Table

MAX_CELL = 180
MAX_HEADER = 120

_COLOURS = {"info": "\x1b[34m", "success": "\x1b[32m", "warn": "\x1b[33m", "error": "\x1b[31m"}
_SYMBOLS = {"info": "ℹ", "success": "✔", "warn": "⚠", "error": "✖"}
_PLAIN = {"info": "i", "success": "+", "warn": "!", "error": "x"}


def colours_wanted(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Returns whether escape codes belong on this stream: a terminal, or asked for by FORCE_COLOR."""
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR") not in (None, "", "0"):
        return True
    return env.get("TERM") != "dumb" and stream.isatty()


def cell(text: str, limit: int | None = MAX_CELL) -> str:
    """Returns `text` on one line: white space joined, empty as `-`, cut at `limit` characters.

    Logins go before the column is measured; what goes later would move its border.
    """
    flat = without_logins(" ".join(text.split())) or "-"
    return flat if limit is None or len(flat) <= limit else flat[: limit - 3] + "..."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, limit: int | None = MAX_CELL) -> str:
    """Returns an ASCII table, cells left-aligned and padded to the widest of their column."""
    head = [cell(column, MAX_HEADER) for column in columns]
    body = [[cell(value, limit) for value in row] for row in rows]
    widths = [max(len(row[at]) for row in [head, *body]) for at in range(len(head))]
    border = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) + " |"

    return "\n".join([border, line(head), border, *map(line, body), border])


def _section(section: Section, limit: int | None) -> str:
    match section:
        case Fields(heading, rows):
            return f"{heading}\n{table(('Field', 'Value'), rows, limit=limit)}"
        case Table(heading, columns, rows, empty):
            return f"{heading}\n{table(columns, rows, limit=limit) if rows else empty}"
        case Items(heading, items, empty):
            return "\n".join([heading, *(f"- {item}" for item in items)] if items else [heading, empty])


def render(report: Report, *, limit: int | None = MAX_CELL) -> str:
    """Returns the report as plain text: title, then sections a blank line apart."""
    return "\n\n".join([report.title, *(_section(section, limit) for section in report.sections)])


def envelope(operation: str, outcome: Outcome) -> dict[str, JSON]:
    """Returns the one JSON object that `--json` prints."""
    body: dict[str, JSON] = {
        "ok": outcome.exit_code == OK,
        "exitCode": outcome.exit_code,
        "operation": operation,
        "data": dict(outcome.data),
    }
    problem = outcome.problem
    if problem is not None:
        body["error"] = {"code": problem.code, "message": problem.message, "fix": problem.fix}
    elif outcome.exit_code != OK:
        body["error"] = {"code": "failed", "message": "See data.", "fix": ""}
    return body


def _clean(value: JSON) -> JSON:
    """Returns a JSON value whose texts hold no login of an address."""
    match value:
        case str():
            return without_logins(value) if "://" in value else value
        case dict():
            return {key: _clean(one) for key, one in value.items()}
        case list():
            return [_clean(one) for one in value]
        case _:
            return value


def _encoding(stream: TextIO) -> str:
    """Returns what a stream can say; one in memory says everything."""
    return getattr(stream, "encoding", None) or "utf-8"


class Output:
    """The two streams of one run. In JSON mode progress goes to stderr and stdout gets one object.

    Whatever is written, a login or key inside an address is not: addresses come from configs, flags and errors alike.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, env: Mapping[str, str], *, as_json: bool = False) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.env = env
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """Writes one line of progress, flushed at once."""
        self._write(self.stderr if self.as_json else self.stdout, without_logins(text))

    def note(self, level: str, text: str) -> None:
        """Writes a line with its symbol: `info`, `success`, `warn` or `error` (the last on stderr)."""
        stream = self.stderr if self.as_json or level == "error" else self.stdout
        self._write(stream, f"{self._symbol(level, stream)} {without_logins(text)}")

    def finish(self, operation: str, outcome: Outcome) -> int:
        """Writes the outcome and returns its exit code."""
        if self.as_json:
            # Where the stream cannot say everything, JSON still can.
            escaped = _encoding(self.stdout).lower().replace("-", "") != "utf8"
            self._write(self.stdout, json.dumps(_clean(envelope(operation, outcome)), ensure_ascii=escaped))
            return outcome.exit_code
        text = outcome.text
        if outcome.report is not None:
            text = render(outcome.report, limit=MAX_CELL if self.stdout.isatty() else None)
        if text:
            wrong = outcome.exit_code != OK and outcome.problem is None
            self._write(self.stderr if wrong else self.stdout, without_logins(text))
        if outcome.problem is not None:
            self.note("error", str(outcome.problem))
        return outcome.exit_code

    def _symbol(self, level: str, stream: TextIO) -> str:
        try:
            _SYMBOLS[level].encode(_encoding(stream))
            symbol = _SYMBOLS[level]
        except (UnicodeEncodeError, LookupError):
            symbol = _PLAIN[level]
        return f"{_COLOURS[level]}{symbol}\x1b[0m" if colours_wanted(stream, self.env) else symbol

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        try:
            stream.write(text + "\n")
            stream.flush()
        except UnicodeEncodeError:
            encoding = _encoding(stream)
            stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            stream.flush()


def standard_output(env: Mapping[str, str], *, as_json: bool) -> Output:
    """Returns the output of this process."""
    return Output(sys.stdout, sys.stderr, env, as_json=as_json)
