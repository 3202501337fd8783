"""Who may speak to the gateway: address, Host, Origin, key. All of it is decided before a body byte is read."""

import hmac
import ipaddress
from collections.abc import Iterable
from hashlib import blake2s
from urllib.parse import parse_qsl

from llr.base.errors import ErrorKind, Fault
from llr.base.records import dataclass, field
from llr.base.redact import Secret
from llr.config.schema import Config, Settings
from llr.gateway.limitfields import TOLD
from llr.wire.http import Headers, RawHeaders, Request

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
QUERY_KEYS = ("key", "api_key", "auth_token")
_KEY_FIELDS = (b"x-api-key", b"x-goog-api-key")
_METHODS = b"GET, POST, DELETE, OPTIONS"
_PREFLIGHT_S = b"600"
_BASE_FIELDS = ("content-type", "authorization", "x-api-key", "anthropic-version")
# What a browser may send besides: names, and beginnings of names.
_FIELDS = frozenset(
    (*_BASE_FIELDS, "anthropic-beta", "anthropic-dangerous-direct-browser-access", "x-goog-api-key", "accept")
)
_FIELD_PREFIXES = ("openai-", "x-stainless-", "x-llm-router-", "x-goog-api-", "x-prompt-cache-")
_EXPOSED = b", ".join(
    (
        *TOLD,
        *(
            b"x-llm-router-" + name
            for name in (
                *(b"requested-model", b"route-type", b"route-ref", b"route-strategy", b"selected-candidate"),
                *(b"skipped-candidates", b"attempts", b"context-required", b"context-hint-source", b"context-risk"),
                *(b"tool-types", b"tool-routing", b"wire-format", b"dropped", b"usage"),
            )
        ),
    )
)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What one configuration says about access. `networks` None = every address may come."""

    networks: tuple[_Network, ...] | None
    origins: frozenset[str]
    hosts: frozenset[str]
    master_key: Secret | None
    known_hosts: dict[bytes, bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, config: Config, settings: Settings) -> "AccessRules":
        """Returns the rules of a configuration."""
        listed = [entry for entry in settings.allowed_ips if entry.strip()]
        networks = None if not listed or "*" in listed else tuple(_networks(listed))
        hosts = frozenset(host.strip().lower().rstrip(".") for host in config.allowed_hosts)
        return cls(networks, frozenset(settings.cors_origins), hosts, config.master_key)


def _networks(listed: Iterable[str]) -> Iterable[_Network]:
    for entry in listed:
        address, slash, bits = entry.partition("/")
        try:
            yield ipaddress.ip_network(f"{normal_address(address)}{slash}{bits.strip()}", strict=False)
        except ValueError:
            continue  # one misspelt entry must not open or close the door for the others


def normal_address(text: str) -> str:
    """Returns an address without port, brackets, zone and IPv4-in-IPv6 wrapping, lower-cased."""
    text = text.strip().lower()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    text = text.partition("%")[0]
    return text.removeprefix("::ffff:") if "." in text else text


def address_allowed(rules: AccessRules, peer: str) -> bool:
    """Returns whether a socket address may come; "" is a Unix socket, guarded by its file mode."""
    if rules.networks is None or not peer:
        return True
    try:
        address = ipaddress.ip_address(normal_address(peer))
    except ValueError:
        return False
    return any(address in network for network in rules.networks)


def from_this_machine(peer: str) -> bool:
    """Returns whether a socket address is one that only this machine has; "" is a Unix socket."""
    if not peer:
        return True
    try:
        return ipaddress.ip_address(normal_address(peer)).is_loopback
    except ValueError:
        return False


def host_allowed(rules: AccessRules, host: bytes, bound: Iterable[str]) -> bool:
    """Returns whether a Host value names this machine: DNS rebinding brings foreign names to loopback."""
    known = rules.known_hosts.get(host)
    if known is None:
        known = _names_us(rules, host.decode("latin-1"), bound)
        if len(rules.known_hosts) < 100:  # honest clients know few names; others may not fill the memory
            rules.known_hosts[host] = known
    return known


def _names_us(rules: AccessRules, host: str, bound: Iterable[str]) -> bool:
    host = host.strip().lower()
    if not host:
        return True
    name, _, port = host[1:].partition("]") if host.startswith("[") else host.partition(":")
    if host.startswith("[") and port and not port.startswith(":"):
        return False
    name = name.rstrip(".")
    if name == "localhost" or name in rules.hosts or any(name == other.lower() for other in bound):
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def origin_allowed(rules: AccessRules, origin: str) -> bool:
    """Returns whether CORS lets a browser page of this origin in."""
    return "*" in rules.origins or origin in rules.origins


def cors_headers(rules: AccessRules, headers: Headers) -> RawHeaders:
    """Returns the fields every answer to an allowed origin carries, none otherwise."""
    origin = headers.text(b"origin")
    if not origin or not origin_allowed(rules, origin):
        return []
    if "*" in rules.origins:
        return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED),
        (b"vary", b"Origin"),
    ]


def preflight_headers(headers: Headers) -> RawHeaders:
    """Returns the fields of an answer to OPTIONS, the origin's own aside."""
    asked = [name.strip().lower() for name in headers.text(b"access-control-request-headers").split(",")]
    granted = [name for name in asked if name in _FIELDS or name.startswith(_FIELD_PREFIXES)]
    names = dict.fromkeys((*_BASE_FIELDS, *granted))
    fields = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", ", ".join(names).encode("latin-1", "replace")),
    ]
    if b"origin" in headers:
        fields.append((b"access-control-max-age", _PREFLIGHT_S))
    return fields


