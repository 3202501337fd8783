"""What each tool is told, case by case."""

import json
import tomllib
from typing import Any

import pytest

from llr.config.parse import parse_config
from llr.tools import claude_code, codex, factory_droid, jsontext
from llr.tools.base import Endpoint, Found
from llr.tools.catalogue import catalogue
from llr.tools.endpoint import endpoint, normalized
from llr.tools.profile import profile_path, with_block, without_block
from llr.tools.renames import Renames, infer, rewrite
from llr.tools.routes import Route, Routes, routes_of
from tests.tools.fakes import HERE, KEY, Machine, doc, routes


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://localhost:8376", "http://127.0.0.1:8376"),
        ("http://0.0.0.0:8376/", "http://127.0.0.1:8376"),
        ("http://[::]:8376", "http://127.0.0.1:8376"),
        ("http://[::1]:1/a/b//", "http://127.0.0.1:1/a/b"),
        ("https://user:pw@gate.example:444/x?y=1#z", "https://gate.example:444/x"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]"),
        ("ftp://x", ""),
        ("", ""),
        ("http://", ""),
        ("http://h:port", ""),
    ],
)
def test_addresses_are_told_in_one_form(url: str, wanted: str) -> None:
    assert normalized(url) == wanted


def test_an_endpoint_needs_an_address_and_a_key() -> None:
    with pytest.raises(ValueError, match=r"Codex CLI endpoint URL must be a valid http:// or https:// URL\."):
        endpoint("ftp://x", "k", "Codex CLI")
    with pytest.raises(ValueError, match=r"Claude Code API key is required\."):
        endpoint("http://x", " ", "Claude Code")


# --- Codex ---------------------------------------------------------------------------------------------------------


def wired_codex(binding: dict[str, str], text: str = 'model = "gpt-5"\nmodel_reasoning_effort = "low"\n') -> Machine:
    box = Machine(codex.TOOL)
    box.put(text)
    box.wire(binding)
    return box


def test_codex_is_told_the_provider_the_model_and_the_catalogue() -> None:
    box = wired_codex({"default_model": "chat.fast", "thinking_level": "high"})
    found = tomllib.loads(box.settings)
    assert found["model_provider"] == "llm-router"
    assert found["model"] == "chat.fast"
    assert found["model_reasoning_effort"] == "high"
    assert found["model_catalog_json"] == box.places["catalog"]
    assert found["features"] == {"enable_request_compression": False}
    assert found["model_providers"]["llm-router"] == {
        "name": "LLM Router",
        "base_url": "http://127.0.0.1:8376/openai/v1",
        "wire_api": "responses",
        "experimental_bearer_token": KEY,
        "supports_websockets": False,
    }
    backup = json.loads(box.backup)
    assert (backup["tool"], backup["version"], backup["captured"]) == ("codex-cli", 1, True)
    assert backup["model"] == {"exists": True, "value": "gpt-5"}
    assert backup["modelProvider"] == {"exists": False}
    assert box.files[box.places["backup"]].mode == 0o600


def test_codex_has_no_effort_without_a_level_and_the_old_one_after() -> None:
    box = wired_codex({"default_model": "chat.fast"})
    assert "model_reasoning_effort" not in tomllib.loads(box.settings)
    box.unwire()
    assert tomllib.loads(box.settings)["model_reasoning_effort"] == "low"
    assert box.places["catalog"] not in box.files


def test_codex_without_a_file_gets_a_private_one_and_an_empty_backup() -> None:
    box = Machine(codex.TOOL)
    box.wire({"default_model": "smart"})
    assert box.files[box.places["settings"]].mode == 0o600
    assert json.loads(box.backup) == {}
    box.wire({"default_model": "chat.fast"})
    assert json.loads(box.backup) == {}
    box.unwire()
    assert set(box.files) == {box.places["backup"]}


