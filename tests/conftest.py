"""What all tests share: the built archive, and skips that name the Debian package which would end them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no deadline: a busy machine is no finding.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent

# Debian package -> the program that it brings, where the two have different names.
PROGRAMS = {"nodejs": "node", "systemd": "systemd-analyze", "python3.12-full": "python3.12"}
MISSING = "needs Debian package "


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="a skipped test fails the run")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for package in mark.args:
            if shutil.which(PROGRAMS.get(package, package)) is None:
                pytest.skip(MISSING + package)


def _skips(config: pytest.Config) -> Iterator[tuple[str, str]]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        yield report.nodeid, reason.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skips = list(_skips(config))
    if not skips:
        terminalreporter.write_line("Skipped: nothing.")
        return
    terminalreporter.section("skipped")
    for test, reason in skips:
        terminalreporter.write_line(f"{test}: {reason}")
    packages = sorted({reason.removeprefix(MISSING) for _, reason in skips if reason.startswith(MISSING)})
    if packages:
        terminalreporter.write_line(f"To run them: apt-get install {' '.join(packages)}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--fail-on-skip") and session.exitstatus == 0 and list(_skips(session.config)):
        session.exitstatus = 1


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a freshly built `llr.pyz`: what these sources ship, not what lies about."""
    path = tmp_path_factory.mktemp("pyz") / "llr.pyz"
    command = [sys.executable, str(ROOT / "build_zipapp.py"), "--output", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path
