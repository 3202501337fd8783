"""Names to candidates."""

from dataclasses import replace

import pytest

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.names import AliasId, FormatId
from llr.config.schema import Alias, AliasTarget, Config
from llr.routing import resolve
from llr.routing.resolve import STRATEGY_NAMES, Resolver
from llr.routing.route import Kind, Route, RouteType, Tier
from tests.routing.build import config, provider, refs

CHAT, MESSAGES = FormatId.CHAT, FormatId.MESSAGES


def plain() -> Config:
    return config(
        [
            provider("acme", {"id": "m1", "aliases": ["mini", "m2"]}, "m2", "vendor/model-x"),
            provider("beta", {"id": "m1"}, {"id": "o", "aliases": ["opus[1m]", "mini"]}, "opus[1m]"),
        ],
        {"fast[1m]": {"targets": ["beta/o"]}, "empty": {}, "m2": {"targets": []}},
    )


def fault(found: Config, name: str, client: FormatId = CHAT) -> Fault:
    with pytest.raises(GatewayError) as caught:
        Resolver(found).resolve(name, client)
    return caught.value.fault


FOUND = [
    ("acme/m1", RouteType.DIRECT, "acme/m1", ["acme/m1"]),
    ("  acme/m1 ", RouteType.DIRECT, "acme/m1", ["acme/m1"]),
    ("acme/mini", RouteType.DIRECT, "acme/m1", ["acme/m1"]),
    # The exact id wins although an earlier model has it as an alias.
    ("acme/m2", RouteType.DIRECT, "acme/m2", ["acme/m2"]),
    ("acme/vendor/model-x", RouteType.DIRECT, "acme/vendor/model-x", ["acme/vendor/model-x"]),
    ("fast[1m]", RouteType.ALIAS, "fast[1m]", ["beta/o"]),
    ("alias:fast[1m]", RouteType.ALIAS, "fast[1m]", ["beta/o"]),
    # Bare models: exact ids of all providers first, then model aliases.
    ("m1", RouteType.BARE_MODEL, "m1", ["acme/m1", "beta/m1"]),
    ("opus[1m]", RouteType.BARE_MODEL, "opus[1m]", ["beta/opus[1m]", "beta/o"]),
    ("mini", RouteType.BARE_MODEL, "mini", ["acme/m1", "beta/o"]),
    # An alias without targets lets the bare model of its name answer.
    ("m2", RouteType.BARE_MODEL, "m2", ["acme/m2", "acme/m1"]),
    # The spelling of another popular router.
    ("acme,m1", RouteType.DIRECT, "acme/m1", ["acme/m1"]),
]


@pytest.mark.parametrize(("name", "kind", "ref", "candidates"), FOUND)
def test_found(name: str, kind: RouteType, ref: str, candidates: list[str]) -> None:
    found = Resolver(plain()).resolve(name, CHAT)
    assert (found.type, found.ref, refs(found), found.requested) == (kind, ref, candidates, name.strip())


NOT_FOUND = [
    ("nope", ErrorKind.MODEL_NOT_FOUND, 404, "alias 'nope' not found"),
    ("alias:m1", ErrorKind.MODEL_NOT_FOUND, 404, "alias 'm1' not found"),
    ("zeta/m1", ErrorKind.MODEL_NOT_FOUND, 404, "provider 'zeta' not found"),
    ("acme/m9x", ErrorKind.MODEL_NOT_FOUND, 404, "model 'm9x' is not configured under provider 'acme'"),
    ("acme/", ErrorKind.MODEL_NOT_FOUND, 404, "must be an alias id or provider/model"),
    ("/m1", ErrorKind.MODEL_NOT_FOUND, 404, "must be an alias id or provider/model"),
    ("two words", ErrorKind.MODEL_NOT_FOUND, 404, "must be an alias id or provider/model"),
    ("acme,m9x", ErrorKind.MODEL_NOT_FOUND, 404, "must be an alias id or provider/model"),
    ("empty", ErrorKind.CONFIGURATION, 400, "alias 'empty' has no target candidates configured"),
    ("default", ErrorKind.CONFIGURATION, 500, "no target candidates configured"),
    ("smart", ErrorKind.CONFIGURATION, 500, "no target candidates configured"),
    ("", ErrorKind.CONFIGURATION, 500, "no target candidates configured"),
]


