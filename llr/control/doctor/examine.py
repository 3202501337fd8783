"""The whole examination, in reading order: config, gateway, auth, then every provider at once."""

import asyncio
from collections.abc import Mapping

from llr.base.clock import Clock, SystemClock
from llr.base.records import dataclass, field
from llr.config.schema import Provider
from llr.control.doctor.findings import Finding, cleaned
from llr.control.doctor.local import (
    look_at_auth,
    look_at_config,
    look_at_gateway,
    look_at_store,
    look_at_surroundings,
)
from llr.control.doctor.reach import Way, examine_provider
from llr.control.probe.ask import Asker
from llr.control.report import refuse
from llr.net.client import Client
from llr.net.tls import Trust

# More at once would make a slow line look like a slow provider.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: a config file in an environment; without the network when `offline`, `only` one provider."""

    config_path: str
    env: Mapping[str, str]
    offline: bool = False
    only: str = ""
    timeout_s: float = 8.0
    clock: Clock = field(default_factory=SystemClock)


async def examine(patient: Patient) -> tuple[Finding, ...]:
    """Returns every finding, without keys in it."""
    loaded, found = await asyncio.to_thread(look_at_config, patient.config_path, patient.env)
    config = loaded.parsed.config if loaded is not None else None
    found += await asyncio.to_thread(look_at_gateway, config, patient.env)
    if config is None:
        return cleaned(found, ())
    found += await asyncio.to_thread(look_at_surroundings, config, patient.env)
    found += await asyncio.to_thread(look_at_auth, config, patient.env)
    wanted = [one for one in config.providers if not patient.only or one.id == patient.only]
    if patient.only and not wanted:
        raise refuse("provider-not-found", f"Provider '{patient.only}' does not serve.", "See `llr config list`.")
    if not patient.offline:
        found += await look_at_store(config, patient.env, patient.clock.now())
        found += await _providers(wanted, patient)
    keys = [*(one.key(patient.env) for one in config.providers), config.master_key]
    return cleaned(found, tuple(key.reveal() for key in keys if key))


async def _providers(providers: list[Provider], patient: Patient) -> list[Finding]:
    client, turn = Client(patient.env), asyncio.Semaphore(_AT_ONCE)
    way = Way(patient.env, Asker(client, patient.clock), Trust(patient.env), patient.clock, patient.timeout_s)

    async def one(provider: Provider) -> list[Finding]:
        async with turn:
            return await examine_provider(provider, way)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(provider)) for provider in providers]
    finally:
        await client.aclose()
    return [finding for task in tasks for finding in task.result()]
