"""A document in which everything refers to everything, for tests of edits."""

import copy
from typing import Any

from llr.config.edit_result import Edit
from llr.config.parse import parse_config

BASE: dict[str, Any] = {
    "zzz": {"kept": 1.0},
    "defaultModel": "acme/m",
    "version": 2,
    "providers": [
        {
            "id": "acme",
            "baseUrl": "https://x.example",
            "format": "openai",
            "apiKey": "k",
            "unknown": [1],
            "models": [
                "m",
                {"id": "n", "aliases": ["en"], "fallbackModels": ["acme/m", "beta/b"], "contextWindow": 5, "x": 1},
                {"id": "off", "enabled": False},
            ],
            "rateLimits": [
                {"id": "cap", "models": ["m", "n"], "requests": 1, "window": {"unit": "day", "size": 1}, "note": "x"},
                {"name": "All cap", "models": "all", "limit": 2, "window": {"unit": "day", "size": 1}},
            ],
        },
        {"id": "beta", "baseUrl": "https://y.example", "format": "openai", "apiKey": "k", "models": ["b"]},
        {"id": "gone", "enabled": False, "baseUrl": "https://z.example", "models": ["g"]},
    ],
    "modelAliases": {
        "default": {"strategy": "ordered", "targets": [{"ref": "acme/m", "weight": 2}, "beta/b"], "note": 1},
        "fast": {"targets": ["acme/m@3", "acme/en"], "fallbackTargets": ["beta/b"]},
        "outer": {"targets": ["alias:fast", "fast", {"ref": "beta/b"}]},
    },
    "amp": {
        "defaultRoute": "fast",
        "routes": {"smart": "acme/m", "oracle": "fast", "x": "beta/b"},
        "rawModelRoutes": [
            {"from": "gpt-*", "to": "acme/m"},
            {"from": "k", "to": "acme/n", "sourceRouteKey": "oracle"},
        ],
        "overrides": {"entities": [{"id": "t", "route": "acme/m"}]},
        "modelMappings": [{"from": "a", "to": "acme/m"}],
        "subagentMappings": {"oracle": "acme/n"},
        "custom": True,
    },
    "webSearch": {"providers": [{"id": "brave", "apiKey": "k"}, {"id": "acme/m", "providerId": "acme", "model": "m"}]},
    "claudeCode": {"webSearchProvider": "acme/m"},
}


def base(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BASE), **changes}


def done(made: Edit) -> Any:
    return made.doc


def errors(doc: Any) -> list[str]:
    return [issue.message for issue in parse_config(doc, {}).errors]
