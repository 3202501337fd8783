import asyncio
import os
import stat
import tempfile
from pathlib import Path

import pytest

from llr.daemon import call, channel
from llr.daemon.call import NothingRuns
from llr.daemon.channel import Answer, Ask, Endpoint
from llr.daemon.instance import Instance, with_process, write
from llr.net.server import serve


async def echo(ask: Ask) -> Answer:
    return Answer(201, {"query": dict(ask.query), "body": ask.body})


ROUTES = {"GET /echo": echo, "POST /echo": echo}


async def table(ask: Ask) -> Answer:
    return await channel.answer(ROUTES, ask)


def caller(endpoint: Endpoint, nonce: str = "right") -> Instance:
    told = Instance(os.getpid(), control_socket=endpoint.path, control_port=endpoint.port, nonce=nonce)
    return with_process(told, os.getpid())


@pytest.fixture(params=["unix", "loopback"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Endpoint:
    if request.param == "unix":
        return channel.bind(str(tmp_path / "run.json"))
    return channel.bind_loopback()


async def ask(endpoint: Endpoint, method: str, target: str, body: object = None, nonce: str = "right") -> Answer:
    """Asks as a command does, from a thread, while the channel answers in this loop."""
    handler = channel.http_handler(table, "right" if endpoint.port else None)
    server = await serve(handler, endpoint.sock.dup())
    told = caller(endpoint, nonce)
    try:
        return await asyncio.to_thread(call.call, told, method, target, body, timeout_s=10.0)  # type: ignore[arg-type]
    finally:
        await server.close()
        endpoint.remove()


async def test_question_and_answer(endpoint: Endpoint) -> None:
    reply = await ask(endpoint, "POST", "/echo?a=1&b=%20", {"x": [1]})
    assert reply == Answer(201, {"query": {"a": "1", "b": " "}, "body": {"x": [1]}})


@pytest.mark.parametrize(("method", "target", "status"), [("GET", "/nothing", 404), ("PUT", "/echo", 405)])
async def test_unknown_rows(endpoint: Endpoint, method: str, target: str, status: int) -> None:
    assert (await ask(endpoint, method, target)).status == status


async def test_a_loopback_port_wants_the_nonce() -> None:
    assert (await ask(channel.bind_loopback(), "GET", "/echo", nonce="wrong")).status == 403


def test_socket_is_private_and_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "run.sock"
    path.touch()
    endpoint = channel.bind(str(tmp_path / "run.json"))
    assert endpoint.path == str(path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert path.stat().st_mode & 0o777 == 0o600
    endpoint.remove()
    assert not path.exists()


def test_nothing_runs(tmp_path: Path) -> None:
    env = {"LLM_ROUTER_RUNTIME_STATE_PATH": str(tmp_path / "run.json")}
    with pytest.raises(NothingRuns, match="No running LLM Router instance detected"):
        call.control_call("GET", "/status", env=env)


def test_a_channel_that_is_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    write(path, with_process(Instance(os.getpid(), control_socket=str(tmp_path / "none.sock")), os.getpid()))
    with pytest.raises(NothingRuns, match="cannot be reached"):
        call.control_call("GET", "/status", env={"LLM_ROUTER_RUNTIME_STATE_PATH": path})


@pytest.mark.parametrize("deep", ["state", "state and temporary folder"])
def test_a_path_too_long_for_a_socket_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deep: str) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder) if deep != "state" else "/tmp")
    endpoint = channel.bind(str(folder / "run.json"))
    assert endpoint.path is not None
    place = Path(endpoint.path)
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []
    endpoint.sock.close()
    endpoint.remove()
    assert not place.parent.exists()
