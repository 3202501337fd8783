"""Routes and candidates as values."""

from dataclasses import dataclass
from enum import StrEnum

from llr.base.names import FormatId, ModelRef, ProviderFormat
from llr.config.schema import Model, Provider


class Tier(StrEnum):
    """Whether a candidate comes from `targets` or `fallbackTargets`."""

    PRIMARY = "primary"
    FALLBACK = "fallback"


class RouteType(StrEnum):
    """How the requested name was found."""

    DIRECT = "direct"
    ALIAS = "alias"
    BARE_MODEL = "bare-model"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One provider and model that may answer.

    `target` is the provider format spoken to it, `wire` the wire format on the line. `unfit` names why it can't be
    tried at all (`needs-translation`, `subscription-not-built`, ...), None when it can.
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


@dataclass(frozen=True, slots=True)
class Route:
    """What a requested model name means: candidates in configured order, primaries first.

    `strategy` is a canonical name; `ref` the alias id or the canonical "provider/model"; `skipped` are targets that
    could not become candidates, as (ref, reason). `deadline_s` bounds all attempts until the commit point.
    """

    requested: str
    type: RouteType
    ref: str
    strategy: str
    candidates: tuple[Candidate, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    deadline_s: float = 900.0