def test_the_catalogue_tells_the_smallest_window_and_what_the_models_can() -> None:
    rows: dict[str, Any] = {str(row["slug"]): row for row in catalogue(routes(), "") if isinstance(row, dict)}
    assert list(rows) == sorted(rows)
    assert "default" not in rows
    assert rows["chat.fast"]["context_window"] == 64000
    assert rows["chat.fast"]["supported_reasoning_levels"] == []
    assert rows["smart"]["context_window"] == 200000
    assert len(rows["smart"]["supported_reasoning_levels"]) == 5
    assert rows["chat.fast"]["description"] == "Routes to openrouter/gpt-4o-mini; fallbacks openrouter/tiny."
    assert rows["openrouter/tiny"]["description"] == "LLM Router route to OpenRouter model 'tiny'."
    assert {"default", "nowhere/x"} <= {
        str(row["slug"])
        for ref in ("default", "nowhere/x")
        for row in catalogue(routes(), ref)
        if isinstance(row, dict)
    }


def test_codex_keeps_its_own_pick_where_asked_to() -> None:
    box = wired_codex({"default_model": codex.INHERIT})
    assert 'model = "gpt-5"\n' in box.settings
    assert box.places["catalog"] not in box.files
    status = box.status()
    assert status.routed
    assert status.facts["inheritCliModel"] is True
    assert status.binding["default_model"] == codex.INHERIT
    box.put(box.settings.replace("gpt-5", "gpt-6"), 0o600)
    box.wire(status.binding, endpoint=Endpoint("http://127.0.0.1:9", KEY), capture=False)
    assert 'model = "gpt-6"\n' in box.settings


def test_from_a_managed_pick_back_to_codex_own() -> None:
    box = wired_codex({"default_model": "chat.fast"})
    box.wire({"default_model": codex.INHERIT}, capture=False)
    found = tomllib.loads(box.settings)
    assert found["model"] == "gpt-5"
    assert "model_catalog_json" not in found
    assert box.places["catalog"] not in box.files
    assert box.status().routed
    box.unwire()
    assert box.settings == 'model = "gpt-5"\nmodel_reasoning_effort = "low"\n'


def test_a_changed_key_shows_as_a_token_that_does_not_match() -> None:
    box = wired_codex({"default_model": "chat.fast"})
    assert box.status(Endpoint(HERE.origin, "gw_other")).token_matches is False
    assert box.status(Endpoint(HERE.origin, "")).token_matches is None


def test_a_backup_of_another_tool_counts_as_none() -> None:
    box = Machine(codex.TOOL)
    box.put('model = "mine"\n')
    box.files[box.places["backup"]] = Found(b'{"tool": "claude-code", "model": {"exists": true, "value": "theirs"}}')
    box.wire({"default_model": "smart"})
    box.unwire()
    assert box.settings == 'model = "mine"\n'


def test_what_the_earlier_router_left_is_put_back() -> None:
    box = Machine(codex.TOOL)
    box.put(
        'model_provider = "llm-router"\nmodel = "chat.fast"\nkeep = 1\n\n[model_providers.llm-router]\n'
        'base_url = "http://127.0.0.1:8376/openai/v1"\nexperimental_bearer_token = "gw_x"\n'
        'name = "LLM Router"\nwire_api = "responses"\n'
    )
    shots = {"modelProvider": {"exists": True, "value": "azure"}, "model": {"exists": False}}
    section = {"exists": False, "body": ""}
    text = json.dumps({"tool": "codex-cli", "version": 1, **shots, "providerSection": section})
    box.files[box.places["backup"]] = Found(text.encode())
    assert box.status().routed
    box.unwire()
    assert tomllib.loads(box.settings) == {"model_provider": "azure", "keep": 1, "model": "chat.fast"}


# --- Claude Code ---------------------------------------------------------------------------------------------------


def wired_claude(binding: dict[str, str], text: str = "{}") -> Machine:
    box = Machine(claude_code.TOOL)
    box.put(text)
    box.wire(binding)
    return box


def test_claude_without_bindings_gets_address_and_token_only() -> None:
    box = wired_claude({})
    assert jsontext.parse(box.settings) == {
        "env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8376/anthropic", "ANTHROPIC_AUTH_TOKEN": KEY}
    }


