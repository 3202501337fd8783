"""The lock between processes."""

import threading
from pathlib import Path

import pytest

from llr.control.filelock import LockBusy, locked


def test_a_taken_lock_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    path, waited = str(tmp_path / "lock"), [0.0]

    def sleep(seconds: float) -> None:
        waited[0] += seconds

    with (
        locked(path),
        pytest.raises(LockBusy, match="another process is writing"),
        locked(path, timeout_s=1.0, monotonic=lambda: waited[0], sleep=sleep),
    ):
        pass
    assert 1.0 <= waited[0] < 1.1
    with locked(path):
        pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with pytest.raises(RuntimeError), locked(path):
        raise RuntimeError
    with locked(path, timeout_s=0):
        pass


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path, inside, most = str(tmp_path / "lock"), [0], [0]

    def work() -> None:
        for _ in range(20):
            with locked(path):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(str(tmp_path / "no" / "lock")):
        pass
