"""One set of scripted vendors and one gateway from the built archive in front of them, for all tests here."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.e2e.script import KEY
from tests.running import gateway

KINDS = ("m", "c", "r", "g")
FORMATS = {"m": "claude", "c": "openai-chat", "r": "openai-responses", "g": "gemini"}
MODELS = {
    "m": ["claude-sonnet-5"],
    "c": ["gpt-5.5", "deepseek-reasoner"],
    "r": ["gpt-5.5"],
    "g": ["gemini-3-pro"],
}


class Vendors:
    """The scripted vendors' address, and what they were asked."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def seen(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.origin}/seen") as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


def provider(origin: str, kind: str) -> dict[str, Any]:
    return {
        "id": kind,
        "name": f"Vendor {kind}",
        "baseUrl": f"{origin}/{kind}" + ("/v1beta" if kind == "g" else "/v1" if kind in "cr" else ""),
        "formats": [FORMATS[kind]],
        "apiKey": KEY,
        "models": [{"id": model} for model in MODELS[kind]],
    }


@pytest.fixture(scope="session")
def vendors() -> Iterator[Vendors]:
    command = [sys.executable, "-m", "tests.e2e.upstream"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        yield Vendors(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        process.stdin.close()


@pytest.fixture(scope="session")
def origin(pyz: Path, vendors: Vendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Returns the gateway's address; its providers are `m`, `c`, `r` and `g`."""
    home = tmp_path_factory.mktemp("e2e")
    doc = {
        "version": 2,
        "providers": [provider(vendors.origin, kind) for kind in KINDS],
        "metadata": {"llr": {"routing": {"originRetryAttempts": 1}}},
    }
    (home / ".llm-router.json").write_text(json.dumps(doc))
    with gateway(pyz, home, "llr start") as address:
        yield address