def test_other_ways_to_the_vendor_are_gone_while_wired() -> None:
    text = '{"env": {"ANTHROPIC_API_KEY": "sk-1", "ANTHROPIC_SMALL_FAST_MODEL": "haiku", "X": "1"}}'
    box = wired_claude({}, text)
    assert set(jsontext.parse(box.settings)["env"]) == {"X", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"}
    box.unwire()
    assert box.settings == text


def test_every_tier_has_its_variable_and_the_window_is_the_main_models() -> None:
    names = dict.fromkeys(claude_code.MODELS, "chat.fast") | {"primary_model": "smart"}
    env = jsontext.parse(wired_claude(names).settings)["env"]
    assert {env[variable] for variable in claude_code.MODELS.values()} == {"chat.fast", "smart"}
    assert env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == env["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == "200000"
    assert env["CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"] == "1"
    small = jsontext.parse(wired_claude({"primary_model": "chat.fast"}).settings)["env"]
    assert small["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "64000"
    assert "CLAUDE_CODE_AUTO_COMPACT_WINDOW" not in small


def test_a_window_nobody_knows_is_left_to_its_owner() -> None:
    value = doc()
    value["providers"][1]["models"] = ["nobody-knows-this"]
    value["modelAliases"]["smart"]["targets"] = [{"ref": "anthropic/nobody-knows-this"}]
    box = Machine(claude_code.TOOL)
    box.put('{"env": {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9999"}}')
    box.wire({"primary_model": "smart"}, known=routes(value))
    env = jsontext.parse(box.settings)["env"]
    assert env["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "9999"
    assert "CLAUDE_CODE_MAX_CONTEXT_TOKENS" not in env


@pytest.mark.parametrize(
    ("level", "saved"), [("low", "low"), ("high", "high"), ("xhigh", "xhigh"), ("max", None), ("", "medium")]
)
def test_the_effort_level_is_written_and_the_owners_comes_back(level: str, saved: str | None) -> None:
    box = wired_claude({"thinking_level": level}, '{"effortLevel": "medium"}')
    found = jsontext.parse(box.settings)
    assert found["env"].get("CLAUDE_CODE_EFFORT_LEVEL") == (level or None)
    assert found.get("effortLevel") == saved
    box.unwire()
    assert box.settings == '{"effortLevel": "medium"}'


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"env": {"CLAUDE_CODE_EFFORT_LEVEL": "max"}, "effortLevel": "low"}, "max"),
        ({"effortLevel": "high", "env": {"MAX_THINKING_TOKENS": "1"}}, "high"),
        ({"env": {"MAX_THINKING_TOKENS": "8000"}}, "medium"),
        ({"env": {"MAX_THINKING_TOKENS": "5000"}}, "low"),
        ({"env": {"MAX_THINKING_TOKENS": "24000"}}, "high"),
        ({"env": {"MAX_THINKING_TOKENS": "28000"}}, "xhigh"),
        ({"env": {"MAX_THINKING_TOKENS": "40000"}}, "max"),
        ({"env": {"MAX_THINKING_TOKENS": "-5"}}, ""),
        ({"env": {"MAX_THINKING_TOKENS": "much"}}, ""),
        ({"env": "x"}, ""),
        ({}, ""),
    ],
)
def test_levels_are_read_from_wherever_they_stand(settings: dict[str, Any], level: str) -> None:
    assert claude_code.level_of(settings) == level


def test_the_profile_has_one_block_or_none() -> None:
    text = "alias x=y"
    once = with_block(text, "high")
    assert with_block(once, "max").count("llm-router effort-level >>>") == 1
    assert 'EFFORT_LEVEL="max"' in with_block(once, "max")
    assert without_block(once) == "alias x=y\n"
    assert without_block("# >>> llm-router effort-level >>>\nopen") == "# >>> llm-router effort-level >>>\nopen"
    assert profile_path({"SHELL": "/bin/zsh", "HOME": "/h"}) == "/h/.zshrc"
    assert profile_path({"SHELL": "/bin/fish", "HOME": "/h"}) == "/h/.bashrc"


