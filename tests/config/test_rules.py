"""Every validation rule: the document that breaks it, and the one issue that says so."""

from typing import Any

import pytest

from llr.config.accept import required_issues
from tests.config.rules_rig import alias, bucket, doc, found, provider, search


def test_the_base_document_has_no_issue() -> None:
    assert found(doc()).issues == ()


ERRORS: list[tuple[str, Any, str, str, tuple[str, ...]]] = [
    # rule, document, code, path, words of the message
    ("1", [], "root-not-an-object", "$", ("config missing or invalid",)),
    ("3", doc(providers="acme"), "providers-not-a-list", "$.providers", ("providers must be an array",)),
    ("4", doc(modelAliases=[1]), "aliases-not-an-object", "$.modelAliases", ("modelAliases must be an object",)),
    ("7", provider(id="9router"), "provider-id", "$.providers[0].id", ("9router", "lower-case slug")),
    ("8", provider(baseUrl=None), "base-url", "$.providers[0].baseUrl", ("acme", "missing baseUrl")),
    ("8 scheme", provider(baseUrl="ftp://x"), "base-url", "$.providers[0].baseUrl", ("ftp://x", "not an http")),
    (
        "9",
        provider(type="subscription"),
        "subscription-type",
        "$.providers[0].subscriptionType",
        ("subscription provider acme missing subscriptionType",),
    ),
    ("11", provider(models=[]), "provider-models", "$.providers[0].models", ("acme must define at least one model",)),
    (
        "11 all disabled",
        provider(models=[{"id": "fast-1", "enabled": False}]),
        "provider-models",
        "$.providers[0].models",
        ("at least one model",),
    ),
    ("13", bucket(models=[]), "bucket-models", "$.providers[0].rateLimits[0].models", ("acme", "must define models")),
    (
        "14",
        bucket(models=["all", "fast-1"]),
        "bucket-models-mixed",
        "$.providers[0].rateLimits[0].models",
        ("cannot combine 'all' with specific models",),
    ),
    (
        "15",
        bucket(models=["nope"]),
        "bucket-model-unknown",
        "$.providers[0].rateLimits[0].models[0]",
        ("unknown model selector nope",),
    ),
    (
        "15 an alias is no selector",
        bucket(models=["quick"]),
        "bucket-model-unknown",
        "$.providers[0].rateLimits[0].models[0]",
        ("quick",),
    ),
    (
        "16",
        bucket(requests=0),
        "bucket-requests",
        "$.providers[0].rateLimits[0].requests",
        ("must define requests as a positive integer",),
    ),
    (
        "17",
        bucket(window={"unit": "year", "size": 1}),
        "bucket-window-unit",
        "$.providers[0].rateLimits[0].window.unit",
        ("invalid window unit year",),
    ),
    (
        "18",
        bucket(window={"unit": "day", "size": -1}),
        "bucket-window-size",
        "$.providers[0].rateLimits[0].window.size",
        ("must define window.size as a positive integer",),
    ),
    (
        "19",
        doc(modelAliases={"chat.default": {"targets": []}, " chat.default ": {"targets": []}}),
        "alias-duplicate",
        '$.modelAliases[" chat.default "]',
        ("duplicate alias id chat.default",),
    ),
    ("20", doc(modelAliases={"-x": {}}), "alias-id", '$.modelAliases["-x"]', ("alias id -x invalid",)),
    ("20 slash", doc(modelAliases={"a/b": {}}), "alias-id", '$.modelAliases["a/b"]', ("alias id a/b invalid",)),
    ("20 blank", doc(modelAliases={"a b": {}}), "alias-id", '$.modelAliases["a b"]', ("alias id a b invalid",)),
    (
        "21",
        alias(strategy="dice"),
        "strategy",
        "$.modelAliases.fast.strategy",
        ("alias fast has unsupported strategy dice",),
    ),
    (
        "22",
        alias(targets=["acme/fast-1", "openrouter/"]),
        "ref-invalid",
        "$.modelAliases.fast.targets[1]",
        ("alias fast targets[1] has invalid ref 'openrouter/'",),
    ),
    (
        "22 fallback",
        alias(fallbackTargets=["-x"]),
        "ref-invalid",
        "$.modelAliases.fast.fallbackTargets[0]",
        ("alias fast fallbackTargets[0] has invalid ref '-x'",),
    ),
    (
        "23",
        alias(targets=["acme/fast-1", {"ref": "acme/nope"}]),
        "ref-unknown-model",
        "$.modelAliases.fast.targets[1]",
        ("references unknown model 'acme/nope'",),
    ),
    (
        "24",
        alias(targets=["acme/fast-1", "alias:nope"]),
        "ref-unknown-alias",
        "$.modelAliases.fast.targets[1]",
        ("references unknown alias 'nope'",),
    ),
    (
        "25",
        doc(modelAliases={"a": {"targets": ["b"]}, "b": {"targets": ["acme/fast-1"], "fallbackTargets": ["a"]}}),
        "alias-cycle",
        "$.modelAliases.b.fallbackTargets[0]",
        ("alias cycle detected: a -> b -> a",),
    ),
    (
        "25 itself",
        alias(targets=["fast", "acme/fast-1"]),
        "alias-cycle",
        "$.modelAliases.fast.targets[0]",
        ("alias cycle detected: fast -> fast",),
    ),
    (
        "26 default route",
        doc(amp={"defaultRoute": "acme/nope"}),
        "ref-unknown-model",
        "$.amp.defaultRoute",
        ("AMP defaultRoute references unknown model 'acme/nope'",),
    ),
    (
        "26 route",
        doc(amp={"routes": {"smart": "bad ref"}}),
        "ref-invalid",
        "$.amp.routes.smart",
        ("AMP route 'smart' has invalid ref 'bad ref'",),
    ),
    (
        "26 raw route",
        doc(ampcode={"rawModelRoutes": [{"from": "gpt-*", "to": "nope"}]}),
        "ref-unknown-alias",
        "$.ampcode.rawModelRoutes[0].to",
        ("AMP rawModelRoute 'gpt-*' references unknown alias 'nope'",),
    ),
    (
        "26 override entity",
        doc(amp={"overrides": {"entities": [{"id": "triage", "route": "nope"}]}}),
        "ref-unknown-alias",
        "$.amp.overrides.entities[0].route",
        ("AMP override entity 'triage' references unknown alias 'nope'",),
    ),
    (
        "26 override signature",
        doc(amp={"overrides": {"signatures": {"@x": {"route": "acme/nope"}}}}),
        "ref-unknown-model",
        '$.amp.overrides.signatures["@x"].route',
        ("AMP override signature '@x' references unknown model 'acme/nope'",),
    ),
    ("27", search(strategy="dice"), "search-strategy", "$.webSearch.strategy", ("unsupported strategy dice",)),
    ("28", search({}), "search-provider-id", "$.webSearch.providers[0]", ("missing id",)),
    (
        "28 twice",
        search({"id": "brave", "apiKey": "k"}, {"id": "Brave", "apiKey": "k"}),
        "search-provider-duplicate",
        "$.webSearch.providers[1]",
        ("brave is duplicated",),
    ),
    (
        "29 count",
        search({"id": "brave", "apiKey": "k", "count": 21}),
        "search-count",
        "$.webSearch.providers[0].count",
        ("invalid count 21",),
    ),
    (
        "29 limit",
        search({"id": "brave", "apiKey": "k", "limit": -1}),
        "search-limit",
        "$.webSearch.providers[0].limit",
        ("invalid limit -1",),
    ),
    (
        "29 remaining",
        search({"id": "brave", "apiKey": "k", "limit": 5, "remaining": -1}),
        "search-remaining",
        "$.webSearch.providers[0].remaining",
        ("invalid remaining -1",),
    ),
    (
        "29 exceeds",
        search({"id": "brave", "apiKey": "k", "limit": 100, "remaining": 101}),
        "search-remaining-high",
        "$.webSearch.providers[0].remaining",
        ("remaining cannot exceed limit",),
    ),
    (
        "30",
        search({"id": "bing", "apiKey": "k"}),
        "search-provider-unknown",
        "$.webSearch.providers[0]",
        ("bing is unsupported",),
    ),
    (
        "30 inconsistent",
        search({"id": "acme/fast-1", "providerId": "acme", "model": "smart-2"}),
        "search-provider-unknown",
        "$.webSearch.providers[0]",
        ("unsupported",),
    ),
    (
        "31",
        search({"id": "acme/nope"}),
        "search-route",
        "$.webSearch.providers[0]",
        ("acme/nope does not reference a configured route",),
    ),
    (
        "33",
        doc(webSearch={"providers": [{"id": "brave", "apiKey": "k"}]}, claudeCode={"webSearchProvider": "tavily"}),
        "claude-search-provider",
        "$.claudeCode.webSearchProvider",
        ("must reference a configured webSearch provider",),
    ),
    (
        "34",
        doc(
            metadata={
                "localModels": {"variants": {"a": {"id": "m", "enabled": True}, "b": {"id": "m", "enabled": True}}}
            }
        ),
        "local-variant-duplicate",
        "$.metadata.localModels.variants.b.id",
        ("duplicate local variant model id m",),
    ),
    (
        "12",
        provider(rateLimits=[*bucket()["providers"][0]["rateLimits"], *bucket()["providers"][0]["rateLimits"]]),
        "bucket-duplicate",
        "$.providers[0].rateLimits[1].id",
        ("acme", "duplicate rate-limit bucket id b"),
    ),
    (
        "duplicate provider",
        doc(providers=[*doc()["providers"], *doc()["providers"]]),
        "provider-duplicate",
        "$.providers[1].id",
        ("duplicate provider id acme",),
    ),
    (
        "socks proxy",
        provider(proxy="socks5://h:1"),
        "proxy-socks",
        "$.providers[0].proxy",
        ("socks proxies are not supported",),
    ),
    ("proxy", provider(proxy="h:1"), "proxy-invalid", "$.providers[0].proxy", ("proxy must be an http",)),
    (
        "failure rule action",
        doc(failureRules=[{"status": 500, "action": "pray"}]),
        "failure-rule-action",
        "$.failureRules[0].action",
        ("unknown action pray",),
    ),
    (
        "failure rule regex",
        doc(metadata={"llr": {"failureRules": [{"regex": "(", "action": "next"}]}}),
        "failure-rule-regex",
        "$.metadata.llr.failureRules[0].regex",
        ("invalid regex",),
    ),
    (
        "failure rule phase",
        doc(failureRules=[{"phase": "dusk", "action": "next"}]),
        "failure-rule-phase",
        "$.failureRules[0].phase",
        ("unknown phase dusk",),
    ),
    (
        "failure rule status",
        doc(failureRules=[{"status": "many", "action": "next"}]),
        "failure-rule-status",
        "$.failureRules[0].status",
        ("status must be a number",),
    ),
]

