"""The service log: private, kept small, and followed by every process that writes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llr.daemon.log import Log
from llr.daemon.logfile import LogFile, service_log

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file is not renamed there")


def test_where_it_lies() -> None:
    assert service_log("/home/jörg m") == "/home/jörg m/.llm-router/logs/router.log"


def test_it_is_private_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "logs ü" / "router.log"
    for name in ("first", "second"):
        Log(LogFile(str(path)), now=lambda: 0.0).event(name)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [line.split()[2] for line in path.read_text().splitlines()] == ["first", "second"]


def test_it_is_moved_aside_and_all_writers_follow(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    one, two = LogFile(str(path), max_bytes=100), LogFile(str(path), max_bytes=100)
    for number in range(12):
        for stream, name in ((one, "one"), (two, "two")):
            stream.write(f"{name} {number} {'x' * 20}\n")
            stream.flush()
    kept = path.read_text() + (tmp_path / "router.log.1").read_text()
    assert path.stat().st_size < 140
    assert (tmp_path / "router.log.1").stat().st_size < 160
    # Whole lines only, the newest of both among them, and none twice.
    lines = kept.splitlines()
    assert all(len(line.split()) == 3 for line in lines)
    assert len(lines) == len(set(lines))
    assert {"one 11", "two 11"} <= {line.rpartition(" ")[0] for line in lines}


def test_a_deleted_log_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    stream = LogFile(str(path))
    stream.write("a\n")
    stream.flush()
    path.unlink()
    stream.write("b\n")
    stream.flush()
    assert path.read_text() == "b\n"


CHILD = """
import os, sys
from llr.daemon.logfile import LogFile, open_for_append
path = sys.argv[1]
fd = open_for_append(path)
os.dup2(fd, 2)
os.close(fd)
log = LogFile(path, max_bytes=10)
for text in ("a long first line", "second"):
    log.write(text + "\\n")
    log.flush()
raise RuntimeError("last words")
"""


def test_a_traceback_goes_to_the_newest_file(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-c", CHILD, str(path)], env=env, check=False)
    assert path.read_text().startswith("second\n")
    assert "last words" in path.read_text()
    assert (tmp_path / "router.log.1").read_text() == "a long first line\n"
