"""Files of coding tools on disk: read for a plan, shown as a diff, written all or none.

Law: a link is followed and stays a link; a file of somebody else, or one that may not be written, is refused before
anything is written; what changed since the plan was made is never written over.
"""

import difflib
import os
import re
import stat
from collections.abc import Iterable

from llr.base.redact import mask, scrub
from llr.control.report import FAILED, refuse
from llr.tools.base import PRIVATE, FileEdit, Found

_SECRET = re.compile(
    r"""(?ix) ( ["']? [\w.\-]* (?: key | token | secret | password | authorization | credential ) ["']? \s* [:=] \s* )
    ( " (?:[^"\\]|\\.)* " | '[^']*' )"""
)


class DiskView:
    """The machine's own files."""

    def read(self, path: str) -> Found | None:
        """Returns a file, links followed; None when it does not exist. Raises OSError."""
        try:
            with open(path, "rb") as file:
                return Found(file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        except (FileNotFoundError, NotADirectoryError):
            return None


def shown(edits: Iterable[FileEdit], secrets: tuple[str, ...]) -> str:
    """Returns the unified diff of every file, secrets masked; a line for a file of which only the mode changes."""
    parts = []
    for edit in edits:
        kept = ".llm_router_backup" in os.path.basename(edit.path)
        old, new = _lines(edit.before, secrets, kept), _lines(edit.after, secrets, kept)
        left = "/dev/null" if edit.before is None else edit.path
        right = "/dev/null" if edit.after is None else edit.path
        text = "\n".join(difflib.unified_diff(old, new, left, right, lineterm=""))
        if not text and edit.before is not None and edit.after is not None:
            same = edit.before.data == edit.after.data
            what = f"mode {edit.before.mode:o} becomes {edit.after.mode:o}" if same else "a secret in it changes"
            text = f"{edit.path}: {what}"
        elif not text:
            text = f"{edit.path}: {'created' if edit.before is None else 'removed'}, empty"
        parts.append(text)
    return "\n".join(parts)


def _lines(found: Found | None, secrets: tuple[str, ...], kept: bool) -> list[str]:
    if found is None:
        return []
    if kept:
        # It repeats what the other files were before, keys of their owner included.
        return ["{}" if len(found.data) < 4 else f"(the state before, {len(found.data):,} bytes)"]
    text = found.data.decode("utf-8", "replace")
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, mask(secret))
    text = _SECRET.sub(lambda match: match[1] + match[2][0] + mask(match[2][1:-1]) + match[2][0], text)
    return [scrub(line) for line in text.splitlines()]


def apply(edits: Iterable[FileEdit]) -> None:
    """Writes every edit, or none. Raises `Refused` for a file that must not be written, OSError."""
    listed = list(edits)
    targets = [_target(edit) for edit in listed]
    done: list[tuple[str, Found | None]] = []
    try:
        for edit, target in zip(listed, targets, strict=True):
            _put(target, edit.after, edit)
            done.append((target, edit.before))
    except BaseException:
        for target, before in reversed(done):
            _put(target, before)
        raise


def _target(edit: FileEdit) -> str:
    """Returns the file behind the links. Raises `Refused` when it may not be written."""
    target = os.path.realpath(edit.path)
    _check(edit, target)
    if edit.before is not None:
        found = os.stat(target)
        own = getattr(os, "geteuid", lambda: found.st_uid)()
        if found.st_uid != own:
            text = f"{target} belongs to another user (id {found.st_uid}); nothing was written."
            raise refuse("tool-file", text, "Wire the tool as that user.", exit_code=FAILED)
        if not edit.before.mode & stat.S_IWUSR:
            text = f"{target} is read-only; nothing was written."
            raise refuse("tool-file", text, f"Allow it with `chmod u+w {target}`.", exit_code=FAILED)
    folder = os.path.dirname(target)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if not os.access(folder, os.W_OK):
        raise refuse("tool-file", f"The folder {folder} may not be written to.", exit_code=FAILED)
    return target


def _check(edit: FileEdit, target: str) -> None:
    if DiskView().read(target) != edit.before:
        raise refuse("tool-file", f"{edit.path} changed in the meantime; nothing was written.", "Run it again.")


def _put(target: str, found: Found | None, edit: FileEdit | None = None) -> None:
    """Makes a file what it should be. With `edit` it is looked at once more, as late as can be."""
    if found is None:
        if edit is not None:
            _check(edit, target)
        if os.path.exists(target):
            os.unlink(target)
        return
    folder = os.path.dirname(target)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    temporary = f"{target}.llr-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)
        with open(fd, "wb") as file:
            file.write(found.data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, found.mode)
        if edit is not None:
            # Putting bytes on a disk takes long enough for somebody to save the file.
            _check(edit, target)
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