def door_fault(rules: AccessRules, request: Request, bound: Iterable[str]) -> Fault | None:
    """Returns why address, Host or Origin keep this request out, None when they let it in."""
    if not address_allowed(rules, request.peer):
        return Fault(ErrorKind.FORBIDDEN, "Forbidden: this address is not on the allowlist")
    headers = request.headers
    if request.peer and not host_allowed(rules, headers.get(b"host") or b"", bound):
        text = "Forbidden: this Host is not served here; add it to metadata.llr.allowedHosts"
        return Fault(ErrorKind.FORBIDDEN, text)
    origin = headers.get(b"origin")
    foreign = origin is None and headers.get(b"sec-fetch-site") == b"cross-site"
    if (origin is not None and not origin_allowed(rules, origin.decode("latin-1"))) or foreign:
        text = "Forbidden: pages of this origin are not allowed; see LLM_ROUTER_CORS_ALLOWED_ORIGINS"
        return Fault(ErrorKind.FORBIDDEN, text)
    return None


def key_fault(rules: AccessRules, headers: Headers, query: str) -> Fault | None:
    """Returns why the master key keeps this request out, None when any credential it brings is right."""
    if not rules.master_key:
        text = "a master key is required but none is configured; set masterKey in the config"
        return Fault(ErrorKind.CONFIGURATION, text, status=503)
    wanted = rules.master_key.reveal().encode()
    right = False
    for given in presented_keys(headers, query):
        right |= hmac.compare_digest(given, wanted)
    if right:
        return None
    return Fault(ErrorKind.UNAUTHENTICATED, "Unauthorized: the gateway's master key is missing or wrong")


def presented_keys(headers: Headers, query: str) -> list[bytes]:
    """Returns every credential a request brings, in no order that matters."""
    found: list[bytes] = []
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, rest = authorization.partition(b" ")
        found.append(rest if scheme.lower() == b"bearer" else authorization)
    found += [value for name in _KEY_FIELDS if (value := headers.get(name)) is not None]
    if query:
        pairs = parse_qsl(query, keep_blank_values=False, max_num_fields=100) if query.count("&") < 100 else []
        found += [value.encode("utf-8", "replace") for name, value in pairs if name in QUERY_KEYS]
    return [value for given in found if (value := given.strip())]


def owner_of(headers: Headers, query: str) -> str:
    """Returns a short digest that tells the holders of different credentials apart, "" for who brings none."""
    keys = presented_keys(headers, query)
    return blake2s(b"\0".join(sorted(set(keys))), digest_size=12).hexdigest() if keys else ""
