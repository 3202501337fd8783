"""Bytes from a file or an address, never more than a limit."""

import os
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from llr.base.errors import GatewayError
from llr.base.names import SCHEME_PORTS
from llr.daemon.update.release import UpdateError, checked_url, is_url
from llr.wire.http import Origin, OutboundRequest, Timeouts, Transport

TIMEOUTS = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=30.0)
# Release hosts answer with a redirect to a storage host.
MAX_REDIRECTS = 5


def fetch(source: str, env: Mapping[str, str], most_bytes: int) -> bytes:
    """Returns the whole content. Raises `UpdateError`: not there, not reachable, too large."""
    if is_url(source):
        import asyncio

        return asyncio.run(_over_net(source, env, most_bytes))
    path = os.path.expanduser(source)
    try:
        with open(path, "rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as exc:
        raise UpdateError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    return _limited(data, source, most_bytes)


def _limited(data: bytes, source: str, most_bytes: int) -> bytes:
    if len(data) > most_bytes:
        raise UpdateError(f"{source} is larger than {most_bytes:,} bytes.")
    return data


async def _over_net(source: str, env: Mapping[str, str], most_bytes: int) -> bytes:
    from llr.net.client import Client

    client = Client(env)
    try:
        return await download(client, source, most_bytes)
    finally:
        await client.aclose()


async def download(transport: Transport, source: str, most_bytes: int) -> bytes:
    """Returns the body at an address, redirects followed as far as they stay on https. Raises `UpdateError`."""
    url = source
    for _ in range(MAX_REDIRECTS + 1):
        parts = urlsplit(checked_url(url))
        origin = Origin(parts.scheme, parts.hostname or "", parts.port or SCHEME_PORTS.get(parts.scheme, 0))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = [(b"accept", b"*/*"), (b"accept-encoding", b"identity")]
        try:
            answer = await transport.send(OutboundRequest("GET", origin, target, headers), timeouts=TIMEOUTS)
            data = b""
            async for chunk in answer.chunks():
                data = _limited(data + chunk, source, most_bytes)
        except GatewayError as exc:
            raise UpdateError(
                f"{url} could not be fetched: {exc.fault.message}.",
                "Without a network: carry the file over and use --from FILE.",
            ) from exc
        if answer.status in (301, 302, 303, 307, 308) and answer.headers.text(b"location"):
            url = urljoin(url, answer.headers.text(b"location"))
            continue
        if answer.status != 200:
            raise UpdateError(f"{url} answered {answer.status}.")
        return data
    raise UpdateError(f"{source} leads from one address to the next without an end.")
