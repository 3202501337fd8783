"""The operations on a configuration, one row each: `llr config`, help, `ai-help` and the reference are made of them.

Law: rows are written by hand, in display order. An operation returns an `Outcome` and never prints.
"""

from collections.abc import Mapping

from llr.control.operation import Operation
from llr.control.rows_file import FILE_ROWS, KEY_ROWS, READ_ROWS, STARTUP_ROWS
from llr.control.rows_models import MODEL_ROWS
from llr.control.rows_providers import DIAGNOSTIC_ROWS, PROVIDER_ROWS
from llr.control.rows_tools import TOOL_ROWS

_ROWS: tuple[Operation, ...] = (
    *READ_ROWS,
    *PROVIDER_ROWS,
    *MODEL_ROWS,
    *KEY_ROWS,
    *TOOL_ROWS,
    *FILE_ROWS,
    *DIAGNOSTIC_ROWS,
    *STARTUP_ROWS,
)

OPERATIONS: Mapping[str, Operation] = {row.name: row for row in _ROWS}

# Operations that people may know and this build does not have.
LATER: tuple[str, ...] = (
    *("set-quota-probe", "set-provider-quota-probe", "set-amp-config", "set-amp", "set-amp-client-routing"),
    "set-amp-client",
)


def find(name: str) -> Operation | None:
    """Returns the operation of this name or alias."""
    return OPERATIONS.get(name) or next((row for row in _ROWS if name in row.aliases), None)


def names() -> tuple[str, ...]:
    """Returns every name and alias."""
    return tuple(name for row in _ROWS for name in (row.name, *row.aliases))
