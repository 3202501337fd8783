"""Running one operation of the table: facts first, then the change under the lock, then its report.

Law: nothing is written when anything is refused. Only errors that the change itself introduces refuse it.
"""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

from llr.base.jsonio import JSON
from llr.base.records import dataclass, replace
from llr.config.document import write_document
from llr.config.edit_result import introduced
from llr.config.locate import EditError
from llr.config.migrate import MigrationError, upgrade
from llr.config.parse import parse_config
from llr.config.schema import Doc, Level, Parsed
from llr.control import configfile
from llr.control.call import Call
from llr.control.configfile import ConfigChanged, ConfigRootError, ConfigSyntaxError
from llr.control.filelock import LockBusy
from llr.control.issues import line
from llr.control.operation import Change, Done, Editing, Facts, Operation, Reading
from llr.control.report import FAILED, INVALID, Items, Outcome, Refused, refuse
from llr.control.zones import system_zone

T = TypeVar("T")


def perform(operation: Operation, call: Call) -> Outcome:
    """Returns what the operation has to say. Raises `Refused` for what it would not do, OSError from the disk."""
    work = operation.work()
    try:
        with refusals():
            return now(work.run(call)) if isinstance(work, Reading) else _edit(operation, work, call)
    except Refused as exc:
        if exc.problem.code != "missing-flag" or exc.problem.fix:
            raise
        raise refuse("missing-flag", exc.problem.message, f"See `llr config {operation.name} --help`.") from exc


def now(found: T | Awaitable[T]) -> T:
    """Returns a result, awaited when it has to be; only then is there an event loop."""
    if not hasattr(found, "__await__"):
        return found
    import asyncio

    async def wait() -> T:
        return await cast(Awaitable[T], found)

    return asyncio.run(wait())


@contextmanager
def refusals() -> Iterator[None]:
    """Words what the config file or an edit raises as `Refused`."""
    try:
        yield
    except ConfigSyntaxError as exc:
        raise refuse("bad-json", f"{exc}.", "See `llr config validate`.") from exc
    except ConfigRootError as exc:
        raise refuse("bad-root", f"{exc}.", "See `llr config validate`.") from exc
    except ConfigChanged as exc:
        raise refuse("config-changed", f"{exc}; nothing was written.", "Read it again and repeat the change.") from exc
    except LockBusy as exc:
        raise refuse("config-locked", "Another process is writing the config.", "Try again.", exit_code=FAILED) from exc
    except MigrationError as exc:
        raise refuse("migration", f"{str(exc)[:1].upper()}{str(exc)[1:]}.", exit_code=FAILED) from exc


@dataclass(slots=True)
class _Edit:
    """One change on its way: applied under the lock, told afterwards."""

    work: Editing
    call: Call
    facts: Facts
    before: Doc | None = None
    parsed: tuple[Parsed, Parsed] | None = None
    made: Change | None = None

    def apply(self, doc: Doc) -> Doc:
        """Returns the new document. Raises `Refused`."""
        try:
            made = self.work.apply(doc, self.call.args, self.facts)
        except EditError as exc:
            raise _edit_refused(exc, doc, self.call) from exc
        before, after = (parse_config(one, self.call.env, zone=system_zone) for one in (doc, made.doc))
        _refuse_new_errors(before, after, made)
        self.before, self.parsed, self.made = doc, (before, after), made
        return made.doc

    def done(self, path: str, *, dry_run: bool) -> Done:
        """Returns the change as reports see it."""
        assert self.parsed is not None
        assert self.made is not None
        changed = self.before is None or write_document(self.before) != write_document(self.made.doc)
        facts = {**self.facts, **(self.made.facts or {})}
        before, after = self.parsed
        return Done(self.call, path, facts, before, after, self.made.doc, self.made.changes, changed, dry_run)


def _edit(operation: Operation, work: Editing, call: Call) -> Outcome:
    loaded = configfile.load(call.config_path, env=call.env, persist=False)
    if loaded.parsed.config is None:
        raise ConfigRootError(loaded.path)
    facts: Facts = {}
    if work.gather is not None:
        facts = now(work.gather(call, upgrade(loaded.doc)))
    edit = _Edit(work, call, facts)
    # Saving keeps the last of such values only, so whoever saves has to hear of it.
    twice = tuple(line(issue) for issue in loaded.parsed.issues if issue.code == "duplicate-key")
    wanted = call.args.text("if_match")
    if call.args.flag("dry_run"):
        if wanted is not None and wanted != loaded.etag:
            raise ConfigChanged(loaded.path, wanted, loaded.etag)
        new = edit.apply(upgrade(loaded.doc))
        # Only here: comparing needs modules that a plain report or save does not.
        from llr.control.diff import masked_diff

        diff = masked_diff(configfile.read_doc(loaded.path), new, loaded.path)
        return _finished(work, edit.done(loaded.path, dry_run=True), (loaded.etag, diff), twice)
    tag = configfile.edit(call.config_path, edit.apply, if_match=wanted)
    done = edit.done(loaded.path, dry_run=False)
    return with_tools(_finished(work, done, (tag, None), twice), _followed(operation.name, done, edit))


