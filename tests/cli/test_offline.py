"""`explain` and `cooldowns` answer with a gateway and without one, and send nothing."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llr.cli.main import main
from tests.cli.life import Life
from tests.control.desk import doc


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLM_ROUTER_RUNTIME_STATE_PATH", str(tmp_path / "run.json"))
    monkeypatch.setenv("LLM_ROUTER_STATE_FILE_PATH", str(tmp_path / "state.json"))
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / ".llm-router.json").write_text(json.dumps(doc()))
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *tokens: str) -> tuple[int, dict[str, Any]]:
    code = main([*tokens, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def test_explain(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, body = told(capsys, "explain", "--model=fast")
    data = body["data"]
    assert (code, data["running"], data["strategy"]) == (0, False, "ordered")
    assert [row["candidate"] for row in data["candidates"]] == ["acme/big", "beta/one", "acme/small"]
    assert main(["explain", "--model=fast"]) == 0
    out = capsys.readouterr().out
    assert "| Route Type " in out
    assert "burst: 0 of 5 requests" in out
    assert sorted(path.name for path in home.iterdir()) == [".llm-router.json"]


def test_explain_a_body(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"model": "beta/one", "messages": [{"role": "user", "content": "hi"}], "logit_bias": {"1": 2}}
    (home / "body.json").write_text(json.dumps(body))
    code, found = told(capsys, "explain", f"--body={home / 'body.json'}", "--format=openai")
    row = found["data"]["candidates"][0]
    assert (code, row["translated"]) == (0, True)
    assert row["losses"]


@pytest.mark.parametrize(
    ("tokens", "code", "text"),
    [
        (("explain",), "no-model", "--model is missing"),
        (("explain", "--model=fats"), "refused", "did you mean 'fast'"),
        (("explain", "--model=fast", "--format=xml"), "refused", "format must be one of"),
        (("explain", "--body=/nowhere/x"), "unreadable-body", "cannot be read"),
        (("cooldowns", "clean"), "unknown-word", "knows `clear`"),
        (("cooldowns", "clear", "a", "b"), "unexpected-word", "does not take the word 'b'"),
    ],
)
def test_wrong(home: Path, capsys: pytest.CaptureFixture[str], tokens: tuple[str, ...], code: str, text: str) -> None:
    got, body = told(capsys, *tokens)
    assert (got, body["error"]["code"]) == (2, code)
    assert text in body["error"]["message"]


def test_a_broken_config(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".llm-router.json").write_text("{")
    for tokens in (("explain", "--model=fast"), ("cooldowns",)):
        code, body = told(capsys, *tokens)
        assert (code, body["error"]["code"]) == (2, "bad-json")


def resting(home: Path) -> None:
    """Writes a state file in which one candidate rests."""
    until = int((time.time() + 600) * 1000)
    key = "candidate:acme%2Fbig@openai"
    record = {"cooldownUntil": until, "lastFailureStatus": 503, "updatedAt": until - 600_000}
    (home / "state.json").write_text(json.dumps({"version": 1, "candidateStates": {key: record}}))


def test_cooldowns_of_the_kept_state(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    resting(home)
    before = (home / "state.json").read_bytes()
    _, body = told(capsys, "cooldowns")
    assert [row["name"] for row in body["data"]["cooldowns"]] == ["acme/big"]
    assert (home / "state.json").read_bytes() == before
    _, cleared = told(capsys, "cooldowns", "clear", "acme/big")
    assert cleared["data"]["cleared"] == 1
    assert told(capsys, "cooldowns")[1]["data"]["cooldowns"] == []


def test_with_a_gateway(sourced: Life) -> None:
    file = sourced.home / "c.json"
    file.write_text(json.dumps(doc()))
    sourced.start(f"--config={file}")
    data = sourced.json("explain", "--model=fast")["data"]
    assert (data["running"], data["candidates"][0]["candidate"]) == (True, "acme/big")
    rests = sourced.json("cooldowns")["data"]
    assert (rests["running"], rests["cooldowns"]) == (True, [])


def test_a_store_that_this_archive_lacks(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its parts too: one that an earlier test imported would be found without asking for the package.
    for name in ["redis", *(known for known in sys.modules if known.startswith("redis."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "llr.state.redis", raising=False)
    monkeypatch.setenv("LLM_ROUTER_STATE_BACKEND", "redis")
    for tokens in (("explain", "--model=fast"), ("cooldowns",)):
        code, body = told(capsys, *tokens)
        assert (code, body["error"]["code"]) == (2, "no-state-store")
        assert "the state it would use cannot be read: state backend 'redis'" in body["error"]["message"]
    monkeypatch.setenv("LLM_ROUTER_STATE_BACKEND", "memory")
    assert told(capsys, "explain", "--model=fast")[0] == 0, "as the advice says"
