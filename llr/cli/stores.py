"""Which store keeps the routing state of a serving process."""

import os
from dataclasses import dataclass

from llr.base.clock import Clock
from llr.config.schema import Settings
from llr.control.report import refuse
from llr.daemon.channel import Answer, Answerer, Ask
from llr.daemon.serving import ABSORB, RELEASE
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


def state_routes(chosen: Chosen, clock: Clock) -> dict[str, Answerer]:
    """Returns the rows by which a store that lives in one process passes its state to the next one."""
    if chosen.name != "file":
        return {}
    from llr.state.file import FileStore

    store = chosen.store
    assert isinstance(store, FileStore)

    async def release(_ask: Ask) -> Answer:
        await store.aclose()
        return Answer(200, store.document(now=clock.now()))

    async def absorb(ask: Ask) -> Answer:
        if isinstance(ask.body, dict):
            store.absorb(ask.body, now=clock.now())
        return Answer(200)

    return {f"POST {RELEASE}": release, f"POST {ABSORB}": absorb}


def _sqlite(path: str, ttl_s: float) -> Store:
    from llr.state.sqlite import SqliteStore

    return SqliteStore(database_path(path), candidate_ttl_s=ttl_s)


def _redis(found: Settings) -> Store:
    if not found.state_url:
        raise refuse("no-state-url", "The redis state backend needs an address.", "Set LLM_ROUTER_STATE_URL.")
    raise refuse("no-redis", "The redis state backend is not in this build yet.", "Use sqlite or file.")
