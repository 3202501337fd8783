from pathlib import Path

import pytest

from tests.control.desk import Desk, doc


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLM_ROUTER_RUNTIME_STATE_PATH", str(tmp_path / "run.json"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("LLM_ROUTER_PORT", raising=False)
    found = Desk(tmp_path / "the config ü.json", capsys)
    found.put(doc())
    return found
