"""The gateway's address as tools are told it."""

from urllib.parse import urlsplit

from llr.tools.base import Endpoint

# Names of this machine that not every client resolves to where the gateway listens.
_HERE = frozenset(("localhost", "0.0.0.0", "::", "::0", "::1"))


def normalized(url: str) -> str:
    """Returns the address without credentials, query, fragment and trailing slashes; "" when it is none of http."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    shown = "127.0.0.1" if host in _HERE else f"[{host}]" if ":" in host else host
    place = f"{shown}:{port}" if port is not None else shown
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def endpoint(url: str, key: str, tool: str) -> Endpoint:
    """Returns the endpoint. Raises ValueError in words that name the tool."""
    origin = normalized(url)
    if not origin:
        raise ValueError(f"{tool} endpoint URL must be a valid http:// or https:// URL.")
    if not key.strip():
        raise ValueError(f"{tool} API key is required.")
    return Endpoint(origin, key.strip())
