"""A scripted upstream: as little work as an honest HTTP/1.1 server can do, so that it does not blur the figures.

`python -m tests.bench.upstream [CERT KEY]` prints its port. The path says what comes: `/plain/...` one JSON answer,
`/stream/<chunks>/<ms>/...` that many chunks so far apart, `/hold/...` one chunk every second until the client leaves.
The rest of the path is whatever the client's format appends.
"""

import asyncio
import ssl
import sys

_CHAT = b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":'
_CHAT += b'"assistant","content":"' + b"All is well. " * 20 + b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
_CHAT += b'"completion_tokens":9,"total_tokens":18}}'
_EVENT = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
FIRST = _EVENT + b'{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
DELTA = _EVENT + b'{"content":"word "},"finish_reason":null}]}\n\n'
LAST = _EVENT + b'{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_CHAT), _CHAT)
_SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection: finds the end of each request by its Content-Length and answers by its path."""

    def __init__(self) -> None:
        self._seen = bytearray()
        self._wanted = 0
        self._path = b""
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._out = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops a stream nobody reads any more."""
        if self._work is not None:
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        """Answers every request that is now whole."""
        self._seen += data
        while True:
            if not self._wanted:
                end = self._seen.find(b"\r\n\r\n")
                if end < 0:
                    return
                head = bytes(self._seen[:end]).lower()
                self._path = bytes(self._seen[: self._seen.find(b"\r")]).split()[1]
                at = head.index(b"content-length:")
                self._wanted = end + 4 + int(head[at + 15 : head.find(b"\r", at) if head.find(b"\r", at) > 0 else None])
            if len(self._seen) < self._wanted:
                return
            del self._seen[: self._wanted]
            self._wanted = 0
            self._answer(self._path.split(b"/"))

    def _answer(self, path: list[bytes]) -> None:
        if path[1] == b"plain":
            self._out.write(_PLAIN)
            return
        count, apart_s = (int(path[2]), int(path[3]) / 1000) if path[1] == b"stream" else (0, 1.0)
        self._work = asyncio.get_running_loop().create_task(self._stream(count, apart_s))

    async def _stream(self, count: int, apart_s: float) -> None:
        self._out.write(_SSE_HEAD + _chunk(FIRST))
        sent = 0
        while sent < count or not count:
            # Apart, so that each arrives as a chunk of its own, as tokens do: a slow relay must not gain by merging.
            await asyncio.sleep(apart_s)
            self._out.write(_chunk(DELTA))
            sent += 1
        self._out.write(_chunk(LAST) + b"0\r\n\r\n")


async def main(tls: list[str]) -> None:
    """Serves until killed."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
