"""The service log: one file that detached and managed gateways write, and that `llr logs` reads.

Law: every process writes whole lines to the same file, opened for appending. Whoever finds it too large moves it aside
under a lock; the others notice and follow.
"""

import os
from io import TextIOWrapper

from llr.daemon.instance import take_lock

MAX_BYTES = 10 * 1024 * 1024


def service_log(home: str | None = None) -> str:
    """Returns where the service log lies."""
    return os.path.join(home or os.path.expanduser("~"), ".llm-router", "logs", "router.log")


def open_for_append(path: str) -> int:
    """Returns a descriptor of the log, made 0600 with its folders when there is none. Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _place(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


class LogFile(TextIOWrapper):
    """A text stream to the log that keeps the file small and follows when another process moved it aside."""

    def __init__(self, path: str, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(os.fdopen(open_for_append(path), "ab"), encoding="utf-8", errors="backslashreplace")
        self._path = path
        self._max_bytes = max_bytes
        # The descriptor stays the same for life: another file is put under it.
        self._fd = self.buffer.fileno()

    def write(self, text: str) -> int:
        """Returns the number of characters; they go to the file that bears the name now."""
        self._follow()
        return super().write(text)

    def _follow(self) -> None:
        try:
            found = os.stat(self._path)
            if found.st_size >= self._max_bytes:
                self._move_aside()
            if (found.st_dev, found.st_ino) != _place(self._fd) or found.st_size >= self._max_bytes:
                self._open_again()
        except FileNotFoundError:
            self._open_again()
        except OSError:
            # Windows does not rename a file that others have open; the log then goes on as it is.
            return

    def _move_aside(self) -> None:
        lock = take_lock(self._path)
        if lock is None:
            return
        try:
            if os.stat(self._path).st_size >= self._max_bytes:
                os.replace(self._path, f"{self._path}.1")
        finally:
            lock.release()

    def _open_again(self) -> None:
        before = _place(self._fd)
        fresh = open_for_append(self._path)
        try:
            # stdout and stderr of a detached gateway are this file too: tracebacks of a crash belong into it.
            for number in (self._fd, 1, 2):
                if _is(number, before):
                    os.dup2(fresh, number, inheritable=number < 3)
        finally:
            os.close(fresh)


def _is(fd: int, place: tuple[int, int]) -> bool:
    try:
        return _place(fd) == place
    except OSError:
        return False
