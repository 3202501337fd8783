"""How long an upstream asks to wait, read from its answer's header fields.

Law: pure functions of a mapping of lower-case names to text; the result is seconds from `now`, capped at a day.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

MAX_WAIT_S = 86_400.0

_DIGITS = re.compile(r"\s*(\d+(?:\.\d+)?)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATE = re.compile(rf"(?P<day>\d{{1,2}})[ -](?P<month>[A-Za-z]{{3}})[ -](?P<year>\d{{4}}|\d\d) {_CLOCK}")
_ASCTIME = re.compile(rf"(?P<month>[A-Za-z]{{3}}) +(?P<day>\d{{1,2}}) {_CLOCK} (?P<year>\d{{4}})")
# "6m0s", "1.5s", "17ms", "1h2m3s" (OpenAI writes Go durations).
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s|d)")
_UNIT_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# The limits behind the reset fields: (reset, remaining).
_RESETS: tuple[tuple[str, str], ...] = (
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
)


def retry_after(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Returns the seconds to wait, None when nothing is asked; past or unreadable values are 0.

    Order: `retry-after-ms`, `retry-after`, then for a 429 only the vendors' reset fields: they are sent with every
    answer, so on other failures they speak of limits that were not hit.
    """
    precise = headers.get("retry-after-ms")
    if precise is not None and (found := _DIGITS.match(precise)):
        return _capped(float(found[1]) / 1000.0)
    plain = headers.get("retry-after")
    if plain is not None:
        return _capped(seconds_or_date(plain, now))
    return reset_after(headers, now) if status == 429 else None


def seconds_or_date(text: str, now: float) -> float:
    """Returns the seconds of a `Retry-After` value: leading digits, or an HTTP date; 0 for anything else."""
    found = _DIGITS.match(text)
    if found is not None:
        return float(found[1])
    date = _http_date(text)
    return date - now if date is not None else 0.0


def _http_date(text: str) -> float | None:
    """Returns an HTTP date (RFC 9110, 5.6.7; all three forms) in epoch seconds, None for other text."""
    found = _DATE.search(text) or _ASCTIME.search(text)
    if found is None:
        return None
    part = found.groupdict()
    year = int(part["year"])
    # Two digits: the century that is no more than fifty years ahead of the first systems that wrote them.
    year += (2_000 if year < 70 else 1_900) if year < 100 else 0
    hour, minute, second = int(part["hour"]), int(part["minute"]), int(part["second"])
    try:
        month = _MONTHS.index(part["month"].lower()) + 1
        return datetime(year, month, int(part["day"]), hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def reset_after(headers: Mapping[str, str], now: float) -> float | None:
    """Returns when the last exhausted limit resets, else the first of those that do not say what is left.

    None without such a field, and where every limit says that something is left: no reset is known to help then.
    """
    exhausted: list[float] = []
    others: list[float] = []
    for reset, remaining in _RESETS:
        wait = reset_wait(headers[reset], now) if reset in headers else None
        if wait is not None:
            left = headers.get(remaining, "").strip()
            if left in ("", "0"):
                (exhausted if left else others).append(wait)
    if exhausted:
        return _capped(max(exhausted))
    return _capped(min(others)) if others else None


def reset_wait(text: str, now: float) -> float | None:
    """Returns the seconds of a reset field: a duration, an instant (RFC 3339, epoch seconds or ms) or plain seconds."""
    text = text.strip()
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    try:
        number = float(text)
    except ValueError:
        return _instant_wait(text, now)
    if number > 1e12:
        return number / 1000.0 - now
    return number - now if number > 1e9 else number


def _instant_wait(text: str, now: float) -> float | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)).timestamp() - now


def _capped(seconds: float) -> float:
    return min(max(0.0, seconds), MAX_WAIT_S) if seconds == seconds else 0.0
