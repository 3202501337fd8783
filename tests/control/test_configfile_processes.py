"""Real processes on one config file: killed in the middle of saves, and several writing at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llr.control.configfile import backups, save

WRITER = [sys.executable, "-S", str(Path(__file__).with_name("config_writer.py"))]


@pytest.mark.parametrize("kills", [60, pytest.param(200, marks=pytest.mark.soak)])
def test_killed_writers_leave_whole_files(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "the config ü.json"
    done = subprocess.run([*WRITER, "kills", str(path), str(kills)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(path.read_bytes())["first"] >= kills
    save(str(path), {"version": 2})
    assert [name.name for name in tmp_path.iterdir() if "tmp-" in name.name] == []
    assert len(backups(str(path))) == 20


def test_writers_at_once_all_land(tmp_path: Path) -> None:
    path, count = tmp_path / "config.json", 20
    writers = [subprocess.Popen([*WRITER, "edits", str(path), name, str(count)]) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    doc = json.loads(path.read_bytes())
    assert {key for key in doc if key[0] in "abc"} == {f"{name}{n}" for name in "abc" for n in range(count)}
