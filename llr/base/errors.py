"""What can go wrong, as values: one kind per cause, worded later by each format."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from llr.base.enums import constants
from llr.base.records import dataclass


@constants
class ErrorKind(StrEnum):
    """The cause of a failure. `STATUS` gives the HTTP status a client sees."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    MODEL_NOT_FOUND = "model_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    CONTEXT_OVERFLOW = "context_overflow"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    CONFIGURATION = "configuration"
    NO_CANDIDATE = "no_candidate"
    NOT_SUPPORTED = "not_supported"
    UPSTREAM_REJECTED = "upstream_rejected"
    UPSTREAM_AUTH = "upstream_auth"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_TRUNCATED = "upstream_truncated"
    UPSTREAM_INVALID = "upstream_invalid"
    OVERLOADED = "overloaded"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


STATUS: Mapping[ErrorKind, int] = {
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.MODEL_NOT_FOUND: 404,
    ErrorKind.METHOD_NOT_ALLOWED: 405,
    ErrorKind.REQUEST_TIMEOUT: 408,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNSUPPORTED_MEDIA: 415,
    ErrorKind.CONTEXT_OVERFLOW: 400,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA: 429,
    ErrorKind.CONFIGURATION: 503,
    ErrorKind.NO_CANDIDATE: 503,
    ErrorKind.NOT_SUPPORTED: 501,
    ErrorKind.UPSTREAM_REJECTED: 502,
    ErrorKind.UPSTREAM_AUTH: 502,
    ErrorKind.UPSTREAM_UNREACHABLE: 502,
    ErrorKind.UPSTREAM_TIMEOUT: 504,
    ErrorKind.UPSTREAM_TRUNCATED: 502,
    ErrorKind.UPSTREAM_INVALID: 502,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.CANCELLED: 499,
    ErrorKind.INTERNAL: 500,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure: what happened, said once, with what a format needs to word it.

    `status` overrides the kind's own status; `retry_after_s` is what the client should wait;
    `param` names the JSON path or flag at fault; `allow` lists methods for a 405.
    """

    kind: ErrorKind
    message: str
    status: int | None = None
    retry_after_s: float | None = None
    param: str | None = None
    code: str | None = None
    allow: str | None = None

    @property
    def http_status(self) -> int:
        """Returns the HTTP status a client sees."""
        return self.status if self.status is not None else STATUS[self.kind]


class GatewayError(Exception):
    """A failure on its way to whoever words it. Raised before anything was sent to the client."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def fail(kind: ErrorKind, message: str, *, param: str | None = None, status: int | None = None) -> GatewayError:
    """Returns a `GatewayError` of this kind, to be raised by the caller."""
    return GatewayError(Fault(kind, message, status=status, param=param))


@contextmanager
def faults(table: Mapping[type[BaseException], ErrorKind], what: str) -> Iterator[None]:
    """Re-raises listed exceptions as `GatewayError`; first match in table order wins.

    `what` opens the message ("connecting to api.example:443").
    """
    try:
        yield
    except GatewayError:
        raise
    except tuple(table) as exc:
        for kind_of_exc, kind in table.items():
            if isinstance(exc, kind_of_exc):
                text = str(exc) or type(exc).__name__
                raise GatewayError(Fault(kind, f"{what}: {text}")) from exc
        raise
