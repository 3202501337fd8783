"""Every warning: the document that earns it, and the one issue that says so."""

from typing import Any

import pytest

from llr.config.schema import Level
from tests.config.rules_rig import alias, bucket, doc, found, provider

WARNINGS: list[tuple[str, Any, str, str]] = [
    ("2 zero", doc(version=0), "version", "$.version"),
    ("2 text", doc(version="abc"), "version", "$.version"),
    ("6", provider(id=None, name=None), "provider-id-missing", "$.providers[0]"),
    ("7 slugged", provider(id="Acme!", name="x"), "id-changed", "$.providers[0].id"),
    ("10", provider(format=None), "format-missing", "$.providers[0].format"),
    ("12", bucket(id=None), "bucket-id-missing", "$.providers[0].rateLimits[0]"),
    ("model twice", provider(models=["fast-1", "smart-2", "fast-1"]), "model-duplicate", "$.providers[0].models[2]"),
    (
        "model without id",
        provider(models=["fast-1", "smart-2", {"id": 7}]),
        "model-malformed",
        "$.providers[0].models[2]",
    ),
    ("empty model id", provider(models=["fast-1", "smart-2", ""]), "model-malformed", "$.providers[0].models[2]"),
    (
        "weight zero",
        alias(targets=[{"ref": "acme/fast-1", "weight": 0}]),
        "weight",
        "$.modelAliases.fast.targets[0].weight",
    ),
    (
        "weight text",
        alias(targets=[{"ref": "acme/fast-1", "weight": "3"}]),
        "weight",
        "$.modelAliases.fast.targets[0].weight",
    ),
    (
        "target twice",
        alias(targets=["acme/fast-1", "acme/fast-1"]),
        "target-duplicate",
        "$.modelAliases.fast.targets[1]",
    ),
    ("target without ref", alias(targets=["acme/fast-1", {}]), "target-malformed", "$.modelAliases.fast.targets[1]"),
    ("alias no object", doc(modelAliases={"fast": "acme/fast-1"}), "not-an-object", "$.modelAliases.fast"),
    ("alias empty key", doc(modelAliases={"  ": {}}), "alias-id-empty", '$.modelAliases["  "]'),
    ("no credential", provider(apiKeyEnv=None), "credential-missing", "$.providers[0].apiKey"),
    ("unset variable", provider(apiKeyEnv="NOPE"), "env-unset", "$.providers[0].apiKeyEnv"),
    ("default ignored", doc(defaultModel="acme/fast-1"), "default-ignored", "$.defaultModel"),
    ("default no text", doc(defaultModel=7), "bad-value", "$.defaultModel"),
    ("unknown root key", doc(modelAlias={}), "unknown-key", "$.modelAlias"),
    ("unknown llr key", doc(metadata={"llr": {"strct": True}}), "unknown-key", "$.metadata.llr.strct"),
    ("unknown provider key", provider(baseURL="x"), "unknown-key", "$.providers[0].baseURL"),
    ("unknown routing key", doc(routing={"originRetryAttempt": 1}), "unknown-key", "$.routing.originRetryAttempt"),
    (
        "shadow",
        doc(modelAliases={**doc()["modelAliases"], "fast-1": {"targets": ["acme/smart-2"]}}),
        "alias-shadows",
        "$.modelAliases.fast-1",
    ),
    (
        "model formats",
        provider(models=["fast-1", "smart-2", {"id": "x", "formats": ["claude"]}]),
        "model-formats",
        "$.providers[0].models[2]",
    ),
    ("unknown format", provider(formats=["openai", "grpc"]), "format-unknown", "$.providers[0].formats[1]"),
    (
        "fallback unknown",
        provider(models=[{"id": "fast-1", "aliases": ["quick"], "fallbackModels": ["acme/nope"]}, "smart-2"]),
        "fallback-unknown",
        "$.providers[0].models[0].fallbackModels[0]",
    ),
    (
        "fallback itself",
        provider(models=[{"id": "fast-1", "aliases": ["quick"], "fallbacks": ["acme/fast-1"]}, "smart-2"]),
        "fallback-self",
        "$.providers[0].models[0].fallbacks[0]",
    ),
    (
        "fallback by alias",
        provider(models=[{"id": "fast-1", "aliases": ["quick"]}, {"id": "smart-2", "fallbackModels": ["acme/quick"]}]),
        "fallback-alias",
        "$.providers[0].models[1].fallbackModels[0]",
    ),
    ("auth without type", provider(auth={"prefix": "x"}), "auth-malformed", "$.providers[0].auth"),
    ("auth line break", provider(auth={"type": "header", "header": "a\nb"}), "auth-malformed", "$.providers[0].auth"),
    ("auth unknown", provider(auth={"type": "mtls"}), "auth-type-unknown", "$.providers[0].auth"),
    ("auth header", provider(auth={"kind": "header"}), "auth-header-missing", "$.providers[0].auth"),
    ("header name", provider(headers={"a b": "x"}), "header-name", '$.providers[0].headers["a b"]'),
    ("header value", provider(headers={"x-a": "a\r\nb"}), "header-value", "$.providers[0].headers.x-a"),
    ("header no text", provider(headers={"x-a": ["b"]}), "header-value", "$.providers[0].headers.x-a"),
    ("headers", provider(headers=[1]), "not-an-object", "$.providers[0].headers"),
    ("auth header name", provider(auth={"type": "header", "header": "a b"}), "auth-malformed", "$.providers[0].auth"),
    ("addresses", provider(endpoints=["https://x"]), "not-an-object", "$.providers[0].endpoints"),
    ("address format", provider(endpoints={"grpc": "https://x"}), "format-unknown", "$.providers[0].endpoints.grpc"),
    ("address", provider(endpoints={"claude": "x"}), "url-invalid", "$.providers[0].endpoints.claude"),
    (
        "subscription type",
        provider(type="subscription", subscriptionType="other"),
        "subscription-type-unknown",
        "$.providers[0].subscriptionType",
    ),
    (
        "disabled selector",
        provider(
            models=["fast-1", "smart-2", {"id": "z", "enabled": False}],
            rateLimits=[{"id": "b", "models": ["fast-1", "z"], "requests": 1, "window": {"unit": "day", "size": 1}}],
        ),
        "bucket-model-disabled",
        "$.providers[0].rateLimits[0].models[1]",
    ),
    (
        "target formats",
        provider(models=[{"id": "fast-1", "formats": ["claude"]}, "smart-2"]),
        "target-formats",
        "$.modelAliases.default.fallbackTargets[0]",
    ),
    (
        "capabilities",
        provider(models=["fast-1", {"id": "smart-2", "capabilities": 7}]),
        "not-an-object",
        "$.providers[0].models[1].capabilities",
    ),
    (
        "capability",
        provider(models=["fast-1", {"id": "smart-2", "capabilities": {"supportsMagic": False}}]),
        "unknown-key",
        "$.providers[0].models[1].capabilities.supportsMagic",
    ),
    ("amp url", doc(amp={"upstreamUrl": "x"}), "url-invalid", "$.amp.upstreamUrl"),
    ("amp", doc(amp=[1]), "not-an-object", "$.amp"),
    ("routing", doc(routing=7), "not-an-object", "$.routing"),
    ("affinity", alias(affinity="glue"), "bad-value", "$.modelAliases.fast.affinity"),
    ("slow stream", alias(slowStream={"windowMs": 1000}), "bad-value", "$.modelAliases.fast.slowStream"),
    ("too many rules", doc(failureRules=[{"action": "next"}] * 101), "too-many-rules", "$.failureRules"),
    ("keep alive", doc(ollama={"defaultKeepAlive": "2d"}), "keep-alive", "$.ollama.defaultKeepAlive"),
    (
        "quota address",
        provider(quotaProbe={"enabled": True, "capKind": "tokens"}),
        "quota-http",
        "$.providers[0].quotaProbe.http",
    ),
    (
        "quota mapping",
        provider(
            quotaProbe={
                "enabled": True,
                "capKind": "tokens",
                "http": {"url": "https://q", "mapping": {"used": {"path": "$.u", "as": "magic"}}},
            }
        ),
        "quota-mapping",
        "$.providers[0].quotaProbe.http.mapping.used.as",
    ),
    ("local models", doc(metadata={"localModels": 7}), "not-an-object", "$.metadata.localModels"),
    ("url user", provider(baseUrl="https://u:p@api.acme.example/v1"), "url-userinfo", "$.providers[0].baseUrl"),
    ("port", doc(metadata={"localServer": {"port": 70000}}), "port", "$.metadata.localServer.port"),
    ("clamped", doc(timeouts={"connectMs": 5}), "out-of-range", "$.timeouts.connectMs"),
    ("no number", doc(deadlineMs="soon"), "bad-value", "$.deadlineMs"),
    (
        "quota cap kind",
        provider(quotaProbe={"enabled": True, "capKind": "goats"}),
        "quota-cap-kind",
        "$.providers[0].quotaProbe.capKind",
    ),
    (
        "quota custom",
        provider(quotaProbe={"enabled": True, "capKind": "tokens", "mode": "custom"}),
        "quota-custom",
        "$.providers[0].quotaProbe.mode",
    ),
    (
        "legacy amp mapping",
        doc(amp={"modelMappings": [{"from": "a", "to": "nope"}]}),
        "ref-unknown-alias",
        "$.amp.modelMappings[0].to",
    ),
    (
        "amp pattern",
        doc(amp={"modelMappings": [{"from": "/(/", "to": "default"}]}),
        "pattern-invalid",
        "$.amp.modelMappings[0].from",
    ),
]


@pytest.mark.parametrize(("what", "raw", "code", "path"), WARNINGS, ids=[row[0] for row in WARNINGS])
def test_a_warning_is_named_and_nothing_is_an_error(what: str, raw: Any, code: str, path: str) -> None:
    parsed = found(raw)
    assert (path, code) in [(issue.path, issue.code) for issue in parsed.issues], parsed.issues
    hit = next(issue for issue in parsed.issues if (issue.path, issue.code) == (path, code))
    assert hit.level is Level.WARNING
    if "providers" not in raw or raw["providers"][0].get("id") == "acme":
        assert parsed.errors == ()
