"""`llr help reference [topic]` and `llr help layout`: what the tables and the packages say of themselves."""

from argparse import Namespace

from llr.base.jsonio import JSON
from llr.cli import grammar
from llr.cli.context import Context
from llr.control.params import Param
from llr.control.report import Outcome, refuse

PARAMS: tuple[Param, ...] = (
    Param("what", "`reference` or `layout`.", positional=True),
    Param("topic", "commands, operations, flags, environment, config or errors; without it all.", positional=True),
)
# Words behind `help` that are not commands.
WORDS = ("reference", "layout")


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the reference or the map of the code."""
    if args.what == "layout":
        from llr.cli.layout import layout

        rows = layout()
        text = "\n\n".join(
            f"{name}\n" + "\n".join(f"  {line}".rstrip() for line in doc.splitlines()) for name, doc in rows
        )
        packages: list[JSON] = [{"package": name, "doc": doc} for name, doc in rows]
        return Outcome(text=text, data={"packages": packages})
    if args.what not in (None, "reference"):
        raise refuse("unknown-word", f"`llr help` knows {' and '.join(WORDS)}, not '{args.what}'.")
    from llr.cli.reference import TOPICS, reference

    if args.topic is not None and args.topic not in TOPICS:
        hint = grammar.suggestion(args.topic, TOPICS)
        raise refuse("no-topic", f"The reference has no topic '{args.topic}'{hint}.", f"Topics: {', '.join(TOPICS)}.")
    text, data = reference(args.topic)
    return Outcome(text=text, data=data)
