"""Routing state for several machines: Redis or Valkey, every `apply` one atomic script.

Law: what waits together goes out together, on one connection, in the order it was asked. Failures are `StoreError`;
nothing is sent twice, because a reservation that was answered too late may have been made.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha1
from typing import Any

from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from llr.base.redact import scrub
from llr.state.records import CANDIDATE_TTL_S, MAX_PINS, undone
from llr.state.redis_scripts import APPLY, READ
from llr.state.resilient import StoreError
from llr.state.statefile import decode_health, millis
from llr.state.store import (
    BucketKey,
    Clear,
    Evict,
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
# Longer than a healthy server and a busy event loop ever take; paid once, then state is local.
_ANSWER_S = 2.0
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
        self._wire = Wire(url)
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
        found = await self._put(_Ticket(READ, (self._prefix, str(millis(now)), json.dumps(asked)))).answer
        return _snapshot(keys, json.loads(found))

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest. Raises `StoreError`.

        A caller that is cancelled while it waits holds nothing: what its ops took is given back behind them.
        """
        if not ops:
            return ()
        ticket = self._put(_Ticket(APPLY, self._arguments(ops, now), ops=ops))
        try:
            granted: str = await ticket.answer
        except asyncio.CancelledError:
            back = undone(ops)
            if back:
                self._put(_Ticket(APPLY, self._arguments(back, now), after=ticket))
            raise
        return tuple([one == "1" for one in granted])

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry. Raises `StoreError`."""
        found: dict[str, list[str]] = {kind: [] for kind in "cuhpl"}
        cursor = "0"
        while True:
            asked = _Ticket("", ("SCAN", cursor, "MATCH", self._pattern("*"), "COUNT", "1000"))
            cursor, names = await self._put(asked).answer
            for name in names:
                kind, colon, key = name.removeprefix(self._prefix).partition(":")
                if colon and kind in found:
                    found[kind].append(key)
            if cursor == "0":
                break
        keys = Keys(
            cursors=tuple(dict.fromkeys(found["c"])),
            buckets=tuple(BucketKey(*key.rsplit(" ", 1)) for key in dict.fromkeys(found["u"])),
            health=tuple(dict.fromkeys(found["h"])),
            pins=tuple(dict.fromkeys(found["p"])),
            slots=tuple(dict.fromkeys(found["l"])),
        )
        return await self.read(keys, now=now)

    async def aclose(self) -> None:
        """Returns when what was asked is sent and the connection is closed."""
        pump = self._pump
        if pump is not None:
            await pump
        await self._wire.aclose()

    def _pattern(self, tail: str) -> str:
        return "".join(f"\\{char}" if char in "*?[]^\\" else char for char in self._prefix) + tail

    def _arguments(self, ops: Sequence[Op], now: float) -> tuple[str, ...]:
        encoded = json.dumps([_ENCODE[type(op)](op) for op in ops])
        return (self._prefix, str(millis(now)), encoded, *self._tail)

    def _put(self, ticket: "_Ticket") -> "_Ticket":
        self._waiting.append(ticket)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._send_waiting())
        return ticket

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                due = [ticket for ticket in batch if ticket.due]
                for ticket, reply in zip(due, await self._send(due), strict=True):
                    ticket.deliver(reply)
        finally:
            self._pump = None

    async def _send(self, batch: Sequence["_Ticket"]) -> list[Any]:
        """Returns each ticket's reply or exception; a server that forgot the scripts is told them again."""
        replies: list[Any] = []
        try:
            replies = await self._wire.run([ticket.command() for ticket in batch])
            forgotten = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if forgotten:
                scripts = {batch[place].script for place in forgotten}
                commands: list[tuple[str, ...]] = [("SCRIPT", "LOAD", script) for script in scripts]
                commands += [batch[place].command() for place in forgotten]
                again = await self._wire.run(commands)
                for place, reply in zip(forgotten, again[len(scripts) :], strict=True):
                    replies[place] = reply
        except (RedisError, OSError, TimeoutError) as exc:
            return [*replies, *[exc] * (len(batch) - len(replies))]
        return replies


class Wire:
    """One connection to the server: commands go out in one write, replies come back in order.

    The package's own client costs several times more per command than a reservation is worth.
    """

    def __init__(self, url: str) -> None:
        # Any: the package's own types and those of the older stub package differ.
        pool: Any = ConnectionPool.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=_CONNECT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._connection = pool.make_connection()

    async def run(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        """Returns a reply or the server's error per command. Raises `RedisError`, `OSError`, `TimeoutError`."""
        connection = self._connection
        if not commands:
            return []
        try:
            if not connection.is_connected:
                await connection.connect()
            async with asyncio.timeout(_ANSWER_S):
                await connection.send_packed_command(b"".join(map(_packed, commands)), check_health=False)
                return [await self._reply() for _ in commands]
        except BaseException:
            # Replies still to come would answer the next commands.
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Returns when the connection is closed; the next command opens another one."""
        with suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as exc:
            return exc


class _Ticket:
    """One command and where its reply is awaited: a script with its arguments, or a plain command without a script.

    `after` is the call that it undoes, `ops` what it applies.
    """

    __slots__ = ("after", "answer", "granted", "ops", "script", "words")

    def __init__(
        self, script: str, words: tuple[str, ...], *, ops: Sequence[Op] = (), after: "_Ticket | None" = None
    ) -> None:
        self.script, self.words, self.ops, self.after = script, words, ops, after
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.granted = False

    @property
    def due(self) -> bool:
        """Returns whether it must be sent: not to take for a caller who has gone, not to undo what was not done."""
        if self.after is not None:
            return self.after.granted
        return not (self.answer.cancelled() and undone(self.ops))

    def command(self) -> tuple[str, ...]:
        """Returns the words to send; the first word after the count is the one key of a script."""
        return ("EVALSHA", _DIGESTS[self.script], "1", *self.words) if self.script else self.words

    def deliver(self, reply: Any) -> None:
        """Hands the reply over, unless nobody waits any more."""
        self.granted = isinstance(reply, str) and "0" not in reply
        if self.answer.done():
            return
        if isinstance(reply, Exception):
            self.answer.set_exception(_store_error(reply))
            # An undoing has nobody who looks at it.
            self.answer.exception()
        else:
            self.answer.set_result(reply)


_DIGESTS = {script: sha1(script.encode(), usedforsecurity=False).hexdigest() for script in (READ, APPLY)}


def _packed(words: tuple[str, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        text = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


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
    Evict: lambda op: {"op": "evict", "key": op.slot, "holders": op.holders},
    Fail: _fail,
    Recover: lambda op: {"op": "recover", "key": op.key, "started": millis(op.started_at)},
    Clear: lambda op: {"op": "clear", "key": op.key, "reason": op.reason},
    Probe: lambda op: {"op": "probe", "key": op.key, "till": millis(op.until_at)},
    Pin: lambda op: {"op": "pin", "key": op.key, "candidate": op.candidate, "till": millis(op.expires_at)},
}
