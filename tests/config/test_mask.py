"""No secret in anything that is shown."""

import json
from typing import Any

import pytest

from llr.config.mask import is_secret_name, masked, masked_doc, masked_text

SECRET = "Zq8-very-secret-Value9"


@pytest.mark.parametrize(
    "doc",
    [
        {"masterKey": SECRET},
        {"master-key": SECRET},
        {"providers": [{"apiKey": SECRET}]},
        {"providers": [{"credential": SECRET}]},
        {
            "providers": [
                {"headers": {"Authorization": SECRET, "X-Api-Key": SECRET, "Cookie": SECRET, "x-token": SECRET}}
            ]
        },
        {"providers": [{"headers": {"authorization": [SECRET]}}]},
        {"providers": [{"baseUrl": f"https://user:{SECRET}@host/v1"}]},
        {"providers": [{"baseUrl": f"https://host/v1?api_key={SECRET}"}]},
        {"providers": [{"baseUrlByFormat": {"openai": f"https://host/v1?api-version=1&subscription-key={SECRET}"}}]},
        {"x": {"token": [SECRET, "other"]}},
        {"providers": [{"proxy": f"socks5://user:{SECRET}@host:1"}]},
        {"providers": [{"quotaProbe": {"http": {"headers": [{"key": "Authorization", "value": SECRET}]}}}]},
        {"providers": [{"quotaProbe": {"http": {"headers": [{"name": "x-api-key", "value": SECRET}]}}}]},
        {"webSearch": {"providers": [{"id": "brave", "apiKey": SECRET}]}},
        {"webSearch": {"providers": {"brave": {"key": SECRET}}}},
        {"webSearch": {"braveApiKey": SECRET, "tavily-api-key": SECRET}},
        {"amp": {"upstreamApiKey": SECRET, "webSearch": {"providers": [{"id": "exa", "api-key": SECRET}]}}},
        {"amp": {"upstream-api-key": SECRET}},
        {"metadata": {"accessToken": SECRET, "client_secret": SECRET, "password": SECRET}},
        {"metadata": {"note": f"Bearer {SECRET}"}},
        {"metadata": {"note": "sk-abcdefghijklmnop"}},
    ],
)
def test_a_secret_is_masked(doc: dict[str, Any]) -> None:
    text = json.dumps(masked_doc(doc))
    assert SECRET not in text
    assert "abcdefghijklmnop" not in text


def test_the_form_of_a_mask() -> None:
    assert masked("12345678", "apiKey") == "********"
    assert masked("123456789", "apiKey") == "1234...6789"
    assert masked("", "apiKey") == ""
    assert masked(1234567890, "apiKey") == "1234...7890"
    assert masked(None, "apiKey") is None


@pytest.mark.parametrize(
    "doc",
    [
        {
            "providers": [
                {"id": "acme", "apiKeyEnv": "ACME_API_KEY", "baseUrl": "https://api.acme.example/v1?api-version=2"}
            ]
        },
        {
            "providers": [
                {"models": [{"id": "gpt-5.3-codex", "maxOutputTokens": 100, "metadata": {"llr": {"tokens": 5}}}]}
            ]
        },
        {"providers": [{"headers": {"User-Agent": "llr", "x-count": 3, "x-flag": True}}]},
        {"modelAliases": {"key": {"targets": ["acme/token"]}}, "metadata": {"localServer": {"requireAuth": True}}},
        {"carrierKeyFile": "/home/me/.llr-carrier.key"},
        {"webSearch": {"providers": [{"id": "brave", "limit": 1000}]}},
    ],
)
def test_what_is_no_secret_stays(doc: dict[str, Any]) -> None:
    assert masked_doc(doc) == doc


def test_masking_copies() -> None:
    doc = {"providers": [{"apiKey": SECRET}]}
    masked_doc(doc)  # type: ignore[arg-type]
    assert doc == {"providers": [{"apiKey": SECRET}]}


def test_names() -> None:
    assert is_secret_name("apiKey")
    assert is_secret_name("refresh_token")
    assert not is_secret_name("apiKeyEnv")
    assert not is_secret_name("tokens")
    assert not is_secret_name("monkey")


def test_text() -> None:
    assert masked_text("http://u:p@proxy:3128") == "http://[redacted]@proxy:3128"
    assert masked_text("socks5://u:p@proxy:1080") == "socks5://[redacted]@proxy:1080"
