"""Instants as text. `datetime` would cost every command its import."""

import time


def stamp(at: float) -> str:
    """Returns an instant (epoch seconds) as ISO 8601 in UTC, to the millisecond: 2026-01-02T03:04:05.678Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"
