"""The kept versions of the config file: listing them, and bringing one back, which is itself a save."""

import os
import re

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.config.schema import Doc
from llr.control import configfile
from llr.control.call import Call
from llr.control.configfile import ConfigChanged, ConfigSyntaxError, Loaded
from llr.control.diff import masked_diff
from llr.control.disk import SystemDisk
from llr.control.operation import Reading
from llr.control.perform import with_tools
from llr.control.report import Fields, Outcome, Report, Table, refuse
from llr.control.toolsync import after_save

_STAMP = re.compile(r"\.bak\.(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Kept:
    """One backup: `number` counts from 1, the newest; `at` is ISO 8601 in UTC."""

    number: int
    path: str
    at: str
    size_bytes: int
    providers: int | None
    aliases: int | None


def _kept(path: str) -> list[Kept]:
    return [_one(at, name) for at, name in enumerate(configfile.backups(path), start=1)]


def _one(number: int, path: str) -> Kept:
    match = _STAMP.search(path)
    at = "{}-{}-{}T{}:{}:{}Z".format(*match.groups()[:6]) if match else ""
    doc = _doc(path)
    providers, aliases = (doc or {}).get("providers"), (doc or {}).get("modelAliases")
    return Kept(
        number,
        path,
        at,
        os.path.getsize(path),
        len(providers) if isinstance(providers, list) else None,
        len(aliases) if isinstance(aliases, dict) else None,
    )


def _doc(path: str) -> Doc | None:
    try:
        return configfile.read_doc(path)
    except ConfigSyntaxError:
        return None


def _history(call: Call) -> Outcome:
    path = configfile.resolve_path(call.config_path)
    listed = _kept(path)
    rows = tuple(
        (
            str(one.number),
            one.at,
            os.path.basename(one.path),
            f"{one.size_bytes:,}",
            "-" if one.providers is None else str(one.providers),
            "-" if one.aliases is None else str(one.aliases),
        )
        for one in listed
    )
    columns = ("#", "Replaced At (UTC)", "Backup", "Bytes", "Providers", "Aliases")
    overview = Fields("Overview", (("Config File", path), ("Backups", str(len(listed)))))
    found: list[JSON] = [
        {
            "number": one.number,
            "file": one.path,
            "replacedAt": one.at,
            "sizeBytes": one.size_bytes,
            "providers": one.providers,
            "modelAliases": one.aliases,
        }
        for one in listed
    ]
    table = Table("Backups", columns, rows, "No backups: the file was not saved over yet.")
    return Outcome(report=Report("Config History", (overview, table)), data={"configFile": path, "backups": found})


def _chosen(call: Call, path: str) -> Kept:
    listed = _kept(path)
    if not listed:
        raise refuse("no-backup", "There is nothing to undo: no backup of the config exists.")
    wanted = call.args.text("to")
    for one in listed:
        # Without a name the newest that is a config: what was no JSON is kept too.
        if wanted is None and _doc(one.path) is None:
            continue
        if wanted is None or wanted in (str(one.number), os.path.basename(one.path), one.path):
            return one
    text = f"There is no backup '{wanted}'." if wanted is not None else "No backup is a config."
    raise refuse("no-backup", text, "See `llr config history`.")


def _current(call: Call, path: str) -> Loaded | None:
    """Returns the config as it is, None for a file that is no config: that is what undo is for."""
    try:
        found = configfile.load(path, env=call.env, persist=False)
    except ConfigSyntaxError:
        return None
    return found if found.parsed.config is not None else None


def _undo(call: Call) -> Outcome:
    path = configfile.resolve_path(call.config_path)
    chosen = _chosen(call, path)
    current = _current(call, path)
    before = current.etag if current is not None else configfile.etag(SystemDisk().read(path))
    wanted = call.args.text("if_match")
    diff = masked_diff(current.doc if current is not None and current.exists else None, _doc(chosen.path) or {}, path)
    data: dict[str, JSON] = {"configFile": path, "restored": chosen.path, "replacedAt": chosen.at}
    if call.args.flag("dry_run"):
        if wanted is not None and wanted != before:
            raise ConfigChanged(path, wanted, before)
        text = f"Nothing was written (--dry-run).\n{diff or 'The file would stay as it is.'}"
        return Outcome(text=text, data={**data, "dryRun": True, "changed": False, "etag": before, "diff": diff})
    tag = configfile.restore(path, chosen.path, if_match=wanted)
    rows = (
        ("Config File", path),
        ("Restored Backup", os.path.basename(chosen.path)),
        ("Saved Before", chosen.at),
        (
            "To Go Back",
            "llr config undo" if current is not None else "(the file was no config; it is kept as a backup)",
        ),
    )
    data |= {"dryRun": False, "changed": tag != before, "etag": tag}
    outcome = Outcome(report=Report("Config Restored", (Fields("Overview", rows),)), data=data)
    if current is None:
        return outcome
    restored = configfile.load(path, env=call.env, persist=False)
    docs, parsed = (current.doc, restored.doc), (current.parsed, restored.parsed)
    return with_tools(outcome, after_save(call, "", path, docs, parsed))


HISTORY = Reading(_history)
UNDO = Reading(_undo)
