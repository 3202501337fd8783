"""From a tool's wishes to file edits, and back: one engine for every tool.

Law: pure. A file that was not changed since we wrote it comes back byte for byte; a file that was changed loses only
those of our keys that still hold what we put there, and gets its own old values back in their place.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass, replace
from llr.tools.base import (
    PRIVATE,
    BadFile,
    Endpoint,
    FileEdit,
    FileView,
    Found,
    Memory,
    Path,
    Places,
    Plan,
    Tool,
    ToolStatus,
    Values,
    Wanted,
    lookup,
)

_EMPTY = b"{}\n"


@dataclass(frozen=True, slots=True)
class Backup:
    """What the backup file holds: `captured` when it is ours and full, `original` None for a file that was absent."""

    exists: bool
    captured: bool = False
    original: Found | None = None
    body: Mapping[str, JSON] | None = None


def digest(value: JSON) -> str:
    """Returns a short hash of a value, "" for an absent one."""
    if value is None:
        return ""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:20]


def sha256(data: bytes | None) -> str:
    """Returns the hash of a file's bytes, "" for an absent one."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def text_of(found: Found | None, label: str) -> str:
    """Returns a file as text, line ends and byte order mark kept. Raises `BadFile`."""
    if found is None:
        return ""
    try:
        return found.data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = found.data.count(b"\n", 0, exc.start) + 1
        column = exc.start - (found.data.rfind(b"\n", 0, exc.start) + 1) + 1
        raise BadFile(label, f"is not UTF-8 (line {line}, column {column}).", line, column) from exc


def parsed(tool: Tool, text: str, label: str) -> dict[str, JSON]:
    """Returns the document of a settings text. Raises `BadFile` with line and column."""
    try:
        doc = tool.grammar.parse(text)
    except ValueError as exc:
        line, column = getattr(exc, "line", 0), getattr(exc, "column", 0)
        raise BadFile(label, f"cannot be read: {exc}.", line, column) from exc
    return doc


def label_of(tool: Tool, places: Places) -> str:
    """Returns how messages name a tool's settings file."""
    return f"{tool.name} settings file '{places['settings']}'"


def read_backup(tool: Tool, places: Places, view: FileView) -> Backup:
    """Returns the backup; one that another tool left, or that is no JSON object, counts as empty."""
    path = places.get("backup")
    found = view.read(path) if path else None
    if found is None:
        return Backup(exists=False)
    try:
        body = json.loads(found.data)
    except (ValueError, RecursionError):
        return Backup(exists=True)
    if not isinstance(body, dict) or body.get("tool") not in (None, tool.id):
        return Backup(exists=True)
    return Backup(True, body.get("captured") is True or len(body) > 0, _original(body), body)


def _original(body: Mapping[str, JSON]) -> Found | None:
    kept = body.get("original")
    if not isinstance(kept, dict) or not isinstance(kept.get("base64"), str) or not isinstance(kept.get("mode"), int):
        return None
    try:
        return Found(base64.b64decode(str(kept["base64"]), validate=True), int(str(kept["mode"])))
    except (ValueError, binascii.Error):
        return None


def _backup_body(tool: Tool, doc: Mapping[str, JSON], found: Found) -> bytes:
    body: dict[str, JSON] = {"tool": tool.id, **tool.snapshot(doc), "captured": True}
    body["original"] = {"mode": found.mode, "base64": base64.b64encode(found.data).decode()}
    return json.dumps(body, ensure_ascii=False, indent=2).encode() + b"\n"


def status(tool: Tool, places: Places, view: FileView, endpoint: Endpoint) -> ToolStatus:
    """Returns how a tool is routed; a file that cannot be read is told in `error`."""
    backup = places.get("backup")
    try:
        found = view.read(places["settings"])
        exists_backup = backup is not None and view.read(backup) is not None
        doc = parsed(tool, text_of(found, label_of(tool, places)), label_of(tool, places))
        return replace(tool.status(doc, endpoint), places=places, exists=found is not None, backup_exists=exists_backup)
    except BadFile as exc:
        return ToolStatus(tool.id, places, exists=True, error=str(exc))
    except OSError as exc:
        return ToolStatus(tool.id, places, error=f"{label_of(tool, places)}: {exc.strerror or exc}")


