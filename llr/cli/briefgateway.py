"""A gateway for the time of one block: a process of the same program, on a free port, with a state file of its own."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from llr.control.report import FAILED, refuse
from llr.daemon import spawn
from llr.daemon.starter import ALIVE_FD

READY_S = 30.0
STOP_S = 5.0


@contextmanager
def brief_gateway(config: str, scratch: str, env: Mapping[str, str]) -> Iterator[str]:
    """Yields its origin once it is ready; it is stopped at the end, or when this process is gone without an end.

    Its log goes to a file, not to the terminal.

    Raises `Refused` with the last of its log when it does not come up.
    """
    if sys.platform == "win32":
        text = "No gateway runs, and Windows cannot start one that ends with the tool."
        raise refuse("not-here", text, "`llr start --detach`, then again.", exit_code=FAILED)
    log = os.path.join(scratch, "gateway.log")
    process, reading, held = _spawned(config, scratch, log, env)
    try:
        line = _line(reading, READY_S).split()
        if line[:1] != ["READY"] or len(line) < 4:
            with open(log, encoding="utf-8", errors="replace") as file:
                said = file.read()[-2000:].strip()
            raise refuse("start-failed", f"The gateway did not start: {said or 'it said nothing'}", exit_code=FAILED)
        yield line[3]
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(held)


def _spawned(config: str, scratch: str, log: str, env: Mapping[str, str]) -> tuple["subprocess.Popen[bytes]", int, int]:
    """Returns the process, where it says that it is ready, and what keeps it alive while it is open."""
    reading, writing = os.pipe()
    # The tool inherits neither end: what is open in it would keep the gateway.
    alive, held = os.pipe()
    words = ("start", f"--config={config}", "--host=127.0.0.1", "--port=0", "--quiet", "--here")
    own = {
        **env,
        spawn.READY_FD: str(writing),
        ALIVE_FD: str(alive),
        "LLM_ROUTER_RUNTIME_STATE_PATH": os.path.join(scratch, "run.json"),
        # What routing remembers belongs to the gateway that stays.
        "LLM_ROUTER_STATE_BACKEND": "memory",
    }
    with open(log, "wb") as out:
        process = subprocess.Popen(
            spawn.launcher().command(words),
            env=own,
            pass_fds=(writing, alive),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            # Ctrl+C in the terminal is for the tool.
            start_new_session=True,
        )
    os.close(writing)
    os.close(alive)
    return process, reading, held


def _line(fd: int, patience_s: float) -> str:
    data = b""
    try:
        while not data.endswith(b"\n") and select.select([fd], [], [], patience_s)[0]:
            part = os.read(fd, 4096)
            if not part:
                break
            data += part
    finally:
        os.close(fd)
    return data.decode()
