"""A private copy of the archive a process runs from, so that nobody can change its code under it.

zipimport opens the archive again, by path, for each late import; a replaced file would give it foreign bytes at old
offsets. So a service copies the archive once (Linux: into sealed memory, elsewhere into a private folder) and points
its importers at the copy. Children are started from the copy too.
"""

import os
import sys
import zipimport
from types import ModuleType

import llr
from llr.base.records import dataclass

_FD_FOLDER = "/proc/self/fd/"
_FOLDER_PREFIX = "llr-archive-"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A private copy. `fd` must be passed to children that run from `path`; None where `path` is a file."""

    path: str
    fd: int | None = None

    def discard(self) -> None:
        """Gives the copy up."""
        if self.fd is not None:
            os.close(self.fd)
        else:
            import shutil

            shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)


def archive() -> str | None:
    """Returns the archive this program was imported from, None when it lies in plain folders."""
    loader = getattr(llr.__spec__, "loader", None)
    return str(loader.archive) if isinstance(loader, zipimport.zipimporter) else None


def take(path: str) -> Snapshot:
    """Returns a private copy of the file at `path`. Raises OSError."""
    with open(path, "rb") as file:
        data = file.read()
    fd = _sealed_memory(data)
    if fd is not None:
        return Snapshot(f"{_FD_FOLDER}{fd}", fd)
    import tempfile

    folder = tempfile.mkdtemp(prefix=_FOLDER_PREFIX)
    copy = os.path.join(folder, "llr.pyz")
    with open(copy, "wb") as out:
        out.write(data)
    return Snapshot(copy)


def _sealed_memory(data: bytes) -> int | None:
    """Returns a descriptor of memory that nobody can write any more (memfd_create(2)), None where there is none."""
    if sys.platform != "linux" or not os.path.isdir(_FD_FOLDER):
        return None
    import fcntl

    try:
        fd = os.memfd_create("llr.pyz", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def is_private(path: str) -> bool:
    """Returns whether an archive path is already a private copy."""
    return path.startswith(_FD_FOLDER) or os.path.basename(os.path.dirname(path)).startswith(_FOLDER_PREFIX)


def adopt(path: str) -> Snapshot:
    """Returns the private copy that this process was started from."""
    if not path.startswith(_FD_FOLDER):
        return Snapshot(path)
    fd = int(path[len(_FD_FOLDER) :])
    os.set_inheritable(fd, False)
    return Snapshot(path, fd)


class Changed(Exception):
    """The archive on disk is no longer the one this process started from."""


def _directory(importer: zipimport.zipimporter) -> dict[str, tuple[object, ...]]:
    # Up to Python 3.12 the directory is an attribute, from 3.13 on a method that fetches it when asked.
    fetch = getattr(importer, "_get_files", None)
    files: dict[str, tuple[object, ...]] = fetch() if fetch else importer._files  # type: ignore[attr-defined]
    return {name: tuple(row[1:]) for name, row in files.items()}


def run_from(old: str, new: str) -> None:
    """Points every importer of the archive `old` at its copy `new`.

    Raises `Changed` when the copy is not of the archive that is being run.
    """
    running = llr.__spec__.loader if llr.__spec__ is not None else None
    if isinstance(running, zipimport.zipimporter) and _directory(running) != _directory(zipimport.zipimporter(new)):
        raise Changed(f"{old} was replaced while it was starting")
    sys.path[:] = [_moved(entry, old, new) for entry in sys.path]
    for module in list(sys.modules.values()):
        _move(module, old, new)
    for entry in [entry for entry in sys.path_importer_cache if entry == old or entry.startswith(old + os.sep)]:
        del sys.path_importer_cache[entry]


def _moved(entry: str, old: str, new: str) -> str:
    return new + entry[len(old) :] if entry == old or entry.startswith(old + os.sep) else entry


def _move(module: ModuleType, old: str, new: str) -> None:
    spec = getattr(module, "__spec__", None)
    loader = getattr(spec, "loader", None)
    if spec is None or not isinstance(loader, zipimport.zipimporter) or loader.archive != old:
        return
    spec.loader = module.__loader__ = zipimport.zipimporter(os.path.join(new, loader.prefix) if loader.prefix else new)
    paths = getattr(module, "__path__", None)
    if isinstance(paths, list):
        paths[:] = [_moved(entry, old, new) for entry in paths]
        spec.submodule_search_locations = paths
    if module.__file__:
        module.__file__ = _moved(module.__file__, old, new)
