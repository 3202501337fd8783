"""Which store keeps the routing state of a serving process."""

import os
from dataclasses import dataclass

from llr.config.schema import Settings
from llr.control.report import refuse
from llr.state.memory import MemoryStore
from llr.state.store import Store

DEFAULT_PATH = "~/.llm-router.state.json"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A store, and its name for `status`."""

    store: Store
    name: str


def backend(found: Settings, *, demo: bool, workers: int) -> str:
    """Returns the backend that serves: the demo writes nothing, and one file cannot serve several processes."""
    if demo:
        return "memory"
    return "sqlite" if found.state_backend == "file" and workers > 1 else found.state_backend


def database_path(path: str) -> str:
    """Returns the database that stands in for a state file: beside it, or the path itself when it is no JSON file."""
    stem, extension = os.path.splitext(path)
    return f"{stem}.sqlite" if extension == ".json" else path


def open_store(found: Settings, *, demo: bool, workers: int) -> Chosen:
    """Returns the store that settings and process count ask for. Raises `Refused` for one that cannot be had."""
    name = backend(found, demo=demo, workers=workers)
    path = found.state_path or DEFAULT_PATH
    ttl_s = found.candidate_state_ttl_s
    if name == "memory":
        return Chosen(MemoryStore(candidate_ttl_s=ttl_s), name)
    if name == "file":
        from llr.state.file import FileStore

        return Chosen(FileStore(path, candidate_ttl_s=ttl_s), name)
    from llr.state.resilient import Resilient

    shared = _sqlite(path, ttl_s) if name == "sqlite" else _redis(found)
    return Chosen(Resilient(shared, name=name, candidate_ttl_s=ttl_s), name)


def _sqlite(path: str, ttl_s: float) -> Store:
    from llr.state.sqlite import SqliteStore

    return SqliteStore(database_path(path), candidate_ttl_s=ttl_s)


def _redis(found: Settings) -> Store:
    if not found.state_url:
        raise refuse("no-state-url", "The redis state backend needs an address.", "Set LLM_ROUTER_STATE_URL.")
    raise refuse("no-redis", "The redis state backend is not in this build yet.", "Use sqlite or file.")