# Errors that leave nothing to lead anywhere say so at the alias too.
FOLLOWS = {
    "ref-disabled",
    "alias-unreachable",
    "ref-unknown-model",
    "credential-missing",
    "format-missing",
    "env-unset",
}


@pytest.mark.parametrize(("rule", "raw", "code", "path", "words"), ERRORS, ids=[row[0] for row in ERRORS])
def test_an_error_is_named_once_at_its_place(rule: str, raw: Any, code: str, path: str, words: tuple[str, ...]) -> None:
    parsed = found(raw)
    hits = [issue for issue in parsed.errors if issue.code == code]
    assert [issue.path for issue in hits] == [path], parsed.issues
    assert all(word in hits[0].message for word in words), hits[0].message
    others = {issue.code for issue in parsed.issues} - {code} - FOLLOWS
    assert others == set(), parsed.issues


def test_a_search_route_must_speak_openai() -> None:
    raw = provider(format="claude", formats=["claude"])
    raw["webSearch"] = {"providers": [{"providerId": "acme", "model": "fast-1"}]}
    assert [issue.code for issue in found(raw).issues] == ["search-route-format"]
    assert "OpenAI-compatible" in found(raw).issues[0].message


@pytest.mark.parametrize(
    "probe",
    [{"modelPreferredFormat": {"fast-1": "claude"}}, {"modelSupport": {"fast-1": ["claude"]}}],
)
def test_a_search_route_believes_the_probe(probe: dict[str, Any]) -> None:
    raw = provider(formats=["openai", "claude"], lastProbe=probe)
    raw["webSearch"] = {"providers": ["acme/fast-1"]}
    assert [issue.code for issue in found(raw).errors] == ["search-route-format"]


