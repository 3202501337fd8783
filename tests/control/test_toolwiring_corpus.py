"""Every file people have, on a real disk and through the command line: wired, renamed, unwired, and as it was."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from llr.cli.main import main
from tests.tools.corpus import CODEX, CODEX_BROKEN, JSON_BROKEN, JSON_FILES
from tests.tools.fakes import doc

TOOLS = {
    "codex-cli": (".codex/config.toml", "set-codex-cli-routing", "--default-model=chat.fast"),
    "claude-code": (".claude/settings.json", "set-claude-code-routing", "--primary-model=chat.fast"),
    "factory-droid": (".factory/settings.json", "set-factory-droid-routing", "--default-model=chat.fast"),
}
FILES = {"codex-cli": CODEX, "claude-code": JSON_FILES, "factory-droid": JSON_FILES}
BROKEN = {"codex-cli": CODEX_BROKEN, "claude-code": JSON_BROKEN, "factory-droid": JSON_BROKEN}
MODE = 0o640


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home ü"
    folder.mkdir()
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "LLM_ROUTER_PORT", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("LLM_ROUTER_RUNTIME_STATE_PATH", str(folder / "run.json"))
    (folder / ".llm-router.json").write_text(json.dumps(doc()))
    return folder


def put(home: Path, tool: str, content: str | bytes | None) -> Path:
    file = home / TOOLS[tool][0]
    if content is not None:
        file.parent.mkdir()
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(MODE)
    return file


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    main(["config", *words, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(("tool", "name"), [(tool, name) for tool, files in FILES.items() for name in files])
def test_there_and_back(home: Path, capsys: pytest.CaptureFixture[str], tool: str, name: str) -> None:
    file = put(home, tool, FILES[tool][name])
    before = file.read_bytes() if file.exists() else None
    _, operation, binding = TOOLS[tool]
    assert run(capsys, operation, binding, "--dry-run")["data"]["diff"]
    assert (file.read_bytes() if file.exists() else None) == before
    assert run(capsys, operation, binding)["data"]["routedViaRouter"] is True
    assert run(capsys, "rename-model-alias", "--alias-id=chat.fast", "--new-id=quick")["ok"]
    status = run(capsys, "tool-status")["data"]["tools"]
    assert [one for one, row in status.items() if row["routedViaRouter"]] == [tool]
    assert "quick" in status[tool]["bindings"].values()
    assert "chat.fast" not in status[tool]["bindings"].values()
    assert run(capsys, operation, "--enabled=false")["ok"]
    assert (file.read_bytes() if file.exists() else None) == before
    if before is not None:
        assert stat.S_IMODE(file.stat().st_mode) == MODE
    left = {path.name for path in file.parent.iterdir()} - {file.name}
    assert all("llm_router_backup" in one for one in left)


@pytest.mark.parametrize(("tool", "name"), [(tool, name) for tool, files in BROKEN.items() for name in files])
def test_a_broken_file_is_refused_with_its_place(
    home: Path, capsys: pytest.CaptureFixture[str], tool: str, name: str
) -> None:
    content, line, column = BROKEN[tool][name]
    assert isinstance(content, str | bytes)
    file = put(home, tool, content)
    before = file.read_bytes()
    body = run(capsys, TOOLS[tool][1], TOOLS[tool][2])
    assert body["exitCode"] == 2
    place = f"line {line}, column {column or ''}" if line else ""
    assert str(file) in body["error"]["message"]
    assert place in body["error"]["message"]
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    row = run(capsys, "tool-status")["data"]["tools"][tool]
    assert row["error"]
    assert row["routedViaRouter"] is False
