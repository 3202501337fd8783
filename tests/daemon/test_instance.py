import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llr.base.jsonio import JSON
from llr.daemon import instance, process
from llr.daemon.instance import Instance

ME = instance.with_process(Instance(os.getpid(), port=9000, config_path="/c.json", version="1.2.3"), os.getpid())


def test_round_trip(tmp_path: Path) -> None:
    path = str(tmp_path / "new folder" / "run.json")
    instance.write(path, ME)
    assert instance.read(path) == ME
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(os.path.dirname(path)) == ["run.json"]


def test_field_names_of_the_file() -> None:
    assert set(instance.encode(ME)) >= {
        *("pid", "host", "port", "configPath", "watchConfig", "watchBinary", "requireAuth", "managedByStartup"),
        *("cliPath", "startedAt", "version", "nonce", "processStartTime", "supervisorPid"),
    }


DECODED: list[tuple[JSON, Instance | None]] = [
    ({"pid": 5}, Instance(5)),
    ({"pid": 5, "unknown": 1, "host": "", "port": "x", "watchConfig": "no", "requireAuth": 1}, Instance(5)),
    (
        {"pid": 5, "host": "::1", "port": 1, "watchConfig": False, "requireAuth": True},
        Instance(5, "::1", 1, watch_config=False, require_auth=True),
    ),
    ({"pid": 5, "typed": ["--port=9", 1]}, Instance(5, typed=("--port=9",))),
    ({"pid": 5, "typed": "--port=9"}, Instance(5)),
    ({"pid": 0}, None),
    ({"pid": -1}, None),
    ({"pid": "5"}, None),
    ({"pid": True}, None),
    ({}, None),
    ([], None),
    (None, None),
]


@pytest.mark.parametrize(("raw", "expected"), DECODED)
def test_decode(raw: JSON, expected: Instance | None) -> None:
    assert instance.decode(raw) == expected


def test_active_only_while_the_process_lives(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    assert instance.active(path) is None
    instance.write(path, ME)
    assert instance.active(path) == ME


def test_file_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    instance.write(path, instance.with_process(Instance(child.pid), child.pid))
    child.wait()
    assert instance.active(path) is None
    assert not os.path.exists(path)


@pytest.mark.skipif(process.start_time(os.getpid()) is None, reason="the system tells no start time")
def test_reused_pid_is_not_believed(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    other = Instance(os.getpid(), process_start_time="ticks:1")
    instance.write(path, other)
    assert instance.active(path) is None


def test_unreadable_file_tells_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("{")
    assert instance.active(str(path)) is None
    with pytest.raises(json.JSONDecodeError):
        instance.read(str(path))


def test_clear_with_another_pid_is_a_no_op(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    instance.write(path, ME)
    instance.clear(path, os.getpid() + 1)
    assert os.path.exists(path)
    instance.clear(path, os.getpid())
    assert not os.path.exists(path)


def test_lock_is_held_once(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    first = instance.take_lock(path)
    assert first is not None
    assert instance.take_lock(path) is None
    first.release()
    again = instance.take_lock(path)
    assert again is not None
    again.release()


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_origin(host: str, shown: str) -> None:
    assert instance.origin(host, 80) == shown


def test_state_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert instance.state_path({}) == str(tmp_path / ".llm-router.runtime.json")
    assert instance.state_path({"LLM_ROUTER_RUNTIME_STATE_PATH": "~/x.json"}) == str(tmp_path / "x.json")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: str, _target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        instance.write(str(tmp_path / "run.json"), ME)
    assert list(tmp_path.iterdir()) == []
