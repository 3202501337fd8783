"""The operation that brings the config file to the current schema version."""

from llr.base.jsonio import JSON
from llr.config.document import write_document
from llr.config.migrate import CURRENT_VERSION, detected_version, migrate, upgrade
from llr.config.schema import Doc
from llr.control import configfile
from llr.control.call import Call
from llr.control.configfile import ConfigChanged, ConfigRootError, Loaded
from llr.control.diff import masked_diff
from llr.control.operation import Reading
from llr.control.report import Fields, Outcome, Report, refuse, yes


def _target(call: Call) -> int:
    text = call.args.text("target_version")
    if text is None:
        return CURRENT_VERSION
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise refuse("bad-flag", f"target-version must be a positive integer, not '{text}'.")
    return int(text)


def _migrated(doc: Doc, target: int) -> Doc:
    return upgrade(doc) if target == CURRENT_VERSION else migrate(doc, target)


def _run(call: Call) -> Outcome:
    target = _target(call)
    loaded = configfile.load(call.config_path, env=call.env, persist=False)
    if not loaded.exists:
        raise refuse("config-not-found", f"Config file not found: {loaded.path}.")
    if loaded.parsed.config is None:
        raise ConfigRootError(loaded.path)
    wanted = call.args.text("if_match")
    if wanted is not None and wanted != loaded.etag:
        raise ConfigChanged(loaded.path, wanted, loaded.etag)
    doc = configfile.read_doc(loaded.path) or {}
    new = _migrated(doc, target)
    changed = write_document(new) != write_document(doc)
    if call.args.flag("dry_run"):
        diff = masked_diff(doc, new, loaded.path)
        text = f"Nothing was written (--dry-run).\n{diff or 'The file would stay as it is.'}"
        data: dict[str, JSON] = {"configFile": loaded.path, "dryRun": True, "changed": changed, "diff": diff}
        return Outcome(text=text, data={**data, "etag": loaded.etag})
    keep_old = call.args.choice("create_backup") is not False
    tag = configfile.save(loaded.path, new, if_match=loaded.etag, keep_old=keep_old) if changed else loaded.etag
    kept = configfile.backups(loaded.path)[:1] if changed and keep_old else []
    return _report(loaded, (detected_version(doc), detected_version(new)), changed, tag, kept)


def _report(loaded: Loaded, versions: tuple[int, int], changed: bool, tag: str, kept: list[str]) -> Outcome:
    before, after = versions
    backup = kept[0] if kept else None
    rows = (
        ("Config File", loaded.path),
        ("Previous Version", str(before)),
        ("Current Version", str(after)),
        ("Backup Created", yes(backup is not None)),
        ("Backup File", backup or "(not created)"),
    )
    data: dict[str, JSON] = {
        "configFile": loaded.path,
        "previousVersion": before,
        "currentVersion": after,
        "changed": changed,
        "dryRun": False,
        "backupFile": backup,
        "etag": tag,
    }
    title = "Config Migration Completed" if changed else "Config Already Up To Date"
    return Outcome(report=Report(title, (Fields("Overview", rows),)), data=data)


MIGRATE = Reading(_run, confirm=lambda _doc, _args: ("Bring the config file to the current schema version?", True))
