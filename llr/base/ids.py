"""Identifiers, from a source that is passed in."""

import secrets
from typing import Protocol


class IdSource(Protocol):
    """Makes identifiers that do not repeat."""

    def new(self, prefix: str) -> str:
        """Returns a new id that starts with `prefix`."""


class RandomIds:
    """Ids of 24 random hex digits after the prefix."""

    def new(self, prefix: str) -> str:
        """Returns `prefix` and 24 hex digits."""
        return prefix + secrets.token_hex(12)


class CountingIds:
    """Ids that count up from 1: the same run gives the same ids."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, prefix: str) -> str:
        """Returns `prefix` and the next number."""
        self._last += 1
        return f"{prefix}{self._last}"
