"""What an explanation tells."""

from llr.base.jsonio import JSON, dumps
from llr.routing.affinity import pin_ops
from llr.routing.explain import Explanation, explain, explanation_json
from llr.routing.limits import reserve
from llr.routing.plan import Need, keys_for
from llr.routing.route import Route
from llr.state.memory import MemoryStore
from tests.routing.build import NOW, alias_route, config, provider, route, sick


def told(found: Route, store: MemoryStore, need: Need | None = None) -> Explanation:
    need = need or Need()
    return explain(found, store.peek(keys_for(found, now=NOW, need=need, full=True), now=NOW), now=NOW, need=need)


def test_shares_positions_and_reasons() -> None:
    limits: JSON = [{"id": "b", "models": ["all"], "requests": 2, "window": {"unit": "hour", "size": 1}}]
    providers = [
        provider("a", {"id": "m", "contextWindow": 8_000}),
        provider("b", {"id": "m", "contextWindow": 200_000}),
        provider("c", "m", rateLimits=limits, format="claude"),
        provider("d", "m"),
        provider("s", "m", type="subscription", subscriptionType="claude-code"),
    ]
    targets: JSON = [{"ref": "a/m", "weight": 3}, "b/m", "c/m", "s/m"]
    alias: JSON = {"strategy": "weighted-rr", "targets": targets, "fallbackTargets": ["d/m"]}
    found, store = route(config(providers, {"a": alias})), MemoryStore()
    for _ in range(2):
        store.commit(reserve(found, found.tryable[2], holder="r", now=NOW).ops, now=NOW)
    before = dict(store.cursors)
    got = told(found, store, Need(5_000))
    assert store.cursors == before
    rows = {str(row.ref): row for row in got.choices}
    assert [row.ref for row in got.choices] == ["a/m", "b/m", "d/m", "c/m", "s/m"]
    assert [row.position for row in got.choices] == [1, 2, 3, None, None]
    assert (rows["a/m"].share, rows["b/m"].share, rows["d/m"].share) == (0.75, 0.25, 0.0)
    assert (rows["a/m"].fit, rows["b/m"].fit, rows["d/m"].fit) == ("fits", "fits", "unknown")
    assert (rows["c/m"].skipped, rows["s/m"].skipped) == (("quota-exhausted",), ("subscription-not-built",))
    assert [(one.name, one.unit, one.used, one.limit) for one in rows["c/m"].limits] == [("b", "requests", 2, 2)]
    assert (rows["c/m"].translated, rows["a/m"].translated) == (True, False)
    assert told(found, store, Need(100_000)).choices[0].ref == "b/m"


def test_cooling_and_overridden() -> None:
    store, found = MemoryStore(), alias_route(2, "round-robin")
    first, second = found.candidates
    store.health.update(sick(first, cooldowns={"rate_limited": NOW + 60}, failures=1))
    got = told(found, store)
    assert [(row.ref, row.position, row.share) for row in got.choices] == [("p-b/m", 1, 1.0), ("p-a/m", None, 0.0)]
    row = got.choices[1]
    assert (row.skipped, row.cooling_for, row.until_at, row.failures) == (("cooldown",), ("rate_limited",), NOW + 60, 1)
    store.health.update(sick(second, open_until_at=NOW + 20))
    got = told(found, store)
    assert [(row.ref, row.position) for row in got.choices] == [("p-b/m", 1), ("p-a/m", 2)]
    assert got.recovers_at == NOW + 20


def test_a_bound_conversation_has_one_first() -> None:
    store, found = MemoryStore(), alias_route(2, "round-robin")
    need = Need(session="s")
    state = store.peek(keys_for(found, now=NOW, need=need), now=NOW)
    store.commit(pin_ops(found, found.candidates[1], "s", state, now=NOW), now=NOW)
    got = told(found, store, need)
    assert (got.sticky, [row.share for row in got.choices]) == (True, [1.0, 0.0])


def test_a_single_candidate_shows_its_record_and_limits() -> None:
    limits: JSON = [{"id": "b", "models": ["all"], "requests": 1, "window": {"unit": "hour", "size": 1}}]
    found, store = route(config([provider("p", "m", rateLimits=limits)]), "p/m"), MemoryStore()
    store.health.update(sick(found.candidates[0], cooldowns={"rate_limited": NOW + 60}))
    got = told(found, store)
    # The only candidate is tried even while it cools, but not past its limit.
    assert [(row.position, row.condition) for row in got.choices] == [(1, "cooldown")]
    store.commit(reserve(found, found.tryable[0], holder="r", now=NOW).ops, now=NOW)
    got = told(found, store)
    assert [(row.position, row.skipped) for row in got.choices] == [(None, ("cooldown", "quota-exhausted"))]
    assert got.recovers_at == max(NOW + 60, got.choices[0].limits[0].resets_at)


def test_json_has_stable_keys() -> None:
    found = alias_route(2, contextWindow=8_000)
    document = explanation_json(told(found, MemoryStore(), Need(9_000)))
    assert dumps(document)
    candidates = document["candidates"]
    assert isinstance(candidates, list)
    assert isinstance(candidates[0], dict)
    assert candidates[0]["fit"] == "too-small"
    assert list(document) == [
        "requested",
        "routeType",
        "routeRef",
        "strategy",
        "clientFormat",
        "contextRequired",
        "cursor",
        "sticky",
        "recoversAt",
        "candidates",
        "ignoredTargets",
    ]
