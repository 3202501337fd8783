"""Which proxy leads where, as tables."""

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.net.proxy import is_excepted, is_local, parse_proxy, proxy_for
from llr.wire.http import Origin

HTTPS = Origin("https", "api.example.com", 443)
HTTP = Origin("http", "api.example.com", 80)


@pytest.mark.parametrize(
    ("origin", "env", "expected"),
    [
        (HTTPS, {}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:3128"}, ("http", "p", 3128)),
        (HTTPS, {"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:2"}, ("http", "low", 1)),
        (HTTPS, {"HTTP_PROXY": "http://p:3128"}, None),
        (HTTP, {"HTTP_PROXY": "http://p:3128"}, ("http", "p", 3128)),
        (HTTP, {"HTTP_PROXY": "http://p:3128", "REQUEST_METHOD": "GET"}, None),
        (HTTP, {"http_proxy": "http://p:3128", "REQUEST_METHOD": "GET"}, ("http", "p", 3128)),
        (HTTPS, {"ALL_PROXY": "p"}, ("http", "p", 80)),
        (HTTPS, {"ALL_PROXY": "https://p"}, ("https", "p", 443)),
        (HTTPS, {"HTTPS_PROXY": "p:3128"}, ("http", "p", 3128)),
        (HTTPS, {"HTTPS_PROXY": "http://[fd00::1]:3128"}, ("http", "fd00::1", 3128)),
        (HTTPS, {"HTTPS_PROXY": "  "}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, None),
        (HTTPS, {"HTTPS_PROXY": "http://p:1", "no_proxy": "other.com"}, ("http", "p", 1)),
        (Origin("https", "localhost", 443), {"HTTPS_PROXY": "http://p:1"}, None),
        (Origin("http", "127.9.9.9", 80), {"HTTP_PROXY": "http://p:1"}, None),
        (Origin("http", "169.254.169.254", 80), {"HTTP_PROXY": "http://p:1"}, None),
        (Origin("http", "fe80::1%eth0", 80), {"HTTP_PROXY": "http://p:1"}, None),
        (Origin("http", "localhost", 80, proxy="http://q:2"), {}, ("http", "q", 2)),
        (Origin("https", "api.example.com", 443, proxy="direct"), {"HTTPS_PROXY": "http://p:1"}, None),
        (
            Origin("https", "api.example.com", 443, proxy="http://q:2"),
            {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"},
            ("http", "q", 2),
        ),
    ],
)
def test_proxy_for(origin: Origin, env: dict[str, str], expected: tuple[str, str, int] | None) -> None:
    proxy = proxy_for(origin, env)
    assert (None if proxy is None else (proxy.scheme, proxy.host, proxy.port)) == expected


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "excepted"),
    [
        ("api.example.com", 443, "", False),
        ("api.example.com", 443, "*", True),
        ("api.example.com", 443, "example.com", True),
        ("api.example.com", 443, ".example.com", True),
        ("api.example.com", 443, "*.example.com", True),
        ("example.com", 443, "example.com", True),
        ("example.com", 443, ".example.com", True),
        ("badexample.com", 443, "example.com", False),
        ("example.com.evil", 443, "example.com", False),
        ("API.Example.COM.", 443, "api.example.com", True),
        ("api.example.com", 443, "a.b, example.com ,c", True),
        ("api.example.com", 443, "a.b example.com", True),
        ("api.example.com", 443, "example.com:443", True),
        ("api.example.com", 8443, "example.com:443", False),
        ("10.1.2.3", 443, "10.0.0.0/8", True),
        ("11.1.2.3", 443, "10.0.0.0/8", False),
        ("10.1.2.3", 443, "10.1.2.3", True),
        ("10.1.2.3", 8080, "10.1.2.3:8080", True),
        ("10.1.2.3", 8081, "10.1.2.3:8080", False),
        ("10.1.2.3", 443, "2.3", False),
        ("fd00::5", 443, "fd00::/8", True),
        ("fd00::5", 443, "fd00:0::5", True),
        ("fd00::5", 443, "[fd00::5]:443", True),
        ("fd00::5", 80, "[fd00::5]:443", False),
        ("::ffff:10.1.2.3", 443, "10.0.0.0/8", True),
        ("api.example.com", 443, "10.0.0.0/8", False),
        ("api.example.com", 443, "not/a/network", False),
        ("api.example.com", 443, ".", False),
        ("api.example.com", 443, ":443", False),
    ],
)
def test_no_proxy(host: str, port: int, no_proxy: str, excepted: bool) -> None:
    assert is_excepted(host, port, no_proxy) is excepted


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("ollama.localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("169.254.1.1", True),
        ("fe80::1", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_local_hosts(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("socks5://u:secret@p:1080", "socks5 proxy"),
        ("socks5h://p:1080", "socks5h proxy"),
        ("ftp://p", "not an http"),
        ("http://", "not an http"),
        ("http://p:99999", "not a valid URL"),
        ("http://u:secret@p:port", "not a valid URL"),
    ],
)
def test_a_proxy_that_is_not_http_is_refused_without_its_secrets(url: str, says: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_proxy(url, "ALL_PROXY")
    fault = caught.value.fault
    assert fault.kind is ErrorKind.CONFIGURATION
    assert says in fault.message
    assert "ALL_PROXY" in fault.message
    assert "secret" not in fault.message


def test_credentials_are_decoded_and_hidden() -> None:
    proxy = parse_proxy("http://user%40corp:p%3Ass@p:1", "HTTPS_PROXY")
    assert proxy.credentials is not None
    assert proxy.credentials.reveal() == "Basic dXNlckBjb3JwOnA6c3M="
    assert "dXNlckBjb3JwOnA6c3M" not in repr(proxy)
