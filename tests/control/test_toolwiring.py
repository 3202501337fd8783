"""Coding tools on a real disk: links, modes, owners, failures half way, and what follows when a config is saved."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from llr.cli.main import main
from llr.config.parse import parse_config
from llr.control import toolfiles, toolmemory, toolsync
from llr.control.report import Refused
from llr.tools.base import FileEdit, Found
from tests.tools.fakes import KEY, doc

CODEX = '# mine\nmodel = "gpt-5"\n'
CLAUDE = '{\n  "env": {"A": "1"} // mine\n}\n'


class Home:
    """A home folder with a config, and the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.config = folder / ".llm-router.json"
        self.config.write_text(json.dumps(doc()))
        self.codex = folder / ".codex" / "config.toml"
        self.claude = folder / ".claude" / "settings.json"
        self.droid = folder / ".factory" / "settings.json"
        for file, text in ((self.codex, CODEX), (self.claude, CLAUDE)):
            file.parent.mkdir()
            file.write_text(text)
            file.chmod(0o644)

    def run(self, *words: str) -> dict[str, Any]:
        self.capsys.readouterr()
        main(["config", *words, "--json"])
        found: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        return found

    def tree(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(path.relative_to(self.folder)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
            for path in self.folder.rglob("*")
            if path.is_file() and path.parent != self.folder
        }


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "LLM_ROUTER_PORT", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("LLM_ROUTER_RUNTIME_STATE_PATH", str(tmp_path / "run.json"))
    return Home(tmp_path, capsys)


SETS = ("set-codex-cli-routing", "set-claude-code-routing", "set-factory-droid-routing")


def test_all_tools_there_and_back(home: Home) -> None:
    before = home.tree()
    for name in SETS:
        body = home.run(name)
        assert body["ok"], body
        assert body["data"]["routedViaRouter"]
    status = home.run("tool-status")["data"]["tools"]
    assert {tool: row["routedViaRouter"] for tool, row in status.items()} == {
        "codex-cli": True,
        "claude-code": True,
        "factory-droid": True,
    }
    for name in SETS:
        assert home.run(name, "--enabled=false")["ok"]
    after = {path: found for path, found in home.tree().items() if ".llm_router_backup" not in path}
    assert after == before
    assert toolmemory.read(os.environ).wired == {}


def test_a_dry_run_shows_every_file_and_writes_none(home: Home) -> None:
    before = home.tree()
    for name in SETS:
        body = home.run(name, "--dry-run")["data"]
        assert body["diff"]
        assert KEY not in json.dumps(body)
        for path in body["files"]:
            assert f"+++ {path}" in body["diff"]
    assert home.tree() == before
    home.run(SETS[0])
    wired = home.tree()
    body = home.run(SETS[0], "--enabled=false", "--dry-run")["data"]
    assert '+model = "gpt-5"' in body["diff"]
    assert home.tree() == wired


def test_the_key_is_needed_to_route_and_not_to_undo(home: Home) -> None:
    value = doc()
    del value["masterKey"]
    home.config.write_text(json.dumps(value))
    body = home.run(SETS[0])
    assert (body["exitCode"], body["error"]["code"]) == (2, "no-master-key")
    assert body["error"]["message"] == (
        "master-key (or config.masterKey) is required before routing Codex CLI through LLM Router."
    )
    assert home.run(SETS[0], "--master-key=gw_typed-0123456789")["ok"]
    assert "gw_typed-0123456789" in home.codex.read_text()
    assert home.run(SETS[0], "--enabled=false")["ok"]
    assert home.codex.read_text() == CODEX


def test_links_stay_links_and_their_file_changes(home: Home) -> None:
    real = home.folder / "dotfiles" / "codex.toml"
    real.parent.mkdir()
    home.codex.rename(real)
    home.codex.symlink_to(real)
    home.run(SETS[0])
    assert home.codex.is_symlink()
    assert "llm-router" in real.read_text()
    assert sorted(path.name for path in real.parent.iterdir()) == ["codex.toml"]
    home.run(SETS[0], "--enabled=false")
    assert home.codex.is_symlink()
    assert real.read_text() == CODEX
    assert stat.S_IMODE(real.stat().st_mode) == 0o644


def test_a_read_only_file_is_refused_with_advice_and_nothing_is_written(home: Home) -> None:
    home.claude.chmod(0o444)
    before = home.tree()
    body = home.run(SETS[1])
    assert (body["exitCode"], body["error"]["code"]) == (1, "tool-file")
    assert "read-only" in body["error"]["message"]
    assert "chmod u+w" in body["error"]["fix"]
    assert home.tree() == before


def test_a_broken_file_is_refused_and_shows_in_the_status_of_its_tool_only(home: Home) -> None:
    home.claude.write_text('{\n  "env": ,\n}')
    before = home.tree()
    body = home.run(SETS[1])
    assert (body["exitCode"], body["error"]["code"]) == (2, "tool-file")
    assert "line 2, column 10" in body["error"]["message"]
    assert home.tree() == before
    status = home.run("tool-status")
    assert status["ok"]
    assert "line 2, column 10" in status["data"]["tools"]["claude-code"]["error"]
    assert status["data"]["tools"]["codex-cli"]["error"] is None


def test_a_file_of_somebody_else_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    body = home.run(SETS[0])
    assert body["error"]["code"] == "tool-file"
    assert "belongs to another user" in body["error"]["message"]
    assert home.codex.read_text() == CODEX


def test_a_failure_half_way_takes_back_what_was_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = home.tree()
    real = os.replace
    failed: list[str] = []

    def failing(source: str, target: str) -> None:
        if target == str(home.codex) and not failed:
            failed.append(target)
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", failing)
    body = home.run(SETS[0])
    assert body["exitCode"] == 1
    assert failed
    assert home.tree() == before
    assert toolmemory.read(os.environ).wired == {}


def test_a_file_that_changed_since_the_plan_is_not_written_over(home: Home) -> None:
    edit = FileEdit(str(home.codex), Found(b"older", 0o644), Found(b"new", 0o600))
    with pytest.raises(Refused, match="changed in the meantime"):
        toolfiles.apply([edit])
    assert home.codex.read_text() == CODEX


def test_names_follow_every_rename(home: Home) -> None:
    home.run(SETS[0], "--default-model=openrouter/tiny")
    home.run(SETS[1], "--primary-model=smart", "--default-haiku-model=openrouter/tiny")
    home.run(SETS[2], "--default-model=chat.fast")
    body = home.run("rename-provider", "--provider-id=openrouter", "--new-id=or")
    assert len(body["data"]["tools"]) == 3
    home.run("rename-model", "--provider-id=or", "--model=tiny", "--new-id=tiny-2")
    home.run("rename-model-alias", "--alias-id=smart", "--new-id=clever")
    home.run("rename-model-alias", "--alias-id=chat.fast", "--new-id=quick")
    tools = home.run("tool-status")["data"]["tools"]
    assert tools["codex-cli"]["bindings"]["defaultModel"] == "or/tiny-2"
    assert tools["claude-code"]["bindings"]["primaryModel"] == "clever"
    assert tools["claude-code"]["bindings"]["defaultHaikuModel"] == "or/tiny-2"
    assert tools["factory-droid"]["bindings"]["defaultModel"] == "quick"
    slugs = {
        row["slug"] for row in json.loads((home.codex.parent / "llm-router-model-catalog.json").read_text())["models"]
    }
    assert {"or/tiny-2", "clever", "quick"} <= slugs
    assert not {"smart", "openrouter/tiny"} & slugs
    for name in SETS:
        home.run(name, "--enabled=false")
    assert home.codex.read_text() == CODEX
    assert home.claude.read_text() == CLAUDE


def test_an_undo_of_the_config_is_followed_too(home: Home) -> None:
    home.run(SETS[0], "--default-model=smart")
    home.run("rename-model-alias", "--alias-id=smart", "--new-id=clever")
    assert tomllib.loads(home.codex.read_text())["model"] == "clever"
    assert home.run("undo")["data"]["tools"]
    assert tomllib.loads(home.codex.read_text())["model"] == "smart"


def test_what_is_removed_falls_back_or_is_cleared(home: Home) -> None:
    home.run(SETS[0], "--default-model=smart")
    home.run(SETS[1], "--primary-model=chat.fast", "--subagent-model=smart")
    home.run("remove-model-alias", "--alias-id=smart", "--yes")
    assert tomllib.loads(home.codex.read_text())["model"] == "default"
    assert home.run("tool-status")["data"]["tools"]["claude-code"]["bindings"]["subagentModel"] == ""


def test_a_new_key_and_a_new_model_reach_the_tools(home: Home) -> None:
    for name in SETS:
        home.run(name)
    body = home.run("set-master-key", "--master-key=gw_New1-0123456789abcdefXYZ", "--yes")
    assert len(body["data"]["tools"]) == 3
    for file in (home.codex, home.claude, home.droid):
        assert "gw_New1-0123456789abcdefXYZ" in file.read_text()
        assert KEY not in file.read_text()
    home.run("upsert-model-alias", "--alias-id=fresh", "--targets=openrouter/tiny")
    assert '"fresh"' in (home.codex.parent / "llm-router-model-catalog.json").read_text()
    assert '"fresh"' in home.droid.read_text()


def test_tools_that_are_not_wired_are_left_alone_by_every_save(home: Home) -> None:
    before = home.tree()
    assert "tools" not in home.run("rename-model-alias", "--alias-id=smart", "--new-id=clever")["data"]
    assert home.tree() == before


def test_a_gateway_on_another_port_tells_its_tools(home: Home) -> None:
    home.run(SETS[0])
    config = parse_config(doc(), {}).config
    assert config is not None
    lines = toolsync.after_start(config, str(home.config), "http://127.0.0.1:9000", os.environ)
    assert len(lines) == 1
    assert "http://127.0.0.1:9000/openai/v1" in home.codex.read_text()
    assert toolsync.after_start(config, str(home.config), "http://127.0.0.1:9000", os.environ) == []
    assert toolsync.after_start(config, "/another.json", "http://127.0.0.1:1", os.environ) == []
    home.run(SETS[0], "--enabled=false")
    assert home.codex.read_text() == CODEX


def test_typed_files_and_home_variables_are_used(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    own = home.folder / "own.toml"
    own.write_text(CODEX)
    home.run(SETS[0], f"--codex-config-file={own}", "--default-model=smart")
    assert home.codex.read_text() == CODEX
    home.run("rename-model-alias", "--alias-id=smart", "--new-id=clever")
    assert tomllib.loads(own.read_text())["model"] == "clever"
    home.run(SETS[0], f"--codex-config-file={own}", "--enabled=false")
    assert own.read_text() == CODEX
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home.folder / "elsewhere"))
    home.run(SETS[1])
    assert (home.folder / "elsewhere" / "settings.json").exists()
    assert home.claude.read_text() == CLAUDE


