"""What `validate` says beyond what reading the file finds."""

import json
import sys
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


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files")
@pytest.mark.parametrize(
    ("mode", "more", "told"),
    [
        (0o644, {"masterKey": "gw_0123456789abcdef"}, True),
        (
            0o640,
            {"providers": [{"id": "a", "baseUrl": "https://x.example", "apiKey": "k-123456789", "models": ["m"]}]},
            True,
        ),
        (0o644, {}, False),
        (0o600, {"masterKey": "gw_0123456789abcdef"}, False),
    ],
)
def test_keys_that_others_can_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: int,
    more: dict[str, object],
    told: bool,
) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"version": 2, **more}))
    file.chmod(mode)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(("config", "validate", f"--config={file}", "--json")) == 0
    found = [one for one in json.loads(capsys.readouterr().out)["data"]["issues"] if one["code"] == "config-mode"]
    assert bool(found) == told
    if told:
        assert found[0]["level"] == "warning"
        assert found[0]["hint"] == f"chmod 600 {file}"
        assert file.stat().st_mode & 0o777 == mode, "validate changes nothing"
