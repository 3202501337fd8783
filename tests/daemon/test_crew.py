"""Workers as their parent sees them, with small stand-ins for the real program."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from llr.daemon import listener, respawn
from llr.daemon.channel import Ask
from llr.daemon.crew import Crew
from llr.daemon.instance import Instance
from llr.daemon.log import Log
from llr.daemon.ports import Address
from llr.daemon.resume import Plan
from llr.daemon.source import Source
from llr.daemon.spawn import Launcher
from llr.daemon.workers import holder_of

# Says ready (or not), then answers every question with its path until the parent closes or asks for the end.
STAND_IN = """
import json, os, socket, sys
mode = open(sys.argv[1]).read()
if mode == "dies": sys.exit(3)
line = socket.socket(fileno=int(os.environ["LLM_ROUTER_LINK_FD"]))
file = line.makefile("rw")
def say(message):
    file.write(json.dumps(message) + "\\n"); file.flush()
if mode == "fails": say({"failed": "no config here"}); sys.exit(1)
if mode == "serves": say({"ready": os.getpid(), "version": "t1"})
for text in file:
    asked = json.loads(text)
    if asked["path"] == "/crash": os._exit(9)
    if asked["path"] == "/state/vacate":
        told = os.getpid(), asked["body"]["holders"], os.environ["LLM_ROUTER_HOLDER"]
        print(*told, file=open(sys.argv[1] + ".log", "a"))
    say({"answer": asked["ask"], "status": 200, "body": asked["path"]})
    if asked["path"] == "/drain": say({"state": {"kept": 1}}); break
"""


class Stage:
    """A crew on a free port, and the file that tells its next workers how to behave."""

    def __init__(self, folder: Path) -> None:
        self.mode = folder / "mode"
        self.behave("serves")
        self.sockets = listener.bind(Address("127.0.0.1", 0))
        self.plan = Plan("", Instance(1), worker_args=(str(self.mode),), workers=2, ready_s=10.0)
        self.said = io.StringIO()
        self.source = Source(Launcher(sys.executable, ("-I", "-S"), ("-c", STAND_IN)))
        self.crew = Crew(self.plan, self.sockets, Log(self.said))

    def behave(self, mode: str) -> None:
        self.mode.write_text(mode)

    async def until(self, event: str) -> None:
        async with asyncio.timeout(20):
            while f" {event} " not in self.said.getvalue():  # noqa: ASYNC110 (the log has no event)
                await asyncio.sleep(0.01)

    async def answer(self) -> bytes:
        reader, writer = await asyncio.open_connection(*listener.address_of(self.sockets[0]))
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            head = await reader.readline()
        writer.close()
        return head


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    found = Stage(tmp_path)
    yield found
    for worker in await found.crew.lay_off():
        worker.kill()
        await worker.reap()
    for sock in found.sockets:
        sock.close()


async def test_ready_workers_are_taken_on_asked_and_drained(stage: Stage) -> None:
    fresh, why = await stage.crew.start(stage.source, 2)
    assert (len(fresh), why) == (2, None)
    assert stage.crew.ready == []
    stage.crew.take_on(fresh, stage.source)
    assert stage.crew.all_ready
    assert fresh[0].version == "t1"
    assert (await fresh[0].ask(Ask("GET", "/x"))).body == "/x"
    for worker in await stage.crew.lay_off():
        await worker.drain(5.0)
        assert worker.state == {"kept": 1}
    assert "worker-ended" not in stage.said.getvalue()


@pytest.mark.parametrize(
    ("mode", "why"), [("fails", "no config here"), ("dies", "ended before it was ready"), ("waits", "not ready within")]
)
async def test_workers_that_do_not_get_ready(stage: Stage, mode: str, why: str) -> None:
    stage.behave(mode)
    stage.crew = Crew(replace(stage.plan, ready_s=0.5), stage.sockets, Log(stage.said))
    fresh, told = await stage.crew.start(stage.source, 1)
    assert fresh == []
    assert why in (told or "")


async def test_a_program_that_is_not_there(stage: Stage) -> None:
    gone = Source(Launcher("/no/such/python", (), ("x",)))
    assert await stage.crew.start(gone, 1) == ([], "No such file or directory")


async def test_clients_are_told_while_no_worker_can_be_started(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(respawn, "FIRST_S", 0.0)
    fresh, _ = await stage.crew.start(stage.source, 1)
    stage.crew.take_on(fresh, stage.source)
    stage.behave("dies")
    await fresh[0].ask(Ask("POST", "/crash"))
    await stage.until("no-worker")
    assert (await stage.answer()).startswith(b"HTTP/1.1 503 ")
    stage.behave("serves")
    stage.said.truncate(0)
    await stage.until("worker-ready")
    assert len(stage.crew.ready) == 1


async def test_a_dead_worker_is_told_with_its_code(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(respawn, "FIRST_S", 0.0)
    fresh, _ = await stage.crew.start(stage.source, 1)
    stage.crew.take_on(fresh, stage.source)
    assert (await fresh[0].ask(Ask("POST", "/crash"))).status == 503
    await stage.until("worker-ended")
    assert f"pid={fresh[0].pid} code=9" in stage.said.getvalue()


@pytest.mark.parametrize("count", [1, 2])
async def test_a_living_worker_gives_back_what_a_dead_one_held(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(respawn, "FIRST_S", 0.0)
    fresh, _ = await stage.crew.start(stage.source, count)
    stage.crew.take_on(fresh, stage.source)
    dead = fresh[0]
    await dead.ask(Ask("POST", "/crash"))
    told = stage.mode.with_name("mode.log")
    async with asyncio.timeout(20):
        while not (told.exists() and told.read_text().endswith("\n")):  # noqa: ASYNC110 (nothing tells of a file)
            await asyncio.sleep(0.01)
    heir, holders, crew = told.read_text().split()
    assert holders == holder_of(crew, dead.pid)
    assert heir == str(fresh[1].pid) if count == 2 else heir != str(dead.pid)
