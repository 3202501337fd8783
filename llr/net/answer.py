"""What a handler's answer becomes on the wire, and how its body is let go."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from llr.net.head import written
from llr.net.plain import REASONS, error_body, http_date, trace
from llr.wire.http import RawHeaders, Response

log = logging.getLogger("llr.net.server")

# A body's own clean-up (closing an upstream) may take this long before it is abandoned.
CLOSE_S = 2.0
_OURS = frozenset((b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"upgrade", b"trailer"))


def head_bytes(response: Response, *, keep: bool, chunked: bool) -> bytes:
    """Returns the head of an answer; framing and connection fields are the server's, never the handler's.

    `chunked` is how a body of unknown length goes out. Raises `ValueError` on a status or field HTTP forbids.
    """
    status = response.status
    headers: RawHeaders = [field for field in response.headers if field[0] not in _OURS]
    if status not in (204, 304):
        if isinstance(response.body, bytes):
            headers.append((b"content-length", b"%d" % len(response.body)))
        elif chunked:
            headers.append((b"transfer-encoding", b"chunked"))
    if b"date" not in dict(headers):
        headers.append((b"date", http_date()))
    if not keep:
        headers.append((b"connection", b"close"))
    if not 200 <= status < 1000:
        raise ValueError(f"{status} is no status of a final answer")
    return written(b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b"")), headers)


def internal_error() -> Response:
    """Returns the answer to a request whose handler failed."""
    body = error_body(500, "the request could not be handled; the log says why")
    return Response(500, [(b"content-type", b"application/json")], body)


async def close_body(content: AsyncIterator[bytes]) -> None:
    """Closes an answer's iterator, within `CLOSE_S`; a failure is logged."""
    aclose: Callable[[], object] | None = getattr(content, "aclose", None)
    if aclose is None:
        return
    try:
        async with asyncio.timeout(CLOSE_S):
            await aclose()  # type: ignore[misc]
    except TimeoutError:
        log.warning("an answer's body did not close within %.0f s", CLOSE_S)
    except Exception as exc:
        log.error("an answer's body failed to close\n%s", trace(exc))
