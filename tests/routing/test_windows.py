"""Windows on the calendar of a time zone, and windows counted from an anchor."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.config.schema import Window
from llr.routing.windows import span

BERLIN = ZoneInfo("Europe/Berlin")
calm = settings(deadline=None, derandomize=True)


def at(text: str) -> float:
    """Returns the instant of an ISO text; one without an offset is UTC."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


# zone, unit, size, anchor, now, key, length in hours
CALENDAR = [
    # Clocks go forward on 2026-03-29 and back on 2026-10-25.
    ("Europe/Berlin", "day", 1, None, "2026-03-28T22:59:59", "day:1:2026-03-28T00:00:00+01:00", 24),
    ("Europe/Berlin", "day", 1, None, "2026-03-28T23:00:00", "day:1:2026-03-29T00:00:00+01:00", 23),
    ("Europe/Berlin", "day", 1, None, "2026-03-29T21:59:59", "day:1:2026-03-29T00:00:00+01:00", 23),
    ("Europe/Berlin", "day", 1, None, "2026-03-29T22:00:00", "day:1:2026-03-30T00:00:00+02:00", 24),
    ("Europe/Berlin", "day", 1, None, "2026-10-25T12:00:00", "day:1:2026-10-25T00:00:00+02:00", 25),
    ("Europe/Berlin", "day", 1, "2026-01-01T09:00", "2026-03-28T12:00:00", "day:1:2026-03-28T09:00:00+01:00", 23),
    # The wall clock shows 02:30 twice: the first one is the start, and 02:10 after it belongs to the new day.
    ("Europe/Berlin", "day", 1, "2026-01-01T02:30", "2026-10-25T01:10:00", "day:1:2026-10-25T02:30:00+02:00", 25),
    ("Europe/Berlin", "day", 1, "2026-01-01T02:30", "2026-10-25T00:29:59", "day:1:2026-10-24T02:30:00+02:00", 24),
    # The wall clock never shows 02:30: the day begins where it would have stood.
    ("Europe/Berlin", "day", 1, "2026-01-01T02:30", "2026-03-29T01:30:00", "day:1:2026-03-29T03:30:00+02:00", 23),
    ("Europe/Berlin", "day", 1, "2026-01-01T02:30", "2026-03-29T01:29:59", "day:1:2026-03-28T02:30:00+01:00", 24),
    ("Europe/Berlin", "week", 1, None, "2026-03-25T12:00:00", "week:1:2026-03-23T00:00:00+01:00", 167),
    ("Europe/Berlin", "week", 1, "2026-01-04", "2026-03-25T12:00:00", "week:1:2026-03-22T00:00:00+01:00", 168),
    ("Europe/Berlin", "month", 1, None, "2026-02-28T23:30:00", "month:1:2026-03-01T00:00:00+01:00", 31 * 24 - 1),
    ("Europe/Berlin", "month", 1, None, "2026-10-31T22:30:00", "month:1:2026-10-01T00:00:00+02:00", 31 * 24 + 1),
    ("Europe/Berlin", "month", 3, None, "2026-02-10T12:00:00", "month:3:2026-01-01T00:00:00+01:00", 90 * 24 - 1),
    ("America/Los_Angeles", "day", 1, None, "2026-07-01T06:59:59", "day:1:2026-06-30T00:00:00-07:00", 24),
    # Lord Howe's clocks change by half an hour.
    ("Australia/Lord_Howe", "day", 1, None, "2026-04-05T01:00:00", "day:1:2026-04-05T00:00:00+11:00", 24.5),
    # Samoa had no 30 December 2011 at all.
    ("Pacific/Apia", "day", 1, None, "2011-12-30T11:00:00", "day:1:2011-12-31T00:00:00+14:00", 24),
    # Midnight does not exist on this day in Chile.
    ("America/Santiago", "day", 1, None, "2026-09-06T12:00:00", "day:1:2026-09-06T01:00:00-03:00", 23),
    (None, "month", 1, "2026-01-15", "2026-03-14T23:59:59", "month:1:2026-02-15T00:00:00+00:00", 28 * 24),
    (None, "month", 1, "2026-01-31T06:00", "2026-03-01T00:00:00", "month:1:2026-02-28T06:00:00+00:00", 31 * 24),
    (None, "month", 12, "2026-04-01", "2026-03-31T23:59:59", "month:12:2025-04-01T00:00:00+00:00", 365 * 24),
    (None, "month", 1, "2030-01-15", "2026-03-14T00:00:00", "month:1:2026-02-15T00:00:00+00:00", 28 * 24),
    (None, "week", 2, "2026-01-07", "2026-01-06T12:00:00", "week:2:2025-12-24T00:00:00+00:00", 336),
    (None, "fortnight", 1, "2026-01-07T12:00", "2026-01-07T11:00:00", "fortnight:1:2026-01-06T12:00:00+00:00", 24),
]


@pytest.mark.parametrize(("zone", "unit", "size", "anchor", "now", "key", "hours"), CALENDAR)
def test_calendar(zone: str | None, unit: str, size: int, anchor: str | None, now: str, key: str, hours: float) -> None:
    window = Window(unit, size, ZoneInfo(zone) if zone else None, datetime.fromisoformat(anchor) if anchor else None)
    found = span(window, at(now))
    assert (found.key, (found.end_at - found.start_at) / 3600) == (key, hours)
    assert found.start_at == at(key.split(":", 2)[2])
    assert found.start_at <= at(now) < found.end_at


def test_lengths_of_time_need_no_zone() -> None:
    now = at("2026-03-29T00:30:00")
    for unit in ("second", "minute", "hour"):
        assert span(Window(unit, 5, BERLIN), now) == span(Window(unit, 5), now)


def test_an_anchor_shifts_lengths_of_time_through_a_change_of_clocks() -> None:
    window = Window("hour", 6, BERLIN, datetime(2026, 3, 28, 9))
    assert span(window, at("2026-03-28T07:59:59")).end_at == at("2026-03-28T09:00:00+01:00")
    found = span(window, at("2026-03-29T09:30:00+02:00"))
    assert found.key == "hour:6:2026-03-29T04:00:00+02:00"
    assert found.end_at - found.start_at == 6 * 3600


zones = st.sampled_from(
    [None, *(ZoneInfo(name) for name in ("Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"))]
)
anchors = st.one_of(st.none(), st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)))
instants = st.floats(min_value=0, max_value=4e9, allow_nan=False)


@calm
@given(st.sampled_from(["minute", "hour", "day", "week", "month"]), st.integers(1, 40), zones, anchors, instants)
def test_windows_tile_time(unit: str, size: int, zone: ZoneInfo | None, anchor: datetime | None, now: float) -> None:
    window = Window(unit, size, zone, anchor.replace(microsecond=0) if anchor else None)
    found = span(window, now)
    assert found.start_at <= now < found.end_at
    assert span(window, found.start_at) == found
    following = span(window, found.end_at)
    assert following.start_at == found.end_at
    assert following.key != found.key
    assert span(window, found.start_at - 0.5).end_at == found.start_at
