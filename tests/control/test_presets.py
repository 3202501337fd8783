"""Vendors by name: listing them, and a provider in one line."""

import pytest

from llr.providers.catalog import VENDORS
from tests.control.desk import Desk, provider


def test_every_vendor_is_listed(desk: Desk) -> None:
    code, out, _ = desk.run("list-presets")
    assert code == 0
    assert all(f"| {name} " in out for name in VENDORS)
    found = desk.json("presets")["data"]["presets"]
    assert [one["id"] for one in found] == list(VENDORS)
    assert all(set(one) == set(found[0]) for one in found)


def test_one_vendor_with_the_line_that_adds_it(desk: Desk) -> None:
    code, out, _ = desk.run("list-presets", "--preset=openrouter")
    assert code == 0
    assert "https://openrouter.ai/api/v1" in out
    assert "llr config upsert-provider --preset=openrouter --api-key-env=OPENROUTER_API_KEY" in out
    assert desk.json("list-presets", "--preset=nobody")["error"]["code"] == "unknown-preset"


@pytest.mark.parametrize("vendor", [one for one in VENDORS.values() if not one.template], ids=lambda one: one.id)
def test_a_preset_is_one_line(desk: Desk, vendor: object) -> None:
    name = getattr(vendor, "id", "")
    models = () if VENDORS[name].models else ("--models=mine",)
    key = (f"--api-key-env={VENDORS[name].key_env}",) if VENDORS[name].key_env else ()
    body = desk.json("upsert-provider", f"--preset={name}", *key, *models, "--skip-probe")
    assert body["ok"], body
    entry = provider(desk.doc, name)
    assert entry.get("apiKeyEnv") == (VENDORS[name].key_env or None)
    assert [one["id"] for one in entry["models"]] == list(VENDORS[name].models) or models


def test_a_template_wants_an_address(desk: Desk) -> None:
    line = ("upsert-provider", "--preset=azure", "--api-key-env=AZURE_OPENAI_API_KEY", "--models=gpt", "--skip-probe")
    body = desk.json(*line)
    assert (body["exitCode"], body["error"]["code"]) == (2, "missing-flag")
    assert "openai.azure.com" in body["error"]["fix"]
    assert desk.json(*line, "--base-url=https://mine.openai.azure.com/openai/v1")["ok"]
    assert provider(desk.doc, "azure")["baseUrl"] == "https://mine.openai.azure.com/openai/v1"
