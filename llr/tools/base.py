"""What wiring a coding tool is made of: values only, no file is opened here.

Law: a tool module says which keys of its settings should hold what; one engine turns that into file edits, one applier
writes them. What was never written by us is never taken away.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.tools.routes import Routes

Path: TypeAlias = "tuple[str, ...]"
# Key of a tool's settings and what it should hold; None: the key goes.
Values: TypeAlias = Mapping[Path, JSON]
# Names of a tool's bindings (`default_model`) and their texts, "" for none.
Binding: TypeAlias = Mapping[str, str]
# Role of a file (`settings`, `backup`, `catalog`) and its path.
Places: TypeAlias = Mapping[str, str]

# What wired files get, so that the gateway key in them stays with their owner.
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a tool reaches the gateway: an origin without a trailing slash, and the key it presents."""

    origin: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """One file as it is: its bytes and permission bits."""

    data: bytes
    mode: int = 0o644


class FileView(Protocol):
    """Reads files for a plan; tests have one in memory."""

    def read(self, path: str) -> Found | None:
        """Returns a file, None when it does not exist. Raises OSError."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One file from `before` (None: absent) to `after` (None: absent again)."""

    path: str
    before: Found | None
    after: Found | None

    @property
    def changes(self) -> bool:
        """Returns whether anything is different."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Memory:
    """What we wrote into one tool: the hash of the settings file and of every key's value ("" for a removed key).

    `edited` says that somebody else has changed the file since the first time, so that its old bytes alone are not
    what its owner wants back. `existed` is False when there was no file before the first time. `owned` are hashes of
    files that are wholly ours.
    """

    sha256: str
    keys: Mapping[Path, str]
    edited: bool = False
    existed: bool = True
    owned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits of one step, in the order in which they are written, and what to remember afterwards."""

    edits: tuple[FileEdit, ...]
    memory: Memory | None = None
    restored: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that a tool's keys follow from."""

    endpoint: Endpoint
    binding: Binding
    routes: Routes
    places: Places


@dataclass(frozen=True, slots=True)
class ToolStatus:
    """How one tool is routed. `facts` are further rows for the report, in order; `error` why a file cannot be read."""

    tool: str
    places: Places
    exists: bool = False
    backup_exists: bool = False
    routed: bool = False
    base_url: str = ""
    binding: Binding = field(default_factory=dict)
    facts: Mapping[str, JSON] = field(default_factory=dict)
    token_matches: bool | None = None
    error: str = ""


class BadFile(ValueError):
    """A file that cannot be edited; `line` and `column` count from 1, 0 where unknown."""

    def __init__(self, label: str, why: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{label} {why}")
        self.line, self.column = line, column


@dataclass(frozen=True, slots=True)
class Grammar:
    """How a settings file is read and edited as text. `parse` raises `BadFile`'s causes, ValueErrors with a place."""

    parse: Callable[[str], dict[str, JSON]]
    put: Callable[[str, Path, JSON], str]
    remove: Callable[[str, Path], str]


@dataclass(frozen=True, slots=True)
class Tool:
    """One coding tool as a row.

    `flags` are bindings and the values they are limited to (() for route names). `homes` gives the default places.
    `values` says what the keys should hold, given the document as it is and as it was; the first is the one that
    routes. `owned` are files wholly ours. `snapshot` is the body of the backup, `earlier` reads old values from one
    that another program left, `ours` names keys whose value can only be ours, `besides` those that are ours in a
    wired file whose backup tells what they were. `undo` gives (path, now, old) what a key gets back that takes more
    than its old value; `shared` are keys of which parts are ours. Bindings in `falls_back` get the default route when
    theirs is gone.
    """

    id: str
    name: str
    grammar: Grammar
    flags: Mapping[str, tuple[str, ...]]
    homes: Callable[[Mapping[str, str], Mapping[str, str]], Places]
    values: Callable[[Wanted, Mapping[str, JSON], Mapping[str, JSON]], Values]
    status: Callable[[Mapping[str, JSON], Endpoint], ToolStatus]
    snapshot: Callable[[Mapping[str, JSON]], Mapping[str, JSON]]
    earlier: Callable[[Mapping[str, JSON]], Values]
    ours: Callable[[Mapping[str, JSON], Endpoint | None], frozenset[Path]]
    owned: Callable[[Wanted], Mapping[str, bytes]] = lambda _wanted: {}
    undo: Callable[[Path, JSON, JSON], JSON] | None = None
    shared: tuple[Path, ...] = ()
    besides: tuple[Path, ...] = ()
    falls_back: tuple[str, ...] = ()
    backs_up: bool = True

    @property
    def models(self) -> tuple[str, ...]:
        """Returns the bindings that name routes."""
        return tuple(name for name, values in self.flags.items() if not values)


def lookup(doc: Mapping[str, JSON], path: Path) -> JSON:
    """Returns the value at `path`, None when it is not there."""
    found: JSON = dict(doc)
    for step in path:
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


def text_at(doc: Mapping[str, JSON], *path: str) -> str:
    """Returns the text at `path`, "" for anything else."""
    value = lookup(doc, path)
    return value if isinstance(value, str) else ""


def home_of(env: Mapping[str, str]) -> str:
    """Returns the user's home folder."""
    from os.path import expanduser

    return env.get("HOME") or expanduser("~")


def backup_path(path: str) -> str:
    """Returns where the backup of a settings file lies: `.llm_router_backup` before its last extension."""
    from os.path import splitext

    stem, extension = splitext(path)
    return f"{stem}.llm_router_backup{extension}"
