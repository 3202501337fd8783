"""A command line to its command: find the word, read the flags, run the module, print the outcome."""

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Protocol, cast

from llr import __version__
from llr.cli import grammar, parser
from llr.cli.context import Context
from llr.cli.output import Output, standard_output
from llr.cli.prompts import Prompts
from llr.cli.table import ALIASES, BARE_FLAGS, COMMANDS, DESCRIPTION, GLOBAL_PARAMS, LATER
from llr.control.params import Param
from llr.control.report import FAILED, INTERRUPTED, OK, Outcome, Problem, Refused, refuse


class CommandModule(Protocol):
    """What `llr.cli.cmd_*` offers. `params_for(words)` may stand in for `PARAMS` where words choose the flags."""

    PARAMS: tuple[Param, ...]
    run: Callable[[Namespace, Context], Outcome]


# Commands that keep and read nothing.
_HOMELESS = ("completion", "help")


def dispatch(tokens: Sequence[str]) -> int:
    """Returns the exit code of a command line; everything it says is written."""
    env = dict(os.environ)
    out = standard_output(env, as_json=_wants_json(tokens))
    name = ""
    try:
        name, rest = _route(tokens)
        command, name = name, _operation_name(name, rest) if out.as_json else name
        outcome = _run(command, rest, env, out)
    except Refused as exc:
        outcome = exc.outcome()
    except KeyboardInterrupt:
        import warnings

        # What was under way is dropped with this exception, and need not complain that nobody awaited it.
        warnings.simplefilter("ignore")
        outcome = Outcome(INTERRUPTED, problem=Problem("interrupted", "Interrupted."))
    except BrokenPipeError as exc:
        return _unheard(exc)
    except OSError as exc:
        outcome = Outcome(FAILED, problem=os_problem(exc))
    except Exception as exc:
        # A bug of ours. Whoever reports it needs the traceback, a script its JSON.
        import traceback

        traceback.print_exc()
        outcome = Outcome(FAILED, problem=Problem("internal-error", f"{type(exc).__name__}: {exc}"))
    try:
        return out.finish(name, outcome)
    except OSError as exc:
        return _unheard(exc)


def _unheard(exc: OSError) -> int:
    """Returns the exit code of a run whose words could not be written: a reader that had enough, or a full disk."""
    if not isinstance(exc, BrokenPipeError):
        with suppress(OSError):
            sys.stderr.write(f"llr: the output could not be written: {exc.strerror or exc}\n")
    null = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        # What is still buffered would fail again when the interpreter ends.
        os.dup2(null, number)
    return FAILED


def os_problem(exc: OSError) -> Problem:
    """Returns what the system refused, and what to do about it where that can be known."""
    # Of two files the second one is meant; the first is a temporary one of ours.
    path = str(exc.filename2 or exc.filename or "")
    fix = ""
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        import shlex

        shown = shlex.quote(os.path.dirname(path) or ".") if path else "."
        fix = (
            f"Look at who owns it and its folder: `ls -la {shown}`. Another place is named by --config, --log-file,"
            " LLM_ROUTER_RUNTIME_STATE_PATH or HOME."
        )
    elif exc.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        fix = "Make room on the disk; the file is as it was before."
    elif exc.errno == errno.EBUSY:
        fix = "A file that a container mounts by itself cannot be replaced: mount its folder and say --config."
    return Problem("os-error", f"{exc.strerror or exc}: {path}".rstrip(": "), fix)


def _before_tail(tokens: Sequence[str]) -> list[str]:
    """Returns the words before `--`: those behind it may be meant for another program."""
    found = list(tokens)
    return found[: found.index("--")] if "--" in found else found


def _wants_json(tokens: Sequence[str]) -> bool:
    tokens = _before_tail(tokens)
    return any(token in ("--json", "--json=true", "--json=1", "--json=yes") for token in tokens)


def _route(tokens: Sequence[str]) -> tuple[str, list[str]]:
    """Returns the command's name ("" for none) and the other tokens."""
    if any(token == "--tui" or token.startswith("--tui=") for token in _before_tail(tokens)):
        raise refuse(
            "tui-removed",
            "The --tui flow was removed.",
            "Use `llr`, `llr config` or `llr config --operation=…`.",
            exit_code=FAILED,
        )
    at = grammar.command_index(tokens, BARE_FLAGS)
    if at is not None and "help" in tokens[:at] and tokens[at] in ("reference", "layout"):
        return "help", [token for place, token in enumerate(tokens) if place >= at or token not in ("help", "router")]
    if at is None:
        is_operation = any(token.partition("=")[0] in ("--operation", "--op") for token in tokens)
        return ("config" if is_operation else ""), list(tokens)
    word = tokens[at]
    rest = [token for place, token in enumerate(tokens) if place != at and not (place < at and token == "router")]
    name = ALIASES.get(word, word)
    if name in LATER and name not in COMMANDS:
        raise refuse("not-built", f"`llr {name}` is not in this build yet.", exit_code=FAILED)
    if name not in COMMANDS:
        hint = _near_command(word)
        if "-h" in tokens or "--help" in tokens or "help" in tokens:
            raise refuse("no-help", f"No help target found: {word}{hint}")
        raise refuse("unknown-command", f"Action not found: router.{word}{hint}", "Run `llr --help` for all of them.")
    return name, rest


