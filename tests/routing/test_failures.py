"""Status, wording and phase to decision, as one table."""

from random import Random

import pytest

from llr.base.errors import ErrorKind
from llr.base.names import ModelRef, ProviderId
from llr.config.schema import FailureRule
from llr.routing.failures import EXCERPT_CHARS, TABLE, diagnose
from llr.routing.outcome import Category, Commit, GiveUp, Next, Outcome, Phase, RetrySame, Verdict
from llr.routing.policy import RetryPolicy
from llr.routing.retry import backoff_s, best_failure, classify

REF = ModelRef("acme/m")
POLICY = RetryPolicy()
H, S, P, CONNECT = Phase.HEADERS, Phase.STREAM, Phase.PREPARE, Phase.CONNECT


class Dice(Random):
    """Always throws the same."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


HALF = Dice(0.5)


def judge(
    status: int | None = None,
    text: str = "",
    *,
    phase: Phase = H,
    kind: ErrorKind | None = None,
    wait: float | None = None,
    attempt: int = 1,
    selected: bool = False,
    policy: RetryPolicy = POLICY,
) -> Verdict:
    outcome = Outcome(REF, attempt, phase, status=status, kind=kind, excerpt=text, retry_after_s=wait)
    return classify(outcome, attempt=attempt, selected=selected, policy=policy, now=0.0, rng=HALF)


MIN, HOUR = 60.0, 3600.0
# status, text, phase -> category, "stop" or "next", cooldown, counts
DECISIONS: list[tuple[int, str, Phase, Category, str, float, bool]] = [
    (429, "", H, Category.RATE_LIMITED, "next", 30.0, True),
    (429, '{"error":{"code":"rate_limit_exceeded"}}', H, Category.RATE_LIMITED, "next", 30.0, True),
    (429, "You exceeded your current quota, please check your plan", H, Category.RATE_LIMITED, "next", 30.0, True),
    (429, "Quota exceeded for metric generate_requests", H, Category.RATE_LIMITED, "next", 30.0, True),
    (429, '{"error":{"code":"insufficient_quota"}}', H, Category.BILLING, "next", 15 * MIN, False),
    (429, "Insufficient balance", S, Category.BILLING, "next", 15 * MIN, False),
    (429, "slow down", S, Category.RATE_LIMITED, "next", 30.0, True),
    (402, "", H, Category.BILLING, "next", 15 * MIN, False),
    (402, "anything", S, Category.BILLING, "next", 15 * MIN, False),
    (401, "", H, Category.AUTH, "next", 10 * MIN, False),
    (401, "insufficient_quota", H, Category.AUTH, "next", 10 * MIN, False),
    (403, "Quota exceeded", H, Category.BILLING, "next", 15 * MIN, False),
    (403, "billing hard limit has been reached", H, Category.BILLING, "next", 15 * MIN, False),
    (403, "flagged by our moderation", H, Category.POLICY, "stop", 0.0, False),
    (403, "blocked for safety reasons", H, Category.POLICY, "stop", 0.0, False),
    (403, "Permission denied", H, Category.AUTH, "next", 10 * MIN, False),
    (403, "Incorrect API key provided", H, Category.AUTH, "next", 10 * MIN, False),
    (403, "country not served", H, Category.FORBIDDEN, "next", 10 * MIN, False),
    (404, "Model not found", H, Category.MODEL_NOT_FOUND, "next", HOUR, False),
    (404, '{"error":{"code":"model_not_found"}}', H, Category.MODEL_NOT_FOUND, "next", HOUR, False),
    (410, "this model does not exist", H, Category.MODEL_NOT_FOUND, "next", HOUR, False),
    (404, "no such path", H, Category.NOT_FOUND, "next", 45.0, False),
    (410, "", H, Category.NOT_FOUND, "next", 45.0, False),
    (400, "This model's maximum context length is 8192 tokens", H, Category.CONTEXT_WINDOW, "next", 0.0, False),
    (400, "prompt is too long: 210000 tokens > 200000", H, Category.CONTEXT_WINDOW, "next", 0.0, False),
    (413, "request is too long", H, Category.CONTEXT_WINDOW, "next", 0.0, False),
    (422, "context_length_exceeded", H, Category.CONTEXT_WINDOW, "next", 0.0, False),
    (400, "Codex ran out of room in the model's context window", S, Category.CONTEXT_WINDOW, "next", 0.0, False),
    (400, "CUDA out of memory", H, Category.MEMORY, "next", 45.0, False),
    (422, "failed to load model", H, Category.MEMORY, "next", 45.0, False),
    (413, "Limit 6000 tokens per minute", H, Category.RATE_LIMITED, "next", 30.0, True),
    (413, "Request too large on TPM: Limit 6000", H, Category.RATE_LIMITED, "next", 30.0, True),
    (413, "too many attachments", H, Category.INVALID_REQUEST, "stop", 0.0, False),
    (413, "the attpmt field is big", H, Category.INVALID_REQUEST, "stop", 0.0, False),
    (400, "invalid tools[0].name", H, Category.INVALID_REQUEST, "stop", 0.0, False),
    (400, "rate limit field unknown", H, Category.INVALID_REQUEST, "stop", 0.0, False),
    (400, "your prompt was flagged", H, Category.INVALID_REQUEST, "stop", 0.0, False),
    (400, "API key not valid. Please pass a valid API key.", H, Category.AUTH, "next", 10 * MIN, False),
    (400, "Your credit balance is too low to access the API", H, Category.BILLING, "next", 15 * MIN, False),
    (400, "messages.1: Invalid `signature` in `thinking` block", H, Category.NOT_SUPPORTED, "next", 0.0, False),
    (400, "Function call is missing a thought_signature", H, Category.NOT_SUPPORTED, "next", 0.0, False),
    (422, "unprocessable", H, Category.INVALID_REQUEST, "stop", 0.0, False),
    (405, "", H, Category.CLIENT, "stop", 0.0, False),
    (415, "unsupported media type", H, Category.CLIENT, "stop", 0.0, False),
    (451, "", H, Category.CLIENT, "stop", 0.0, False),
    (408, "", H, Category.TEMPORARY, "next", 0.0, True),
    (409, "conflict", H, Category.TEMPORARY, "next", 0.0, True),
    (500, "", H, Category.TEMPORARY, "next", 0.0, True),
    (500, "upstream connect error", S, Category.TEMPORARY, "next", 0.0, True),
    (502, "<html>bad gateway</html>", H, Category.TEMPORARY, "next", 0.0, True),
    (503, "overloaded", H, Category.TEMPORARY, "next", 0.0, True),
    (520, "", H, Category.TEMPORARY, "next", 0.0, True),
    (529, "overloaded_error", S, Category.TEMPORARY, "next", 0.0, True),
    (500, "model requires more: insufficient VRAM", H, Category.MEMORY, "next", 45.0, False),
    (503, "model_not_found in pool", H, Category.MODEL_NOT_FOUND, "next", HOUR, False),
    (302, "", H, Category.UNKNOWN, "next", 0.0, False),
    (200, "web access unavailable (out of credits)", Phase.BODY, Category.SEARCH_UNAVAILABLE, "next", 0.0, False),
    (200, "empty answer", Phase.BODY, Category.EMPTY, "next", 0.0, False),
    (200, "not json", Phase.BODY, Category.UNKNOWN, "next", 0.0, False),
]


@pytest.mark.parametrize(("status", "text", "phase", "category", "step", "cooldown_s", "counts"), DECISIONS)
def test_decision(
    status: int, text: str, phase: Phase, category: Category, step: str, cooldown_s: float, counts: bool
) -> None:
    expected = (Next if step == "next" else GiveUp)(category, cooldown_s, counts)
    assert judge(status, text, phase=phase) == expected
    # Wording is compared without case.
    assert judge(status, text.upper(), phase=phase) == expected


# What is ours to name, and errors of a stream that name a cause but no status.
CAUSES: list[tuple[ErrorKind, Phase, int | None, Verdict]] = [
    (ErrorKind.UPSTREAM_UNREACHABLE, CONNECT, None, Next(Category.NETWORK, 0.0, True)),
    (ErrorKind.UPSTREAM_TIMEOUT, H, None, Next(Category.NETWORK, 0.0, True)),
    (ErrorKind.UPSTREAM_TIMEOUT, S, 200, Next(Category.NETWORK, 0.0, True)),
    (ErrorKind.UPSTREAM_TRUNCATED, S, 200, Next(Category.TEMPORARY, 0.0, True)),
    (ErrorKind.UPSTREAM_INVALID, Phase.BODY, 200, Next(Category.TEMPORARY, 0.0, True)),
    (ErrorKind.CONFIGURATION, P, None, Next(Category.CONFIGURATION, 45.0, False)),
    (ErrorKind.NOT_SUPPORTED, P, None, Next(Category.NOT_SUPPORTED, 0.0, False)),
    (ErrorKind.INVALID_REQUEST, P, None, GiveUp(Category.INVALID_REQUEST, 0.0, False)),
    (ErrorKind.CANCELLED, S, 200, GiveUp(Category.CLIENT, 0.0, False)),
    (ErrorKind.RATE_LIMITED, S, None, Next(Category.RATE_LIMITED, 30.0, True)),
    (ErrorKind.RATE_LIMITED, S, 200, Next(Category.RATE_LIMITED, 30.0, True)),
    (ErrorKind.OVERLOADED, S, None, Next(Category.TEMPORARY, 0.0, True)),
    (ErrorKind.UPSTREAM_AUTH, S, None, Next(Category.AUTH, 600.0, False)),
    (ErrorKind.QUOTA, S, None, Next(Category.BILLING, 900.0, False)),
    (ErrorKind.CONTEXT_OVERFLOW, S, None, Next(Category.CONTEXT_WINDOW, 0.0, False)),
    (ErrorKind.MODEL_NOT_FOUND, S, None, Next(Category.NOT_FOUND, 45.0, False)),
    (ErrorKind.INVALID_REQUEST, S, None, GiveUp(Category.INVALID_REQUEST, 0.0, False)),
]


@pytest.mark.parametrize(("kind", "phase", "status", "expected"), CAUSES)
def test_cause(kind: ErrorKind, phase: Phase, status: int | None, expected: Verdict) -> None:
    assert judge(status, kind=kind, phase=phase) == expected


def test_every_row_can_be_reached() -> None:
    reached = {
        id(diagnose(Outcome(REF, 1, phase, status=status, excerpt=text))) for status, text, phase, *_ in DECISIONS
    }
    reached |= {id(diagnose(Outcome(REF, 1, phase, status=status, kind=kind))) for kind, phase, status, _ in CAUSES}
    assert reached == {id(row) for row in TABLE}


def test_success_is_committed() -> None:
    outcome = Outcome(REF, 1, Phase.BODY, ok=True, status=200)
    assert classify(outcome, attempt=1, selected=True, policy=POLICY, now=0.0, rng=HALF) == Commit()


def test_only_the_start_of_a_body_is_searched() -> None:
    assert judge(429, " " * EXCERPT_CHARS + "insufficient_quota") == Next(Category.RATE_LIMITED, 30.0, True)


# attempt, selected, asked wait -> pause, None = no further try on this candidate
RETRIES = [
    (1, True, None, 0.125),
    (2, True, None, 0.25),
    (3, True, None, None),
    (1, False, None, None),
    (1, True, 2.0, 2.0),
    (1, True, 3.0, 3.0),
    (1, True, 3.1, None),
    (2, True, 0.1, 0.25),
]


@pytest.mark.parametrize(("attempt", "selected", "wait", "pause"), RETRIES)
def test_retries(attempt: int, selected: bool, wait: float | None, pause: float | None) -> None:
    verdict = judge(503, attempt=attempt, selected=selected, wait=wait)
    if pause is None:
        assert verdict == Next(Category.TEMPORARY, wait or 0.0, True)
    else:
        assert verdict == RetrySame(Category.TEMPORARY, pause)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429])
def test_what_is_never_tried_again_on_the_same(status: int) -> None:
    assert not isinstance(judge(status, selected=True), RetrySame)


def test_full_jitter_is_bounded_by_the_exponential() -> None:
    for attempt, bound in ((1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 3.0), (99, 3.0)):
        assert backoff_s(attempt, POLICY, Dice(0.0)) == 0.0
        assert backoff_s(attempt, POLICY, Dice(0.999)) == pytest.approx(bound * 0.999)


ASKED = [(429, 60.0, 60.0), (429, 0.0, 30.0), (429, 400_000.0, 86_400.0), (503, 7.0, 7.0), (413, 5.0, 5.0)]


@pytest.mark.parametrize(("status", "wait", "cooldown_s"), ASKED)
def test_the_upstreams_wish_sets_the_cooldown(status: int, wait: float, cooldown_s: float) -> None:
    verdict = judge(status, "rate limit", wait=wait)
    assert isinstance(verdict, Next)
    assert verdict.cooldown_s == cooldown_s


def test_a_wish_on_a_refused_key_is_ignored() -> None:
    assert judge(401, wait=5.0) == Next(Category.AUTH, 600.0, False)


def test_policy_fallback_is_a_switch() -> None:
    open_policy = RetryPolicy(allow_policy_fallback=True)
    assert judge(403, "content policy", policy=open_policy) == Next(Category.POLICY, 0.0, False)


def rules(*found: FailureRule, own: tuple[FailureRule, ...] = ()) -> RetryPolicy:
    return RetryPolicy(rules=found, provider_rules={ProviderId("acme"): own} if own else {})


Rule = FailureRule
RULES: list[tuple[FailureRule, int, str, Phase, Verdict]] = [
    (Rule("stop", status=500), 500, "", H, GiveUp(Category.TEMPORARY)),
    (Rule("stop", status=500), 503, "", H, Next(Category.TEMPORARY, 0.0, True)),
    (Rule("next", status=400), 400, "", H, Next(Category.INVALID_REQUEST)),
    (Rule("next", contains="Bad Signature"), 400, "bad signature here", H, Next(Category.INVALID_REQUEST)),
    (Rule("next", regex=r"bad\s+thing"), 400, "a BAD  thing", H, Next(Category.INVALID_REQUEST)),
    (Rule("next", regex="("), 400, "(", H, GiveUp(Category.INVALID_REQUEST)),
    (Rule("next", phase="stream"), 400, "", S, Next(Category.INVALID_REQUEST)),
    (Rule("next", phase="stream"), 400, "", H, GiveUp(Category.INVALID_REQUEST)),
    (Rule("next-and-cool", status=400), 400, "", H, Next(Category.INVALID_REQUEST, 45.0)),
    (Rule("next-and-cool", status=429), 429, "", H, Next(Category.RATE_LIMITED, 30.0)),
    (Rule("next-and-cool", status=400, cooldown_s=5.0), 400, "", H, Next(Category.INVALID_REQUEST, 5.0)),
    (Rule("next", status=429), 429, "", H, Next(Category.RATE_LIMITED)),
    (Rule("retry", status=429), 429, "", H, RetrySame(Category.RATE_LIMITED, 0.125)),
]


@pytest.mark.parametrize(("rule", "status", "text", "phase", "expected"), RULES)
def test_the_users_rules_come_first(rule: FailureRule, status: int, text: str, phase: Phase, expected: Verdict) -> None:
    assert judge(status, text, phase=phase, policy=rules(rule), selected=isinstance(expected, RetrySame)) == expected


def test_the_providers_rules_come_before_the_roots() -> None:
    policy = rules(Rule("stop", status=500), own=(Rule("next-and-cool", status=500, cooldown_s=9.0),))
    assert judge(500, policy=policy) == Next(Category.TEMPORARY, 9.0)


def test_a_rule_cannot_revive_a_request_its_client_left() -> None:
    policy = rules(Rule("next"))
    assert judge(200, kind=ErrorKind.CANCELLED, policy=policy) == GiveUp(Category.CLIENT)


BEST = [
    ([429, 401], 429),
    ([401, 503], 503),
    ([503, 429], 429),
    ([401, 402, 404], 402),
    ([500, 503], 500),
    ([429, 400], 400),
    ([None, 401], None),
    ([401, None], None),
]


@pytest.mark.parametrize(("statuses", "best"), BEST)
def test_the_best_failure_is_shown(statuses: list[int | None], best: int | None) -> None:
    tried = [
        Outcome(REF, 1, H, status=status, kind=None if status else ErrorKind.UPSTREAM_UNREACHABLE)
        for status in statuses
    ]
    found = best_failure(tried)
    assert found is not None
    assert found.status == best
    assert best_failure([]) is None
