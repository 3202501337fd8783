"""What planning may cost: it runs before every request."""

import json
import time
from collections.abc import Callable

from llr.base.jsonio import JSON
from llr.routing.limits import reserve
from llr.routing.plan import NO_KEYS, Need, keys_for, plan
from llr.routing.route import Route
from llr.state.memory import MemoryStore
from tests.routing.build import NOW, config, provider, route

# Ten turns of a small chat.
BODY = json.dumps(
    {
        "model": "a",
        "messages": [{"role": "user", "content": "a line of about a hundred characters, as people write them " * 3}]
        * 9,
        "max_tokens": 1024,
        "stream": True,
    }
)
UNITS = ("second", "minute", "hour", "day", "month")


def wide(candidates: int, buckets: int) -> Route:
    limits: JSON = [
        {"id": unit, "models": ["all"], "requests": 10_000, "window": {"unit": unit, "size": 1}}
        for unit in UNITS[:buckets]
    ]
    names = [f"p{chr(97 + place)}" for place in range(candidates)]
    providers = [
        provider(name, {"id": "m", "contextWindow": 100_000 + place}, rateLimits=limits)
        for place, name in enumerate(names)
    ]
    return route(config(providers, {"a": {"strategy": "auto", "targets": [f"{name}/m" for name in names]}}))


def costs(*functions: Callable[[], object], rounds: int = 40, times: int = 50) -> list[float]:
    """Returns each function's best time per call, measured in turns so that a busy machine hits all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for place, function in enumerate(functions):
            started = time.perf_counter()
            for _ in range(times):
                function()
            best[place] = min(best[place], (time.perf_counter() - started) / times)
    return best


def test_planning_over_ten_candidates_with_five_buckets_each() -> None:
    assert 1_900 <= len(BODY) <= 2_200
    found, store, need = wide(10, 5), MemoryStore(), Need(50_000)
    for candidate in found.tryable:
        store.commit(reserve(found, candidate, holder="r", now=NOW).ops, now=NOW)

    def planned() -> object:
        keys = keys_for(found, now=NOW, need=need)
        return plan(found, store.peek(keys, now=NOW), now=NOW, need=need)

    cost, unit = costs(planned, lambda: json.loads(BODY))
    assert cost <= 12 * unit, f"{cost * 1e6:.1f} µs is {cost / unit:.1f} times json.loads"


def test_one_candidate_costs_next_to_nothing_and_no_store_call() -> None:
    found = wide(1, 0)
    assert keys_for(found, now=NOW) is NO_KEYS

    def planned() -> object:
        keys = keys_for(found, now=NOW)
        chosen = plan(found, MemoryStore().peek(keys, now=NOW) if keys is not NO_KEYS else _NOTHING, now=NOW)
        held = reserve(found, chosen.order[0], holder="r", now=NOW)
        return chosen.ops or held.ops

    assert not planned()
    cost, unit = costs(planned, lambda: json.loads(BODY))
    assert cost <= unit, f"{cost * 1e6:.1f} µs is {cost / unit:.1f} times json.loads"


_NOTHING = MemoryStore().peek(NO_KEYS, now=NOW)
