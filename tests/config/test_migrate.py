"""Versions and the steps between them."""

import copy
from typing import Any

import pytest

from llr.config.migrate import MigrationError, check_version, detected_version, migrate, upgrade

LIMIT = {"id": "b", "models": ["all"], "requests": 1, "window": {"unit": "day", "size": 1}}


@pytest.mark.parametrize(
    ("doc", "version"),
    [
        ({}, 1),
        ({"version": "abc"}, 1),
        ({"version": 0}, 1),
        ({"version": -4, "modelAliases": {"a": {}}}, 2),
        ({"version": 1.9}, 1),
        ({"version": 1, "modelAliases": {"a": {}}}, 1),
        ({"version": "3"}, 3),
        ({"model-aliases": {"a": {}}}, 2),
        ({"modelAliases": {}}, 1),
        ({"providers": [{"rateLimits": []}]}, 1),
        ({"providers": [{"rate-limits": [LIMIT]}]}, 2),
    ],
)
def test_detection(doc: dict[str, Any], version: int) -> None:
    assert detected_version(doc) == version


def test_one_to_two_adds_what_is_missing_and_keeps_the_rest() -> None:
    doc: dict[str, Any] = {
        "zzz": 1,
        "providers": [{"id": "a", "enabled": False}, {"id": "b", "rate-limits": [LIMIT]}, "odd"],
        "version": 1,
    }
    before = copy.deepcopy(doc)
    found = migrate(doc)
    assert doc == before
    assert found == {
        "zzz": 1,
        "providers": [{"id": "a", "enabled": False, "rateLimits": []}, {"id": "b", "rate-limits": [LIMIT]}, "odd"],
        "version": 2,
        "modelAliases": {},
    }
    assert list(found) == ["zzz", "providers", "version", "modelAliases"]
    assert list(migrate({"x": 1})) == ["version", "x", "modelAliases"]


@pytest.mark.parametrize("target", [2, "2", 2.5])
def test_targets(target: Any) -> None:
    assert migrate({}, target)["version"] == 2


def test_a_lower_target_changes_nothing() -> None:
    assert migrate({"version": 3}, 2) == {"version": 3}
    assert migrate({"version": 2}, 1) == {"version": 2}


@pytest.mark.parametrize("target", [3, "7"])
def test_no_path(target: Any) -> None:
    with pytest.raises(MigrationError, match="no migration path from 1 to"):
        migrate({}, target)


@pytest.mark.parametrize("target", ["x", None, 0, -1, [2]])
def test_no_target(target: Any) -> None:
    with pytest.raises(MigrationError, match="invalid migration target"):
        migrate({}, target)


@pytest.mark.parametrize("version", [0, -1, "2", None, True, float("nan")])
def test_a_literal_version_must_be_a_positive_integer(version: Any) -> None:
    with pytest.raises(MigrationError, match="positive integer"):
        check_version(version)


def test_a_literal_version_below_the_minimum_names_it() -> None:
    with pytest.raises(MigrationError, match="minimum is 1"):
        check_version(0.5)
    assert check_version(2) == 2


@pytest.mark.parametrize(
    ("doc", "default"),
    [
        ({}, []),
        ({"defaultModel": "smart"}, []),
        ({"defaultModel": "default"}, []),
        ({"default-model": "acme/m"}, [{"ref": "acme/m"}]),
        ({"version": 1, "defaultModel": "fast", "modelAliases": {"fast": {"id": "fast", "targets": ["a/b"]}}}, ["a/b"]),
        ({"version": 1, "defaultModel": "x/y", "modelAliases": {"default": {"targets": ["a/b"]}}}, ["a/b"]),
    ],
)
def test_an_upgrade_spells_the_default_alias_out(doc: dict[str, Any], default: list[Any]) -> None:
    before = copy.deepcopy(doc)
    found = upgrade(doc)
    assert doc == before
    assert found["version"] == 2
    aliases = found["modelAliases"]
    assert isinstance(aliases, dict)
    alias = aliases["default"]
    assert isinstance(alias, dict)
    assert alias["targets"] == default
    assert upgrade(found) == found


def test_an_upgrade_leaves_current_and_future_documents_alone() -> None:
    docs: list[dict[str, Any]] = [{"version": 2, "x": 1}, {"version": 7}, {"modelAliases": {"a": {}}}]
    for doc in docs:
        assert upgrade(doc) == doc
