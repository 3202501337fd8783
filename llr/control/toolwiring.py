"""Coding tools wired, unwired, looked at, and kept up to date when the config they follow changes.

Law: plan, show, apply; nothing is written before the whole plan stands. A tool that is not wired is left alone.
"""

from collections.abc import Mapping

from llr.base.records import dataclass, replace
from llr.config.schema import Config, Doc
from llr.control import toolfiles, toolmemory
from llr.control.report import Refused, refuse
from llr.control.toolmemory import Book, Wired
from llr.tools import engine
from llr.tools.base import BadFile, Binding, Endpoint, FileEdit, Places, Plan, Tool, ToolStatus, Wanted
from llr.tools.renames import Renames, rewrite
from llr.tools.routes import Routes, routes_of
from llr.tools.table import TOOLS


@dataclass(frozen=True, slots=True)
class Job:
    """One tool, where it lies, and what it is to be told."""

    tool: Tool
    places: Places
    endpoint: Endpoint
    routes: Routes
    config: str
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did or, with `diff`, would do."""

    edits: tuple[FileEdit, ...]
    restored: bool = False
    diff: str | None = None


def status(job: Job) -> ToolStatus:
    """Returns how the tool is routed."""
    return engine.status(job.tool, job.places, toolfiles.DiskView(), job.endpoint)


def bindings(job: Job, typed: Binding, defaults: Binding) -> Binding:
    """Returns the bindings to write: typed ones, else those the tool has, else defaults.

    A model that the tool had before it was wired is kept only if the gateway knows it.
    """
    found = status(job)
    kept: dict[str, str] = {}
    for name in job.tool.flags:
        has = found.binding.get(name, "")
        usable = name not in job.tool.models or found.routed or job.routes.has(has)
        kept[name] = has if usable else ""
        if name not in typed and not kept[name]:
            kept[name] = defaults.get(name, "")
    return {**kept, **typed}


def connect(job: Job, binding: Binding, *, dry_run: bool = False, capture: bool = True) -> Step:
    """Routes the tool. Raises `Refused` for a file that cannot be edited, OSError."""
    wanted = Wanted(job.endpoint, binding, job.routes, job.places)
    if dry_run:
        return _shown(_planned(job, wanted, toolmemory.read(job.env), capture), job)
    with toolmemory.opened(job.env) as book:
        plan = _planned(job, wanted, book, capture)
        assert plan.memory is not None
        wired = Wired(job.tool.id, job.places, job.endpoint.origin, job.config, plan.memory)
        _kept_first(wired, plan, book, job.env)
    return Step(plan.edits)


def _kept_first(wired: Wired, plan: Plan, book: Book, env: Mapping[str, str]) -> None:
    """Remembers what is about to be written and writes it: who is killed in between has forgotten nothing."""
    where, before = wired.places["settings"], dict(book.wired)
    book.wired[where] = wired
    if book.wired != before:
        toolmemory.save(env, book)
    try:
        toolfiles.apply(plan.edits)
    except BaseException:
        book.wired.clear()
        book.wired.update(before)
        toolmemory.save(env, book)
        raise


def disconnect(job: Job, *, dry_run: bool = False) -> Step:
    """Undoes the wiring. A tool that is not wired stays as it is. Raises `Refused`, OSError."""
    if dry_run:
        return _shown(_undone(job, toolmemory.read(job.env)), job)
    with toolmemory.opened(job.env) as book:
        plan = _undone(job, book)
        toolfiles.apply(plan.edits)
        if book.of(job.tool.id, job.places) is not None:
            del book.wired[job.places["settings"]]
    return Step(plan.edits, plan.restored)


def _planned(job: Job, wanted: Wanted, book: Book, capture: bool) -> Plan:
    known = book.of(job.tool.id, job.places)
    memory = known.memory if known is not None else None
    try:
        return engine.wire(job.tool, wanted, toolfiles.DiskView(), memory, capture=capture)
    except BadFile as exc:
        raise bad_file(exc) from exc


def _undone(job: Job, book: Book) -> Plan:
    known = book.of(job.tool.id, job.places)
    memory = known.memory if known is not None else None
    places = known.places if known is not None else job.places
    try:
        return engine.unwire(job.tool, places, toolfiles.DiskView(), memory, job.endpoint)
    except BadFile as exc:
        raise bad_file(exc) from exc


def bad_file(exc: BadFile) -> Refused:
    """Returns the refusal of a file that cannot be read or edited."""
    return refuse("tool-file", f"{exc} Nothing was written.", "Correct the file by hand and try again.")


def _shown(plan: Plan, job: Job) -> Step:
    return Step(plan.edits, plan.restored, toolfiles.shown(plan.edits, (job.endpoint.key,)))


@dataclass(frozen=True, slots=True)
class Moved:
    """A config before and after a change. `addresses` are where its gateway is and will be reached, in that order."""

    before: Config | None
    after: Config | None
    addresses: tuple[str, str]
    renames: Renames = Renames()


def _key(config: Config | None) -> str:
    return config.master_key.reveal() if config is not None and config.master_key else ""


def candidates(env: Mapping[str, str], config: str) -> list[tuple[Tool, Places, str]]:
    """Returns the tools that may be wired to this config, each with the address it was told ("" where unknown).

    These are the remembered ones, and every tool in its own place that is not remembered for another config.
    """
    book = toolmemory.read(env)
    found: dict[str, tuple[Tool, Places, str]] = {}
    for one in book.wired.values():
        if one.config == config and one.tool in TOOLS:
            found[one.places["settings"]] = (TOOLS[one.tool], one.places, one.origin)
    for tool in TOOLS.values():
        places = tool.homes(env, {})
        if book.of(tool.id, places) is None:
            found.setdefault(places["settings"], (tool, places, ""))
    return list(found.values())


def propagate(moved: Moved, *, config: str, env: Mapping[str, str]) -> list[str]:
    """Rewrites every tool that is wired to this gateway where something it depends on changed.

    Returns a line for each tool that was or could not be rewritten. Files are read again, so a tool whose owner
    unwired it by hand is left alone, and so is one that nobody remembers and that presents another key.
    """
    old, new = routes_of(moved.before), routes_of(moved.after)
    lines: list[str] = []
    for tool, places, told in candidates(env, config):
        here = told or moved.addresses[0]
        there = moved.addresses[1] if here == moved.addresses[0] else here
        was = Job(tool, places, Endpoint(here, _key(moved.before)), old, config, env)
        found = status(was)
        if found.error or not found.routed or (not told and found.token_matches is False):
            continue
        binding = rebound(tool, found.binding, (old, new), moved.renames)
        key = _key(moved.after) or _key(moved.before)
        try:
            step = connect(replace(was, endpoint=Endpoint(there, key), routes=new), binding, capture=False)
        except (Refused, OSError) as exc:
            lines.append(f"{tool.name} route update failed: {exc}")
            continue
        if step.edits:
            changed = [name for name in binding if binding[name] != found.binding.get(name, "")]
            what = f"bindings ({', '.join(changed)})" if changed else "route"
            lines.append(f"Updated {tool.name} {what} in {places['settings']}.")
    return lines


def rebound(tool: Tool, binding: Binding, routes: tuple[Routes, Routes], renames: Renames) -> Binding:
    """Returns the bindings with every name followed into the new config."""
    old, new = routes
    found: dict[str, str] = {}
    for name, ref in binding.items():
        kept = rewrite(ref, old, new, renames) if name in tool.models else ref
        found[name] = kept if kept is not None else new.default if name in tool.falls_back else ""
    return found


def renames_of(operation: str, words: tuple[str, str, str], before: Doc, after: Doc) -> Renames:
    """Returns the renames of a save. `words` are provider, old and new name as the operation was given them.

    Versions of a file whose difference nobody named (an undo, an edit by hand: operation "") are compared.
    """
    owner, old, new = words
    match operation:
        case "rename-model-alias":
            return Renames(aliases={old: new})
        case "rename-provider":
            return Renames(providers={owner: new})
        case "rename-model":
            return Renames(models={(owner, old): new})
        case "":
            from llr.tools.renames import infer

            return infer(before, after)
        case _:
            return Renames()
