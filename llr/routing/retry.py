"""What to do after an attempt: answer, try again, go on, or stop; and which failure to show when all failed."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from llr.base.errors import ErrorKind
from llr.config.schema import FailureRule
from llr.routing.failures import EXCERPT_CHARS, Row, diagnose
from llr.routing.outcome import Category, Commit, GiveUp, Next, Outcome, RetrySame, Verdict
from llr.routing.policy import RetryPolicy
from llr.routing.waits import MAX_WAIT_S

if TYPE_CHECKING:
    from random import Random

# The failure a client can do most with, first: an answer after all, its own mistake, then what passes by itself, then
# the rest.
_USEFULNESS: tuple[Category, ...] = (
    Category.EMPTY,
    Category.INVALID_REQUEST,
    Category.CLIENT,
    Category.POLICY,
    Category.RATE_LIMITED,
    Category.TEMPORARY,
    Category.NETWORK,
    Category.CONTEXT_WINDOW,
    Category.SEARCH_UNAVAILABLE,
    Category.MEMORY,
    Category.UNKNOWN,
    Category.BILLING,
    Category.MODEL_NOT_FOUND,
    Category.NOT_FOUND,
    Category.FORBIDDEN,
    Category.AUTH,
    Category.NOT_SUPPORTED,
    Category.CONFIGURATION,
)
_RANK = {category: rank for rank, category in enumerate(_USEFULNESS)}


def classify(
    outcome: Outcome, *, attempt: int, selected: bool, policy: RetryPolicy, now: float, rng: "Random"
) -> Verdict:
    """Returns the next step after an attempt.

    `attempt` counts from 1; only the `selected` candidate is tried again. The user's rules come before the table, but
    a request its client has left is never tried anywhere else.
    """
    if outcome.ok:
        return Commit()
    row = diagnose(outcome)
    if outcome.kind is not ErrorKind.CANCELLED:
        rule = next((rule for rule in policy.rules_for(outcome.ref) if rule_matches(rule, outcome)), None)
        if rule is not None:
            return _by_rule(rule, row, outcome, attempt=attempt, selected=selected, policy=policy, rng=rng)
    if row.then.retry and selected:
        again = _again(row.category, outcome, attempt=attempt, policy=policy, rng=rng)
        if again is not None:
            return again
    cooldown_s = cooldown(row, outcome, policy)
    onward = row.then.fallback and (not row.then.only_if or bool(getattr(policy, row.then.only_if)))
    verdict = Next if onward else GiveUp
    return verdict(row.category, cooldown_s, row.then.counts)


def cooldown(row: Row, outcome: Outcome, policy: RetryPolicy) -> float:
    """Returns how long the candidate cools: what the upstream asked for, else the row's own time, at most a day."""
    own: float = getattr(policy, row.then.cooldown) if row.then.cooldown else 0.0
    asked = outcome.retry_after_s if row.then.asked else None
    return min(asked or own, MAX_WAIT_S)


def backoff_s(attempt: int, policy: RetryPolicy, rng: "Random") -> float:
    """Returns the pause after attempt number `attempt`, anywhere between 0 and its exponential bound (full jitter)."""
    bound: float = min(policy.base_s * 2.0 ** min(attempt - 1, 32), policy.max_s)
    return bound * rng.random()


def best_failure(outcomes: Sequence[Outcome]) -> Outcome | None:
    """Returns the failure a client can do most with, the earliest of equals; None when nothing was tried."""
    return min(outcomes, key=lambda outcome: _RANK[diagnose(outcome).category], default=None)


def rule_matches(rule: FailureRule, outcome: Outcome) -> bool:
    """Returns whether every condition of a user's rule holds; texts are compared without case."""
    if rule.status is not None and rule.status != outcome.status:
        return False
    if rule.phase is not None and rule.phase != outcome.phase:
        return False
    text = outcome.excerpt[:EXCERPT_CHARS]
    if rule.contains is not None and rule.contains.lower() not in text.lower():
        return False
    if rule.regex is None:
        return True
    pattern = _compiled(rule.regex)
    return pattern is not None and pattern.search(text) is not None


def _by_rule(
    rule: FailureRule,
    row: Row,
    outcome: Outcome,
    *,
    attempt: int,
    selected: bool,
    policy: RetryPolicy,
    rng: "Random",
) -> Verdict:
    own_s = rule.cooldown_s or 0.0
    if rule.action == "stop":
        return GiveUp(row.category, own_s)
    if rule.action == "retry" and selected:
        again = _again(row.category, outcome, attempt=attempt, policy=policy, rng=rng)
        if again is not None:
            return again
    if rule.action == "next-and-cool":
        usual_s = cooldown(row, outcome, policy) or policy.fallback_cooldown_s
        return Next(row.category, min(rule.cooldown_s if rule.cooldown_s is not None else usual_s, MAX_WAIT_S))
    return Next(row.category, own_s)


def _again(
    category: Category, outcome: Outcome, *, attempt: int, policy: RetryPolicy, rng: "Random"
) -> RetrySame | None:
    """Returns a retry unless the tries are used up or the upstream asks for a longer pause than a client waits."""
    asked_s = outcome.retry_after_s or 0.0
    if attempt >= policy.attempts or asked_s > policy.max_s:
        return None
    return RetrySame(category, max(asked_s, backoff_s(attempt, policy, rng)))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error:
        return None
