"""Which window holds an instant.

Law: pure; windows are fixed, so every process names the same window the same way. Days, weeks and months follow the
calendar of the bucket's zone, so that they last an hour more or less when its clocks change; seconds, minutes and hours
are lengths of time. Without zone and anchor all of it is UTC, with the keys of the reference router.
"""

import math
from datetime import UTC, date, datetime, timedelta

from llr.base.records import dataclass
from llr.config.schema import Window

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
# Characters of "YYYY-MM-DDTHH:MM:SS" that name a window's start, and what follows them.
_STAMP = {"second": (19, "Z"), "minute": (16, "Z"), "hour": (13, ":00Z"), "day": (10, "")}
_FIRST_MONDAY = date(1970, 1, 5)
# Where days and weeks are counted from when no anchor says otherwise.
_ORIGIN = {"day": datetime(1970, 1, 1), "week": datetime(1970, 1, 5)}


@dataclass(frozen=True, slots=True)
class Span:
    """One window: its persisted name and its half-open interval in epoch seconds."""

    key: str
    start_at: float
    end_at: float


def span(window: Window, now: float) -> Span:
    """Returns the window that holds `now`; an unknown unit counts as day, a size below 1 as 1."""
    size = max(1, window.size)
    if window.unit in ("second", "minute", "hour"):
        return _lengths(window, size, now) if window.anchor is not None else _since_epoch(window.unit, size, now)
    if window.zone is not None or window.anchor is not None:
        return _calendar(window, size, now)
    if window.unit == "month":
        return _months(size, now)
    if window.unit == "week":
        return _weeks(size, now)
    return _since_epoch("day", size, now)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _since_epoch(unit: str, size: int, now: float) -> Span:
    length = size * _SECONDS[unit]
    start = math.floor(now / length) * length
    chars, tail = _STAMP[unit]
    return Span(f"{unit}:{size}:{_moment(start).isoformat()[:chars]}{tail}", start, start + length)


def _weeks(size: int, now: float) -> Span:
    days = (_moment(now).date() - _FIRST_MONDAY).days
    start = _FIRST_MONDAY + timedelta(days=days // (7 * size) * 7 * size)
    return Span(f"week:{size}:{start.isoformat()}", _midnight(start), _midnight(start + timedelta(days=7 * size)))


def _months(size: int, now: float) -> Span:
    today = _moment(now)
    first = (today.year * 12 + today.month - 1) // size * size
    start, end = (date(month // 12, month % 12 + 1, 1) for month in (first, first + size))
    return Span(f"month:{size}:{start.isoformat()[:7]}", _midnight(start), _midnight(end))


def _lengths(window: Window, size: int, now: float) -> Span:
    """Returns the window of a plain length of time that holds `now`, counted from the anchor."""
    assert window.anchor is not None
    length = size * _SECONDS[window.unit]
    origin = window.anchor.replace(tzinfo=window.zone or UTC).timestamp()
    start = origin + math.floor((now - origin) / length) * length
    return _named(window, size, start, start + length)


def _calendar(window: Window, size: int, now: float) -> Span:
    """Returns the window of calendar days, weeks or months that holds `now`."""
    zone = window.zone or UTC
    wall = datetime.fromtimestamp(now, zone).replace(tzinfo=None)
    starts = _month_start if window.unit == "month" else _day_start
    if window.unit == "month":
        place = (_month(wall) - (_month(window.anchor) if window.anchor else 0)) // size
    else:
        place = (wall - _day_start(window, size, 0)) // (_day_start(window, size, 1) - _day_start(window, size, 0))

    def begins(number: int) -> float:
        return starts(window, size, number).replace(tzinfo=zone).timestamp()

    # The wall clock alone cannot tell: an hour comes twice or never when clocks change, and months differ in length.
    while begins(place + 1) <= now:
        place += 1
    while begins(place) > now:
        place -= 1
    return _named(window, size, begins(place), begins(place + 1))


def _month(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _month_start(window: Window, size: int, number: int) -> datetime:
    anchor = window.anchor
    year, month = divmod((_month(anchor) if anchor else 0) + number * size, 12)
    first = datetime(year, month + 1, 1)
    if anchor is None:
        return first
    following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1)
    day = min(anchor.day, (following - first).days)
    return first.replace(day=day, hour=anchor.hour, minute=anchor.minute, second=anchor.second)


def _day_start(window: Window, size: int, number: int) -> datetime:
    days = size * (7 if window.unit == "week" else 1)
    return (window.anchor or _ORIGIN.get(window.unit, _ORIGIN["day"])) + timedelta(days=days * number)


def _named(window: Window, size: int, start: float, end: float) -> Span:
    """Returns the span under a key that tells its exact start: no other zone or anchor shares it by chance."""
    local = datetime.fromtimestamp(start, window.zone or UTC)
    return Span(f"{window.unit}:{size}:{local.isoformat(timespec='seconds')}", start, end)
