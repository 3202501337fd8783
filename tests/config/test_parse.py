"""What a document means: coercions, spellings, defaults, and what is left out of service."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.base.names import AliasId, ProviderFormat
from llr.base.redact import Secret
from llr.config.keys import KEYS
from llr.config.parse import parse_config
from llr.config.schema import (
    AliasTarget,
    AuthKind,
    AuthSpec,
    Bucket,
    Config,
    LocalServer,
    Provider,
    TimeoutSpec,
    Window,
)

STEADY = settings(deadline=None, derandomize=True)

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI


def config(raw: Any) -> Config:
    parsed = parse_config(raw, {})
    assert parsed.config is not None, parsed.issues
    return parsed.config


def provider(**keys: Any) -> Provider:
    base: dict[str, Any] = {"id": "acme", "baseUrl": "https://x.example/v1", "apiKey": "k", "models": ["m"]}
    return config({"providers": [{**base, **keys}]}).providers[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(sorted({name for kind in KEYS.values() for key in kind.values() for name in key.spellings}))
config_values = st.recursive(
    json_values | st.sampled_from(["acme", "acme/m", "default", "alias:a", "openai", "https://u:p@h/", "subscription"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)


@STEADY
@given(json_values)
def test_any_json_parses(raw: Any) -> None:
    parsed = parse_config(raw, {})
    assert (parsed.config is None) == (not isinstance(raw, dict))


@settings(STEADY, max_examples=150)
@given(st.dictionaries(NAMES, config_values, max_size=8))
def test_anything_under_known_keys_parses(raw: dict[str, Any]) -> None:
    parsed = parse_config(raw, {})
    assert parsed.config is not None
    assert "default" in parsed.config.aliases
    for alias in parsed.config.aliases.values():
        for target in (*alias.targets, *alias.fallback_targets):
            assert target.ref


def test_an_empty_document_is_a_config() -> None:
    parsed = parse_config({}, {})
    assert parsed.issues == ()
    assert parsed.config is not None
    assert parsed.config.version == 2
    assert parsed.config.aliases[AliasId("default")].targets == ()


@pytest.mark.parametrize(
    ("version", "effective"), [(None, 2), ("abc", 2), (0, 2), (-4, 2), (1, 2), (1.9, 2), ("2", 2), (3, 3), ("3", 3)]
)
def test_the_version_is_at_least_two_and_a_newer_one_stays(version: Any, effective: int) -> None:
    assert config({"version": version}).version == effective


@pytest.mark.parametrize(
    "raw",
    [
        {"master-key": "k", "default-model": "acme/m", "model-aliases": {"a": {}}},
        {"masterKey": "k", "master-key": "no", "defaultModel": "acme/m", "modelAliases": {"a": {}}},
        {"masterKey": None, "master-key": "k", "default-model": "acme/m", "modelAliases": {"a": {}}},
    ],
)
def test_root_keys_have_spellings(raw: Any) -> None:
    found = config(raw)
    assert found.master_key == Secret("k")
    assert found.default_model == "acme/m"
    assert "a" in found.aliases


def test_the_master_key_is_verbatim_and_an_empty_one_is_none() -> None:
    assert config({"masterKey": " k "}).master_key == Secret(" k ")
    assert config({"masterKey": ""}).master_key is None
    assert config({"masterKey": 7}).master_key is None


def test_a_single_provider_object_is_a_list_of_one() -> None:
    found = config(
        {"providers": {"name": "Acme AI", "endpoint": "https://x.example", "credential": "k", "models": "m"}}
    )
    assert [one.id for one in found.providers] == ["acme-ai"]
    assert found.providers[0].name == "Acme AI"
    assert found.providers[0].base_url == "https://x.example/"
    assert found.providers[0].api_key == Secret("k")
    assert [model.id for model in found.providers[0].models] == ["m"]


def test_an_entry_with_an_error_is_left_out_and_the_rest_serves() -> None:
    good = {"id": "good", "baseUrl": "https://x.example", "models": ["m"]}
    found = config({"providers": [{"id": "bad", "models": ["m"]}, good, {**good, "baseUrl": "https://y.example"}]})
    assert [(one.id, one.base_url) for one in found.providers] == [("good", "https://x.example/")]


FORMAT_CASES = [
    ({}, OPENAI, (OPENAI,)),
    ({"format": "claude"}, CLAUDE, (CLAUDE,)),
    ({"responseFormat": "claude"}, CLAUDE, (CLAUDE,)),
    ({"format": "grpc"}, OPENAI, (OPENAI,)),
    ({"formats": ["claude", "openai"]}, CLAUDE, (CLAUDE, OPENAI)),
    ({"formats": "claude"}, CLAUDE, (CLAUDE,)),
    ({"formats": ["openai", "claude"], "format": "claude"}, CLAUDE, (CLAUDE, OPENAI)),
    ({"formats": ["openai"], "baseUrlByFormat": {"anthropic": "https://a.example"}}, OPENAI, (OPENAI, CLAUDE)),
    ({"formats": ["openai-responses", "gemini"]}, ProviderFormat.OPENAI_RESPONSES, None),
    ({"type": "ollama", "formats": []}, OPENAI, (OPENAI,)),
    ({"type": "subscription", "subscriptionType": "claude-code"}, CLAUDE, (CLAUDE,)),
    ({"type": "subscription", "subscriptionType": "chatgpt-codex"}, OPENAI, (OPENAI,)),
]


@pytest.mark.parametrize(("keys", "preferred", "supported"), FORMAT_CASES)
def test_formats(keys: dict[str, Any], preferred: ProviderFormat, supported: tuple[ProviderFormat, ...] | None) -> None:
    found = provider(**keys)
    assert found.format == preferred
    assert supported is None or found.formats == supported


def test_endpoints_by_format_give_formats_and_base() -> None:
    endpoints = {"openai": "https://a.example/v1", "anthropic": "https://a.example/anthropic"}
    found = provider(baseUrl=None, endpoints=endpoints, format="claude")
    assert found.format is CLAUDE
    assert found.formats == (CLAUDE, OPENAI)
    assert found.base_url == "https://a.example/anthropic"
    assert found.base_url_by_format == {OPENAI: "https://a.example/v1", CLAUDE: "https://a.example/anthropic"}


@pytest.mark.parametrize(
    ("keys", "base"),
    [
        ({"baseUrl": None, "endpointByFormat": {"claude": "https://c.example"}}, "https://c.example/"),
        ({"baseUrl": None, "base-url": "https://API.Example:443"}, "https://api.example/"),
        ({"baseUrl": None, "type": "ollama"}, "http://localhost:11434/v1"),
        ({"baseUrl": None, "baseUrlByFormat": {"gemini": "https://g.example"}}, "https://g.example/"),
        (
            {"baseUrl": "https://x.example/v1", "baseUrlByFormat": {"openai": "https://o.example"}},
            "https://x.example/v1",
        ),
    ],
)
def test_the_base_url(keys: dict[str, Any], base: str) -> None:
    assert provider(**keys).base_url == base


def test_credentials() -> None:
    assert provider(apiKey=None, credential="c").api_key == Secret("c")
    assert provider(apiKey="", apiKeyEnv="X").key({"X": "v"}) == Secret("v")
    assert provider(apiKey="k", apiKeyEnv="X").key({"X": "v"}) == Secret("k")
    assert provider(apiKey="", apiKeyEnv="X").key({}) is None
    assert provider(type="ollama", apiKey=None, credential="no").api_key == Secret("ollama")


@pytest.mark.parametrize(
    ("auth", "spec"),
    [
        (None, None),
        ({}, None),
        ({"type": "x-api-key"}, AuthSpec(AuthKind.X_API_KEY)),
        ({"kind": "header", "header": "x-k", "prefix": "P "}, AuthSpec(AuthKind.HEADER, "x-k", "P ")),
        ({"type": "strange"}, AuthSpec(AuthKind.BEARER)),
        ({"type": "none"}, AuthSpec(AuthKind.NONE)),
        ({"type": "header", "headerName": "a\r\nb"}, None),
        ("bearer", None),
    ],
)
def test_auth(auth: Any, spec: AuthSpec | None) -> None:
    assert provider(auth=auth).auth == spec


def test_auth_by_format() -> None:
    found = provider(authByFormat={"anthropic": {"type": "bearer"}, "openai": {}, "gemini": {"type": "none"}})
    assert found.auth_by_format == {CLAUDE: AuthSpec(AuthKind.BEARER), GEMINI: AuthSpec(AuthKind.NONE)}


def test_subscriptions_seed_models_and_profile() -> None:
    found = provider(type="subscription", subscription_type="chatgpt-codex", baseUrl=None, models=[])
    assert [model.id for model in found.models] == ["gpt-5.3-codex", "gpt-5.2-codex", "gpt-5.1-codex-mini"]
    assert (found.subscription_type, found.subscription_profile) == ("chatgpt-codex", "acme")
    chosen = provider(type="subscription", subscriptionType="claude-code", models=[{"id": "x", "variant": " high "}])
    assert [(model.id, model.variant) for model in chosen.models] == [("x", "high")]


def test_models() -> None:
    found = provider(
        models=[
            "a",
            {
                "name": "b",
                "alias": "bee",
                "formats": "claude",
                "contextWindow": 128000.0,
                "maxOutputTokens": "4096",
                "capabilities": {"supportsThinking": False, "supportsLogprobs": "no"},
                "metadata": {"llr": {"wire": "responses", "strict": "yes"}, "x": 1},
                "cost": {"input": 1.5},
            },
            {"model": "c", "enabled": False},
            {"id": "d", "enabled": "false", "contextWindow": "9"},
            {"id": 7},
            "",
        ]
    )
    assert [model.id for model in found.models] == ["a", "b", "d"]
    b = found.models[1]
    assert b.aliases == ("bee",)
    assert b.formats == b.configured_formats == (CLAUDE,)
    assert b.context_window == 128000
    assert b.max_output_tokens == 4096
    assert b.capabilities == {"supportsThinking": False}
    assert (b.wire, b.strict, b.cost) == ("responses", True, {"input": 1.5})
    assert found.models[2].context_window is None


def test_the_probe_beats_configured_formats() -> None:
    probe = {"modelPreferredFormat": {"a": "claude"}, "modelSupport": {"a": ["openai"], "b": ["claude", "openai"]}}
    found = provider(models=[{"id": "a", "formats": ["openai"]}, "b", {"id": "c", "format": "openai"}], lastProbe=probe)
    assert [model.formats for model in found.models] == [(CLAUDE,), (CLAUDE, OPENAI), (OPENAI,)]


def test_fallback_models_that_do_not_serve_are_ignored() -> None:
    models = [{"id": "a", "silentFallbacks": ["acme/b", "acme/a", "acme/off", "other/x", "acme/bee"]}]
    found = provider(models=[*models, {"id": "b", "aliases": ["bee"]}, {"id": "off", "enabled": False}])
    assert found.models[0].fallback_models == ("acme/b",)


BUCKET_CASES: list[tuple[dict[str, Any], Bucket]] = [
    (
        {"id": "x", "models": "all", "requests": "20000", "window": {"unit": " Month ", "size": "1"}},
        Bucket("x", ("all",), 20000, Window("month", 1)),
    ),
    (
        {"id": "x", "model": "m", "limit": 2.9, "window": {"unit": "day", "value": 7}},
        Bucket("x", ("m",), 2, Window("day", 7)),
    ),
    (
        {"id": "x", "models": ["m"], "requests-per-window": 1, "window.unit": "day", "window.size": 2},
        Bucket("x", ("m",), 1, Window("day", 2)),
    ),
    (
        {"id": "x", "models": ["m"], "requests": "1e3", "windowUnit": "hour", "windowSize": 2},
        Bucket("x", ("m",), 1000, Window("hour", 2)),
    ),
    (
        {"id": "x", "models": ["m"], "requests": 1, "window-unit": "week", "window-size": 1, "tokens": 5},
        Bucket("x", ("m",), 1, Window("week", 1), tokens=5),
    ),
    (
        {
            "name": "Monthly cap",
            "models": ["m"],
            "requests": 1,
            "window": {"unit": "second", "size": 1},
            "metadata": {"llr": {"tokens": 9}},
        },
        Bucket("monthly-cap", ("m",), 1, Window("second", 1), "Monthly cap", 9),
    ),
]


@pytest.mark.parametrize(("raw", "bucket"), BUCKET_CASES)
def test_buckets(raw: dict[str, Any], bucket: Bucket) -> None:
    assert provider(rateLimits=[raw]).rate_limits == (bucket,)


def test_bucket_ids_are_made_unique_and_explicit_ones_are_not() -> None:
    rest = {"models": ["m"], "requests": 1, "window": {"unit": "day", "size": 1}}
    rows = [{"name": "Monthly cap"}, {"name": "Monthly cap"}, {}, {"id": "monthly-cap-3"}, {"name": "monthly cap!"}]
    found = provider(**{"rate-limits": [{**row, **rest} for row in rows]})
    assert [one.id for one in found.rate_limits] == [
        "monthly-cap",
        "monthly-cap-2",
        "bucket-3",
        "monthly-cap-3",
        "monthly-cap-4",
    ]


def test_an_unknown_selector_is_left_out_and_the_bucket_stays() -> None:
    row = {"id": "x", "models": ["m", "nope"], "requests": 1, "window": {"unit": "day", "size": 1}}
    assert provider(rateLimits=[row]).rate_limits[0].models == ("m",)


def aliases(raw: dict[str, Any], **root: Any) -> Any:
    acme = {"id": "acme", "baseUrl": "https://x.example", "models": ["m", "n", "vendor/x", "m@3"]}
    return config({"providers": [acme], "modelAliases": raw, **root}).aliases


def test_targets() -> None:
    found = aliases(
        {
            "a": {
                "targets": [
                    " acme/m ",
                    {"target": "acme/n", "weight": 2.5, "metadata": {"k": 1}},
                    {"route": "acme/vendor/x", "weight": "3"},
                    {"model": "alias:b", "weight": -1},
                    "acme/m",
                    "acme/m@3",
                    "acme/n@4",
                ],
                "fallbacks": "b",
            },
            " b ": {"targets": ["acme/n@4"]},
        }
    )
    assert found["a"].targets == (
        AliasTarget("acme/m"),
        AliasTarget("acme/n", 2.5, {"k": 1}),
        AliasTarget("acme/vendor/x"),
        AliasTarget("alias:b"),
        AliasTarget("acme/m@3"),
        AliasTarget("acme/n", 4.0),
    )
    assert found["a"].fallback_targets == (AliasTarget("b"),)
    assert found["b"].targets == (AliasTarget("acme/n", 4.0),)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("auto", "auto"),
        (" Smart ", "auto"),
        ("automatic", "auto"),
        ("rr", "round-robin"),
        ("weighted_rr", "weighted-rr"),
        ("weighted-round-robin", "weighted-rr"),
        ("quota-aware-weighted-round-robin", "quota-aware-weighted-rr"),
        (None, "ordered"),
        ("dice", "ordered"),
    ],
)
def test_strategies(word: str | None, name: str) -> None:
    assert aliases({"a": {"strategy": word}})["a"].strategy == name


@pytest.mark.parametrize("own", ["fast[1m]", "chat.default", "a:b", "9_x", "A-b"])
def test_alias_ids(own: str) -> None:
    assert own in aliases({own: {"targets": ["acme/m"]}})


def test_the_keys_of_this_router_on_an_alias() -> None:
    llr = {"deadlineMs": 5000, "firstTokenMs": 99, "slowStream": {"minCharsPerSecond": 5, "windowMs": 2000}}
    raw = {"a": {"metadata": {"llr": llr}, "affinity": "cache", "affinityTtlMs": 10**9, "maxConcurrency": 3}}
    found = aliases(raw)["a"]
    assert (found.deadline_s, found.first_token_s, found.slow_stream) == (5.0, 0.1, (5, 2.0))
    assert (found.affinity, found.affinity_ttl_s, found.max_concurrency) == ("cache", 86_400.0, 3)


DEFAULTS: list[tuple[dict[str, Any], Any, list[str]]] = [
    ({"default": {"targets": ["acme/n"]}}, "acme/m", ["acme/n"]),
    ({}, None, []),
    ({}, "", []),
    ({}, "smart", []),
    ({}, "default", []),
    ({}, 7, []),
    ({}, "acme/m", ["acme/m"]),
    ({}, " acme/m ", ["acme/m"]),
    ({"fast": {"targets": ["acme/m", "acme/n"], "strategy": "rr"}}, "fast", ["acme/m", "acme/n"]),
    ({}, "acme/nope", []),
    ({"default": "broken"}, "acme/m", ["acme/m"]),
]


@pytest.mark.parametrize(("raw", "wanted", "targets"), DEFAULTS)
def test_the_default_alias(raw: dict[str, Any], wanted: Any, targets: list[str]) -> None:
    found = aliases(raw, defaultModel=wanted)["default"]
    assert [target.ref for target in found.targets] == targets


def test_the_default_copies_a_named_alias_whole() -> None:
    raw = {"fast": {"targets": ["acme/m"], "strategy": "rr", "fallbackTargets": ["acme/n"], "metadata": {"k": 1}}}
    found = aliases(raw, defaultModel="fast")["default"]
    assert (found.id, found.strategy, found.metadata) == ("default", "round-robin", {"k": 1})
    assert [target.ref for target in found.fallback_targets] == ["acme/n"]


def test_bad_targets_are_left_out_and_the_alias_serves() -> None:
    found = aliases({"a": {"targets": ["acme/nope", "x/", "gone", "a", "acme/m"]}})["a"]
    assert found.targets == (AliasTarget("acme/m"),)


def test_an_alias_says_what_was_left_out_and_why() -> None:
    raw = {
        "providers": [
            {"id": "acme", "baseUrl": "https://x.example", "models": ["m", {"id": "off", "enabled": False}]},
            {"id": "broken", "models": ["m"]},
        ],
        "modelAliases": {
            "a": {
                "targets": ["x/", "acme/nope@2", "gone", "a", "acme/off"],
                "fallbackTargets": ["broken/m", "acme/m@2"],
            }
        },
    }
    found = config(raw).aliases[AliasId("a")]
    assert (found.targets, found.fallback_targets) == ((), (AliasTarget("acme/m", 2.0),))
    assert found.left_out == (
        ("x/", "invalid-target"),
        ("acme/nope@2", "unknown-target"),
        ("gone", "unknown-target"),
        ("a", "alias-cycle"),
        ("acme/off", "disabled"),
        ("broken/m", "provider-unusable"),
    )


def test_long_alias_chains_do_not_exhaust_the_stack() -> None:
    raw = {f"a{n}": {"targets": [f"a{n + 1}"]} for n in range(3000)}
    assert len(aliases({**raw, "a3000": {"targets": ["acme/m"]}})) == 3002


def test_the_local_server() -> None:
    raw = {
        "localServer": {"host": "0.0.0.0", "port": "9000", "requireAuth": "yes", "watchConfig": "off", "watchBinary": 0}
    }
    assert config({"metadata": raw}).local_server == LocalServer("0.0.0.0", 9000, False, False, True)
    assert config({"metadata": {"localServer": {"port": 0}}}).local_server == LocalServer()
    assert config({"metadata": [1]}).local_server == LocalServer()


def test_the_activity_log() -> None:
    assert config({}).activity_log is True
    assert config({"metadata": {"activityLog": {"enabled": "no"}}}).activity_log is False


CLAMPS: list[tuple[str, Any, float]] = [
    ("connectMs", 5, 0.1),
    ("connectMs", 10**9, 120.0),
    ("firstByteMs", 1, 1.0),
    ("firstByteMs", 10**9, 3600.0),
]
CLAMPS += [("idleMs", 1, 1.0), ("idleMs", 10**9, 3600.0), ("idleMs", "5000", 5.0)]


@pytest.mark.parametrize(("key", "value", "seconds"), CLAMPS)
def test_timeouts_are_moved_into_their_bounds(key: str, value: Any, seconds: float) -> None:
    name = {"connectMs": "connect_s", "firstByteMs": "first_byte_s", "idleMs": "idle_s"}[key]
    for raw in ({"timeouts": {key: value}}, {"metadata": {"llr": {"timeouts": {key: value}}}}):
        assert config(raw).timeouts == TimeoutSpec(**{name: seconds})
        assert provider(**raw).timeouts == TimeoutSpec(**{name: seconds})


def test_the_keys_of_this_router_at_the_root() -> None:
    found = config(
        {
            "metadata": {
                "llr": {
                    "strict": True,
                    "deadlineMs": 1,
                    "allowedHosts": ["box.lan"],
                    "state": {"backend": "SQLite", "path": "/x"},
                    "routing": {"originRetryAttempts": 2},
                    "responsesStore": {"maxEntries": 5, "ttlMs": 60000},
                    "carrierKeyFile": "/k",
                    "failureRules": [{"status": 418, "action": "next-and-cool", "cooldownMs": 1500}],
                }
            },
            "strict": False,
        }
    )
    assert (found.strict, found.deadline_s, found.allowed_hosts) == (True, 1.0, ("box.lan",))
    assert (found.state, found.routing) == ({"backend": "sqlite", "path": "/x"}, {"originRetryAttempts": 2})
    assert (found.responses_store.max_entries, found.responses_store.ttl_s) == (5, 60.0)
    assert found.carrier_key_file == "/k"
    assert (found.failure_rules[0].status, found.failure_rules[0].cooldown_s) == (418, 1.5)


def test_the_keys_of_this_router_on_a_provider() -> None:
    llr = {
        "proxy": "DIRECT",
        "caFile": "/ca.pem",
        "streamOnly": "on",
        "maxConcurrency": 0,
        "endpointPaths": {"chat": "/c"},
    }
    found = provider(metadata={"llr": llr})
    assert (found.proxy, found.ca_file, found.stream_only, found.max_concurrency) == ("direct", "/ca.pem", True, 1)
    assert found.endpoint_paths == {"chat": "/c"}


def test_an_unusable_proxy_takes_the_provider_out() -> None:
    raw = {"id": "acme", "baseUrl": "https://x.example", "models": ["m"], "proxy": "socks5://x:1"}
    assert config({"providers": [raw]}).providers == ()


def test_at_most_a_hundred_failure_rules_count() -> None:
    rules = [{"status": 500 + n, "action": "next"} for n in range(120)]
    assert len(config({"failureRules": rules}).failure_rules) == 100


def test_local_variants_become_a_provider() -> None:
    variants = {
        "a": {"id": "llama", "enabled": True, "baseModelId": "base", "contextWindow": 8192, "capacityState": "fits"},
        "b": {"id": "off"},
        "c": {"enabled": True},
    }
    models = {"library": {"base": {"availability": "missing"}}, "variants": variants}
    raw = {
        "providers": [{"id": "old", "type": "local-runtime", "models": ["x"]}],
        "metadata": {"localModels": models},
        "modelAliases": {"a": {"targets": ["local-models/llama"]}},
    }
    found = config(raw)
    assert [(one.id, one.type, one.base_url) for one in found.providers] == [
        ("local-models", "local-runtime", "http://127.0.0.1:39391/v1")
    ]
    model = found.providers[0].models[0]
    assert (model.id, model.context_window) == ("llama", 8192)
    assert model.metadata["availability"] == "missing"
    assert model.metadata["capacityState"] == "fits"
    assert found.aliases[AliasId("a")].targets == (AliasTarget("local-models/llama"),)


def test_the_config_knows_its_document() -> None:
    raw = {"providers": [], "zzz": 1}
    assert config(raw).raw == raw
    with pytest.raises(TypeError):
        config(raw).raw["x"] = 1  # type: ignore[index]