# --- Factory Droid -------------------------------------------------------------------------------------------------


def wired_droid(binding: dict[str, str], text: str = "{}", value: dict[str, Any] | None = None) -> Machine:
    box = Machine(factory_droid.TOOL)
    box.put(text)
    box.wire(binding, known=routes(value))
    return box


def entries(box: Machine) -> dict[str, Any]:
    return {row["model"]: row for row in jsontext.parse(box.settings)["customModels"]}


def test_droid_has_an_entry_for_every_name() -> None:
    rows = entries(wired_droid({"default_model": "chat.fast"}))
    assert list(rows) == [
        *("default", "chat.fast", "smart"),
        *("openrouter/gpt-4o-mini", "openrouter/tiny", "anthropic/claude-3-5-test"),
    ]
    assert rows["openrouter/gpt-4o-mini"] == {
        "_llmRouterManaged": True,
        "model": "openrouter/gpt-4o-mini",
        "id": "custom:llm-openrouter-gpt-4o-mini",
        "index": 3,
        "displayName": "GPT 4o mini - LLM Router (OpenRouter)",
        "baseUrl": "http://127.0.0.1:8376/openai/v1",
        "apiKey": KEY,
        "provider": "openai",
    }
    assert rows["smart"]["provider"] == "anthropic"
    assert rows["smart"]["baseUrl"] == "http://127.0.0.1:8376/anthropic"
    assert rows["anthropic/claude-3-5-test"]["displayName"] == "Claude 3.5 test - LLM Router (Anthropic)"


def test_droid_names_models_as_people_do() -> None:
    assert factory_droid.base_name("gpt-4o-mini") == "GPT 4o mini"
    assert factory_droid.base_name("claude-opus-4-5") == "Claude opus 4.5"
    assert factory_droid.base_name("glm_4-6") == "GLM 4.6"
    assert [factory_droid.provider_label(name) for name in ("", "zai", "deepseek", "my-own")] == [
        *("Provider", "ZAI", "DeepSeek", "My Own")
    ]
    assert factory_droid.slug("a/b:c  d*e--f-") == "a-b-c-d-e-f"


def test_entries_that_would_have_one_id_are_told_apart() -> None:
    value = doc()
    value["providers"][0]["models"] = [{"id": "a/b"}, {"id": "a:b"}]
    value["modelAliases"] = {}
    ids = [row["id"] for row in entries(wired_droid({}, value=value)).values()]
    assert len(ids) == len(set(ids)) == 3


def test_a_local_runtime_is_asked_generically() -> None:
    known = Routes({"here/m": Route("here/m", False, local=True, format="claude")}, "here/m")
    box = Machine(factory_droid.TOOL)
    box.wire({}, known=known)
    row = entries(box)["here/m"]
    assert row["provider"] == "generic-chat-completion-api"
    assert row["baseUrl"] == "http://127.0.0.1:8376/openai/v1"


def test_no_route_at_all_still_gives_an_entry() -> None:
    box = Machine(factory_droid.TOOL)
    box.wire({}, known=Routes())
    assert [row["id"] for row in entries(box).values()] == ["custom:llm-alias-llm-router"]


OWN = '{"customModels": [{"model": "a", "id": "custom:mine", "index": 9}], "model": "custom:mine"}'


def test_own_entries_keep_their_place_and_ours_are_numbered_behind() -> None:
    box = wired_droid({"default_model": "smart"}, OWN)
    listed = jsontext.parse(box.settings)["customModels"]
    assert listed[0] == {"model": "a", "id": "custom:mine", "index": 9}
    assert [row["index"] for row in listed[1:]] == list(range(10, 16))
    box.wire({"default_model": "chat.fast"})
    again = jsontext.parse(box.settings)["customModels"]
    assert len(again) == len(listed)
    assert box.status().binding["default_model"] == "chat.fast"
    box.unwire()
    assert box.settings == OWN


def test_an_own_entry_may_be_bound() -> None:
    box = wired_droid({"default_model": "custom:mine"}, OWN)
    assert jsontext.parse(box.settings)["model"] == "custom:mine"


