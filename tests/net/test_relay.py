"""Server and client together: what one side does reaches the other."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from llr.net.client import Client
from llr.wire.http import Handler, InboundResponse, Request, Response
from tests.net.rig import QUICK, Raw, client, connected, post, read_request, serving, soon, until, upstream

ASK = b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def relayed(response: InboundResponse) -> AsyncIterator[bytes]:
    try:
        async for data in response.chunks():
            yield data
    finally:
        await response.aclose()


def relay(net: Client, port: int) -> Handler:
    async def handler(request: Request) -> Response:
        response = await net.send(post(port, await request.body.read(1000)), timeouts=QUICK)
        return Response(response.status, [], relayed(response))

    return handler


@pytest.mark.parametrize("answers", [False, True])
async def test_a_client_that_leaves_ends_the_upstream_call_within_a_second(answers: bool) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if answers:
            writer.write(STREAM + b"1\r\na\r\n")
        asked.set()
        await reader.read()
        ended.set()

    async with upstream(script) as port, client() as net, serving(relay(net, port)) as (server, own):
        async with connected(own) as raw:
            raw.send(ASK)
            await soon(asked.wait())
            if answers:
                await raw.head()
            started = asyncio.get_running_loop().time()
        await soon(ended.wait())
        assert asyncio.get_running_loop().time() - started < 1
        await until(lambda: (server.connections, server.requests, net.open_connections) == (0, 0, 0))


async def test_a_slow_client_slows_the_upstream() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(STREAM)
        for _ in range(2000):
            writer.write(b"c350\r\n" + b"x" * 50_000 + b"\r\n")
            sent += 50_000
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    async with upstream(script) as port, client() as net, serving(relay(net, port)) as (_, own), connected(own) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw.send(ASK)
        last = -1
        while sent != last or not sent:
            last = sent
            await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=0.2)
        # Four kernel buffers and ours; the rest waits at the upstream.
        assert sent < 60_000_000
        raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len((await raw.reply()).body) == 100_000_000


async def test_two_hundred_streams_at_once_are_all_whole() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(STREAM)
            for n in range(20):
                event = b"data: %d\n\n" % n
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                await writer.drain()
                await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n")

    async def one(own: int) -> bytes:
        async with connected(own) as raw:
            raw.send(ASK)
            return (await raw.reply()).body

    async with upstream(script) as port, client() as net, serving(relay(net, port)) as (_, own):
        bodies = await asyncio.gather(*(one(own) for _ in range(200)))
        assert set(bodies) == {b"".join(b"data: %d\n\n" % n for n in range(20))}
        assert net.open_connections <= 200


async def test_an_upstream_that_breaks_breaks_the_answer() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(STREAM)
        await writer.drain()
        writer.write(b"1\r\na\r\n5\r\nab")

    async with upstream(script) as port, client() as net, serving(relay(net, port)) as (_, own), connected(own) as raw:
        raw.send(ASK)
        await raw.head()
        assert await raw.chunk() == b"aab"
        assert await rest(raw) == b""


async def rest(raw: Raw) -> bytes:
    try:
        return await raw.rest()
    except ConnectionResetError:
        return b""
