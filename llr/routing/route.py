"""Routes and candidates as values."""

from enum import StrEnum
from typing import Any

from llr.base.enums import constants
from llr.base.names import FormatId, ModelRef, ProviderFormat
from llr.base.records import dataclass, field
from llr.config.schema import Bucket, Model, Provider
from llr.routing.keys import NO_CREDENTIAL, candidate_key, credential_key, route_key
from llr.routing.policy import DEFAULT_POLICY, RetryPolicy


@constants
class Tier(StrEnum):
    """Whether a candidate comes from `targets` or `fallbackTargets`."""

    PRIMARY = "primary"
    FALLBACK = "fallback"


@constants
class RouteType(StrEnum):
    """How the requested name was found."""

    DIRECT = "direct"
    ALIAS = "alias"
    BARE_MODEL = "bare-model"


@constants
class Kind(StrEnum):
    """What the client wants: a generation can be translated, a native call (embeddings, images, ...) cannot."""

    GENERATE = "generate"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One provider and model that may answer.

    `target` is the provider format spoken to it, `wire` the wire format on the line. `unfit` names why it can't be
    tried at all (`format-incompatible`, `subscription-not-built`, ...), None when it can. `credential` is a short
    fingerprint of the upstream key, never the key. `buckets` are the provider's rate limits that apply to the model.
    """

    ref: ModelRef
    provider: Provider
    model: Model
    target: ProviderFormat
    wire: FormatId
    weight: float | None = None
    tier: Tier = Tier.PRIMARY
    target_ref: str | None = None
    unfit: str | None = None
    credential: str = NO_CREDENTIAL
    buckets: tuple[Bucket, ...] = ()
    key: str = ""
    credential_key: str = ""

    def __post_init__(self) -> None:
        """Derives the keys, so that planning never builds text."""
        if not self.key:
            object.__setattr__(self, "key", candidate_key(self.ref, self.target))
        if not self.credential_key:
            object.__setattr__(self, "credential_key", credential_key(self.provider.id, self.credential))


@dataclass(frozen=True, slots=True)
class Route:
    """What a requested model name means: candidates in configured order, primaries first.

    `strategy` is a canonical name; `ref` the alias id or the canonical "provider/model"; `skipped` are targets that
    could not become candidates, as (ref, reason). `deadline_s` bounds all attempts until the commit point.
    `first_token_s` and `slow_stream` (characters per second, window in seconds) are the alias's guards before it.
    `memo` holds values derived from the rest; it is no part of the route's identity.
    """

    requested: str
    type: RouteType
    ref: str
    strategy: str
    candidates: tuple[Candidate, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    deadline_s: float = 900.0
    client: FormatId = FormatId.CHAT
    kind: Kind = Kind.GENERATE
    policy: RetryPolicy = DEFAULT_POLICY
    max_concurrency: int | None = None
    first_token_s: float | None = None
    slow_stream: tuple[float, float] | None = None
    affinity: str = "off"
    affinity_ttl_s: float = 3600.0
    key: str = ""
    tryable: tuple[Candidate, ...] = ()
    needs_estimate: bool = False
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Derives what every request on this route would otherwise compute again."""
        if not self.key:
            object.__setattr__(self, "key", route_key(self.type, self.ref, self.client))
        tryable = tuple(candidate for candidate in self.candidates if candidate.unfit is None)
        object.__setattr__(self, "tryable", tryable)
        object.__setattr__(self, "needs_estimate", self._wants_window(tryable) or self._caps_tokens(tryable))

    def _wants_window(self, tryable: tuple[Candidate, ...]) -> bool:
        """Returns whether context windows can change the order: never on direct routes, which name a first choice."""
        several = len(tryable) > 1 and self.type is not RouteType.DIRECT
        return several and any((candidate.model.context_window or 0) > 0 for candidate in tryable)

    @staticmethod
    def _caps_tokens(tryable: tuple[Candidate, ...]) -> bool:
        return any(bucket.tokens is not None for candidate in tryable for bucket in candidate.buckets)
