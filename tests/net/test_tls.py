"""TLS to upstreams, and proxies before them, over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.net.client import Client
from llr.net.tls import Trust, build_context
from llr.wire.http import Origin, Timeouts
from tests.net.conftest import Certificate
from tests.net.rig import QUICK, Proxy, client, post, read_request, upstream, whole

pytestmark = pytest.mark.needs("openssl")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        _, body = await read_request(reader)
        if body == b"big":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(300):
                writer.write(b"2710\r\n" + b"y" * 10_000 + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(OK if len(body) < 1000 else b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%7d" % len(body))


@contextlib.asynccontextmanager
async def secure(certificate: Certificate) -> AsyncIterator[Origin]:
    """Yields the origin of a TLS upstream whose root the origin brings along."""
    async with upstream(serve_all, ssl=certificate.server_context()) as port:
        yield Origin("https", "127.0.0.1", port, ca_file=certificate.cert)


async def test_requests_over_tls_share_a_connection(certificate: Certificate) -> None:
    async with secure(certificate) as origin, client() as net:
        for _ in range(3):
            assert await whole(await net.send(post(0, origin=origin), timeouts=QUICK)) == b"ok"
        assert net.open_connections == 1
        large = await net.send(post(0, b"x" * 5_000_000, origin=origin), timeouts=QUICK)
        assert await whole(large) == b"5000000"
        assert len(await whole(await net.send(post(0, b"big", origin=origin), timeouts=QUICK))) == 3_000_000
        assert net.open_connections == 1


async def failure(origin: Origin, env: dict[str, str] | None = None, kind: ErrorKind | None = None) -> str:
    async with client(env) as net:
        with pytest.raises(GatewayError) as caught:
            await whole(await net.send(post(0, origin=origin), timeouts=QUICK))
        assert caught.value.fault.kind is (kind or ErrorKind.UPSTREAM_UNREACHABLE)
        return caught.value.fault.message


async def test_an_unknown_root_is_refused_with_advice(certificate: Certificate) -> None:
    async with secure(certificate) as origin:
        message = await failure(Origin("https", origin.host, origin.port))
    assert "certificate is not trusted" in message
    assert "caFile" in message


async def test_a_wrong_host_name_is_refused(foreign_certificate: Certificate) -> None:
    async with secure(foreign_certificate) as origin:
        message = await failure(origin)
    assert "not trusted" in message
    assert "127.0.0.1" in message


async def test_the_origins_root_trusts_no_other(certificate: Certificate, other_certificate: Certificate) -> None:
    async with secure(certificate) as origin:
        await failure(Origin("https", origin.host, origin.port, ca_file=other_certificate.cert))


@pytest.mark.parametrize("name", ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
async def test_peer_32_roots_from_the_environment(certificate: Certificate, name: str) -> None:
    async with secure(certificate) as origin, client({name: certificate.cert}) as net:
        plain = Origin("https", origin.host, origin.port)
        assert await whole(await net.send(post(0, origin=plain), timeouts=QUICK)) == b"ok"


async def test_a_plain_peer_is_no_tls_peer() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with upstream(plain) as port:
        assert "TLS failed" in await failure(Origin("https", "127.0.0.1", port))


async def test_a_peer_that_hangs_in_the_handshake() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with upstream(silent) as port, client() as net:
        origin = Origin("https", "127.0.0.1", port)
        with pytest.raises(GatewayError) as caught:
            await net.send(post(0, origin=origin), timeouts=Timeouts(connect_s=0.3))
        assert caught.value.fault.kind is ErrorKind.UPSTREAM_TIMEOUT
        assert net.open_connections == 0


async def test_a_peer_that_leaves_in_the_handshake() -> None:
    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    async with upstream(gone) as port:
        await failure(Origin("https", "127.0.0.1", port))


@pytest.mark.parametrize(("clean", "ok"), [(True, True), (False, False)])
async def test_a_body_until_close_needs_a_clean_tls_end(certificate: Certificate, clean: bool, ok: bool) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await writer.drain()
        if not clean:
            # Cut below TLS: no close_notify.
            writer.transport.get_extra_info("socket").shutdown(1)
            await reader.read()

    async with upstream(script, ssl=certificate.server_context()) as port:
        origin = Origin("https", "127.0.0.1", port, ca_file=certificate.cert)
        if not ok:
            await failure(origin, kind=ErrorKind.UPSTREAM_TRUNCATED)
            return
        async with client() as net:
            assert await whole(await net.send(post(0, origin=origin), timeouts=QUICK)) == b"hello"


async def test_contexts_are_built_once_per_root_and_failures_are_not_kept(certificate: Certificate) -> None:
    trust = Trust({})
    one, two = await asyncio.gather(trust.context(None), trust.context(None))
    assert one is two
    assert await trust.context(certificate.cert) is not one
    for _ in range(2):
        with pytest.raises(GatewayError) as caught:
            await trust.context("/nonexistent/ca.pem")
        assert caught.value.fault.kind is ErrorKind.CONFIGURATION
        assert "/nonexistent/ca.pem" in caught.value.fault.message


async def test_a_ca_file_that_changed_is_read_again(
    certificate: Certificate, other_certificate: Certificate, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(Path(other_certificate.cert).read_bytes() + b"\n")
    async with secure(certificate) as origin, client() as net:
        pinned = Origin("https", origin.host, origin.port, ca_file=str(ca_file))
        with pytest.raises(GatewayError):
            await net.send(post(0, origin=pinned), timeouts=QUICK)
        ca_file.write_bytes(Path(certificate.cert).read_bytes())
        assert await whole(await net.send(post(0, origin=pinned), timeouts=QUICK)) == b"ok"


def test_a_ca_file_may_lie_in_the_home_folder(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(certificate.cert)
    monkeypatch.setenv("HOME", str(path.parent))
    monkeypatch.setenv("USERPROFILE", str(path.parent))
    assert len(build_context({"SSL_CERT_FILE": certificate.cert}, f"~/{path.name}").get_ca_certs()) == 1


def test_what_adds_and_what_replaces(certificate: Certificate, caplog: pytest.LogCaptureFixture) -> None:
    def roots(env: dict[str, str], ca_file: str | None = None) -> int:
        return len(build_context(env, ca_file).get_ca_certs())

    usual = roots({})
    assert usual > 50
    assert roots({}, certificate.cert) == usual + 1
    assert roots({"NODE_EXTRA_CA_CERTS": certificate.cert}) == usual + 1
    assert roots({"SSL_CERT_FILE": certificate.cert}) == 1
    assert roots({"REQUESTS_CA_BUNDLE": certificate.cert}, certificate.cert) == 1
    assert roots({"NODE_EXTRA_CA_CERTS": "/nonexistent.pem"}) == usual
    assert "NODE_EXTRA_CA_CERTS is not used" in caplog.text
    with pytest.raises(GatewayError):
        roots({"SSL_CERT_FILE": "/nonexistent.pem"})
    assert build_context({}, None).minimum_version is ssl.TLSVersion.TLSv1_2


# Proxies.


async def test_peer_32_https_goes_through_a_tunnel_with_credentials(certificate: Certificate) -> None:
    proxy = Proxy(b"user:p@ss")
    async with secure(certificate) as origin, upstream(proxy) as proxy_port, client() as net:
        through = Origin(
            "https",
            origin.host,
            origin.port,
            proxy=f"http://user:p%40ss@127.0.0.1:{proxy_port}",
            ca_file=certificate.cert,
        )
        for _ in range(2):
            assert await whole(await net.send(post(0, origin=through), timeouts=QUICK)) == b"ok"
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nhost: 127.0.0.1:" % origin.port)


async def test_http_is_sent_to_the_proxy_in_absolute_form() -> None:
    proxy = Proxy(b"u:p")
    async with upstream(serve_all) as port, upstream(proxy) as proxy_port, client() as net:
        origin = Origin("http", "127.0.0.1", port, proxy=f"http://u:p@127.0.0.1:{proxy_port}")
        assert await whole(await net.send(post(0, origin=origin), timeouts=QUICK)) == b"ok"
    assert proxy.heads[0].startswith(b"POST http://127.0.0.1:%d/v1 HTTP/1.1\r\n" % port)


async def test_a_proxy_over_tls(certificate: Certificate) -> None:
    proxy = Proxy()
    context = certificate.server_context()
    async with secure(certificate) as origin, upstream(proxy, ssl=context) as proxy_port:
        through = Origin("https", "localhost", origin.port, proxy=f"https://127.0.0.1:{proxy_port}")
        async with client({"SSL_CERT_FILE": certificate.cert}) as net:
            big = await net.send(post(0, b"big", origin=through), timeouts=QUICK)
            assert len(await whole(big)) == 3_000_000
    assert proxy.heads[0].startswith(b"CONNECT localhost:")


async def test_the_environments_proxy_is_used_but_not_for_loopback() -> None:
    heads: list[bytes] = []

    async def answering_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await read_request(reader))[0])
        writer.write(OK)

    async with (
        upstream(serve_all) as port,
        upstream(answering_proxy) as proxy_port,
        client({"HTTP_PROXY": f"http://127.0.0.1:{proxy_port}"}) as net,
    ):
        assert await whole(await net.send(post(port), timeouts=QUICK)) == b"ok"
        assert heads == []
        far = Origin("http", "api.example", 8080)
        assert await whole(await net.send(post(0, origin=far), timeouts=QUICK)) == b"ok"
    assert heads[0].startswith(b"POST http://api.example:8080/v1 HTTP/1.1\r\nhost: api.example:8080\r\n")
    assert b"proxy-authorization" not in heads[0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407 Proxy Authentication"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502 Bad Gateway"),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n", "403 Forbidden"),
        (b"garbage\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\nX: y\n\n", "not HTTP"),
        (b"", "closed the connection"),
    ],
)
async def test_a_proxy_that_refuses(answer: bytes, says: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with upstream(script) as port:
        message = await failure(Origin("https", "api.example", 443, proxy=f"http://u:hush@127.0.0.1:{port}"))
    assert says in message
    assert f"through the proxy 127.0.0.1:{port}" in message
    assert "hush" not in message


async def test_socks_is_refused_clearly() -> None:
    message = await failure(
        Origin("https", "api.example", 443), {"ALL_PROXY": "socks5://127.0.0.1:1"}, ErrorKind.CONFIGURATION
    )
    assert "socks5" in message


async def test_closing_the_client_says_goodbye_to_nobody_twice(certificate: Certificate) -> None:
    async with secure(certificate) as origin:
        net = Client({})
        response = await net.send(post(0, b"big", origin=origin), timeouts=QUICK)
        await net.aclose()
        with pytest.raises(GatewayError):
            await whole(response)
        await response.aclose()
        await net.aclose()
        assert net.open_connections == 0
