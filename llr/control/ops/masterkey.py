"""The operation on the master key, and what makes a key strong."""

import re
import secrets
from collections.abc import Callable

from llr.base.jsonio import JSON
from llr.base.redact import mask
from llr.config.edit_root import set_master_key
from llr.config.locate import get
from llr.config.schema import Doc
from llr.control.call import Args, Call
from llr.control.operation import Ask, Change, Done, Editing, Facts
from llr.control.report import Fields, Items, Outcome, Report, Section, refuse, yes

PREFIX = "gw_"
MAX_PREFIX = 32
LENGTH, SHORTEST, LONGEST = 48, 24, 256
TRIES = 12
_WEAK_WORDS = ("password", "changeme", "default", "secret", "token", "admin", "qwerty", "letmein", "123456")
_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")


def weaknesses(key: str) -> tuple[str, ...]:
    """Returns what makes a key weak, () for a strong one."""
    found = []
    if len(key) < SHORTEST:
        found.append(f"it is shorter than {SHORTEST} characters")
    if sum(bool(re.search(kind, key)) for kind in _KINDS) < 3:
        found.append("it has fewer than 3 of lower case, upper case, digits and symbols")
    if any(word in key.lower() for word in _WEAK_WORDS):
        found.append("it contains a common word")
    if re.search(r"(.)\1{5}", key):
        found.append("it repeats one character 6 times or more")
    return tuple(found)


def generated(prefix: str | None, length: int | None, draw: Callable[[int], str] = secrets.token_urlsafe) -> str:
    """Returns a new key. `draw` gives at least as many URL-safe characters as the bytes it is asked for."""
    head = re.sub(r"[\r\n\t]", "", prefix or "").strip()[:MAX_PREFIX] or PREFIX
    wanted = min(LONGEST, max(SHORTEST, length if length is not None else LENGTH))
    size = max(24, wanted - len(head))
    key = ""
    for _ in range(TRIES):
        key = head + draw(size)[:size]
        if not weaknesses(key):
            break
    return key


def _gather(call: Call, _doc: Doc) -> Facts:
    given = call.args.text("master_key")
    if given:
        return {"key": given, "generated": False}
    if call.args.flag("generate_master_key"):
        key = generated(call.args.text("master_key_prefix"), call.args.whole("master_key_length"))
        return {"key": key, "generated": True}
    raise refuse("master-key", "master-key is required.", "Or let one be made: --generate-master-key=true.")


_UNSEEN = (
    "Not shown: stdout is no terminal. The config file holds it as masterKey; --print=true shows one as it is made."
)


def _apply(doc: Doc, _args: Args, facts: Facts) -> Change:
    made = set_master_key(doc, facts["key"])
    return Change(made.doc, made.changes)


def _report(done: Done) -> Outcome:
    key, fresh, args = done.facts["key"], done.facts["generated"], done.call.args
    rows = (("Config File", done.path), ("Stored Key", mask(key)), ("Generated In This Run", yes(fresh)))
    sections: list[Section] = [Fields("Overview", rows)]
    data: dict[str, JSON] = {"storedKey": mask(key), "generated": fresh, "weaknesses": list(weaknesses(key))}
    wanted = args.choice("print")
    # A key that nobody has seen is of no use, so a person gets it; a pipe or a log only when it was asked for.
    shows = wanted if wanted is not None else done.call.terminal
    if fresh and shows and not done.dry_run:
        sections.append(Items("Generated Key (Copy Now)", (key,)))
        data["generatedKey"] = key
    elif fresh:
        sections.append(Items("Generated Key (Copy Now)", (), _UNSEEN))
    if weaknesses(key):
        sections.append(Items("Weak Key", weaknesses(key)))
    return Outcome(report=Report("Worker Master Key Updated", tuple(sections)), data=data)


def _confirm(doc: Doc, _args: Args) -> tuple[str, bool] | None:
    return ("Overwrite the master key? Clients with the old one are shut out.", False) if _has(doc) else None


def _has(doc: Doc) -> bool:
    return bool(get(doc, "root", "masterKey"))


SET_MASTER_KEY = Editing(
    _apply,
    _report,
    gather=_gather,
    asks=(
        Ask(
            "master_key",
            "Master key (empty makes one)?",
            when=lambda _doc, args: not args.flag("generate_master_key"),
            secret=True,
            optional=True,
            empty=(("generate_master_key", True),),
        ),
    ),
    confirm=_confirm,
)
