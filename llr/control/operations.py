"""The operations on a configuration, one row each: `llr config`, help and the reference are made of this table.

Law: a row is written by hand, in display order. An operation returns an `Outcome` and never prints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llr.control import listing, validate
from llr.control.call import Call
from llr.control.params import Kind, Param
from llr.control.report import Outcome

CONFIG_PARAM = Param("config", "Config file to work on (default ~/.llm-router.json).", Kind.PATH)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its flags besides `--config`, and the function that does it."""

    name: str
    summary: str
    run: Callable[[Call], Outcome]
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()


_ROWS = (
    Operation(
        "list",
        "Show what the config routes: providers, models, aliases, limits.",
        listing.run,
        aliases=("list-routing",),
        examples=(("Everything that is configured", "llr config list"),),
    ),
    Operation(
        "validate",
        "Check the config file and name every issue with its path; nothing is written.",
        validate.run,
        params=(Param("strict", "Count warnings as errors.", Kind.BOOL, default=False),),
        examples=(("Before a reload", "llr config validate && llr reload"),),
    ),
)

OPERATIONS: Mapping[str, Operation] = {row.name: row for row in _ROWS}


def find(name: str) -> Operation | None:
    """Returns the operation of this name or alias."""
    return OPERATIONS.get(name) or next((row for row in _ROWS if name in row.aliases), None)


def names() -> tuple[str, ...]:
    """Returns every name and alias."""
    return tuple(name for row in _ROWS for name in (row.name, *row.aliases))
