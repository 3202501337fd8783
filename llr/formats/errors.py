"""Errors of upstreams read, whatever their dialect, and the words each client format has for a fault.

Law: reading never raises; the same failure gets the same kind whether it came as an HTTP status or inside a stream.
"""

import re
from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, Fault
from llr.base.jsonio import InvalidJSON, loads_answer
from llr.base.records import dataclass
from llr.base.redact import scrub
from llr.formats import reading
from llr.wire.http import Headers, RawHeaders

# Longest text taken out of an error that is not JSON, in characters.
PLAIN_LIMIT = 300
_MESSAGE_LIMIT = 4096
# Tags that never end are looked for from each of them on: the square of this, while everybody waits.
_BODY_LIMIT_BYTES = 8 * 1024
_TAGS = re.compile(r"(?is)<(script|style|head)\b.*?</\1>|<[^<>]*>")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_SPACE = re.compile(r"\s+")

# OpenAI, vLLM, llama.cpp, LM Studio, Anthropic, Gemini, Mistral, Groq, Bedrock: one phrase each or more.
_OVERFLOW = re.compile(
    r"(?i)maximum context length|maximum model length|exceeds? the (?:available )?context (?:size|window|length)"
    r"|context[_ ]length[_ ]exceeded|context_window_exceeded|prompt is too long|input is too long"
    r"|input token count.{0,60}exceeds the maximum|exceeds the maximum number of (?:input )?tokens"
    r"|model_max_prompt_tokens_exceeded|too many tokens.{0,40}context|trying to keep the first \d+ tokens"
    r"|reduce the length of (?:the )?(?:messages|your (?:prompt|messages|input))"
    r"|context length (?:of|is|exceeded|limit)|greater than the context length|larger than the context"
)
_NUMBERS = re.compile(r"\d[\d,]{2,}")
_QUOTA = re.compile(
    r"(?i)insufficient[_ ]quota|exceeded your current quota|credit balance is too low"
    r"|billing[_ ](?:hard[_ ]limit|error)"
    r"|insufficient (?:balance|funds|credits?)|payment required|out of credits|spend(?:ing)? limit"
)
_NO_MODEL = re.compile(
    r"(?i)model_not_found|(?:the )?model:? [`'\"]?[\w./:@-]*[`'\"]? ?"
    r"(?:does not exist|not found|is not (?:found|supported))"
    r"|unknown model|no such model|models/\S+ is not found|^model: \S+$"
)
# google.rpc `RetryInfo.retryDelay`; and what OpenAI, Groq and Google write into the message where they send no field.
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")
_TRY_AGAIN = re.compile(
    r"(?i)\b(?:try again|retry) (?:in|after) (?:(\d{1,3})h)?(?:(\d{1,4})m(?!s))?"
    r"(?:(\d{1,7}(?:\.\d+)?) ?(ms|s|sec(?:ond)?s?|min(?:ute)?s?)\b)?"
)
_BAD_KEY = re.compile(r"(?i)(?:invalid|incorrect) (?:x-)?api[- _]?key|api key not valid|invalid_api_key")


@dataclass(frozen=True, slots=True)
class Words:
    """How the client formats name a kind: Messages type, OpenAI type and code, Gemini status."""

    messages: str
    openai: str
    code: str | None
    gemini: str


