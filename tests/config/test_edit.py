"""Edits: what each changes, what follows, what survives."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from llr.config.document import write_document
from llr.config.edit_limits import limits_by_id, remove_rate_limit, set_rate_limits
from llr.config.edit_models import (
    remove_alias,
    remove_model,
    rename_alias,
    rename_model,
    set_default_model,
    set_model_fallbacks,
    upsert_alias,
)
from llr.config.edit_providers import remove_provider, rename_provider, upsert_provider
from llr.config.edit_result import Edit
from llr.config.edit_root import set_local_server, set_master_key
from llr.config.locate import EditError
from llr.config.parse import parse_config
from llr.config.references import default_is_set
from tests.config.edit_rig import BASE, base, done, errors


def test_the_base_document_is_clean() -> None:
    assert errors(BASE) == []


EDITS: list[tuple[str, Callable[[Any], Edit]]] = [
    ("upsert", lambda doc: upsert_provider(doc, {"id": "acme", "name": "Acme", "models": ["n"]})),
    ("append", lambda doc: upsert_provider(doc, {"id": "new", "models": ["x"]}, master_key="k", set_default=True)),
    ("remove provider", lambda doc: remove_provider(doc, "acme")),
    ("rename provider", lambda doc: rename_provider(doc, "acme", "zeta")),
    ("remove model", lambda doc: remove_model(doc, "acme", "m")),
    ("rename model", lambda doc: rename_model(doc, "acme", "n", "n2")),
    ("fallbacks", lambda doc: set_model_fallbacks(doc, "acme", "m", ["beta/b"])),
    ("alias", lambda doc: upsert_alias(doc, "fast", targets=[{"ref": "beta/b"}])),
    ("new alias", lambda doc: upsert_alias(doc, "new", targets=[{"ref": "beta/b"}])),
    ("remove alias", lambda doc: remove_alias(doc, "fast")),
    ("rename alias", lambda doc: rename_alias(doc, "fast", "quick")),
    ("default", lambda doc: set_default_model(doc, "beta/b")),
    ("limits", lambda doc: set_rate_limits(doc, "acme", [{"id": "cap", "requests": 9}])),
    ("remove limit", lambda doc: remove_rate_limit(doc, "acme", "cap")),
    ("master key", lambda doc: set_master_key(doc, "k2")),
    ("local server", lambda doc: set_local_server(doc, require_auth=True, port=9)),
]


@pytest.mark.parametrize(("what", "make"), EDITS, ids=[row[0] for row in EDITS])
def test_an_edit_changes_a_copy_and_only_what_it_is_about(what: str, make: Callable[[Any], Edit]) -> None:
    doc = base()
    made = make(doc)
    assert doc == BASE
    assert made.changes
    found = done(made)
    assert found["zzz"] == {"kept": 1.0}
    assert found["amp"]["custom"] is True
    assert [key for key in found if key in BASE] == list(BASE)
    assert {"id": "gone", "enabled": False, "baseUrl": "https://z.example", "models": ["g"]} in found["providers"]
    acme = next((one for one in found["providers"] if one.get("id") in {"acme", "zeta"}), None)
    if acme is not None:
        assert acme["unknown"] == [1]
        assert {"id": "off", "enabled": False} in acme["models"]
    assert found["modelAliases"]["default"]["note"] == 1
    assert write_document(found)


# Upserting a provider.


def test_a_merge_keeps_what_it_does_not_name() -> None:
    made = done(upsert_provider(base(), {"id": "acme", "baseUrl": "https://new.example", "models": [{"id": "n"}, "q"]}))
    acme = made["providers"][0]
    assert acme["baseUrl"] == "https://new.example"
    assert acme["rateLimits"] == BASE["providers"][0]["rateLimits"]
    assert acme["models"] == [BASE["providers"][0]["models"][1], "q", {"id": "off", "enabled": False}]
    assert made["modelAliases"] == BASE["modelAliases"]


def test_a_merge_that_names_the_same_models_writes_none_anew() -> None:
    doc = base()
    odd: Any = ["a", {"name": "b", "x": 1}, {"id": "off", "enabled": False}, {"broken": True}, "a"]
    doc["providers"][0]["models"] = copy.deepcopy(odd)
    same: Any = [{"id": "a"}, {"id": "b"}, {"id": "off"}]
    assert done(upsert_provider(doc, {"id": "acme", "models": same}))["providers"][0]["models"] == odd
    more = done(upsert_provider(doc, {"id": "acme", "models": [*same, {"id": "c"}]}))["providers"][0]["models"]
    assert more == [*odd[:3], {"id": "c"}]


def test_a_merge_states_what_the_new_model_states() -> None:
    new: Any = {"id": "n", "contextWindow": 9, "fallbackModels": []}
    made = done(upsert_provider(base(), {"id": "acme", "models": [new]}))
    assert made["providers"][0]["models"][0] == {
        "id": "n",
        "aliases": ["en"],
        "fallbackModels": [],
        "contextWindow": 9,
        "x": 1,
    }


def test_a_merge_writes_under_the_spelling_in_use() -> None:
    doc: Any = {"providers": [{"id": "a", "base-url": "https://old.example", "credential": "old", "models": "m"}]}
    made = done(upsert_provider(doc, {"id": "a", "baseUrl": "https://new.example", "apiKey": None, "apiKeyEnv": "K"}))
    assert made["providers"] == [{"id": "a", "base-url": "https://new.example", "models": "m", "apiKeyEnv": "K"}]


def test_a_single_provider_object_becomes_a_list_when_another_joins() -> None:
    doc: Any = {"providers": {"id": "a", "models": ["m"]}}
    assert [one["id"] for one in done(upsert_provider(doc, {"id": "b"}))["providers"]] == ["a", "b"]
    assert done(upsert_provider({}, {"name": "My AI"}))["providers"] == [{"id": "my-ai", "name": "My AI"}]


@pytest.mark.parametrize(
    ("doc", "default"),
    [
        ({}, "new/x"),
        ({"modelAliases": {"default": {"targets": []}}}, "new/x"),
        ({"defaultModel": "default"}, "new/x"),
        ({"defaultModel": "a/b"}, "a/b"),
        ({"modelAliases": {"default": {"targets": ["a/b"]}}}, None),
    ],
)
def test_the_first_model_becomes_the_default_only_where_there_is_none(doc: Any, default: str | None) -> None:
    made = done(upsert_provider(doc, {"id": "new", "models": ["x"]}, set_default=True))
    assert made.get("defaultModel") == default
    if default == "new/x":
        assert made["modelAliases"]["default"]["targets"] == [{"ref": "new/x"}]
        assert default_is_set(made)


def test_a_bad_provider_id_is_refused() -> None:
    with pytest.raises(EditError, match="9x"):
        upsert_provider({}, {"id": "9x"})


# Removing.


def test_removing_a_provider_takes_every_reference_along() -> None:
    made = remove_provider(base(), "acme")
    found = done(made)
    assert [one["id"] for one in found["providers"]] == ["beta", "gone"]
    assert found["defaultModel"] == "beta/b"
    assert found["modelAliases"]["default"]["targets"] == ["beta/b"]
    assert found["modelAliases"]["fast"] == {"targets": [], "fallbackTargets": ["beta/b"]}
    assert found["amp"]["defaultRoute"] == "fast"
    assert found["amp"]["routes"] == {"oracle": "fast", "x": "beta/b"}
    assert found["amp"]["rawModelRoutes"] == [{"from": "k", "sourceRouteKey": "oracle"}]
    assert found["amp"]["overrides"] == {"entities": [{"id": "t"}]}
    assert (found["amp"]["modelMappings"], found["amp"]["subagentMappings"]) == ([], {})
    assert found["webSearch"]["providers"] == [{"id": "brave", "apiKey": "k"}]
    assert "webSearchProvider" not in found["claudeCode"]
    assert errors(found) == []
    assert "provider acme removed" in made.changes
    assert "alias fast targets: acme/m removed" in made.changes
    assert "defaultModel: acme/m is now beta/b" in made.changes


def test_removing_without_pruning_leaves_the_references() -> None:
    found = done(remove_provider(base(), "acme", prune=False))
    assert found["modelAliases"] == BASE["modelAliases"]
    assert any("unknown model 'acme/m'" in message for message in errors(found))


def test_removing_the_last_provider_unsets_the_default() -> None:
    doc: Any = {"defaultModel": "a/m", "amp": {"defaultRoute": "a/m"}, "providers": [{"id": "a", "models": ["m"]}]}
    found = done(remove_provider(doc, "a"))
    assert "defaultModel" not in found
    assert found["amp"] == {}


def test_a_default_alias_emptied_by_a_removal_gets_the_new_default() -> None:
    doc: Any = {
        "defaultModel": "a/m",
        "providers": [{"id": "a", "models": ["m"]}, {"id": "b", "models": ["n"]}],
        "modelAliases": {"default": {"targets": ["a/m"]}},
    }
    found = done(remove_provider(doc, "a"))
    assert found["defaultModel"] == "b/n"
    assert found["modelAliases"]["default"]["targets"] == [{"ref": "b/n"}]


def test_removing_a_model_by_alias_takes_selectors_and_references_along() -> None:
    found = done(remove_model(base(), "acme", "en"))
    assert found["providers"][0]["models"] == ["m", {"id": "off", "enabled": False}]
    assert found["modelAliases"]["fast"]["targets"] == ["acme/m@3"]
    assert found["providers"][0]["rateLimits"][0]["models"] == ["m"]
    assert found["providers"][0]["rateLimits"][1] == BASE["providers"][0]["rateLimits"][1]
    assert found["amp"]["subagentMappings"] == {}
    assert errors(found) == []


def test_a_limit_of_nothing_but_the_removed_model_goes_with_it() -> None:
    doc = base()
    doc["providers"][0]["rateLimits"][0]["models"] = "m"
    made = remove_model(doc, "acme", "m")
    assert done(made)["providers"][0]["rateLimits"] == BASE["providers"][0]["rateLimits"][1:]
    assert "rate limits of acme: a bucket without models removed" in made.changes
    assert errors(done(made)) == []


def test_removing_an_alias() -> None:
    made = remove_alias(base(), "fast")
    found = done(made)
    assert "fast" not in found["modelAliases"]
    assert found["modelAliases"]["outer"]["targets"] == [{"ref": "beta/b"}]
    assert found["amp"]["defaultRoute"] == "default"
    assert found["amp"]["routes"] == {"smart": "acme/m", "x": "beta/b"}
    assert errors(found) == []


def test_the_default_alias_is_emptied_never_removed() -> None:
    found = done(remove_alias(base(), "default"))
    assert found["modelAliases"]["default"] == {"strategy": "ordered", "targets": [], "note": 1, "fallbackTargets": []}


def test_removing_the_alias_that_is_the_default_model() -> None:
    doc: Any = {
        "defaultModel": "fast",
        "providers": [
            {"id": "off", "enabled": False, "models": ["z"]},
            {"id": "a", "models": [{"id": "x", "enabled": False}, "m"]},
        ],
        "modelAliases": {"fast": {"targets": ["a/m"]}},
    }
    assert done(remove_alias(doc, "fast"))["defaultModel"] == "a/m"


# Renaming.


def test_renaming_a_provider_is_followed_everywhere() -> None:
    made = rename_provider(base(), "acme", "zeta")
    found = done(made)
    text = write_document(found).decode()
    assert "acme/" not in text.replace("https://x.example", "")
    assert '"acme"' not in text
    assert found["modelAliases"]["fast"]["targets"] == ["zeta/m@3", "zeta/en"]
    assert found["modelAliases"]["default"]["targets"][0] == {"ref": "zeta/m", "weight": 2}
    assert found["providers"][0]["models"][1]["fallbackModels"] == ["zeta/m", "beta/b"]
    assert found["webSearch"]["providers"][1] == {"id": "zeta/m", "providerId": "zeta", "model": "m"}
    assert found["claudeCode"] == {"webSearchProvider": "zeta/m"}
    assert found["amp"]["overrides"]["entities"][0]["route"] == "zeta/m"
    assert errors(found) == []
    assert done(rename_provider(found, "zeta", "acme")) == BASE


def test_renaming_a_provider_known_only_by_name_writes_its_id() -> None:
    doc: Any = {"providers": [{"name": "My AI", "models": ["m"]}], "modelAliases": {"a": {"targets": "my-ai/m"}}}
    found = done(rename_provider(doc, "my-ai", "own"))
    assert list(found["providers"][0]) == ["id", "name", "models"]
    assert found["modelAliases"]["a"]["targets"] == "own/m"


def test_a_renamed_subscription_keeps_its_tokens() -> None:
    doc: Any = {"providers": [{"id": "sub", "type": "subscription", "subscriptionType": "claude-code"}]}
    assert done(rename_provider(doc, "sub", "claude"))["providers"][0]["subscriptionProfile"] == "sub"


def test_renaming_a_model_is_followed_everywhere() -> None:
    found = done(rename_model(base(), "acme", "m", "vendor/m2"))
    text = write_document(found).decode()
    assert '"acme/m' not in text
    assert found["providers"][0]["models"][0] == "vendor/m2"
    assert found["providers"][0]["rateLimits"][0]["models"] == ["vendor/m2", "n"]
    assert found["modelAliases"]["fast"]["targets"] == ["acme/vendor/m2@3", "acme/en"]
    assert found["webSearch"]["providers"][1] == {"id": "acme/vendor/m2", "providerId": "acme", "model": "vendor/m2"}
    assert errors(found) == []
    assert done(rename_model(found, "acme", "vendor/m2", "m")) == BASE


def test_renaming_a_model_keeps_its_id_key() -> None:
    doc: Any = {"providers": [{"id": "a", "models": [{"name": "m", "x": 1}]}]}
    assert done(rename_model(doc, "a", "m", "n"))["providers"][0]["models"] == [{"name": "n", "x": 1}]


def test_renaming_an_alias_is_followed_everywhere() -> None:
    found = done(rename_alias(base(defaultModel="fast"), "fast", "quick[1m]"))
    assert list(found["modelAliases"]) == ["default", "quick[1m]", "outer"]
    assert found["modelAliases"]["outer"]["targets"] == ["alias:quick[1m]", "quick[1m]", {"ref": "beta/b"}]
    assert found["defaultModel"] == "quick[1m]"
    assert found["amp"]["defaultRoute"] == found["amp"]["routes"]["oracle"] == "quick[1m]"
    assert errors(found) == []


def test_references_in_older_and_map_forms_are_followed() -> None:
    doc: Any = {
        "providers": [{"id": 7, "models": "m"}, {"id": "a", "models": "m"}],
        "model-aliases": {" x ": {"id": "x", "targets": "a/m", "fallbacks": [7, {"route": "a/m"}]}, "odd": 1},
        "ampcode": {
            "default-route": "x",
            "routes": [{"key": "oracle", "to": "a/m"}, {"key": "y", "to": "b ad"}],
            "raw-model-routes": {"match": "gpt", "target": "a/m"},
            "subagent-mappings": [{"agent": "t", "to": "a/m"}],
            "overrides": {"signatures": {"@s": {"to": "a/m"}}},
        },
        "web-search": {"providers": {"a/m": {}, "brave": {"key": "k"}, "odd": 7}},
        "claude-code": {"searchProvider": "a/m"},
    }
    renamed = done(rename_alias(done(rename_provider(doc, "a", "z")), "x", "w"))
    assert renamed["model-aliases"] == {
        "w": {"id": "w", "targets": "z/m", "fallbacks": [7, {"route": "z/m"}]},
        "odd": 1,
    }
    assert renamed["ampcode"] == {
        "default-route": "w",
        "routes": [{"key": "oracle", "to": "z/m"}, {"key": "y", "to": "b ad"}],
        "raw-model-routes": {"match": "gpt", "target": "z/m"},
        "subagent-mappings": [{"agent": "t", "to": "z/m"}],
        "overrides": {"signatures": {"@s": {"to": "z/m"}}},
    }
    assert renamed["web-search"]["providers"] == {"z/m": {}, "brave": {"key": "k"}, "odd": 7}
    assert renamed["claude-code"] == {"searchProvider": "z/m"}
    removed = done(remove_model(renamed, "z", "m"))
    assert removed["providers"][1]["models"] == []
    assert removed["model-aliases"]["w"] == {"id": "w", "targets": [], "fallbacks": [7]}
    assert removed["ampcode"]["raw-model-routes"] == []
    assert removed["ampcode"]["routes"] == [{"key": "y", "to": "b ad"}]
    assert removed["web-search"]["providers"] == {"brave": {"key": "k"}, "odd": 7}
    assert removed["claude-code"] == {}


def test_search_routes_as_text_are_followed() -> None:
    doc: Any = {"providers": [{"id": "a", "models": ["m"]}], "webSearch": {"providers": ["a/m", "brave", 7]}}
    assert done(rename_model(doc, "a", "m", "n"))["webSearch"]["providers"] == ["a/n", "brave", 7]
    assert done(remove_provider(doc, "a"))["webSearch"]["providers"] == ["brave", 7]


def test_unknown_keys_of_an_upsert_are_written() -> None:
    found = done(upsert_provider(base(), {"id": "acme", "proxy": "direct", "unknown": None}))
    assert found["providers"][0]["proxy"] == "direct"
    assert "unknown" not in found["providers"][0]


def test_a_weight_that_belongs_to_a_model_id_is_no_weight() -> None:
    doc: Any = {
        "providers": [{"id": "a", "models": ["m", "m@3"]}],
        "modelAliases": {"x": {"targets": ["a/m@3", "a/m@4"]}},
    }
    assert done(rename_model(doc, "a", "m", "n"))["modelAliases"]["x"]["targets"] == ["a/m@3", "a/n@4"]


def test_renaming_to_the_same_name_changes_nothing() -> None:
    assert rename_provider(base(), "acme", "acme") == Edit(BASE)
    assert rename_model(base(), "acme", "m", "m") == Edit(BASE)
    assert rename_alias(base(), "fast", "fast") == Edit(BASE)


# Aliases, fallbacks, default.


def test_upserting_an_alias_keeps_what_is_not_given() -> None:
    doc: Any = {"model-aliases": {" fast ": {"targets": ["a/m"], "fallbacks": ["a/n"], "x": 1, "strategy": "rr"}}}
    found = done(upsert_alias(doc, "fast", fallback_targets=[{"ref": "a/o"}]))
    assert found == {
        "model-aliases": {" fast ": {"targets": ["a/m"], "fallbacks": [{"ref": "a/o"}], "x": 1, "strategy": "rr"}}
    }
    cleared = done(upsert_alias(found, "fast", fallback_targets=[], strategy="Smart", metadata={"k": 1}))
    assert cleared["model-aliases"][" fast "]["fallbacks"] == []
    assert cleared["model-aliases"][" fast "]["strategy"] == "auto"
    assert cleared["model-aliases"][" fast "]["metadata"] == {"k": 1}


def test_a_new_alias() -> None:
    targets: Any = [{"ref": "openrouter/gpt-4o-mini", "weight": 3}, {"ref": "anthropic/claude-3-5-haiku", "weight": 2}]
    found = done(upsert_alias({}, "new", targets=targets))
    assert found["modelAliases"]["new"] == {"id": "new", "strategy": "ordered", "targets": targets}


def test_fallbacks_turn_a_bare_model_into_an_object() -> None:
    found = done(set_model_fallbacks(base(), "acme", "m", ["beta/b", "beta/b"]))
    assert found["providers"][0]["models"][0] == {"id": "m", "fallbackModels": ["beta/b"]}
    cleared = done(set_model_fallbacks(base(), "acme", "en", []))
    assert cleared["providers"][0]["models"][1]["fallbackModels"] == []
    assert done(set_model_fallbacks(base(), "acme", "m", []))["providers"][0]["models"][0] == "m"


@pytest.mark.parametrize(
    ("ref", "targets", "strategy"),
    [
        ("beta/b", [{"ref": "beta/b"}], "ordered"),
        ("outer", [{"ref": "outer"}], "ordered"),
        ("acme/en", [{"ref": "acme/en"}], "ordered"),
    ],
)
def test_setting_the_default_moves_the_alias_too(ref: str, targets: Any, strategy: str) -> None:
    found = done(set_default_model(base(), ref))
    assert found["defaultModel"] == ref
    assert found["modelAliases"]["default"]["targets"] == targets
    assert found["modelAliases"]["default"]["strategy"] == strategy
    assert [issue.code for issue in parse_config(found, {}).issues if issue.code == "default-ignored"] == []
    assert errors(found) == []


def test_the_default_borrows_the_strategy_of_its_alias() -> None:
    doc: Any = {"modelAliases": {"rr": {"strategy": "round-robin", "targets": []}}}
    assert done(set_default_model(doc, "rr"))["modelAliases"]["default"]["strategy"] == "round-robin"


# Rate limits and the root.


def test_setting_limits_merges_by_id_in_place() -> None:
    window: Any = {"unit": "hour", "size": 2}
    fresh: Any = [
        {"id": "cap", "models": ["all"], "requests": 7, "window": window},
        {"id": "new", "models": ["m"], "requests": 8, "window": window},
    ]
    found = done(set_rate_limits(base(), "acme", fresh))["providers"][0]["rateLimits"]
    assert found == [{**fresh[0], "note": "x"}, BASE["providers"][0]["rateLimits"][1], fresh[1]]


def test_replacing_limits_drops_the_others() -> None:
    fresh: Any = [{"id": "new", "models": ["m"], "requests": 8, "window": {"unit": "hour", "size": 2}}]
    made = set_rate_limits(base(), "acme", fresh, replace=True)
    assert done(made)["providers"][0]["rateLimits"] == fresh
    assert len(made.changes) == 3


def test_limits_are_found_by_the_id_made_of_their_name() -> None:
    assert list(limits_by_id(BASE["providers"][0])) == ["cap", "all-cap"]
    found = done(remove_rate_limit(base(), "acme", "all-cap"))
    assert [one["id"] for one in found["providers"][0]["rateLimits"]] == ["cap"]


def test_a_limit_keeps_its_token_cap() -> None:
    doc: Any = {
        "providers": [
            {"id": "a", "rateLimits": [{"id": "x", "name": "old", "limit": 1, "tokens": 5, "metadata": {"k": 1}}]}
        ]
    }
    fresh: Any = [{"id": "x", "models": ["m"], "requests": 2}]
    assert done(set_rate_limits(doc, "a", fresh))["providers"][0]["rateLimits"] == [
        {"id": "x", "models": ["m"], "requests": 2, "tokens": 5, "metadata": {"k": 1}}
    ]


def test_the_local_server_writes_only_what_is_no_default() -> None:
    found = done(set_local_server({}, require_auth=True, watch_config=True, host="0.0.0.0", port=9))
    assert found == {"metadata": {"localServer": {"requireAuth": True, "host": "0.0.0.0", "port": 9}}}
    again = done(set_local_server(found, require_auth=False, watch_binary=False))
    assert again["metadata"]["localServer"] == {"host": "0.0.0.0", "port": 9, "watchBinary": False}
    assert done(set_local_server({"metadata": {"x": 1}}, watch_config=True)) == {"metadata": {"x": 1}}
    assert set_local_server({"version": 2}) == Edit({"version": 2})