def test_omitted_flags_keep_bindings_and_empty_ones_clear(home: Home) -> None:
    home.run(SETS[1], "--primary-model=smart", "--subagent-model=chat.fast", "--thinking-level=max")
    kept = home.run(SETS[1])["data"]["bindings"]
    assert (kept["primaryModel"], kept["subagentModel"], kept["thinkingLevel"]) == ("smart", "chat.fast", "max")
    cleared = home.run(SETS[1], "--subagent-model=", "--thinking-level=none")["data"]["bindings"]
    assert (cleared["subagentModel"], cleared["thinkingLevel"]) == ("", "")


def test_a_name_the_gateway_does_not_know_is_warned_of(home: Home) -> None:
    data = home.run(SETS[0], "--default-model=nowhere")["data"]
    assert data["warnings"] == ["Model Binding: the gateway knows no 'nowhere' and will answer 404."]


ROOT = Path(__file__).resolve().parents[2]
# Wires a tool and is gone before the write of that number.
KILLED = """
import os, sys
from llr.cli.main import main
from llr.control import toolfiles
put, left = toolfiles._put, int(sys.argv[2])
def then_die(*args):
    global left
    if not left:
        os._exit(9)
    left -= 1
    put(*args)
toolfiles._put = then_die
main(["config", sys.argv[1], "--json"])
"""