@pytest.mark.parametrize(("name", "kind", "status", "text"), NOT_FOUND)
def test_not_found(name: str, kind: ErrorKind, status: int, text: str) -> None:
    found = fault(plain(), name)
    assert (found.kind, found.http_status) == (kind, status)
    assert text in found.message


def test_no_provider_at_all() -> None:
    found = fault(config([]), "acme/m1")
    assert (found.kind, found.http_status) == (ErrorKind.CONFIGURATION, 503)


CLOSE = [
    ("acme/m11", "'acme/m1'"),
    ("fast1m", "'fast[1m]'"),
    ("acme/vendor/model-y", "'acme/vendor/model-x'"),
    ("ACME/M2", "'acme/m2'"),
    ("model-x", ""),
]


@pytest.mark.parametrize(("name", "close"), CLOSE)
def test_did_you_mean(name: str, close: str) -> None:
    message = fault(plain(), name).message
    assert close in message
    assert message.count("'") <= 2 + 2 + 2 * 3


def test_a_very_long_name_is_cut() -> None:
    assert len(fault(plain(), "x" * 100_000).message) < 1_000


SMART = [
    ({"smart": {"targets": ["acme/m2"]}, "default": {"targets": ["acme/m1"]}}, "smart", "smart", "acme/m2"),
    ({"default": {"targets": ["acme/m1"]}}, "smart", "default", "acme/m1"),
    ({"default": {"targets": ["acme/m1"]}}, "", "default", "acme/m1"),
    ({"smart": {"targets": ["acme/m2"]}, "default": {"targets": ["acme/m1"]}}, "default", "default", "acme/m1"),
]


@pytest.mark.parametrize(("aliases", "name", "ref", "candidate"), SMART)
def test_smart(aliases: dict[str, object], name: str, ref: str, candidate: str) -> None:
    found = Resolver(config([provider("acme", "m1", "m2")], aliases)).resolve(name, CHAT)
    assert (found.requested, found.ref, refs(found)) == (name or "smart", ref, [candidate])


def test_an_explicit_smart_alias_that_fails_is_the_clients_error() -> None:
    found = config([provider("acme", "m1")], {"smart": {}, "default": {"targets": ["acme/m1"]}})
    assert fault(found, "smart").http_status == 400


def test_direct_fallbacks_are_exactly_the_models_own() -> None:
    found = config(
        [
            provider("acme", {"id": "m", "fallbackModels": ["beta/x", "acme/m2", "beta/x"]}, "m2"),
            provider("beta", {"id": "x", "fallbackModels": ["acme/m2"]}),
        ]
    )
    direct = Resolver(found).resolve("acme/m", CHAT)
    assert refs(direct) == ["acme/m", "beta/x", "acme/m2"]
    assert (direct.strategy, direct.affinity) == ("ordered", "off")


def nested() -> Config:
    providers = [provider("a", "m1", "m2"), provider("b", "m1", "c", "o")]
    return config(
        providers,
        {
            "outer": {"targets": [{"ref": "inner", "weight": 2}, "b/c"], "fallbackTargets": ["inner", "b/o"]},
            "inner": {"targets": [{"ref": "a/m1", "weight": 5}, "a/m2"], "fallbackTargets": ["b/m1"]},
            "own-weights": {"targets": ["inner", "b/c"], "strategy": "weighted-rr"},
        },
    )


def shape(found: Route) -> list[tuple[str, float | None, Tier]]:
    return [(one.ref, one.weight, one.tier) for one in found.candidates]


