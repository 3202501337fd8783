"""A connection to an origin: TCP, proxy and TLS under one deadline.

Law: errors become `GatewayError` here and say which host failed, never a credential.
"""

import asyncio
import errno
import os
import ssl

import h11

from llr.base.errors import ErrorKind, faults
from llr.net.head import BadHead, head_end, response_framing
from llr.net.proxy import Proxy
from llr.net.stream import Stream, Wire
from llr.net.tls import Trust
from llr.net.tlsstream import TLSStream
from llr.wire.http import Origin

# RFC 8305 §5: the second address family starts this much later.
_HAPPY_EYEBALLS_S = 0.25

_FAULTS: dict[type[BaseException], ErrorKind] = {
    TimeoutError: ErrorKind.UPSTREAM_TIMEOUT,
    OSError: ErrorKind.UPSTREAM_UNREACHABLE,
    UnicodeError: ErrorKind.UPSTREAM_UNREACHABLE,  # a host name that DNS cannot carry
}


async def dial(origin: Origin, proxy: Proxy | None, trust: Trust, *, connect_s: float) -> tuple[Stream, Wire]:
    """Returns a stream to `origin`, ready for a request, and the wire at its bottom.

    Raises `GatewayError`: UPSTREAM_TIMEOUT after `connect_s`, UPSTREAM_UNREACHABLE for everything else.
    """
    what = f"connecting to {origin.host}:{origin.port}"
    if proxy is not None:
        what += f" through the proxy {proxy.host}:{proxy.port}"
    with faults(_FAULTS, what):
        try:
            async with asyncio.timeout(connect_s):
                return await _connect(origin, proxy, trust)
        except TimeoutError as exc:
            waited = f"no connection within {connect_s:g} s"
            raise TimeoutError(os.strerror(exc.errno) if exc.errno else str(exc) or waited) from exc
        except ssl.SSLCertVerificationError as exc:
            raise ConnectionError(
                f"its certificate is not trusted: {exc.verify_message}; "
                "NODE_EXTRA_CA_CERTS or the provider's caFile can add a root"
            ) from exc
        except ssl.SSLError as exc:
            raise ConnectionError(f"TLS failed: {exc.reason or exc}") from exc
        except OSError as exc:
            if exc.errno is None:
                raise
            # Of a failed connect asyncio keeps the number and tells the address again instead of the reason.
            known = exc.errno in errno.errorcode
            raise OSError(os.strerror(exc.errno) if known else exc.strerror or str(exc)) from exc


async def _connect(origin: Origin, proxy: Proxy | None, trust: Trust) -> tuple[Stream, Wire]:
    loop = asyncio.get_running_loop()
    host, port = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
    _, wire = await loop.create_connection(lambda: Wire(loop), host, port, happy_eyeballs_delay=_HAPPY_EYEBALLS_S)
    wire.wake_on_data = True
    stream: Stream = wire
    try:
        if proxy is not None and proxy.scheme == "https":
            stream = await _secure(stream, await trust.context(None), proxy.host)
        if origin.scheme == "https":
            if proxy is not None:
                await _tunnel(stream, origin, proxy)
            stream = await _secure(stream, await trust.context(origin.ca_file), origin.host)
    except BaseException:
        wire.abort()
        raise
    return stream, wire


async def _secure(below: Stream, context: ssl.SSLContext, host: str) -> Stream:
    stream = TLSStream(below, context, host.rstrip("."))
    await stream.handshake()
    return stream


async def _tunnel(stream: Stream, origin: Origin, proxy: Proxy) -> None:
    """Returns once the proxy has opened a tunnel to `origin`."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    target = f"{host}:{origin.port}".encode("idna" if not host.isascii() else "ascii")
    headers = [(b"host", target)]
    if proxy.credentials is not None:
        headers.append((b"proxy-authorization", proxy.credentials.reveal().encode("ascii")))
    conn = h11.Connection(h11.CLIENT)
    stream.write(conn.send(h11.Request(method=b"CONNECT", target=target, headers=headers)))
    stream.write(conn.send(h11.EndOfMessage()))
    await stream.drain()
    try:
        head = await read_head(stream)
        if not head:
            raise ConnectionError("the proxy closed the connection")
        response_framing(head)
        conn.receive_data(head)
        answer = conn.next_event()
    except (BadHead, h11.RemoteProtocolError) as exc:
        raise ConnectionError("the proxy's answer is not HTTP") from exc
    if not isinstance(answer, h11.Response) or not 200 <= answer.status_code < 300:
        status = head.split(b"\r\n", 1)[0][9:].decode("latin-1")
        raise ConnectionError(f"the proxy answered {status}")


async def read_head(stream: Stream) -> bytes:
    """Returns a peer's whole head, unchecked but for its end; b"" when the stream ends before its first byte.

    What follows the head stays in the stream. Raises `BadHead` on what cannot be an HTTP/1 answer, OSError.
    """
    data, seen = b"", 0
    while True:
        chunk = await stream.read()
        if not chunk:
            if data:
                raise BadHead(400, "the connection ended inside the head")
            return b""
        data = data + chunk if data else chunk
        if not data.startswith(b"HTTP/1."[: len(data)]):
            raise BadHead(400, "the answer does not start like HTTP/1")
        end = head_end(data, seen)
        if end >= 0:
            break
        seen = len(data)
    if end < len(data):
        stream.unread(data[end:])
        return data[:end]
    return data
