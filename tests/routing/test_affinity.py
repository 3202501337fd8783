"""Conversations and where they stay."""

from dataclasses import replace

import pytest

from llr.routing.affinity import Clues, digest, pin_ops, session_in_user_id, session_of
from llr.routing.keys import pin_key
from llr.routing.plan import Need, keys_for, plan
from llr.routing.route import Candidate, Route
from llr.state.memory import MemoryStore
from llr.state.store import Pin, Snapshot
from tests.routing.build import NOW, alias_route, config, provider, refs, route, sick

SESSIONS = [
    ({"x-claude-code-session-id": "s1"}, Clues(), "thread", digest("thread", "s1")),
    ({"x-amp-thread-id": " t1 "}, Clues(), "thread", digest("thread", "t1")),
    ({"session_id": "c1"}, Clues(prompt_cache_key="k"), "thread", digest("thread", "c1")),
    ({}, Clues(prompt_cache_key="k"), "thread", digest("cache", "k")),
    ({}, Clues(user_id="user_ab_account__session_1234"), "thread", digest("user", "1234")),
    ({}, Clues(user_id='{"device_id":"d","session_id":"1234"}'), "thread", digest("user", "1234")),
    ({}, Clues(user_id="just-a-user"), "thread", None),
    ({}, Clues(opening="hello"), "thread", None),
    ({}, Clues(opening="hello"), "cache", digest("opening", "hello")),
    ({"x-session-id": "s"}, Clues(), "off", None),
    ({"x-session-id": "  "}, Clues(), "thread", None),
    ({}, Clues(), "cache", None),
]


@pytest.mark.parametrize(("headers", "clues", "mode", "session"), SESSIONS)
def test_session(headers: dict[str, str], clues: Clues, mode: str, session: str | None) -> None:
    assert session_of(headers, clues, mode=mode) == session


def test_a_digest_tells_nothing_and_keeps_kinds_apart() -> None:
    assert len(digest("thread", "secret")) == 16
    assert digest("thread", "x") != digest("cache", "x")
    assert session_in_user_id('{"session_id": 7}') is None
    assert session_in_user_id("{broken") is None


def answered(found: Route, store: MemoryStore, candidate: Candidate, now: float = NOW, session: str = "s") -> None:
    state = store.peek(keys_for(found, now=now, need=Need(session=session)), now=now)
    store.commit(pin_ops(found, candidate, session, state, now=now), now=now)


def order(found: Route, store: MemoryStore, now: float = NOW, tokens: int = 0) -> list[str]:
    need = Need(tokens, "s")
    planned = plan(found, store.peek(keys_for(found, now=now, need=need), now=now), now=now, need=need)
    store.commit(planned.ops, now=now)
    return refs(planned)


def test_a_conversation_stays_while_others_rotate() -> None:
    store, found = MemoryStore(), alias_route(3, "round-robin")
    assert order(found, store)[0] == "p-a/m"
    answered(found, store, found.candidates[0])
    assert [order(found, store)[0] for _ in range(4)] == ["p-a/m"] * 4
    # The cursor went on as if nobody were bound.
    assert store.cursors[found.key] == 2
    assert order(found, store, NOW + 3_600)[0] == "p-c/m"


def test_failure_moves_it_and_unbinds() -> None:
    store, found = MemoryStore(), alias_route(2)
    second = found.candidates[1]
    answered(found, store, second)
    assert order(found, store) == ["p-b/m", "p-a/m"]
    store.health.update(sick(second, open_until_at=NOW + 30))
    assert order(found, store) == ["p-a/m"]
    store.health.clear()
    assert order(found, store) == ["p-a/m", "p-b/m"]


def test_a_candidate_that_is_gone_is_unbound() -> None:
    store, found = MemoryStore(), alias_route(2)
    store.commit((Pin(pin_key(found.key, "s"), "candidate:gone@openai", NOW + 60),), now=NOW)
    assert order(found, store) == ["p-a/m", "p-b/m"]
    assert store.peek(keys_for(found, now=NOW, need=Need(session="s")), now=NOW).pins == {}


def test_a_candidate_known_too_small_is_not_moved_to_the_front() -> None:
    providers = [
        provider("p", {"id": "small", "contextWindow": 8_000}, {"id": "big", "contextWindow": 200_000}),
    ]
    found = route(config(providers, {"a": {"targets": ["p/big", "p/small"]}}))
    store = MemoryStore()
    answered(found, store, found.candidates[1])
    assert order(found, store, tokens=1_000) == ["p/small", "p/big"]
    assert order(found, store, tokens=100_000) == ["p/big", "p/small"]
    # The binding stands for the next short turn.
    assert order(found, store, tokens=1_000) == ["p/small", "p/big"]


def test_a_young_binding_is_not_written_again() -> None:
    store, found = MemoryStore(), alias_route(2)
    first, second = found.candidates
    answered(found, store, first)

    def ops(candidate: Candidate, now: float) -> int:
        state = store.peek(keys_for(found, now=now, need=Need(session="s")), now=now)
        return len(pin_ops(found, candidate, "s", state, now=now))

    assert (ops(first, NOW + 30), ops(first, NOW + 61), ops(second, NOW + 1)) == (0, 1, 1)


def test_no_binding_where_there_is_no_choice() -> None:
    single = alias_route(1)
    assert pin_ops(single, single.candidates[0], "s", Snapshot(), now=NOW) == ()
    off = replace(alias_route(2), affinity="off")
    assert pin_ops(off, off.candidates[0], "s", Snapshot(), now=NOW) == ()
    assert keys_for(off, now=NOW, need=Need(session="s")).pins == ()


def test_bindings_are_bounded_the_least_used_goes_first() -> None:
    store, found = MemoryStore(max_pins=3), alias_route(2)
    for session in ("s1", "s2", "s3"):
        answered(found, store, found.candidates[0], session=session)
    store.peek(keys_for(found, now=NOW, need=Need(session="s1")), now=NOW)
    answered(found, store, found.candidates[0], session="s4")
    keys = [pin_key(found.key, session) for session in ("s1", "s2", "s3", "s4")]
    from llr.state.store import Keys

    assert set(store.peek(Keys(pins=tuple(keys)), now=NOW).pins) == {keys[0], keys[2], keys[3]}
