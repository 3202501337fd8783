"""A line to a worker: questions, answers and notes as JSON lines over one socket pair.

The end of the line is the end of the process at its other side, in both directions.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress

from llr.base.jsonio import JSON, dumps, object_in
from llr.daemon.channel import Answer, Answerer, Ask, problem

MAX_LINE_BYTES = 80 * 1024 * 1024

Note = dict[str, JSON]


async def _nobody(_ask: Ask) -> Answer:
    return problem(404, "not-found", "Nothing is asked of this side.")


class Link:
    """One end. `on_note` gets what the other side says unasked; `closed` is set when the other side is gone."""

    def __init__(self, on_note: Callable[[Note], None], answerer: Answerer = _nobody) -> None:
        self._on_note = on_note
        self._answerer = answerer
        self._waiting: dict[int, tuple[asyncio.Future[Answer], Note]] = {}
        # Not from 1: an answer to an earlier image of this process must never be taken for one to this.
        self._last = time.time_ns()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.StreamWriter | None = None
        self.closed = asyncio.Event()

    async def open(self, sock: socket.socket) -> None:
        """Takes the socket over and starts reading."""
        reader, self._writer = await asyncio.open_connection(sock=sock, limit=MAX_LINE_BYTES)
        self._keep(self._read(reader))

    @property
    def idle(self) -> bool:
        """Returns whether no answer is awaited."""
        return not self._waiting

    async def ask(self, ask: Ask, *, timeout_s: float) -> Answer:
        """Returns the other side's answer; 503 when it is gone, 504 after `timeout_s`."""
        if self.closed.is_set():
            return problem(503, "worker-gone", "The worker process is gone.")
        self._last += 1
        number = self._last
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        query: JSON = dict(ask.query)
        message: Note = {"ask": number, "method": ask.method, "path": ask.path, "query": query, "body": ask.body}
        self._waiting[number] = future, message
        await self._send(message)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return problem(504, "timeout", f"The worker process did not answer within {timeout_s:g} s.")
        finally:
            self._waiting.pop(number, None)

    async def note(self, note: Note) -> None:
        """Says something that needs no answer."""
        await self._send(note)

    async def take_over(self) -> None:
        """Goes on with a line of an earlier image of this process: what that one had not answered is asked again."""
        if self._writer is not None:
            # It may have been cut off in the middle of a line.
            self._writer.write(b"\n")
        await self._send({"again": True})

    def close(self) -> None:
        """Closes the line."""
        if self._writer is not None:
            self._writer.close()

    async def _send(self, message: Note) -> None:
        if self._writer is None or self.closed.is_set():
            return
        self._writer.write(dumps(message) + b"\n")
        with suppress(OSError):
            await self._writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._take(line)
        except (OSError, ValueError):
            # A reset, or a line past the limit: the other side is gone or mad, which is the same here.
            pass
        finally:
            self.closed.set()
            for future, _ in self._waiting.values():
                if not future.done():
                    future.set_result(problem(503, "worker-gone", "The worker process is gone."))
            self.close()

    def _take(self, line: bytes) -> None:
        message = object_in(line)
        if message is None:
            return
        if "ask" in message:
            self._keep(self._reply(message))
        elif "answer" in message:
            waiting = self._waiting.get(int(str(message["answer"])))
            if waiting is not None and not waiting[0].done():
                waiting[0].set_result(Answer(int(str(message.get("status", 500))), message.get("body")))
        elif "again" in message:
            for _, asked in list(self._waiting.values()):
                self._keep(self._send(asked))
        else:
            self._on_note(message)

    async def _reply(self, message: Note) -> None:
        query = message.get("query")
        pairs = {str(key): str(value) for key, value in query.items()} if isinstance(query, dict) else {}
        ask = Ask(str(message.get("method")), str(message.get("path")), pairs, message.get("body"))
        reply = await self._answerer(ask)
        await self._send({"answer": message["ask"], "status": reply.status, "body": reply.body})

    def _keep(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
