"""`llr completion bash|zsh|fish`: a script for the shell, made of the tables."""

from argparse import Namespace

from llr.cli import grammar
from llr.cli.dispatch import Context
from llr.control.params import Param
from llr.control.report import Outcome, refuse

PARAMS: tuple[Param, ...] = (Param("shell", "bash, zsh or fish.", positional=True),)


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the script."""
    from llr.cli.completion import SHELLS

    if args.shell is None:
        raise refuse("unknown-shell", "Name a shell: bash, zsh or fish.", "For example: llr completion bash")
    make = SHELLS.get(args.shell)
    if make is None:
        hint = grammar.suggestion(args.shell, SHELLS)
        raise refuse("unknown-shell", f"There is no completion for '{args.shell}'{hint}.", "Name bash, zsh or fish.")
    script = make()
    return Outcome(text=script.rstrip("\n"), data={"shell": args.shell, "script": script})
