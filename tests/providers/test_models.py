"""What is known of models: the shipped catalogue, other sources, and what configs gain by it."""

import json
from pathlib import Path
from typing import Any

import pytest

from llr.config.parse import parse_config
from llr.config.schema import Config
from llr.providers import models_data
from llr.providers.catalog import VENDORS
from llr.providers.models import (
    Catalogue,
    ModelFacts,
    builtin,
    canonical,
    lookup,
    own_form,
    read_public,
    read_rows,
)
from llr.providers.windows import decides_itself, is_private_host, lacks_windows, window_issues, with_known_windows
from tests.generate_models import MOST_BYTES, write_rows


def test_the_data_is_compact_whole_and_in_its_own_form() -> None:
    text = Path(models_data.__file__).read_bytes()
    assert len(text) <= MOST_BYTES
    facts = read_rows(models_data.ROWS)
    assert len(facts) >= 300
    assert len({canonical(one.id) for one in facts}) == len(facts)
    assert write_rows(facts) == models_data.ROWS


@pytest.mark.parametrize("one", builtin().all(), ids=lambda one: one.id)
def test_every_entry_is_plausible(one: ModelFacts) -> None:
    assert one.context_window is not None
    assert 1_000 <= one.context_window <= 20_000_000
    if one.input_price is not None and one.output_price is not None:
        assert 0 < one.output_price <= 1_000
        assert one.input_price <= one.output_price
        assert (one.cached_price or 0) <= one.input_price


