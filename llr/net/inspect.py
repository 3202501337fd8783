"""What a TLS peer shows, trusted or not: for telling people whose certificate stands between them and a provider."""

import ssl
from collections.abc import Mapping

from llr.base.records import replace
from llr.net.dial import dial
from llr.net.proxy import proxy_for
from llr.net.tls import Trust
from llr.net.tlsstream import TLSStream
from llr.wire.http import Origin

_ANYONE = "\0anyone"


class _Anyone(Trust):
    """Trusts the asked origin blindly; a TLS proxy on the way, which gets credentials, is checked as ever."""

    async def context(self, ca_file: str | None) -> ssl.SSLContext:
        """Returns a context that checks nothing for the origin itself."""
        if ca_file != _ANYONE:
            return await super().context(ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


async def shown_certificate(origin: Origin, env: Mapping[str, str], *, connect_s: float) -> bytes:
    """Returns the DER bytes of the certificate an https origin shows, b"" for none. Nothing is sent to it.

    Raises `GatewayError` as `dial` does, but never for a certificate that is not trusted.
    """
    blind = replace(origin, ca_file=_ANYONE)
    stream, _ = await dial(blind, proxy_for(origin, env), _Anyone(env), connect_s=connect_s)
    try:
        return stream.peer_certificate() if isinstance(stream, TLSStream) else b""
    finally:
        stream.abort()
