"""Which proxy leads to an origin, from the origin's own word and the environment.

Law: pure. Loopback and link-local origins are never proxied unless the origin itself names a proxy.
"""

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from llr.base.errors import ErrorKind, fail
from llr.base.names import SCHEME_PORTS
from llr.base.records import dataclass
from llr.base.redact import Secret
from llr.wire.http import Origin


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `credentials` is the value of Proxy-Authorization."""

    scheme: str
    host: str
    port: int
    credentials: Secret | None = None


def proxy_for(origin: Origin, env: Mapping[str, str]) -> Proxy | None:
    """Returns the proxy for `origin`, or None for a direct connection.

    Raises `GatewayError(CONFIGURATION)` for a proxy that is not HTTP, such as `socks5://`.
    """
    if origin.proxy == "direct":
        return None
    if origin.proxy:
        return parse_proxy(origin.proxy, "the provider's proxy")
    if is_local(origin.host):
        return None
    name, url = _from_env(origin.scheme, env)
    if not url or is_excepted(origin.host, origin.port, _either(env, "no_proxy")):
        return None
    return parse_proxy(url, name)


def _from_env(scheme: str, env: Mapping[str, str]) -> tuple[str, str]:
    for name in (f"{scheme}_proxy", "all_proxy"):
        # Under CGI a client sets HTTP_PROXY through its "Proxy" field (CVE-2016-5385).
        upper = "" if name == "http_proxy" and "REQUEST_METHOD" in env else env.get(name.upper(), "")
        url = env.get(name) or upper
        if url.strip():
            return name.upper(), url.strip()
    return "", ""


def _either(env: Mapping[str, str], name: str) -> str:
    return env.get(name) or env.get(name.upper(), "")


def parse_proxy(url: str, source: str) -> Proxy:
    """Returns the proxy a URL names; no scheme means http. `source` says in errors where the URL came from."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as exc:
        raise fail(ErrorKind.CONFIGURATION, f"{source} is not a valid URL") from exc
    if parts.scheme.startswith("socks"):
        raise fail(
            ErrorKind.CONFIGURATION,
            f"{source} is a {parts.scheme} proxy; only http:// and https:// proxies are supported",
        )
    if parts.scheme not in SCHEME_PORTS or not parts.hostname:
        raise fail(ErrorKind.CONFIGURATION, f"{source} is not an http:// or https:// URL with a host")
    return Proxy(parts.scheme, parts.hostname, port or SCHEME_PORTS[parts.scheme], _credentials(parts))


def _credentials(parts: SplitResult) -> Secret | None:
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Secret("Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii"))


def _address(host: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_local(host: str) -> bool:
    """Tells whether `host` can only mean this machine or its link: `localhost`, loopback and link-local addresses."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and (address.is_loopback or address.is_link_local)


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Tells whether a NO_PROXY list names `host`.

    An entry is `*`, an address, a network (`10.0.0.0/8`), or a name that also covers what ends in it; each but a
    network may carry a port.
    """
    name = host.rstrip(".").lower()
    address = _address(name)
    return any(
        _entry_covers(entry.lower(), name, address, port) for entry in no_proxy.replace(",", " ").split() if entry
    )


def _entry_covers(
    entry: str, name: str, address: "ipaddress.IPv4Address | ipaddress.IPv6Address | None", port: int
) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    entry, wanted_port = _split_port(entry)
    if wanted_port and wanted_port != str(port):
        return False
    if address is not None:
        return _address(entry) == address
    suffix = entry.removeprefix("*").strip(".")
    return bool(suffix) and (name == suffix or name.endswith("." + suffix))


def _split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        inside, _, rest = entry[1:].partition("]")
        return inside, rest.removeprefix(":")
    if entry.count(":") == 1:
        before, _, after = entry.partition(":")
        return before, after
    return entry, ""
