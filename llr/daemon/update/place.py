"""The program file on disk: a new one checked beside it, put in its place, and taken back.

Law: `os.replace` is the only moment of change. Before it the old file is whole, after it the new one is, and the old
one lies beside it as `<name>.bak`.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from llr.daemon.instance import take_lock
from llr.daemon.spawn import Launcher
from llr.daemon.update.release import Release, UpdateError

BACKUP = ".bak"
SELF_TEST_S = 60.0


@contextmanager
def only_one(home: str) -> Iterator[None]:
    """Holds the lock of updates for the block. Raises `UpdateError` when another update has it."""
    lock = take_lock(os.path.join(home, ".llm-router", "update"))
    if lock is None:
        raise UpdateError("Another update is under way.", "Wait until it ends.")
    try:
        yield
    finally:
        lock.release()


def check_writable(path: str) -> None:
    """Raises `UpdateError` unless a file can be put beside `path`, which is what replacing it needs."""
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UpdateError(
            f"The folder {folder} cannot be written, so {os.path.basename(path)} cannot be replaced.",
            "Run it as the folder's owner (`sudo`), or copy the file to a folder of yours. Nothing was changed.",
        )


@contextmanager
def part_file(path: str, data: bytes) -> Iterator[str]:
    """Gives a file with these bytes and the mode of `path`, in the same folder; what is left of it is removed."""
    part = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.part-{os.getpid()}")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, stat.S_IMODE(os.stat(path).st_mode))
        yield part
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


def check_bytes(data: bytes, release: Release) -> None:
    """Raises `UpdateError` when these are not the bytes of the release."""
    if release.size is not None and len(data) != release.size:
        raise UpdateError(f"{release.source} has {len(data):,} bytes instead of {release.size:,}.")
    found = hashlib.sha256(data).hexdigest()
    if found != release.sha256:
        raise UpdateError(
            f"{release.source} has the SHA-256 {found} instead of {release.sha256}.",
            "It is damaged, or it is not what it claims to be; it was thrown away.",
        )


def check_signature(part: str, signature: bytes, key: str) -> None:
    """Raises `UpdateError` unless an installed minisign finds the signature good. `key` is the key or its file."""
    tool = shutil.which("minisign")
    if tool is None:
        raise UpdateError(
            "A signing key is configured and minisign is not installed, so the signature cannot be checked.",
            "Install minisign (`apt-get install minisign`), or take LLM_ROUTER_UPDATE_PUBKEY away.",
        )
    beside = f"{part}.minisig"
    which = ("-p", os.path.expanduser(key)) if os.path.exists(os.path.expanduser(key)) else ("-P", key)
    try:
        with open(beside, "wb") as file:
            file.write(signature)
        done = subprocess.run(
            [tool, "-V", "-q", "-m", part, "-x", beside, *which],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise UpdateError(f"minisign could not check the signature: {exc}.") from exc
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise UpdateError(f"The signature is not good: {said or 'minisign refused it'}.", "The file was thrown away.")


def version_of(launcher: Launcher, path: str) -> str:
    """Returns the version that the program file at `path` says it has. Raises `UpdateError`."""
    said = _run(launcher, path, "--version", "it does not run")
    name, _, version = said.strip().partition(" ")
    if name != "llr" or not version:
        raise UpdateError(f"The new file says '{said.strip()[:100]}' and is no llr.")
    return version


def self_test(launcher: Launcher, path: str) -> None:
    """Raises `UpdateError` unless the program file passes its own test in a process of its own."""
    _run(launcher, path, "--self-test", "it does not pass its own test")


def _run(launcher: Launcher, path: str, flag: str, wrong: str) -> str:
    command = launcher.command([flag], path)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SELF_TEST_S, check=False)
    except (OSError, subprocess.SubprocessError) as exc:
        raise UpdateError(f"The new file was not taken, {wrong}: {exc}.") from exc
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-1000:]
        raise UpdateError(f"The new file was not taken, {wrong}: {said or f'exit code {done.returncode}'}")
    return done.stdout


def switch(part: str, path: str) -> str:
    """Returns the path of the kept old file after `part` has become `path`. Raises OSError."""
    backup = path + BACKUP
    beside = f"{backup}.{os.getpid()}"
    shutil.copy2(path, beside)
    os.replace(beside, backup)
    os.replace(part, path)
    sync_folder(os.path.dirname(path))
    return backup


def restore(path: str) -> None:
    """Puts the kept old file back. Raises OSError."""
    os.replace(path + BACKUP, path)
    sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Returns when the folder's names are on disk."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def backup_of(path: str) -> bytes:
    """Returns the bytes of the kept old file. Raises `UpdateError` when there is none."""
    try:
        with open(path + BACKUP, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise UpdateError(f"There is no {path}{BACKUP} to go back to.") from None
