"""Processes by pid and start time, so that a reused pid is never taken for the one meant."""

import os
import signal
import sys
from collections.abc import Callable
from time import monotonic, sleep

from llr.base.records import dataclass

POLL_S = 0.05
# Windows has no signal that asks: what os.kill sends there ends a process at once.
HAS_SIGNALS = sys.platform != "win32"


def _stat_fields(pid: int) -> list[str] | None:
    """Returns the fields of `/proc/<pid>/stat` after the command name, None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def start_time(pid: int) -> str | None:
    """Returns a text that names when this process started, None when the system does not say.

    Linux: field 22 of proc_pid_stat(5), clock ticks since boot. Elsewhere: `ps -o lstart=`.
    """
    if sys.platform == "win32":
        return None
    fields = _stat_fields(pid)
    if fields is not None and len(fields) > 19:
        return f"ticks:{fields[19]}"
    if os.path.isdir("/proc/self"):
        return None
    import subprocess

    try:
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return " ".join(done.stdout.split()) or None


if sys.platform == "win32":

    def _runs(pid: int) -> bool:
        """Returns whether a process runs, without os.kill: there, signal 0 is Ctrl+C for a whole console."""
        import ctypes

        kernel = ctypes.windll.kernel32
        query_limited, still_active, access_denied = 0x1000, 259, 5
        handle = kernel.OpenProcess(query_limited, False, pid)
        if not handle:
            return bool(kernel.GetLastError() == access_denied)
        try:
            code = ctypes.c_ulong()
            return bool(kernel.GetExitCodeProcess(handle, ctypes.byref(code)) and code.value == still_active)
        finally:
            kernel.CloseHandle(handle)

else:

    def _runs(pid: int) -> bool:
        """Returns whether a process runs; one of another user does."""
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        except OSError:
            return False
        return True


def alive(pid: int) -> bool:
    """Returns whether a process of this pid runs; one that may not be signalled does, a zombie does not."""
    if pid <= 0:
        return False
    fields = _stat_fields(pid)
    if fields:
        return fields[0] not in ("Z", "X")
    return _runs(pid)


def parent(pid: int) -> int | None:
    """Returns the pid of the process's parent, None when the system does not say."""
    fields = _stat_fields(pid)
    if fields is not None and len(fields) > 1:
        return int(fields[1])
    if sys.platform == "win32" or os.path.isdir("/proc/self"):
        return None
    import subprocess

    try:
        done = subprocess.run(
            ["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    word = done.stdout.strip()
    return int(word) if word.isdigit() else None


def same(pid: int, started: str | None) -> bool:
    """Returns whether the process that was `started` then is the one of this pid now."""
    if not alive(pid):
        return False
    return started is None or start_time(pid) in (None, started)


def gone(pid: int, started: str | None, *, wait_s: float) -> bool:
    """Returns whether the process ended within `wait_s`."""
    until = monotonic() + wait_s
    while same(pid, started):
        if monotonic() >= until:
            return False
        sleep(POLL_S)
    return True


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: the signal that was used, None when it was gone already; `ok` False when it still runs."""

    ok: bool
    signal: str | None


def end(
    pid: int,
    started: str | None,
    *,
    wait_s: float,
    send: Callable[[int, int], None] = os.kill,
    running: Callable[[int, str | None], bool] = same,
) -> Ended:
    """Returns how the process ended: SIGTERM, `wait_s` of patience, SIGKILL, one more second."""
    kill = getattr(signal, "SIGKILL", signal.SIGTERM)
    for number, patience_s in ((signal.SIGTERM, wait_s), (kill, 1.0)):
        if not running(pid, started):
            return Ended(True, None)
        try:
            send(pid, number)
        except ProcessLookupError:
            return Ended(True, None)
        until = monotonic() + patience_s
        while running(pid, started):
            if monotonic() >= until:
                break
            sleep(POLL_S)
        else:
            return Ended(True, number.name)
    return Ended(False, kill.name)
