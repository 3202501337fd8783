"""What a probe is asked. Apart from the engine, so that an operation that asks nothing never loads the network."""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """What a probe asks: which endpoints, with which key, about which models. `env` decides about proxies.

    Without a key none is sent. `allow_plain_http` lets it travel unencrypted to another machine; `proxy` and `ca_file`
    are the provider's own.
    """

    endpoints: tuple[str, ...]
    api_key: str = field(repr=False)
    models: tuple[str, ...] = ()
    headers: Mapping[str, JSON] = field(default_factory=dict, repr=False)
    requests_per_minute: int = 30
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_plain_http: bool = False
    max_rate_limit_retries: int = 3
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
