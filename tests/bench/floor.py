"""The floor: a bare h11 relay on asyncio streams. No routing, no checks, no time-outs, no failover.

Each client connection keeps one upstream connection. `python -m tests.bench.floor UPSTREAM_PORT` prints its port.
"""

import asyncio
import json
import sys

import h11


async def next_event(conn: h11.Connection, reader: asyncio.StreamReader) -> object:
    """Returns the next h11 event, reading as needed."""
    while (event := conn.next_event()) is h11.NEED_DATA:
        conn.receive_data(await reader.read(65536))
    return event


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Serves one client connection until it closes."""
    up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
    client, upstream = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
    try:
        while isinstance(request := await next_event(client, reader), h11.Request):
            parts = []
            while isinstance(event := await next_event(client, reader), h11.Data):
                parts.append(bytes(event.data))
            body = json.loads(b"".join(parts))
            body["model"] = "m"
            payload = json.dumps(body).encode()
            headers = [("host", f"127.0.0.1:{port}"), ("content-type", "application/json")]
            head = h11.Request(
                method="POST", target=request.target, headers=[*headers, ("content-length", str(len(payload)))]
            )
            out = [upstream.send(head), upstream.send(h11.Data(data=payload)), upstream.send(h11.EndOfMessage())]
            up_writer.write(b"".join(part for part in out if part))
            await up_writer.drain()
            answer = await next_event(upstream, up_reader)
            assert isinstance(answer, h11.Response)
            kept = [(n, v) for n, v in answer.headers if n in (b"content-type", b"content-length")]
            writer.write(client.send(h11.Response(status_code=answer.status_code, headers=kept)) or b"")
            while isinstance(event := await next_event(upstream, up_reader), h11.Data):
                writer.write(client.send(h11.Data(data=event.data)) or b"")
                await writer.drain()
            writer.write(client.send(h11.EndOfMessage()) or b"")
            await writer.drain()
            client.start_next_cycle()
            upstream.start_next_cycle()
    finally:
        up_writer.close()
        writer.close()


async def main(port: int) -> None:
    """Serves until killed."""
    server = await asyncio.start_server(lambda r, w: relay(r, w, port), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
