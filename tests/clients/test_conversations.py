"""Whole conversations of the real tools over every upstream format: patches, pictures, long and broken answers, other
models half way, and compaction."""

import base64
import json

import pytest

from tests.clients.answers import ECHOED, LONG_WORDS, PATCHED, SUMMARY, WISH
from tests.clients.conftest import FORMS, Bench
from tests.clients.test_clients import CLAUDE, CODEX, PROMPT, TOOL_PROMPT, line, wire

pytestmark = pytest.mark.clients

# One white pixel.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LONG_PROMPT = "Give a long answer: a long answer."
LAST_WORD = f"word{LONG_WORDS - 1}"
# The same tool in the conversation it had last.
AGAIN = {"claude": (*CLAUDE[:-1], "--continue", "-p"), "codex": (*CODEX, "resume", "--last")}


def asked(bench: Bench) -> list[str]:
    """Returns the models of what the tool has asked so far, discovery left out."""
    return [row[3]["model"] for row in bench.asked.rows if row[3] is not None]


@pytest.mark.parametrize("form", FORMS)
def test_codex_applies_a_patch(running: Bench, form: str) -> None:
    wire(running, "codex", f"by-{form}")
    done = running.run(*CODEX, f"{WISH} apply_patch.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (running.work / PATCHED).read_text() == "written by a patch\n"


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_reaches_the_model(running: Bench, form: str) -> None:
    (running.work / "picture.png").write_bytes(base64.b64decode(PICTURE))
    wire(running, "codex", f"by-{form}")
    done = running.run(*CODEX, "-i", "picture.png", "--", PROMPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert PICTURE in json.dumps(running.upstream.rows[-1][3])
    wire(running, "claude", f"by-{form}")
    done = running.run("claude", "--allowedTools", "Read", "-p", f"{WISH} Read on {running.work / 'picture.png'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert PICTURE in json.dumps(running.upstream.rows[-1][3])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tool", ["claude", "codex"])
def test_a_long_answer_arrives_whole(running: Bench, tool: str, form: str) -> None:
    wire(running, tool, f"by-{form}")
    done = running.run(*line(tool, LONG_PROMPT))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("word") == LONG_WORDS
    assert done.stdout.strip().endswith(LAST_WORD)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tool", ["claude", "codex"])
def test_a_broken_stream_is_asked_for_again(running: Bench, tool: str, form: str) -> None:
    wire(running, tool, f"{form}/broken")
    done = running.run(*line(tool, PROMPT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "pong-from-upstream"
    assert asked(running) == [f"{form}/broken"] * 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tool", ["claude", "codex"])
def test_a_conversation_goes_on_with_another_model(running: Bench, tool: str, form: str) -> None:
    other = f"by-{FORMS[FORMS.index(form) - 1]}"
    wire(running, tool, f"by-{form}")
    again = AGAIN[tool]
    for words in (
        line(tool, TOOL_PROMPT),
        (*again[:-1], "--model", other, again[-1], TOOL_PROMPT),
        (*again, PROMPT),
    ):
        done = running.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip() == f"The tool said {ECHOED}."
    assert asked(running) == [f"by-{form}"] * 2 + [other] * 2 + [f"by-{form}"]


@pytest.mark.parametrize("form", FORMS)
def test_claude_code_compacts_and_counts(running: Bench, form: str) -> None:
    wire(running, "claude", f"by-{form}")
    assert running.run(*line("claude", LONG_PROMPT)).returncode == 0
    done = running.run("claude", "--continue", "-p", "/compact")
    assert done.returncode == 0, done.stdout + done.stderr
    done = running.run(*AGAIN["claude"], PROMPT)
    assert done.stdout.strip() == "pong-from-upstream"
    told = json.dumps(running.upstream.rows[-1][3])
    assert SUMMARY in told
    assert LAST_WORD not in told
    before = len(running.asked.rows)
    assert running.run("claude", "-p", "/context").returncode == 0
    paths = [row[1].split("?")[0] for row in running.asked.rows[before:]]
    assert paths.count("/anthropic/v1/messages/count_tokens") > 1


@pytest.mark.parametrize("form", FORMS)
def test_codex_compacts(running: Bench, form: str) -> None:
    wire(running, "codex", f"by-{form}")
    assert running.run(*line("codex", LONG_PROMPT)).returncode == 0
    done = running.run("codex", "-c", "model_auto_compact_token_limit=3000", *AGAIN["codex"][1:], PROMPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "context compacted" in done.stderr
    assert done.stdout.strip() == "pong-from-upstream"
    assert LAST_WORD not in json.dumps(running.upstream.rows[-1][3])


def test_codex_is_relayed_as_it_speaks(running: Bench) -> None:
    """To an upstream of its own format Codex's words go as they are, all but the model's name."""
    wire(running, "codex", "by-responses")
    assert running.run(*line("codex", TOOL_PROMPT)).returncode == 0
    assert len(running.upstream.rows) == 2
    for said, heard in zip(running.asked.rows, running.upstream.rows, strict=True):
        assert {**said[3], "model": "model"} == heard[3]
        assert heard[1] == "/v1/responses"


def test_codex_asks_for_no_socket_and_packs_nothing(running: Bench) -> None:
    wire(running, "codex", "by-chat")
    assert running.run(*line("codex", PROMPT)).returncode == 0
    assert {row[0] for row in running.asked.rows} == {"POST"}
    assert not any("content-encoding" in row[2] for row in running.asked.rows)


def test_claude_code_uses_its_small_model_for_small_jobs(running: Bench) -> None:
    wire(running, "claude", "by-chat")
    done = running.llr("config", "set-claude-code-routing", "--default-haiku-model=by-gemini")
    assert done.returncode == 0, done.stdout + done.stderr
    settings = json.loads((running.home / ".claude" / "settings.json").read_text())
    settings["env"]["ANTHROPIC_BASE_URL"] = f"{running.recorded}/anthropic"
    (running.home / ".claude" / "settings.json").write_text(json.dumps(settings))
    done = running.run("claude", "--model", "haiku", "-p", PROMPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert asked(running) == ["by-gemini"]


def test_claude_code_finds_our_aliases_and_takes_them(running: Bench) -> None:
    """Its picker keeps only ids that begin with `claude` or `anthropic`; what it shows is the alias."""
    wire(running, "claude", "by-chat")
    assert running.run(*line("claude", PROMPT)).returncode == 0
    found = json.loads((running.home / ".claude" / "cache" / "gateway-models.json").read_text())["models"]
    assert {"id": "claude:by-gemini", "display_name": "by-gemini"} in found
    done = running.run("claude", "--model", "claude:by-gemini", "-p", PROMPT)
    assert done.stdout.strip() == "pong-from-upstream"
    assert running.upstream.rows[-1][1].startswith("/v1beta/models/model")
