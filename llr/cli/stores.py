"""Which store keeps the routing state of a serving process."""

import os

from llr.base.clock import Clock
from llr.base.errors import GatewayError
from llr.base.records import dataclass
from llr.config.schema import Settings
from llr.control.report import refuse
from llr.daemon.channel import Answer, Answerer, Ask
from llr.daemon.serving import ABSORB, RELEASE, VACATE
from llr.routing.limits import vacated
from llr.state.memory import MemoryStore
from llr.state.opening import open_store, path_for, sqlite_path
from llr.state.store import Store


@dataclass(frozen=True, slots=True)
class Chosen:
    """A store, and its name for `status`."""

    store: Store
    name: str


def counts_alone(store: Store) -> bool:
    """Returns whether this process counts for itself: in memory, as chosen or while a shared store is away."""
    from llr.state.resilient import Resilient

    return isinstance(store, MemoryStore) or (isinstance(store, Resilient) and store.degraded)


def backend(found: Settings, *, demo: bool, workers: int) -> str:
    """Returns the backend that serves: the demo writes nothing, and one file cannot serve several processes."""
    if demo:
        return "memory"
    return "sqlite" if found.state_backend == "file" and workers > 1 else found.state_backend


def open_chosen(found: Settings, clock: Clock, *, config_path: str, demo: bool = False, workers: int = 1) -> Chosen:
    """Returns the store that settings, config file and process count ask for.

    Raises `Refused` for one that cannot be had.
    """
    return _opened(backend(found, demo=demo, workers=workers), found, clock, config_path)


def open_kept(found: Settings, clock: Clock, *, config_path: str) -> Chosen:
    """Returns the store the last gateway of this config wrote to. Raises `Refused` for one that cannot be had.

    Several workers keep in SQLite, beside the state file, what one process keeps in that file.
    """
    name = found.state_backend
    path = os.path.expanduser(found.state_path or path_for(config_path))
    database = sqlite_path(path)
    if name == "file" and database != path and _written_at(database, database + "-wal") > _written_at(path):
        name = "sqlite"
    return _opened(name, found, clock, config_path)


def _opened(name: str, found: Settings, clock: Clock, config_path: str) -> Chosen:
    path = found.state_path or path_for(config_path)
    try:
        store = open_store(
            name, path=path, url=found.state_url, clock=clock, candidate_ttl_s=found.candidate_state_ttl_s
        )
    except GatewayError as exc:
        raise refuse("no-state-store", exc.fault.message) from exc
    return Chosen(store, name)


def _written_at(*paths: str) -> float:
    """Returns when the latest of these files was written, 0 if none exists."""
    return max(os.stat(path).st_mtime if os.path.exists(path) else 0.0 for path in paths)


def state_routes(chosen: Chosen, clock: Clock) -> dict[str, Answerer]:
    """Returns the rows by which a store that lives in one process passes its state to the next one.

    A shared one passes nothing on; there the slots of a process that died are given back.
    """
    store = chosen.store

    async def vacate(ask: Ask) -> Answer:
        holders = ask.body.get("holders") if isinstance(ask.body, dict) else None
        now = clock.now()
        await store.apply(vacated(await store.everything(now=now), str(holders or "")), now=now)
        return Answer(200)

    rows: dict[str, Answerer] = {f"POST {VACATE}": vacate}
    if chosen.name not in ("file", "memory"):
        return rows

    async def release(_ask: Ask) -> Answer:
        from llr.state.file import FileStore, document_of

        now = clock.now()
        if isinstance(store, MemoryStore):
            return Answer(200, document_of(store, now=now))
        assert isinstance(store, FileStore)
        await store.aclose()
        return Answer(200, store.document(now=now))

    async def absorb(ask: Ask) -> Answer:
        from llr.state.file import FileStore, absorb_into

        if isinstance(ask.body, dict):
            now = clock.now()
            if isinstance(store, MemoryStore):
                absorb_into(store, ask.body, now=now)
            else:
                assert isinstance(store, FileStore)
                store.absorb(ask.body, now=now)
        return Answer(200)

    return {**rows, f"POST {RELEASE}": release, f"POST {ABSORB}": absorb}
