"""Time zones of this machine, and a machine that has none."""

import zoneinfo
from datetime import datetime

import pytest

from llr.config.windows import UnknownZone
from llr.control.zones import system_zone


def test_a_zone_knows_its_change_of_clocks() -> None:
    found = system_zone("Europe/Berlin")
    offsets = [datetime(2026, month, 1, tzinfo=found).strftime("%z") for month in (1, 7)]
    assert offsets == ["+0100", "+0200"]


@pytest.mark.parametrize("name", ["Europe/Berlln", "europe/berlin ", "Europe", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UnknownZone) as caught:
        system_zone(name)
    assert str(caught.value) == f"unknown time zone {name}"
    assert caught.value.hint


def test_a_misspelt_name_gets_the_right_one() -> None:
    with pytest.raises(UnknownZone) as caught:
        system_zone("Europe/Berlln")
    assert caught.value.hint == "did you mean Europe/Berlin?"


def test_a_machine_without_time_zone_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", missing)
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: set[str]())
    with pytest.raises(UnknownZone) as caught:
        system_zone("Europe/Berlin")
    assert "this machine has no time zone data" in str(caught.value)
    assert "apt install tzdata" in caught.value.hint