def test_every_issue_comes_at_once_and_in_document_order() -> None:
    raw = bucket(window={"unit": "year", "size": 0}, requests="5x")
    raw["modelAliases"] = {"a": {"targets": ["acme/nope", "b/"], "strategy": "dice"}}
    raw["zzz"] = 1
    codes = [issue.code for issue in found(raw).issues]
    assert codes == [
        "bucket-requests",
        "bucket-window-unit",
        "bucket-window-size",
        "alias-unreachable",
        "ref-unknown-model",
        "ref-invalid",
        "strategy",
        "unknown-key",
    ]


def test_each_distinct_cycle_is_named_once() -> None:
    raw = doc(
        modelAliases={
            "a": {"targets": ["b", "acme/fast-1"]},
            "b": {"targets": ["c", "acme/fast-1"]},
            "c": {"targets": ["a", "b"]},
        }
    )
    messages = [issue.message for issue in found(raw).errors]
    assert messages == ["alias cycle detected: a -> b -> c -> a", "alias cycle detected: b -> c -> b"]


@pytest.mark.parametrize("key", ["basUrl", "baseURL", "baseurl", "BASE_URL"])
def test_an_unknown_key_suggests_the_near_one(key: str) -> None:
    issue = found(provider(**{key: "x"})).issues[0]
    assert issue.hint == "did you mean baseUrl?"
    assert found(doc(masterkey="x")).issues[0].hint == "did you mean masterKey?"
    assert found(provider(zebra="x")).issues[0].hint == ""


