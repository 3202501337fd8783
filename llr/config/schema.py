"""The configuration as code sees it: frozen, complete, already checked.

Durations are seconds (`_s`), sizes bytes (`_bytes`). An optional field is None where the file says nothing and
a wider scope (provider, then root) may still say something.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from llr.base.enums import constants
from llr.base.jsonio import JSON
from llr.base.names import AliasId, ModelRef, ProviderFormat, ProviderId
from llr.base.records import dataclass, field
from llr.base.redact import Secret

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

# The raw document: what the file holds, unknown keys and order kept.
Doc: TypeAlias = dict[str, JSON]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_URLS: Mapping[ProviderFormat, str] = MappingProxyType({})


@constants
class Level(StrEnum):
    """How much an issue matters: an error takes the named entry out of service, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding: where (`$.providers[1].baseUrl`), a stable code, what is wrong, how to mend it.

    `fatal` marks what refuses the whole document: no config comes of it.
    """

    path: str
    code: str
    message: str
    level: Level = Level.ERROR
    hint: str = ""
    fatal: bool = False


@constants
class AuthKind(StrEnum):
    """How an upstream key travels."""

    BEARER = "bearer"
    X_API_KEY = "x-api-key"
    HEADER = "header"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AuthSpec:
    """Where the key goes: `header_name` for kind `header`, `prefix` before the key (None: the kind's own)."""

    kind: AuthKind
    header_name: str | None = None
    prefix: str | None = None


_NO_AUTHS: Mapping[ProviderFormat, AuthSpec] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TimeoutSpec:
    """`timeouts.*` of one object; None where it says nothing."""

    connect_s: float | None = None
    first_byte_s: float | None = None
    idle_s: float | None = None


@dataclass(frozen=True, slots=True)
class FailureRule:
    """One user-written classification rule; conditions that are None always match."""

    action: str
    status: int | None = None
    contains: str | None = None
    regex: str | None = None
    phase: str | None = None
    cooldown_s: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A rate-limit window: `size` units of `second|minute|hour|day|week|month`.

    Days, weeks and months follow the calendar of `zone` (None = UTC); `anchor` is a window's start on its wall clock.
    """

    unit: str
    size: int
    zone: "tzinfo | None" = None
    anchor: "datetime | None" = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """One rate-limit bucket of a provider; `models` are model ids or ("all",). `tokens` caps input + output tokens."""

    id: str
    models: tuple[str, ...]
    requests: int
    window: Window
    name: str | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """One upstream model. `formats` are the known ones (probe results first, then configured), () = as the provider."""

    id: str
    aliases: tuple[str, ...] = ()
    formats: tuple[ProviderFormat, ...] = ()
    configured_formats: tuple[ProviderFormat, ...] = ()
    variant: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    cost: JSON = None
    fallback_models: tuple[ModelRef, ...] = ()
    capabilities: Mapping[str, bool] = field(default_factory=lambda: _NOTHING)
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    wire: str | None = None
    strict: bool | None = None
    timeouts: TimeoutSpec = TimeoutSpec()
    max_concurrency: int | None = None
    traits: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Provider:
    """One enabled provider. `type` None = API key; `subscription`, `ollama`, `local-runtime` otherwise."""

    id: ProviderId
    name: str
    models: tuple[Model, ...]
    type: str | None = None
    base_url: str = ""
    base_url_by_format: Mapping[ProviderFormat, str] = field(default_factory=lambda: _NO_URLS)
    api_key: Secret | None = None
    api_key_env: str | None = None
    format: ProviderFormat = ProviderFormat.OPENAI
    formats: tuple[ProviderFormat, ...] = (ProviderFormat.OPENAI,)
    auth: AuthSpec | None = None
    auth_by_format: Mapping[ProviderFormat, AuthSpec] = field(default_factory=lambda: _NO_AUTHS)
    headers: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING, repr=False)
    anthropic_version: str | None = None
    anthropic_beta: str | None = None
    endpoint_paths: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    rate_limits: tuple[Bucket, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    last_probe: Mapping[str, Any] | None = None
    subscription_type: str | None = None
    subscription_profile: str | None = None
    strict: bool | None = None
    timeouts: TimeoutSpec = TimeoutSpec()
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    max_concurrency: int | None = None
    stream_only: bool = False
    failure_rules: tuple[FailureRule, ...] = ()
    traits: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def key(self, env: Mapping[str, str]) -> Secret | None:
        """Returns the upstream key: `apiKey`, else the variable named by `apiKeyEnv`, else None."""
        if self.api_key:
            return self.api_key
        if self.api_key_env and env.get(self.api_key_env):
            return Secret(env[self.api_key_env])
        return None


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """One target: `ref` is "provider/model", an alias id or "alias:id"; `weight` None = 1."""

    ref: str
    weight: float | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """A name clients may ask for, and where it leads. `strategy` is one of the five canonical names.

    `left_out` are targets the file names and that are not in here, as (ref, reason): invalid-target, unknown-target,
    alias-cycle, disabled, provider-unusable.
    """

    id: AliasId
    strategy: str = "ordered"
    targets: tuple[AliasTarget, ...] = ()
    fallback_targets: tuple[AliasTarget, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    deadline_s: float | None = None
    max_concurrency: int | None = None
    first_token_s: float | None = None
    slow_stream: tuple[float, float] | None = None
    affinity: str = "thread"
    affinity_ttl_s: float = 3600.0
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LocalServer:
    """`metadata.localServer`: where and how the gateway listens."""

    host: str | None = None
    port: int | None = None
    watch_config: bool = True
    watch_binary: bool = True
    require_auth: bool = False


@dataclass(frozen=True, slots=True)
class ResponsesStoreSpec:
    """`responsesStore`: how much local history for `previous_response_id` is kept."""

    max_entries: int = 1_000
    max_bytes: int = 64 * 1024 * 1024
    ttl_s: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, every reference checked: an entry with an error is not in here.

    `aliases` always holds `default`, perhaps without targets. `raw` is the document it came from.
    """

    version: int
    providers: tuple[Provider, ...]
    aliases: Mapping[AliasId, Alias]
    master_key: Secret | None = None
    default_model: str | None = None
    local_server: LocalServer = LocalServer()
    activity_log: bool = True
    strict: bool = False
    timeouts: TimeoutSpec = TimeoutSpec()
    deadline_s: float = 900.0
    allowed_hosts: tuple[str, ...] = ()
    failure_rules: tuple[FailureRule, ...] = ()
    routing: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING)
    state: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING)
    responses_store: ResponsesStoreSpec = ResponsesStoreSpec()
    carrier_key_file: str | None = None
    request_log: bool = False
    raw: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, repr=False)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What came of a document: a config, or None when an issue is fatal; every issue in document order."""

    config: Config | None
    issues: tuple[Issue, ...]

    @property
    def errors(self) -> tuple[Issue, ...]:
        """Returns the issues of level error."""
        return tuple(issue for issue in self.issues if issue.level is Level.ERROR)


@dataclass(frozen=True, slots=True)
class Settings:
    """Effective knobs: environment, else config, else default."""

    max_body_bytes: int = 32 * 1024 * 1024
    upstream_first_byte_s: float | None = None
    allowed_ips: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    debug_routing: bool = False
    retry_attempts: int = 3
    retry_base_s: float = 0.25
    retry_max_s: float = 3.0
    fallback_cooldown_s: float = 45.0
    rate_limit_cooldown_s: float = 30.0
    billing_cooldown_s: float = 900.0
    auth_cooldown_s: float = 600.0
    allow_policy_fallback: bool = False
    circuit_failures: int = 2
    circuit_cooldown_s: float = 30.0
    reload_debounce_s: float = 0.3
    drain_timeout_s: float = 30.0
    handover_drain_timeout_s: float = 3600.0
    binary_watch_interval_s: float = 15.0
    state_backend: str = "file"
    state_path: str | None = None
    state_url: str | None = None
    candidate_state_ttl_s: float = 86_400.0
    request_log: bool = False
