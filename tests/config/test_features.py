"""Blocks kept for features of their own: search, tools, quota probes, and the normal form of a whole config."""

from typing import Any

import pytest

from llr.config.cursor import Cursor
from llr.config.features import read_claude_code, read_ollama
from llr.config.links import Names, names_of
from llr.config.providers import read_providers
from llr.config.quota import read_quota_probe
from llr.config.view import written
from llr.config.websearch import read_web_search

ACME: dict[str, Any] = {"id": "acme", "baseUrl": "https://x.example", "models": ["m"]}


FULL = {"limit": 1000, "remaining": 1000}
UNMETERED = {"limit": 0, "remaining": 0}
PHI = {"keepAlive": "1h", "contextLength": 4096, "pinned": True, "autoLoad": False}


def names(raw: dict[str, Any]) -> Names:
    return names_of(read_providers(Cursor(raw, kind="root").key("providers"), {}), ())


def search(**web: Any) -> Any:
    raw: Any = {"providers": [ACME], "webSearch": web}
    return read_web_search(Cursor(raw, kind="root"), names(raw))


def test_search_is_brought_into_normal_form() -> None:
    found = search(
        providers={"brave": {"api-key": "k"}, "Tavily": {"key": "t", "limit": 5, "remaining": 9}, "acme/m": {}},
        count=30,
        strategy="quota-aware-weighted-rr",
    )
    assert found == {
        "strategy": "quota-balance",
        "count": 20,
        "providers": [
            {"id": "brave", "apiKey": "k", "count": 20, "limit": 1000, "remaining": 1000},
            {"id": "tavily", "apiKey": "t", "count": 20, "limit": 5, "remaining": 5},
            {"id": "acme/m", "providerId": "acme", "model": "m"},
        ],
    }


@pytest.mark.parametrize(
    ("web", "providers"),
    [
        (
            {"providers": [{"id": "searxng", "searxngUrl": "http://S/x/"}]},
            [{"id": "searxng", "url": "http://s/x", "limit": 0, "remaining": 0}],
        ),
        ({"providers": [{"backend": "EXA"}]}, [{"id": "exa"}]),
        ({"providers": ["acme/m"]}, [{"id": "acme/m", "providerId": "acme", "model": "m"}]),
        ({"providers": [{"provider": "acme", "modelId": "m"}]}, [{"id": "acme/m", "providerId": "acme", "model": "m"}]),
        ({"providers": [{"id": "brave", "monthlyLimit": "7"}]}, [{"id": "brave", "limit": 7, "remaining": 7}]),
        ({"providers": [{"id": "brave", "remaining": 7}]}, [{"id": "brave", "limit": 1000, "remaining": 7}]),
        (
            {"providers": [{"id": "brave", "apiKey": "k", "count": 5}], "count": 9},
            [{"id": "brave", "apiKey": "k", "limit": 1000, "remaining": 1000}],
        ),
        ({"providers": [7, None, {"id": "bing"}]}, []),
        (
            {"braveApiKey": "b", "searxng-url": "http://s", "braveMonthlyLimit": 5, "preferredBackend": "searxng"},
            [
                {"id": "searxng", "url": "http://s", "limit": 0, "remaining": 0},
                {"id": "brave", "apiKey": "b", "limit": 5, "remaining": 5},
            ],
        ),
        (
            {"tavily-api-key": "t", "tavilyRemaining": 3},
            [{"id": "tavily", "apiKey": "t", "limit": 1000, "remaining": 3}],
        ),
        ({}, []),
    ],
)
def test_search_providers(web: dict[str, Any], providers: list[Any]) -> None:
    found = search(**web)
    assert found["providers"] == providers


