"""What the doctor sees without the network, and how the command tells it."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from llr.cli.main import main
from llr.config.parse import parse_config
from llr.config.schema import Config
from llr.control.doctor import Patient, examine, local
from llr.control.doctor.findings import Finding, Grade
from llr.control.doctor.local import (
    look_at_auth,
    look_at_config,
    look_at_gateway,
    look_at_store,
    look_at_surroundings,
)
from llr.daemon import ports
from llr.wire.http import Request, Response
from tests.net.rig import serving
from tests.state.redis_rig import redis_server

KEY = "sk-doctor-0123456789"
SECRET = "the-password-of-the-store"


def provider(**more: Any) -> dict[str, Any]:
    entry = {"id": "corp", "name": "Corp", "baseUrl": "https://a.example.test/v1", "format": "openai", "apiKey": KEY}
    return {**entry, "models": ["m"], **more}


def config(**more: Any) -> Config:
    parsed = parse_config({"version": 2, "providers": [provider()], **more}, {})
    assert parsed.config is not None
    return parsed.config


def server(**more: Any) -> dict[str, Any]:
    return {"metadata": {"localServer": more}}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"LLM_ROUTER_RUNTIME_STATE_PATH": str(tmp_path / "state.json")}


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({}, {"literal-key"}),
        (server(host="0.0.0.0"), {"open-to-all", "literal-key"}),
        ({**server(host="0.0.0.0", requireAuth=True), "masterKey": "gw_0123456789abcdef"}, {"literal-key"}),
        ({**server(requireAuth=True), "masterKey": "short"}, {"weak-master-key", "literal-key"}),
    ],
)
def test_who_may_ask(env: dict[str, str], more: dict[str, Any], codes: set[str]) -> None:
    assert {one.code for one in look_at_auth(config(**more), env)} == codes


def test_a_port_held_by_another_is_an_error_that_names_it(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "HEALTH_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        [found] = look_at_gateway(None, {**env, "LLM_ROUTER_PORT": str(port)})
    assert (found.code, found.grade) == ("port-taken", Grade.ERROR)
    assert "process" in found.message
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        monkeypatch.setattr(ports, "owners", lambda _port: ())
        [hidden] = look_at_gateway(None, {**env, "LLM_ROUTER_PORT": str(port)})
    assert (hidden.code, "may not see" in hidden.message) == ("port-taken", True)
    [free] = look_at_gateway(None, {**env, "LLM_ROUTER_PORT": str(port)})
    assert (free.code, free.grade) == ("not-running", Grade.INFO)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"status": "ok", "timestamp": "2026-01-31T00:00:00Z"}', "unrecorded"),
        (b'{"status": "ok"}', "port-taken"),
        (b"[]", "port-taken"),
        (b"<html>", "port-taken"),
    ],
)
async def test_a_gateway_that_no_state_file_tells_of_is_known_by_its_health(
    env: dict[str, str], body: bytes, code: str
) -> None:
    async def health(request: Request) -> Response:
        assert request.target == "/health"
        return Response(200, [(b"content-type", b"application/json")], body)

    async with serving(health) as (_, port):
        [found] = await asyncio.to_thread(look_at_gateway, None, {**env, "LLM_ROUTER_PORT": str(port)})
    assert (found.code, str(port) in found.message, bool(found.fix)) == (code, True, True)


def redis(port: int) -> dict[str, Any]:
    return {"metadata": {"llr": {"state": {"backend": "redis", "url": f"redis://:{SECRET}@127.0.0.1:{port}/0"}}}}


async def test_a_store_that_is_away_is_told_without_its_password(env: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("redis")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    file = tmp_path / "router.json"
    file.write_text(json.dumps({"version": 2, "providers": [provider(enabled=False)], **redis(port)}))
    online = await examine(Patient(str(file), env))
    [away] = [one for one in online if one.code == "store-away"]
    assert (away.grade, str(port) in away.message, bool(away.fix)) == (Grade.WARNING, True, True)
    assert SECRET not in str([one.form() for one in online])
    assert not {"store-away", "store-answers"} & {one.code for one in await examine(Patient(str(file), env, True))}


@pytest.mark.needs("redis-server")
async def test_a_store_that_answers(env: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("redis")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    open_to_all = {"metadata": {"llr": {"state": {"backend": "redis", "url": f"redis://127.0.0.1:{port}/0"}}}}
    with redis_server(port, tmp_path):
        [found] = await look_at_store(config(**open_to_all), env, 1.0)
    assert (found.code, found.grade) == ("store-answers", Grade.OK)


async def test_without_a_shared_store_nothing_is_asked(env: dict[str, str]) -> None:
    assert await look_at_store(config(), env, 1.0) == []


def test_a_port_that_is_none(env: dict[str, str]) -> None:
    [found] = look_at_gateway(None, {**env, "LLM_ROUTER_PORT": "many"})
    assert found.code == "bad-address"


@pytest.mark.parametrize(("text", "code"), [(None, "no-config"), ("{", "bad-json"), ("{}", "no-provider")])
def test_a_config_that_serves_nothing(tmp_path: Path, text: str | None, code: str) -> None:
    file = tmp_path / "router.json"
    if text is not None:
        file.write_text(text)
    _, found = look_at_config(str(file), {})
    assert code in {one.code for one in found}
    assert all(one.fix for one in found)


def test_keys_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "router.json"
    file.write_text(json.dumps({"version": 2, "providers": [provider()]}))
    file.chmod(0o644)
    assert "config-mode" in {one.code for one in look_at_config(str(file), {})[1]}
    file.chmod(0o600)
    assert "config-mode" not in {one.code for one in look_at_config(str(file), {})[1]}


def codes_around(more: dict[str, Any], env: dict[str, str]) -> dict[str, Finding]:
    return {one.code: one for one in look_at_surroundings(config(**more), env)}


def test_a_sound_machine(env: dict[str, str]) -> None:
    assert codes_around({}, env) == {}


def test_a_state_folder_that_cannot_be_written(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(path: str, _mode: int) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr(os, "access", refuse)
    found = codes_around({}, {"LLM_ROUTER_RUNTIME_STATE_PATH": str(tmp_path / "not" / "yet" / "run.json")})
    assert found["state-not-writable"].grade is Grade.ERROR
    assert asked == [str(tmp_path)], "the nearest folder that exists"
    assert "LLM_ROUTER_RUNTIME_STATE_PATH=" in found["state-not-writable"].fix


def test_a_store_that_this_archive_cannot_open(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Its parts too: one that an earlier test imported would be found without asking for the package.
    for name in ["redis", *(known for known in sys.modules if known.startswith("redis."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "llr.state.redis", raising=False)
    found = codes_around({"metadata": {"llr": {"state": {"backend": "redis"}}}}, env)
    assert found["no-state-store"].grade is Grade.ERROR
    assert "--with redis" in found["no-state-store"].message


@pytest.mark.parametrize(
    ("name", "grade", "fix"),
    [
        ("LLM_ROUTER_PROT", Grade.WARNING, "Did you mean LLM_ROUTER_PORT?"),
        ("LLM_ROUTER_WEB_PORT", Grade.INFO, "`llr help reference environment` lists them."),
    ],
)
def test_variables_that_do_nothing(env: dict[str, str], name: str, grade: Grade, fix: str) -> None:
    found = codes_around({}, {**env, name: "1"})["variable-unused"]
    assert (found.grade, found.fix) == (grade, fix)
    assert name in found.message


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, env: dict[str, str], *line: str
) -> tuple[int, str]:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code = main(["doctor", *line])
    return code, capsys.readouterr().out


def test_the_command_in_text_and_json(
    tmp_path: Path, env: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "router.json"
    file.write_text(json.dumps({"version": 2, "providers": [provider(contextWindow=1)]}))
    file.chmod(0o600)
    env["LLM_ROUTER_PORT"] = "0"
    code, out = run(capsys, monkeypatch, env, f"--config={file}", "--offline")
    assert code == 0
    assert "LLM Router Doctor" in out
    assert "| Check" in out
    code, out = run(capsys, monkeypatch, env, f"--config={file}", "--offline", "--json", "--strict")
    body = json.loads(out)
    assert (code, body["error"]["code"]) == (1, "doctor")
    assert body["data"]["errors"] == 0
    assert body["data"]["warnings"] >= 1
    assert {"subject", "code", "level", "message", "fix"} <= set(body["data"]["findings"][0])
    assert KEY not in out


def test_the_command_fails_for_an_error_and_refuses_an_unknown_provider(
    tmp_path: Path, env: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "none.json"
    assert run(capsys, monkeypatch, env, f"--config={missing}", "--offline")[0] == 1
    file = tmp_path / "router.json"
    file.write_text(json.dumps({"version": 2, "providers": [provider()]}))
    assert run(capsys, monkeypatch, env, f"--config={file}", "--offline", "--provider-id=nobody")[0] == 2
