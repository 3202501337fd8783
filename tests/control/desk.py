"""A config in which everything refers to everything, and a desk at which operations are run on it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llr.cli.main import main

KEY = "sk-live-0123456789abcdef"
MASTER = "gw_Aa1-bb22cc33dd44ee55ff66gg77"


def doc() -> dict[str, Any]:
    """Returns a config in which everything refers to everything."""
    return {
        "version": 2,
        "masterKey": MASTER,
        "providers": [
            {
                "id": "acme",
                "name": "Acme",
                "baseUrl": "https://acme.example/v1",
                "format": "openai",
                "apiKey": KEY,
                "headers": {"X-Api-Token": "token-0123456789"},
                "models": [
                    {"id": "big", "aliases": ["large"], "fallbackModels": ["beta/one"], "contextWindow": 200000},
                    {"id": "small"},
                ],
                "rateLimits": [
                    {"id": "burst", "models": ["big"], "requests": 5, "window": {"unit": "minute", "size": 1}}
                ],
                "metadata": {"note": "kept"},
            },
            {
                "id": "beta",
                "name": "Beta",
                "baseUrl": "https://beta.example",
                "format": "claude",
                "apiKey": "sk-other-0123456789",
                "models": ["one"],
            },
        ],
        "modelAliases": {
            "default": {"id": "default", "strategy": "ordered", "targets": [{"ref": "acme/big"}]},
            "fast": {
                "id": "fast",
                "strategy": "ordered",
                "targets": [{"ref": "acme/big", "weight": 3}, {"ref": "beta/one"}],
                "fallbackTargets": [{"ref": "acme/small"}],
            },
        },
        "defaultModel": "acme/big",
        "unknownKey": {"kept": True},
    }


@dataclass
class Desk:
    """A config file and a way to run operations on it."""

    file: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *tokens: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = main(["config", *tokens, f"--config={self.file}"])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def json(self, *tokens: str) -> dict[str, Any]:
        code, out, _ = self.run(*tokens, "--json")
        body: dict[str, Any] = json.loads(out)
        assert body["exitCode"] == code
        return body

    def put(self, value: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(value))

    @property
    def doc(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found


def provider(found: dict[str, Any], own: str) -> dict[str, Any]:
    return next(one for one in found["providers"] if one["id"] == own)


def alias(found: dict[str, Any], own: str) -> Any:
    return found["modelAliases"][own]
