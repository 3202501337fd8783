"""Routing state for several machines: Redis or Valkey, every `apply` one atomic script.

Law: what waits together goes out together, on one connection, in the order it was asked. Failures are `StoreError`;
nothing is sent twice, because a reservation that was answered too late may have been made.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from llr.base.redact import scrub
from llr.state.records import CANDIDATE_TTL_S, MAX_PINS, undone
from llr.state.redis_scripts import APPLY, READ
from llr.state.resilient import StoreError
from llr.state.statefile import decode_health, millis
from llr.state.store import (
    BucketKey,
    Clear,
    Fail,
    Keys,
    Lease,
    Op,
    Pin,
    Probe,
    Recover,
    Release,
    Reserve,
    SetCursor,
    Settle,
    Snapshot,
    Unlease,
)

PREFIX = "{llr}:"
# Longer than a healthy server ever takes, shorter than a client notices.
_ANSWER_S = 1.0
_CONNECT_S = 0.5
_BATCH = 256
_NOTHING = Keys()


class RedisStore:
    """A `Store` shared by every gateway that uses the same server and prefix. It connects with the first request."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str = PREFIX,
        candidate_ttl_s: float = CANDIDATE_TTL_S,
        max_pins: int = MAX_PINS,
    ) -> None:
        self._prefix = prefix
        self._tail = (str(millis(candidate_ttl_s)), str(max_pins))
        # Any: the package's own types and those of the older stub package differ.
        self._client: Any = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_CONNECT_S,
            retry=Retry(NoBackoff(), 0),
            single_connection_client=True,
        )
        self._scripts: dict[str, str] = {}
        self._waiting: list[_Ticket] = []
        self._pump: asyncio.Task[None] | None = None

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns what is known of `keys`, expired entries left out. Raises `StoreError`."""
        if keys == _NOTHING:
            return Snapshot()
        asked = {
            "c": keys.cursors,
            "u": [_usage(key) for key in keys.buckets],
            "h": keys.health,
            "p": keys.pins,
            "l": keys.slots,
        }
        return _snapshot(keys, json.loads(await self._ask(READ, (str(millis(now)), json.dumps(asked)))))

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest. Raises `StoreError`.

        A caller that is cancelled while it waits holds nothing: what its ops took is given back behind them.
        """
        if not ops:
            return ()
        ticket = self._put(APPLY, self._arguments(ops, now))
        try:
            granted = await ticket.answer
        except asyncio.CancelledError:
            back = undone(ops)
            if back:
                self._put(APPLY, self._arguments(back, now), after=ticket)
            raise
        return tuple(bool(one) for one in granted)

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry. Raises `StoreError`."""
        try:
            names = [name async for name in self._client.scan_iter(match=self._pattern("*"), count=1_000)]
        except (RedisError, OSError) as exc:
            raise _store_error(exc) from exc
        found: dict[str, list[str]] = {kind: [] for kind in "cuhpl"}
        for name in names:
            kind, colon, key = name.removeprefix(self._prefix).partition(":")
            if colon and kind in found:
                found[kind].append(key)
        return await self.read(
            Keys(
                cursors=tuple(found["c"]),
                buckets=tuple(BucketKey(*key.rsplit(" ", 1)) for key in found["u"]),
                health=tuple(found["h"]),
                pins=tuple(found["p"]),
                slots=tuple(found["l"]),
            ),
            now=now,
        )

    async def aclose(self) -> None:
        """Returns when what was asked is sent and the connection is closed."""
        pump, self._pump = self._pump, None
        if pump is not None:
            await pump
        with suppress(RedisError, OSError):
            await self._client.aclose()

    def _pattern(self, tail: str) -> str:
        return "".join(f"\\{char}" if char in "*?[]^\\" else char for char in self._prefix) + tail

    def _arguments(self, ops: Sequence[Op], now: float) -> tuple[str, ...]:
        return (str(millis(now)), json.dumps([_ENCODE[type(op)](op) for op in ops]), *self._tail)

    async def _ask(self, script: str, arguments: tuple[str, ...]) -> Any:
        return await self._put(script, arguments).answer

    def _put(self, script: str, arguments: tuple[str, ...], after: "_Ticket | None" = None) -> "_Ticket":
        loop = asyncio.get_running_loop()
        ticket = _Ticket(script, arguments, loop.create_future(), after)
        self._waiting.append(ticket)
        if self._pump is None:
            self._pump = loop.create_task(self._send_waiting())
        return ticket

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                due = [ticket for ticket in batch if ticket.after is None or ticket.after.granted]
                for ticket, result in zip(due, await self._send(due), strict=True):
                    ticket.deliver(result)
        finally:
            self._pump = None

    async def _send(self, batch: Sequence["_Ticket"]) -> list[Any]:
        """Returns each ticket's result or exception; a server that forgot the scripts is told them again."""
        results: list[Any] = []
        try:
            results = await self._run(batch)
            missing = [place for place, result in enumerate(results) if isinstance(result, NoScriptError)]
            if missing:
                self._scripts.clear()
                again = await self._run([batch[place] for place in missing])
                for place, result in zip(missing, again, strict=True):
                    results[place] = result
        except (RedisError, OSError) as exc:
            return [*results, *[exc] * (len(batch) - len(results))]
        return results

    async def _run(self, batch: Sequence["_Ticket"]) -> list[Any]:
        for script in {ticket.script for ticket in batch} - self._scripts.keys():
            self._scripts[script] = await self._client.script_load(script)
        async with self._client.pipeline(transaction=False) as pipe:
            for ticket in batch:
                pipe.evalsha(self._scripts[ticket.script], 1, self._prefix, *ticket.arguments)
            results: list[Any] = await pipe.execute(raise_on_error=False)
        return results


