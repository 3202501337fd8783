"""Time zones of this machine, by their IANA names."""

from typing import TYPE_CHECKING

from llr.config.windows import UnknownZone

if TYPE_CHECKING:
    from datetime import tzinfo

_NO_DATA = "install your system's time zone data (Debian, Ubuntu: apt install tzdata), or use UTC"


def system_zone(name: str) -> "tzinfo":
    """Returns the zone of an IANA name. Raises `UnknownZone` with advice when this machine knows none of that name."""
    from zoneinfo import ZoneInfo, available_timezones  # few configs need it, and every command would wait for it

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise UnknownZone(f"time zone {name} cannot be looked up, this machine has no time zone data", _NO_DATA)
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]}?" if near else "use an IANA name such as Europe/Berlin, or UTC"
    raise UnknownZone(f"unknown time zone {name}", hint)
