import os
import signal
import subprocess
import sys

import pytest

from llr.daemon import process
from llr.daemon.process import Ended

STUBBORN = "import signal,sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


def test_this_process_is_itself() -> None:
    pid = os.getpid()
    assert process.alive(pid)
    assert process.same(pid, process.start_time(pid))
    assert process.same(pid, None)


@pytest.mark.parametrize("pid", [0, -5])
def test_no_process_has_such_a_pid(pid: int) -> None:
    assert not process.alive(pid)


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive(child.pid)
    child.wait()


def test_end_is_polite_first() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"], stdout=-1
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert process.end(child.pid, process.start_time(child.pid), wait_s=10) == Ended(True, "SIGTERM")
    assert child.wait() == -signal.SIGTERM


def test_end_kills_what_does_not_listen() -> None:
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert process.end(child.pid, None, wait_s=0.1) == Ended(True, "SIGKILL")
    assert child.wait() == -signal.SIGKILL


def test_end_of_a_gone_process_is_a_success() -> None:
    sent: list[int] = []
    ended = process.end(4242, None, wait_s=1, send=lambda _, number: sent.append(number), running=lambda *_: False)
    assert (ended, sent) == (Ended(True, None), [])


def test_what_survives_a_kill_is_told() -> None:
    sent: list[int] = []
    ended = process.end(4242, None, wait_s=0, send=lambda _, number: sent.append(number), running=lambda *_: True)
    assert (ended, sent) == (Ended(False, "SIGKILL"), [signal.SIGTERM, signal.SIGKILL])


def test_only_the_process_that_was_meant_is_signalled() -> None:
    if process.start_time(os.getpid()) is None:
        pytest.skip("the system tells no start time")
    sent: list[int] = []
    ended = process.end(os.getpid(), "ticks:1", wait_s=0, send=lambda _, number: sent.append(number))
    assert (ended, sent) == (Ended(True, None), [])


def test_parent_and_patience() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        assert process.parent(child.pid) == os.getpid()
        assert not process.gone(child.pid, None, wait_s=0.0)
        child.kill()
        child.wait()
        assert process.gone(child.pid, None, wait_s=5.0)