def _followed(name: str, done: Done, edit: _Edit) -> list[str]:
    if not done.changed or edit.before is None:
        return []
    from llr.control.toolsync import after_save

    return after_save(done.call, name, done.path, (edit.before, done.doc), (done.before, done.after))


def with_tools(outcome: Outcome, lines: list[str]) -> Outcome:
    """Returns an outcome that also tells of the coding tools that followed a change."""
    if not lines:
        return outcome
    followed: list[JSON] = list(lines)
    outcome = replace(outcome, data={**outcome.data, "tools": followed})
    if outcome.report is not None:
        sections = (*outcome.report.sections, Items("Coding Tools", tuple(lines)))
        return replace(outcome, report=replace(outcome.report, sections=sections))
    return replace(outcome, text="\n".join([outcome.text, *(f"- {line}" for line in lines)]))


def _finished(work: Editing, done: Done, file: tuple[str, str | None], twice: tuple[str, ...]) -> Outcome:
    """Returns the report with what every saving operation tells; `file` is its tag and, of a dry run, the diff."""
    outcome, (etag, diff) = work.report(done), file
    warnings = (*twice, *_new_warnings(done.before, done.after))
    changes: list[JSON] = list(done.changes) if done.changed else []
    shared: dict[str, JSON] = {
        "configFile": done.path,
        "changed": done.changed,
        "dryRun": done.dry_run,
        "etag": etag,
        "changes": changes,
        "warnings": list(warnings),
    }
    if diff is not None:
        text = f"Nothing was written (--dry-run).\n{diff or 'The file would stay as it is.'}"
        return Outcome(outcome.exit_code, text=text, data={**shared, "diff": diff, **outcome.data})
    if warnings and outcome.report is not None:
        sections = (*outcome.report.sections, Items("Warnings", warnings))
        outcome = replace(outcome, report=replace(outcome.report, sections=sections))
    elif warnings:
        outcome = replace(outcome, text="\n".join([outcome.text, *(f"- {text}" for text in warnings)]))
    return replace(outcome, data={**shared, **outcome.data})


def _new_warnings(before: Parsed, after: Parsed) -> tuple[str, ...]:
    had = {(issue.code, issue.message) for issue in before.issues}
    fresh = [issue for issue in after.issues if issue.level is Level.WARNING]
    return tuple(dict.fromkeys(line(issue) for issue in fresh if (issue.code, issue.message) not in had))


def _refuse_new_errors(before: Parsed, after: Parsed, made: Change) -> None:
    if made.tolerated is None:
        return
    fresh = [issue for issue in introduced(before, after, renamed=made.renamed) if issue.code not in made.tolerated]
    if not fresh:
        return
    listed = "\n".join(f"- {line(issue)}" for issue in fresh)
    raise refuse("invalid-config", f"The change would make the config invalid; nothing was written.\n{listed}")


# Code of an `EditError` to the flag that named the wrong thing and what it should have been one of.
_NAMED = {
    "provider-not-found": "provider_id",
    "model-not-found": "model",
    "alias-not-found": "alias_id",
    "bucket-not-found": "bucket_id",
    "default-unknown": "model",
}


def _edit_refused(exc: EditError, doc: Doc, call: Call) -> Refused:
    text = str(exc)
    wanted = exc.wrong or call.args.text(_NAMED.get(exc.code, "")) or ""
    near = _near(exc.code, wanted, doc, call) if wanted else ()
    fix = f"Did you mean {' or '.join(near)}?" if near else ""
    if exc.wrong and not near:
        from llr.config.codes import EDIT_CODES

        fix = EDIT_CODES[exc.code]
    return refuse(exc.code, f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}", fix, exit_code=INVALID)


def _near(code: str, wanted: str, doc: Doc, call: Call) -> tuple[str, ...]:
    from llr.config import locate
    from llr.routing.suggest import suggestions

    known: list[str]
    owner = locate.find_provider(doc, call.args.text("provider_id") or "") or {}
    match code:
        case "provider-not-found":
            known = [own for own, _ in locate.providers(doc)]
        case "fallbacks-invalid":
            own = f"{call.args.text('provider_id')}/{call.args.text('model')}"
            known = [ref for ref in locate.known_refs(doc) if ref != own] if wanted != own else []
        case "model-not-found":
            prefix = f"{call.args.text('provider_id')}/"
            known = [ref.removeprefix(prefix) for ref in locate.known_refs(doc) if ref.startswith(prefix)]
        case "bucket-not-found":
            from llr.config.edit_limits import limits_by_id

            known = list(limits_by_id(owner))
        case "alias-not-found":
            known = [key.strip() for key in locate.aliases(doc) or {}]
        case _:
            known = [*locate.known_refs(doc), *(key.strip() for key in locate.aliases(doc) or {})]
    return suggestions(wanted, sorted(known), 2)