@pytest.mark.parametrize(
    "model",
    [
        *("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5", "gpt-5.5", "gpt-5.2", "gpt-5-mini", "gpt-4.1"),
        *("gpt-4o-mini", "o3", "o4-mini", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-3.1-pro-preview"),
        *("deepseek-chat", "deepseek-reasoner", "qwen3-max", "qwen3-coder-plus", "kimi-k2.6", "glm-4.6", "glm-5.2"),
        *("grok-4.5", "grok-code-fast-1", "mistral-large-latest", "llama-3.3-70b-instruct", "MiniMax-M2"),
        *("gpt-oss-120b", "gpt-oss-20b", "sonar-pro"),
    ],
)
def test_well_known_models_are_known(model: str) -> None:
    assert lookup(model) is not None


@pytest.mark.parametrize(
    ("spelling", "model"),
    [
        ("anthropic/claude-sonnet-4.6", "claude-sonnet-4-6"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("accounts/fireworks/models/kimi-k2p6", "kimi-k2.6"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("deepseek/deepseek-chat:free", "deepseek-chat"),
        ("claude-sonnet-4-6[1m]", "claude-sonnet-4-6"),
        ("GPT-5.2", "gpt-5.2"),
    ],
)
def test_spellings_of_one_model_agree(spelling: str, model: str) -> None:
    found = lookup(spelling)
    assert found is not None
    assert found.id == model


@pytest.mark.parametrize("name", ["", "my-own-model", "qwen3-coder:30b", "gpt-99", "claude"])
def test_unknown_stays_unknown(name: str) -> None:
    assert lookup(name) is None


def test_near_names_are_suggested_nearest_first() -> None:
    near = [one.id for one in builtin().match("claude-sonnet-4-7", 3).suggestions]
    assert near[0].startswith("claude-sonnet-4")
    assert builtin().match("xyzzy", 3).suggestions == ()
    exact = builtin().match("gpt-4o", 2)
    assert exact.exact is not None
    assert exact.exact not in exact.suggestions


def test_the_users_own_facts_win() -> None:
    mine = Catalogue([ModelFacts("gpt-4o", 7)]).over(builtin())
    assert mine.lookup("openai/gpt-4o") == ModelFacts("gpt-4o", 7)
    assert len(mine) == len(builtin())


LITELLM: Any = {
    "sample_spec": {"mode": "one of: chat", "max_input_tokens": "text"},
    "claude-x": {
        "litellm_provider": "anthropic",
        "mode": "chat",
        "max_input_tokens": 1000,
        "max_output_tokens": 100,
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_read_input_token_cost": 3e-07,
    },
    "openai/paint": {"litellm_provider": "openai", "mode": "image_generation", "max_input_tokens": 5},
    "mistral/free": {"litellm_provider": "mistral", "mode": "chat", "max_input_tokens": 9, "input_cost_per_token": 0},
    "one/open-7b": {"litellm_provider": "one", "mode": "chat", "max_input_tokens": 8000},
    "two/open-7b": {"litellm_provider": "two", "mode": "chat", "max_input_tokens": 8000},
    "tri/open-7b": {"litellm_provider": "tri", "mode": "chat", "max_input_tokens": 4000},
    "one/odd-7b": {"litellm_provider": "one", "mode": "chat", "max_input_tokens": 8000},
    "two/odd-7b": {"litellm_provider": "two", "mode": "chat", "max_input_tokens": 4000},
}


def test_litellms_file_is_read() -> None:
    found = {one.id: one for one in read_public(LITELLM)}
    assert found["claude-x"] == ModelFacts("claude-x", 1000, 100, 3.0, 0.3, 15.0)
    assert found["free"] == ModelFacts("free", 9)
    assert found["open-7b"] == ModelFacts("open-7b", 8000)
    assert set(found) == {"claude-x", "free", "open-7b"}


def test_a_model_list_with_facts_is_read() -> None:
    entry: Any = {
        "id": "acme/m",
        "context_length": 1000,
        "top_provider": {"max_completion_tokens": 50},
        "pricing": {"prompt": "0.000001", "completion": "0.000002"},
    }
    assert read_public({"data": [entry, {"no": "id"}]}) == [ModelFacts("acme/m", 1000, 50, 1.0, None, 2.0)]


def test_our_own_form_round_trips() -> None:
    facts = [ModelFacts("a", 1000, 100, 1.5, None, 3.0), ModelFacts("b", None, None, 1.0, 0.1, 2.0)]
    form = json.loads(json.dumps(own_form(facts)))
    assert read_public(form) == facts


@pytest.mark.parametrize("value", [[], "text", None, 3])
def test_no_object_is_no_catalogue(value: Any) -> None:
    with pytest.raises(ValueError, match="object"):
        read_public(value)


def config(*providers: dict[str, Any]) -> Config:
    parsed = parse_config({"version": 2, "providers": list(providers)}, {})
    assert parsed.config is not None
    return parsed.config


def provider(base: str, *models: Any, **more: Any) -> dict[str, Any]:
    return {"id": "p", "name": "P", "baseUrl": base, "format": "openai", "apiKey": "k", "models": list(models), **more}


def test_a_config_gains_windows_and_a_makers_prices_and_keeps_what_it_says() -> None:
    said = {"id": "gpt-4.1", "contextWindow": 5, "cost": {"input": 99}}
    known = with_known_windows(config(provider("https://api.openai.com/v1", "gpt-4o", said, "house")), builtin())
    first, second, third = known.providers[0].models
    assert first.context_window == 128_000
    assert first.cost == {"input": 2.5, "cacheRead": 1.25, "output": 10.0}
    assert (second.context_window, second.cost) == (5, {"input": 99})
    assert (third.context_window, third.cost) == (None, None)


def test_a_reseller_gains_windows_without_prices() -> None:
    known = with_known_windows(config(provider("https://router.example.test/v1", "openai/gpt-4o")), builtin())
    assert known.providers[0].models[0].context_window == 128_000
    assert known.providers[0].models[0].cost is None


@pytest.mark.parametrize("base", ["http://localhost:11434/v1", "http://10.0.0.5:8000", "https://models.github.ai/x"])
def test_servers_that_choose_their_own_windows_are_left_alone(base: str) -> None:
    one = config(provider(base, "gpt-oss-20b"))
    assert decides_itself(one.providers[0])
    assert not lacks_windows(one)
    assert with_known_windows(one, builtin()).providers[0].models[0].context_window is None


def test_a_window_above_the_documented_is_a_warning_at_its_place() -> None:
    models = ["house", {"id": "gpt-4o", "contextWindow": 2_000_000}, {"id": "gpt-4.1", "contextWindow": 1_000_000}]
    [issue] = window_issues(config(provider("https://api.openai.com/v1", *models)), builtin())
    assert issue.path == "$.providers[0].models[1].contextWindow"
    assert (issue.code, issue.level.value) == ("context-window-above-known", "warning")
    assert "128,000" in issue.message


@pytest.mark.parametrize(
    ("host", "private"),
    [
        *(("localhost", True), ("127.0.0.1", True), ("[::1]", True), ("192.168.1.9", True), ("100.64.0.1", True)),
        *(("fd00::2", True), ("box", True), ("nas.local", True), ("a.internal", True), ("8.8.8.8", False)),
        *(("api.openai.com", False), ("local.example.com", False), ("2606:4700::1", False), ("", True)),
    ],
)
def test_what_counts_as_private(host: str, private: bool) -> None:
    assert is_private_host(host) is private


def test_presets_start_with_models_that_exist() -> None:
    makers = ("openai", "anthropic", "gemini", "deepseek", "xai", "mistral", "zai", "minimax")
    unknown = [name for vendor in makers for name in VENDORS[vendor].models if lookup(name) is None]
    assert unknown == []
