"""Balancing, healing and state as the built archive does them: real processes, providers that do what they are told."""

import contextlib
import http.client
import json
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.life import Life
from tests.cli.providers import Providers, ask, write


def entries(path: Path) -> list[tuple[str, str, str]]:
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [(row["level"], row["kind"], row["detail"]) for row in rows]


def test_a_cooldown_is_kept_shown_and_cleared(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    providers.status["a"], providers.fields["a"] = 429, {"retry-after": "60"}
    gateway = archived.start()
    assert [ask(gateway)[0] for _ in range(2)] == [200, 200]
    assert providers.counts() == [1, 2, 0]
    row = archived.json("cooldowns")["data"]["cooldowns"][0]
    assert (row["name"], row["reason"], row["status"]) == ("a/m", "rate_limited", 429)
    assert 50 < row["secondsLeft"] <= 60
    assert "a/m" in archived.run("cooldowns").stdout
    gateway.process.terminate()
    assert gateway.wait() == 0
    # The state file is the reference router's, with one more field; the next gateway reads it.
    state = json.loads((archived.home / ".llm-router.state.json").read_text())
    record = state["candidateStates"]["candidate:a%2Fm@openai"]
    assert state["version"] == 1
    assert record["cooldownUntil"] == record["llr"]["cooldowns"]["rate_limited"] > record["updatedAt"]
    assert (record["lastFailureStatus"], record["lastFailureCategory"]) == (429, "rate_limited")
    again = archived.start()
    providers.status["a"] = 200
    ask(again)
    assert providers.counts() == [1, 3, 0]
    assert archived.run("cooldowns", "clear", "a/m").stdout == "Cleared 1 record(s).\n"
    ask(again)
    assert providers.counts() == [2, 3, 0]


def test_another_key_ends_the_cooldown_of_the_old_one(archived: Life, providers: Providers) -> None:
    doc = providers.document()
    write(archived, doc)
    providers.status["a"] = 401
    gateway = archived.start("--no-watch-config")
    assert [ask(gateway)[0] for _ in range(2)] == [200, 200]
    assert providers.counts() == [1, 2, 0]
    providers.status["a"] = 200
    doc["providers"][0]["apiKey"] = "another-key"
    write(archived, doc)
    assert archived.json("reload")["data"]["changed"] is True
    assert ask(gateway)[0] == 200
    assert providers.counts() == [2, 2, 0]
    assert providers.asked["a"][1]["authorization"] == "Bearer another-key"
    assert archived.json("cooldowns")["data"]["cooldowns"] == []


def test_a_key_changed_while_nothing_ran_starts_clean(archived: Life, providers: Providers) -> None:
    doc = providers.document()
    write(archived, doc)
    providers.status["a"] = 401
    gateway = archived.start()
    ask(gateway)
    gateway.process.terminate()
    assert gateway.wait() == 0
    assert [row["name"] for row in archived.json("cooldowns")["data"]["cooldowns"]] == ["a/m", "a"]
    doc["providers"][0]["apiKey"] = "another-key"
    write(archived, doc)
    assert archived.json("cooldowns")["data"]["cooldowns"] == []
    providers.status["a"] = 200
    again = archived.start()
    assert ask(again)[0] == 200
    assert providers.counts() == [2, 1, 0]
    assert archived.json("cooldowns")["data"]["cooldowns"] == []


def test_the_activity_log(archived: Life, providers: Providers) -> None:
    doc = providers.document()
    write(archived, doc)
    log = archived.home / "..llm-router.activity.jsonl"
    gateway = archived.start("--no-watch-config")
    ask(gateway)
    providers.status["a"] = 500
    ask(gateway)
    providers.status["a"] = 400
    assert ask(gateway)[0] == 400
    doc["metadata"]["activityLog"] = {"enabled": False}
    write(archived, doc)
    archived.json("reload")
    assert ask(gateway)[0] == 400
    gateway.process.terminate()
    assert gateway.wait() == 0
    assert entries(log) == [
        (
            "warn",
            "fallback-triggered",
            "a/m failed (status 500 · temporary error). Trying b/m next. Provider said: slow down",
        ),
        (
            "success",
            "fallback-succeeded",
            "b/m completed the request after a/m failed (status 500 · temporary error). Provider said: slow down",
        ),
        (
            "error",
            "request-failed",
            "a/m failed (status 400 · invalid request). Fallback stopped for this error. Provider said: slow down",
        ),
    ]
    assert log.stat().st_mode & 0o777 == 0o600
    assert "Fallback request succeeded for any." in archived.run("logs", "--activity").stdout


def test_how_a_request_was_routed(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    providers.status["a"] = 500
    gateway = archived.start()
    plain = ask(gateway)[1]
    assert not [name for name in plain if name.startswith("x-llm-router-")]
    told = ask(gateway, x_llm_router_debug="1")[1]
    assert told["x-llm-router-attempts"] == "a/m:500/temporary_error#1,b/m:200/ok#1"
    assert told["x-llm-router-selected-candidate"] == "b/m"
    assert (told["x-llm-router-route-type"], told["x-llm-router-route-strategy"]) == ("alias", "ordered")
    assert told["x-llm-router-requested-model"] == told["x-llm-router-route-ref"] == "any"
    status, alone = ask(gateway, x_llm_router_debug="1", x_llm_router_no_fallback="true", model="a/m")
    assert (status, alone["x-llm-router-attempts"]) == (500, "a/m:500/temporary_error#1")
    sent = [name for seen in providers.asked.values() for fields in seen for name in fields]
    assert not [name for name in sent if name.startswith("x-llm-router-")]


def test_the_environment_switches_debugging_on(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    archived.env["LLM_ROUTER_DEBUG_ROUTING"] = "true"
    assert ask(archived.start())[1]["x-llm-router-attempts"] == "a/m:200/ok#1"


def test_no_fallback_and_the_clients_wait(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    for name in "abc":
        providers.status[name], providers.fields[name] = 429, {"retry-after": "30"}
    gateway = archived.start()
    status, fields = ask(gateway, x_llm_router_no_fallback="true")
    assert (status, fields["retry-after"], providers.counts()) == (429, "30", [1, 0, 0])
    status, fields = ask(gateway)
    assert (status, providers.counts()) == (429, [1, 1, 1])
    assert 0 < int(fields["retry-after"]) <= 30


def test_limits_are_counted_shown_and_emptied(archived: Life, providers: Providers) -> None:
    doc = providers.document(targets=["a/m"])
    bucket = {"id": "cap", "name": "cap", "models": ["all"], "requests": 2, "window": {"unit": "month", "size": 12}}
    doc["providers"][0]["rateLimits"] = [bucket]
    write(archived, doc)
    gateway = archived.start()
    assert [ask(gateway)[0] for _ in range(3)] == [200, 200, 429]
    count = archived.json("cooldowns")["data"]["counts"][0]
    assert (count["provider"], count["bucket"], count["used"], count["unit"]) == ("a", "cap", 2, "requests")
    assert archived.json("cooldowns", "clear", "a/other", "--counts")["data"]["cleared"] == 0
    assert archived.json("cooldowns", "clear", "a/cap", "--counts")["data"]["cleared"] == 1
    assert ask(gateway)[0] == 200


def test_each_config_has_its_own_state(archived: Life, providers: Providers) -> None:
    providers.status["a"] = 401
    path = write(archived, providers.document(), "sandbox.json")
    gateway = archived.start(f"--config={path}")
    ask(gateway)
    gateway.process.terminate()
    gateway.wait()
    assert (archived.home / "sandbox.state.json").exists()
    assert not (archived.home / ".llm-router.state.json").exists()
    rows = archived.json("cooldowns", f"--config={path}")["data"]["cooldowns"]
    assert [row["name"] for row in rows] == ["a/m", "a"]


def test_two_gateways_on_one_state_file_both_serve(archived: Life, providers: Providers) -> None:
    providers.status["a"], providers.fields["a"] = 429, {"retry-after": "600"}
    archived.env["LLM_ROUTER_STATE_FILE_PATH"] = str(archived.home / "shared.json")
    write(archived, providers.document())
    first = archived.start()
    archived.env["LLM_ROUTER_RUNTIME_STATE_PATH"] = str(archived.home / "second.json")
    second = archived.start(f"--config={write(archived, providers.document(), 'other.json')}")
    for gateway in (first, second):
        assert [ask(gateway)[0] for _ in range(3)] == [200] * 3
    for gateway in (first, second):
        gateway.process.terminate()
        assert gateway.wait() == 0
    state = json.loads((archived.home / "shared.json").read_text())
    assert list(state["candidateStates"]) == ["candidate:a%2Fm@openai"]


@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_a_folder_that_cannot_be_written_fails_no_request(archived: Life, providers: Providers, backend: str) -> None:
    (archived.home / "shut").write_text("no folder")
    archived.env["LLM_ROUTER_STATE_FILE_PATH"] = str(archived.home / "shut" / "state.json")
    archived.env["LLM_ROUTER_STATE_BACKEND"] = backend
    providers.status["a"] = 401
    write(archived, providers.document())
    gateway = archived.start()
    assert [ask(gateway)[0] for _ in range(3)] == [200] * 3
    gateway.process.terminate()
    assert gateway.wait() == 0
    # The record held all the same, in memory.
    assert providers.counts() == [1, 3, 0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits another process's files")
@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_a_full_disk_fails_no_request(archived: Life, providers: Providers, backend: str) -> None:
    from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

    archived.env["LLM_ROUTER_STATE_BACKEND"] = backend
    write(archived, providers.document())
    gateway = archived.start()
    assert ask(gateway)[0] == 200
    prlimit(gateway.pid, RLIMIT_FSIZE, (0, RLIM_INFINITY))
    providers.status["a"] = 401
    assert [ask(gateway)[0] for _ in range(3)] == [200] * 3
    assert providers.counts() == [2, 3, 0]
    told = [gateway.wait_for("note") for _ in range(3 if backend == "sqlite" else 2)]
    assert len([line for line in told if "activity log" in line and "cannot be written" in line]) == 1
    assert len([line for line in told if "stays in memory" in line or "local to this process" in line]) == 1


def test_workers_begin_with_what_one_process_knew(archived: Life, providers: Providers) -> None:
    providers.status["a"] = 401
    write(archived, providers.document())
    gateway = archived.start()
    ask(gateway)
    gateway.process.terminate()
    gateway.wait()
    providers.status["a"] = 200
    several = archived.start("--workers=2")
    assert [ask(several)[0] for _ in range(4)] == [200] * 4
    assert providers.counts() == [1, 5, 0]
    assert archived.json("status")["data"]["stateBackend"] == "sqlite"
    assert [row["name"] for row in archived.json("cooldowns")["data"]["cooldowns"]] == ["a/m", "a"]
    several.process.terminate()
    several.wait()
    # Without a gateway the state of the last one is shown.
    assert archived.json("cooldowns", "clear", "a")["data"]["cleared"] == 2
    kept = archived.json("cooldowns")["data"]
    assert (kept["running"], kept["cooldowns"], kept["counts"]) == (False, [], [])


def test_workers_without_shared_state_are_told(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    archived.env["LLM_ROUTER_STATE_BACKEND"] = "memory"
    gateway = archived.start("--workers=2")
    assert "each worker counts for itself" in gateway.wait_for("state-not-shared")


def test_explain_for_the_key_holder(archived: Life, providers: Providers) -> None:
    write(archived, {**providers.document(), "masterKey": "gw_master_0123456789abcdef"})
    gateway = archived.start("--require-auth")
    body = {"model": "any", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}], "top_k": 3}
    question = json.dumps({"format": "claude", "body": body})
    with contextlib.closing(http.client.HTTPConnection(*gateway.address, timeout=20)) as connection:
        connection.request("POST", "/llr/explain", question, {"content-type": "application/json"})
        refused = connection.getresponse()
        refused.read()
        fields = {"content-type": "application/json", "authorization": "Bearer gw_master_0123456789abcdef"}
        connection.request("POST", "/llr/explain", question, fields)
        told = json.load(connection.getresponse())
    assert refused.status == 401
    first = told["candidates"][0]
    assert [row["candidate"] for row in told["candidates"]] == ["a/m", "b/m", "c/m"]
    assert (first["wire"], first["translated"]) == ("openai-chat", True)
    assert [loss["path"] for loss in first["losses"]] == ["top_k"]
    assert providers.counts() == [0, 0, 0]


def test_a_late_beginning_is_passed_over(archived: Life, providers: Providers) -> None:
    write(archived, providers.document(metadata={"llr": {"firstTokenMs": 200}}))
    providers.open.clear()
    gateway = archived.start()
    status, told = ask(gateway, x_llm_router_debug="1")
    assert status == 200
    assert told["x-llm-router-attempts"] == "a/m:error/network_error#1,b/m:200/ok#1"


def test_the_users_rules_come_first(archived: Life, providers: Providers) -> None:
    rules = [
        {"status": 400, "contains": "slow", "action": "next-and-cool", "cooldownMs": 60_000},
        {"status": 503, "action": "stop"},
    ]
    doc = providers.document()
    doc["metadata"]["llr"]["failureRules"] = rules
    write(archived, doc)
    providers.status["a"] = 400
    gateway = archived.start()
    assert [ask(gateway)[0] for _ in range(2)] == [200, 200]
    assert providers.counts() == [1, 2, 0]
    providers.status["b"] = 503
    assert ask(gateway)[0] == 503
    assert providers.counts() == [1, 3, 0]


def test_a_conversation_stays_while_others_take_turns(archived: Life, providers: Providers) -> None:
    write(archived, providers.document(strategy="round-robin"))
    gateway = archived.start()
    for _ in range(6):
        ask(gateway, session_id="talk")
    assert sorted(providers.counts()) == [0, 0, 6]
    (mine,) = [name for name, seen in providers.asked.items() if seen]
    for _ in range(6):
        ask(gateway)
    assert min(providers.counts()) == 2
    # It moves when its candidate fails, and then stays where it went.
    providers.status[mine] = 500
    before = providers.counts()
    ask(gateway, session_id="talk")
    providers.status[mine] = 200
    for _ in range(3):
        ask(gateway, session_id="talk")
    grown = {name: now - then for name, now, then in zip("abc", providers.counts(), before, strict=True)}
    assert sorted(grown.values()) == [0, 1, 4]
    assert grown[mine] == 1


def test_requests_at_once_are_capped(archived: Life, providers: Providers) -> None:
    doc = providers.document(targets=["a/m", "b/m"])
    doc["providers"][0]["metadata"] = {"llr": {"maxConcurrency": 1}}
    write(archived, doc)
    gateway = archived.start()
    providers.open.clear()
    first = threading.Thread(target=ask, args=(gateway,))
    first.start()
    while not providers.asked["a"]:
        threading.Event().wait(0.01)
    status, told = ask(gateway, x_llm_router_debug="1")
    assert (status, told["x-llm-router-skipped-candidates"]) == (200, "a/m:concurrency-limit")
    providers.open.set()
    first.join(20)
    assert ask(gateway, x_llm_router_debug="1")[1]["x-llm-router-selected-candidate"] == "a/m"
