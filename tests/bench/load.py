"""A load generator over keep-alive connections; it checks that every answer is whole.

`python -m tests.bench.load` reads one JSON plan per line from stdin and answers with one JSON result per line, so
that its own start-up is outside every measurement. A plan: `{"port", "path", "body", "connections", "requests"}`;
with `"hold": true` it opens the connections, waits for one chunk on each, answers, and keeps them until the next line.
"""

import asyncio
import json
import sys
import time
from typing import Any

_END = b"0\r\n\r\n"


class Client(asyncio.Protocol):
    """One connection: sends its request again after each whole answer until its share is done."""

    def __init__(self, request: bytes, share: int, done: asyncio.Future[None], latencies: list[float]) -> None:
        self._request, self._left, self._done, self._latencies = request, share, done, latencies
        self._seen = bytearray()
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._out = transport
        self._send()

    def _send(self) -> None:
        self._seen.clear()
        self._sent_at = time.perf_counter()
        self._out.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Counts a whole answer and sends the next request."""
        self._seen += data
        if not self._seen.startswith(b"HTTP/1.1 200"):
            self._fail(f"answered {bytes(self._seen[:300])!r}")
            return
        head_end = self._seen.find(b"\r\n\r\n")
        if head_end < 0:
            return
        if not self.first.done() and len(self._seen) > head_end + 4:
            self.first.set_result(None)
        head = bytes(self._seen[:head_end]).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            length = int(head[at + 15 :].split(b"\r", 1)[0])
            whole = len(self._seen) >= head_end + 4 + length
        else:
            whole = self._seen.endswith(_END)
        if whole:
            self._latencies.append(time.perf_counter() - self._sent_at)
            self._left -= 1
            if self._left:
                self._send()
            elif not self._done.done():
                self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the run when an answer was still owed."""
        if self._left:
            self._fail(f"closed early: {exc!r} after {bytes(self._seen[-200:])!r}")

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))

    def close(self) -> None:
        """Closes the connection on purpose."""
        self._left = 0
        self._out.abort()


async def _open(plan: dict[str, Any], latencies: list[float]) -> tuple[list[Client], list[asyncio.Future[None]]]:
    loop = asyncio.get_running_loop()
    body = plan["body"].encode()
    head = f"POST {plan['path']} HTTP/1.1\r\nhost: 127.0.0.1:{plan['port']}\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    count = plan["connections"]
    clients: list[Client] = []
    ends: list[asyncio.Future[None]] = []
    for number in range(count):
        share = plan["requests"] // count + (number < plan["requests"] % count)
        end: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(
            lambda share=share, end=end: Client(request, share, end, latencies),  # type: ignore[misc]
            "127.0.0.1",
            plan["port"],
        )
        clients.append(client)
        ends.append(end)
    return clients, ends


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


async def run(plan: dict[str, Any]) -> tuple[dict[str, Any], list[Client]]:
    """Returns the result of one plan and the connections still open."""
    latencies: list[float] = []
    began = time.perf_counter()
    cpu = time.process_time()
    clients, ends = await _open(plan, latencies)
    if plan.get("hold"):
        await asyncio.gather(*(client.first for client in clients))
        return {"open": len(clients)}, clients
    await asyncio.gather(*ends)
    for client in clients:
        client.close()
    latencies.sort()
    result = {"seconds": time.perf_counter() - began, "p50": _at(latencies, 0.5), "p99": _at(latencies, 0.99)}
    return {**result, "requests": len(latencies), "cpu": time.process_time() - cpu}, []


def main() -> None:
    """Runs plans until stdin ends."""
    loop = asyncio.new_event_loop()
    held: list[Client] = []
    for line in sys.stdin:
        for client in held:
            client.close()
        try:
            result, held = loop.run_until_complete(run(json.loads(line)))
        except (RuntimeError, OSError) as exc:
            result, held = {"error": str(exc)}, []
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
