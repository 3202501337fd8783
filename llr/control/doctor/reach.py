"""The way to one provider: name, connection, certificate, then its model list with the key the gateway would send."""

import asyncio
import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from llr.base.clock import Clock
from llr.base.errors import ErrorKind, GatewayError
from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.base.records import dataclass
from llr.config.schema import Provider
from llr.control.doctor.certificate import read_certificate
from llr.control.doctor.findings import Finding, Grade
from llr.control.probe.ask import Asker, Place
from llr.control.probe.replies import Reply, listed_models, takes_key
from llr.control.probe.verdict import told
from llr.net.dial import dial
from llr.net.inspect import shown_certificate
from llr.net.proxy import Proxy, proxy_for
from llr.net.tls import Trust
from llr.net.tlsstream import TLSStream
from llr.providers.auth import Auth
from llr.providers.prepare import DEFAULT_USER_AGENT, provider_headers
from llr.providers.urls import Call, Endpoint, upstream_address
from llr.providers.windows import is_private_host
from llr.wire.http import Origin

# Certificates and signed requests tolerate no more; a Date header is accurate to the second.
_SKEW_S = 120.0
_EXPIRY_S = 14 * 86_400.0
_SLOW_S = 3.0
_CA_FIX = "Add that CA: NODE_EXTRA_CA_CERTS=/path/to/ca.pem, or the provider's `metadata.llr.caFile`."


@dataclass(frozen=True, slots=True)
class Way:
    """How a provider is examined."""

    env: Mapping[str, str]
    asker: Asker
    trust: Trust
    clock: Clock
    timeout_s: float = 8.0


async def examine_provider(provider: Provider, way: Way) -> list[Finding]:
    """Returns what was found on the way to each address of a provider, in order."""
    found: list[Finding] = []
    for target, place in _places(provider).items():
        connected = await _connection(provider, place.origin, way)
        found += connected
        exposed = place.origin.scheme == "http" and not is_private_host(place.origin.host) and provider.key(way.env)
        if not exposed and not any(one.grade is Grade.ERROR for one in connected):
            found += await _answer(provider, target, place, way)
    return found


def _places(provider: Provider) -> dict[ProviderFormat, Place]:
    """Returns one place per origin: the model list in the first format that lives there."""
    found: dict[ProviderFormat, Place] = {}
    seen: set[Origin] = set()
    for target in provider.formats:
        try:
            origin, path = upstream_address(provider, target, Endpoint(Call.MODELS))
        except GatewayError:
            continue  # the config says so already
        if origin not in seen:
            seen.add(origin)
            found[target] = Place(origin, path)
    return found


async def _connection(provider: Provider, origin: Origin, way: Way) -> list[Finding]:
    subject = f"provider {provider.id}"
    try:
        proxy = proxy_for(origin, way.env)
    except GatewayError as exc:
        fix = 'Name an http:// or https:// proxy, or set the provider\'s `metadata.llr.proxy` to "direct".'
        return [Finding(subject, "proxy-unusable", Grade.ERROR, f"{exc.fault.message}.", fix)]
    first = (proxy.host, proxy.port) if proxy is not None else (origin.host, origin.port)
    unknown = await _resolve(subject, first[0], first[1], proxied=proxy is not None)
    if unknown is not None:
        return [unknown]
    began = way.clock.monotonic()
    try:
        stream, _ = await dial(origin, proxy, way.trust, connect_s=way.timeout_s)
    except GatewayError as exc:
        return [await _not_connected(subject, origin, proxy, exc, way)]
    der = stream.peer_certificate() if isinstance(stream, TLSStream) else b""
    stream.abort()
    took_ms = round((way.clock.monotonic() - began) * 1000)
    by = f" through the proxy {proxy.host}:{proxy.port}" if proxy is not None else ""
    text = f"{origin.authority} is connected{by} in {took_ms} ms."
    facts: dict[str, JSON] = {
        "host": origin.host,
        "port": origin.port,
        "connectMs": took_ms,
        "proxy": f"{proxy.host}:{proxy.port}" if proxy else None,
    }
    return [Finding(subject, "connected", Grade.OK, text, "", facts), *_expiring(subject, der, way.clock.now())]


