"""Context windows from the catalogue: looked up, filled in, and taken anew only from where the user says."""

import json

import pytest

from tests.control.desk import Desk, provider

FILE = {"models": {"house-model": {"contextWindow": 4321}, "house-model-mini": {"contextWindow": 1234}}}


def test_a_known_model(desk: Desk) -> None:
    code, out, _ = desk.run("litellm-context-lookup", "--models=gpt-4o,no-such-model-anywhere-x")
    assert code == 0
    for text in ("LiteLLM Context Lookup\n", "| Queries       | 2", "| Exact Matches | 1", "| 128,000 "):
        assert text in out
    found = desk.json("litellm-context-lookup", "--model=gpt-4o", "--limit=1")["data"]["queries"]
    assert (found[0]["exactMatch"], found[0]["contextWindow"], len(found[0]["suggestions"])) == ("gpt-4o", 128000, 1)


def test_a_refresh_from_a_file(desk: Desk) -> None:
    source = desk.file.parent / "models.json"
    source.write_text(json.dumps(FILE))
    assert desk.json("litellm-context-lookup", "--models=house-model")["data"]["queries"][0]["exactMatch"] is None
    data = desk.json("litellm-context-lookup", f"--refresh-from={source}", "--models=house-model")["data"]
    assert data["refreshed"]["models"] == 2
    assert data["queries"][0]["contextWindow"] == 4321
    assert desk.json("litellm-context-lookup", "--models=house-model")["data"]["queries"][0]["contextWindow"] == 4321


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_a_source_that_is_no_catalogue(desk: Desk, text: str) -> None:
    source = desk.file.parent / "models.json"
    source.write_text(text)
    body = desk.json("litellm-context-lookup", f"--refresh-from={source}")
    assert (body["exitCode"], body["error"]["code"]) == (1, "catalogue")


def test_missing_windows_are_filled(desk: Desk) -> None:
    line = ("upsert-provider", "--provider-id=acme", "--models-add=gpt-4o", "--skip-probe")
    body = desk.json(*line, "--fill-model-context-windows=true")
    assert body["data"]["contextWindowsFilled"] == 1
    models = {one["id"]: one.get("contextWindow") for one in provider(desk.doc, "acme")["models"]}
    assert models == {"big": 200000, "small": None, "gpt-4o": 128000}


def test_a_stated_window_wins(desk: Desk) -> None:
    line = ("upsert-provider", "--provider-id=acme", "--models-add=gpt-4o", "--skip-probe")
    desk.run(*line, "--fill-model-context-windows", "--model-context-windows=gpt-4o=7")
    models = {one["id"]: one.get("contextWindow") for one in provider(desk.doc, "acme")["models"]}
    assert models["gpt-4o"] == 7
