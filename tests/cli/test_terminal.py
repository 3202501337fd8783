"""At a real terminal: questions, hidden keys, confirmations, colours; and silence with --no-input."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.life import SOURCE
from tests.control.desk import doc

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

Session = Callable[..., tuple[int, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "c.json"
    found.write_text(json.dumps(doc()))
    return found


@pytest.fixture
def session(tmp_path: Path, file: Path) -> Session:
    def run(*args: str, answers: tuple[tuple[str, str], ...] = ()) -> tuple[int, str]:
        """Runs a command at a terminal; each answer is typed when its question has appeared."""
        ours, theirs = os.openpty()
        env = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm"}
        for name in ("NO_COLOR", "FORCE_COLOR"):
            env.pop(name, None)
        process = subprocess.Popen(
            [*SOURCE, "config", *args, f"--config={file}"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            start_new_session=True,
        )
        os.close(theirs)
        screen, waiting, seen = "", list(answers), 0
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            if not data:
                break
            screen += data.decode("utf-8", "replace")
            while waiting and waiting[0][0] in screen[seen:]:
                question, answer = waiting.pop(0)
                seen = screen.index(question, seen) + len(question)
                os.write(ours, answer.encode() + b"\n")
        os.close(ours)
        assert waiting == []
        return process.wait(30), screen

    return run


def test_a_removal_is_chosen_and_confirmed(session: Session, file: Path) -> None:
    code, screen = session("remove-provider", answers=(("Which provider?", "2"), ("[y/N]", "y")))
    assert (code, "Removed provider 'beta'." in screen) == (0, True)
    assert [one["id"] for one in json.loads(file.read_text())["providers"]] == ["acme"]


def test_declining_is_told_in_colour(session: Session, file: Path) -> None:
    before = file.read_bytes()
    code, screen = session("remove-model-alias", "--alias-id=fast", answers=(("[y/N]", ""),))
    assert (code, file.read_bytes()) == (1, before)
    assert "\x1b[31m✖\x1b[0m Cancelled." in screen


def test_a_typed_key_is_not_shown(session: Session, file: Path) -> None:
    answers = (("Master key", "gw_typed-unseen-0123456789"), ("[y/N]", "yes"))
    code, screen = session("set-master-key", answers=answers)
    assert (code, "typed-unseen" in screen) == (0, False)
    assert json.loads(file.read_text())["masterKey"] == "gw_typed-unseen-0123456789"


def test_a_made_key_is_shown_to_a_person(session: Session, file: Path) -> None:
    code, screen = session("set-master-key", "--generate-master-key", "--yes")
    assert code == 0
    assert json.loads(file.read_text())["masterKey"] in screen


@pytest.mark.parametrize("flag", ["--no-input", "--json"])
def test_nothing_is_asked_where_nobody_answers(session: Session, flag: str) -> None:
    code, screen = session("remove-provider", flag)
    assert (code, "provider-id is required" in screen, "Which provider?" in screen) == (2, True, False)


def test_ctrl_d_is_an_interruption(session: Session, file: Path) -> None:
    before = file.read_bytes()
    code, screen = session("remove-provider", answers=(("Which provider?", "\x04"),))
    assert (code, file.read_bytes()) == (130, before)
    assert "Cancelled." in screen
