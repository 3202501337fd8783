"""Starting a gateway that outlives its caller: in a session of its own, its output in the service log.

It says READY on an inherited pipe (Windows, which passes no pipes: by its state file); who waits for it learns at once
when it ends instead, and why.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from llr.base.records import dataclass
from llr.daemon import instance, logfile
from llr.daemon.instance import Instance
from llr.daemon.spawn import READY_FD

# Workers have 12 s to get ready; a parent that starts them needs a little more.
READY_S = 20.0
MAX_SAID = 4000
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Detached:
    """What came of a start. `code` is the exit code of a child that ended, None while it runs.

    `running` is the gateway once it is ready; `said` is the last of what the child wrote when it is not. `origin` is
    where a gateway serves that could not write down that it does.
    """

    pid: int
    running: Instance | None
    code: int | None
    said: str
    origin: str = ""


def start(
    command: Sequence[str], env: Mapping[str, str], *, log_path: str, state_path: str, timeout_s: float = READY_S
) -> Detached:
    """Returns the gateway once it is ready, or how its start failed. Raises OSError when nothing can be started.

    Who interrupts the wait wants no gateway: the child is ended.
    """
    log_fd = logfile.open_for_append(log_path)
    began = os.fstat(log_fd).st_size
    try:
        child, line = _spawn(command, env, log_fd)
    finally:
        os.close(log_fd)
    try:
        origin = _wait(child, line, state_path, timeout_s)
    except KeyboardInterrupt:
        child.terminate()
        raise
    finally:
        if line is not None:
            os.close(line)
    if origin:
        return Detached(child.pid, instance.active(state_path), None, "", origin)
    code: int | None = None
    with suppress(subprocess.TimeoutExpired):
        # A child that closed the pipe without a word is about to end.
        code = child.wait(2.0)
    return Detached(child.pid, None, code, said(log_path, began))


def said(log_path: str, since: int) -> str:
    """Returns the last of what was written to the log after its first `since` bytes."""
    try:
        with open(log_path, "rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace").strip()[-MAX_SAID:]
    except OSError:
        return ""


if sys.platform == "win32":

    def _spawn(
        command: Sequence[str], env: Mapping[str, str], log_fd: int
    ) -> tuple["subprocess.Popen[bytes]", int | None]:
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        child = subprocess.Popen(
            command, env=dict(env), stdin=subprocess.DEVNULL, stdout=log_fd, stderr=log_fd, creationflags=flags
        )
        return child, None

else:

    def _spawn(
        command: Sequence[str], env: Mapping[str, str], log_fd: int
    ) -> tuple["subprocess.Popen[bytes]", int | None]:
        reading, writing = os.pipe()
        try:
            child = subprocess.Popen(
                command,
                env={**env, READY_FD: str(writing)},
                stdin=subprocess.DEVNULL,
                stdout=log_fd,
                stderr=log_fd,
                pass_fds=(writing,),
                start_new_session=True,
            )
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return child, reading


def _wait(child: "subprocess.Popen[bytes]", line: int | None, state_path: str, timeout_s: float) -> str:
    """Returns where the child serves once it is ready; "" when it ended or took too long."""
    until = time.monotonic() + timeout_s
    if line is not None:
        import select

        data = b""
        while b"\n" not in data:
            left = until - time.monotonic()
            if left <= 0 or not select.select([line], [], [], left)[0]:
                return ""
            part = os.read(line, 4096)
            if not part:
                return ""
            data += part
        return data.decode("utf-8", "replace").split()[-1] if data.startswith(b"READY ") else ""
    while time.monotonic() < until and child.poll() is None:
        found = instance.active(state_path)
        if found is not None and found.pid == child.pid:
            return found.origin
        time.sleep(_POLL_S)
    return ""
