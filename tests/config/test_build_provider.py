"""Building a provider from what a user typed and what a probe found."""

from typing import Any

import pytest

from llr.config.build_provider import build_provider, credential


def test_building_a_provider_from_flags() -> None:
    found = build_provider(
        {
            "providerId": "Demo",
            "name": "Demo",
            "baseUrl": "https://api.demo.test/v1",
            "format": "openai",
            "apiKey": "sk-demo",
            "headers": {"User-Agent": "x"},
            "models": "demo-1, demo-2; demo-1",
            "modelContextWindows": {"demo-2": "256000"},
        }
    )
    assert found == {
        "id": "demo",
        "name": "Demo",
        "apiKey": "sk-demo",
        "baseUrl": "https://api.demo.test/v1",
        "format": "openai",
        "formats": ["openai"],
        "headers": {"User-Agent": "x"},
        "models": [{"id": "demo-1"}, {"id": "demo-2", "contextWindow": 256000}],
    }


def test_building_a_provider_from_a_probe() -> None:
    probe: Any = {
        "ok": True,
        "workingFormats": ["claude", "openai"],
        "preferredFormat": "claude",
        "models": ["a", "b"],
        "modelSupport": {"a": ["openai", "claude"], "b": ["openai"]},
        "modelPreferredFormat": {"a": "claude"},
        "endpointMatrix": [{"endpoint": "https://o.example", "workingFormats": ["openai"], "details": {}}, "odd"],
        "secret": "dropped",
    }
    given: Any = {"id": "x", "anthropic-base-url": "https://c.example", "openaiBaseUrl": "https://o.example"}
    found: Any = build_provider(given, probe)
    assert (found["format"], found["formats"]) == ("claude", ["claude", "openai"])
    assert found["baseUrlByFormat"] == {"openai": "https://o.example/", "claude": "https://c.example/"}
    assert found["models"] == [{"id": "a", "formats": ["claude"]}, {"id": "b", "formats": ["openai"]}]
    assert found["lastProbe"]["ok"] is True
    assert found["lastProbe"]["warnings"] == []
    assert found["lastProbe"]["endpointMatrix"] == [{"endpoint": "https://o.example", "workingFormats": ["openai"]}]
    assert "secret" not in found["lastProbe"]
    assert build_provider({**given, "models": ["only"]}, probe)["models"] == [{"id": "only"}]


def test_building_a_provider_with_addresses_by_format() -> None:
    given: Any = {
        "name": "x",
        "endpoints": {"anthropic": "https://c.example", "grpc": "https://g.example"},
        "models": [{"id": "m", "cost": 1}, 7, {"cost": 2}],
    }
    found = build_provider(given)
    assert found["baseUrlByFormat"] == {"claude": "https://c.example/"}
    assert found["models"] == [{"id": "m", "cost": 1}, {"id": "7"}]


def test_building_a_subscription() -> None:
    found = build_provider({"name": "GPT Sub", "type": "subscription", "subscriptionType": "chatgpt-codex"})
    assert found == {
        "id": "gpt-sub",
        "name": "GPT Sub",
        "type": "subscription",
        "subscriptionType": "chatgpt-codex",
        "subscriptionProfile": "gpt-sub",
    }


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("ACME_API_KEY", {"apiKeyEnv": "ACME_API_KEY"}),
        ("A", {"apiKeyEnv": "A"}),
        ("sk-Live", {"apiKey": "sk-Live"}),
        ("9KEY", {"apiKey": "9KEY"}),
    ],
)
def test_the_credential_box(text: str, stored: Any) -> None:
    assert credential(text) == stored
