"""Marked secrets in every place that may hold one, and every command of the built archive: none of them is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.life import Life, announced
from tests.running import free_port

MARK = "CANARY"
ENVELOPE = {"ok", "exitCode", "operation", "data"}


def config(port: int) -> dict[str, Any]:
    """Returns a config whose provider is at a port where nobody answers."""
    local = f"127.0.0.1:{port}/v1"
    return {
        "version": 2,
        "masterKey": f"gw_{MARK}-master-0000000000",
        "providers": [
            {
                "id": "acme",
                "name": "Acme",
                "baseUrl": f"http://me:{MARK}pw0000@{local}?key={MARK}query",
                "format": "openai",
                "apiKey": f"sk-{MARK}-000000000000",
                "headers": {"X-Token": f"{MARK}-header-0000", "Cookie": f"sid={MARK}cookie"},
                "models": [{"id": "m1"}],
                "metadata": {"llr": {"proxy": "direct"}},
                "quotaProbe": {
                    "enabled": True,
                    "capKind": "dollars",
                    "http": {
                        "url": f"https://q.example/?access-token={MARK}quota",
                        "headers": [{"key": "Authorization", "value": f"{MARK}quotaheader"}],
                        "body": {"apiKey": f"{MARK}quotabody"},
                    },
                },
            },
            {
                "id": "proxied",
                "baseUrlByFormat": {"openai": f"http://u:{MARK}@{local}?api-version=1&sig={MARK}sig"},
                "credential": f"{MARK}credential",
                "api_key": f"{MARK}misspelled",
                "models": ["m2"],
                "metadata": {"llr": {"proxy": f"http://u:{MARK}proxy@127.0.0.1:{port}"}},
            },
            {"id": "broken", "baseUrl": f"ftp://u:{MARK}@x/?key={MARK}", "apiKey": f"{MARK}broken", "models": ["m3"]},
            {"id": "named", "baseUrl": f"http://{local}", "apiKeyEnv": "LLR_TEST_NAMED_KEY", "models": ["m4"]},
        ],
        "modelAliases": {"fast": {"targets": [{"ref": "acme/m1"}, "proxied/m2", "named/m4"]}},
        "amp": {
            "upstreamUrl": f"https://a:{MARK}@amp.example/",
            "upstreamApiKey": f"{MARK}ampkey",
            "webSearch": {"providers": {"tavily": {"api-key": f"{MARK}tavily"}}},
        },
        "webSearch": {
            "providers": [
                {"id": "brave", "apiKey": f"{MARK}brave"},
                {"id": "exa", "key": f"{MARK}exa"},
                {"id": "searxng", "url": f"http://u:{MARK}@sx.example"},
            ],
            "braveApiKey": f"{MARK}legacy",
        },
        "ollama": {"baseUrl": f"http://u:{MARK}@localhost:1"},
        "metadata": {"llr": {"state": {"url": f"redis://:{MARK}redis@cache.example:1/0"}}, "token": [f"{MARK}list"]},
        "secretToken": f"{MARK}unknown",
    }


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def marked(archived: Life, port: int) -> Life:
    """Returns a life whose config and tools are full of marked secrets."""
    home = archived.home
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        archived.env.pop(name, None)
    archived.env["LLR_TEST_NAMED_KEY"] = f"{MARK}environment"
    (home / ".llm-router.json").write_text(json.dumps(config(port)))
    (home / ".llm-router.json").chmod(0o600)
    for folder in (".claude", ".codex", ".factory"):
        (home / folder).mkdir()
    (home / ".claude" / "settings.json").write_text(json.dumps({"env": {"ANTHROPIC_AUTH_TOKEN": f"{MARK}-own-00000"}}))
    own = f'model = "x"\n[model_providers.mine]\nexperimental_bearer_token = "{MARK}-codex-0000"\n'
    (home / ".codex" / "config.toml").write_text(own)
    return archived


def check(life: Life, line: str, home: Path) -> None:
    for extra in ((), ("--json",)):
        done = life.run(*line.split(" "), *extra)
        assert MARK not in done.stdout + done.stderr, f"{line} {extra}"
        assert "Traceback" not in done.stderr
        if extra:
            body = json.loads(done.stdout)
            assert set(body) - {"error"} == ENVELOPE, line
            assert body["ok"] is (body["exitCode"] == 0) is (done.returncode == 0)
            assert ("error" in body) is not body["ok"]
            assert body.get("error") is None or set(body["error"]) == {"code", "message", "fix"}
    assert home.exists()


LOOKING = [
    *("status", "doctor --offline", "doctor", "explain --model=fast", "explain --model=none", "cooldowns", "logs"),
    *("ai-help", f"ai-help --gateway-auth-token={MARK}-token-0000", "reload", "stop", "restart", "web", "nonsense"),
    *("update --check", "update --from=http://u:{mark}u@127.0.0.1:{port}/x.pyz --sha256=00", "reclaim --dry-run"),
    *(f"config {name}" for name in ("list", "validate", "snapshot", "tool-status", "history", "startup-status")),
    f"config list --zz={MARK}-flag-0000",
]
CHANGING = [
    "set-codex-cli-routing --dry-run",
    "set-claude-code-routing --primary-model=fast --dry-run",
    "set-factory-droid-routing --dry-run",
    "set-claude-code-effort-level --effort-level=high --dry-run",
    "set-codex-cli-routing",
    "set-claude-code-routing",
    "set-factory-droid-routing",
    "tool-status",
    "set-codex-cli-routing --master-key=zz-{mark}-other00 --dry-run",
    "rename-model-alias --alias-id=fast --new-id=quick --dry-run",
    "set-master-key --master-key=gw_{mark}-second-00000000 --dry-run",
    "set-master-key --master-key=gw_{mark}-second-00000000",
    "undo --dry-run",
    "undo",
    "set-codex-cli-routing --enabled=false --dry-run",
    "set-claude-code-routing --enabled=false",
    "set-codex-cli-routing --enabled=false",
    "discover-provider-models --provider-id=acme",
    "test-provider --provider-id=acme --probe-rpm=60000",
    "discover-provider-models --base-url=http://z:{mark}z@127.0.0.1:{port} --api-key=sk-{mark}-zz000000",
    "upsert-provider --provider-id=acme --base-url=ftp://x:{mark}y@z --skip-probe",
    "upsert-provider --provider-id=acme --api-key=sk-{mark}-next0000 --probe-rpm=60000",
    "upsert-provider --name=Q --base-url=http://z:{mark}z@127.0.0.1:{port} --api-key=sk-{mark}-q0000 --models=a-1"
    " --skip-probe --dry-run",
    "litellm-context-lookup --models=x --refresh-from=http://u:{mark}u@127.0.0.1:{port}/x",
    "remove-provider --provider-id=acme --yes",
]


def test_commands_show_no_secret(marked: Life, port: int) -> None:
    for line in LOOKING:
        check(marked, line.format(mark=MARK, port=port), marked.home)


def test_operations_show_no_secret(marked: Life, port: int) -> None:
    for line in CHANGING:
        check(marked, "config " + line.format(mark=MARK, port=port), marked.home)


def test_a_running_gateway_shows_no_secret(marked: Life) -> None:
    gateway = marked.start()
    status, body = gateway.get("/v1/models")
    assert status == 200
    message = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        status, answer = gateway.get(path, method="POST", body=message)
        assert status in (502, 503)
        body += answer
    assert MARK.encode() not in body
    for line in ("status", "reload", "explain --model=fast", "cooldowns", "ai-help", "doctor", "config snapshot"):
        check(marked, line, marked.home)
    gateway.process.terminate()
    gateway.wait()
    gateway.seen += [line for line in iter(lambda: gateway._lines.get(timeout=5), None) if line]
    assert any(" attempt-failed " in line for line in gateway.seen)
    log = next(marked.home.glob("*activity*"))
    assert log.read_text()
    assert MARK not in log.read_text()
    assert not any(MARK in line for line in gateway.seen)


def test_what_is_kept_on_disk_is_for_its_owner_alone(marked: Life) -> None:
    (marked.home / ".llm-router.json").chmod(0o644)
    gateway = marked.start()
    gateway.ask("fast")
    marked.run("config", "set-master-key", f"--master-key=gw_{MARK}-second-00000000")
    marked.run("config", "undo")
    gateway.process.terminate()
    gateway.wait()
    holding = [path for path in marked.home.glob(".*") if path.is_file() and MARK in path.read_text(errors="replace")]
    assert len(holding) == 3, "the config and two backups"
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def test_the_banner_and_the_process_table_show_no_secret(marked: Life) -> None:
    with announced(marked) as (said, pid):
        shown = Path(f"/proc/{pid}/cmdline").read_text()
    assert "baseUrl=http" in said
    assert MARK not in said + shown
