"""The real tools from npm, the built archive, a home of its own, and scripted upstreams."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.scripted import Seen, recorder, serving, upstream
from tests.running import gateway

ROOT = Path(__file__).resolve().parents[2]
# The newest of each, so that a change of theirs shows; LLR_CLIENTS_BIN names a folder that has them already.
PACKAGES = ("@anthropic-ai/claude-code@latest", "@openai/codex@latest", "droid@latest")
FORMS = ("messages", "chat", "responses", "gemini")
KEY = "gw_Clients-0123456789abcdefABCDEF"


@pytest.fixture(scope="session")
def tools() -> Path:
    """Returns the folder with `claude`, `codex` and mostly `droid`; skips with the reason where they cannot be had."""
    if shutil.which("node") is None:
        pytest.skip("needs Debian package nodejs")
    given = os.environ.get("LLR_CLIENTS_BIN")
    if given:
        return Path(given)
    if shutil.which("npm") is None:
        pytest.skip("needs Debian package npm")
    folder = ROOT / "build" / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(folder), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    found = folder / "node_modules" / ".bin"
    if not all((found / name).exists() for name in ("claude", "codex")):
        pytest.skip(f"npm cannot install the tools: {done.stderr.strip()[-300:]}")
    return found


def provider(own: str, origin: str, form: str) -> dict[str, Any]:
    models: list[Any] = [
        {"id": "model", "contextWindow": 150_000},
        *({"id": name} for name in ("overloaded", "limited", "too-long", "bad-key", "broken")),
    ]
    return {"id": own, "name": own, "baseUrl": origin, "formats": [form], "apiKey": "up-0123456789", "models": models}


@dataclass
class Bench:
    """One home with a config, its gateway, and what was seen on both sides."""

    home: Path
    pyz: Path
    bin: Path
    asked: Seen = field(default_factory=Seen)
    upstream: Seen = field(default_factory=Seen)
    origin: str = ""
    recorded: str = ""

    @property
    def env(self) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("LANG", "LD_LIBRARY_PATH") if name in os.environ}
        return {
            **keep,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LLM_ROUTER_UPSTREAM_RETRY_ATTEMPTS": "1",
            # What the tools would ask of the internet, they cannot here.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            "DISABLE_AUTOUPDATER": "1",
            # Droid asks for an account of its maker's, except where there is no way to reach him.
            "FACTORY_AIRGAP_ENABLED": "true",
            "FACTORY_DROID_AUTO_UPDATE_ENABLED": "false",
        }

    def run(self, *words: str, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words,
            env=self.env,
            cwd=self.work,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )

    @property
    def work(self) -> Path:
        folder = self.home / "project"
        folder.mkdir(exist_ok=True)
        return folder

    def llr(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, "-I", "-S", str(self.pyz), *words)


@pytest.fixture
def bench(pyz: Path, tools: Path, tmp_path: Path) -> Iterator[Bench]:
    """A home whose config leads to an upstream of every format; no gateway runs yet."""
    found = Bench(tmp_path, pyz, tools)
    with serving(upstream(found.upstream)) as origin:
        config = {
            "version": 2,
            "masterKey": KEY,
            "providers": [
                provider("messages", origin, "claude"),
                provider("chat", f"{origin}/v1", "openai-chat"),
                provider("responses", f"{origin}/v1", "openai-responses"),
                provider("gemini", origin, "gemini"),
            ],
            "modelAliases": {
                "default": {"targets": [{"ref": "messages/model"}]},
                **{f"by-{form}": {"targets": [{"ref": f"{form}/model"}]} for form in FORMS},
            },
        }
        (tmp_path / ".llm-router.json").write_text(json.dumps(config))
        yield found


@pytest.fixture
def running(bench: Bench) -> Iterator[Bench]:
    """The same with its gateway, and a recorder in front of it."""
    target: list[str] = []
    with gateway(bench.pyz, bench.home, "llr start --require-auth") as origin:
        target.append(origin)
        bench.origin = origin
        with serving(recorder(bench.asked, target)) as recorded:
            bench.recorded = recorded
            yield bench
