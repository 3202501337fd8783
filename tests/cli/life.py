"""A gateway as a real process: started, waited for by its READY line and its log events, spoken to over HTTP."""

import contextlib
import http.client
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 20.0


@dataclass
class Gateway:
    """A started gateway and the lines it has logged."""

    process: "subprocess.Popen[bytes]"
    pid: int
    origin: str
    seen: list[str] = field(default_factory=list)
    _lines: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.origin.removeprefix("http://").rpartition(":")
        return host, int(port)

    def read_log(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            self._lines.put(raw.decode())
        self._lines.put(None)

    def wait_for(self, event: str, *, timeout_s: float = PATIENCE_S) -> str:
        """Returns the next log line with this event; fails with everything seen when none comes."""
        until = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(f"no {event} in {self.seen}") from None
            if line is None:
                raise AssertionError(f"the log ended without {event}: {self.seen}")
            self.seen.append(line)
            if f" {event} " in line or line.rstrip().endswith(f" {event}"):
                return line

    def get(self, path: str, *, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body or None, {"content-type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, model: str = "demo/ok") -> tuple[int, bytes]:
        message = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        return self.get("/v1/chat/completions", method="POST", body=json.dumps(message).encode())

    def kill(self, pid: int) -> None:
        """Ends one of its processes without a warning."""
        os.kill(pid, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)


class Life:
    """Runs one `llr` command line (from source or from the archive) in a home of its own."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self.command = list(command)
        self.home = home
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("LLM_ROUTER_", "PYTEST_"))},
            "HOME": str(home),
            "LLM_ROUTER_RUNTIME_STATE_PATH": str(home / "run.json"),
        }
        self.pass_fds: tuple[int, ...] = ()
        self._started: list[Gateway] = []

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return found

    def run(self, *args: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.command, *args], env=self.env, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def json(self, *args: str) -> dict[str, Any]:
        done = self.run(*args, "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def start(self, *args: str) -> Gateway:
        """Returns the gateway once it said READY."""
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [*self.command, "start", "--port=0", "--quiet", *args],
            env={**self.env, "LLM_ROUTER_READY_FD": str(writing)},
            pass_fds=(writing, *self.pass_fds),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        os.close(writing)
        gateway = Gateway(process, process.pid, "")
        self._started.append(gateway)
        threading.Thread(target=gateway.read_log, daemon=True).start()
        line = _read_line(reading)
        assert line.startswith("READY"), (line, [gateway._lines.get() for _ in range(gateway._lines.qsize())])
        gateway.origin = line.split()[3]
        return gateway

    def end(self) -> None:
        for gateway in self._started:
            if gateway.process.poll() is None:
                gateway.process.terminate()
                try:
                    gateway.process.wait(5)
                except subprocess.TimeoutExpired:
                    gateway.process.kill()
                    gateway.process.wait(5)


def _read_line(fd: int) -> str:
    data = b""
    until = time.monotonic() + PATIENCE_S
    while not data.endswith(b"\n") and select.select([fd], [], [], max(until - time.monotonic(), 0))[0]:
        part = os.read(fd, 4096)
        if not part:
            break
        data += part
    os.close(fd)
    return data.decode()


@contextlib.contextmanager
def living(command: Sequence[str], home: Path) -> Iterator[Life]:
    """Gives a life and ends what it started."""
    life = Life(command, home)
    try:
        yield life
    finally:
        life.end()


SOURCE = (sys.executable, "-m", "llr")


@contextlib.contextmanager
def announced(life: Life) -> Iterator[tuple[str, int]]:
    """What `start` prints until it is ready, and its pid; it is ended afterwards."""
    command, env = [*life.command, "start", "--port=0"], {**life.env, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Press Ctrl+C" in line:
                break
        yield said, process.pid
        process.terminate()


def replace_in_archive(path: Path, name: str, content: bytes) -> None:
    """Puts another archive in place, in one step: the same but for one module, whose bytecode is left out."""
    fresh = path.with_name("fresh.pyz")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            if item.filename == name:
                new.writestr(item, content)
            elif item.filename != name + "c":
                new.writestr(item, old.read(item))
    os.replace(fresh, path)
