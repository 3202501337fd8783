"""What a failure means: one table from status, cause, phase and wording to category and consequence.

Law: data only, first matching row wins. The words are what vendors write in error bodies, lower-cased.
"""

import re
from collections.abc import Mapping

from llr.base.errors import ErrorKind
from llr.base.records import dataclass
from llr.routing.outcome import Category, Outcome, Phase

# The start of an error body that is searched; what follows is prompt or page more often than reason.
EXCERPT_CHARS = 4_096


def _any_of(*texts: str, words: tuple[str, ...] = ()) -> re.Pattern[str]:
    """Returns a pattern for any of `texts` anywhere, or any of `words` as a whole word."""
    return re.compile("|".join([*map(re.escape, texts), *(rf"\b{re.escape(word)}\b" for word in words)]))


# What is said of an answer with nothing in it, and what a user's own rule can look for.
EMPTY = "empty answer"
_NO_CREDIT = (
    "insufficient_quota",
    "insufficient quota",
    "insufficient balance",
    "insufficient credits",
    "not enough credits",
    "out of credits",
    "payment required",
    "billing hard limit",
)

HINTS: dict[str, re.Pattern[str]] = {
    "billing": _any_of(*_NO_CREDIT, "quota exceeded"),
    # Without "quota exceeded", which some vendors write for plain rate limits.
    "no-credit": _any_of(*_NO_CREDIT),
    "auth": _any_of(
        "invalid api key",
        "incorrect api key",
        "api key not valid",
        "authentication",
        "unauthorized",
        "permission denied",
        "forbidden",
    ),
    # Words of vendors that answer 400 for an empty account.
    "low-credit": _any_of("credit balance is too low"),
    # Vendors that answer 400 for a bad key say so in these words and no others.
    "bad-key": _any_of("api key not valid", "api_key_invalid", "invalid api key", "incorrect api key"),
    "policy": _any_of("moderation", "policy_violation", "content policy", "safety", "unsafe", "flagged"),
    "context": _any_of(
        "context window",
        "maximum context length",
        "maximum context size",
        "context length exceeded",
        "context_length_exceeded",
        "prompt is too long",
        "input is too long",
        "request is too long",
        "too many tokens",
        "ran out of room in the model's context window",
        "exceeds the maximum number of tokens",
    ),
    "model-missing": _any_of("model not found", "model does not exist", "model_not_found"),
    "memory": _any_of("insufficient vram", "out of memory", "failed to load model", "insufficient memory"),
    "rate": _any_of(
        "tokens per minute",
        "requests per minute",
        "rate limit",
        "rate_limit",
        "quota exceeded",
        "quota_exceeded",
        "limit exceeded",
        words=("tpm", "rpm"),
    ),
    # Reasoning sealed by another issuer: this upstream refuses it, the next may not.
    "foreign-seal": _any_of(
        "invalid `signature` in `thinking`", "invalid signature in thinking", "thought_signature", "thought signature"
    ),
    "search": _any_of(
        "web search credits are unavailable in this session",
        "web access unavailable",
    ),
    "empty": _any_of(EMPTY),
}

_BAD_REQUEST = frozenset({400, 413, 422})
_MISSING = frozenset({404, 410})
_SERVER = frozenset({408, 409, *range(500, 600)})
_CLIENT = frozenset(range(400, 500))
_GOOD = frozenset(range(200, 300))

# What an error inside a 200 stands for when its format names a cause but no status.
STANDS_FOR: Mapping[ErrorKind, int] = {
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA: 402,
    ErrorKind.UPSTREAM_AUTH: 401,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.MODEL_NOT_FOUND: 404,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.REQUEST_TIMEOUT: 408,
    ErrorKind.INTERNAL: 500,
    ErrorKind.UPSTREAM_REJECTED: 502,
    ErrorKind.OVERLOADED: 503,
}


@dataclass(frozen=True, slots=True)
class Then:
    """What follows from a failure.

    `counts`: one step towards the circuit; `retry`: the selected candidate may be tried again; `fallback`: the next one
    may be, if the switch of `RetryPolicy` named by `only_if` is on; `cooldown` names a duration there, "" for none;
    `asked`: the upstream's own wish (Retry-After) sets the cooldown.
    """

    counts: bool = False
    retry: bool = False
    fallback: bool = True
    only_if: str = ""
    cooldown: str = ""
    asked: bool = False


