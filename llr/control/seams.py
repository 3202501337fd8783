"""The parts of the program that operations reach only when one of them asks: probes, catalogue, service manager.

Law: imported by name at the moment of use, so that editing a file never loads the network. A part that this build does
not have refuses with one sentence and exit code 1.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from llr.control.report import FAILED, refuse


def part(module: str, what: str) -> Any:
    """Returns the module. Raises `Refused` when this build does not have it."""
    if find_spec(module) is None:
        raise refuse("not-built", f"{what} is not in this build yet.", exit_code=FAILED)
    return import_module(module)
