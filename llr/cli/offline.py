"""Questions to the data plane while no gateway runs: the same rows, answered from the config and the kept state.

Law: nothing is sent anywhere; the state changes only when the question asks for it.
"""

import asyncio
from collections.abc import Mapping
from random import Random

from llr.base.clock import SystemClock
from llr.base.errors import ErrorKind, fail
from llr.base.ids import RandomIds
from llr.base.jsonio import JSON
from llr.cli.context import Context
from llr.cli.rows import cooldown_routes, explain_routes
from llr.cli.stores import open_kept
from llr.config.settings import settings
from llr.control import catalogue, configfile
from llr.control.configfile import Loaded
from llr.control.perform import refusals
from llr.control.report import Refused, refuse
from llr.daemon.channel import Answer, Ask
from llr.gateway.app import Gateway
from llr.gateway.deps import ConfigHolder, Deps
from llr.providers.auth import StaticCredentials
from llr.state.store import Store
from llr.wire.http import Handler, InboundResponse, OutboundRequest, Timeouts


class _Nowhere:
    """A transport that sends nothing."""

    async def send(self, req: OutboundRequest, *, timeouts: Timeouts) -> InboundResponse:
        """Raises `GatewayError`."""
        raise fail(ErrorKind.INTERNAL, "nothing is sent while no gateway runs")


def answer_offline(key: str, body: JSON, context: Context, config_path: str | None) -> Answer:
    """Returns the answer of a row such as `GET /cooldowns`. Raises `Refused` without a usable config."""
    with refusals():
        loaded = configfile.load(config_path, env=context.env, persist=False)
    if loaded.parsed.config is None:
        raise refuse("bad-root", f"{loaded.path} holds no config.", "See `llr config validate`.")
    return asyncio.run(_answer(key, body, loaded, context.env))


async def _answer(key: str, body: JSON, loaded: Loaded, env: Mapping[str, str]) -> Answer:
    assert loaded.parsed.config is not None
    config, _ = catalogue.with_windows(loaded.parsed.config, loaded.path)
    clock, found = SystemClock(), settings(config, env)
    try:
        store = open_kept(found, clock, config_path=loaded.path).store
    except Refused as exc:
        text = f"No gateway runs to be asked, and the state it would use cannot be read: {exc.problem.message}."
        fix = "LLM_ROUTER_STATE_BACKEND=memory in front of this command answers without any state."
        raise refuse(exc.problem.code, text, fix) from exc
    try:
        configs = ConfigHolder(config, found, env=env)
        rows = cooldown_routes(store, clock, lambda: configs.current)
        rows |= explain_routes(_handler(configs, env, store), lambda: config)
        method, _, path = key.partition(" ")
        return await rows[key](Ask(method, path, body=body))
    finally:
        await store.aclose()


def _handler(configs: ConfigHolder, env: Mapping[str, str], store: Store) -> Handler:
    clock = SystemClock()
    return Gateway(
        Deps(
            configs=configs,
            store=store,
            transport=_Nowhere(),
            credentials=StaticCredentials(env),
            clock=clock,
            rng=Random(),
            ids=RandomIds(),
            started_at=clock.now(),
        )
    )