async def _resolve(subject: str, host: str, port: int, *, proxied: bool) -> Finding | None:
    try:
        await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        what = "the proxy" if proxied else "the provider"
        text = f"The name of {what}, {host}, does not resolve: {getattr(exc, 'strerror', None) or exc}."
        fix = "Look at HTTPS_PROXY." if proxied else "Look at the base URL, at DNS, or set HTTPS_PROXY."
        return Finding(subject, "dns", Grade.ERROR, text, fix, {"host": host})
    return None


async def _not_connected(subject: str, origin: Origin, proxy: Proxy | None, exc: GatewayError, way: Way) -> Finding:
    message = exc.fault.message
    facts: dict[str, JSON] = {
        "host": origin.host,
        "port": origin.port,
        "proxy": f"{proxy.host}:{proxy.port}" if proxy else None,
    }
    if "certificate is not trusted" in message:
        return await _untrusted(subject, origin, message, way)
    if exc.fault.kind is ErrorKind.CONFIGURATION:
        return Finding(subject, "ca-file", Grade.ERROR, f"{message}.", "Mend or unset that path.", facts)
    if "the proxy answered 407" in message:
        fix = "Put user and password into the proxy's URL: HTTPS_PROXY=http://user:password@host:port."
        return Finding(subject, "proxy-auth", Grade.ERROR, f"{message}.", fix, facts)
    if proxy is not None:
        fix = 'Look at HTTPS_PROXY and NO_PROXY; `metadata.llr.proxy`: "direct" goes around the proxy.'
        return Finding(subject, "proxy-failed", Grade.ERROR, f"{message}.", fix, facts)
    if "TLS failed" in message:
        fix = "Something on the way does not speak TLS there: look at the port and the scheme of the base URL."
        return Finding(subject, "tls", Grade.ERROR, f"{message}.", fix, facts)
    late = exc.fault.kind is ErrorKind.UPSTREAM_TIMEOUT
    fix = "A firewall may want a proxy: set HTTPS_PROXY." if late else "Look at the base URL; start a local server."
    return Finding(subject, "timeout" if late else "unreachable", Grade.ERROR, f"{message}.", fix, facts)


async def _untrusted(subject: str, origin: Origin, message: str, way: Way) -> Finding:
    """Returns the finding that names who issued the certificate that is not trusted."""
    try:
        der = await shown_certificate(origin, way.env, connect_s=way.timeout_s)
    except GatewayError:
        der = b""
    shown = read_certificate(der)
    reason = message.partition("not trusted: ")[2].partition(";")[0]
    if shown is None:
        return Finding(subject, "tls-untrusted", Grade.ERROR, f"{message}.", _CA_FIX, {"host": origin.host})
    text = f"The certificate of {origin.host} ({shown.subject}) was issued by {shown.issuer}: {reason}."
    fix = _CA_FIX
    if "match" in reason:
        fix = "The base URL names another host than the certificate; use the certificate's name."
    elif way.clock.now() > shown.not_after_at:
        fix = "It has expired; whoever runs the server must renew it. Look at this machine's clock too."
    elif way.clock.now() < shown.not_before_at:
        fix = "It is not valid yet: look at this machine's clock."
    certificate: dict[str, JSON] = {
        "host": origin.host,
        "subject": shown.subject,
        "issuer": shown.issuer,
        "reason": reason,
    }
    return Finding(subject, "tls-untrusted", Grade.ERROR, text, fix, {"certificate": certificate})


def _expiring(subject: str, der: bytes, now: float) -> list[Finding]:
    shown = read_certificate(der) if der else None
    if shown is None or shown.not_after_at - now > _EXPIRY_S:
        return []
    days = max(0, int((shown.not_after_at - now) / 86_400))
    text = f"The certificate of {shown.subject} expires in {days} day(s)."
    return [Finding(subject, "tls-expiring", Grade.WARNING, text, "Whoever runs the server must renew it.")]


