"""Upstream credentials: where a key comes from, and the header it travels in. A key never goes into a URL."""

import re
from collections.abc import Mapping
from typing import Protocol

from llr.base.names import ProviderFormat
from llr.base.records import dataclass
from llr.base.redact import Secret
from llr.config.schema import AuthKind, AuthSpec, Provider
from llr.routing.route import Candidate
from llr.wire.http import RawHeaders

GOOGLE_KEY_HEADER = "x-goog-api-key"
# RFC 9110 §5.6.2.
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_DEFAULT_AUTH: Mapping[ProviderFormat, AuthSpec] = {
    ProviderFormat.OPENAI: AuthSpec(AuthKind.BEARER),
    ProviderFormat.CLAUDE: AuthSpec(AuthKind.X_API_KEY),
    ProviderFormat.GEMINI: AuthSpec(AuthKind.HEADER, GOOGLE_KEY_HEADER),
}


@dataclass(frozen=True, slots=True)
class Auth:
    """One credential as it is now: the key, None for none, and fields that go with it (account ids)."""

    key: Secret | None = None
    fields: tuple[tuple[bytes, bytes], ...] = ()


class Credentials(Protocol):
    """Where the gateway gets upstream credentials."""

    async def get(self, candidate: Candidate, *, force: bool = False) -> Auth:
        """Returns the credential of a candidate; `force` asks for a fresh one after a 401.

        Raises `GatewayError(UPSTREAM_AUTH)` when there is none to be had.
        """


class StaticCredentials:
    """Keys from config and environment; asked again they are the same."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._known: dict[int, tuple[Provider, Auth]] = {}

    async def get(self, candidate: Candidate, *, force: bool = False) -> Auth:
        """Returns the provider's key, or no key at all."""
        provider = candidate.provider
        known = self._known.get(id(provider))
        if known is not None and known[0] is provider:
            return known[1]
        if len(self._known) > 1000:  # reloads bring new provider objects
            self._known.clear()
        auth = Auth(provider.key(self._env))
        self._known[id(provider)] = (provider, auth)
        return auth


def auth_spec(provider: Provider, target: ProviderFormat) -> AuthSpec:
    """Returns how the key travels: for this format, else for its family, else `auth`, else the format's default."""
    by_format = provider.auth_by_format
    spec = by_format.get(target) or by_format.get(target.family) or provider.auth
    return spec or _DEFAULT_AUTH[target.family]


def auth_headers(spec: AuthSpec, auth: Auth) -> RawHeaders:
    """Returns the fields that carry the credential; a header name that is no token falls back to Authorization."""
    fields = list(auth.fields)
    key = auth.key.reveal() if auth.key else ""
    # Config files carry keys with line ends and blanks around them.
    key = key.strip()
    if not key or spec.kind is AuthKind.NONE or any(ord(mark) < 32 for mark in key):
        return fields
    if spec.kind is AuthKind.X_API_KEY:
        name, value = "x-api-key", key
    elif spec.kind is AuthKind.HEADER and spec.header_name and TOKEN.fullmatch(spec.header_name):
        name, value = spec.header_name.lower(), (spec.prefix or "") + key
    else:
        name, value = "authorization", ("Bearer " if spec.prefix is None else spec.prefix) + key
    fields.append((name.encode("ascii"), value.encode("utf-8")))
    return fields
