"""Where child processes get their code: the private copy of the archive, or the same module as this process."""

import os
from collections.abc import Sequence
from typing import TypeAlias

from llr.base.records import dataclass
from llr.daemon import snapshot, spawn
from llr.daemon.snapshot import Snapshot
from llr.daemon.spawn import Launcher

# What tells one version of a file from the next: device, inode, size, modification time.
Identity: TypeAlias = tuple[int, int, int, int]


def identity(path: str) -> Identity | None:
    """Returns what the file at `path` is at this moment, None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Source:
    """Code that children are started from. `copy` is None where the program lies in plain folders.

    `file` tells which version of the archive was copied, None when nobody knows any more.
    """

    launcher: Launcher
    copy: Snapshot | None = None
    file: Identity | None = None

    def command(self, args: Sequence[str]) -> list[str]:
        """Returns the command line of a child with `args`."""
        return self.launcher.command(args, self.copy.path if self.copy else None)

    @property
    def fds(self) -> tuple[int, ...]:
        """Returns the descriptors a child needs to read its code."""
        return (self.copy.fd,) if self.copy is not None and self.copy.fd is not None else ()

    def discard(self) -> None:
        """Gives the private copy up."""
        if self.copy is not None:
            self.copy.discard()


def own() -> Source:
    """Returns the code of this process, copied first where it runs from an archive.

    Raises `snapshot.Changed` when the archive was replaced while this process started, OSError when it is gone.
    """
    launcher = spawn.launcher()
    path = snapshot.archive()
    if path is None:
        return Source(launcher)
    if snapshot.is_private(path):
        return Source(launcher, snapshot.adopt(path))
    file = identity(path)
    copy = snapshot.take(path)
    snapshot.run_from(path, copy.path)
    return Source(launcher, copy, file)


def newest(current: Source, cli_path: str) -> Source:
    """Returns the code as it lies on disk now: a copy of the archive at `cli_path`, else the same module again.

    Raises OSError when the archive cannot be read.
    """
    if current.copy is None or not cli_path:
        return Source(current.launcher)
    file = identity(cli_path)
    return Source(current.launcher, snapshot.take(cli_path), file)