def edited(tool: Tool, text: str, values: Values, label: str) -> str:
    """Returns the text with these values. Raises `BadFile` when that cannot be done without touching more."""
    try:
        for path, value in values.items():
            text = tool.grammar.remove(text, path) if value is None else tool.grammar.put(text, path, value)
    except (ValueError, KeyError) as exc:
        raise BadFile(label, f"cannot be edited: {exc}.") from exc
    return text


@dataclass(frozen=True, slots=True)
class _Start:
    """What wiring starts from: the settings file as its owner has it, and what is known of earlier wiring.

    `own` is what a backup would keep; `routed` says that the file is not its owner's own any more.
    """

    text: str
    own: Found | None
    backup: Backup
    memory: Memory | None
    routed: bool


def _start(tool: Tool, wanted: Wanted, view: FileView, memory: Memory | None, *, capture: bool) -> _Start:
    label = label_of(tool, wanted.places)
    found = view.read(wanted.places["settings"])
    text = text_of(found, label)
    doc = parsed(tool, text, label)
    backup = read_backup(tool, wanted.places, view)
    ours = bool(tool.ours(doc, wanted.endpoint))
    if memory is None or ours or not capture or _holds_first(memory, doc):
        return _Start(text, found, backup, memory, ours or memory is not None)
    # Its owner took it off the gateway by hand: what the file says now, less what is left of ours, is his own.
    before = original_doc(tool, backup, {}, label)
    text = _merged(tool, text, (doc, before), _still_ours(memory, doc), label)
    own = None if found is None else Found(text.encode("utf-8"), found.mode)
    return _Start(text, own, Backup(backup.exists), None, False)


def _holds_first(memory: Memory, doc: Mapping[str, JSON]) -> bool:
    """Returns whether the key that routes the tool, its first, still holds what we wrote."""
    return next((was == digest(lookup(doc, path)) for path, was in memory.keys.items()), False)


def wire(tool: Tool, wanted: Wanted, view: FileView, memory: Memory | None, *, capture: bool) -> Plan:
    """Returns the edits that route the tool. With `capture` its old state is kept first, unless it is kept already.

    Raises `BadFile` and OSError.
    """
    places, label = wanted.places, label_of(tool, wanted.places)
    earlier = memory.owned if memory is not None else {}
    start = _start(tool, wanted, view, memory, capture=capture)
    doc, memory, found = parsed(tool, start.text, label), start.memory, view.read(places["settings"])
    # What a routed tool holds without a backup is no longer its owner's own.
    before = original_doc(tool, start.backup, {} if start.routed else doc, label)
    values = tool.values(wanted, doc, before)
    after = edited(tool, start.text, values, label)
    for gone in (path for path, value in values.items() if value is None):
        after = _pruned(tool, after, gone, before, label)
    data = after.encode("utf-8")
    edits = []
    if capture and tool.backs_up and not start.backup.captured:
        # What is ours already is never taken for the owner's: a routed tool without a backup gets an empty one.
        kept = _EMPTY if start.routed or start.own is None else _backup_body(tool, doc, start.own)
        edits.append(FileEdit(places["backup"], view.read(places["backup"]), Found(kept, PRIVATE)))
    owned = tool.owned(wanted)
    edits += [FileEdit(path, view.read(path), Found(one, PRIVATE)) for path, one in owned.items()]
    edits += [FileEdit(path, view.read(path), None) for path in earlier if path not in owned]
    edits.append(FileEdit(places["settings"], found, Found(data, PRIVATE)))
    remembered = _remembered(memory, values, (found, data), {path: sha256(one) for path, one in owned.items()})
    return Plan(tuple(edit for edit in edits if edit.changes), remembered)


def _remembered(
    memory: Memory | None, values: Values, files: tuple[Found | None, bytes], owned: Mapping[str, str]
) -> Memory:
    found, data = files
    keys = {path: digest(value) for path, value in values.items()}
    if memory is None:
        return Memory(sha256(data), keys, existed=found is not None, owned=owned)
    touched = memory.edited or memory.sha256 != sha256(found.data if found else None)
    # A key that an earlier step wrote and this one leaves alone is still ours; the one that routes comes first.
    kept = {path: value for path, value in memory.keys.items() if path not in keys}
    return Memory(sha256(data), {**keys, **kept}, touched, memory.existed, owned)


