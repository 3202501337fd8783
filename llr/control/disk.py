"""The few file operations a save is made of, behind one seam: tests make any of them fail at any step."""

import contextlib
import errno
import os
import stat
from typing import Protocol


class Disk(Protocol):
    """What saving needs of a file system. Every method raises OSError."""

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file; a folder, a pipe or a device is an OSError, and never waited for."""

    def check_writable(self, path: str) -> None:
        """Raises PermissionError for a file that is marked read-only; a missing one is fine."""

    def write_new(self, path: str, data: bytes) -> None:
        """Creates a file of mode 0600 that did not exist, with these bytes, on the medium when it returns."""

    def replace(self, source: str, target: str) -> None:
        """Moves `source` over `target` in one step."""

    def flush_folder(self, folder: str) -> None:
        """Puts a folder's entries on the medium, where the system can."""

    def remove(self, path: str) -> None:
        """Removes a file."""

    def names(self, folder: str) -> list[str]:
        """Returns the names in a folder."""

    def make_folder(self, folder: str) -> None:
        """Creates a folder and those above it, if missing."""

    def restrict(self, path: str) -> None:
        """Takes every right from others: mode 0600, 0400 for a file that is marked read-only."""

    def token(self) -> str:
        """Returns a short text that no other writer uses."""


class SystemDisk:
    """The machine's own file system."""

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file; a folder, a pipe or a device is an OSError, and never waited for."""
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "Not a regular file", path)
            return file.read()

    def check_writable(self, path: str) -> None:
        """Raises PermissionError for a file that is marked read-only; a missing one is fine."""
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            return
        # A rename would replace it all the same, and root may write anything: the mark is the owner's word.
        if not mode & 0o222 or not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied: the file is read-only", path)

    def write_new(self, path: str, data: bytes) -> None:
        """Creates a file of mode 0600 that did not exist, with these bytes, on the medium when it returns."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # A full disk: nobody has use for a part of a file.
            os.unlink(path)
            raise

    def replace(self, source: str, target: str) -> None:
        """Moves `source` over `target` in one step."""
        os.replace(source, target)

    def flush_folder(self, folder: str) -> None:
        """Puts a folder's entries on the medium, where the system can (Windows cannot open folders)."""
        if not hasattr(os, "O_DIRECTORY"):
            return
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Some network and FUSE file systems refuse it; the rename is then as durable as they make it.
            with contextlib.suppress(OSError):
                os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self, path: str) -> None:
        """Removes a file."""
        os.unlink(path)

    def names(self, folder: str) -> list[str]:
        """Returns the names in a folder."""
        return os.listdir(folder)

    def make_folder(self, folder: str) -> None:
        """Creates a folder and those above it, if missing."""
        os.makedirs(folder, exist_ok=True)

    def restrict(self, path: str) -> None:
        """Takes every right from others: mode 0600, 0400 for a file that is marked read-only."""
        os.chmod(path, 0o600 if os.stat(path).st_mode & 0o222 else 0o400)

    def token(self) -> str:
        """Returns a short text that no other writer uses."""
        return f"{os.getpid()}-{os.urandom(4).hex()}"


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
