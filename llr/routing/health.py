"""Whether a candidate may be tried: cooldowns, circuit, half-open tries; and what an outcome does to its record.

Law: pure. Cooldowns belong to (credential, model, reason); failures of the key itself (auth, billing) also to
(credential, reason), so that they stop every model behind that key. A changed key starts with a clean record.
"""

from enum import StrEnum

from llr.base.enums import constants
from llr.base.records import dataclass, replace
from llr.routing.outcome import Category, Commit, GiveUp, Next, Outcome, Verdict
from llr.routing.policy import RetryPolicy
from llr.routing.route import Candidate
from llr.state.records import CANDIDATE_TTL_S, MAX_COOLDOWN_S
from llr.state.store import Fail, Health, Op, Recover, Snapshot

# How long the one half-open try may take before another request may make one.
PROBE_S = 30.0
_OF_THE_KEY = frozenset({Category.AUTH, Category.BILLING})
# Faults of the request, not of the candidate.
_BLAMELESS = frozenset({Category.INVALID_REQUEST, Category.CLIENT, Category.NOT_SUPPORTED})


@constants
class Condition(StrEnum):
    """What planning makes of a record."""

    HEALTHY = "healthy"
    COOLDOWN = "cooldown"
    HALF_OPEN = "half-open"
    PROBING = "probing"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A candidate's condition; `until_at` ends a time-out, `factor` (0.05 to 1) shrinks its share of a wheel.

    `reasons` say what it is cooling for; `probes` are the records whose half-open try must be taken.
    """

    condition: Condition = Condition.HEALTHY
    until_at: float = 0.0
    factor: float = 1.0
    reasons: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()


HEALTHY = Diagnosis()


def diagnosis(candidate: Candidate, state: Snapshot, now: float) -> Diagnosis:
    """Returns the condition of a candidate as its own record and that of its credential have it."""
    records = state.health
    own, shared = records.get(candidate.key), records.get(candidate.credential_key)
    if own is not None and own.credential and own.credential != candidate.credential:
        own = None
    if own is None and shared is None:
        return HEALTHY
    ends = [
        (key, reason, end)
        for key, record in ((candidate.key, own), (candidate.credential_key, shared))
        if record is not None
        for reason, end in time_outs(record, now)
    ]
    factor = health_factor(own)
    until_at = max((end for _, _, end in ends), default=0.0)
    if until_at > now:
        reasons = tuple(dict.fromkeys(reason for _, reason, end in ends if end > now))
        return Diagnosis(Condition.COOLDOWN, until_at, factor, reasons)
    probing_until_at = max(record.probing_until_at for record in (own, shared) if record is not None)
    if probing_until_at > now:
        return Diagnosis(Condition.PROBING, probing_until_at, factor)
    if not ends:
        return Diagnosis(factor=factor)
    return Diagnosis(Condition.HALF_OPEN, until_at, factor, probes=tuple(dict.fromkeys(key for key, _, _ in ends)))


def health_factor(record: Health | None) -> float:
    """Returns 1 for no failures, less the more failures in a row; a foreign `healthScore` in the record multiplies."""
    if record is None:
        return 1.0
    score = record.extra.get("healthScore")
    score = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else 1.0
    return min(1.0, max(0.05, min(1.0, max(0.05, score or 1.0)) / (1.0 + 0.5 * record.failures)))


def time_outs(record: Health, now: float) -> list[tuple[str, float]]:
    """Returns (reason, end) of every time-out, those too far ahead to be real left out: the clock was set back."""
    believable = now + MAX_COOLDOWN_S + CANDIDATE_TTL_S
    ends = [("circuit", record.open_until_at), *record.cooldowns.items()]
    return [(reason, end) for reason, end in ends if 0 < end <= believable]


def health_ops(
    candidate: Candidate,
    outcome: Outcome,
    verdict: Verdict,
    *,
    policy: RetryPolicy,
    now: float,
    auxiliary: bool = False,
) -> tuple[Op, ...]:
    """Returns what an attempt changes in the records: nothing before the last try, nothing for `auxiliary` calls.

    Auxiliary is every call but a generation: a missing token counter says nothing about the model.
    """
    if auxiliary:
        return ()
    if isinstance(verdict, Commit):
        began_at = outcome.started_at
        return (Recover(candidate.key, began_at), Recover(candidate.credential_key, began_at))
    if not isinstance(verdict, Next | GiveUp):
        return ()
    if verdict.category in _BLAMELESS and verdict.cooldown_s <= 0:  # A user's rule may cool what our table never does.
        return ()
    if not verdict.counts and verdict.cooldown_s <= 0:
        return ()
    own = _failure(candidate, outcome, verdict, policy, now)
    if verdict.cooldown_s <= 0 or verdict.category not in _OF_THE_KEY:
        return (own,)
    return (own, replace(own, key=candidate.credential_key, counts=False))


def _failure(candidate: Candidate, outcome: Outcome, verdict: Next | GiveUp, policy: RetryPolicy, now: float) -> Fail:
    cools = verdict.cooldown_s > 0
    return Fail(
        candidate.key,
        verdict.category,
        outcome.status or 0,
        verdict.counts,
        outcome.started_at,
        reason=verdict.category if cools else "",
        cooldown_until_at=now + verdict.cooldown_s if cools else 0.0,
        threshold=policy.circuit_failures,
        open_s=policy.circuit_cooldown_s,
        credential=candidate.credential,
    )
