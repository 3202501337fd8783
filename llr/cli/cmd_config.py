"""`llr config`: one operation on the config file, by `--operation=NAME` or as a word; without one, the next steps."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence

from llr.base.jsonio import JSON
from llr.cli import grammar, parser
from llr.cli.context import Context
from llr.cli.table import COMMANDS, GLOBAL_PARAMS
from llr.control.call import Args, Call, Progress
from llr.control.operation import CONFIG_PARAM, Operation
from llr.control.operations import LATER, OPERATIONS, find, names
from llr.control.params import Kind, Param
from llr.control.perform import perform
from llr.control.report import FAILED, Outcome, refuse

OPERATION = Param("operation", "What to do; also as a word: `llr config validate`.", aliases=("op",), names="operation")
WORD = Param("word", "The operation.", positional=True, hidden=True)
PARAMS: tuple[Param, ...] = (OPERATION, WORD, CONFIG_PARAM)


def _named(tokens: Sequence[str]) -> str:
    """Returns the operation a command line names, "" for none."""
    every = {name: param for row in OPERATIONS.values() for name, param in grammar.flag_table(row.flags).items()}
    line = grammar.read(tokens, (*PARAMS, *every.values(), *GLOBAL_PARAMS))
    value = next((flag.partition("=")[2] for flag in line.flags if flag.startswith("--operation=")), "")
    return value or next(iter(line.words), "")


def _operation(tokens: Sequence[str]) -> Operation | None:
    name = _named(tokens)
    operation = find(name) if name else None
    if name in LATER:
        raise refuse("not-built", f"The config operation '{name}' is not in this build yet.", exit_code=FAILED)
    if name and operation is None:
        hint = grammar.suggestion(name, names())
        raise refuse("unknown-operation", f"Unknown config operation '{name}'{hint}.", "See `llr config --help`.")
    return operation


def operation_name(tokens: Sequence[str]) -> str:
    """Returns the operation's name in full, "" for none and for an unknown one."""
    operation = find(_named(tokens))
    return operation.name if operation is not None else ""


def params_for(tokens: Sequence[str]) -> tuple[Param, ...]:
    """Returns the flags of the operation that the command line names."""
    operation = _operation(tokens)
    if operation is not None:
        return (*PARAMS, *operation.flags)
    from llr.cli.cmd_home import CONSOLE_PARAMS

    return (*PARAMS, *CONSOLE_PARAMS)


def help_for(tokens: Sequence[str]) -> str:
    """Returns the help of the named operation, of the whole command without one."""
    operation = _operation(tokens)
    if operation is not None:
        params = (CONFIG_PARAM, *operation.flags, *GLOBAL_PARAMS)
        names = f" Also: {', '.join(operation.aliases)}." if operation.aliases else ""
        return parser.command_help(
            f"config {operation.name}", f"{operation.summary}{names}", params, operation.examples
        )
    command = COMMANDS["config"]
    text = parser.command_help("config", command.summary, (*PARAMS, *GLOBAL_PARAMS), command.examples)
    rows = [f"- {row.name} - {row.summary}{_flag_line(row)}" for row in OPERATIONS.values()]
    return f"{text}\n\n" + "\n".join(["## OPERATIONS", *rows])


def _flag_line(row: Operation) -> str:
    flags = [f"--{param.name}" for param in row.flags]
    return f"\n  {' '.join(flags)}" if flags else ""


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the operation's outcome."""
    operation = _operation(context.tokens)
    if operation is None:
        # Only here: it looks for a running gateway, which no operation on the file has to wait for.
        from llr.cli import cmd_home

        return cmd_home.run(args, context)
    values = _with_secrets(operation, vars(args), context)
    terminal = context.out.stdout.isatty() and not context.out.as_json
    call = Call(args.config or "", Args(values), context.env, _progress(context), terminal)
    if context.prompts.interactive:
        from llr.base.records import replace
        from llr.cli.questions import answered

        def confirm(question: str) -> bool:
            # --yes confirms what was asked for, not that something went wrong.
            return not args.yes and context.prompts.confirm(question, default=False)

        call = replace(call, args=answered(operation, call, context.prompts), confirm=confirm)
    return perform(operation, call)


def _with_secrets(operation: Operation, values: Mapping[str, object], context: Context) -> Mapping[str, object]:
    """Returns the flags with every secret of `-` read from stdin: one line each, in the order of the table."""
    asked = [param for param in operation.params if param.kind is Kind.SECRET and values.get(param.dest) == "-"]
    if not asked:
        return values
    found = dict(values)
    for param in asked:
        if sys.stdin.isatty():
            import getpass

            text = getpass.getpass(f"{param.name}: ").strip()
        else:
            text = sys.stdin.readline().strip()
        if not text:
            raise refuse("no-stdin", f"--{param.name}=- found nothing on stdin.")
        found[param.dest] = text
    return found


def _progress(context: Context) -> Progress:
    """Returns who is told what a long operation does: lines for people, NDJSON on stderr beside the JSON result."""

    def lines(event: Mapping[str, JSON]) -> None:
        if context.out.as_json:
            context.out.line(json.dumps({"type": "progress", "event": dict(event)}, ensure_ascii=False))
            return
        from llr.control.ops.progress import progress_line

        text = progress_line(event)
        if text:
            context.out.line(text)

    return lines
