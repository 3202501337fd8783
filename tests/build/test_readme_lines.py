"""Every `llr` and `curl` line of the README does what the README says, with the built archive, in a home of its own."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llr import __version__
from tests.cli.life import replace_in_archive
from tests.readme import blocks, commands
from tests.running import environment, gateway

LLR = [line for line in commands() if line.startswith("llr ")]
CURL = [line for line in commands() if line.startswith("curl ")]
# Lines that keep running; the fixtures run them.
FOREGROUND = {"llr start", "llr start --demo"}
# Lines that need a running gateway, in the order in which they are tried.
RUNNING = ["llr status", "llr reload", "llr stop"]
# Lines that make a life together, in their order.
BACKGROUND = ["llr start --detach", "llr logs", "llr restart", "llr reclaim --dry-run", "llr stop --now"]
STARTUP = ["llr config startup-install", "llr config startup-status", "llr config startup-uninstall"]
UPDATE = ["llr update --from ~/Downloads/llr.pyz", "llr update --rollback"]
TOGETHER = {*FOREGROUND, *RUNNING, *BACKGROUND, *STARTUP, *UPDATE}


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
    assert set(LLR) >= TOGETHER
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


@pytest.mark.parametrize("line", [line for line in LLR if line not in TOGETHER])
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


def test_the_lines_about_the_background(pyz: Path, home: Path) -> None:
    try:
        for line in BACKGROUND:
            done = run(pyz, home, line)
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    finally:
        run(pyz, home, "llr stop --now")
    assert (home / ".llm-router" / "logs" / "router.log").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the service manager")
def test_the_lines_about_the_session(pyz: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "bin"
    folder.mkdir()
    for name in ("systemctl", "launchctl", "loginctl"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for line in STARTUP:
        done = run(pyz, home, line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        assert "Startup Manager" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the tools")
def test_the_lines_about_running_a_tool_once(pyz: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("llr ")]
    assert [line.split()[1] for line in lines] == ["run"] * len(lines)
    assert {line.split()[2] for line in lines} == {"claude", "codex"}
    folder = home / "bin"
    folder.mkdir()
    for name in ("claude", "codex"):
        (folder / name).write_text('#!/bin/sh\necho "$ANTHROPIC_BASE_URL" "$@"\nexit 7\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for line in lines:
        done = run(pyz, home, line)
        assert done.returncode == 7, f"{line}: {done.stdout}{done.stderr}"
        assert "No gateway runs: started one on http://127.0.0.1:" in done.stderr
        assert "http://127.0.0.1:" in done.stdout
        assert line.partition(" -- ")[2].replace('"', "") in done.stdout


def test_the_lines_about_updates(pyz: Path, home: Path) -> None:
    own = home / "llr.pyz"
    shutil.copy(pyz, own)
    new = home / "Downloads" / "llr.pyz"
    new.parent.mkdir()
    shutil.copy(pyz, new)
    replace_in_archive(new, "llr/__init__.py", b'__version__ = "99.0.0"\n')
    new.with_name("llr.pyz.sha256").write_text(hashlib.sha256(new.read_bytes()).hexdigest())
    for line, version in zip(UPDATE, ("99.0.0", __version__), strict=True):
        done = run(own, home, line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        assert run(own, home, "llr --version").stdout == f"llr {version}\n"


def test_copying_the_one_file_is_an_installation(pyz: Path, home: Path) -> None:
    target = home / ".local" / "bin" / "llr"
    target.parent.mkdir(parents=True)
    shutil.copy(pyz, target)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(target), "--version"], env=environment(home) | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("llr ")