_BAD = Words("invalid_request_error", "invalid_request_error", None, "INVALID_ARGUMENT")
_DOWN = Words("api_error", "server_error", None, "UNAVAILABLE")
WORDS: Mapping[ErrorKind, Words] = {
    ErrorKind.INVALID_REQUEST: _BAD,
    ErrorKind.UNAUTHENTICATED: Words(
        "authentication_error", "authentication_error", "invalid_api_key", "UNAUTHENTICATED"
    ),
    ErrorKind.FORBIDDEN: Words("permission_error", "permission_error", None, "PERMISSION_DENIED"),
    ErrorKind.NOT_FOUND: Words("not_found_error", "invalid_request_error", None, "NOT_FOUND"),
    ErrorKind.MODEL_NOT_FOUND: Words("not_found_error", "invalid_request_error", "model_not_found", "NOT_FOUND"),
    ErrorKind.METHOD_NOT_ALLOWED: _BAD,
    ErrorKind.REQUEST_TIMEOUT: Words("timeout_error", "invalid_request_error", None, "DEADLINE_EXCEEDED"),
    ErrorKind.TOO_LARGE: Words("request_too_large", "invalid_request_error", None, "INVALID_ARGUMENT"),
    ErrorKind.UNSUPPORTED_MEDIA: _BAD,
    ErrorKind.CONTEXT_OVERFLOW: Words(
        "invalid_request_error", "invalid_request_error", "context_length_exceeded", "INVALID_ARGUMENT"
    ),
    ErrorKind.RATE_LIMITED: Words("rate_limit_error", "rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED"),
    ErrorKind.QUOTA: Words("rate_limit_error", "insufficient_quota", "insufficient_quota", "RESOURCE_EXHAUSTED"),
    ErrorKind.CONFIGURATION: Words("api_error", "server_error", "configuration_error", "FAILED_PRECONDITION"),
    ErrorKind.NO_CANDIDATE: Words("overloaded_error", "server_error", "no_candidate", "UNAVAILABLE"),
    ErrorKind.NOT_SUPPORTED: Words("api_error", "server_error", "not_supported", "UNIMPLEMENTED"),
    ErrorKind.UPSTREAM_REJECTED: _DOWN,
    ErrorKind.UPSTREAM_AUTH: Words("api_error", "server_error", "upstream_auth", "UNAVAILABLE"),
    ErrorKind.UPSTREAM_UNREACHABLE: _DOWN,
    ErrorKind.UPSTREAM_TIMEOUT: Words("timeout_error", "server_error", "timeout", "DEADLINE_EXCEEDED"),
    ErrorKind.UPSTREAM_TRUNCATED: _DOWN,
    ErrorKind.UPSTREAM_INVALID: _DOWN,
    ErrorKind.OVERLOADED: Words("overloaded_error", "server_error", "overloaded", "UNAVAILABLE"),
    ErrorKind.CANCELLED: Words("api_error", "server_error", "cancelled", "CANCELLED"),
    ErrorKind.INTERNAL: Words("api_error", "server_error", None, "INTERNAL"),
}
# Statuses whose Messages type is not that of their kind.
_MESSAGES_BY_STATUS = {
    400: "invalid_request_error",
    402: "billing_error",
    409: "conflict_error",
    413: "request_too_large",
    529: "overloaded_error",
}
_OPENAI_BY_STATUS = {400: "invalid_request_error", 402: "insufficient_quota", 409: "conflict_error"}


def messages_type(fault: Fault) -> str:
    """Returns the Messages `error.type` of a fault."""
    return _MESSAGES_BY_STATUS.get(fault.http_status) or WORDS[fault.kind].messages


def openai_words(fault: Fault) -> tuple[str, str | None]:
    """Returns the OpenAI (`type`, `code`) of a fault; a code from upstream stays where the kind has none."""
    words = WORDS[fault.kind]
    return _OPENAI_BY_STATUS.get(fault.http_status) or words.openai, words.code or fault.code


def retryable(fault: Fault) -> bool:
    """Returns whether the same request may do better later: what `x-should-retry` says."""
    return fault.http_status in (408, 409, 429) or fault.http_status >= 500


