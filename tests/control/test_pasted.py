"""Endpoints and models out of pasted text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr.control.pasted import parse_endpoints, parse_models, pasted_models

ENDPOINTS = [
    ("https://a.example/v1https://b.example/v1", ["https://a.example/v1", "https://b.example/v1"]),
    ("https://a.example\n  https://b.example/x ,https://a.example", ["https://a.example", "https://b.example/x"]),
    ("http//x.example https//y.example/v1 ttp://z.example ttps://w.example", None),
    ("baseUrl=https://q.example/v1.", ["https://q.example/v1"]),
    (
        "openaiBaseUrl=https://o.example/v1; claudeBaseUrl=https://c.example",
        ["https://o.example/v1", "https://c.example"],
    ),
    ("OPENAI_BASE_URL=https://k.example/v1", ["https://k.example/v1"]),
    ("api.example.com, api.example.com:8443/v1", ["https://api.example.com", "https://api.example.com:8443/v1"]),
    (
        "localhost:1234/v1 127.0.0.1:8000 [::1]:9/v1",
        ["http://localhost:1234/v1", "http://127.0.0.1:8000", "http://[::1]:9/v1"],
    ),
    ("'https://a.example/v1' (https://b.example)", ["https://a.example/v1", "https://b.example"]),
    ("nonsense sk-0123456789 gpt-4.1 ftp://x.example", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "found"), ENDPOINTS)
def test_endpoints(text: str, found: list[str] | None) -> None:
    if found is None:
        found = ["http://x.example", "https://y.example/v1", "http://z.example", "https://w.example"]
    assert parse_endpoints(text) == found


@given(st.text())
def test_any_text_gives_only_urls(text: str) -> None:
    found = parse_endpoints(text)
    assert len(found) == len(set(found))
    assert all(url.startswith(("http://", "https://")) for url in found)


@pytest.mark.parametrize(
    ("text", "found", "wrong"),
    [
        ("grok, deepseek;a/b:c  a", ["grok", "deepseek", "a/b:c", "a"], []),
        ("fast[1m] m@v1 'quoted'", ["fast[1m]", "m@v1", "quoted"], []),
        ("ok https://x.example/y ü", ["ok"], ["https://x.example/y", "ü"]),
        ("", [], []),
    ],
)
def test_models_of_a_flag(text: str, found: list[str], wrong: list[str]) -> None:
    assert parse_models(text) == (found, wrong)


LOG = """[discover] Progress 1/4 - gpt-4o on openai @ https://a.example/v1: ok
[discover] Endpoint https://a.example/v1 done: openai models=a-1[openai], b/2[claude]
Auto-discovery finished in 3.1s. 2/4 12 warning: none user@host grok claude-x"""


def test_models_of_a_log() -> None:
    assert pasted_models(LOG) == ["gpt-4o", "a-1", "b/2", "claude-x"]


@given(st.text())
def test_any_text_gives_only_models(text: str) -> None:
    assert all("://" not in own and " " not in own for own in pasted_models(text))
    parse_models(text)
