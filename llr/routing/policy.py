"""How failures are judged: the numbers and the user's own rules, drawn once from settings and config."""

from collections.abc import Mapping
from types import MappingProxyType

from llr.base.names import ModelRef, ProviderId
from llr.base.records import dataclass, field
from llr.config.schema import Config, FailureRule, Settings

_NO_RULES: Mapping[ProviderId, tuple[FailureRule, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retries, cooldowns and circuit of one configuration.

    `attempts` counts the tries on the selected candidate; every fallback gets one. A cooldown of 0 is none; the circuit
    is off when its threshold or its open time is 0. `rules` are the root's own, tried after a provider's.
    """

    attempts: int = 3
    base_s: float = 0.25
    max_s: float = 3.0
    fallback_cooldown_s: float = 45.0
    rate_limit_cooldown_s: float = 30.0
    billing_cooldown_s: float = 900.0
    auth_cooldown_s: float = 600.0
    model_missing_cooldown_s: float = 3600.0
    allow_policy_fallback: bool = False
    circuit_failures: int = 2
    circuit_cooldown_s: float = 30.0
    rules: tuple[FailureRule, ...] = ()
    provider_rules: Mapping[ProviderId, tuple[FailureRule, ...]] = field(default_factory=lambda: _NO_RULES)

    def rules_for(self, ref: ModelRef) -> tuple[FailureRule, ...]:
        """Returns the user's rules for a candidate, the provider's before the root's."""
        own = self.provider_rules.get(ProviderId(ref.partition("/")[0]), ())
        return own + self.rules if own else self.rules


DEFAULT_POLICY = RetryPolicy()


def retry_policy(settings: Settings, config: Config | None = None) -> RetryPolicy:
    """Returns the policy of these settings, with the config's failure rules on top."""
    providers = config.providers if config is not None else ()
    return RetryPolicy(
        attempts=settings.retry_attempts,
        base_s=settings.retry_base_s,
        max_s=settings.retry_max_s,
        fallback_cooldown_s=settings.fallback_cooldown_s,
        rate_limit_cooldown_s=settings.rate_limit_cooldown_s,
        billing_cooldown_s=settings.billing_cooldown_s,
        auth_cooldown_s=settings.auth_cooldown_s,
        allow_policy_fallback=settings.allow_policy_fallback,
        circuit_failures=settings.circuit_failures,
        circuit_cooldown_s=settings.circuit_cooldown_s,
        rules=config.failure_rules if config is not None else (),
        provider_rules={p.id: p.failure_rules for p in providers if p.failure_rules},
    )
