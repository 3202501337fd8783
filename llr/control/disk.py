"""The few file operations a save is made of, behind one seam: tests make any of them fail at any step."""

import contextlib
import os
from typing import Protocol


class Disk(Protocol):
    """What saving needs of a file system. Every method raises OSError."""

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file."""

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
        """Sets mode 0600."""

    def token(self) -> str:
        """Returns a short text that no other writer uses."""


class SystemDisk:
    """The machine's own file system."""

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file."""
        with open(path, "rb") as file:
            return file.read()

    def write_new(self, path: str, data: bytes) -> None:
        """Creates a file of mode 0600 that did not exist, with these bytes, on the medium when it returns."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

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
        """Sets mode 0600."""
        os.chmod(path, 0o600)

    def token(self) -> str:
        """Returns a short text that no other writer uses."""
        return f"{os.getpid()}-{os.urandom(4).hex()}"
