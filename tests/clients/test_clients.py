"""Claude Code, Codex CLI and Factory Droid as npm has them, wired by the archive, against upstreams of all formats."""

import difflib
import os
from pathlib import Path

import pytest

from tests.clients.answers import ECHOED
from tests.clients.conftest import FORMS, Bench
from tests.clients.shape import shape

pytestmark = pytest.mark.clients

SHAPES = Path(__file__).parent / "shapes"
ALIASES = tuple(f"by-{form}" for form in FORMS)
ENDPOINTS = {
    "by-messages": "/v1/messages",
    "by-chat": "/v1/chat/completions",
    "by-responses": "/v1/responses",
    "by-gemini": "/v1beta/models/model",
}
CLAUDE = ("claude", "--allowedTools", "Bash", "-p")
CODEX = ("codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
DROID = ("droid", "exec", "--auto", "high")
PROMPT = "Say pong."
TOOL_PROMPT = "Please use the tool to run a command."


def wire(bench: Bench, tool: str, model: str) -> None:
    operation, flag = {
        "claude": ("set-claude-code-routing", "--primary-model"),
        "codex": ("set-codex-cli-routing", "--default-model"),
        "droid": ("set-factory-droid-routing", "--default-model"),
    }[tool]
    if not (bench.bin / tool).exists():
        pytest.skip(f"{tool} is not in {bench.bin}")
    more = (f"--default-haiku-model={model}",) if tool == "claude" else ()
    done = bench.llr("config", operation, f"{flag}={model}", *more, f"--endpoint-url={bench.recorded or bench.origin}")
    assert done.returncode == 0, done.stdout + done.stderr


def line(tool: str, prompt: str) -> tuple[str, ...]:
    return (*{"claude": CLAUDE, "codex": CODEX, "droid": DROID}[tool], prompt)


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("tool", ["claude", "codex", "droid"])
def test_a_wired_tool_answers_and_uses_a_tool(running: Bench, tool: str, alias: str) -> None:
    wire(running, tool, alias)
    done = running.run(*line(tool, PROMPT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pong-from-upstream" in done.stdout
    done = running.run(*line(tool, TOOL_PROMPT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The tool said {ECHOED}." in done.stdout
    assert "is not recognized" not in done.stderr
    assert "fallback metadata" not in done.stderr
    assert all(row[1].startswith(ENDPOINTS[alias]) for row in running.upstream.rows)
    assert all("gw_Clients" not in str(row[2]) for row in running.upstream.rows)


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("tool", ["claude", "codex"])
def test_a_run_needs_no_wiring(running: Bench, tool: str, alias: str) -> None:
    before = set(running.home.rglob("*"))
    done = running.llr("run", tool, f"--model={alias}", "--", *line(tool, TOOL_PROMPT)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The tool said {ECHOED}." in done.stdout
    assert "No gateway runs" not in done.stderr
    wired = [path for path in set(running.home.rglob("*")) - before if "llm_router" in path.name]
    assert wired == []


@pytest.mark.parametrize("tool", ["claude", "codex"])
def test_a_run_brings_a_gateway_where_none_runs(bench: Bench, tool: str) -> None:
    done = bench.llr("run", tool, "--", *line(tool, PROMPT)[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pong-from-upstream" in done.stdout
    assert "No gateway runs: started one on http://127.0.0.1:" in done.stderr
    assert bench.llr("status", "--check").returncode == 1


def test_the_exit_code_is_the_tools(running: Bench) -> None:
    assert running.llr("run", "codex", "--", "no-such-flag", "--nope").returncode == 2
    assert running.llr("run", "claude", "--", "--version").stdout.strip().endswith("(Claude Code)")


@pytest.mark.parametrize("upstream", FORMS)
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("overloaded", "overloaded"),
        ("limited", "request rejected (429)"),
        ("too-long", "prompt is too long"),
        ("bad-key", "provider"),
    ],
)
def test_claude_code_says_an_upstream_error_in_its_own_words(
    running: Bench, upstream: str, model: str, says: str
) -> None:
    wire(running, "claude", f"{upstream}/{model}")
    done = running.run(*line("claude", PROMPT))
    assert done.returncode == 1
    assert says in done.stdout.lower(), done.stdout + done.stderr
    assert "pong" not in done.stdout


@pytest.mark.parametrize("upstream", FORMS)
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("overloaded", "overloaded"),
        ("limited", "429 too many requests"),
        ("too-long", "ran out of room in the model's context window"),
        ("bad-key", "provider"),
    ],
)
def test_codex_says_an_upstream_error_in_its_own_words(running: Bench, upstream: str, model: str, says: str) -> None:
    wire(running, "codex", f"{upstream}/{model}")
    quick = [f"model_providers.llm-router.{name}=0" for name in ("request_max_retries", "stream_max_retries")]
    words = [word for one in quick for word in ("-c", one)]
    done = running.run("codex", *words, *CODEX[1:], PROMPT)
    assert done.returncode == 1
    assert says in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["claude", "codex", "droid"])
def test_what_a_tool_sends_is_what_was_recorded(running: Bench, tool: str) -> None:
    """A new version that sends more shows here; LLR_ACCEPT=1 writes the new shape down."""
    wire(running, tool, "by-messages")
    for prompt in (PROMPT, TOOL_PROMPT):
        assert running.run(*line(tool, prompt)).returncode == 0
    version = running.run(tool, "--version").stdout.strip()
    found = shape(running.asked.rows)
    file = SHAPES / f"{tool}.txt"
    if os.environ.get("LLR_ACCEPT"):
        file.write_text(f"{version}\n\n{found}")
    recorded, _, known = file.read_text().partition("\n\n")
    diff = "\n".join(difflib.unified_diff(known.splitlines(), found.splitlines(), recorded, version, lineterm=""))
    assert not diff, f"{diff}\nAccept it with LLR_ACCEPT=1 make clients"


def test_wiring_and_back_leaves_no_trace(running: Bench) -> None:
    files = [running.home / ".codex" / "config.toml", running.home / ".claude" / "settings.json"]
    for file in files:
        assert not file.exists()
    for tool in ("claude", "codex"):
        wire(running, tool, "by-chat")
    assert all(file.exists() for file in files)
    for operation in ("set-claude-code-routing", "set-codex-cli-routing"):
        assert running.llr("config", operation, "--enabled=false").returncode == 0
    assert not any(file.exists() for file in files)
