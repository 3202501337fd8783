"""Hand-overs under load: plain requests over kept connections and open streams, none failed and none cut."""

import asyncio
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.life import Gateway, Life, replace_in_archive

PLAIN_CLIENTS = 4


class Crowd:
    """Clients of one gateway; what went wrong is kept word for word."""

    def __init__(self, gateway: Gateway, streams: int) -> None:
        self.address = gateway.address
        self.failures: list[str] = []
        self.requests = 0
        self.streams = 0
        self._over = asyncio.Event()
        self._moved = asyncio.Condition()
        self._tasks = [asyncio.ensure_future(self._plain()) for _ in range(PLAIN_CLIENTS)]
        self._tasks += [asyncio.ensure_future(self._stream()) for _ in range(streams)]

    async def answered(self, number: int) -> None:
        """Returns once that many plain requests were answered in all."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.requests >= number or bool(self.failures))

    async def leave(self) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def _plain(self) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not self._over.is_set():
            try:
                connection = connection or await asyncio.open_connection(*self.address)
                closes = await self._ask(*connection)
            except (OSError, ValueError, asyncio.IncompleteReadError) as exc:
                self.failures.append(f"plain: {exc!r}")
                return
            if closes:
                connection[1].close()
                connection = None
            async with self._moved:
                self.requests += 1
                self._moved.notify_all()
        if connection is not None:
            connection[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Returns whether the server closes the connection after this answer. Raises ValueError on a bad one."""
        writer.write(request(stream=False))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200"):
            raise ValueError(head + body)
        return b"connection: close" in head

    async def _stream(self) -> None:
        while not self._over.is_set():
            try:
                reader, writer = await asyncio.open_connection(*self.address)
                writer.write(request(stream=True, close=True))
                answer = await reader.read(-1)
                writer.close()
            except OSError as exc:
                self.failures.append(f"stream: {exc!r}")
                return
            if not answer.startswith(b"HTTP/1.1 200") or b"data: [DONE]" not in answer:
                self.failures.append(f"stream: {answer!r}")
                return
            self.streams += 1


def request(*, stream: bool, close: bool = False) -> bytes:
    body = json.dumps({"model": "demo/ok", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]})
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += ["Connection: close"] if close else []
    return "\r\n".join([*lines, "", body]).encode()


def new_version(path: Path, version: str, folder: Path) -> Path:
    """Returns a copy of the archive that says it is another version, with its hash beside it."""
    made = folder / f"llr-{version}.pyz"
    shutil.copy(path, made)
    replace_in_archive(made, "llr/__init__.py", f'__version__ = "{version}"\n'.encode())
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    made.with_name(f"{made.name}.sha256").write_text(f"{digest}  {made.name}\n")
    return made


@pytest.mark.parametrize(
    ("restarts", "updates", "requests", "streams"),
    [
        pytest.param(4, 1, 250, 10, id="a-commit"),
        pytest.param(20, 3, 5000, 50, id="long", marks=pytest.mark.soak),
    ],
)
async def test_hand_overs_under_load(
    archived: Life, tmp_path: Path, restarts: int, updates: int, requests: int, streams: int
) -> None:
    gateway = archived.start("--demo")
    crowd = Crowd(gateway, streams)
    steps = restarts + updates
    for step in range(steps):
        await crowd.answered(requests * (step + 1) // (steps + 1))
        if step % (steps // updates) == 0 and step // (steps // updates) < updates:
            made = await asyncio.to_thread(new_version, Path(archived.command[-1]), f"9.0.{step}", tmp_path)
            words = ["update", "--from", str(made), "--json"]
        else:
            words = ["restart"]
        done = await asyncio.to_thread(archived.run, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert words == ["restart"] or json.loads(done.stdout)["data"]["gateway"] == "swapped", done.stdout
    await crowd.answered(requests)
    await crowd.leave()
    assert crowd.failures == []
    assert crowd.streams >= streams
    # The parent takes the new code only once the last of the old processes has drained.
    assert "version=9.0." in await asyncio.to_thread(gateway.wait_for, "renewed")
    assert archived.state["pid"] == gateway.pid
    assert archived.state["version"].startswith("9.0.")
