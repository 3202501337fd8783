"""Log lines: one event each, `key=value` or JSON, secrets taken out by value as the last step but one."""

import json
import time
from collections.abc import Callable
from typing import IO

from llr.base.redact import scrub
from llr.base.stamps import stamp

LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "off": 99}
Value = str | int | float | bool | None


def _word(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "-", True: "yes", False: "no"}[value]
    text = str(value)
    return text if text and not any(c in ' "=\\' or ord(c) < 32 for c in text) else json.dumps(text, ensure_ascii=False)


def text_line(at: str, level: str, event: str, fields: dict[str, Value]) -> str:
    """Returns `time level event key=value …`; a value with spaces is quoted as JSON quotes."""
    return " ".join([at, level, event, *(f"{key}={_word(value)}" for key, value in fields.items())])


def json_line(at: str, level: str, event: str, fields: dict[str, Value]) -> str:
    """Returns the event as one JSON object."""
    return json.dumps({"time": at, "level": level, "event": event, **fields}, ensure_ascii=False)


class Log:
    """Writes events to a stream. A stream that is gone (closed terminal) is no error."""

    def __init__(
        self,
        stream: IO[str],
        *,
        as_json: bool = False,
        level: str = "info",
        now: Callable[[], float] = time.time,
        base: dict[str, Value] | None = None,
    ) -> None:
        self._stream = stream
        self._line = json_line if as_json else text_line
        self._least = LEVELS[level]
        self._now = now
        self._base = base or {}
        self.secrets: tuple[str, ...] = ()

    def shows(self, level: str) -> bool:
        """Returns whether events of a level are written."""
        return LEVELS[level] >= self._least

    def event(self, name: str, *, level: str = "info", **fields: Value) -> None:
        """Writes one event."""
        if not self.shows(level):
            return
        line = self._line(stamp(self._now()), level, name, {**fields, **self._base})
        try:
            self._stream.write(scrub(line, self.secrets) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._least = LEVELS["off"]

    def warn(self, name: str, **fields: Value) -> None:
        """Writes an event of level warn."""
        self.event(name, level="warn", **fields)

    def error(self, name: str, **fields: Value) -> None:
        """Writes an event of level error."""
        self.event(name, level="error", **fields)
