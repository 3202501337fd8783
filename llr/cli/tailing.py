"""The end of a file that grows: its last lines, and what is added, through truncation and rotation."""

import os
from collections.abc import Callable, Iterator

BLOCK_BYTES = 64 * 1024
# More than this of one file is not read for its last lines.
MAX_TAIL_BYTES = 64 * 1024 * 1024
POLL_S = 0.25


def last_lines(path: str, count: int) -> tuple[list[str], int]:
    """Returns at most `count` last lines and the size that was read to. Raises OSError."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        data, at = b"", end
        while at > 0 and data.count(b"\n") <= count and len(data) < MAX_TAIL_BYTES:
            at = max(0, at - BLOCK_BYTES)
            file.seek(at)
            data = file.read(end - at)
    lines = data.decode("utf-8", "replace").splitlines()
    return (lines[-count:] if count > 0 else []), end


def added_lines(path: str, position: int, pause: Callable[[], bool]) -> Iterator[str]:
    """Yields every further line once it is whole; a new file under the name, or a shorter one, is read from its start.

    `pause` waits a moment and returns False to end.
    """
    rest, inode = b"", _inode(path)
    while True:
        now = _inode(path)
        if now is not None:
            if now != inode or os.path.getsize(path) < position:
                position, rest = 0, b""
            with open(path, "rb") as file:
                file.seek(position)
                data = file.read()
            position += len(data)
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace")
        # A file that was gone may come back under the same number.
        inode = now
        if not pause():
            return


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
