"""Gateways in the background, and ports that someone else holds: against real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llr.daemon import process
from tests.cli.life import Life

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions")

LISTEN = """
import socket, sys
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def stranger() -> Iterator[tuple[int, int]]:
    """Gives the pid and port of a process that is no gateway."""
    child = subprocess.Popen([sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def detached(life: Life) -> Iterator[Life]:
    yield life
    life.run("stop", "--now")


def test_start_in_the_background(detached: Life) -> None:
    started = detached.json("start", "--demo", "--port=0", "--detach")
    assert started["ok"], started
    data = started["data"]
    assert data["origin"] == detached.json("status")["data"]["origin"]
    assert os.getsid(data["pid"]) == data["pid"]
    log = detached.home / ".llm-router" / "logs" / "router.log"
    assert data["logFile"] == str(log)
    assert log.stat().st_mode & 0o777 == 0o600
    assert " ready " in log.read_text()
    again = detached.run("start", "--demo", "--port=0", "--detach")
    assert again.returncode == 1
    assert "already running" in again.stderr
    assert f"at {data['origin']}" in again.stderr
    restarted = detached.json("restart", "--hard", "--now")
    assert restarted["ok"], restarted
    assert restarted["data"]["origin"] == data["origin"]
    assert restarted["data"]["pid"] != data["pid"]
    stopped = detached.run("stop")
    assert "Manual process" in stopped.stdout
    assert "SIGTERM" in stopped.stdout


def test_workers_log_to_the_same_file(detached: Life) -> None:
    started = detached.json("start", "--demo", "--port=0", "--detach", "--workers=2", "--log-format=json")
    pids = {row["pid"] for row in detached.json("status")["data"]["processes"]}
    lines = [json.loads(line) for line in Path(started["data"]["logFile"]).read_text().splitlines()]
    assert {line.get("pid") for line in lines if line["event"] == "worker-ready"} == pids


@pytest.mark.parametrize(("args", "code", "words"), [((), 2, "Config file not found"), (("--port=x",), 2, "--port")])
def test_a_start_that_fails_shows_why(sourced: Life, args: tuple[str, ...], code: int, words: str) -> None:
    done = sourced.run("start", "--detach", *(("--demo", *args) if args else ()))
    assert done.returncode == code
    assert "ended before it was ready" in done.stderr
    assert words in done.stderr
    assert "Its log:" in done.stderr
    assert not (sourced.home / "run.json").exists()


def test_a_crash_at_start_shows_its_traceback(sourced: Life, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['llr.daemon.supervisor'] = None\n")
    sourced.env["PYTHONPATH"] = f"{folder}{os.pathsep}{os.getcwd()}"
    done = sourced.run("start", "--demo", "--port=0", "--detach")
    assert done.returncode == 1
    assert "llr.daemon.supervisor" in done.stderr


def test_a_taken_port_names_process_and_remedy(sourced: Life) -> None:
    with stranger() as (pid, port):
        done = sourced.run("start", "--demo", f"--port={port}")
    assert done.returncode == 1
    assert f"process {pid} (" in done.stderr
    assert "-c" in done.stderr
    assert "llr reclaim" in done.stderr


def test_reclaim_of_a_free_port(sourced: Life) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    done = sourced.json("reclaim", f"--port={port}")
    assert done["ok"]
    assert done["data"] == {
        "port": port,
        "busyBefore": False,
        "reclaimed": False,
        "pidsBefore": [],
        "pidsAfter": [],
        "commands": {},
    }


def test_reclaim_leaves_strangers_alone_until_told(sourced: Life) -> None:
    with stranger() as (pid, port):
        done = sourced.run("reclaim", f"--port={port}")
        assert done.returncode == 1
        assert f"process {pid}" in done.stderr
        assert "--yes" in done.stderr
        dry = sourced.json("reclaim", f"--port={port}", "--dry-run", "--yes")
        assert dry["data"]["pidsAfter"] == [pid]
        assert process.alive(pid)
        wrong = sourced.run("reclaim", f"--port={port}", "--pid=2", "--yes")
        assert wrong.returncode == 2
        assert process.alive(pid)
        forced = sourced.json("reclaim", f"--port={port}", "--yes")
        assert forced["data"]["reclaimed"]
        assert (forced["data"]["pidsBefore"], forced["data"]["pidsAfter"]) == ([pid], [])
        assert not process.alive(pid)


def test_reclaim_ends_our_own_gateway_with_its_workers(sourced: Life) -> None:
    gateway = sourced.start("--demo", "--workers=2")
    os.kill(gateway.pid, signal.SIGSTOP)
    done = sourced.json("reclaim")
    assert done["ok"], done
    assert gateway.pid in done["data"]["pidsBefore"]
    assert len(done["data"]["pidsBefore"]) == 3
    assert done["data"]["pidsAfter"] == []
    assert not (sourced.home / "run.json").exists()
    gateway.wait()


def test_stop_kills_what_does_not_listen(sourced: Life) -> None:
    gateway = sourced.start("--demo")
    os.kill(gateway.pid, signal.SIGSTOP)
    began = time.monotonic()
    stopped = sourced.json("stop", "--now")
    assert stopped["data"]["signal"] == "SIGKILL"
    assert time.monotonic() - began < 20
    assert gateway.wait() == -signal.SIGKILL
