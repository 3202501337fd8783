"""A log of JSON lines: written beside the event loop, bounded in memory and on disk, shared by several processes.

Law: writing never delays and never fails a request; what cannot be written is told once and forgotten.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from llr.base.jsonio import JSON, dumps
from llr.daemon.logfile import LogFile

log = logging.getLogger("llr.activity")

# Lines waiting for the disk; beyond it the oldest are forgotten.
_MAX_WAITING = 1_000

MakeRow = Callable[[], Mapping[str, JSON]]


class JsonLines:
    """Appends rows to a file beside the loop; the file is moved aside to `<path>.1` when it grows too large.

    `what` names the log in the warning that it cannot be written.
    """

    def __init__(self, path: str, what: str, *, max_bytes: int) -> None:
        self.path = path
        self._what = what
        self._max_bytes = max_bytes
        self._waiting: deque[MakeRow] = deque(maxlen=_MAX_WAITING)
        self._writing: asyncio.Task[None] | None = None
        self._file: LogFile | None = None
        self._warned = False

    def add(self, row: MakeRow) -> None:
        """Returns at once; the row is made and written in the background."""
        self._waiting.append(row)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._drain())

    async def aclose(self) -> None:
        """Returns when everything is written."""
        while self._writing is not None:
            await self._writing
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    async def _drain(self) -> None:
        try:
            while self._waiting:
                rows = list(self._waiting)
                self._waiting.clear()
                await asyncio.to_thread(self._append, rows)
        finally:
            self._writing = None

    def _append(self, rows: list[MakeRow]) -> None:
        try:
            if self._file is None:
                self._file = LogFile(self.path, self._max_bytes)
            for row in rows:
                # One write for each line: several processes append to this file.
                self._file.write(dumps(dict(row())).decode() + "\n")
                self._file.flush()
        except (OSError, ValueError) as exc:
            if not self._warned:
                log.warning("the %s %s cannot be written: %s", self._what, self.path, exc)
            self._warned = True
            with suppress(OSError, ValueError):
                if self._file is not None:
                    self._file.close()
            self._file = None
        else:
            self._warned = False
