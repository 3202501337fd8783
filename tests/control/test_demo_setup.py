"""The demo's configuration is one that `validate` has nothing to say about, and what it prints can be pasted."""

import json
import shlex

import pytest

from llr.base.redact import scrub
from llr.config.parse import parse_config
from llr.control.demo import DEMO_KEY, MODELS, demo_doc, demo_help

BASE = "http://127.0.0.1:8376"


def test_the_document_parses_without_an_issue() -> None:
    parsed = parse_config(demo_doc(4711), {})
    assert parsed.issues == ()
    assert parsed.config is not None
    provider = parsed.config.providers[0]
    assert [model.id for model in provider.models] == list(MODELS)
    assert {url.removeprefix("http://127.0.0.1:4711").rstrip("/") for url in provider.base_url_by_format.values()} == {
        "/v1",
        "",
        "/v1beta",
    }


def test_the_alias_leads_over_bad_models_to_a_good_one() -> None:
    config = parse_config(demo_doc(4711), {}).config
    assert config is not None
    targets = [target.ref for target in next(a for key, a in config.aliases.items() if key == "demo").targets]
    assert targets == ["demo/overloaded", "demo/rate-limited", "demo/error-in-200", "demo/ok"]
    assert [target.ref for key, a in config.aliases.items() if key == "default" for target in a.targets] == ["demo"]


def test_the_key_is_no_secret_and_does_not_look_like_one() -> None:
    assert scrub(json.dumps(demo_doc(4711))) == json.dumps(demo_doc(4711))
    assert scrub(demo_help(BASE)) == demo_help(BASE)
    assert DEMO_KEY in demo_help(BASE)


CURLS = [line.strip() for line in demo_help(BASE).splitlines() if line.strip().startswith("curl ")]


@pytest.mark.parametrize("line", CURLS)
def test_each_curl_line_is_whole(line: str) -> None:
    words = shlex.split(line)
    assert sum(word.startswith(BASE + "/v1") for word in words) == 1
    if "-d" in words:
        assert isinstance(json.loads(words[words.index("-d") + 1]), dict)
        assert "content-type: application/json" in words


def test_every_format_has_a_line_and_every_client_its_settings() -> None:
    text = demo_help(BASE)
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", ":generateContent", "/v1/models"):
        assert any(path in line for line in CURLS)
    for client in ("OpenAI SDK", "Anthropic SDK", "Gemini SDK", "Claude Code", "Codex CLI"):
        assert client in text
    assert all(model in text for model in MODELS)
