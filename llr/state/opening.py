"""Which store a configuration asks for, opened."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from llr.base.clock import Clock
from llr.base.errors import ErrorKind, fail
from llr.base.names import DEFAULT_CONFIG
from llr.state.records import CANDIDATE_TTL_S
from llr.state.store import Store

# Backend names and where they are made; a module is imported when it is used.
STORES: Mapping[str, str] = {
    "memory": "llr.state.memory:MemoryStore",
    "file": "llr.state.file:FileStore",
    "sqlite": "llr.state.sqlite:SqliteStore",
    "redis": "llr.state.redis:RedisStore",
}
DEFAULT_PATH = "~/.llm-router.state.json"
DEFAULT_URL = "redis://127.0.0.1:6379/0"

_NO_REDIS = (
    "state backend 'redis' needs the Python package 'redis': build a gateway that carries it with"
    " `python3 build_zipapp.py --with redis`, or install it (`pip install redis`) and run `python3 llr.pyz`"
    " without -I -S"
)


def open_store(
    backend: str,
    *,
    path: str | None = None,
    url: str | None = None,
    clock: Clock | None = None,
    candidate_ttl_s: float = CANDIDATE_TTL_S,
) -> Store:
    """Returns an open store of a backend in `STORES`; shared ones stand in for themselves in memory when they fail.

    `path` is the state file of `file` or the database of `sqlite` (beside the state file by default, and begun with
    what that holds); `url` the server of `redis`. Raises `GatewayError` (CONFIGURATION) for an unknown backend or a
    missing package.
    """
    target = STORES.get(backend)
    if target is None:
        known = ", ".join(STORES)
        raise fail(ErrorKind.CONFIGURATION, f"unknown state backend '{backend}': it is one of {known}")
    make: Callable[..., Store] = _import(target)
    if backend == "memory":
        return make(candidate_ttl_s=candidate_ttl_s)
    if backend == "file":
        return make(path or DEFAULT_PATH, candidate_ttl_s=candidate_ttl_s, clock=clock)
    stand_in: Callable[..., Store] = _import("llr.state.resilient:Resilient")
    if backend == "redis":
        shared = make(url or DEFAULT_URL, candidate_ttl_s=candidate_ttl_s)
    else:
        shared = make(sqlite_path(path), begun_from=path or DEFAULT_PATH, candidate_ttl_s=candidate_ttl_s)
    return stand_in(shared, name=backend, clock=clock, candidate_ttl_s=candidate_ttl_s)


def path_for(config_path: str | None) -> str:
    """Returns the state file of a configuration: the default one's, else one beside the config.

    Two gateways with different configs (a production one and a sandbox) must not write one state file.
    """
    if config_path is None or _real(config_path) == _real(DEFAULT_CONFIG):
        return DEFAULT_PATH
    return _real(config_path).removesuffix(".json") + ".state.json"


def _real(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def sqlite_path(path: str | None) -> str:
    """Returns the database's path: the state file's with `.sqlite` for `.json`, so that both can lie side by side."""
    base = path or DEFAULT_PATH
    return base.removesuffix(".json") + ".sqlite" if base.endswith(".json") else base


def _import(target: str) -> Any:
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as exc:
        if exc.name is not None and exc.name.partition(".")[0] in {"redis", "async_timeout"}:
            raise fail(ErrorKind.CONFIGURATION, _NO_REDIS) from exc
        raise
