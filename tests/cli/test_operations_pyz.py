"""The table of operations once more, through the built archive: processes, streams, exit codes, files."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.control.desk import KEY, MASTER, doc
from tests.control.operation_calls import BAD, GOOD, SAVING

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(pyz: Path, tmp_path: Path) -> Run:
    def call(*tokens: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LLM_ROUTER_RUNTIME_STATE_PATH": str(tmp_path / "run")}
        command = [sys.executable, "-I", "-S", str(pyz), *tokens]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False, **more)

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "the config ü.json"
    found.write_text(json.dumps(doc()))
    return found


@pytest.mark.parametrize("name", GOOD)
def test_good(run: Run, file: Path, name: str) -> None:
    good = GOOD[name]
    file.write_text(json.dumps(good.start()))
    before = file.read_bytes()
    done = run("config", *good.line, f"--config={file}")
    assert (done.returncode, done.stderr) == (0, "")
    for text in good.says:
        assert text in done.stdout
    assert KEY not in done.stdout
    assert MASTER not in done.stdout
    if good.changed is None:
        assert file.read_bytes() == before
    else:
        assert good.changed(json.loads(file.read_text()))


@pytest.mark.parametrize(("line", "code", "name", "message"), BAD, ids=lambda value: str(value)[:60])
def test_bad(run: Run, file: Path, line: tuple[str, ...], code: int, name: str, message: str) -> None:
    before = file.read_bytes()
    done = run("config", *line, f"--config={file}", "--json")
    body = json.loads(done.stdout)
    assert (done.returncode, body["exitCode"], body["error"]["code"]) == (code, code, name)
    assert "Traceback" not in done.stderr
    assert file.read_bytes() == before


def test_a_missing_file_is_made(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "c.json"
    line = ("--name=A", "--endpoints=localhost:1/v1", "--auth=none", "--models=m", "--skip-probe")
    assert run("config", "upsert-provider", *line, f"--config={file}").returncode == 0
    assert json.loads(file.read_text())["defaultModel"] == "a/m"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_from_stdin_is_stored_and_not_shown(run: Run, file: Path) -> None:
    line = ("upsert-provider", "--provider-id=acme", "--api-key=-", "--master-key=-", "--skip-probe")
    done = run("config", *line, f"--config={file}", "--json", input="sk-piped-0123456789\ngw_piped-0123456789\n")
    assert done.returncode == 0
    found = json.loads(file.read_text())
    assert (found["providers"][0]["apiKey"], found["masterKey"]) == ("sk-piped-0123456789", "gw_piped-0123456789")
    assert "piped-0123" not in done.stdout + done.stderr
    empty = run("config", "set-master-key", "--master-key=-", f"--config={file}", "--json", input="")
    assert json.loads(empty.stdout)["error"]["code"] == "no-stdin"


def test_undo_is_a_save_and_can_be_undone(run: Run, file: Path) -> None:
    first = file.read_bytes()
    run("config", "set-default-model", "--model=fast", f"--config={file}")
    second = file.read_bytes()
    dry = run("config", "undo", "--dry-run", f"--config={file}")
    assert '-  "defaultModel": "fast"' in dry.stdout
    assert file.read_bytes() == second
    done = run("config", "undo", f"--config={file}")
    assert "Config Restored" in done.stdout
    assert file.read_bytes() == first
    assert run("config", "undo", f"--config={file}").returncode == 0
    assert file.read_bytes() == second
    kept = json.loads(run("config", "history", f"--config={file}", "--json").stdout)["data"]["backups"]
    assert [one["number"] for one in kept] == [1, 2, 3]
    back = run("config", "undo", f"--to={Path(kept[2]['file']).name}", f"--config={file}", "--json")
    assert json.loads(back.stdout)["data"]["changed"] is True
    assert file.read_bytes() == first
    assert (
        json.loads(run("config", "undo", "--to=99", f"--config={file}", "--json").stdout)["error"]["code"]
        == "no-backup"
    )
    tag = json.loads(run("config", "undo", "--if-match=x", f"--config={file}", "--json").stdout)
    assert tag["error"]["code"] == "config-changed"


def test_two_writers_at_once_both_land(pyz: Path, file: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    names = [f"alias-{at}" for at in range(6)]
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(pyz), "config", "upsert-model-alias"),
                *(f"--alias-id={name}", "--targets=acme/big", f"--config={file}"),
            ],
            env=env,
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [process.wait(60) for process in running] == [0] * len(names)
    assert set(names) <= set(json.loads(file.read_text())["modelAliases"])


def test_a_generated_key_is_shown_only_when_asked(run: Run, file: Path) -> None:
    hidden = run("config", "set-master-key", "--generate-master-key", f"--config={file}")
    assert json.loads(file.read_text())["masterKey"] not in hidden.stdout
    shown = run("config", "set-master-key", "--generate-master-key", "--print", f"--config={file}")
    assert f"- {json.loads(file.read_text())['masterKey']}" in shown.stdout


@pytest.mark.parametrize("name", ["rename-provider", "alias", "limit-id"])
def test_key_order_and_unknown_keys_survive(run: Run, file: Path, name: str) -> None:
    assert name in SAVING
    before = doc()
    run("config", *GOOD[name].line, f"--config={file}")
    found = json.loads(file.read_text())
    assert list(found) == list(before)
    assert list(found["providers"][0]) == list(before["providers"][0])
    assert found["providers"][0]["metadata"] == {"note": "kept"}
