"""Routing state in memory, mirrored in the reference router's state file.

Law: the file is read once; afterwards memory is the truth and the file a snapshot of it, whole at any moment. A write
that fails is told once and tried again later; it never fails a request. Who does not hold the lock does not write.
"""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from llr.base.clock import Clock, SystemClock
from llr.state.memory import MemoryStore, Usage
from llr.state.records import CANDIDATE_TTL_S
from llr.state.statefile import Contents, Count, decode, encode
from llr.state.store import Keys, Op, Snapshot

log = logging.getLogger("llr.state.file")

FLUSH_S = 0.25
# After a failed write: a full disk does not empty itself in a moment.
_RETRY_S = 5.0


class FileStore:
    """A `Store` in this process that outlives it. The file appears with the first change, mode 0600."""

    def __init__(self, path: str, *, candidate_ttl_s: float = CANDIDATE_TTL_S, clock: Clock | None = None) -> None:
        self.path = os.path.realpath(os.path.expanduser(path))
        self._memory = MemoryStore(candidate_ttl_s=candidate_ttl_s)
        self._clock = clock or SystemClock()
        self._lock = FileLock(self.path + ".lock")
        self._writing = asyncio.Lock()
        self._written = 0
        self._flushing: asyncio.Task[None] | None = None
        self._warned = False
        self._closed = False
        self._fill(load(self.path, self._clock.now()))

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns what is known of `keys`, expired entries left out."""
        return self._memory.peek(keys, now=now)

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest; the file follows within `FLUSH_S`."""
        granted = self._memory.commit(ops, now=now)
        if self._memory.version != self._written and self._flushing is None and not self._closed:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_soon())
        return granted

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry."""
        return await self._memory.everything(now=now)

    async def aclose(self) -> None:
        """Returns when the last change is written and the file is free for another process."""
        self._closed = True
        task, self._flushing = self._flushing, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._memory.version != self._written:
            await self._flush()
        self._lock.release()

    def document(self, *, now: float) -> dict[str, Any]:
        """Returns what the file would hold now: what a process that takes over is sent."""
        return document_of(self._memory, now=now)

    def absorb(self, document: dict[str, Any], *, now: float) -> None:
        """Takes over what another process knew last: its cursors, the later record, the higher count."""
        absorb_into(self._memory, document, now=now)

    def _fill(self, contents: Contents) -> None:
        self._memory.cursors.update(contents.cursors)
        self._memory.health.update(contents.health)
        for key, entry in contents.usage.items():
            self._memory.usage[key] = Usage(entry.count, entry.expires_at, entry.updated_at)

    async def _flush_soon(self) -> None:
        pause_s = FLUSH_S
        while self._memory.version != self._written:
            await self._clock.sleep(pause_s)
            pause_s = FLUSH_S if await asyncio.shield(self._flush()) else _RETRY_S
        self._flushing = None

    async def _flush(self) -> bool:
        """Returns whether the file now holds what memory held when the call began."""
        async with self._writing:
            return await self._write_now()

    async def _write_now(self) -> bool:
        text = json.dumps(self.document(now=self._clock.now()), indent=2)
        version = self._memory.version
        try:
            await asyncio.to_thread(self._write, text)
        except OSError as exc:
            if not self._warned:
                log.warning("routing state stays in memory: %s cannot be written: %s", self.path, exc)
                self._warned = True
            return False
        if self._warned:
            log.warning("routing state is written to %s again", self.path)
        self._warned, self._written = False, version
        return True

    def _write(self, text: str) -> None:
        self._lock.acquire()
        write_atomically(self.path, text)


def document_of(memory: MemoryStore, *, now: float) -> dict[str, Any]:
    """Returns what a state file would hold of a store in memory."""
    memory.prune(now)
    counts = ((key, Count(use.count, use.expires_at, use.updated_at)) for key, use in memory.usage.items())
    return encode(memory.cursors, memory.health, counts, now=now)


def absorb_into(mine: MemoryStore, document: dict[str, Any], *, now: float) -> None:
    """Puts what another process knew last into a store: its cursors, the later record, the higher count."""
    theirs = decode(document)
    mine.cursors.update(theirs.cursors)
    for key, record in theirs.health.items():
        if key not in mine.health or record.updated_at > mine.health[key].updated_at:
            mine.health[key] = record
    for window, entry in theirs.usage.items():
        known = mine.usage.get(window)
        if known is None or entry.count > known.count:
            mine.usage[window] = Usage(entry.count, entry.expires_at, entry.updated_at)
    mine.version += 1
    mine.prune(now)


def load(path: str, now: float) -> Contents:
    """Returns the usable contents of a state file; a missing one is empty, a corrupt one is kept aside and empty."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return Contents()
    except (OSError, UnicodeDecodeError) as exc:
        _put_aside(path, now, exc)
        return Contents()
    if not text.strip():
        return Contents()
    try:
        return decode(json.loads(text))
    except (ValueError, RecursionError) as exc:
        _put_aside(path, now, exc)
        return Contents()


def _put_aside(path: str, now: float, why: Exception) -> None:
    aside = f"{path}.corrupt-{int(now * 1000)}"
    try:
        os.replace(path, aside)
    except OSError:
        log.warning("routing state starts empty: %s cannot be read: %s", path, why)
    else:
        log.warning("routing state starts empty: %s cannot be read: %s; it is kept as %s", path, why, aside)


def write_atomically(path: str, text: str) -> None:
    """Replaces a file by a new one of mode 0600, on disk before it takes the name. Raises `OSError`."""
    # Here and not above: it brings every compressor of the standard library along, and most starts write nothing.
    import tempfile

    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=os.path.basename(path) + ".", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise


class FileLock:
    """One writer per state file: an advisory lock on a file beside it, held until released or the process ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Takes the lock if it is not held. Raises `OSError` when another process holds it."""
        if self._handle is not None:
            return
        try:
            import fcntl
        except ImportError:
            # Without advisory locks the instance lock of the daemon is what keeps a second gateway away.
            self._handle = -1
            return
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(handle)
            raise OSError(exc.errno, "another process keeps its state there") from exc
        self._handle = handle

    def release(self) -> None:
        """Gives the lock back."""
        handle, self._handle = self._handle, None
        if handle is not None and handle >= 0:
            os.close(handle)
