"""`llr completion bash|zsh|fish`: a script for the shell, made of the tables; `ids KIND` is what the scripts ask."""

from argparse import Namespace

from llr.base.jsonio import JSON
from llr.cli import grammar
from llr.cli.context import Context, config_path
from llr.control.params import Kind, Param
from llr.control.report import Outcome, refuse

PARAMS: tuple[Param, ...] = (
    Param("shell", "bash, zsh or fish.", positional=True),
    Param("kind", "What `ids` lists: provider, model, alias, route, bucket or preset.", positional=True, hidden=True),
    Param("config", "Config file whose ids `ids` lists (default ~/.llm-router.json).", Kind.PATH),
)


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the script, or the ids of a kind, one a line."""
    if args.shell == "ids":
        return _ids(args)
    from llr.cli.completion import SHELLS

    if args.shell is None:
        raise refuse("unknown-shell", "Name a shell: bash, zsh or fish.", "For example: llr completion bash")
    make = SHELLS.get(args.shell)
    if make is None:
        hint = grammar.suggestion(args.shell, SHELLS)
        raise refuse("unknown-shell", f"There is no completion for '{args.shell}'{hint}.", "Name bash, zsh or fish.")
    script = make()
    return Outcome(text=script.rstrip("\n"), data={"shell": args.shell, "script": script})


def _ids(args: Namespace) -> Outcome:
    from llr.cli.ids import KINDS, ids

    if args.kind not in KINDS:
        raise refuse("unknown-kind", f"Name what to list: {', '.join(KINDS)}.", "For example: llr completion ids alias")
    found = ids(args.kind, config_path(args))
    listed: list[JSON] = list(found)
    return Outcome(text="\n".join(found), data={"kind": args.kind, "ids": listed})
