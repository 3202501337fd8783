"""What `validate` says beyond what reading the file finds."""

import json
from pathlib import Path

import pytest

from llr.cli.main import main


def test_a_provider_that_cannot_be_called_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.json"
    providers = [
        "no provider",
        {"id": "Codex", "type": "subscription", "subscriptionType": "chatgpt-codex"},
        {"id": "off", "type": "subscription", "subscriptionType": "chatgpt-codex", "enabled": False},
    ]
    file.write_text(json.dumps({"version": 2, "providers": providers}))
    monkeypatch.setenv("HOME", str(tmp_path))
    main(("config", "validate", f"--config={file}", "--json"))
    issues = json.loads(capsys.readouterr().out)["data"]["issues"]
    (found,) = [issue for issue in issues if issue["code"] == "provider-not-built"]
    assert (found["path"], found["level"]) == ("$.providers[1].type", "warning")
    assert "codex" in found["message"]
    assert "subscription-not-built" in found["message"]