def test_nested_aliases() -> None:
    primary, fallback = Tier.PRIMARY, Tier.FALLBACK
    assert shape(Resolver(nested()).resolve("outer", CHAT)) == [
        ("a/m1", 2.0, primary),
        ("a/m2", 2.0, primary),
        ("b/m1", 2.0, primary),
        ("b/c", None, primary),
        ("b/o", None, fallback),
    ]
    assert shape(Resolver(nested()).resolve("own-weights", CHAT)) == [
        ("a/m1", 5.0, primary),
        ("a/m2", None, primary),
        ("b/m1", None, primary),
        ("b/c", None, primary),
    ]
    assert {one.target_ref for one in Resolver(nested()).resolve("outer", CHAT).candidates} == {"inner", "b/c", "b/o"}


def test_only_fallback_targets_are_used() -> None:
    found = Resolver(config([provider("a", "m")], {"x": {"fallbackTargets": ["a/m"]}})).resolve("x", CHAT)
    assert shape(found) == [("a/m", None, Tier.FALLBACK)]


def unchecked(**aliases: list[str]) -> Config:
    """Returns a config with aliases as they are written: the parser takes bad targets out where it can see them."""
    made = {
        AliasId(name): Alias(AliasId(name), targets=tuple(map(AliasTarget, refs))) for name, refs in aliases.items()
    }
    return replace(config([provider("a", "m")]), aliases=made)


def test_a_bad_target_is_skipped_with_its_reason() -> None:
    x, y, z = ["gone/m", "a/gone", "no such", "nowhere", "y", "a/m"], ["z"], ["y"]
    found = Resolver(unchecked(x=x, y=y, z=z)).resolve("x", CHAT)
    assert refs(found) == ["a/m"]
    assert dict(found.skipped) == {
        "gone/m": "unknown-target",
        "a/gone": "unknown-target",
        "no such": "invalid-target",
        "nowhere": "unknown-target",
        "y": "alias-cycle y -> z -> y",
    }


def test_an_alias_of_bad_targets_names_them() -> None:
    found = fault(unchecked(x=["gone/m", "x"]), "x")
    assert (found.kind, found.http_status) == (ErrorKind.CONFIGURATION, 400)
    assert "gone/m: unknown-target" in found.message
    assert "x -> x" in found.message


def test_targets_that_the_config_left_out_are_told_with_their_reason() -> None:
    aliases = {
        "x": {"targets": ["p/off", "p/gone", "inner"]},
        "inner": {"targets": ["p/m", "none"]},
        "y": {"targets": ["p/off"]},
    }
    found = config([provider("p", "m", {"id": "off", "enabled": False})], aliases)
    assert Resolver(found).resolve("x", CHAT).skipped == (
        ("p/off", "disabled"),
        ("p/gone", "unknown-target"),
        ("none", "unknown-target"),
    )
    assert "p/off: disabled" in fault(found, "y").message


def test_many_paths_to_one_alias_are_walked_once() -> None:
    aliases = {f"a{n}": {"targets": [f"a{n + 1}"], "fallbackTargets": [f"a{n + 1}", "p/m"]} for n in range(60)}
    aliases["a60"] = {"targets": ["p/m"]}
    assert refs(Resolver(config([provider("p", "m")], aliases)).resolve("a0", CHAT)) == ["p/m"]


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("auto", "quota-aware-weighted-rr"),
        ("automatic", "quota-aware-weighted-rr"),
        ("smart", "quota-aware-weighted-rr"),
        ("quota-aware-weighted-round-robin", "quota-aware-weighted-rr"),
        ("quota-aware-weighted-rr", "quota-aware-weighted-rr"),
        ("rr", "round-robin"),
        ("round-robin", "round-robin"),
        ("weighted-round-robin", "weighted-rr"),
        ("weighted_rr", "weighted-rr"),
        ("weighted-rr", "weighted-rr"),
        ("ordered", "ordered"),
    ],
)
def test_strategy_names(written: str, used: str) -> None:
    assert STRATEGY_NAMES[written] == used


