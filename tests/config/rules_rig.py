"""Documents without any issue, for tests that break one thing in them."""

import copy
from typing import Any

from llr.config.parse import parse_config
from llr.config.schema import Parsed

ENV = {"ACME_KEY": "k"}


def doc(**changes: Any) -> dict[str, Any]:
    """Returns a document without any issue, changed at the top level."""
    base: dict[str, Any] = {
        "version": 2,
        "providers": [
            {
                "id": "acme",
                "baseUrl": "https://api.acme.example/v1",
                "format": "openai",
                "apiKeyEnv": "ACME_KEY",
                "models": [{"id": "fast-1", "aliases": ["quick"]}, {"id": "smart-2"}],
            }
        ],
        "modelAliases": {"default": {"targets": ["acme/smart-2"], "fallbackTargets": ["acme/fast-1"]}},
    }
    return {**base, **changes}


def provider(**changes: Any) -> dict[str, Any]:
    return doc(providers=[{**doc()["providers"][0], **changes}])


def bucket(**changes: Any) -> dict[str, Any]:
    one = {"id": "b", "models": ["all"], "requests": 1, "window": {"unit": "day", "size": 1}}
    return provider(rateLimits=[{key: value for key, value in {**one, **changes}.items() if value is not ...}])


def alias(**changes: Any) -> dict[str, Any]:
    return doc(modelAliases={"fast": {"targets": ["acme/fast-1"], **changes}})


def search(*providers: Any, **changes: Any) -> dict[str, Any]:
    return doc(webSearch={"providers": list(providers), **changes})


def found(raw: Any, env: dict[str, str] | None = None) -> Parsed:
    before = copy.deepcopy(raw)
    parsed = parse_config(raw, ENV if env is None else env)
    assert raw == before, "the document was changed"
    return parsed
