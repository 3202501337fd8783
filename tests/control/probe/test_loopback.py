"""Probes over real sockets, against the built-in demo upstream, and through the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from llr.base.clock import SystemClock
from llr.base.ids import CountingIds
from llr.cli.main import main
from llr.control.demo import demo_handler
from llr.control.probe.question import Question
from llr.control.probe.run import discover, examine
from llr.wire.http import Handler
from tests.net.rig import serving

KEY = "sk-loopback-0123456789"


def demo() -> Handler:
    return demo_handler(CountingIds(), SystemClock())


async def test_the_demo_speaks_all_three_formats() -> None:
    async with serving(demo()) as (_, port):
        origin = f"http://127.0.0.1:{port}"
        found: Any = await discover(Question((f"{origin}/v1", origin, f"{origin}/v1beta"), KEY), lambda _event: None)
    assert found["ok"] is True
    assert found["workingFormats"] == ["claude", "openai", "gemini"]
    assert found["baseUrlByFormat"] == {
        "openai": f"{origin}/v1",
        "claude": f"{origin}/v1",
        "gemini": f"{origin}/v1beta",
    }
    assert "ok" in found["models"]
    assert found["details"][0]["openaiResponses"] == {"supported": True}


async def test_demo_models_are_confirmed_or_not_by_what_they_do() -> None:
    events: list[Any] = []
    async with serving(demo()) as (_, port):
        question = Question((f"http://127.0.0.1:{port}/v1",), KEY, ("ok", "overloaded", "no-such"), {}, 60_000)
        found: Any = await examine(question, events.append)
    assert found["models"] == ["ok"]
    assert found["unresolvedModels"] == ["overloaded", "no-such"]
    assert found["modelLatencyMs"]["ok"] >= 0
    outcomes = {one["model"]: one["outcome"] for one in events if one["phase"] == "model-check"}
    assert outcomes["ok"] == "ok"
    assert outcomes["no-such"] == "model-unsupported"


async def run(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[int, str, str]:
    code = await asyncio.to_thread(main, list(line))
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_the_command_line_tells_progress_as_ndjson(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "router.json"
    async with serving(demo()) as (_, port):
        line = ("config", "test-provider", f"--endpoints=http://127.0.0.1:{port}/v1", f"--api-key={KEY}", "--models=ok")
        code, out, err = await run(capsys, *line, f"--config={file}", "--json")
    assert code == 0
    assert json.loads(out)["data"]["models"] == ["ok"]
    told = [json.loads(text) for text in err.splitlines()]
    assert all(one["type"] == "progress" for one in told)
    assert told[0]["event"]["phase"] == "matrix-start"
    assert [one["event"]["phase"] for one in told][-2:] == ["matrix-done", "finished"]
    assert KEY not in out + err
    assert not file.exists()


async def test_a_provider_is_probed_when_it_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "router.json"
    async with serving(demo()) as (_, port):
        base = f"http://127.0.0.1:{port}/v1"
        line = ("config", "upsert-provider", "--name=Here", f"--endpoints={base}", f"--api-key={KEY}", "--models=ok")
        code, out, _ = await run(capsys, *line, f"--config={file}", "--probe-rpm=60000")
    assert code == 0
    assert "Auto-discovery finished in" in out
    [entry] = json.loads(file.read_text())["providers"]
    assert entry["baseUrlByFormat"]["openai"] == base
    probe = entry["lastProbe"]
    assert probe["ok"] is True
    assert probe["models"] == ["ok"]
    assert probe["modelPreferredFormat"]["ok"] in ("openai", "claude")
    assert probe["at"].endswith("Z")
    assert probe["endpointMatrix"][0]["endpoint"] == base
    assert KEY not in json.dumps(probe)