def fault_headers(fault: Fault, request_id: str) -> RawHeaders:
    """Returns the headers of an error answer: type, no store, ids, `retry-after` in whole seconds, `x-should-retry`."""
    raw: RawHeaders = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if request_id:
        value = request_id.encode("latin-1", "replace")
        raw += [(b"request-id", value), (b"x-request-id", value)]
    if fault.retry_after_s is not None:
        raw.append((b"retry-after", str(max(0, -int(-fault.retry_after_s // 1))).encode()))
    if not retryable(fault):
        raw.append((b"x-should-retry", b"false"))
    if fault.allow:
        raw.append((b"allow", fault.allow.encode("latin-1", "replace")))
    return raw


def overflow_message(fault: Fault) -> str:
    """Returns the words that make Messages clients compact: "prompt is too long: N tokens > M maximum"."""
    if fault.message.startswith("prompt is too long"):
        return fault.message
    numbers = overflow_numbers(fault.message)
    if numbers is None:
        return f"prompt is too long: {fault.message}"
    return f"prompt is too long: {numbers[0]} tokens > {numbers[1]} maximum"


def overflow_numbers(message: str) -> tuple[int, int] | None:
    """Returns (tokens, maximum) when an overflow message tells them: the largest number and the limit below it."""
    found = [int(text.replace(",", "")) for text in _NUMBERS.findall(message)]
    if len(found) < 2:
        return None
    limit = (
        found[0]
        if re.search(r"(?i)maximum (?:context|model) length|context (?:size|length|window) (?:of|is)", message)
        else None
    )
    largest = max(found)
    limit = limit if limit is not None and limit < largest else max((n for n in found if n < largest), default=0)
    return (largest, limit) if limit else None


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What an error object says, "" where it says nothing. `status` is an HTTP status named inside it.

    `retry_after_s` and `quotas` are what Google's details say: when to retry, which quotas were hit.
    """

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    quotas: tuple[str, ...] = ()


def _status(value: Any) -> int | None:
    found = int(value) if isinstance(value, str) and value.isdigit() else reading.integer(value)
    return found if found is not None and 400 <= found <= 599 else None


def _details(value: Any) -> str:
    """Returns the text of FastAPI's `detail`: a string or a list of {msg, loc}."""
    lines = []
    for _, item in reading.tables(value):
        place = ".".join(str(step) for step in reading.rows(item.get("loc")))
        lines.append(f"{place}: {reading.text(item.get('msg'))}" if place else reading.text(item.get("msg")))
    return "; ".join(lines) or reading.text(value)


def read_error(value: Any) -> ErrorText | None:
    """Returns what an error object of any dialect says, None when `value` is no error."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "error" in value[0]:
        value = value[0]
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if isinstance(inner, str) and inner:
        return ErrorText(reading.text(value.get("message")) or inner, reading.text(value.get("type")))
    if isinstance(inner, dict):
        return _inner(inner, value)
    if value.get("detail"):
        return ErrorText(_details(value["detail"]))
    if isinstance(value.get("message"), dict) and value["message"].get("detail"):
        return ErrorText(_details(value["message"]["detail"]))
    if reading.text(value.get("message")) and (value.get("code") or value.get("object") == "error" or len(value) <= 3):
        return _inner(value, value)
    return None


def _inner(error: Mapping[str, Any], outer: Mapping[str, Any]) -> ErrorText:
    code = error.get("code")
    status = _status(code) or _status(error.get("status")) or _status(outer.get("status"))
    kind = reading.text(error.get("type")) or reading.text(error.get("status"))
    words = code if isinstance(code, str) and not code.isdigit() else ""
    message = reading.text(error.get("message"))
    if not message:
        nested = error.get("error")
        message = reading.text(nested) or words or kind or "the upstream gave no reason"
    raw = reading.table(error.get("metadata")).get("raw")
    if isinstance(raw, str) and raw and message == "Provider returned error":
        message = f"{message}: {raw[:PLAIN_LIMIT]}"
    details = [each for _, each in reading.tables(error.get("details"))]
    delays = [found for each in details if (found := _DELAY.fullmatch(reading.text(each.get("retryDelay"))))]
    quotas = [
        reading.text(quota.get("quotaId")) for each in details for _, quota in reading.tables(each.get("violations"))
    ]
    return ErrorText(
        message,
        kind,
        words,
        reading.text(error.get("param")),
        status,
        float(delays[-1][1]) if delays else None,
        tuple(quotas),
    )


# Words of in-stream errors that stand for a status: type or code, lower case.
_STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "invalid_prompt": 400,
    "failed_precondition": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "insufficient_quota": 429,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "not_found": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
    "overloaded_error": 529,
    "overloaded": 503,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "unavailable": 503,
    "engine_overloaded_error": 503,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "api_error": 500,
    "server_error": 500,
    "internal_server_error": 500,
    "internal": 500,
}
_KIND_OF_STATUS = {
    401: ErrorKind.UPSTREAM_AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.UPSTREAM_TIMEOUT,
    413: ErrorKind.TOO_LARGE,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.UPSTREAM_TIMEOUT,
    529: ErrorKind.OVERLOADED,
}
# Kinds that keep the upstream's own status; for the others the kind's status is what clients see.
_OWN_STATUS = (ErrorKind.INVALID_REQUEST, ErrorKind.UPSTREAM_REJECTED, ErrorKind.QUOTA, ErrorKind.OVERLOADED)


def classify(said: ErrorText, status: int | None, retry_after_s: float | None = None) -> Fault:
    """Returns the fault an upstream's error stands for. `status` is the HTTP status, None inside a stream."""
    word_status = _STATUS_OF_WORD.get(said.code.lower()) or _STATUS_OF_WORD.get(said.type.lower())
    if status is None or status < 400:
        status = said.status or word_status or 500
    text = f"{said.type} {said.code} {said.message}"
    kind = _KIND_OF_STATUS.get(status) or (ErrorKind.INVALID_REQUEST if status < 500 else ErrorKind.UPSTREAM_REJECTED)
    if status < 500 and status not in (401, 403, 429) and _OVERFLOW.search(text):
        kind = ErrorKind.CONTEXT_OVERFLOW
    elif status in (400, 402, 403, 429) and _QUOTA.search(text):
        kind = ErrorKind.QUOTA
    elif status in (400, 404) and _NO_MODEL.search(text):
        kind = ErrorKind.MODEL_NOT_FOUND
    elif status == 400 and _BAD_KEY.search(text):
        kind = ErrorKind.UPSTREAM_AUTH
    if retry_after_s is None:
        retry_after_s = said.retry_after_s
    if status == 429:
        if retry_after_s is None:
            retry_after_s = _said_wait(said.message)
        kind = _google_kind(kind, said)
    message = scrub(said.message)[:_MESSAGE_LIMIT] or f"the upstream answered {status}"
    own = status if kind in _OWN_STATUS else None
    return Fault(kind, message, own, retry_after_s, said.param or None, said.code or None)


def _google_kind(kind: ErrorKind, said: ErrorText) -> ErrorKind:
    """Returns the kind of a 429: Google words every one as a spent quota, but only one per day is."""
    if any("PerDay" in quota for quota in said.quotas):
        return ErrorKind.QUOTA
    return ErrorKind.RATE_LIMITED if said.quotas or said.retry_after_s is not None else kind


def _said_wait(message: str) -> float | None:
    """Returns the seconds of "try again in 6m1.5s", None when a message says no such thing."""
    found = _TRY_AGAIN.search(message[:_MESSAGE_LIMIT])
    if found is None or not any(found.groups()):
        return None
    hours, minutes, number, unit = found.groups()
    unit = (unit or "s").lower()
    scale = 0.001 if unit == "ms" else 60.0 if unit[0] == "m" else 1.0
    return int(hours or 0) * 3600.0 + int(minutes or 0) * 60.0 + float(number or 0) * scale


def retry_after_s(headers: Headers) -> float | None:
    """Returns seconds to wait from `retry-after-ms` or a numeric `retry-after`, None when neither says so."""
    for name, unit in ((b"retry-after-ms", 1000.0), (b"retry-after", 1.0)):
        try:
            value = float(headers.text(name)) / unit
        except ValueError:
            continue
        if 0 <= value < 1e8:
            return value
    return None


def plain_text(body: bytes) -> str:
    """Returns what an HTML page or plain text says: its title or its words, at most 300 characters."""
    text = body[:_BODY_LIMIT_BYTES].decode("utf-8", "replace")
    title = _TITLE.search(text)
    if title and title.group(1).strip():
        text = title.group(1)
    return _SPACE.sub(" ", _TAGS.sub(" ", text)).strip()[:PLAIN_LIMIT]


def read_fault(status: int, headers: Headers, body: bytes) -> Fault:
    """Returns the fault of an upstream's error answer: JSON of any dialect, HTML or text."""
    said: ErrorText | None = None
    if body[:1].isspace() or body[:1] in (b"{", b"[", b"\xef"):
        try:
            said = read_error(loads_answer(body))
        except InvalidJSON:
            said = None
    if said is None:
        text = plain_text(body)
        said = ErrorText(text or f"the upstream answered {status} without a reason")
    return classify(said, status, retry_after_s(headers))


def stream_fault(value: Any) -> Fault:
    """Returns the fault an error object inside a 200 stream or answer stands for."""
    said = read_error(value)
    if said is None:
        said = ErrorText(reading.text(value) or "the upstream reported an error without a reason")
    return classify(said, None)


def truncated(what: str) -> Fault:
    """Returns the fault of a stream that ended before its format's completion mark (`what`)."""
    return Fault(ErrorKind.UPSTREAM_TRUNCATED, f"the upstream's stream ended before {what}")
