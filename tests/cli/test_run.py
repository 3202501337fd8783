"""`llr run` with tools that only tell what they were started with, and tools that follow a running gateway."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.life import Life
from tests.tools.fakes import KEY, doc

# Stands in for a tool: writes down its words and variables, then does as it is told.
TOOL = f"""#!{sys.executable}
import json, os, signal, sys, time
told = {{"args": sys.argv[1:], "pid": os.getpid(), "env": dict(os.environ), "files": {{}}}}
for word in sys.argv[1:]:
    for path in (word, word.partition("=")[2].strip('"')):
        if os.path.isfile(path):
            told["files"][path] = [open(path).read(), os.stat(path).st_mode & 0o777]
open(os.environ["TOLD"], "w").write(json.dumps(told))
if "wait" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    open(os.environ["TOLD"] + ".ready", "w").close()
    time.sleep(60)
if "die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
print("said by the tool")
sys.exit(7)
"""


@pytest.fixture
def bench(sourced: Life) -> Life:
    folder = sourced.home / "bin"
    folder.mkdir()
    for name in ("claude", "codex"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    (sourced.home / ".llm-router.json").write_text(json.dumps(doc()))
    (sourced.home / "tmp").mkdir()
    sourced.env |= {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "TOLD": str(sourced.home / "told.json"),
        "TMPDIR": str(sourced.home / "tmp"),
    }
    return sourced


def told(bench: Life) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bench.home / "told.json").read_text())
    return found


def test_claude_gets_variables_its_words_and_gives_its_exit_code(bench: Life) -> None:
    gateway = bench.start()
    done = bench.run("run", "claude", "--model=smart", "--", "-p", "--json", "two words")
    assert (done.returncode, done.stdout, done.stderr) == (7, "said by the tool\n", "")
    env = told(bench)["env"]
    assert told(bench)["args"] == ["-p", "--json", "two words"]
    assert env["ANTHROPIC_BASE_URL"] == f"{gateway.origin}/anthropic"
    assert env["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert env["ANTHROPIC_MODEL"] == env["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "smart"
    assert env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "200000"
    assert "ANTHROPIC_API_KEY" not in env


def test_variables_of_claudes_own_settings_do_not_win(bench: Life) -> None:
    bench.start()
    settings = bench.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    text = '{"env": {"ANTHROPIC_BASE_URL": "https://elsewhere.example", "ANTHROPIC_API_KEY": "sk-1", "X": "1"}}'
    settings.write_text(text)
    bench.run("run", "claude")
    ((path, (body, mode)),) = told(bench)["files"].items()
    assert told(bench)["args"] == ["--settings", path]
    assert mode == 0o600
    assert set(json.loads(body)["env"]) == {"ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"}
    assert not Path(path).exists()
    assert settings.read_text() == text


def test_codex_gets_overrides_and_its_key_by_the_environment(bench: Life) -> None:
    gateway = bench.start()
    assert bench.run("run", "codex", "--", "exec", "hi").returncode == 7
    found = told(bench)
    words = [word for word in found["args"] if word not in ("-c", "exec", "hi")]
    settings = tomllib.loads("\n".join(words))
    table = settings["model_providers"]["llr-run"]
    assert settings["model_provider"] == "llr-run"
    assert settings["model"] == "default"
    assert settings["features"]["enable_request_compression"] is False
    assert (table["base_url"], table["supports_websockets"]) == (f"{gateway.origin}/openai/v1", False)
    assert found["env"][table["env_key"]] == KEY
    assert KEY not in json.dumps(found["args"])
    assert {row["slug"] for row in json.loads(found["files"][settings["model_catalog_json"]][0])["models"]} >= {"smart"}
    assert not (bench.home / ".codex").exists()


def test_a_model_nobody_knows_is_warned_of_and_handed_on(bench: Life) -> None:
    bench.start()
    done = bench.run("run", "claude", "--model=nowhere")
    assert (done.returncode, done.stderr) == (7, "The gateway knows no 'nowhere' and will answer 404.\n")
    assert told(bench)["env"]["ANTHROPIC_MODEL"] == "nowhere"


def test_a_gateway_comes_and_goes_where_none_runs(bench: Life) -> None:
    before = (bench.home / ".llm-router.json").read_bytes()
    done = bench.run("run", "claude")
    assert done.returncode == 7
    assert done.stdout == "said by the tool\n"
    origin = told(bench)["env"]["ANTHROPIC_BASE_URL"].removesuffix("/anthropic")
    assert done.stderr == f"No gateway runs: started one on {origin} until Claude Code ends.\n"
    assert bench.run("status", "--check").returncode == 1
    host, _, port = origin.removeprefix("http://").rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    assert (bench.home / ".llm-router.json").read_bytes() == before


def waiting(bench: Life, *words: str) -> "subprocess.Popen[bytes]":
    """Returns a run whose tool waits for a signal."""
    ready = bench.home / "told.json.ready"
    ready.unlink(missing_ok=True)
    process = subprocess.Popen([*bench.command, "run", *words, "--", "wait"], env=bench.env)
    until = time.monotonic() + 20
    while not ready.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return process


def test_a_gateway_goes_with_a_run_that_is_killed(bench: Life) -> None:
    process = waiting(bench, "codex")
    (base,) = (word for word in told(bench)["args"] if ".base_url=" in word)
    host, _, port = base.partition("//")[2].partition("/")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        process.kill()
        assert process.wait(20) == -signal.SIGKILL
        assert connection.recv(1) == b""
    os.kill(told(bench)["pid"], signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_ended_by_a_signal_leaves_nothing(bench: Life, number: signal.Signals) -> None:
    """The tool's own answer to the signal is our exit code; ours to one that kills it is 128 and its number."""
    process = waiting(bench, "codex")
    process.send_signal(number)
    assert process.wait(20) == (9 if number is signal.SIGTERM else 128 + number)
    assert list((bench.home / "tmp").iterdir()) == []
    assert bench.run("status", "--check").returncode == 1


