"""Routes and snapshots for tests, written as configs are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llr.base.names import FormatId
from llr.config.parse import parse_config
from llr.config.schema import Config
from llr.routing.plan import NO_NEED, Need, Plan, keys_for, plan
from llr.routing.resolve import Resolver
from llr.routing.route import Candidate, Route
from llr.state.memory import MemoryStore
from llr.state.store import BucketKey, Health, Snapshot

NOW = 1_772_293_357.0  # 2026-02-28T15:42:37Z, the moment of the spec's examples


def provider(name: str, *models: Any, **more: Any) -> dict[str, Any]:
    """Returns a provider entry; a model is a name or an object."""
    listed = [{"id": model} if isinstance(model, str) else model for model in models]
    return {"id": name, "name": name, "baseUrl": f"https://{name}.example", "models": listed, **more}


def config(providers: list[Any], aliases: Mapping[str, Any] | None = None, **root: Any) -> Config:
    """Returns the parsed config of these entries; issues are the test's own business."""
    doc: dict[str, Any] = {"version": 2, "providers": providers, "modelAliases": dict(aliases or {}), **root}
    parsed = parse_config(doc, {})
    assert parsed.config is not None, parsed.issues
    return parsed.config


def route(
    found: Config, name: str = "a", client: FormatId = FormatId.CHAT, env: Mapping[str, str] | None = None
) -> Route:
    return Resolver(found, env=env).resolve(name, client)


def alias_route(count: int = 3, strategy: str = "ordered", **model: Any) -> Route:
    """Returns a route over `count` providers a, b, c, ... with one model m each."""
    names = "abcdefghijklmnop"[:count]
    providers = [provider(f"p-{name}", {"id": "m", **model}) for name in names]
    targets = [f"p-{name}/m" for name in names]
    return route(config(providers, {"a": {"strategy": strategy, "targets": targets}}))


def refs(found: Plan | Route) -> list[str]:
    candidates = found.order if isinstance(found, Plan) else found.candidates
    return [candidate.ref for candidate in candidates]


def first_choices(found: Route, store: MemoryStore, turns: int, *, need: Need = NO_NEED, now: float = NOW) -> list[str]:
    """Returns who comes first in consecutive requests, each of which commits its cursor."""
    chosen: list[str] = []
    for _ in range(turns):
        planned = plan(found, store.peek(keys_for(found, now=now, need=need), now=now), now=now, need=need)
        store.commit(planned.ops, now=now)
        chosen.append(planned.order[0].ref)
    return chosen


def sick(candidate: Candidate, **changes: Any) -> dict[str, Health]:
    return {candidate.key: replace(Health(updated_at=NOW), **changes)}


def snapshot(health: Mapping[str, Health] | None = None, usage: Mapping[BucketKey, int] | None = None) -> Snapshot:
    return Snapshot(health=health or {}, usage=usage or {})