def test_the_top_level_search_beats_the_one_inside_amp() -> None:
    inner = {"webSearch": {"count": 3}}
    raw: Any = {"amp": inner, "webSearch": {"count": 7}}
    assert (read_web_search(Cursor(raw, kind="root"), names(raw)) or {})["count"] == 7
    raw = {"amp": inner}
    assert (read_web_search(Cursor(raw, kind="root"), names(raw)) or {})["count"] == 3
    raw = {"amp": {"braveApiKey": "k"}}
    assert (read_web_search(Cursor(raw, kind="root"), names(raw)) or {})["providers"]
    raw = {"amp": {"upstreamUrl": "https://x"}}
    assert read_web_search(Cursor(raw, kind="root"), names(raw)) is None


@pytest.mark.parametrize(
    ("block", "normal"),
    [
        ({"webSearchProvider": "Brave"}, {"webSearchProvider": "brave"}),
        ({"search-provider": "acme/M"}, {"webSearchProvider": "acme/M"}),
        ({"webSearchProvider": " "}, None),
        ({}, None),
        ("x", None),
        (None, None),
    ],
)
def test_claude_code(block: Any, normal: Any) -> None:
    assert read_claude_code(Cursor({"claudeCode": block}, kind="root"), None) == normal


OLLAMA_OFF = {
    "enabled": False,
    "baseUrl": "http://localhost:11434",
    "autoConnect": True,
    "defaultKeepAlive": "5m",
    "managedModels": {},
    "autoLoadModels": [],
}


@pytest.mark.parametrize(
    ("block", "changes"),
    [
        (None, {}),
        ({}, {"enabled": True}),
        ({"enabled": False}, {}),
        (
            {"base-url": "HTTP://box:11434", "autoConnect": False},
            {"enabled": True, "baseUrl": "http://box:11434", "autoConnect": False},
        ),
        ({"defaultKeepAlive": -1}, {"enabled": True, "defaultKeepAlive": "-1"}),
        ({"defaultKeepAlive": "2d"}, {"enabled": True}),
        (
            {"managedModels": {"phi": {"keepAlive": "1h", "contextLength": "4096.4", "pinned": True, "autoLoad": 1}}},
            {
                "enabled": True,
                "managedModels": {"phi": {"keepAlive": "1h", "contextLength": 4096, "pinned": True, "autoLoad": False}},
            },
        ),
        ({"auto-load-models": ["a", "a", ""]}, {"enabled": True, "autoLoadModels": ["a"]}),
    ],
)
def test_ollama(block: Any, changes: dict[str, Any]) -> None:
    assert read_ollama(Cursor({"ollama": block}, kind="root")) == {**OLLAMA_OFF, **changes}


def probe(raw: Any) -> Any:
    return read_quota_probe(Cursor(raw), "acme")


@pytest.mark.parametrize(
    "raw", [None, {}, {"enabled": "true", "capKind": "tokens"}, {"enabled": True}, {"enabled": True, "capKind": "x"}, 7]
)
def test_a_quota_probe_that_is_off(raw: Any) -> None:
    assert probe(raw) is None


def test_the_defaults_of_a_quota_probe() -> None:
    assert probe({"enabled": True, "capKind": "tokens"}) == {
        "enabled": True,
        "capKind": "tokens",
        "combinator": "AND",
        "enforce": "gate",
        "mode": "http",
        "safetyMargin": {"dollars": 0, "percent": 0},
        "http": None,
        "custom": None,
        "refreshTriggers": {"onUiOpen": False, "onManual": True, "onResetAt": False, "onUpstreamError": None},
    }


