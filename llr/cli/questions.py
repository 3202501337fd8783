"""What an operation asks a person for, when a terminal is there and no flag said it; and its confirmation.

Law: a flag that was typed is never asked for. Without a terminal nothing is asked and nothing confirmed.
"""

import getpass

from llr.cli.prompts import Prompts
from llr.config.lists import loose_list
from llr.config.migrate import upgrade
from llr.config.schema import Doc
from llr.control import configfile
from llr.control.call import Args, Call
from llr.control.operation import Ask, Operation
from llr.control.perform import refusals
from llr.control.report import FAILED, refuse

# The last answer of a list that offers to make something new; the flag then stays absent.
_NEW = "New "


def answered(operation: Operation, call: Call, prompts: Prompts) -> Args:
    """Returns the flags with what was answered. Raises `Refused`: 1 for a declined confirmation, 130 for none."""
    if not prompts.interactive or call.args.flag("dry_run"):
        return call.args
    work = operation.work()
    if not work.asks and work.confirm is None:
        return call.args
    doc = _doc(call)
    args = call.args
    for ask in work.asks:
        if not args.given(ask.param) and ask.when(doc, args):
            args = _asked(ask, doc, args, prompts)
    question = work.confirm(doc, args) if work.confirm is not None else None
    if question is not None and not prompts.confirm(question[0], default=question[1]):
        raise refuse("cancelled", "Cancelled.", exit_code=FAILED)
    return args


def _doc(call: Call) -> Doc:
    with refusals():
        return upgrade(configfile.load(call.config_path, env=call.env, persist=False).doc)


def _asked(ask: Ask, doc: Doc, args: Args, prompts: Prompts) -> Args:
    choices = ask.choices(doc, args) if ask.choices is not None else []
    while True:
        if ask.pasted is not None:
            text = ",".join(ask.pasted(prompts.lines(ask.question)))
        elif ask.secret:
            text = prompts.secret(f"{ask.question} ", getpass.getpass) or ""
        else:
            text = prompts.text(ask.question, choices)
        if not text and ask.optional:
            return args.with_values(dict(ask.empty))
        picked = _picked(text, choices, many=ask.many)
        if picked.startswith(_NEW) and picked in choices:
            return args
        if picked:
            return args.with_values({ask.param: picked})
        prompts.say("An answer is needed; Ctrl+C ends.")


def _picked(text: str, choices: list[str], *, many: bool) -> str:
    """Returns what the answer means: a number picks from the list, several numbers several of it."""
    if many:
        return ",".join(_picked(token, choices, many=False) for token in loose_list(text))
    at = int(text) if text.isascii() and text.isdigit() else 0
    return choices[at - 1] if 0 < at <= len(choices) else text
