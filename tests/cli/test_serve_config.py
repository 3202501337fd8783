"""A gateway that serves a config file: what it prints, keeps, reloads, refuses, and asks of clients."""

import http.client
import json
import os
import signal

import pytest

from tests.cli.demos import KEY, document, write
from tests.cli.life import Gateway, Life, announced

MASTER = "gw_master_0123456789abcdef"


def ask(gateway: Gateway, key: str | None = None, model: str = "demo/ok") -> int:
    connection = http.client.HTTPConnection(*gateway.address, timeout=20)
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    connection.request("POST", "/v1/chat/completions", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_config_is_served_and_told_without_secrets(life: Life, upstream: int) -> None:
    write(life, document(upstream, masterKey=MASTER))
    gateway = life.start()
    assert ask(gateway) == 200
    status = life.json("status")["data"]
    assert status["configFile"] == str(life.home / ".llm-router.json")
    assert status["stateBackend"] == "file"
    assert status["settings"]["retryAttempts"] == 3
    life.env["LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS"] = "7"
    told = life.json("config", "snapshot")["data"]["settings"]
    assert told["retryAttempts"] == 3, "the gateway's, not those of this shell"
    for args in (("status",), ("status", "--json"), ("config", "list"), ("config", "list", "--json")):
        said = life.run(*args)
        assert KEY not in said.stdout + said.stderr
        assert MASTER not in said.stdout + said.stderr


def test_summary_is_printed(sourced: Life, upstream: int) -> None:
    default = {"default": {"targets": [{"ref": "demo/ok"}, {"ref": "demo/slow"}]}}
    write(sourced, document(upstream, masterKey=MASTER, modelAliases=default)).chmod(0o644)
    with announced(sourced) as (said, _):
        pass
    assert "Anthropic base URL: http://127.0.0.1:" in said
    assert "apiKey=sk-u...cdef" in said
    assert "Local auth: disabled" in said
    assert "Default model: demo/ok and 1 more\n" in said
    assert "holds keys and others may read it (mode 0644): chmod 600 " in said
    assert KEY not in said


def test_changed_file_is_taken_up_and_a_bad_one_is_not(life: Life, upstream: int) -> None:
    path = write(life, document(upstream))
    gateway = life.start()
    assert ask(gateway, model="other") == 404
    doc = document(upstream)
    doc["modelAliases"]["other"] = {"strategy": "ordered", "targets": [{"ref": "demo/ok"}]}
    write(life, doc)
    gateway.wait_for("config-reloaded")
    assert ask(gateway, model="other") == 200
    write(life, '{"providers": [}')
    gateway.wait_for("config-refused")
    assert ask(gateway, model="other") == 200
    path.unlink()
    gateway.wait_for("config-refused")
    assert ask(gateway, model="other") == 200
    write(life, document(upstream))
    gateway.wait_for("config-reloaded")
    assert ask(gateway, model="other") == 404


def test_the_log_says_when_a_refused_file_is_good_again_and_when_an_old_one_cannot_be_saved(
    sourced: Life, upstream: int
) -> None:
    path = write(sourced, document(upstream))
    gateway = sourced.start()
    write(sourced, "{")
    gateway.wait_for("config-refused")
    write(sourced, document(upstream))
    gateway.wait_for("config-restored")
    old = json.dumps(document(upstream, version=1))
    fresh = sourced.home / "fresh.json"
    fresh.write_text(old)
    fresh.chmod(0o444)
    os.replace(fresh, path)
    assert "the file is read-only" in gateway.wait_for("config-not-migrated")
    gateway.wait_for("config-reloaded")
    assert path.read_text() == old
    assert ask(gateway) == 200


def test_what_is_wrong_in_a_new_file_is_logged_with_its_place(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    gateway = sourced.start()
    doc = document(upstream)
    doc["modelAliases"]["other"] = {"strategy": "dice", "targets": [{"ref": "demo/ok"}, {"ref": "demo/nowhere"}]}
    write(sourced, doc)
    gateway.wait_for("config-reloaded")
    said = [gateway.wait_for("config-issue") for _ in range(2)]
    assert "path=$.modelAliases.other.strategy code=strategy" in said[0]
    assert "path=$.modelAliases.other.targets[1] code=ref-unknown-model" in said[1]
    assert ask(gateway, model="other") == 200
    write(sourced, {"version": 2, "providers": [{"id": "x"}]})
    gateway.wait_for("config-refused")
    assert "code=provider-required" in gateway.wait_for("config-issue")
    assert "path=$.providers[0].baseUrl code=base-url" in gateway.wait_for("config-issue")


def test_a_link_to_another_file_and_a_pipe_in_its_place(sourced: Life, upstream: int) -> None:
    path = write(sourced, document(upstream))
    other = sourced.home / "other.json"
    doc = document(upstream)
    doc["modelAliases"]["other"] = {"strategy": "ordered", "targets": [{"ref": "demo/ok"}]}
    other.write_text(json.dumps(doc))
    gateway = sourced.start()
    path.unlink()
    path.symlink_to(other)
    gateway.wait_for("config-reloaded")
    assert ask(gateway, model="other") == 200
    path.unlink()
    os.mkfifo(path)
    assert "Not a regular file" in gateway.wait_for("config-refused")
    assert ask(gateway, model="other") == 200
    path.unlink()
    write(sourced, document(upstream))
    gateway.wait_for("config-reloaded")
    assert ask(gateway, model="other") == 404


@pytest.mark.parametrize("workers", [1, 2])
def test_hangup_reloads(sourced: Life, upstream: int, workers: int) -> None:
    write(sourced, document(upstream))
    gateway = sourced.start("--no-watch-config", f"--workers={workers}")
    doc = document(upstream)
    doc["modelAliases"]["other"] = {"strategy": "ordered", "targets": [{"ref": "demo/ok"}]}
    write(sourced, doc)
    gateway.signal(signal.SIGHUP)
    assert "status=200" in gateway.wait_for("reload-by-signal")
    assert ask(gateway, model="other") == 200
    write(sourced, "[]")
    gateway.signal(signal.SIGHUP)
    assert "status=422" in gateway.wait_for("reload-by-signal")
    assert ask(gateway, model="other") == 200


def test_reload_says_what_waits_for_a_restart(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    gateway = sourced.start()
    llr = {"state": {"backend": "memory"}, "routing": {"drainTimeoutMs": 1, "originRetryAttempts": 2}}
    write(sourced, document(upstream, metadata={"localServer": {"port": 1234}, "llr": llr}))
    keys = ["metadata.localServer.port", "metadata.llr.state.backend", "metadata.llr.routing.drainTimeoutMs"]
    assert sourced.json("reload")["data"]["restartNeeded"] == keys
    shown = sourced.run("reload").stdout
    assert ", ".join(keys) in shown
    assert ", ".join(keys) in gateway.wait_for("restart-needed")
    assert "llr restart --hard" in shown


def test_reload_answers_with_the_issues(life: Life, upstream: int) -> None:
    write(life, document(upstream))
    gateway = life.start("--no-watch-config", "--workers=2")
    assert life.json("reload")["data"]["changed"] is False
    doc = document(upstream)
    doc["modelAliases"]["other"] = {"strategy": "ordered", "targets": [{"ref": "demo/ok"}]}
    write(life, doc)
    assert life.json("reload")["data"]["changed"] is True
    assert [ask(gateway, model="other") for _ in range(4)] == [200] * 4
    write(life, {**document(upstream), "providers": [{"id": "x"}]})
    refused = life.run("reload")
    assert refused.returncode == 2
    assert "$.providers[0]" in refused.stderr
    body = life.json("reload")
    assert (body["ok"], body["error"]["code"]) == (False, "config-refused")
    assert "An older version of the file serves." in life.run("status").stdout
    write(life, doc)
    assert life.run("reload").returncode == 0
    assert life.json("status")["data"]["configRefused"] is None
    assert "$.providers[0]" in "".join(issue["path"] for issue in body["data"]["issues"])
    assert ask(gateway, model="other") == 200


def test_typed_flags_are_kept_and_absent_ones_change_nothing(sourced: Life, upstream: int) -> None:
    path = write(sourced, document(upstream, masterKey=MASTER))
    gateway = sourced.start("--require-auth")
    assert json.loads(path.read_text())["metadata"]["localServer"] == {"requireAuth": True}
    assert [ask(gateway), ask(gateway, "wrong"), ask(gateway, MASTER)] == [401, 401, 200]
    sourced.run("stop")
    before = path.read_bytes()
    gateway = sourced.start()
    assert path.read_bytes() == before
    assert [ask(gateway), ask(gateway, MASTER)] == [401, 200]
    sourced.run("stop")
    gateway = sourced.start("--require-auth=false")
    assert "localServer" not in json.loads(path.read_text()).get("metadata", {})
    assert ask(gateway) == 200


def test_auth_follows_the_file(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream, masterKey=MASTER))
    gateway = sourced.start()
    assert ask(gateway) == 200
    write(sourced, document(upstream, masterKey=MASTER, metadata={"localServer": {"requireAuth": True}}))
    gateway.wait_for("auth-changed")
    assert [ask(gateway), ask(gateway, MASTER)] == [401, 200]


def test_auth_needs_a_key(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    done = sourced.run("start", "--require-auth", "--port=0")
    assert done.returncode == 2
    assert "masterKey is missing" in done.stderr
    assert "set-master-key" in done.stderr
    assert "requireAuth" not in (sourced.home / ".llm-router.json").read_text(), "a refused start leaves nothing behind"


@pytest.mark.parametrize(
    ("doc", "message"),
    [
        ("{", "Failed to load config from"),
        ("[]", "Failed to load config from"),
        ('{"version": 2, "providers": []}', "no enabled provider"),
    ],
)
def test_unusable_configs(sourced: Life, doc: str, message: str) -> None:
    path = write(sourced, doc)
    done = sourced.run("start", "--port=0")
    assert done.returncode == 2
    assert message in done.stderr
    assert path.read_text() == doc
    assert not (sourced.home / "run.json").exists()


def test_old_config_is_migrated_before_it_serves(sourced: Life, upstream: int) -> None:
    path = write(sourced, document(upstream, version=1))
    gateway = sourced.start()
    assert ask(gateway) == 200
    assert json.loads(path.read_text())["version"] == 2
    assert list(sourced.home.glob(".llm-router.json.bak.*"))


def test_workers_share_a_database(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    gateway = sourced.start("--workers=2")
    assert ask(gateway, model="demo") == 200
    assert sourced.json("status")["data"]["stateBackend"] == "sqlite"
    sourced.run("stop")
    assert (sourced.home / ".llm-router.state.sqlite").exists()


def test_a_config_that_broke_does_not_end_a_running_gateway(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    gateway = sourced.start("--no-watch-config")
    write(sourced, "{")
    done = sourced.run("restart")
    assert done.returncode == 1
    assert "the old one goes on" in done.stderr
    assert ask(gateway) == 200


def test_a_start_says_what_of_the_config_does_not_serve(sourced: Life, upstream: int) -> None:
    doc = document(upstream)
    at = len(doc["providers"])
    unset = {"id": "unset", "baseUrl": "https://x.example", "format": "openai", "apiKeyEnv": "LLR_TEST_UNSET"}
    doc["providers"] += [
        {**unset, "models": ["m"]},
        {"id": "broken", "baseUrl": "nowhere", "apiKey": "k", "models": ["m"]},
        {"id": "sub", "type": "subscription", "subscriptionType": "claude-code"},
    ]
    doc["modelAliases"]["other"] = {"strategy": "dice", "targets": [f"demo/none-{n}" for n in range(25)]}
    write(sourced, doc)
    with announced(sourced) as (said, _):
        pass
    assert f"$.providers[{at}].apiKeyEnv: provider unset: environment variable LLR_TEST_UNSET is not set" in said
    assert f"$.providers[{at + 1}].baseUrl: provider broken missing baseUrl" in said
    assert "$.modelAliases.other.strategy: alias other has unsupported strategy dice" in said
    assert "9 more; `llr config validate` names them." in said


def test_unset_key_variables_are_named(sourced: Life, upstream: int) -> None:
    doc = document(upstream)
    doc["providers"][0]["apiKeyEnv"] = "LLR_TEST_NO_SUCH_KEY"
    del doc["providers"][0]["apiKey"]
    write(sourced, doc)
    sourced.start()
    said = sourced.run("status").stdout
    assert "Key Variables That Are Not Set\n- LLR_TEST_NO_SUCH_KEY" in said
