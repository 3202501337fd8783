"""The life of a gateway as its owner sees it: every command against real processes, from source and from the file."""

import http.client
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from llr.daemon import process
from llr.daemon.call import control_call
from tests.cli.life import Life, replace_in_archive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and descriptors")


def test_start_status_stop(life: Life) -> None:
    gateway = life.start("--demo")
    assert gateway.ask()[0] == 200
    state = life.state
    assert (state["pid"], state["port"], state["demo"]) == (gateway.pid, gateway.address[1], True)
    status = life.json("status")
    assert status["ok"]
    assert status["data"]["origin"] == gateway.origin
    assert [row["pid"] for row in status["data"]["processes"]] == [gateway.pid]
    stopped = life.json("stop")
    assert stopped["data"]["signal"] == "SIGTERM"
    assert gateway.wait() == 0
    assert sorted(path.name for path in life.home.iterdir() if path.is_file()) == ["run.json.lock"]
    assert life.run("stop").stdout.strip() == "No running LLM Router instance found."


def test_second_instance_is_refused(life: Life) -> None:
    gateway = life.start("--demo")
    again = life.run("start", "--demo", "--port=0")
    assert again.returncode == 1
    assert "already running" in again.stderr
    assert gateway.origin in again.stderr
    assert gateway.ask()[0] == 200


def test_a_lock_without_a_state_file_still_refuses(sourced: Life) -> None:
    sourced.start("--demo")
    (sourced.home / "run.json").unlink()
    assert "already running" in sourced.run("start", "--demo", "--port=0").stderr


def test_taken_port_names_its_owner(sourced: Life) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = sourced.run("start", "--demo", f"--port={port}")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "in use by process" in done.stderr
    assert "--port" in done.stderr
    assert not (sourced.home / "run.json").exists()


def test_start_without_a_config_names_both_ways(sourced: Life) -> None:
    done = sourced.run("start")
    assert done.returncode == 2
    assert "llr config" in done.stderr
    assert "llr start --demo" in done.stderr


def test_reload_and_restart_without_a_gateway(sourced: Life) -> None:
    for command in ("reload", "restart"):
        done = sourced.run(command)
        assert done.returncode == 1
        assert "No running LLM Router instance detected." in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_and_ends_with_0(sourced: Life, number: signal.Signals) -> None:
    gateway = sourced.start("--demo")
    with socket.create_connection(gateway.address, 10) as client:
        body = json.dumps({"model": "demo/ok", "messages": [{"role": "user", "content": "Hello"}]}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode())
        assert sourced.json("status")["data"]["processes"][0]["requests"] >= 0
        gateway.signal(number)
        gateway.wait_for("stopping")
        client.sendall(body)
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert gateway.wait() == 0


def test_second_signal_ends_at_once(sourced: Life) -> None:
    gateway = sourced.start("--demo")
    with socket.create_connection(gateway.address, 10) as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        sourced.run("status")
        gateway.signal(signal.SIGTERM)
        gateway.wait_for("stopping")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 143
    assert not (sourced.home / "run.json").exists()


