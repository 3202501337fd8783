"""Windows of rate-limit buckets as the file writes them: unit, size, and whose calendar they follow.

Law: reads no time zone data itself; whoever parses a config hands in how a zone is looked up.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from llr.base.jsonio import JSON
from llr.config.cursor import Cursor
from llr.config.grammar import WINDOW_UNITS
from llr.config.keys import spellings
from llr.config.schema import Doc, Window

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

# Seconds of a unit; a month's are only for the bound below.
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "month": 2_678_400}
# Longer windows end beyond the years that dates can name.
_LONGEST_S = 100 * 366 * 86_400
_ANCHOR_YEARS = range(1900, 2200)


class UnknownZone(LookupError):
    """A time zone that this machine cannot give; `hint` says how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


ZoneLookup: TypeAlias = "Callable[[str], tzinfo]"


def no_zones(name: str) -> "tzinfo":
    """Raises `UnknownZone`: the lookup of a place without time zone data."""
    raise UnknownZone(f"time zone {name} cannot be looked up here", "use UTC")


def window_parts(item: Cursor) -> tuple[Cursor, Cursor]:
    """Returns where a bucket says its window's unit and size, nested or flat."""
    nested = item.key("window").of("window")
    unit, size = nested.key("unit"), nested.key("size")
    if not unit.present:
        flat = item.first(("window.unit", *spellings("bucket", "windowUnit")))
        unit = flat if flat.present else unit
    if not size.present:
        flat = item.first(("window.size", "window.value", *spellings("bucket", "windowSize")))
        size = flat if flat.present else size
    return unit, size


def calendar_parts(item: Cursor) -> tuple[Cursor, Cursor]:
    """Returns where a bucket says its window's time zone and anchor: in `window`, else in `metadata.llr.window`."""
    nested, kept = item.key("window"), item.llr("window")
    zone, anchor = (nested.first((name,)) for name in ("timezone", "anchor"))
    return (
        zone if zone.present else kept.first(("timezone",)),
        anchor if anchor.present else kept.first(("anchor",)),
    )


def read_window(label: str, item: Cursor, zone: ZoneLookup) -> Window | None:
    """Returns a bucket's window, None when unit or size are none; a wrong zone or anchor leaves the rest as it is."""
    unit, size = window_parts(item)
    item.key("window").of("window").check_keys(f"{label}, window")
    word, count = unit.text().lower(), size.posint()
    if word not in WINDOW_UNITS:
        allowed = ", ".join(WINDOW_UNITS)
        unit.error("bucket-window-unit", f"{label}: invalid window unit {word or '(none)'}", f"allowed: {allowed}")
    if count is None:
        size.error("bucket-window-size", f"{label} must define window.size as a positive integer")
    elif count * _SECONDS.get(word, 1) > _LONGEST_S:
        size.error("bucket-window-size", f"{label}: a window of {count} {word}s is longer than 100 years")
        count = None
    zone_at, anchor_at = calendar_parts(item)
    found = _zone(label, zone_at, zone) if zone_at.present else None
    anchor = _anchor(label, anchor_at, found) if anchor_at.present else None
    return None if word not in WINDOW_UNITS or count is None else Window(word, count, found, anchor)


def _zone(label: str, place: Cursor, lookup: ZoneLookup) -> "tzinfo | None":
    name = place.text()
    if name.upper() == "UTC":
        return None
    try:
        if not name:
            raise UnknownZone("no time zone is named", "write one as Europe/Berlin, or UTC")
        return lookup(name)
    except UnknownZone as exc:
        place.error("bucket-timezone", f"{label}: {exc}; it counts in UTC", exc.hint)
        return None


def _anchor(label: str, place: Cursor, zone: "tzinfo | None") -> "datetime | None":
    """Returns the anchor as the wall clock of the zone shows it."""
    from datetime import UTC, datetime  # few files need it, and every command would wait for its import

    try:
        found = datetime.fromisoformat(place.text())
    except ValueError:
        found = None
    if found is None or found.year not in _ANCHOR_YEARS:
        hint = "write a date, 2026-01-15, or a moment, 2026-01-15T09:00"
        place.error("bucket-anchor", f"{label}: {place.text() or '(none)'} is no anchor; it counts without one", hint)
        return None
    if found.tzinfo is not None:
        found = found.astimezone(zone or UTC).replace(tzinfo=None)
    return found.replace(microsecond=0)


def window_json(window: Window) -> Doc:
    """Returns a window as the file writes it."""
    found: dict[str, JSON] = {"unit": window.unit, "size": window.size}
    if window.zone is not None:
        found["timezone"] = str(window.zone)
    if window.anchor is not None:
        found["anchor"] = window.anchor.isoformat(timespec="seconds")
    return found


def window_text(window: Window) -> str:
    """Returns `1 month`, `6 hours`, `1 day, Europe/Berlin, from 2026-01-15 09:00`."""
    text = f"{window.size} {window.unit}{'s' if window.size != 1 else ''}"
    if window.zone is not None:
        text += f", {window.zone}"
    if window.anchor is not None:
        text += f", from {window.anchor:%Y-%m-%d %H:%M}"
    return text
