"""Instants as text."""

import pytest

from llr.base.stamps import stamp


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_767_323_045.678, "2026-01-02T03:04:05.678Z"),
        (59.9999, "1970-01-01T00:00:59.999Z"),
    ],
)
def test_an_instant_is_iso_8601_in_utc_to_the_millisecond(at: float, text: str) -> None:
    assert stamp(at) == text