class _Ticket:
    """One script call and where its result is awaited; `after` is the call that it undoes."""

    __slots__ = ("after", "answer", "arguments", "granted", "script")

    def __init__(
        self, script: str, arguments: tuple[str, ...], answer: "asyncio.Future[Any]", after: "_Ticket | None"
    ) -> None:
        self.script, self.arguments, self.answer, self.after = script, arguments, answer, after
        self.granted = False

    def deliver(self, result: Any) -> None:
        """Hands the result over, unless nobody waits any more."""
        self.granted = isinstance(result, list) and all(result)
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(_store_error(result))
            # An undoing has nobody who looks at it.
            self.answer.exception()
        else:
            self.answer.set_result(result)


def _store_error(exc: Exception) -> StoreError:
    return StoreError(scrub(f"{type(exc).__name__}: {exc}"))


def _usage(key: BucketKey) -> str:
    return f"{key.bucket} {key.window}"


def _snapshot(keys: Keys, found: Mapping[str, Any]) -> Snapshot:
    # An empty Lua table has no kind: it comes back as an object.
    rows = {kind: found[kind] if isinstance(found[kind], list) else [] for kind in "cuhpl"}
    return Snapshot(
        cursors={key: int(value) for key, value in zip(keys.cursors, rows["c"], strict=False) if value},
        usage={key: value for key, value in zip(keys.buckets, rows["u"], strict=False) if value},
        health={key: decode_health(json.loads(one)) for key, one in zip(keys.health, rows["h"], strict=False) if one},
        pins={key: Pin(key, one[0], one[1] / 1e3) for key, one in zip(keys.pins, rows["p"], strict=False) if one},
        leases={slot: held for slot, held in zip(keys.slots, rows["l"], strict=False) if held},
    )


def _fail(op: Fail) -> dict[str, Any]:
    return {
        "op": "fail",
        "key": op.key,
        "category": op.category,
        "status": op.status,
        "counts": op.counts,
        "started": millis(op.started_at),
        "reason": op.reason,
        "till": millis(op.cooldown_until_at),
        "threshold": op.threshold,
        "open": millis(op.open_s),
        "credential": op.credential,
    }


_ENCODE: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    SetCursor: lambda op: {"op": "cursor", "key": op.key, "value": max(0, op.value)},
    Reserve: lambda op: {
        "op": "reserve",
        "key": _usage(op.bucket),
        "amount": op.amount,
        "limit": op.limit,
        "till": millis(op.expires_at),
    },
    Release: lambda op: {"op": "release", "key": _usage(op.bucket), "amount": op.amount},
    Settle: lambda op: {
        "op": "settle",
        "key": _usage(op.bucket),
        "reserved": op.reserved,
        "actual": op.actual,
        "till": millis(op.expires_at),
    },
    Lease: lambda op: {
        "op": "lease",
        "key": op.slot,
        "holder": op.holder,
        "limit": op.limit,
        "till": millis(op.expires_at),
    },
    Unlease: lambda op: {"op": "unlease", "key": op.slot, "holder": op.holder},
    Fail: _fail,
    Recover: lambda op: {"op": "recover", "key": op.key},
    Clear: lambda op: {"op": "clear", "key": op.key, "reason": op.reason},
    Probe: lambda op: {"op": "probe", "key": op.key, "till": millis(op.until_at)},
    Pin: lambda op: {"op": "pin", "key": op.key, "candidate": op.candidate, "till": millis(op.expires_at)},
}
