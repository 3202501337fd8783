"""A test that cannot run here says which Debian package it wants, and a run can be told to take no skip."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

@pytest.mark.needs("no-such-program")
def test_wants_what_nobody_has():
    raise AssertionError("must not run")

@pytest.mark.needs("sh")
def test_wants_what_is_there():
    pass
"""


def run(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs(package): wants a package\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        *flags,
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_the_report_ends_with_what_was_skipped_and_why(tmp_path: Path) -> None:
    done = run(tmp_path, "-n", "2")
    assert done.returncode == 0, done.stdout
    assert "test_wants_what_nobody_has: needs Debian package no-such-program" in done.stdout
    assert "To run them: apt-get install no-such-program" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_a_skip_fails_the_run_that_takes_none(tmp_path: Path) -> None:
    assert run(tmp_path, "--fail-on-skip").returncode == 1
    assert run(tmp_path, "--fail-on-skip", "-k", "there").returncode == 0
