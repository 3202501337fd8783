"""Enumerations that cost no more than constants.

CPython 3.11 runs a Python function whenever a member is named (`Role.USER`), and every CPython one for `.value`: 0.3 µs
each, several for every part of every message and for every event of a stream.
"""

from enum import Enum
from operator import attrgetter
from typing import TypeVar

E = TypeVar("E", bound=Enum)
_VALUE = property(attrgetter("_value_"))


def constants(cls: type[E]) -> type[E]:
    """Returns the enumeration with its members as plain attributes (as from 3.12 on) and their values read directly."""
    for name, member in cls.__members__.items():
        type.__setattr__(cls, name, member)
    type.__setattr__(cls, "value", _VALUE)
    return cls
