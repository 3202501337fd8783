"""Processes under measurement: start, ready line, CPU seconds and resident memory of a whole tree (Linux /proc)."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Proc:
    """One child whose first stdout line is a port number (or any ready line)."""

    def __init__(self, command: list[str], env: Mapping[str, str] | None = None, *, ready: bool = True) -> None:
        whole = {**os.environ, **(env or {})}
        self._child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=whole,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._child.pid
        self.ready_line = self._line() if ready else ""

    def _line(self) -> str:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            assert self._child.stderr is not None
            raise RuntimeError(f"{self._child.args!r} said nothing: {self._child.stderr.read()[-2000:]}")
        return line.strip()

    def ask(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the JSON answer to one JSON line. Raises RuntimeError when the answer is an error."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(plan) + "\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def stop(self) -> None:
        """Ends the process and waits for it."""
        self._child.terminate()
        try:
            self._child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()


def python(module: str, *args: str) -> Proc:
    """Returns a running `python -m module` that has printed its first line."""
    return Proc([sys.executable, "-m", module, *args])


def tree(pid: int) -> list[int]:
    """Returns the process and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*"):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_s(pid: int) -> float:
    """Returns CPU seconds spent so far by the tree's threads, from the scheduler's nanosecond account."""
    return _account_s(pid, 0)


def queued_s(pid: int) -> float:
    """Returns the seconds in which the tree's threads could have run but no core was free for them."""
    return _account_s(pid, 1)


def _account_s(pid: int, column: int) -> float:
    total = 0
    for member in tree(pid):
        for task in Path(f"/proc/{member}/task").glob("*"):
            total += int((task / "schedstat").read_text().split()[column])
    return total / 1e9


def rss_mb(pid: int) -> float:
    """Returns the resident memory of the tree in MB (shared pages counted once per process)."""
    pages = sum(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
