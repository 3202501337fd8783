"""Time zones and anchors of rate-limit windows, from the file to the frozen config."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest

from llr.config.lists import parse_bucket, parse_window
from llr.config.parse import parse_config
from llr.config.schema import Config, Parsed, Window
from llr.config.windows import UnknownZone, window_json, window_text

EAST = timezone(timedelta(hours=2), "Here/East")


def zone(name: str) -> tzinfo:
    """Returns the one zone of this little world."""
    if name != "Here/East":
        raise UnknownZone(f"unknown time zone {name}", "did you mean Here/East?")
    return EAST


def parsed(window: dict[str, Any], **bucket: Any) -> Parsed:
    one = {"id": "b", "models": ["all"], "requests": 5, "window": window, **bucket}
    entry = {"id": "acme", "name": "Acme", "baseUrl": "https://acme.example", "format": "openai", "apiKey": "k"}
    return parse_config({"version": 2, "providers": [{**entry, "models": ["m"], "rateLimits": [one]}]}, {}, zone=zone)


def the_window(found: Parsed) -> Window:
    config: Config | None = found.config
    assert config is not None
    return config.providers[0].rate_limits[0].window


DAY: dict[str, Any] = {"unit": "day", "size": 1}


def test_a_zone_and_an_anchor_are_read() -> None:
    found = parsed({**DAY, "timezone": "Here/East", "anchor": "2026-01-15T09:00"})
    assert found.issues == ()
    assert the_window(found) == Window("day", 1, EAST, datetime(2026, 1, 15, 9))


def test_both_are_read_where_the_reference_router_keeps_them() -> None:
    found = parsed(DAY, metadata={"llr": {"window": {"timezone": "Here/East", "anchor": "2026-01-15"}}})
    assert found.issues == ()
    assert the_window(found) == Window("day", 1, EAST, datetime(2026, 1, 15))


@pytest.mark.parametrize("name", ["UTC", "utc"])
def test_utc_is_what_stands_there_anyway(name: str) -> None:
    found = parsed({**DAY, "timezone": name})
    assert found.issues == ()
    assert the_window(found) == Window("day", 1)


@pytest.mark.parametrize(
    ("anchor", "wall"),
    [
        ("2026-01-15", datetime(2026, 1, 15)),
        ("2026-01-15T09:30:15.5", datetime(2026, 1, 15, 9, 30, 15)),
        ("2026-01-15T22:00Z", datetime(2026, 1, 16)),
        ("2026-01-15T22:00-01:00", datetime(2026, 1, 16, 1)),
    ],
)
def test_an_anchor_stands_on_the_clock_of_the_zone(anchor: str, wall: datetime) -> None:
    assert the_window(parsed({**DAY, "timezone": "Here/East", "anchor": anchor})).anchor == wall


@pytest.mark.parametrize(
    ("key", "value", "code", "hint"),
    [
        ("timezone", "Here/West", "bucket-timezone", "did you mean Here/East?"),
        ("timezone", "", "bucket-timezone", "Europe/Berlin"),
        ("timezone", {}, "bucket-timezone", "Europe/Berlin"),
        ("anchor", "noon", "bucket-anchor", "2026-01-15T09:00"),
        ("anchor", "", "bucket-anchor", "2026-01-15T09:00"),
        ("anchor", 5, "bucket-anchor", "2026-01-15T09:00"),
        ("anchor", "0001-01-01T00:00+10:00", "bucket-anchor", "2026-01-15T09:00"),
        ("anchor", "9999-12-31", "bucket-anchor", "2026-01-15T09:00"),
    ],
)
def test_what_is_wrong_is_told_and_the_cap_still_holds(key: str, value: Any, code: str, hint: str) -> None:
    found = parsed({**DAY, key: value})
    (issue,) = found.errors
    assert (issue.code, issue.path) == (code, f"$.providers[0].rateLimits[0].window.{key}")
    assert hint in issue.hint
    assert the_window(found) == Window("day", 1)


def test_a_config_that_is_read_without_zones_says_so() -> None:
    raw: Any = {"id": "b", "models": ["all"], "requests": 5, "window": {**DAY, "timezone": "Here/East"}}
    entry: Any = {"id": "acme", "baseUrl": "https://acme.example", "models": ["m"], "rateLimits": [raw]}
    (issue,) = parse_config({"providers": [entry]}, {}).errors
    assert (issue.code, issue.hint) == ("bucket-timezone", "use UTC")


@pytest.mark.parametrize(("unit", "size"), [("month", 100_000), ("week", 10**7), ("day", 10**9), ("second", 10**12)])
def test_a_window_of_centuries_is_refused(unit: str, size: int) -> None:
    found = parsed({"unit": unit, "size": size})
    assert [issue.code for issue in found.errors] == ["bucket-window-size"]
    assert found.config is not None
    assert found.config.providers[0].rate_limits == ()


def test_a_misspelt_key_of_a_window_is_noticed() -> None:
    (issue,) = parsed({**DAY, "timeZone": "Here/East"}).issues
    assert (issue.code, issue.hint) == ("unknown-key", "did you mean timezone?")


CALENDAR = {"timezone": "Here/East", "anchor": "2026-01-15"}


def test_windows_as_people_type_them_keep_zone_and_anchor() -> None:
    wanted = {**DAY, **CALENDAR}
    assert parse_window(dict(wanted)) == wanted
    assert parse_window('{"unit": "d", "size": 1, "timezone": "Here/East", "anchor": "2026-01-15"}') == wanted
    nested: Any = {"id": "b", "models": "all", "requests": 5, "window": wanted}
    flat: Any = {"id": "b", "models": "all", "requests": 5, "windowUnit": "d", "windowSize": 1, "window": CALENDAR}
    assert parse_bucket(nested)["window"] == wanted
    assert parse_bucket(flat)["window"] == wanted


def test_windows_are_written_and_told() -> None:
    plain, full = Window("month", 1), Window("hour", 6, EAST, datetime(2026, 1, 15, 9))
    assert window_json(plain) == {"unit": "month", "size": 1}
    assert window_text(plain) == "1 month"
    assert window_text(full) == "6 hours, Here/East, from 2026-01-15 09:00"
    assert the_window(parsed(window_json(full))) == full
    assert window_text(Window("day", 1, UTC)) == "1 day, UTC"
