"""Rows of the control channel that ask the data plane: what cools down, where a request would go, what is known."""

from collections.abc import Callable

from llr.base.clock import Clock
from llr.base.jsonio import JSON, InvalidJSON, dumps, loads
from llr.base.stamps import stamp
from llr.cli.stores import counts_alone
from llr.config.schema import Config
from llr.daemon.channel import Answer, Answerer, Ask, problem
from llr.daemon.serving import PEERS_ABSORB, PEERS_ASK, PEERS_LESSONS, PEERS_NEWS, PEERS_TURNS
from llr.gateway import peers
from llr.gateway.deps import Deps, Live
from llr.routing.cooldowns import CooldownRow, UsageRow, clear_ops, cooldown_rows, reset_ops, usage_rows
from llr.state.store import Store
from llr.wire.http import Handler, Headers, Request


class _Body:
    """A request body that is at hand."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, limit_bytes: int) -> bytes:
        """Returns the bytes; the caller of the control channel is the owner, so no limit holds."""
        return self._data


def _row(row: CooldownRow, now: float) -> JSON:
    return {
        "name": row.name,
        "format": row.format or None,
        "reason": row.reason,
        "until": stamp(row.until_at),
        "secondsLeft": round(row.until_at - now, 3),
        "status": row.status,
        "failures": row.failures,
    }


def _count(row: UsageRow) -> JSON:
    return {
        "provider": row.provider,
        "bucket": row.bucket,
        "window": row.window,
        "unit": row.unit,
        "used": row.used,
        "resets": stamp(row.resets_at) if row.resets_at else None,
    }


def cooldown_routes(store: Store, clock: Clock, live: Callable[[], Live]) -> dict[str, Answerer]:
    """Returns `GET /cooldowns`, and `POST /cooldowns/clear` with an optional `{"ref": …, "counts": true}`.

    `counts` empties the rate-limit buckets of a provider, or one given as provider/bucket, instead of ending cooldowns;
    `live` gives the configuration in service: whose keys are in use, and when its windows end.
    """

    def apart() -> dict[str, JSON]:
        """Tells who asks several processes that each has state of its own, to be added up."""
        return {"perProcess": True} if counts_alone(store) else {}

    async def show(_ask: Ask) -> Answer:
        now = clock.now()
        state = await store.everything(now=now)
        known = live()
        rests = cooldown_rows(state, now=now, credentials=known.resolver.credentials)
        listed: list[JSON] = [_row(row, now) for row in rests]
        counts: list[JSON] = [_count(row) for row in usage_rows(state, now=now, providers=known.config.providers)]
        return Answer(200, {"cooldowns": listed, "counts": counts, **apart()})

    async def clear(ask: Ask) -> Answer:
        ref = ask.body.get("ref") if isinstance(ask.body, dict) else None
        if ref is not None and not isinstance(ref, str):
            return problem(400, "bad-ref", "ref must be a provider or provider/model.")
        now = clock.now()
        state = await store.everything(now=now)
        if isinstance(ask.body, dict) and ask.body.get("counts") is True:
            provider, _, bucket = (ref or "").partition("/")
            ops = reset_ops(state, provider or None, bucket or None)
        else:
            ops = clear_ops(state, ref or None)
        await store.apply(ops, now=now)
        return Answer(200, {"cleared": len(ops), "ref": ref or None, **apart()})

    return {"GET /cooldowns": show, "POST /cooldowns/clear": clear}


def explain_routes(handler: Handler, config: Callable[[], Config]) -> dict[str, Answerer]:
    """Returns `POST /explain`: the gateway's own explanation, asked with the key its owner has anyway."""

    async def explain(ask: Ask) -> Answer:
        headers = [(b"content-type", b"application/json")]
        key = config().master_key
        if key:
            headers.append((b"authorization", b"Bearer " + key.reveal().encode()))
        response = await handler(Request("POST", "/llr/explain", Headers(headers), _Body(dumps(ask.body)), ""))
        if not isinstance(response.body, bytes):
            return problem(502, "no-explanation", "The gateway gave no explanation.")
        try:
            return Answer(response.status, loads(response.body))
        except InvalidJSON as exc:
            return problem(502, "no-explanation", str(exc))

    return {"POST /explain": explain}


def peer_routes(deps: Deps) -> dict[str, Answerer]:
    """Returns the rows by which the processes of one gateway ask and tell each other, for processes only."""

    async def ask(ask: Ask) -> Answer:
        return Answer(200, peers.told(deps, ask.body))

    async def news(ask: Ask) -> Answer:
        peers.hear(deps, ask.body)
        return Answer(200)

    async def lessons(_ask: Ask) -> Answer:
        return Answer(200, peers.lessons(deps))

    async def turns(_ask: Ask) -> Answer:
        return Answer(200, peers.turns(deps))

    async def absorb(ask: Ask) -> Answer:
        peers.absorb(deps, ask.body)
        return Answer(200)

    return {
        f"POST {PEERS_ASK}": ask,
        f"POST {PEERS_NEWS}": news,
        f"GET {PEERS_LESSONS}": lessons,
        f"GET {PEERS_TURNS}": turns,
        f"POST {PEERS_ABSORB}": absorb,
    }
