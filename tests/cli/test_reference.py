"""Every flag, operation, variable, key and code has its words, and the reference prints them all."""

import ast
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from llr.base.errors import ErrorKind
from llr.cli import grammar
from llr.cli.cmd_config import PARAMS as CONFIG_PARAMS
from llr.cli.layout import PACKAGES, layout
from llr.cli.main import main
from llr.cli.reference import TOPICS, params_of, reference
from llr.cli.table import ALIASES, BARE_FLAGS, COMMANDS, GLOBAL_PARAMS
from llr.config.codes import EDIT_CODES, ISSUE_CODES
from llr.config.keys import KEYS
from llr.config.knobs import KNOBS
from llr.control.codes import COMMAND_CODES, FAULT_CODES
from llr.control.operations import OPERATIONS, find
from llr.control.params import Kind

ROOT = Path(__file__).resolve().parents[2] / "llr"
RAISERS = {"refuse", "Problem", "problem"}


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def raised() -> Iterator[tuple[str, str]]:
    """Yields (place, code) of every code that a command or the control channel answers with."""
    for folder in ("cli", "control", "daemon"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _called(node.func) in RAISERS:
                    named = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                    code = next((text for text in named if grammar.kebab(text) == text and " " not in text), None)
                    if code:
                        yield f"{path.name}:{node.lineno}", code


def test_every_code_has_a_meaning() -> None:
    found = dict(raised())
    explained = COMMAND_CODES.keys() | EDIT_CODES.keys()
    assert len(found) > 60
    assert [f"{place} {code}" for place, code in found.items() if code not in explained] == []


def test_no_meaning_is_left_over() -> None:
    used = {code for _, code in raised()} | {"failed"}
    assert set(COMMAND_CODES) - used == set()


def test_every_kind_of_fault_has_a_meaning() -> None:
    assert set(FAULT_CODES) == set(ErrorKind)


@pytest.mark.parametrize(
    "words",
    [
        *({name: command.summary for name, command in COMMANDS.items()}.items()),
        *({name: row.summary for name, row in OPERATIONS.items()}.items()),
        *((f"{name} --{param.name}", param.summary) for name in COMMANDS for param in params_of(name)),
        *((f"{row.name} --{param.name}", param.summary) for row in OPERATIONS.values() for param in row.flags),
        *((param.name, param.summary) for param in GLOBAL_PARAMS),
        *COMMAND_CODES.items(),
        *EDIT_CODES.items(),
        *ISSUE_CODES.items(),
        *FAULT_CODES.items(),
    ],
    ids=lambda words: str(words[0]),
)
def test_a_help_text_is_a_sentence(words: tuple[str, str]) -> None:
    text = words[1]
    assert len(text) > 8
    assert text.endswith(".")
    assert text[0].isupper() or text[0] in "`-" or text.split()[0].islower()


def test_every_variable_and_key_has_a_meaning() -> None:
    assert [knob.name for knob in KNOBS.values() if not (knob.meaning and knob.kind and knob.default)] == []
    assert [f"{kind}.{key.name}" for kind, keys in KEYS.items() for key in keys.values() if not key.meaning] == []


def test_the_reference_names_everything() -> None:
    text, data = reference(None)
    for name, command in COMMANDS.items():
        assert command.hidden or f"### llr {name}\n" in text
    for row in OPERATIONS.values():
        assert f"### llr config {row.name}\n" in text
        for param in row.flags:
            assert f"`--{param.name}" in text
    for knob in KNOBS.values():
        assert f"`{knob.name}`" in text
    for keys in KEYS.values():
        for key in keys.values():
            assert f"- `{key.name}` (" in text
    for code in (*COMMAND_CODES, *EDIT_CODES, *ISSUE_CODES):
        assert f"- `{code}`: " in text
    assert set(data) == set(TOPICS)
    assert json.loads(json.dumps(data)) == data


@pytest.mark.parametrize("topic", TOPICS)
def test_one_topic(capsys: pytest.CaptureFixture[str], topic: str) -> None:
    assert main(["help", "reference", topic]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"## {TOPICS[topic][0]}\n")
    assert out.count("\n## ") == 0
    assert main(["help", "reference", topic, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["data"]) == [topic]


def test_an_unknown_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "reference", "comands"]) == 2
    assert "did you mean commands?" in capsys.readouterr().err


def test_layout_tells_every_package_with_its_law(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "layout"]) == 0
    out = capsys.readouterr().out
    for name, text in layout():
        assert f"{name}\n" in out
        assert len(text) > 40, name
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(PACKAGES)


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_help_of_an_operation(capsys: pytest.CaptureFixture[str], row: object) -> None:
    operation = OPERATIONS[row.name]  # type: ignore[attr-defined]
    assert main(["config", operation.name, "--help"]) == 0
    out = capsys.readouterr().out
    for param in operation.flags:
        assert f"- {param.name} (optional): {param.summary}" in out
    for _, line in operation.examples:
        assert f"- {line}" in out
    others = {param.name for other in OPERATIONS.values() for param in other.flags}
    foreign = others - {param.name for param in (*operation.flags, *GLOBAL_PARAMS)}
    assert not any(f"- {name} (optional)" in out for name in foreign)


def test_help_of_config_lists_every_operation_with_its_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "-h"]) == 0
    out = capsys.readouterr().out
    for row in OPERATIONS.values():
        assert f"- {row.name} - {row.summary}" in out
        for param in row.flags:
            assert f"--{param.name}" in out


@pytest.mark.parametrize(
    "line",
    [
        *(line for command in COMMANDS.values() for _, line in command.examples),
        *(line for row in OPERATIONS.values() for _, line in row.examples),
    ],
)
def test_every_example_is_understood(line: str) -> None:
    words = shlex.split(line.partition(" && ")[0])[1:]
    if words[:1] == ["help"]:
        return
    at = grammar.command_index(words, BARE_FLAGS)
    assert at is not None
    name = ALIASES.get(words[at], words[at])
    params = params_of(name)
    if name == "config":
        named = next((word for word in words[at + 1 :] if not word.startswith("-")), "")
        operation = find(named or line.partition("--operation=")[2].split()[0])
        assert operation is not None
        params = (*CONFIG_PARAMS, *operation.flags)
    read = grammar.read(words[:at] + words[at + 1 :], (*params, *GLOBAL_PARAMS))
    assert read.unknown == ()


def test_a_flag_of_one_name_takes_a_value_everywhere_or_nowhere() -> None:
    kinds: dict[str, set[bool]] = {}
    for row in OPERATIONS.values():
        for param in row.flags:
            for name in (param.name, *param.aliases):
                kinds.setdefault(name, set()).add(param.kind is Kind.BOOL)
    assert [name for name, found in kinds.items() if len(found) > 1] == []


def test_a_flag_is_told_as_each_command_means_it() -> None:
    _, data = TOPICS["flags"][1]()
    rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
    told = {(row["flag"], user): row["summary"] for row in rows if isinstance(row["of"], list) for user in row["of"]}
    for name, command in COMMANDS.items():
        for param in () if command.hidden else params_of(name):
            if not (param.positional or param.hidden):
                assert told[param.name, name] == param.summary
    for row in OPERATIONS.values():
        for param in row.flags:
            assert param.hidden or told[param.name, f"config {row.name}"] == param.summary
