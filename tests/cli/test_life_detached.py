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

from llr.cli import detaching
from llr.daemon import detach, process
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
    status = detached.json("status")["data"]
    assert (status["origin"], status["unusedVariables"]) == (data["origin"], [])
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


def test_a_hard_restart_keeps_typed_flags_and_refuses_before_it_stops(detached: Life) -> None:
    file = detached.home / ".llm-router.json"
    none = {"type": "none"}
    acme = {"id": "acme", "baseUrl": "http://127.0.0.1:9", "auth": none, "format": "openai", "models": ["m"]}
    file.write_text(json.dumps({"version": 2, "providers": [acme]}))
    started = detached.json("start", "--port=0", "--log-level=debug", "--log-format=json", "--detach")["data"]
    again = detached.json("restart", "--hard", "--now")["data"]
    assert again["origin"] == started["origin"]
    assert again["pid"] != started["pid"]
    port = started["origin"].rpartition(":")[2]
    assert detached.state["typed"] == [f"--port={port}", "--log-format=json", "--log-level=debug"]
    file.write_text("{")
    refused = detached.run("restart", "--hard", "--now")
    assert (refused.returncode, "Failed to load config" in refused.stderr) == (2, True)
    assert detached.json("status")["data"]["processes"][0]["pid"] == again["pid"], "the old one serves on"


def test_a_log_that_cannot_be_written_leaves_nothing_behind(sourced: Life) -> None:
    refused = sourced.run("start", "--demo", "--port=0", f"--log-file={sourced.home}")
    assert (refused.returncode, "cannot be written" in refused.stderr) == (1, True)
    assert sorted(path.name for path in sourced.home.iterdir()) == ["run.json.lock"]


SAYS_READY = "import os; os.write(int(os.environ['LLM_ROUTER_READY_FD']), b'READY 7 1.0 http://127.0.0.1:9000\\n')"


def test_a_gateway_that_cannot_write_its_state_is_told_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, state = str(tmp_path / "router.log"), str(tmp_path / "run.json")
    done = detach.start([sys.executable, "-c", SAYS_READY], dict(os.environ), log_path=log, state_path=state)
    assert (done.running, done.origin, done.said) == (None, "http://127.0.0.1:9000", "")
    monkeypatch.setattr(detach, "start", lambda *_words, **_more: done)
    outcome = detaching.launch([], {"LLM_ROUTER_RUNTIME_STATE_PATH": state}, log)
    assert outcome.exit_code == 1
    assert outcome.data["origin"] == "http://127.0.0.1:9000"
    assert f"serves at http://127.0.0.1:9000 (process {done.pid}), but {state} could not be written" in str(
        outcome.problem
    )


def test_an_interrupted_start_ends_what_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[subprocess.Popen[bytes]] = []

    def interrupted(child: "subprocess.Popen[bytes]", *_more: object) -> str:
        began.append(child)
        raise KeyboardInterrupt

    monkeypatch.setattr(detach, "_wait", interrupted)
    command = [sys.executable, "-c", "import sys, time; time.sleep(600)"]
    with pytest.raises(KeyboardInterrupt):
        detach.start(command, dict(os.environ), log_path=str(tmp_path / "log"), state_path=str(tmp_path / "run.json"))
    assert began[0].wait(20) == -signal.SIGTERM


def test_who_waited_may_be_gone(sourced: Life) -> None:
    reading, writing = os.pipe()
    command = [*sourced.command, "start", "--demo", "--port=0", "--quiet"]
    env = {**sourced.env, "LLM_ROUTER_READY_FD": str(writing)}
    with subprocess.Popen(command, env=env, pass_fds=(writing,), stderr=subprocess.PIPE, text=True) as gateway:
        os.close(writing)
        os.close(reading)
        assert gateway.stderr is not None
        assert " ready " in gateway.stderr.readline()
        assert sourced.json("status")["data"]["running"]
        gateway.terminate()
        assert gateway.wait(20) == 0


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