def test_the_parts_of_a_quota_probe() -> None:
    found = probe(
        {
            "enabled": True,
            "capKind": "dollars",
            "combinator": "or",
            "safetyMargin": {"dollars": 2.5, "percent": -1},
            "http": {
                "method": "post",
                "url": "{{providerBaseUrl}}/quota",
                "headers": [{"name": "a", "value": "b"}, {"value": "x"}],
                "timeoutMs": 99_999,
                "body": {"q": 1},
                "mapping": {
                    "used": {"path": "$.u", "as": "dollars-from-cents"},
                    "limit": {"path": "$.l", "as": "??"},
                    "limitFallbacks": ["$.x"],
                    "constants": {"limit": 5},
                },
            },
            "custom": {"source": "x", "timeoutMs": 99_999},
            "refreshTriggers": {
                "onManual": False,
                "onUpstreamError": {"statusCodes": [402, "429", "x"], "bodyRegex": 7},
            },
        }
    )
    assert (found["combinator"], found["safetyMargin"]) == ("OR", {"dollars": 2.5, "percent": 0})
    assert found["http"] == {
        "method": "POST",
        "url": "{{providerBaseUrl}}/quota",
        "headers": [{"key": "a", "value": "b"}],
        "timeoutMs": 15_000,
        "mapping": {
            "used": {"path": "$.u", "as": "dollars-from-cents"},
            "limit": {"path": "$.l", "as": "raw"},
            "limitFallbacks": ["$.x"],
            "constants": {"limit": 5},
        },
        "body": {"q": 1},
    }
    assert found["custom"]["timeoutMs"] == 10_000
    assert found["refreshTriggers"]["onManual"] is True
    assert found["refreshTriggers"]["onUpstreamError"] == {"statusCodes": [402, 429], "bodyRegex": None}


def test_the_normal_form_has_every_key_in_order() -> None:
    raw = {
        "zzz": 1,
        "model-aliases": {"fast": {"targets": ["acme/m"]}},
        "providers": [{**ACME, "endpoint": "https://E.example", "rateLimits": [], "models": ["m", {"id": "n"}]}],
        "amp": {"upstreamUrl": "https://ampcode.example", "webSearch": {"count": 3}},
        "metadata": {"localServer": {"host": "0.0.0.0", "watchConfig": True}, "note": "kept"},
        "masterKey": "k",
        "defaultModel": "fast",
    }
    found = written(raw, {})  # type: ignore[arg-type]
    assert list(found) == [
        "version",
        "masterKey",
        "defaultModel",
        "providers",
        "modelAliases",
        "amp",
        "webSearch",
        "ollama",
        "metadata",
    ]
    providers: Any = found["providers"]
    assert set(providers[0]) == {
        *("id", "name", "type", "enabled", "baseUrl", "format", "formats", "auth", "headers", "models", "rateLimits"),
        "quotaProbe",
    }
    assert providers[0]["models"][0] == {"id": "m", "aliases": [], "formats": [], "enabled": True}
    amp: Any = found["amp"]
    assert amp["upstreamUrl"] == "https://ampcode.example/"
    assert "webSearch" not in amp
    assert found["metadata"] == {"note": "kept", "localServer": {"host": "0.0.0.0"}}
    aliases: Any = found["modelAliases"]
    assert aliases["default"]["targets"] == [{"ref": "acme/m"}]


def test_the_normal_form_is_a_fixed_point() -> None:
    raw: dict[str, Any] = {
        "providers": [
            {
                **ACME,
                "format": "openai",
                "apiKeyEnv": "K",
                "auth": {"kind": "header", "header": "x-k"},
                "authByFormat": {"claude": {"type": "none"}},
                "rateLimits": [{"name": "Cap", "models": "all", "limit": 5, "windowUnit": "day", "windowSize": 1}],
                "quotaProbe": {"enabled": True, "capKind": "tokens", "http": {"url": "https://q.example"}},
            }
        ],
        "webSearch": {"providers": {"brave": {"key": "k"}}, "count": 9},
        "claudeCode": {"searchProvider": "BRAVE"},
        "ollama": {},
        "metadata": {"activityLog": {"enabled": False}},
    }
    once = written(raw, {})
    assert written(once, {}) == once


def test_no_normal_form_without_a_config() -> None:
    with pytest.raises(ValueError, match="must be a JSON object"):
        written([], {})  # type: ignore[arg-type]
