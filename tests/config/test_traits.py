"""`metadata.llr.traits` of providers and models: read where right, reported where not."""

from typing import Any

from llr.config.keys import KEYS
from llr.config.parse import parse_config
from llr.config.traits import TRAITS


def parsed(traits: Any, where: str = "provider") -> Any:
    llr = {"metadata": {"llr": {"traits": traits}}}
    model: dict[str, Any] = {"id": "m", **(llr if where == "model" else {})}
    provider: dict[str, Any] = {"id": "p", "baseUrl": "https://a.test", "apiKey": "k", "models": [model]}
    provider |= llr if where == "provider" else {}
    return parse_config({"version": 2, "providers": [provider]}, {})


def test_traits_are_read_on_providers_and_models() -> None:
    traits = {"think_tags": True, "tool_id": "nine", "dropFields": ["seed"], "forceFields": {"a": [1]}}
    assert parsed(traits).config.providers[0].traits == traits
    assert parsed(traits, "model").config.providers[0].models[0].traits == traits


def test_what_is_wrong_is_reported_and_left_out() -> None:
    found = parsed({"think_tags": "yes", "tool_id": "ten", "dropFields": "seed", "renameFields": [], "colour": True})
    assert found.config.providers[0].traits == {}
    codes = [issue.code for issue in found.issues if "trait" in issue.message]
    assert codes == ["bad-value"] * 4 + ["unknown-key"]
    assert [issue.code for issue in parsed([]).issues if "traits" in issue.message] == ["not-an-object"]


def test_every_trait_is_explained() -> None:
    assert set(KEYS["traits"]) == set(TRAITS)