def _near_command(word: str) -> str:
    """Returns ` (did you mean …?)`: an operation of `config` of that very name, else the nearest command."""
    from llr.control.operations import find

    operation = find(word)
    if operation is not None:
        return f" (did you mean llr config {operation.name}?)"
    return grammar.suggestion(word, [*COMMANDS, *ALIASES], "llr ")


def _operation_name(name: str, rest: Sequence[str]) -> str:
    """Returns what the JSON envelope calls this run: the operation of `config`, else the command."""
    if name != "config":
        return name
    from llr.cli.cmd_config import operation_name

    return operation_name(rest) or name


def _full_name(name: str, rest: Sequence[str]) -> str:
    """Returns the words whose help knows the flags: `config` with its operation."""
    operation = _operation_name(name, rest)
    return f"{name} {operation}" if operation != name else name


def _run(name: str, rest: Sequence[str], env: Mapping[str, str], out: Output) -> Outcome:
    if not name:
        return _bare(rest, env, out)
    command = COMMANDS[name]
    module = cast(CommandModule, import_module(command.module))
    params_for = getattr(module, "params_for", None)
    own = module.PARAMS if params_for is None else params_for(rest)
    params = (*own, *GLOBAL_PARAMS)
    line = grammar.read(_before_tail(rest) if getattr(module, "TAIL", False) else rest, params)
    if line.help:
        help_for = getattr(module, "help_for", None)
        text = help_for(rest) if help_for else parser.command_help(name, command.summary, params, command.examples)
        return Outcome(text=text)
    args = _parse(_full_name(name, rest), line, params, out)
    if name not in _HOMELESS:
        _need_home(args, env)
    prompts = Prompts(sys.stdin, sys.stdout, yes=args.yes, no_input=args.no_input or out.as_json)
    return module.run(args, Context(env, out, prompts, tuple(rest)))


def _parse(name: str, line: grammar.Line, params: Sequence[Param], out: Output) -> Namespace:
    lenient = any(flag == "--lenient=true" for flag in line.flags)
    for flag in line.unknown:
        hint = grammar.suggestion(flag, grammar.flag_table(params), "--")
        text = f"Unknown flag --{flag}{hint}"
        if not lenient:
            raise refuse("unknown-flag", text, f"{'' if hint else _known(params)}See `llr {name} --help`.")
        out.note("warn", text)
    for flag in line.bare:
        text = f"--{flag} needs a value."
        raise refuse("bad-flag", text, f"Write --{flag}=…, also for a value that begins with a dash.")
    places = sum(param.positional for param in params)
    if len(line.words) > places:
        extra = line.words[places]
        raise refuse("unexpected-word", f"`llr {name}` does not take the word '{extra}'.", f"See `llr {name} --help`.")
    return parser.build(name, params).parse_args([*line.flags, *(["--", *line.words] if line.words else [])])


def _need_home(args: Namespace, env: Mapping[str, str]) -> None:
    """Raises `Refused` where no home folder is known and what would lie in it is not named either."""
    named = getattr(args, "config", None) and env.get("LLM_ROUTER_RUNTIME_STATE_PATH", "").strip()
    if os.path.expanduser("~") == "~" and not named:
        raise refuse(
            "no-home",
            "No home folder is known: HOME is not set, and this user has no entry among the system's users.",
            "Set it, as in `HOME=/var/lib/llr llr start`; or name --config and LLM_ROUTER_RUNTIME_STATE_PATH.",
        )


def _known(params: Sequence[Param]) -> str:
    own = [f"--{param.name}" for param in params if not param.positional and not param.hidden]
    return f"It knows {', '.join(own)}. "


def _bare(rest: Sequence[str], env: Mapping[str, str], out: Output) -> Outcome:
    if any(token in ("--version", "-V") for token in rest):
        return Outcome(text=f"llr {__version__}", data={"version": __version__})
    if list(rest) == ["--self-test"]:
        from llr.cli import selftest

        raise SystemExit(selftest.run())
    if any(token in ("-h", "--help", "help") for token in rest):
        shown = [(name, command.summary) for name, command in COMMANDS.items() if not command.hidden]
        return Outcome(OK, text=parser.module_help(DESCRIPTION, shown))
    return _run("web", rest, env, out)
