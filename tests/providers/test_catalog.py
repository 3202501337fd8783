"""The vendors' rows are usable as they stand."""

import re
from typing import Any

import pytest

from llr.base.names import ProviderFormat
from llr.config.parse import parse_config
from llr.providers.catalog import ALIASES, VENDORS, Vendor, find_vendor


def test_there_are_enough_of_them() -> None:
    assert len(VENDORS) >= 30
    assert {"openai", "anthropic", "gemini", "openrouter", "ollama", "azure", "bedrock", "cohere"} <= set(VENDORS)


def test_other_names_lead_to_vendors() -> None:
    assert not set(ALIASES) & set(VENDORS)
    assert all(find_vendor(name) is VENDORS[target] for name, target in ALIASES.items())
    assert find_vendor("OpenRouter") is VENDORS["openrouter"]
    assert find_vendor("nobody") is None
    assert [vendor.id for vendor in VENDORS.values() if vendor.template] == ["azure", "bedrock"]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.id)
def test_a_row_makes_a_provider_without_issues(vendor: Vendor) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]*", vendor.id)
    assert re.fullmatch(r"([A-Z][A-Z0-9_]*)?", vendor.key_env)
    local = vendor.id in ("ollama", "lmstudio", "llamacpp", "vllm")
    assert all(url.startswith("http://localhost:" if local else "https://") for url in vendor.base_urls.values())
    provider: dict[str, Any] = {
        "id": vendor.id,
        "name": vendor.name,
        "formats": [one.value for one in vendor.formats],
        "baseUrlByFormat": {one.value: re.sub(r"\{\w+\}", "x", url) for one, url in vendor.base_urls.items()},
        "authByFormat": {one.value: {"type": spec.kind.value} for one, spec in (vendor.auth or {}).items()},
        "apiKeyEnv": vendor.key_env or "NONE",
        "models": list(vendor.models or ("some-model",)),
    }
    parsed = parse_config({"version": 2, "providers": [provider]}, {vendor.key_env or "NONE": "k"})
    assert parsed.config is not None
    assert not parsed.errors, parsed.errors
    assert parsed.config.providers[0].formats == vendor.formats


def test_no_row_claims_a_format_twice_by_another_name() -> None:
    for vendor in VENDORS.values():
        families = [one.family for one in vendor.formats]
        assert len(families) == len(set(families))
        assert all(isinstance(one, ProviderFormat) for one in vendor.formats)
