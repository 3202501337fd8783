"""`llr logs`: last lines, growth, rotation, and the activity log."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llr.cli.main import main
from llr.cli.tailing import BLOCK_BYTES, added_lines, last_lines
from llr.control.activity import activity_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def service_log(home: Path, text: str) -> Path:
    file = home / ".llm-router" / "logs" / "router.log"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("count", [0, 1, 3, 1000, 100_000])
@pytest.mark.parametrize("size", [0, 1, 4, 9000])
def test_last_lines(tmp_path: Path, size: int, count: int) -> None:
    file = tmp_path / "log"
    lines = [f"line {at} with some words in it" for at in range(size)]
    file.write_text("".join(f"{line}\n" for line in lines))
    assert size < 9000 or file.stat().st_size > 2 * BLOCK_BYTES
    found, end = last_lines(str(file), count)
    assert found == (lines[-count:] if count else [])
    assert end == file.stat().st_size


def test_a_line_without_its_end_counts(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a\nb\nc")
    assert last_lines(str(tmp_path / "log"), 2)[0] == ["b", "c"]


def test_growth_truncation_and_rotation(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("old\n")

    def add(text: str) -> None:
        with file.open("a") as end:
            end.write(text)

    steps: list[Callable[[], object]] = [
        lambda: add("one\ntw"),
        lambda: add("o\n"),
        lambda: file.write_text("x\n"),
        lambda: (file.rename(tmp_path / "log.1"), file.write_text("fresh\n")),
        lambda: file.unlink(),
        lambda: file.write_text("again\n"),
    ]

    def pause() -> bool:
        if not steps:
            return False
        steps.pop(0)()
        return True

    assert list(added_lines(str(file), 4, pause)) == ["one", "two", "x", "fresh", "again"]


def test_the_service_log(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = service_log(home, "".join(f"line {at}\n" for at in range(80)) + "key sk-abcdefgh12345678 seen\n")
    assert main(["logs", "--lines=3"]) == 0
    assert capsys.readouterr().out == "line 78\nline 79\nkey [redacted] seen\n"
    assert main(["logs", "--lines=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"file": str(file), "lines": ["key [redacted] seen"]}
    assert main(["logs"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 50


def test_no_log_says_where_it_would_be(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs"]) == 1
    assert str(home / ".llm-router" / "logs" / "router.log") in capsys.readouterr().err
    assert main(["logs", "--activity", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no-log"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (".llm-router.json", "..llm-router.activity.jsonl"),
        ("my config.json", ".my-config.activity.jsonl"),
        ("plain", ".plain.activity.jsonl"),
        ("ü.json", ".llm-router.activity.jsonl"),
    ],
)
def test_where_the_activity_log_lies(config: str, name: str) -> None:
    assert activity_path(f"/x/{config}") == f"/x/{name}"


def test_the_activity_log(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"id": "1", "time": "2026-01-01T00:00:00Z", "level": "warn", "message": "Moved on.", "detail": "a failed."}
    (home / "..llm-router.activity.jsonl").write_text(f"not json\n{json.dumps(entry)}\n")
    assert main(["logs", "--activity"]) == 0
    assert capsys.readouterr().out == "2026-01-01T00:00:00Z warn Moved on. a failed.\n"
    assert main(["logs", "--activity", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["lines"] == [entry]


@pytest.mark.parametrize("flag", ["-f", "--follow"])
def test_following_ends_with_ctrl_c(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    file = service_log(home, "first\n")

    def sleep(_seconds: float) -> None:
        if "third" in file.read_text():
            raise KeyboardInterrupt
        file.write_text(file.read_text() + ("third\n" if "second" in file.read_text() else "second\n"))

    monkeypatch.setattr("llr.cli.cmd_logs.time.sleep", sleep)
    assert main(["logs", flag]) == 0
    assert capsys.readouterr().out == "first\nsecond\nthird\n"