async def _answer(provider: Provider, target: ProviderFormat, place: Place, way: Way) -> list[Finding]:
    """Returns what the provider's model list tells: clock, key, models."""
    subject = f"provider {provider.id}"
    key = provider.key(way.env)
    fields = provider_headers(provider, target, Auth(key), env=way.env, user_agent=DEFAULT_USER_AGENT)
    fields.append((b"accept-encoding", b"identity"))
    reply = await way.asker.call("GET", place, fields, timeout_s=way.timeout_s)
    secrets = (key.reveal(),) if key else ()
    if reply.error:
        text = f"{place.origin.authority} does not answer: {reply.error}."
        return [Finding(subject, "no-answer", Grade.ERROR, text, "Try again; look at the provider's status page.")]
    return [*_skew(subject, reply, way.clock.now()), *_verdict(subject, provider, reply, secrets)]


def _skew(subject: str, reply: Reply, now: float) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, TypeError):
        return []
    skew_s = round(now - theirs)
    if abs(skew_s) <= _SKEW_S:
        return []
    side = "ahead of" if skew_s > 0 else "behind"
    text = f"This machine's clock is {abs(skew_s)} s {side} the provider's."
    fix = "Synchronise it (timedatectl set-ntp true, or your system's time settings)."
    return [Finding(subject, "clock-skew", Grade.WARNING, text, fix, {"skewSeconds": skew_s})]


def _verdict(subject: str, provider: Provider, reply: Reply, secrets: tuple[str, ...]) -> list[Finding]:
    took_ms = round(reply.latency_s * 1000)
    facts: dict[str, JSON] = {"status": reply.status, "latencyMs": took_ms}
    said = told(reply, secrets)
    if reply.status in (401, 403) or (400 <= reply.status < 500 and not takes_key(reply)):
        text = f"The provider refuses the key ({reply.status}): {said or 'no reason given'}"
        fix = f"Set {provider.api_key_env} to a valid key." if provider.api_key_env else "Store a valid key."
        return [Finding(subject, "key-refused", Grade.ERROR, text, fix, facts)]
    if reply.location:
        return [Finding(subject, "redirect", Grade.ERROR, f"It {said}.", "Change the base URL.", facts)]
    if reply.status == 429:
        text = "The provider says too many requests to its model list."
        return [Finding(subject, "rate-limited", Grade.WARNING, text, "Wait; look at the account's limits.", facts)]
    if reply.status >= 500:
        text = f"The provider answers {reply.status}: {said}"
        return [Finding(subject, "provider-error", Grade.ERROR, text, "Look at the provider's status page.", facts)]
    if not reply.ok:
        text = f"The provider has no model list ({reply.status}); its models cannot be checked."
        fix = f"`llr config test-provider --provider-id={provider.id}` asks the models themselves (a token each)."
        return [Finding(subject, "no-model-list", Grade.INFO, text, fix, facts)]
    return _models(subject, provider, reply, facts)


def _models(subject: str, provider: Provider, reply: Reply, facts: dict[str, JSON]) -> list[Finding]:
    listed = {one.id for one in listed_models(reply.json)}
    text = f"The provider answered in {facts['latencyMs']} ms and lists {len(listed)} model(s)."
    slow = reply.latency_s > _SLOW_S
    fix = "The way to it is slow; requests will be too." if slow else ""
    found = [Finding(subject, "slow" if slow else "answers", Grade.WARNING if slow else Grade.OK, text, fix, facts)]
    missing = [model.id for model in provider.models if model.id.removeprefix("models/") not in listed]
    if listed and missing:
        text = f"The provider does not list {', '.join(missing)}."
        fix = f"See `llr config discover-provider-models --provider-id={provider.id}` for what it lists."
        found.append(Finding(subject, "model-not-listed", Grade.WARNING, text, fix, {"models": list(missing)}))
    return found
