"""Whom to trust, as one `ssl.SSLContext` per set of roots.

Law: certifi, the operating system's store, NODE_EXTRA_CA_CERTS and an origin's own CA file add up; SSL_CERT_FILE and
REQUESTS_CA_BUNDLE replace the first two. Contexts are built off the loop, at first need, once.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Mapping

from llr.base.errors import ErrorKind, fail

log = logging.getLogger("llr.net.tls")

_REPLACING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_ADDING = "NODE_EXTRA_CA_CERTS"


class Trust:
    """The contexts of one client. `env` is read when a context is built; a CA file that changed is read again."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._contexts: dict[str | None, tuple[object, asyncio.Task[ssl.SSLContext]]] = {}

    async def context(self, ca_file: str | None) -> ssl.SSLContext:
        """Returns the context for origins with this CA file. Raises `GatewayError(CONFIGURATION)` if it is unusable."""
        version = _version(ca_file)
        known = self._contexts.get(ca_file)
        if known is None or known[0] != version:
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(build_context, self._env, ca_file))
            known = self._contexts[ca_file] = (version, task)
            task.add_done_callback(lambda done: self._forget_failure(ca_file, done))
        # Shared by all who dial: one of them giving up must not cancel it for the others.
        return await asyncio.shield(known[1])

    def _forget_failure(self, ca_file: str | None, task: "asyncio.Task[ssl.SSLContext]") -> None:
        if task.cancelled() or task.exception() is not None:
            known = self._contexts.get(ca_file)
            if known is not None and known[1] is task:
                del self._contexts[ca_file]


def _version(path: str | None) -> object:
    if path is None:
        return None
    try:
        found = os.stat(os.path.expanduser(path))
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def build_context(env: Mapping[str, str], ca_file: str | None) -> ssl.SSLContext:
    """Returns a client context: TLS 1.2 or newer, host names checked, HTTP/1.1 only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    replacing = [(name, env[name]) for name in _REPLACING if env.get(name)]
    for name, path in replacing:
        _load(context, path, name)
    if not replacing:
        import certifi

        context.load_verify_locations(cadata=certifi.contents())
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    extra = env.get(_ADDING)
    if extra:
        try:
            context.load_verify_locations(cafile=extra)
        except (OSError, ssl.SSLError) as exc:
            # Node.js warns and goes on; a stale variable must not stop every request here either.
            log.warning("%s is not used: %s: %s", _ADDING, extra, exc)
    if ca_file:
        _load(context, os.path.expanduser(ca_file), "caFile")
    return context


def _load(context: ssl.SSLContext, path: str, source: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as exc:
        raise fail(ErrorKind.CONFIGURATION, f"{source}: cannot load certificates from {path}: {exc}") from exc
