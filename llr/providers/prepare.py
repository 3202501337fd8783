"""From a candidate and a body to the request that goes upstream.

Law: pure. What depends on the config alone is built once per `Preparer`; a request only adds its body and the few
fields of the client that providers may see. Nothing else of the client's headers leaves the house.
"""

import re
from collections.abc import Mapping, Sequence

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.config.schema import Provider
from llr.providers.auth import TOKEN, Auth, auth_headers, auth_spec
from llr.providers.urls import Endpoint, upstream_address
from llr.routing.route import Candidate
from llr.wire.http import Headers, Origin, OutboundRequest, RawHeaders

DEFAULT_USER_AGENT = "AICodeClient/1.0.0 (linux; x64) python/3"
DEFAULT_ANTHROPIC_VERSION = b"2023-06-01"
_FRAMING = frozenset(
    (
        *("connection", "content-length", "host", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_CACHE_KEY = (b"x-prompt-cache-key", b"prompt-cache-key", b"x-openai-prompt-cache-key", b"openai-prompt-cache-key")
_CACHE_RETENTION = (
    b"x-prompt-cache-retention",
    b"prompt-cache-retention",
    b"x-openai-prompt-cache-retention",
    b"openai-prompt-cache-retention",
)
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
JSON_TYPE = b"application/json"
_Key = tuple[int, int, bool, int]


class Preparer:
    """Builds outbound requests for the providers of one config."""

    def __init__(self, env: Mapping[str, str], user_agent: str = DEFAULT_USER_AGENT) -> None:
        self._env = env
        self._user_agent = user_agent
        self._ready: dict[_Key, tuple[Origin, str, RawHeaders, bool, object]] = {}

    def prepare(
        self,
        candidate: Candidate,
        endpoint: Endpoint,
        body: Sequence[bytes],
        auth: Auth,
        client: Headers,
        *,
        method: str = "POST",
        stream: bool = False,
        content_type: bytes = JSON_TYPE,
    ) -> OutboundRequest:
        """Returns the request to send. Raises `GatewayError(CONFIGURATION)` for an unusable base URL."""
        target = candidate.target
        # By identity: hashing these values would cost more than all the rest. Every entry keeps what its key is made
        # of, so that no other object can get the same id.
        key = (id(candidate), id(endpoint), stream, id(auth))
        ready = self._ready.get(key)
        if ready is None:
            if len(self._ready) > 1024:  # free paths and refreshed credentials must not pile up
                self._ready.clear()
            provider = candidate.provider
            origin, address = upstream_address(provider, target, endpoint, candidate.model.id)
            fields = provider_headers(provider, target, auth, env=self._env, user_agent=self._user_agent)
            fields.append((b"accept", b"text/event-stream" if stream else b"*/*"))
            fields.append((b"accept-encoding", b"identity"))
            fields = _last_wins(fields)
            typed = any(name == b"content-type" for name, _ in fields)
            ready = self._ready[key] = (origin, address, fields, typed, (candidate, endpoint, auth))
        origin, address, fields, typed, _ = ready
        if typed and content_type != JSON_TYPE:
            fields = _without(fields, b"content-type")
            typed = False
        headers = list(fields) if typed or not body else [(b"content-type", content_type), *fields]
        return OutboundRequest(method, origin, address, add_client_fields(headers, target, client), body)


def _last_wins(fields: RawHeaders) -> RawHeaders:
    return list(dict(fields).items())


def _without(fields: RawHeaders, name: bytes) -> RawHeaders:
    return [field for field in fields if field[0] != name]


def provider_headers(
    provider: Provider, target: ProviderFormat, auth: Auth, *, env: Mapping[str, str], user_agent: str
) -> RawHeaders:
    """Returns the fields config and credential bring: custom ones, user agent, key, Anthropic version and beta."""
    fields, silenced = custom_headers(provider.headers, env)
    names = {name for name, _ in fields}
    if b"user-agent" not in names and "user-agent" not in silenced:
        fields.append((b"user-agent", user_agent.encode("latin-1", "replace")))
    fields += auth_headers(auth_spec(provider, target), auth)
    if target.family is ProviderFormat.CLAUDE:
        if b"anthropic-version" not in names:
            version = provider.anthropic_version
            fields.append((b"anthropic-version", version.encode() if version else DEFAULT_ANTHROPIC_VERSION))
        if provider.anthropic_beta and b"anthropic-beta" not in names:
            fields.append((b"anthropic-beta", provider.anthropic_beta.encode()))
    return fields


def custom_headers(configured: Mapping[str, JSON], env: Mapping[str, str]) -> tuple[RawHeaders, frozenset[str]]:
    """Returns the configured fields that can be sent, and the names that were switched off (null, false, "").

    Names that are no tokens, framing fields and values with control characters are left out; `${NAME}` in a value is
    the environment variable.
    """
    fields: RawHeaders = []
    silenced = set[str]()
    for raw_name, value in configured.items():
        name = raw_name.strip().lower()
        if not TOKEN.fullmatch(name) or name in _FRAMING:
            continue
        if value is None or value is False or value == "":
            silenced.add(name)
            continue
        if isinstance(value, dict | list):
            continue
        text = "true" if value is True else str(value)
        text = _ENV.sub(lambda match: env.get(match.group(1), ""), text).strip()
        if not any((ord(mark) < 32 and mark != "\t") or ord(mark) == 127 for mark in text):
            fields.append((name.encode("ascii"), text.encode("utf-8")))
    return fields, frozenset(silenced)


def add_client_fields(fields: RawHeaders, target: ProviderFormat, client: Headers) -> RawHeaders:
    """Returns `fields` with what providers may see of the client: prompt-cache hints, Anthropic version and beta."""
    if b"prompt-cache" in b" ".join(client.names()):
        for names in (_CACHE_KEY, _CACHE_RETENTION):
            value = next((found for name in names if (found := client.get(name))), None)
            if value and not any(name == names[0] for name, _ in fields):
                fields.append((names[0], value))
    if target.family is ProviderFormat.CLAUDE:
        version, beta = client.get(b"anthropic-version"), client.get(b"anthropic-beta")
        if version:
            fields = [*_without(fields, b"anthropic-version"), (b"anthropic-version", version)]
        if beta:
            own = dict(fields).get(b"anthropic-beta")
            fields = [*_without(fields, b"anthropic-beta"), (b"anthropic-beta", _merged(own, beta))]
    return fields


def _merged(own: bytes | None, client: bytes) -> bytes:
    """Returns the provider's and the client's beta names, each once; the client's bytes untouched if it is alone."""
    if not own:
        return client
    names = [name.strip() for name in (own + b"," + client).split(b",")]
    return b",".join(dict.fromkeys(name for name in names if name))
