"""What `list` says beyond providers: the AMP block, subscriptions, what is switched off."""

from typing import Any

import pytest

from tests.control.desk import Desk, doc


def amp() -> dict[str, Any]:
    return {
        "upstreamUrl": "https://ampcode.example",
        "upstreamApiKey": "amp-0123456789-key",
        "restrictManagementToLocalhost": True,
        "defaultRoute": "fast",
        "routes": {"oracle": "acme/big", "@sig": "fast"},
        "rawModelRoutes": [{"from": "gpt-*", "to": "acme/small"}],
        "modelMappings": [{"match": "claude-*", "route": "beta/one"}],
        "subagentMappings": {"search": "acme/small"},
        "subagentDefinitions": [{"id": "search", "patterns": ["a*", "b*"]}],
        "overrides": {"entities": {"x": {"route": "fast"}}},
    }


def test_amp(desk: Desk) -> None:
    desk.put({**doc(), "amp": amp()})
    _, out, _ = desk.run("list")
    for text in (
        "AMP / Amp CLI\n",
        "| Upstream API Key                 | amp-...-key",
        "| Restrict Management To Localhost | Yes",
        "| Force Model Mappings             | No",
        "| Preset                           | builtin",
        "| AMP Route Count                  | 2",
        "| AMP Overrides                    | configured",
        "| Subagent Definition Count        | 1",
        "| oracle | acme/big |",
        "| gpt-* | acme/small |",
        "| claude-* | beta/one |",
        "| search   | a* | b*        |",
        "| search   | acme/small |",
    ):
        assert text in out, text


def test_no_amp(desk: Desk) -> None:
    _, out, _ = desk.run("list")
    assert "| Upstream URL                     | (disabled)" in out
    assert "| Subagent Definition Count        | default" in out
    assert "The built-in definitions are in use." in out
    desk.put({**doc(), "amp": {"subagentDefinitions": []}})
    _, out, _ = desk.run("list")
    assert "| Subagent Definition Count        | 0" in out
    assert "No subagent definitions configured." in out


@pytest.mark.parametrize(
    "block",
    [7, [], {"routes": 7, "rawModelRoutes": {"a": "b"}, "subagentDefinitions": {"x": 1}, "subagentMappings": [1, {}]}],
)
def test_a_malformed_amp_block_does_no_harm(desk: Desk, block: Any) -> None:
    desk.put({**doc(), "amp": block})
    assert desk.run("list")[0] == 0


def test_what_is_switched_off_is_told(desk: Desk) -> None:
    found = doc()
    found["providers"][1]["enabled"] = False
    found["providers"][0]["models"][1]["enabled"] = False
    desk.put(found)
    _, out, _ = desk.run("list")
    assert out.endswith("Disabled\n- acme/small\n- beta\n")
    assert desk.json("list")["data"]["disabled"] == ["acme/small", "beta"]


def test_subscriptions(desk: Desk) -> None:
    found = doc()
    found["providers"][1] = {
        "id": "sub",
        "name": "Sub",
        "type": "subscription",
        "subscriptionType": "claude-code",
        "models": ["one"],
    }
    desk.put({**found, "modelAliases": {}})
    _, out, _ = desk.run("list")
    for text in ("Subscription (OAuth)", "Managed by OAuth session", "| Subscription Type    | claude-code"):
        assert text in out
    assert "Managed by OAuth subscription provider" in out


def test_sections_stand_in_order(desk: Desk) -> None:
    _, out, _ = desk.run("list")
    places = [out.index(f"\n{title}\n") for title in ("Overview", "AMP / Amp CLI", "Providers", "Model Aliases")]
    assert places == sorted(places)
    assert out.index("Provider: Acme\nProvider Details\n") < out.index("Provider: Beta\n")


def test_endpoints_of_every_format_are_named_by_their_family(desk: Desk) -> None:
    acme: dict[str, Any] = {
        "id": "acme",
        "name": "Acme",
        "baseUrl": "https://a.example/v1",
        "baseUrlByFormat": {
            "gemini": "https://a.example/gemini",
            "openai-responses": "https://a.example/responses",
            "openai-chat": "https://a.example/v1",
            "claude": "https://a.example/claude",
        },
        "apiKey": "k-0123456789",
        "models": [{"id": "m"}],
    }
    desk.put({"version": 2, "providers": [acme]})
    _, out, _ = desk.run("list")
    rows = [line.split("|")[1:3] for line in out.splitlines() if " Endpoint " in line and "https" in line]
    assert [(name.strip(), url.strip().removeprefix("https://a.example/")) for name, url in rows] == [
        ("OpenAI Endpoint", "responses"),
        ("OpenAI Endpoint", "v1"),
        ("Claude Endpoint", "claude"),
        ("Gemini Endpoint", "gemini"),
    ]


def test_context_windows_that_only_the_catalogue_knows_are_marked(desk: Desk) -> None:
    found = doc()
    found["providers"][0]["models"] = [{"id": "gpt-4o"}, {"id": "big", "contextWindow": 5}, {"id": "house-1"}]
    desk.put(found)
    _, out, _ = desk.run("list")
    for row in ("| gpt-4o  | 128,000 (catalogue) |", "| big     | 5  ", "| house-1 | Unknown  "):
        assert row in out
    data = desk.json("list")["data"]
    assert data["catalogueContextWindows"] == {"acme/gpt-4o": 128000}
    assert [model["contextWindow"] for model in data["providers"][0]["models"]] == [None, 5, None]


def test_a_server_with_windows_of_its_own_is_not_looked_up(desk: Desk) -> None:
    found = doc()
    found["providers"][0] |= {"baseUrl": "http://127.0.0.1:9", "models": ["gpt-4o"]}
    desk.put(found)
    _, out, _ = desk.run("list")
    assert "| gpt-4o | Unknown " in out
