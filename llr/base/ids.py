"""Identifiers, from a source that is passed in."""

import secrets
from typing import Protocol


class IdSource(Protocol):
    """Makes identifiers that do not repeat."""

    def new(self, prefix: str) -> str:
        """Returns a new id that starts with `prefix`."""


_ID_BYTES = 12
_DRAW_BYTES = _ID_BYTES * 128


class RandomIds:
    """Ids of 24 random hex digits after the prefix. A draw is a system call, so one serves many ids."""

    def __init__(self) -> None:
        self._drawn = ""

    def new(self, prefix: str) -> str:
        """Returns `prefix` and 24 hex digits."""
        if not self._drawn:
            self._drawn = secrets.token_hex(_DRAW_BYTES)
        digits, self._drawn = self._drawn[: 2 * _ID_BYTES], self._drawn[2 * _ID_BYTES :]
        return prefix + digits


class CountingIds:
    """Ids that count up from 1: the same run gives the same ids."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, prefix: str) -> str:
        """Returns `prefix` and the next number."""
        self._last += 1
        return f"{prefix}{self._last}"
