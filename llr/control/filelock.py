"""An advisory lock between processes: flock where there is one, a locked byte on Windows."""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POLL_S = 0.02


class LockBusy(OSError):
    """Another process held the lock for the whole waiting time."""


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

    def _unlock(fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)


@contextmanager
def locked(
    path: str,
    *,
    timeout_s: float = 10.0,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Holds the lock file `path` (made 0600, never removed) for the block.

    Raises `LockBusy` when it stays taken for `timeout_s`, OSError when the file cannot be made.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        end = monotonic() + timeout_s
        while True:
            try:
                _try_lock(fd)
                break
            except OSError as exc:
                if exc.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                    raise
                if monotonic() >= end:
                    raise LockBusy(errno.EWOULDBLOCK, "another process is writing, try again", path) from exc
                sleep(POLL_S)
        try:
            yield
        finally:
            _unlock(fd)
    finally:
        os.close(fd)
