"""What a handler's answer becomes on the wire, and how its body is let go."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import h11

from llr.net.plain import REASONS, error_body, http_date, trace
from llr.wire.http import RawHeaders, Response

log = logging.getLogger("llr.net.server")

# A body's own clean-up (closing an upstream) may take this long before it is abandoned.
CLOSE_S = 2.0
_OURS = frozenset((b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"upgrade", b"trailer"))


def head_event(response: Response, keep: bool) -> h11.Response:
    """Returns the head of an answer for h11; framing and connection fields are the server's, never the handler's.

    Raises `h11.LocalProtocolError` on a status or field HTTP forbids.
    """
    headers: RawHeaders = [field for field in response.headers if field[0] not in _OURS]
    if isinstance(response.body, bytes) and response.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(response.body)))
    if not any(name == b"date" for name, _ in headers):
        headers.append((b"date", http_date()))
    if not keep:
        headers.append((b"connection", b"close"))
    return h11.Response(status_code=response.status, headers=headers, reason=REASONS.get(response.status, b""))


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
