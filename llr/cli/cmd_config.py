"""`llr config`: one operation on the config file, by `--operation=NAME` or as a word; without one, the next steps."""

from argparse import Namespace
from collections.abc import Sequence

from llr.cli import grammar, parser
from llr.cli.dispatch import Context
from llr.cli.table import COMMANDS, GLOBAL_PARAMS
from llr.control.call import Args, Call
from llr.control.operations import CONFIG_PARAM, OPERATIONS, Operation, find, names
from llr.control.params import Param
from llr.control.report import Outcome, refuse

OPERATION = Param("operation", "What to do; also as a word: `llr config validate`.", aliases=("op",))
WORD = Param("word", "The operation.", positional=True, hidden=True)
PARAMS: tuple[Param, ...] = (OPERATION, WORD, CONFIG_PARAM)


def _named(tokens: Sequence[str]) -> str:
    """Returns the operation a command line names, "" for none."""
    every = {name: param for row in OPERATIONS.values() for name, param in grammar.flag_table(row.params).items()}
    line = grammar.read(tokens, (*PARAMS, *every.values(), *GLOBAL_PARAMS))
    value = next((flag.partition("=")[2] for flag in line.flags if flag.startswith("--operation=")), "")
    return value or next(iter(line.words), "")


def _operation(tokens: Sequence[str]) -> Operation | None:
    name = _named(tokens)
    operation = find(name) if name else None
    if name and operation is None:
        hint = grammar.suggestion(name, names())
        raise refuse("unknown-operation", f"Unknown config operation '{name}'{hint}.", "See `llr config --help`.")
    return operation


def params_for(tokens: Sequence[str]) -> tuple[Param, ...]:
    """Returns the flags of the operation that the command line names."""
    operation = _operation(tokens)
    return (*PARAMS, *operation.params) if operation else PARAMS


def help_for(tokens: Sequence[str]) -> str:
    """Returns the help of the named operation, of the whole command without one."""
    operation = _operation(tokens)
    if operation is not None:
        params = (CONFIG_PARAM, *operation.params, *GLOBAL_PARAMS)
        return parser.command_help(f"config {operation.name}", operation.summary, params, operation.examples)
    command = COMMANDS["config"]
    text = parser.command_help("config", command.summary, (*PARAMS, *GLOBAL_PARAMS), command.examples)
    rows = [f"- {row.name} - {row.summary}" for row in OPERATIONS.values()]
    return f"{text}\n\n" + "\n".join(["## OPERATIONS", *rows])


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the operation's outcome."""
    operation = _operation(context.tokens)
    if operation is None:
        # Only here: it looks for a running gateway, which no operation on the file has to wait for.
        from llr.cli import cmd_home

        return cmd_home.run(args, context)
    terminal = context.out.stdout.isatty() and not context.out.as_json
    return operation.run(Call(args.config or "", Args(vars(args)), context.env, terminal=terminal))
