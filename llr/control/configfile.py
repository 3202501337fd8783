"""The config file on disk: loading, atomic saving, backups, and edits that two writers cannot lose.

Law: a file is always one of two whole versions. What is no JSON object is never written over, a blank file not by a
read. Every save happens under the lock, keeps the old bytes first, and goes through a new file and a rename.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from llr.base.jsonio import JSON
from llr.base.names import DEFAULT_CONFIG
from llr.base.records import dataclass, replace
from llr.config.document import Document, DocumentError, read_document, write_document
from llr.config.migrate import CURRENT_VERSION, default_alias, detected_version, upgrade
from llr.config.parse import parse_config
from llr.config.schema import Doc, Issue, Level, Parsed
from llr.control.disk import Disk, SystemDisk
from llr.control.filelock import locked
from llr.control.zones import system_zone

KEPT_BACKUPS = 20
# How often an edit begins anew when somebody who knows no lock, such as an editor, saved the file meanwhile.
EDIT_RETRIES = 4
ABSENT = "absent"

_BACKUP = re.compile(r"\.bak\.(\d{8}-\d{6})-(\d+)\Z")


class ConfigSyntaxError(ValueError):
    """The file is not JSON; `line` and `column` count from 1."""

    def __init__(self, path: str, error: DocumentError) -> None:
        super().__init__(f"{path}:{error.line}:{error.column}: {error.reason}")
        self.path, self.line, self.column, self.reason = path, error.line, error.column, error.reason


class ConfigRootError(ValueError):
    """The file holds JSON that is no object: it is neither used nor written over."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: config root must be a JSON object")
        self.path = path


class ConfigChanged(Exception):
    """The file is not the version that the editor started from; nothing was written."""

    def __init__(self, path: str, expected: str, actual: str) -> None:
        super().__init__(f"{path}: config changed on disk since it was read")
        self.path, self.expected, self.actual = path, expected, actual


@dataclass(frozen=True, slots=True)
class Loaded:
    """One read of the config file.

    `doc` is what an editor works on, `parsed` what serves. `path` is the file itself, links followed. `migrated` says
    that the version was brought forward; `persist_error` why that could not be written back, None when it was.
    """

    path: str
    doc: Doc
    parsed: Parsed
    etag: str
    exists: bool
    migrated: bool = False
    persist_error: str | None = None
    before_version: int = CURRENT_VERSION


def resolve_path(path: str | None) -> str:
    """Returns the absolute path of the config file, `~` expanded and links followed; the default for None or ""."""
    return os.path.realpath(os.path.expanduser(path or DEFAULT_CONFIG))


def etag(data: bytes | None) -> str:
    """Returns the tag of a file's bytes, `absent` for a missing file."""
    return ABSENT if data is None else hashlib.sha256(data).hexdigest()[:32]


def empty_doc() -> Doc:
    """Returns the document of a config that does not exist yet."""
    return {"version": CURRENT_VERSION, "providers": [], "modelAliases": {"default": default_alias({})}}


def load(
    path: str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    persist: bool = True,
    disk: Disk | None = None,
) -> Loaded:
    """Returns the config at `path`; a missing file gives an empty one and creates nothing.

    A document older than the current version is brought forward and, with `persist`, written back. Raises
    `ConfigSyntaxError` when the file is not JSON and OSError when it cannot be read.
    """
    disk, file = disk or SystemDisk(), resolve_path(path)
    environ = os.environ if env is None else env
    data = _bytes(disk, file)
    if data is None:
        doc = empty_doc()
        return Loaded(file, doc, _parsed(doc, environ, file), ABSENT, exists=False)
    document = _document(file, data)
    if not isinstance(document.value, dict):
        return Loaded(file, {}, _parsed(document.value, environ, file), etag(data), exists=True)
    doc, before = document.value, detected_version(document.value)
    if document.blank or before >= CURRENT_VERSION:
        parsed = _with_duplicates(_parsed(doc, environ, file), document.duplicates)
        return Loaded(file, doc, parsed, etag(data), exists=True, before_version=before)
    old = Loaded(file, doc, Parsed(None, ()), etag(data), True, before_version=before)
    found = _migrated(old, environ, persist, disk)
    return replace(found, parsed=_with_duplicates(found.parsed, document.duplicates))