def test_entries_from_before_the_mark_are_replaced() -> None:
    old = {"model": "x", "id": "custom:old", "apiKey": "gw_old", "baseUrl": "http://127.0.0.1:8376/openai/v1"}
    box = wired_droid({}, json.dumps({"customModels": [old]}))
    assert "custom:old" not in box.settings


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("custom:llm-alias-chat.fast", "chat.fast"),
        ("chat.fast - LLM Router (Alias)", "chat.fast"),
        ("llm-alias:chat.fast", "chat.fast"),
        ("custom:llm-openrouter:tiny", "openrouter/tiny"),
        ("custom:mine", "custom:mine"),
    ],
)
def test_bindings_read_back_as_names(text: str, ref: str) -> None:
    box = wired_droid({})
    box.put(jsontext.put(box.settings, ("model",), text))
    box.put(jsontext.put(box.settings, ("sessionDefaultSettings", "model"), text))
    assert box.status().binding["default_model"] == ref


def test_missions_without_a_model_leave_no_empty_object() -> None:
    box = wired_droid({"default_model": "smart", "mission_worker_model": "smart"})
    assert "missionModelSettings" in box.settings
    box.wire({"default_model": "smart"})
    assert "missionModelSettings" not in box.settings


def test_a_new_model_is_in_the_list_after_the_next_step() -> None:
    box = wired_droid({"default_model": "smart"})
    value = doc()
    value["providers"][0]["models"].append({"id": "fresh"})
    assert box.wire({"default_model": "smart"}, known=routes(value), capture=False).edits
    assert "openrouter/fresh" in entries(box)


# --- renames -------------------------------------------------------------------------------------------------------


def changed(**how: Any) -> dict[str, Any]:
    value = doc()
    if "alias" in how:
        old, new = how["alias"]
        value["modelAliases"] = {(new if key == old else key): one for key, one in value["modelAliases"].items()}
        value["modelAliases"][new]["id"] = new
    if "provider" in how:
        value["providers"][0]["id"] = how["provider"]
        for alias in value["modelAliases"].values():
            for row in (*alias["targets"], *alias.get("fallbackTargets", [])):
                row["ref"] = row["ref"].replace("openrouter/", f"{how['provider']}/")
    return value


def test_what_two_versions_show_without_doubt_is_inferred() -> None:
    assert infer(doc(), changed(alias=("smart", "clever"))).aliases == {"smart": "clever"}
    both = infer(doc(), changed(alias=("chat.fast", "quick"), provider="or"))
    assert both.providers == {"openrouter": "or"}
    assert both.aliases == {"chat.fast": "quick"}
    models = doc()
    models["providers"][0]["models"][1]["id"] = "tiny-2"
    assert infer(doc(), models).models == {("openrouter", "tiny"): "tiny-2"}
    assert infer(doc(), doc()) == Renames()


def test_names_follow_or_go_and_unknown_ones_stay() -> None:
    old, new = routes(), routes(changed(alias=("smart", "clever"), provider="or"))
    renames = Renames(providers={"openrouter": "or"}, aliases={"smart": "clever"})
    assert rewrite("smart", old, new, renames) == "clever"
    assert rewrite("alias:smart", old, new, renames) == "alias:clever"
    assert rewrite("openrouter/tiny", old, new, renames) == "or/tiny"
    assert rewrite("chat.fast", old, new, renames) == "chat.fast"
    assert rewrite("typed-by-hand", old, new, renames) == "typed-by-hand"
    assert rewrite("smart", old, new, Renames()) is None
    assert rewrite("", old, new, renames) == ""


def test_the_default_is_the_configs_then_the_first_alias_then_the_first_model() -> None:
    value = doc()
    assert routes(value).default == "default"
    value["defaultModel"] = "openrouter/tiny"
    assert routes(value).default == "openrouter/tiny"
    value["modelAliases"] = {}
    del value["defaultModel"]
    assert routes(value).default == "openrouter/gpt-4o-mini"
    assert routes_of(parse_config({"version": 2}, {}).config).default == ""