def test_alias_settings_ride_on_the_route() -> None:
    knobs = {
        "deadlineMs": 5_000,
        "maxConcurrency": 4,
        "firstTokenMs": 2_000,
        "affinity": "cache",
        "affinityTtlMs": 60_000,
    }
    found = config([provider("a", "m")], {"x": {"strategy": "auto", "targets": ["a/m"], "metadata": {"llr": knobs}}})
    got = Resolver(found).resolve("x", CHAT)
    assert (got.strategy, got.deadline_s, got.max_concurrency) == ("quota-aware-weighted-rr", 5.0, 4)
    assert (got.first_token_s, got.affinity, got.affinity_ttl_s) == (2.0, "cache", 60.0)
    assert got.key == "route:alias:x@openai"
    assert Resolver(found).resolve("a/m", MESSAGES).deadline_s == 900.0


def test_unbuilt_kinds_are_named() -> None:
    providers = [
        provider("sub", "m", type="subscription", subscriptionType="claude-code"),
        provider("a", "m"),
    ]
    found = Resolver(config(providers, {"x": {"targets": ["sub/m", "a/m"]}})).resolve("x", CHAT)
    assert [one.unfit for one in found.candidates] == ["subscription-not-built", None]
    assert [one.ref for one in found.tryable] == ["a/m"]


def test_native_calls_cannot_be_translated() -> None:
    providers = [provider("c", "m", format="claude"), provider("o", "m")]
    found = Resolver(config(providers, {"x": {"targets": ["c/m", "o/m"]}}))
    native = found.resolve("x", CHAT, kind=Kind.NATIVE)
    assert [(one.unfit, one.wire) for one in native.candidates][1] == (None, CHAT)
    assert native.candidates[0].unfit == "format-incompatible"
    assert [one.unfit for one in found.resolve("x", CHAT).candidates] == [None, None]


def test_formats_that_share_nothing() -> None:
    broken = provider("c", {"id": "m", "formats": ["claude"]}, "n", format="openai")
    found = config([broken], {"x": {"targets": ["c/m", "c/n"]}})
    assert "unsupported endpoint formats" in fault(found, "c/m").message
    via_alias = Resolver(found).resolve("x", CHAT)
    assert (refs(via_alias), via_alias.skipped) == (["c/n"], (("c/m", "format-incompatible"),))


def test_a_resolver_answers_from_memory() -> None:
    resolver = Resolver(plain())
    assert resolver.resolve("m1", CHAT) is resolver.resolve(" m1 ", CHAT)
    assert resolver.resolve("m1", CHAT) is not resolver.resolve("m1", MESSAGES)


def test_the_credential_shows_only_that_it_changed() -> None:
    def credential(key: str | None, env: dict[str, str] | None = None) -> str:
        more = {"apiKey": key} if key else {"apiKeyEnv": "ACME_KEY"}
        found = config([provider("a", "m", **more)])
        return Resolver(found, env=env).resolve("a/m", CHAT).candidates[0].credential

    one, other = credential("sk-secret-one"), credential("sk-secret-two")
    assert one != other
    assert "secret" not in one
    assert len(one) == 8
    assert credential(None) == "none"
    assert credential(None, {"ACME_KEY": "sk-secret-one"}) == one


def test_spellings_that_clients_make_up_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "MOST_ROUTES", 5)
    resolver = Resolver(plain())
    for blanks in range(20):
        assert refs(resolver.resolve(f"acme,{' ' * blanks}m1", CHAT)) == ["acme/m1"]
    assert len(resolver._routes) == 5
    resolver = Resolver(plain())
    assert refs(resolver.resolve(f"acme,{' ' * resolve.LONGEST_NAME}m1", CHAT)) == ["acme/m1"]
    assert not resolver._routes
