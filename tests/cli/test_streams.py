"""Standard streams that are closed, full, or read by someone who had enough."""

import os
import shlex
import subprocess
import sys

import pytest

from tests.cli.life import Life

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell closes the streams")


def shell(life: Life, words: str, streams: str) -> "subprocess.CompletedProcess[str]":
    line = f"{shlex.join(life.command)} {words} {streams}"
    return subprocess.run(["sh", "-c", line], env=life.env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "streams", "code"),
    [
        ("config list", ">&-", 0),
        ("config list --json", "<&-", 0),
        ("nonsense", "2>&-", 2),
        ("status", "<&- >&- 2>&-", 0),
        ("--version", ">&-", 0),
    ],
)
def test_closed_streams(sourced: Life, words: str, streams: str, code: int) -> None:
    done = shell(sourced, words, streams)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_a_gateway_without_streams_serves(sourced: Life) -> None:
    done = shell(sourced, "start --demo --port=0 --detach", "<&- >&- 2>&-")
    assert done.returncode == 0
    try:
        assert sourced.json("restart")["ok"]
        pid = sourced.json("status")["data"]["processes"][0]["pid"]
        if sys.platform == "linux":
            assert [os.readlink(f"/proc/{pid}/fd/{number}")[:7] for number in (0, 1, 2)].count("socket:") == 0
    finally:
        assert sourced.run("stop", "--now").returncode == 0


def test_a_reader_that_had_enough(sourced: Life) -> None:
    done = shell(sourced, "help reference", "| head -n 1")
    assert (done.stdout, done.stderr) == ("## Commands\n", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_behind_stdout(sourced: Life) -> None:
    done = shell(sourced, "config list", "> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "llr: the output could not be written: No space left on device\n"
