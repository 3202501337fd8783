"""Declarations into an argparse parser, and a parser into help text."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from llr.base.names import FALSE_WORDS, TRUE_WORDS
from llr.control.params import Kind, Param
from llr.control.report import refuse


class _Formatter(argparse.HelpFormatter):
    """Of a fixed width: without one argparse imports shutil for each parser to ask the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises `Refused` instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        """Raises `Refused` with argparse's own words."""
        raise refuse("bad-flag", message[:1].upper() + message[1:] + ".", f"See `llr {self.prog} --help`.")


def _boolean(name: str) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        word = text.strip().lower()
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
        raise refuse("bad-flag", f"--{name} takes true or false, not '{text}'.")

    return read


def _whole(param: Param) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise refuse("bad-flag", f"--{param.name} takes a whole number, not '{text}'.") from None
        low, high = param.minimum, param.maximum
        if (low is not None and number < low) or (high is not None and number > high):
            bounds = f"at least {low}" if high is None else f"within {low} and {high}"
            raise refuse("bad-flag", f"--{param.name} must be {bounds}, not {number}.")
        return number

    return read


def _loose(param: Param) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        from llr.config.grammar import number

        found = number(text)
        if found is None or (param.minimum is not None and found < param.minimum):
            return param.default if isinstance(param.default, int) else None
        return min(int(found), param.maximum) if param.maximum is not None else int(found)

    return read


def expand(path: str) -> str:
    """Returns `path` with a leading `~/` made the home folder."""
    if path == "~" or path.startswith("~/"):
        from os.path import expanduser

        return expanduser(path)
    return path


def _choice(param: Param) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in param.choices:
            raise refuse("bad-flag", f"--{param.name} must be one of {', '.join(param.choices)}, not '{text}'.")
        return text

    return read


def _reader(param: Param) -> Callable[[str], object]:
    match param.kind:
        case Kind.BOOL:
            return _boolean(param.name)
        case Kind.INT:
            return _loose(param) if param.loose else _whole(param)
        case Kind.PATH:
            return expand
        case Kind.CHOICE:
            return _choice(param)
        case _:
            return str


def build(prog: str, params: Iterable[Param]) -> Parser:
    """Returns the parser of one command; it reads canonical `--name=value` flags and positional words."""
    parser = Parser(prog=prog, add_help=False, allow_abbrev=False, formatter_class=_Formatter)
    for param in params:
        if param.positional:
            parser.add_argument(param.dest, nargs="?", default=param.default, type=_reader(param), help=param.summary)
        else:
            parser.add_argument(
                f"--{param.name}", dest=param.dest, default=param.default, type=_reader(param), help=param.summary
            )
    return parser


def _section(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {heading}", *(lines or ("- (none)",))])


def _arg_line(param: Param) -> str:
    extra = f" One of: {', '.join(param.choices)}." if param.choices else ""
    if param.example:
        extra += f" Example: --{param.name}={param.example}"
    also = [*(f"--{name}" for name in param.aliases), *([f"-{param.short}"] if param.short else [])]
    spelled = f" Also: {', '.join(also)}." if also else ""
    name = f"<{param.name}>" if param.positional else param.name
    return f"- {name} (optional): {param.summary}{spelled}{extra}"


def command_help(action: str, summary: str, params: Iterable[Param], examples: Sequence[tuple[str, str]]) -> str:
    """Returns the help of one action; `examples` are (what it is for, command line)."""
    return "\n\n".join(
        (
            f"# HELP\nMODULE: router\nACTION: {action}",
            _section("SUMMARY", (f"- {summary}",)),
            _section("ARGS", [_arg_line(param) for param in params if not param.hidden]),
            _section("EXAMPLES", [f"- {line}" for _, line in examples]),
            _section("USE-CASES", [f"- {name}: {line}" for name, line in examples]),
            _section("KEYBINDINGS", ()),
        )
    )


def module_help(description: str, actions: Iterable[tuple[str, str]]) -> str:
    """Returns the help of the whole program."""
    return "\n\n".join(
        (
            "# HELP\nMODULE: router\nACTION: *",
            _section("MODULE", (f"- {description}",)),
            _section("ACTIONS", [f"- {name} - {summary}" for name, summary in actions]),
        )
    )
