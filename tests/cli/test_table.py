"""Every command has what help, completion and the reference need."""

import shlex
from importlib import import_module

import pytest

from llr.cli import grammar
from llr.cli.table import ALIASES, BARE_FLAGS, COMMANDS, GLOBAL_PARAMS
from llr.control.operation import CONFIG_PARAM
from llr.control.operations import OPERATIONS
from llr.control.params import Kind, Param


def params_of(name: str) -> tuple[Param, ...]:
    found: tuple[Param, ...] = import_module(COMMANDS[name].module).PARAMS
    return (*found, *GLOBAL_PARAMS)


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name: str) -> None:
    command = COMMANDS[name]
    module = import_module(command.module)
    assert callable(module.run)
    assert command.summary.endswith(".")
    assert command.examples or command.hidden
    for _, line in command.examples:
        assert shlex.split(line)[0] == "llr"


@pytest.mark.parametrize("name", COMMANDS)
def test_params(name: str) -> None:
    params = params_of(name)
    for param in params:
        assert param.summary.endswith("."), param
        assert param.name == grammar.kebab(param.name)
    spellings = [name for param in params if not param.positional for name in (param.name, *param.aliases)]
    assert len(spellings) == len(set(spellings))


def test_bools_are_known_before_the_command_is() -> None:
    bools = {param.name for name in COMMANDS for param in params_of(name) if param.kind is Kind.BOOL}
    bools |= {param.name for row in OPERATIONS.values() for param in row.params if param.kind is Kind.BOOL}
    assert bools <= BARE_FLAGS


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_operations(row: object) -> None:
    operation = OPERATIONS[row.name]  # type: ignore[attr-defined]
    assert operation.summary.endswith(".")
    assert operation.examples
    for param in (*operation.params, CONFIG_PARAM):
        assert param.summary.endswith(".")


def test_aliases_lead_somewhere() -> None:
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert not set(ALIASES) & set(COMMANDS)
