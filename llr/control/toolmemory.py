"""What we wrote into coding tools, kept beside the runtime-state file: which, where, for which address and config.

Law: hashes only, no key and no setting is in it. Without it a tool can still be unwired, only less exactly.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.control.filelock import locked
from llr.daemon.instance import state_path
from llr.tools.base import PRIVATE, Memory, Places

FILE = ".llm-router.tools.json"


@dataclass(frozen=True, slots=True)
class Wired:
    """One tool that is wired: its files, the address in them, and the config its names come from."""

    tool: str
    places: Places
    origin: str
    config: str
    memory: Memory


@dataclass(slots=True)
class Book:
    """Every wired tool by its settings file; changed in place and saved by `opened`."""

    wired: dict[str, Wired] = field(default_factory=dict)

    def of(self, tool: str, places: Places) -> Wired | None:
        """Returns what is known of a tool at a place."""
        found = self.wired.get(places["settings"])
        return found if found is not None and found.tool == tool else None


def path_of(env: Mapping[str, str]) -> str:
    """Returns where it lies."""
    return os.path.join(os.path.dirname(state_path(env)), FILE)


def read(env: Mapping[str, str]) -> Book:
    """Returns what is remembered; nothing when the file is missing or no longer readable."""
    try:
        with open(path_of(env), encoding="utf-8") as file:
            raw = json.load(file)
    except (OSError, ValueError):
        return Book()
    rows = raw.get("wired") if isinstance(raw, dict) else None
    found = [one for row in (rows if isinstance(rows, list) else []) if (one := _decode(row)) is not None]
    return Book({one.places["settings"]: one for one in found})


@contextmanager
def opened(env: Mapping[str, str]) -> Iterator[Book]:
    """Gives what is remembered, locked against other writers, and saves it when the block ends well."""
    path = path_of(env)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with locked(f"{path}.lock"):
        book = read(env)
        before = dict(book.wired)
        yield book
        if book.wired != before:
            save(env, book)


def save(env: Mapping[str, str], book: Book) -> None:
    """Keeps what is remembered; only inside `opened`. Raises OSError."""
    path = path_of(env)
    rows: list[JSON] = [_encode(one) for one in book.wired.values()]
    text = json.dumps({"version": 1, "wired": rows}, indent=2, ensure_ascii=False) + "\n"
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def _encode(one: Wired) -> JSON:
    return {
        "tool": one.tool,
        "places": dict(one.places),
        "origin": one.origin,
        "config": one.config,
        "sha256": one.memory.sha256,
        "edited": one.memory.edited,
        "existed": one.memory.existed,
        "owned": dict(one.memory.owned),
        "keys": [[list(path), value] for path, value in one.memory.keys.items()],
    }


def _decode(row: JSON) -> Wired | None:
    if not isinstance(row, dict):
        return None
    places, keys, owned = row.get("places"), row.get("keys"), row.get("owned")
    if not isinstance(places, dict) or "settings" not in places or not isinstance(keys, list):
        return None
    known: dict[tuple[str, ...], str] = {}
    for pair in keys:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], list):
            known[tuple(map(str, pair[0]))] = str(pair[1])
    memory = Memory(
        str(row.get("sha256") or ""),
        known,
        row.get("edited") is True,
        row.get("existed") is not False,
        {str(path): str(value) for path, value in owned.items()} if isinstance(owned, dict) else {},
    )
    files = {str(role): str(path) for role, path in places.items()}
    return Wired(str(row.get("tool")), files, str(row.get("origin") or ""), str(row.get("config") or ""), memory)