def test_an_unknown_reference_suggests_the_near_ones() -> None:
    issue = found(alias(targets=["acme/fast-2", "acme/fast-1"])).errors[0]
    assert "acme/fast-1" in issue.hint
    assert "acme/fast-1" in found(alias(targets=["fast-1"])).errors[0].hint


def test_empty_aliases_are_clean() -> None:
    assert found(doc(modelAliases={"default": {"targets": []}, "later": {}})).issues == ()


@pytest.mark.parametrize(
    "keys",
    [
        {"apiKeyEnv": None, "auth": {"type": "none"}},
        {"apiKeyEnv": None, "authByFormat": {"openai": {"type": "none"}}},
        {"apiKeyEnv": None, "headers": {"Authorization": "Bearer x"}},
        {"apiKeyEnv": None, "type": "ollama"},
        {"apiKeyEnv": None, "apiKey": "k"},
    ],
)
def test_a_provider_that_needs_no_key_is_not_blamed(keys: dict[str, Any]) -> None:
    assert found(provider(**keys)).issues == ()


@pytest.mark.parametrize(
    ("amp", "path", "label"),
    [
        ({"routes": [{"key": "oracle", "to": "nope"}]}, "$.amp.routes[0].to", "AMP route 'oracle'"),
        (
            {"subagentMappings": [{"agent": "oracle", "to": "nope"}]},
            "$.amp.subagentMappings[0].to",
            "AMP subagentMapping 'oracle'",
        ),
        ({"subagentMappings": {"oracle": "nope"}}, "$.amp.subagentMappings.oracle", "AMP subagentMapping 'oracle'"),
    ],
)
def test_amp_lists(amp: dict[str, Any], path: str, label: str) -> None:
    issues = found(doc(amp=amp)).issues
    assert [(issue.path, issue.code) for issue in issues] == [(path, "ref-unknown-alias")]
    assert issues[0].message == f"{label} references unknown alias 'nope'"


def test_a_reference_to_something_disabled_is_no_error() -> None:
    raw = provider(models=[{"id": "fast-1", "aliases": ["quick"]}, {"id": "smart-2", "enabled": False}])
    parsed = found(raw)
    assert [(issue.path, issue.code) for issue in parsed.issues] == [
        ("$.modelAliases.default.targets[0]", "ref-disabled")
    ]


def test_a_disabled_provider_is_not_checked() -> None:
    off = {"id": "off", "enabled": False, "models": ["m"], "nonsense": 1}
    parsed = found(doc(providers=[*doc()["providers"], off]))
    assert parsed.issues == ()
    assert parsed.config is not None
    assert [one.id for one in parsed.config.providers] == ["acme"]


def test_a_provider_and_a_master_key_can_be_required() -> None:
    empty, full = found({}).config, found(doc(masterKey="k")).config
    assert empty is not None
    assert full is not None
    assert required_issues(empty) == ()
    assert [issue.code for issue in required_issues(empty, provider=True, master_key=True)] == [
        "provider-required",
        "master-key-required",
    ]
    assert required_issues(full, provider=True, master_key=True) == ()


def test_a_secret_never_reaches_a_message() -> None:
    raw = provider(baseUrl="ftp://user:sk-verysecret123@host/?api_key=topsecret1", apiKey="sk-verysecret123")
    assert not any("verysecret" in str(issue) or "topsecret" in str(issue) for issue in found(raw).issues)
    assert "verysecret" not in repr(found(raw))


def test_a_proxy_keeps_its_password_for_the_connection() -> None:
    parsed = found(provider(proxy="http://u:p@proxy:3128"))
    assert parsed.config is not None
    assert parsed.config.providers[0].proxy == "http://u:p@proxy:3128"
    assert "u:p" not in repr(parsed)