def original_doc(tool: Tool, backup: Backup, now: Mapping[str, JSON], label: str) -> Mapping[str, JSON]:
    """Returns the settings as they were before the first wiring, as far as anyone knows; `now` when nobody does."""
    if backup.original is not None:
        return parsed(tool, text_of(backup.original, label), label)
    if not backup.captured or backup.body is None:
        return now
    doc: dict[str, JSON] = {}
    for path, value in tool.earlier(backup.body).items():
        if value is not None:
            inner = doc
            for step in path[:-1]:
                nested = inner.setdefault(step, {})
                assert isinstance(nested, dict)
                inner = nested
            inner[path[-1]] = value
    return doc


def unwire(tool: Tool, places: Places, view: FileView, memory: Memory | None, endpoint: Endpoint | None) -> Plan:
    """Returns the edits that undo the wiring. A tool that nothing shows to be wired gets none. Raises as `wire`."""
    label = label_of(tool, places)
    found = view.read(places["settings"])
    backup = read_backup(tool, places, view)
    edits = [FileEdit(path, view.read(path), None) for path in (memory.owned if memory is not None else ())]
    knows = memory is not None and (backup.original is not None or not memory.existed)
    if memory is not None and knows and not memory.edited and memory.sha256 == sha256(found.data if found else None):
        edits.append(FileEdit(places["settings"], found, backup.original if memory.existed else None))
        return _closed(edits, places, view, backup)
    text = text_of(found, label)
    doc = parsed(tool, text, label)
    # Without a memory (another program wired it) the keys are ours while the provider or address in them is.
    mine = _still_ours(memory, doc) if memory is not None else tool.ours(doc, endpoint)
    if mine and memory is None and backup.captured:
        mine |= {path for path in tool.besides if lookup(doc, path) is not None}
    if found is None or not mine:
        return _closed(edits, places, view, backup) if edits or memory is not None else Plan(())
    before = original_doc(tool, backup, {}, label)
    after = _merged(tool, text, (doc, before), mine, label)
    existed = memory is None or memory.existed
    if not existed and _nothing_left(after):
        edits.append(FileEdit(places["settings"], found, None))
    else:
        mode = backup.original.mode if backup.original is not None and found.mode == PRIVATE else found.mode
        edits.append(FileEdit(places["settings"], found, Found(after.encode("utf-8"), mode)))
    return _closed(edits, places, view, backup)


def _nothing_left(text: str) -> bool:
    return text.strip("\ufeff \t\r\n") in ("", "{}")


def _still_ours(memory: Memory, doc: Mapping[str, JSON]) -> frozenset[Path]:
    return frozenset(path for path, was in memory.keys.items() if was == digest(lookup(doc, path)))


def _merged(
    tool: Tool, text: str, docs: tuple[Mapping[str, JSON], Mapping[str, JSON]], mine: frozenset[Path], label: str
) -> str:
    doc, before = docs
    values: dict[Path, JSON] = {}
    paths = [*sorted(mine), *(path for path in tool.shared if path not in mine)]
    for path in paths:
        old, now = lookup(before, path), lookup(doc, path)
        values[path] = old if tool.undo is None else tool.undo(path, now, old)
    text = edited(tool, text, {path: value for path, value in values.items() if value != lookup(doc, path)}, label)
    for path in paths:
        text = _pruned(tool, text, path, before, label)
    return text


def _pruned(tool: Tool, text: str, path: Path, before: Mapping[str, JSON], label: str) -> str:
    """Returns the text without objects above `path` that are empty now; what stood there before comes back."""
    for depth in range(len(path) - 1, 0, -1):
        above = path[:depth]
        old = lookup(before, above)
        if lookup(parsed(tool, text, label), above) == {} and old != {}:
            text = edited(tool, text, {above: None if isinstance(old, dict) else old}, label)
    return text


def _closed(edits: list[FileEdit], places: Places, view: FileView, backup: Backup) -> Plan:
    if backup.exists and "backup" in places:
        edits.append(FileEdit(places["backup"], view.read(places["backup"]), Found(_EMPTY, PRIVATE)))
    return Plan(tuple(edit for edit in edits if edit.changes), None, backup.captured)
