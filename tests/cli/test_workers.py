"""What one worker answered or learned, every other one knows: the built archive with several processes."""

import json
from typing import Any

import pytest

from tests.cli.life import Gateway, Life
from tests.cli.providers import Providers, write


def said(gateway: Gateway, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Returns status and answer of one request over a connection of its own, which any worker may take."""
    status, answer = gateway.get(path, method=method, body=json.dumps(body).encode() if body else b"")
    return status, json.loads(answer)


def turn(gateway: Gateway, **more: Any) -> tuple[int, dict[str, Any]]:
    return said(gateway, "POST", "/v1/responses", {"model": "any", "input": "hi", **more})


def served(life: Life) -> list[int]:
    return [row["pid"] for row in life.json("status")["data"]["processes"]]


def test_a_conversation_goes_on_in_whichever_worker(archived: Life, providers: Providers) -> None:
    write(archived, providers.document(targets=["a/m"]))
    gateway = archived.start("--workers=3")
    status, answer = turn(gateway)
    for _ in range(30):
        assert status == 200
        previous = answer["id"]
        status, answer = turn(gateway, previous_response_id=previous)
    path = f"/v1/responses/{previous}"
    assert [said(gateway, "GET", path)[0] for _ in range(10)] == [200] * 10
    assert said(gateway, "DELETE", path)[0] == 200
    assert [said(gateway, "GET", path)[0] for _ in range(10)] == [404] * 10
    status, answer = turn(gateway, previous_response_id=previous)
    assert (status, answer["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_conversation_goes_on_in_new_processes(archived: Life, providers: Providers, workers: int) -> None:
    write(archived, providers.document(targets=["a/m"]))
    gateway = archived.start(f"--workers={workers}")
    before = served(archived)
    _, answer = turn(gateway)
    assert archived.run("restart").returncode == 0
    for _ in range(10):
        status, answer = turn(gateway, previous_response_id=answer["id"])
        assert status == 200
    gateway.wait_for("renewed")
    assert not set(before) & set(served(archived))
    for _ in range(10):
        status, answer = turn(gateway, previous_response_id=answer["id"])
        assert status == 200


def test_what_one_worker_learned_all_know_and_show(archived: Life, providers: Providers) -> None:
    write(archived, providers.document(targets=["a/m"]))
    providers.refuses = "seed"
    gateway = archived.start("--workers=3")
    body = {"model": "any", "messages": [{"role": "user", "content": "hi"}], "seed": 7}
    assert said(gateway, "POST", "/v1/chat/completions", body)[0] == 200
    assert providers.counts() == [2, 0, 0]
    (learned,) = archived.json("status")["data"]["learned"]
    assert (learned["candidate"], learned["wire"]) == ("a/m", "openai-chat")
    assert [said(gateway, "POST", "/v1/chat/completions", body)[0] for _ in range(12)] == [200] * 12
    assert providers.counts() == [14, 0, 0]
    told = [said(gateway, "POST", "/llr/explain", {"model": "any"})[1]["candidates"][0]["learned"] for _ in range(12)]
    assert told == [learned["marks"]] * 12
    # A worker that takes a dead one's place is told, too.
    dead = served(archived)[0]
    gateway.kill(dead)
    gateway.wait_for("worker-ended")
    gateway.wait_for("worker-ready")
    assert archived.json("status")["data"]["learned"] == [learned]
    assert [said(gateway, "POST", "/v1/chat/completions", body)[0] for _ in range(12)] == [200] * 12
    assert providers.counts() == [26, 0, 0]


def test_cooldowns_hold_in_all_workers_and_end_in_all(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    providers.status["a"], providers.fields["a"] = 429, {"retry-after": "600"}
    gateway = archived.start("--workers=3")
    body = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
    assert [said(gateway, "POST", "/v1/chat/completions", body)[0] for _ in range(12)] == [200] * 12
    assert providers.counts() == [1, 12, 0]
    rows = [said(gateway, "POST", "/llr/explain", {"model": "any"})[1]["candidates"] for _ in range(9)]
    assert [[row["candidate"] for row in listed] for listed in rows] == [["b/m", "c/m", "a/m"]] * 9
    assert [listed[-1]["coolingFor"] for listed in rows] == [["rate_limited"]] * 9
    assert [row["name"] for row in archived.json("cooldowns")["data"]["cooldowns"]] == ["a/m"]
    assert archived.json("cooldowns", "clear", "a/m")["data"]["cleared"] == 1
    providers.status["a"] = 200
    assert [said(gateway, "POST", "/v1/chat/completions", body)[0] for _ in range(6)] == [200] * 6
    assert providers.counts() == [7, 12, 0]


def test_a_conversation_stays_with_its_candidate_in_all_workers(archived: Life, providers: Providers) -> None:
    write(archived, providers.document(strategy="round-robin"))
    gateway = archived.start("--workers=3")
    for _ in range(12):
        assert turn(gateway, prompt_cache_key="talk", store=False)[0] == 200
    assert sorted(providers.counts()) == [0, 0, 12]
    for _ in range(30):
        assert turn(gateway, store=False)[0] == 200
    assert min(providers.counts()) >= 5