def _migrated(old: Loaded, env: Mapping[str, str], persist: bool, disk: Disk) -> Loaded:
    doc, tag, problem = upgrade(old.doc), old.etag, None
    if persist:
        try:
            tag = save(old.path, doc, if_match=old.etag, disk=disk)
        except ConfigChanged:
            return load(old.path, env=env, persist=False, disk=disk)
        except OSError as exc:
            problem = f"{old.path}: {exc.strerror or exc}"
    return replace(old, doc=doc, parsed=_parsed(doc, env, old.path), etag=tag, migrated=True, persist_error=problem)


def beside(config_path: str, named: str) -> str:
    """Returns where a file lies that the config names: `~` expanded, a relative path from the config's folder."""
    return os.path.join(os.path.dirname(os.path.abspath(config_path)), os.path.expanduser(named))


def _beside(config_path: str, keys: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    named = keys.get(name)
    return {**keys, name: beside(config_path, named)} if isinstance(named, str) and named else keys


def _parsed(raw: JSON, env: Mapping[str, str], path: str) -> Parsed:
    """Returns what a document at `path` says, every file it names with its folder."""
    parsed = parse_config(raw, env, zone=system_zone)
    if parsed.config is None:
        return parsed
    config, key = parsed.config, parsed.config.carrier_key_file
    config = replace(
        config,
        state=_beside(path, config.state, "path"),
        routing=_beside(path, config.routing, "stateFilePath"),
        carrier_key_file=beside(path, key) if key else None,
        providers=tuple(
            replace(one, ca_file=beside(path, one.ca_file)) if one.ca_file else one for one in config.providers
        ),
    )
    return replace(parsed, config=config)


def _with_duplicates(parsed: Parsed, duplicates: tuple[str, ...]) -> Parsed:
    issues = [
        Issue("$", "duplicate-key", f"the key {key} is written twice in one object, the last one counts", Level.WARNING)
        for key in duplicates
    ]
    return replace(parsed, issues=(*issues, *parsed.issues)) if issues else parsed


def read_doc(path: str) -> Doc | None:
    """Returns the document a file holds as it stands there, not brought forward; None when there is none."""
    data = _bytes(SystemDisk(), path)
    value = _document(path, data).value if data is not None else None
    return value if isinstance(value, dict) else None


def save(
    path: str | None,
    doc: Doc,
    *,
    if_match: str | None = None,
    disk: Disk | None = None,
    now: Callable[[], float] = time.time,
    keep_old: bool = True,
) -> str:
    """Writes `doc` in one step, mode 0600, with `keep_old` after keeping the old bytes as a backup; returns the tag.

    Raises `ConfigChanged` when `if_match` is not the tag of the file as it is or somebody else writes it meanwhile,
    `ConfigRootError` over JSON that is no object, `ConfigSyntaxError` over what is no JSON (unless `if_match` names
    exactly that), and OSError.
    """
    disk, file = disk or SystemDisk(), resolve_path(path)
    with _locked(disk, file):
        old = _bytes(disk, file)
        if if_match is not None and if_match != etag(old):
            raise ConfigChanged(file, if_match, etag(old))
        if if_match is None and old is not None:
            _editable(file, old)
        return _replace(disk, file, old, write_document(doc), now if keep_old else None)


def edit(
    path: str | None,
    change: Callable[[Doc], Doc],
    *,
    if_match: str | None = None,
    disk: Disk | None = None,
    now: Callable[[], float] = time.time,
) -> str:
    """Takes the lock, reads again, applies `change` and saves; returns the new tag.

    `change` gets the document as it is now (the empty one for a missing file) and may raise to write nothing; it is
    asked again when somebody else wrote the file meanwhile. Raises `ConfigChanged` when `if_match` is not the tag of
    the file as it is, `ConfigSyntaxError`, `ConfigRootError` and OSError.
    """
    disk, file = disk or SystemDisk(), resolve_path(path)
    with _locked(disk, file):
        for _ in range(EDIT_RETRIES):
            with suppress(ConfigChanged):
                return _edited(disk, file, change, if_match, now)
        return _edited(disk, file, change, if_match, now)


def _edited(disk: Disk, file: str, change: Callable[[Doc], Doc], if_match: str | None, now: Callable[[], float]) -> str:
    old = _bytes(disk, file)
    if if_match is not None and if_match != etag(old):
        raise ConfigChanged(file, if_match, etag(old))
    doc = empty_doc() if old is None else _editable(file, old)
    new = write_document(change(upgrade(doc)))
    # An edit that changes nothing leaves the user's own formatting alone.
    same = old is not None and new == write_document(doc)
    return _replace(disk, file, old, old if same and old is not None else new, now)


def restore(
    path: str | None,
    backup: str,
    *,
    if_match: str | None = None,
    disk: Disk | None = None,
    now: Callable[[], float] = time.time,
) -> str:
    """Puts the bytes of a backup back as they were, the current ones kept as a backup; returns the new tag.

    Raises `ConfigChanged`, OSError, and `ConfigSyntaxError` or `ConfigRootError` when the backup is no config.
    """
    disk, file = disk or SystemDisk(), resolve_path(path)
    data = disk.read(backup)
    _editable(backup, data)
    with _locked(disk, file):
        old = _bytes(disk, file)
        if if_match is not None and if_match != etag(old):
            raise ConfigChanged(file, if_match, etag(old))
        return _replace(disk, file, old, data, now)


@contextmanager
def _locked(disk: Disk, file: str) -> Iterator[None]:
    disk.make_folder(os.path.dirname(file))
    with locked(f"{file}.lock"):
        yield


def _bytes(disk: Disk, file: str) -> bytes | None:
    try:
        return disk.read(file)
    except FileNotFoundError:
        return None


def _document(file: str, data: bytes) -> Document:
    try:
        return read_document(data)
    except DocumentError as exc:
        raise ConfigSyntaxError(file, exc) from exc


def _editable(file: str, data: bytes) -> Doc:
    value = _document(file, data).value
    if not isinstance(value, dict):
        raise ConfigRootError(file)
    return value


def _replace(disk: Disk, file: str, old: bytes | None, new: bytes, now: Callable[[], float] | None) -> str:
    if old == new:
        disk.restrict(file)
        return etag(new)
    disk.check_writable(file)
    _sweep(disk, file)
    if old is not None and now is not None:
        _back_up(disk, file, old, now())
    temporary = f"{file}.tmp-{disk.token()}"
    try:
        disk.write_new(temporary, new)
        # Flushing took a while, and not everybody who writes the file takes the lock.
        present = _bytes(disk, file)
        if present != old:
            raise ConfigChanged(file, etag(old), etag(present))
        disk.replace(temporary, file)
    except BaseException:
        _remove(disk, temporary)
        raise
    disk.flush_folder(os.path.dirname(file))
    _prune(disk, file)
    return etag(new)


def _sweep(disk: Disk, file: str) -> None:
    """Removes what killed writers left behind; under the lock no other writer has a temporary file."""
    folder, base = os.path.split(file)
    for name in disk.names(folder):
        if name.startswith((f"{base}.tmp-", f"{base}.bak-tmp-")):
            _remove(disk, os.path.join(folder, name))


def _remove(disk: Disk, path: str) -> None:
    try:
        disk.remove(path)
    except OSError:
        return  # a leftover costs nothing; the next save tries again


def _back_up(disk: Disk, file: str, old: bytes, now: float) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    # Above what this second already has, so that pruned numbers are not used again and the newest stays the highest.
    number = max((at for at_stamp, at, _ in _backups(disk, file) if at_stamp == stamp), default=0) + 1
    temporary = f"{file}.bak-tmp-{disk.token()}"
    disk.write_new(temporary, old)
    disk.replace(temporary, f"{file}.bak.{stamp}-{number}")


def backups(path: str | None = None, *, disk: Disk | None = None) -> list[str]:
    """Returns the paths of the kept backups, newest first."""
    disk, file = disk or SystemDisk(), resolve_path(path)
    if not os.path.isdir(os.path.dirname(file)):
        return []
    return [path for _, _, path in sorted(_backups(disk, file), reverse=True)]


def _backups(disk: Disk, file: str) -> list[tuple[str, int, str]]:
    """Returns stamp, number and path of every backup, in no order."""
    folder, base = os.path.split(file)
    found = []
    for name in disk.names(folder):
        match = _BACKUP.fullmatch(name.removeprefix(base)) if name.startswith(base) else None
        if match:
            found.append((match.group(1), int(match.group(2)), os.path.join(folder, name)))
    return found


def _prune(disk: Disk, file: str) -> None:
    for path in backups(file, disk=disk)[KEPT_BACKUPS:]:
        _remove(disk, path)