_STOP = Then(fallback=False)
_NEXT = Then()
_AGAIN = Then(counts=True, retry=True)
_AGAIN_AS_ASKED = Then(counts=True, retry=True, asked=True)
_LIMITED = Then(counts=True, cooldown="rate_limit_cooldown_s", asked=True)
_COOL = Then(cooldown="fallback_cooldown_s")
_COOL_KEY = Then(cooldown="auth_cooldown_s")
_COOL_CREDIT = Then(cooldown="billing_cooldown_s")
_COOL_MODEL = Then(cooldown="model_missing_cooldown_s")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: conditions (empty = any), all of which must hold, and what the failure is."""

    category: Category
    then: Then
    statuses: frozenset[int] = frozenset()
    hint: str = ""
    kinds: frozenset[ErrorKind] = frozenset()
    phases: frozenset[Phase] = frozenset()

    def matches(self, outcome: Outcome, status: int | None, text: str) -> bool:
        """Returns whether every condition holds; `text` is the lower-cased excerpt."""
        if self.kinds and outcome.kind not in self.kinds:
            return False
        if self.statuses and status not in self.statuses:
            return False
        if self.phases and outcome.phase not in self.phases:
            return False
        return not self.hint or HINTS[self.hint].search(text) is not None


def _caused(category: Category, then: Then, *kinds: ErrorKind, phase: Phase | None = None) -> Row:
    return Row(category, then, kinds=frozenset(kinds), phases=frozenset({phase} if phase else ()))


# A policy refusal, an overflow, an answer without a word or another fault of one prompt cools nothing: the next prompt
# may pass.
TABLE: tuple[Row, ...] = (
    _caused(Category.CLIENT, _STOP, ErrorKind.CANCELLED),
    _caused(Category.CONFIGURATION, _COOL, ErrorKind.CONFIGURATION),
    _caused(Category.NOT_SUPPORTED, _NEXT, ErrorKind.NOT_SUPPORTED),
    _caused(Category.INVALID_REQUEST, _STOP, ErrorKind.INVALID_REQUEST, phase=Phase.PREPARE),
    _caused(Category.NETWORK, _AGAIN, ErrorKind.UPSTREAM_UNREACHABLE, ErrorKind.UPSTREAM_TIMEOUT),
    _caused(Category.TEMPORARY, _AGAIN_AS_ASKED, ErrorKind.UPSTREAM_TRUNCATED, ErrorKind.UPSTREAM_INVALID),
    _caused(Category.CONTEXT_WINDOW, _NEXT, ErrorKind.CONTEXT_OVERFLOW),
    Row(Category.BILLING, _COOL_CREDIT, frozenset({429}), "no-credit"),
    Row(Category.RATE_LIMITED, _LIMITED, frozenset({429})),
    Row(Category.BILLING, _COOL_CREDIT, frozenset({402})),
    Row(Category.AUTH, _COOL_KEY, frozenset({401})),
    Row(Category.BILLING, _COOL_CREDIT, frozenset({403}), "billing"),
    Row(Category.POLICY, Then(only_if="allow_policy_fallback"), frozenset({403}), "policy"),
    Row(Category.AUTH, _COOL_KEY, frozenset({403}), "auth"),
    Row(Category.FORBIDDEN, _COOL_KEY, frozenset({403})),
    Row(Category.MODEL_NOT_FOUND, _COOL_MODEL, _MISSING, "model-missing"),
    Row(Category.NOT_FOUND, _COOL, _MISSING),
    Row(Category.CONTEXT_WINDOW, _NEXT, _BAD_REQUEST, "context"),
    Row(Category.MEMORY, _COOL, _BAD_REQUEST, "memory"),
    Row(Category.RATE_LIMITED, _LIMITED, frozenset({413}), "rate"),
    Row(Category.AUTH, _COOL_KEY, frozenset({400}), "bad-key"),
    Row(Category.BILLING, _COOL_CREDIT, frozenset({400}), "low-credit"),
    Row(Category.NOT_SUPPORTED, _NEXT, frozenset({400}), "foreign-seal"),
    Row(Category.MEMORY, _COOL, _SERVER, "memory"),
    Row(Category.MODEL_NOT_FOUND, _COOL_MODEL, _SERVER, "model-missing"),
    Row(Category.TEMPORARY, _AGAIN_AS_ASKED, _SERVER),
    Row(Category.INVALID_REQUEST, _STOP, _BAD_REQUEST),
    Row(Category.CLIENT, _STOP, _CLIENT),
    Row(Category.SEARCH_UNAVAILABLE, _NEXT, _GOOD, "search"),
    Row(Category.EMPTY, _NEXT, _GOOD, "empty"),
    Row(Category.UNKNOWN, _NEXT),
)


def diagnose(outcome: Outcome) -> Row:
    """Returns the first row that matches a failure; the last one matches all."""
    status = outcome.status
    if outcome.kind is not None and (status is None or status < 400):
        status = STANDS_FOR.get(outcome.kind, status)
    text = outcome.excerpt[:EXCERPT_CHARS].lower()
    return next(row for row in TABLE if row.matches(outcome, status, text))
