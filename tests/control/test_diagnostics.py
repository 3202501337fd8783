"""Diagnostics and the probe before a save, with a scripted prober: questions, reports, exit codes, progress."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llr.control.call import Args, Call
from llr.control.operations import OPERATIONS
from llr.control.perform import perform
from llr.control.probe.question import Question
from llr.control.report import Refused
from tests.control.desk import KEY, Desk, provider

GOOD: dict[str, Any] = {
    "ok": True,
    "endpoints": ["https://x.example/v1"],
    "formats": ["claude", "openai"],
    "workingFormats": ["openai", "claude"],
    "preferredFormat": "openai",
    "baseUrlByFormat": {"openai": "https://x.example/v1", "claude": "https://x.example/anthropic"},
    "models": ["m1", "m2"],
    "modelSupport": {"m1": ["openai"], "m2": ["claude"]},
    "modelPreferredFormat": {"m1": "openai", "m2": "claude"},
    "endpointMatrix": [
        {
            "endpoint": "https://x.example/v1",
            "workingFormats": ["openai"],
            "modelsByFormat": {"openai": ["m1"], "claude": ["m2"]},
            "preferredFormat": "openai",
        }
    ],
    "unresolvedModels": [],
    "warnings": ["slow"],
    "failureScope": "none",
    "manualFallbackRecommended": False,
}
EVENT = {
    "phase": "model-check",
    "completedChecks": 1,
    "totalChecks": 4,
    "model": "m1",
    "format": "openai",
    "endpoint": "https://x.example/v1",
    "outcome": "ok",
}


class Prober:
    """Stands in for the probe engine; keeps the questions."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.result: dict[str, Any] = dict(GOOD)

    async def discover(self, question: Question, progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        self.asked.append(question)
        return self.result

    async def examine(self, question: Question, progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        self.asked.append(question)
        progress(EVENT)
        progress({"phase": "provider-probe-start"})
        return self.result


@pytest.fixture
def prober(monkeypatch: pytest.MonkeyPatch) -> Prober:
    found = Prober()
    for name in ("discover", "examine"):
        monkeypatch.setattr(f"llr.control.probe.run.{name}", getattr(found, name))
    return found


URL = "--endpoints=https://x.example/v1"


def test_discover(desk: Desk, prober: Prober) -> None:
    before = desk.file.read_bytes()
    code, out, err = desk.run("discover-provider-models", URL, "--api-key=k-123", '--headers={"X-A":"1"}')
    assert (code, err) == (0, "")
    for text in (
        "Provider Model Discovery\n",
        "| Working Formats  | openai, claude",
        "| Models           | 2",
        "- m1\n",
        "- slow",
    ):
        assert text in out
    asked = prober.asked[0]
    assert (asked.endpoints, asked.api_key, dict(asked.headers)) == (("https://x.example/v1",), "k-123", {"X-A": "1"})
    assert desk.file.read_bytes() == before
    assert "k-123" not in repr(asked)


def test_discover_incomplete(desk: Desk, prober: Prober) -> None:
    prober.result = {**GOOD, "models": [], "preferredFormat": None, "baseUrlByFormat": {}}
    code, out, err = desk.run("discover-provider-models", URL, "--api-key=k")
    assert (code, "Provider Model Discovery Incomplete" in out) == (1, True)
    assert "(not detected)" in out
    assert "No working format or no model was found." in err
    assert desk.json("discover-provider-models", URL, "--api-key=k")["data"]["models"] == []


def test_a_saved_provider_is_asked_with_its_key(desk: Desk, prober: Prober) -> None:
    assert desk.run("test-provider", "--provider-id=acme")[0] == 0
    asked = prober.asked[0]
    assert (asked.endpoints, asked.api_key) == (("https://acme.example/v1",), KEY)
    assert (asked.models, asked.requests_per_minute) == (("big", "small"), 30)
    assert asked.headers["X-Api-Token"] == "token-0123456789"


@pytest.mark.parametrize(("typed", "rpm"), [("0", 30), ("x", 30), ("7.9", 7), ("9999999", 1_000_000)])
def test_the_pace(desk: Desk, prober: Prober, typed: str, rpm: int) -> None:
    desk.run("test-provider", "--provider-id=acme", f"--probe-requests-per-minute={typed}")
    assert prober.asked[0].requests_per_minute == rpm


def test_a_key_from_a_variable(desk: Desk, prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLR_TEST_KEY", "from-env")
    desk.run("test-provider", URL, "--api-key-env=LLR_TEST_KEY", "--models=m1 m2")
    desk.run("test-provider", URL, "--api-key-env=LLR_TEST_KEY", "--api-key=typed", "--models=m1")
    assert [asked.api_key for asked in prober.asked] == ["from-env", "typed"]


def test_test_provider(desk: Desk, prober: Prober) -> None:
    code, out, _ = desk.run("test-provider", URL, "--api-key=k", "--models=m1,m2")
    assert code == 0
    assert "[discover] Progress 1/4 - m1 on openai @ https://x.example/v1: ok\n" in out
    assert "Provider Probe Passed\n" in out
    assert "| https://x.example/v1 | openai          | m1, m2           | openai           |" in out


def test_test_provider_with_gaps(desk: Desk, prober: Prober) -> None:
    prober.result = {**GOOD, "unresolvedModels": ["m2"], "failureScope": "partial"}
    code, out, _ = desk.run("test-provider", URL, "--api-key=k", "--models=m1,m2")
    assert code == 1
    assert "Provider Probe Completed With Gaps" in out
    assert "Unresolved Models\n- m2" in out


def test_progress_as_ndjson_beside_one_result(desk: Desk, prober: Prober) -> None:
    _, out, err = desk.run("test-provider", URL, "--api-key=k", "--models=m1", "--json")
    assert json.loads(out)["data"]["models"] == ["m1", "m2"]
    events = [json.loads(line) for line in err.splitlines()]
    assert events[0] == {"type": "progress", "event": EVENT}


SAVE = ("upsert-provider", "--name=Probed", "--api-key=sk-probed-0123456789", "--models=m1,m2", URL)


def test_a_new_provider_is_probed_before_it_is_saved(desk: Desk, prober: Prober) -> None:
    code, out, _ = desk.run(*SAVE)
    assert code == 0
    assert "| Auto-detection           | Completed" in out
    assert "| Working Formats          | openai, claude" in out
    found = provider(desk.doc, "probed")
    assert found["models"] == [{"id": "m1", "formats": ["openai"]}, {"id": "m2", "formats": ["claude"]}]
    assert found["lastProbe"]["ok"] is True
    assert set(found["formats"]) == {"openai", "claude"}
    assert found["baseUrlByFormat"] == GOOD["baseUrlByFormat"]


@pytest.mark.parametrize(
    ("result", "code", "text"),
    [
        ({"ok": False, "failureScope": "full"}, "probe-failed", "no endpoint answered"),
        ({"ok": True, "failureScope": "partial", "unresolvedModels": ["m2"]}, "probe-incomplete", "Not confirmed: m2."),
    ],
)
def test_an_incomplete_probe_saves_nothing(
    desk: Desk, prober: Prober, result: dict[str, Any], code: str, text: str
) -> None:
    before = desk.file.read_bytes()
    prober.result = {**GOOD, **result}
    body = desk.json(*SAVE)
    assert (body["exitCode"], body["error"]["code"]) == (1, code)
    assert text in body["error"]["message"]
    assert "--skip-probe=true" in body["error"]["fix"]
    assert desk.file.read_bytes() == before


@pytest.mark.parametrize(("answer", "saved"), [(True, True), (False, False)])
def test_a_person_may_save_in_spite_of_the_probe(desk: Desk, prober: Prober, answer: bool, saved: bool) -> None:
    prober.result = {**GOOD, "ok": False, "failureScope": "full"}
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return answer

    values = {"name": "Probed", "api_key": "sk-probed-0123456789", "models": "m1", "endpoints": "https://x.example/v1"}
    call = Call(str(desk.file), Args(values), {}, confirm=confirm)
    if saved:
        perform(OPERATIONS["upsert-provider"], call)
    else:
        with pytest.raises(Refused):
            perform(OPERATIONS["upsert-provider"], call)
    assert asked[0].endswith("Save what you typed anyway?")
    assert ("probed" in {one["id"] for one in desk.doc["providers"]}) is saved


def test_what_a_probe_cannot_tell_is_saved_without_one(desk: Desk, prober: Prober) -> None:
    assert desk.run("upsert-provider", "--provider-id=acme", "--name=New Name")[0] == 0
    assert desk.run("upsert-provider", "--provider-id=acme", "--model-context-windows=small=9")[0] == 0
    assert prober.asked == []
    assert desk.run("upsert-provider", "--provider-id=acme", "--api-key=sk-new-0123456789")[0] == 0
    assert prober.asked[0].api_key == "sk-new-0123456789"
    assert prober.asked[0].endpoints == ("https://acme.example/v1",)


def test_a_wrong_line_is_not_probed(desk: Desk, prober: Prober) -> None:
    assert desk.run(*SAVE, "--name=acme")[0] == 2
    assert prober.asked == []