def own_files(home: Home) -> dict[str, tuple[bytes, int]]:
    return {name: one for name, one in home.tree().items() if name.endswith(("config.toml", "/settings.json"))}


@pytest.mark.parametrize("operation", SETS[:2])
@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_who_is_killed_between_two_writes_can_still_go_back(home: Home, operation: str, writes: int) -> None:
    first = own_files(home)
    killed = subprocess.run([sys.executable, "-c", KILLED, operation, str(writes)], check=False, cwd=ROOT)
    assert killed.returncode in (9, 0)
    home.run(operation, "--enabled=false")
    assert own_files(home) == first
    home.run(operation)
    home.run(operation, "--enabled=false")
    assert own_files(home) == first


def test_a_file_saved_while_ours_goes_to_disk_is_not_written_over(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = home.tree()
    fsync = os.fsync
    writes: list[int] = []

    def somebody_saves(fd: int) -> None:
        writes.append(fd)
        if len(writes) == 2:
            home.claude.write_text('{"theirs": 1}')
        fsync(fd)

    monkeypatch.setattr(os, "fsync", somebody_saves)
    assert home.run(SETS[1])["ok"] is False
    monkeypatch.undo()
    assert home.claude.read_text() == '{"theirs": 1}'
    assert not (home.claude.parent / "settings.llm_router_backup.json").exists()
    assert {name: one for name, one in home.tree().items() if "claude" not in name} == {
        name: one for name, one in before.items() if "claude" not in name
    }


def test_who_took_a_tool_off_by_hand_and_wires_again_gets_the_newer_file_back(home: Home) -> None:
    home.run(SETS[0], "--default-model=smart")
    home.run(SETS[1], "--primary-model=smart")
    mine = 'model = "gpt-new"\nmodel_provider = "corp"\n'
    home.codex.write_text(mine)
    theirs = '{"env": {"ANTHROPIC_BASE_URL": "https://corp.example", "ANTHROPIC_MODEL": "smart"}}'
    home.claude.write_text(theirs)
    for operation in SETS[:2]:
        assert home.run(operation)["ok"] is True
        home.run(operation, "--enabled=false")
    assert home.codex.read_text() == mine
    # What was left of ours goes as well.
    assert json.loads(home.claude.read_text()) == {"env": {"ANTHROPIC_BASE_URL": "https://corp.example"}}
    home.run(SETS[0], "--default-model=smart")
    home.codex.unlink()
    home.run(SETS[0])
    home.run(SETS[0], "--enabled=false")
    assert not home.codex.exists()


def test_a_window_nobody_knows_is_warned_of(home: Home) -> None:
    """Claude Code takes a million tokens for granted and never makes room before the model refuses."""
    value = doc()
    value["providers"][0]["models"].append({"id": "unheard-of"})
    home.config.write_text(json.dumps(value))
    name = f"{value['providers'][0]['id']}/unheard-of"
    (warning,) = home.run(SETS[1], f"--primary-model={name}")["data"]["warnings"]
    assert f"The context window of '{name}' is not known" in warning
    assert home.run(SETS[1], "--primary-model=smart")["data"]["warnings"] == []
    assert home.run(SETS[0], f"--default-model={name}")["data"]["warnings"] == []


def test_the_effort_level_alone_adds_no_route_and_leaves_no_empty_object(home: Home) -> None:
    home.claude.write_text("{}")
    home.run("set-claude-code-effort-level", "--effort-level=max")
    assert json.loads(home.claude.read_text()) == {"env": {"CLAUDE_CODE_EFFORT_LEVEL": "max"}}
    assert not (home.claude.parent / "settings.llm_router_backup.json").exists()
    home.run("set-claude-code-effort-level", "--effort-level=")
    assert json.loads(home.claude.read_text()) == {}
    assert not (home.folder / ".bashrc").exists()


def test_the_profile_is_touched_only_when_asked_and_an_old_block_goes(home: Home) -> None:
    profile = home.folder / ".bashrc"
    profile.write_text("alias x=y\n")
    body = home.run("set-claude-code-effort-level", "--effort-level=high", "--shell-profile")
    assert body["data"]["shellProfileUpdated"] is True
    home.run("set-claude-code-effort-level", "--effort-level=max", "--shell-profile")
    assert profile.read_text().count("export CLAUDE_CODE_EFFORT_LEVEL") == 1
    home.run("set-claude-code-effort-level", "--effort-level=low")
    assert profile.read_text() == "alias x=y\n"


def test_the_effort_level_of_a_wired_tool_goes_with_the_wiring(home: Home) -> None:
    home.run(SETS[1])
    home.run("set-claude-code-effort-level", "--effort-level=high")
    assert "CLAUDE_CODE_EFFORT_LEVEL" in home.claude.read_text()
    home.run(SETS[1], "--enabled=false")
    assert home.claude.read_text() == CLAUDE


def test_secrets_of_the_owner_are_not_shown(home: Home) -> None:
    home.claude.write_text('{"env": {"ANTHROPIC_API_KEY": "hunter2hunter2", "MY_TOKEN": "abcdefghijkl"}}')
    text = json.dumps(home.run(SETS[1], "--dry-run"))
    assert "hunter2hunter2" not in text
    assert "abcdefghijkl" not in text