def test_long_path_puts_the_socket_elsewhere(sourced: Life, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    sourced.env["LLM_ROUTER_RUNTIME_STATE_PATH"] = str(deep / "run.json")
    sourced.start("--demo")
    told = json.loads((deep / "run.json").read_text())["controlSocket"]
    assert len(told) <= 100
    folder = Path(told).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sourced.json("status")["data"]["running"] is True
    sourced.run("stop")
    assert not folder.exists()


def test_socket_and_state_are_private(sourced: Life) -> None:
    sourced.start("--demo")
    for name in ("run.json", "run.sock", "run.json.lock"):
        assert (sourced.home / name).stat().st_mode & 0o777 == 0o600


def test_killed_gateway_leaves_nothing_that_stops_the_next(sourced: Life) -> None:
    gateway = sourced.start("--demo")
    gateway.process.kill()
    gateway.wait()
    assert sourced.json("status")["data"]["running"] is False
    assert sourced.start("--demo").ask()[0] == 200


def test_inherited_socket_is_served(sourced: Life) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        sock.set_inheritable(True)
        sourced.env["LLM_ROUTER_LISTEN_FD"] = str(sock.fileno())
        sourced.pass_fds = (sock.fileno(),)
        gateway = sourced.start("--demo")
    assert gateway.address[1] == port
    assert gateway.ask()[0] == 200


def test_workers_share_the_port_and_a_dead_one_is_replaced(life: Life) -> None:
    gateway = life.start("--demo", "--workers=2")
    first = {row["pid"] for row in life.json("status")["data"]["processes"]}
    assert len(first) == 2
    assert gateway.pid not in first
    victim = first.pop()
    signal_process(victim, signal.SIGKILL)
    gateway.wait_for("worker-ended")
    assert gateway.ask()[0] == 200
    gateway.wait_for("worker-ready")
    pids = {row["pid"] for row in life.json("status")["data"]["processes"]}
    assert len(pids) == 2
    assert victim not in pids
    assert life.run("reload").returncode == 0
    life.run("stop")
    assert gateway.wait() == 0
    assert not any(alive(pid) for pid in pids)


def test_workers_end_when_their_parent_is_killed(sourced: Life) -> None:
    gateway = sourced.start("--demo", "--workers=2")
    pids = [row["pid"] for row in sourced.json("status")["data"]["processes"]]
    gateway.process.kill()
    gateway.wait()
    for _ in pids:
        gateway.wait_for("parent-gone")
    # The log's end is the end of every process that holds it.
    with pytest.raises(AssertionError, match="log ended"):
        gateway.wait_for("never")


def test_restart_under_load_fails_nothing(life: Life) -> None:
    gateway = life.start("--demo")
    with Load(gateway.address, clients=4) as load:
        for _ in range(2):
            load.await_requests(20)
            assert life.json("restart")["ok"]
            gateway.wait_for("renewed")
        load.await_requests(20)
    assert load.failures == []
    assert gateway.process.poll() is None
    assert life.state["pid"] == gateway.pid


def test_restart_with_workers(sourced: Life) -> None:
    gateway = sourced.start("--demo", "--workers=2")
    before = {row["pid"] for row in sourced.json("status")["data"]["processes"]}
    gateway.signal(signal.SIGUSR2)
    gateway.wait_for("renewed")
    after = {row["pid"] for row in sourced.json("status")["data"]["processes"]}
    assert len(after) == 2
    assert not before & after
    assert gateway.ask()[0] == 200


def test_stream_in_flight_outlives_a_restart(life: Life) -> None:
    gateway = life.start("--demo")
    body = json.dumps({"model": "demo/ok", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(gateway.address, 10) as client:
        client.sendall(head.encode() + body[:-1])
        assert life.run("restart").returncode == 0
        client.sendall(body[-1:])
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"data: [DONE]" in answer
    gateway.wait_for("renewed")
    assert gateway.ask()[0] == 200


def test_overwritten_file_changes_nothing_for_the_running_gateway(archived: Life) -> None:
    file = Path(archived.command[-1])
    good = file.read_bytes()
    gateway = archived.start("--demo", "--workers=2")
    file.write_bytes(b"garbage" * (len(good) // 7))
    assert gateway.ask("demo")[0] == 200
    assert gateway.get("/v1/models")[0] == 200
    pids = {row["pid"] for row in control(archived, "GET", "/status")["processes"]}
    signal_process(pids.pop(), signal.SIGKILL)
    gateway.wait_for("worker-ready")
    gateway.signal(signal.SIGUSR2)
    failed = gateway.wait_for("hand-over-failed")
    assert "SyntaxError" in failed or "Error" in failed
    assert gateway.ask("demo")[0] == 200
    file.write_bytes(good)
    gateway.signal(signal.SIGUSR2)
    gateway.wait_for("renewed")
    file.write_bytes(b"")
    assert gateway.ask("demo")[0] == 200
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0


def test_new_file_is_taken_up_parent_and_all(archived: Life) -> None:
    gateway = archived.start("--demo", "--workers=2")
    replace_in_archive(Path(archived.command[-1]), "llr/__init__.py", b'"""Newer."""\n__version__ = "9.9.9"\n')
    assert archived.run("restart").returncode == 0
    assert "version=9.9.9" in gateway.wait_for("renewed")
    status = control(archived, "GET", "/status")
    assert (status["version"], status["pid"]) == ("9.9.9", gateway.pid)
    assert {row["version"] for row in status["processes"]} == {"9.9.9"}
    assert archived.state["version"] == "9.9.9"


def test_new_file_that_cannot_serve_leaves_the_old_one_serving(archived: Life) -> None:
    gateway = archived.start("--demo")
    replace_in_archive(Path(archived.command[-1]), "llr/gateway/app.py", b"raise ImportError('broken on purpose')\n")
    done = archived.run("restart")
    assert done.returncode == 1
    assert "broken on purpose" in done.stderr
    assert gateway.ask("demo")[0] == 200
    assert [row["pid"] for row in control(archived, "GET", "/status")["processes"]] == [gateway.pid]


def test_new_file_is_noticed(archived: Life) -> None:
    archived.env["LLM_ROUTER_BINARY_WATCH_INTERVAL_MS"] = "1000"
    gateway = archived.start("--demo", "--watch-binary")
    replace_in_archive(Path(archived.command[-1]), "llr/__init__.py", b'__version__ = "9.9.9"\n')
    gateway.wait_for("program-file-changed")
    assert "version=9.9.9" in gateway.wait_for("renewed")


def test_idle_connection_outlives_two_restarts(sourced: Life) -> None:
    gateway = sourced.start("--demo")
    connection = http.client.HTTPConnection(*gateway.address, timeout=20)
    connection.request("GET", "/v1/models")
    assert connection.getresponse().read()
    assert connection.sock is not None
    sock = connection.sock
    for _ in range(2):
        assert sourced.run("restart").returncode == 0
    assert control(sourced, "GET", "/status")["draining"] >= 1
    connection.request("GET", "/v1/models")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("connection")) == (200, "close")
    assert answer.read()
    assert sock.fileno() == -1 or connection.sock is None
    gateway.wait_for("renewed")


def test_demo_writes_nothing_but_its_runtime_files(life: Life) -> None:
    gateway = life.start("--demo")
    assert gateway.ask("demo")[0] == 200
    found = {path.name for path in life.home.iterdir() if not path.is_dir()}
    assert found == {"run.json", "run.json.lock", "run.sock"}


def test_version_is_fast_and_bare_llr_succeeds(life: Life) -> None:
    assert life.run("--version").stdout.startswith("llr ")
    bare = life.run()
    assert bare.returncode == 0
    assert "llr start --demo" in bare.stdout


def signal_process(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


def alive(pid: int) -> bool:
    return process.alive(pid)


def control(life: Life, method: str, path: str) -> Any:
    return control_call(method, path, env=life.env).body


class Load:
    """Clients that ask one question after the other over kept connections until told to stop."""

    def __init__(self, address: tuple[str, int], clients: int) -> None:
        self.failures: list[str] = []
        self._address = address
        self._stop = threading.Event()
        self._count = 0
        self._more = threading.Condition()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def await_requests(self, number: int) -> None:
        """Returns after that many more answers."""
        with self._more:
            wanted = self._count + number
            assert self._more.wait_for(lambda: self._count >= wanted or self.failures, 30)

    def _run(self) -> None:
        body = json.dumps({"model": "demo/ok", "messages": [{"role": "user", "content": "Hello"}]})
        connection = http.client.HTTPConnection(*self._address, timeout=20)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")
            except (OSError, http.client.HTTPException) as exc:
                self.failures.append(repr(exc))
                connection.close()
            with self._more:
                self._count += 1
                self._more.notify_all()
        connection.close()
