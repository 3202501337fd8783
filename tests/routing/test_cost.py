"""What planning may cost: it runs before every request."""

from llr.routing.limits import reserve
from llr.routing.plan import NO_KEYS, keys_for, plan
from llr.routing.route import Route
from llr.state.memory import MemoryStore
from tests.routing.build import NOW, config, provider, route


def lone() -> Route:
    return route(config([provider("p", "m")], {"a": {"strategy": "auto", "targets": ["p/m"]}}))


def test_one_candidate_without_limits_needs_no_store_call() -> None:
    found = lone()
    assert keys_for(found, now=NOW) is NO_KEYS

    chosen = plan(found, MemoryStore().peek(NO_KEYS, now=NOW), now=NOW)
    assert not chosen.ops
    assert not reserve(found, chosen.order[0], holder="r", now=NOW).ops
