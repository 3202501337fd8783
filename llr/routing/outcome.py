"""What came of one attempt, and what to do next, as values."""

from enum import StrEnum
from typing import TypeAlias

from llr.base.enums import constants
from llr.base.errors import ErrorKind
from llr.base.names import ModelRef
from llr.base.records import dataclass


@constants
class Phase(StrEnum):
    """How far an attempt got."""

    PREPARE = "prepare"
    CONNECT = "connect"
    HEADERS = "headers"
    BODY = "body"
    STREAM = "stream"


@constants
class Category(StrEnum):
    """What kind of failure it was; the words of the reference router's reports."""

    CONFIGURATION = "configuration_error"
    NOT_SUPPORTED = "not_supported_error"
    INVALID_REQUEST = "invalid_request"
    NETWORK = "network_error"
    RATE_LIMITED = "rate_limited"
    BILLING = "billing_exhausted"
    AUTH = "auth_failed"
    POLICY = "policy_blocked"
    FORBIDDEN = "forbidden"
    MODEL_NOT_FOUND = "model_not_found"
    NOT_FOUND = "not_found"
    CONTEXT_WINDOW = "context_window_exceeded"
    MEMORY = "vram_exhaustion"
    TEMPORARY = "temporary_error"
    CLIENT = "client_error"
    UNKNOWN = "unknown_error"
    SEARCH_UNAVAILABLE = "search_unavailable"
    EMPTY = "empty_answer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's end as far as routing may know it.

    `status` is the upstream's HTTP status (or the one an in-stream error stands for), None when no answer came;
    `kind` is set when the failure is ours to name (unreachable, timeout, truncated, invalid). `excerpt` holds at most
    4,096 characters of error text for the hint tables, lower-cased by nobody yet. `ok` is a usable answer.
    """

    ref: ModelRef
    attempt: int
    phase: Phase
    ok: bool = False
    status: int | None = None
    kind: ErrorKind | None = None
    excerpt: str = ""
    retry_after_s: float | None = None
    started_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Commit:
    """The answer is good: the client gets it."""


@dataclass(frozen=True, slots=True)
class RetrySame:
    """Try the same candidate again after `after_s` seconds."""

    category: Category
    after_s: float


@dataclass(frozen=True, slots=True)
class Next:
    """Try the next candidate. The failed one cools for `cooldown_s`; `counts` is one step towards its circuit."""

    category: Category
    cooldown_s: float = 0.0
    counts: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further candidate would do better: the client gets this failure. Fields as in `Next`."""

    category: Category
    cooldown_s: float = 0.0
    counts: bool = False


Verdict: TypeAlias = "Commit | RetrySame | Next | GiveUp"
