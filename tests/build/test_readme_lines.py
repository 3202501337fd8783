"""Every `llr` and `curl` line of the README does what the README says, with the built archive, in a home of its own."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.readme import blocks, commands
from tests.running import environment, gateway

LLR = [line for line in commands() if line.startswith("llr ")]
CURL = [line for line in commands() if line.startswith("curl ")]
# Lines that keep running; the fixtures run them.
FOREGROUND = {"llr start", "llr start --demo"}
# Lines that need a running gateway, in the order in which they are tried.
RUNNING = ["llr status", "llr reload", "llr stop"]


def run(pyz: Path, home: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(pyz), *shlex.split(line)[1:]]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def demo(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(pyz, tmp_path_factory.mktemp("demo"), "llr start --demo") as origin:
        yield origin


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Returns a home with the README's first config."""
    (tmp_path / ".llm-router.json").write_text(blocks("json")[0])
    return tmp_path


def test_the_readme_has_lines_to_run() -> None:
    assert FOREGROUND | set(RUNNING) <= set(LLR)
    assert len(CURL) >= 6


@pytest.mark.needs("curl")
@pytest.mark.parametrize("line", CURL)
def test_a_curl_line_gets_its_answer_from_the_demo(demo: str, line: str) -> None:
    command = shlex.split(line.replace("http://127.0.0.1:8376", demo))
    done = subprocess.run([*command, "--fail-with-body"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    if "-sN" in command:
        assert "message_stop" in done.stdout
    else:
        assert "error" not in json.loads(done.stdout) or json.loads(done.stdout)["error"] is None


@pytest.mark.parametrize("line", [line for line in LLR if line not in FOREGROUND and line not in RUNNING])
def test_an_llr_line_succeeds_with_the_first_config(pyz: Path, home: Path, line: str) -> None:
    done = run(pyz, home, line)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_the_lines_about_a_running_gateway_find_one(pyz: Path, home: Path) -> None:
    with gateway(pyz, home, "llr start"):
        for line in RUNNING:
            done = run(pyz, home, line)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert run(pyz, home, "llr status").stdout


def test_copying_the_one_file_is_an_installation(pyz: Path, home: Path) -> None:
    target = home / ".local" / "bin" / "llr"
    target.parent.mkdir(parents=True)
    shutil.copy(pyz, target)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(target), "--version"], env=environment(home) | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("llr ")