def test_signals_reach_the_tool_and_its_end_is_ours(bench: Life) -> None:
    bench.start()
    process = waiting(bench, "codex")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 9
    assert bench.run("run", "codex", "--", "die").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run",), 2, "Say which tool to run: claude or codex."),
        (("run", "vim"), 2, "Say which tool to run"),
        (("run", "claude", "-p"), 2, "does not take the word"),
    ],
)
def test_what_cannot_be_run_is_said(bench: Life, words: tuple[str, ...], code: int, message: str) -> None:
    done = bench.run(*words)
    assert done.returncode == code
    assert message in done.stderr


def test_a_tool_that_is_not_there_and_a_config_that_is_not_there(bench: Life) -> None:
    (bench.home / "bin" / "codex").unlink()
    bench.env["PATH"] = str(bench.home / "bin")
    done = bench.run("run", "codex")
    assert done.returncode == 1
    assert "npm install -g @openai/codex" in done.stderr
    (bench.home / ".llm-router.json").unlink()
    assert "has no enabled provider" in bench.run("run", "claude").stderr


def test_a_wired_tool_follows_a_file_edited_by_hand(bench: Life) -> None:
    gateway = bench.start()
    settings = bench.home / ".claude" / "settings.json"
    assert bench.run("config", "set-claude-code-routing", "--primary-model=smart").returncode == 0
    assert gateway.origin in settings.read_text()
    value = doc()
    value["masterKey"] = "gw_New1-0123456789abcdefXYZ"
    value["modelAliases"]["clever"] = value["modelAliases"].pop("smart") | {"id": "clever"}
    (bench.home / ".llm-router.json").write_text(json.dumps(value))
    bench.run("reload")
    gateway.wait_for("tool-followed")
    env = json.loads(settings.read_text())["env"]
    assert (env["ANTHROPIC_MODEL"], env["ANTHROPIC_AUTH_TOKEN"]) == ("clever", value["masterKey"])
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600


def test_a_gateway_that_starts_elsewhere_tells_its_tools(bench: Life) -> None:
    assert bench.run("config", "set-claude-code-routing").returncode == 0
    settings = bench.home / ".claude" / "settings.json"
    assert "http://127.0.0.1:8376/anthropic" in settings.read_text()
    bench.start()
    assert "http://127.0.0.1:8376/anthropic" in settings.read_text()
    bench.end()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    bench.env["LLM_ROUTER_PORT"] = str(port)
    gateway = bench.start(f"--port={port}")
    gateway.wait_for("ready")
    assert f"http://127.0.0.1:{port}/anthropic" in settings.read_text()
