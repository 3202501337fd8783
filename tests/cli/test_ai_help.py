"""The brief for coding agents: computed from what is there, and nothing paid without being asked for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llr.cli.main import main
from llr.cli.table import COMMANDS
from llr.config.parse import parse_config
from llr.control.agentbrief import CLAUDE, HEALTH, OPENAI, RESPONSES, Probe, State, gates, suggestions
from llr.control.agentlines import brief
from llr.control.operations import find
from tests.cli.life import Life
from tests.control.desk import KEY, MASTER, doc

HEADINGS = [
    "# AI-HELP",
    "## INTRO",
    "## WHAT AGENT CAN DO WITH LLM ROUTER",
    "## DISCOVERY COMMANDS",
    "## CURRENT STATE",
    "## MODEL/GROUP DECISION INPUT (REQUIRED BEFORE PATCHING TOOL CONFIG)",
    "## PRE-PATCH API GATE (MUST PASS BEFORE EDITING TOOL CONFIG)",
    "## LIVE TEST COMMANDS (RUN BEFORE PATCHING TOOL CONFIG)",
    "## LLM ROUTER CONFIG WORKFLOWS (CLI)",
    "## CODING TOOL PATCH PLAYBOOK",
    "## NEXT SUGGESTIONS",
    "## UPDATE RULE",
]


def state(config: dict[str, Any], **changes: Any) -> State:
    parsed = parse_config(config, {}).config
    assert parsed is not None
    given: dict[str, Any] = {
        "config_path": "~/.llm-router.json",
        "config": parsed,
        "endpoint": "http://127.0.0.1:8376",
        "running": False,
        "require_auth": False,
        "running_config": "",
        "busy_pids": (),
        "mode": "pending-local-server",
        "timeout_ms": 6000,
        "probes": {},
    }
    return State(**{**given, **changes})


def test_the_headings_stand_in_order() -> None:
    lines = brief(state(doc())).splitlines()
    assert [line for line in lines if line.startswith(("# ", "## "))] == HEADINGS
    assert "" not in lines


def test_the_current_state() -> None:
    text = brief(state(doc(), busy_pids=(7, 9)))
    for line in (
        "- providers=acme, beta",
        "- models=3",
        "- alias_strategies=default:ordered, fast:ordered",
        "- rate_limit_buckets=1",
        "- default_model=acme/big",
        "- master_key_configured=true",
        "- local_server_running=false",
        "- local_router_port_busy=true (pids=7,9)",
        "- patch_gate_claude_code=pending-live-test",
    ):
        assert f"\n{line}\n" in text
    assert KEY not in text
    assert MASTER not in text


def test_of_many_models_the_first_are_named_and_all_are_counted() -> None:
    many = {"id": "big", "baseUrl": "https://x.example", "apiKey": "k", "models": [f"m{at:02}" for at in range(14)]}
    text = brief(state({"version": 2, "providers": [many]}))
    (line,) = [line for line in text.splitlines() if line.startswith("- available_direct_models=")]
    assert line.endswith("big/m11, … (14 in all)")
    assert "- available_direct_models=acme/big, acme/small, beta/one\n" in brief(state(doc()))


def test_an_empty_config_asks_for_a_provider_first() -> None:
    found = suggestions(state({}))
    assert found[0].startswith("Add first provider with at least one model")
    assert any(line.startswith("Set a master key") for line in found)
    assert found[-1] == "Start the router: llr start --detach"


def test_suggestions_follow_the_state() -> None:
    ready = {HEALTH: Probe(200), OPENAI: Probe(200), CLAUDE: Probe(503, "no candidate")}
    found = suggestions(state(doc(), running=True, mode="executed", probes=ready, busy_pids=(1,)))
    assert found[0] == "Consider strategy auto for: fast (llr config upsert-model-alias --strategy=auto)"
    assert any("Claude Code is blocked" in line for line in found)
    assert not any("port is taken" in line for line in found)


@pytest.mark.parametrize(
    ("probe", "dry", "gate"),
    [
        (None, True, "ready"),
        (None, False, "blocked"),
        (None, None, "blocked"),
        (Probe(error="OSError: refused"), None, "blocked"),
        (Probe(404), None, "blocked-responses-endpoint-missing"),
        (Probe(401), None, "blocked-auth"),
        (Probe(403), None, "blocked-auth"),
        (Probe(200), None, "ready"),
        (Probe(429), None, "ready"),
    ],
)
def test_the_codex_gate(probe: Probe | None, dry: bool | None, gate: str) -> None:
    probes = {OPENAI: Probe(200), CLAUDE: Probe(500), **({RESPONSES: probe} if probe else {})}
    found = gates(state(doc(), running=True, mode="executed", probes=probes, responses_ready=dry))
    assert found == {"claude_code": "blocked", "opencode": "ready", "codex_cli": gate, "factory_droid": "ready"}


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        (Probe(200), "pass (status=200)"),
        (Probe(404, "no such model"), "fail (status=404; no such model)"),
        (Probe(error="TimeoutError: timed out"), "error (TimeoutError: timed out)"),
    ],
)
def test_the_words_of_a_probe(probe: Probe, text: str) -> None:
    assert probe.text() == text


def test_without_a_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLM_ROUTER_RUNTIME_STATE_PATH", str(tmp_path / "run.json"))
    (tmp_path / ".llm-router.json").write_text(json.dumps(doc()))
    assert main(["ai-help"]) == 0
    out = capsys.readouterr().out
    assert "- config_path=~/.llm-router.json\n" in out
    assert "- local_server_endpoint=http://127.0.0.1:8376\n" in out
    assert "- live_test_mode=pending-local-server\n" in out
    assert main(["ai-help", "--skip-live-test=true", "--live-test-timeout-ms=3", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["gate"]["live_test_mode"] == "skipped-by-flag"
    assert data["gate"]["live_test_timeout_ms"] == 6000
    assert data["decisionOptions"][:3] == ["default", "fast", "acme/big"]
    monkeypatch.setenv("LLM_ROUTER_PORT", "8399")
    assert main(["ai-help"]) == 0
    assert "8376" not in (out := capsys.readouterr().out)
    assert "- local_server_endpoint=http://127.0.0.1:8399\n" in out
    (tmp_path / ".llm-router.json").write_text("{")
    assert main(["ai-help"]) == 2


def test_a_running_gateway_is_asked_what_is_free(sourced: Life) -> None:
    file = sourced.home / "c.json"
    file.write_text(json.dumps({**doc(), "providers": doc()["providers"]}))
    sourced.start(f"--config={file}", "--require-auth")
    body = sourced.json("ai-help", f"--config={file}")["data"]
    gate = body["gate"]
    assert gate["live_test_mode"] == "executed"
    assert gate["health_probe"] == "pass (status=200)"
    assert gate["openai_models_probe"] == "pass (status=200)"
    assert gate["claude_models_probe"] == "pass (status=200)"
    assert gate["codex_responses_probe"] == "not-run"
    assert gate["codex_responses_dry_check"].startswith("routable")
    assert gate["patch_gate_codex_cli"] == "ready"
    wrong = sourced.json("ai-help", f"--config={file}", "--gateway-auth-token=nope")["data"]["gate"]
    assert wrong["openai_models_probe"].startswith("fail (status=401")
    assert wrong["patch_gate_claude_code"] == "blocked"


def test_every_operation_it_names_is_one_of_this_build() -> None:
    named = re.findall(r"llr config (?:--operation=)?([a-z][a-z-]+)", brief(state({})) + brief(state(doc())))
    assert len(named) > 15
    assert [name for name in named if find(name) is None] == []
    commands = re.findall(r"llr ([a-z][a-z-]+)", brief(state(doc())))
    assert [name for name in commands if name not in COMMANDS] == []
