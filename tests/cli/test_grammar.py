import pytest

from llr.cli import grammar
from llr.cli.table import BARE_FLAGS
from llr.control.params import Kind, Param

PARAMS = (
    Param("provider-id", "", aliases=("provider",)),
    Param("name", ""),
    Param("models", "", keep_empty=True),
    Param("port", "", Kind.INT),
    Param("watch-config", "", Kind.BOOL),
    Param("lines", "", Kind.INT, short="n"),
    Param("follow", "", Kind.BOOL, short="f"),
)

LINES = [
    (["--name=a"], ("--name=a",), ()),
    (["--name", "a"], ("--name=a",), ()),
    (["--name", "a", "--name=b"], ("--name=b",), ()),
    (["--providerId=x"], ("--provider-id=x",), ()),
    (["--provider-id=x", "--providerId=y"], ("--provider-id=x",), ()),
    (["--providerId=y", "--provider-id=x"], ("--provider-id=x",), ()),
    (["--provider", "x"], ("--provider-id=x",), ()),
    (["--name="], (), ()),
    (["--models="], ("--models=",), ()),
    (["--name=a=b"], ("--name=a=b",), ()),
    (["--port=-1"], ("--port=-1",), ()),
    (["--watch-config"], ("--watch-config=true",), ()),
    (["--watch-config=off"], ("--watch-config=off",), ()),
    (["--watch-config", "false"], ("--watch-config=false",), ()),
    (["--watch-config", "word"], ("--watch-config=true",), ("word",)),
    (["--no-watch-config"], ("--watch-config=false",), ()),
    (["--no-watch-config=false"], ("--watch-config=true",), ()),
    (["--noWatchConfig"], ("--watch-config=false",), ()),
    (["one", "--", "--name=a"], (), ("one", "--name=a")),
    (["-x"], (), ("-x",)),
    (["-f", "-n", "20", "word"], ("--follow=true", "--lines=20"), ("word",)),
    (["--name", "-"], ("--name=-",), ()),
]


@pytest.mark.parametrize(("tokens", "flags", "words"), LINES)
def test_reads(tokens: list[str], flags: tuple[str, ...], words: tuple[str, ...]) -> None:
    line = grammar.read(tokens, PARAMS)
    assert (line.flags, line.words, line.unknown) == (flags, words, ())


@pytest.mark.parametrize("tokens", [["-h"], ["--help"], ["help"], ["--name=a", "help"], ["word", "-h"]])
def test_help_anywhere(tokens: list[str]) -> None:
    assert grammar.read(tokens, PARAMS).help


def test_help_is_a_value_where_a_value_is_due() -> None:
    line = grammar.read(["--name", "help"], PARAMS)
    assert (line.flags, line.help) == (("--name=help",), False)


def test_flags_without_the_value_they_need() -> None:
    line = grammar.read(["--name", "--port", "-1", "--watch-config", "--models"], PARAMS)
    assert line.bare == ("name", "port", "models")
    assert grammar.read(["-n", "-f"], PARAMS).bare == ("lines",)
    assert grammar.read(["--name=", "--models=", "--port=-1", "--watch-config"], PARAMS).bare == ()


def test_unknown_flags_take_their_value_along() -> None:
    line = grammar.read(["--nope", "x", "--nada=1", "word"], PARAMS)
    assert (line.unknown, line.words) == (("nope", "nada"), ("word",))


COMMANDS = [
    (["start"], 0),
    (["--config=a", "start"], 1),
    (["--config", "a", "start"], 2),
    (["--json", "start"], 1),
    (["--json", "true", "start"], 2),
    (["--watch-config", "start"], 1),
    (["router", "start"], 1),
    (["help", "start"], 1),
    (["-h", "start"], 1),
    (["--config=a"], None),
    (["--", "start"], None),
    ([], None),
]


@pytest.mark.parametrize(("tokens", "at"), COMMANDS)
def test_finds_the_command(tokens: list[str], at: int | None) -> None:
    assert grammar.command_index(tokens, BARE_FLAGS) == at


NEAR = [
    ("strat", ["start", "stop", "status"], "start"),
    ("vaildate", ["validate", "list"], "validate"),
    ("prov", ["provider-id", "port"], "provider-id"),
    ("zzz", ["start", "stop"], None),
    ("x", ["yy"], None),
]


@pytest.mark.parametrize(("word", "known", "found"), NEAR)
def test_closest(word: str, known: list[str], found: str | None) -> None:
    assert grammar.closest(word, known) == found
