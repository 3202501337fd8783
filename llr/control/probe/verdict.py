"""What one generating call says about a model, and how long to wait when it says "not so fast"."""

import re
from email.utils import parsedate_to_datetime
from enum import StrEnum

from llr.base.names import ProviderFormat
from llr.base.records import dataclass
from llr.base.redact import scrub
from llr.control.probe.replies import Reply, generated, looks, message_of, takes_key

MOST_CHARS = 220


class Verdict(StrEnum):
    """The outcome of a check, as reports print it."""

    OK = "ok"
    NETWORK = "network-error"
    RATE_LIMIT = "rate-limit"
    MISMATCH = "format-mismatch"
    AUTH = "auth-error"
    OUTPUT_LIMIT = "output-limit"
    UNSUPPORTED = "model-unsupported"
    RUNTIME = "runtime-error"
    UNCONFIRMED = "unconfirmed"
    UNKNOWN = "unknown"
    EXHAUSTED = "rate-limit-max-retries"

    @property
    def confirms(self) -> bool:
        """Returns whether the model is there for sure."""
        return self in (Verdict.OK, Verdict.OUTPUT_LIMIT)


_RATE = re.compile(
    r"rate[ _-]?limit|too many requests|requests per minute|\brpm\b|quota\b.*exceeded|exceeded\b.*quota|retry[- ]after",
    re.IGNORECASE | re.DOTALL,
)
_LIMIT = re.compile(r"output limit|token limit|finish", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"model\b.*(?:not found|does not exist|(?:is )?not available|is not supported)"
    r"|(?:unknown|unsupported|invalid|unrecognized) model|\bno (?:such )?model\b|not enabled for this model"
    r"|not available (?:for|in) this api|does not support\b.*\bapi"
    r"|must use\b.*\bendpoint|use\b.*/v1|only available via",
    re.IGNORECASE | re.DOTALL,
)
_RUNTIME = re.compile(
    r"rate[ _-]?limit|too many requests|quota|overloaded|try again|temporar|service unavailable|gateway timeout"
    r"|upstream|timeout",
    re.IGNORECASE,
)
_RESPONSES = re.compile(r"v1/responses|responses (?:api|endpoint)", re.IGNORECASE)
_RUNTIME_STATUS = frozenset((408, 409, 429, 500, 502, 503, 504))


def classify(target: ProviderFormat, reply: Reply) -> Verdict:
    """Returns the outcome of one call. A 2xx counts only with an answer of the format in it."""
    if reply.error:
        return Verdict.NETWORK
    if reply.ok and generated(target, reply.json):
        return Verdict.OK
    message = message_of(reply)
    # A 404 that quotes model names may hold such words too, and waiting does not help it.
    if reply.status == 429 or (reply.status not in (401, 404) and _RATE.search(message)):
        return Verdict.RATE_LIMIT
    if not looks(target, reply.json):
        return Verdict.MISMATCH
    if not takes_key(reply):
        return Verdict.AUTH
    if "max_tokens" in message and _LIMIT.search(message):
        return Verdict.OUTPUT_LIMIT
    if _UNSUPPORTED.search(message):
        return Verdict.UNSUPPORTED
    if reply.status in _RUNTIME_STATUS or _RUNTIME.search(message):
        return Verdict.RUNTIME
    return Verdict.UNCONFIRMED


def wants_completion_tokens(reply: Reply) -> bool:
    """Returns whether a refusal only asks for `max_completion_tokens`, as OpenAI's reasoning models do."""
    return reply.status == 400 and "max_completion_tokens" in message_of(reply)


def wants_responses(reply: Reply) -> bool:
    """Returns whether a refusal says that the model is served by the Responses API only."""
    return not reply.ok and bool(_RESPONSES.search(message_of(reply)))


def told(reply: Reply, secrets: tuple[str, ...]) -> str:
    """Returns what an answer says, without keys, cut at 220 characters; "" for success."""
    if reply.error:
        text = reply.error
    elif reply.location:
        text = f"redirects to {reply.location}; redirects are not followed, so give the final address"
    else:
        text = "" if reply.ok else message_of(reply)
    text = " ".join(scrub(text, secrets).split())
    return text if len(text) <= MOST_CHARS else text[:MOST_CHARS] + "..."


def retry_after_s(reply: Reply, *, now: float) -> float:
    """Returns what `Retry-After` asks for, in seconds; 0 where it says nothing. It is seconds or an HTTP date."""
    text = reply.headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    if re.fullmatch(r"\d{1,9}(?:\.\d*)?", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a model at an endpoint: what came of it, which auth variant it ended with, and how long it took."""

    endpoint: str
    format: ProviderFormat
    model: str
    verdict: Verdict
    status: int
    auth: str | None
    message: str
    error: str = ""
    latency_s: float = 0.0
    requests: int = 1
    retries: int = 0
    wait_s: float = 0.0
    by_responses: bool = False
