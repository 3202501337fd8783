"""A shared store that may fail, behind one that may not.

Law: a request never fails and never waits twice because a shared store is away: from the first failure on, state is
local and a warning says so, until a try in the background finds the shared store again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from llr.base.clock import Clock, SystemClock
from llr.state.memory import MemoryStore
from llr.state.records import CANDIDATE_TTL_S
from llr.state.store import Fail, Keys, Op, Recover, Snapshot, Store

log = logging.getLogger("llr.state")

RETRY_S = 5.0
# Records seen here; beyond it the oldest are forgotten, and their `Recover` waits for the next reading.
_MAX_SEEN = 4_096
_NOTHING = Keys()


class StoreError(Exception):
    """A shared store did not do what it was asked; the message says why, without secrets."""


class Resilient:
    """A `Store` over a shared one, with a local one for the time it is away."""

    def __init__(
        self,
        shared: Store,
        *,
        name: str,
        clock: Clock | None = None,
        candidate_ttl_s: float = CANDIDATE_TTL_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._shared = shared
        self._name = name
        self._clock = clock or SystemClock()
        self._ttl_s = candidate_ttl_s
        self._retry_s = retry_s
        self._local: MemoryStore | None = None
        self._search: asyncio.Task[None] | None = None
        self._seen: dict[str, float] = {}

    @property
    def degraded(self) -> bool:
        """Returns whether state is local at present."""
        return self._local is not None

    async def read(self, keys: Keys, *, now: float) -> Snapshot:
        """Returns what is known of `keys`, expired entries left out."""
        if self._local is None:
            if keys == _NOTHING:
                return Snapshot()
            try:
                found = await self._shared.read(keys, now=now)
            except StoreError as exc:
                return self._degrade(exc).peek(keys, now=now)
            self._note({key: record.last_failure_at for key, record in found.health.items()})
            return found
        return self._local.peek(keys, now=now)

    async def apply(self, ops: Sequence[Op], *, now: float) -> tuple[bool, ...]:
        """Returns False for each refused op, True for the rest.

        `Recover` of a record that this process never saw costs no call: most successes have none to forget.
        """
        if self._local is not None:
            return self._local.commit(ops, now=now)
        wanted = [op for op in ops if not isinstance(op, Recover) or op.key in self._seen]
        if not wanted:
            return (True,) * len(ops)
        try:
            granted = await self._shared.apply(wanted, now=now)
        except StoreError as exc:
            return self._degrade(exc).commit(ops, now=now)
        if all(granted):
            self._learn(wanted, now)
        if len(wanted) == len(ops):
            return granted
        answers = iter(granted)
        kept = {id(op) for op in wanted}
        return tuple(next(answers) if id(op) in kept else True for op in ops)

    async def everything(self, *, now: float) -> Snapshot:
        """Returns every live entry."""
        if self._local is None:
            try:
                found = await self._shared.everything(now=now)
            except StoreError as exc:
                self._degrade(exc)
            else:
                self._note({key: record.last_failure_at for key, record in found.health.items()})
                return found
        return await (self._local or MemoryStore()).everything(now=now)

    async def aclose(self) -> None:
        """Returns when everything is written."""
        task, self._search = self._search, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        with suppress(StoreError):
            await self._shared.aclose()

    def _note(self, failed_at: Mapping[str, float]) -> None:
        self._seen.update(failed_at)
        while len(self._seen) > _MAX_SEEN:
            del self._seen[next(iter(self._seen))]

    def _learn(self, ops: Sequence[Op], now: float) -> None:
        for op in ops:
            if isinstance(op, Recover) and not 0 < op.started_at < self._seen.get(op.key, 0.0):
                self._seen.pop(op.key, None)
        self._note({op.key: now for op in ops if isinstance(op, Fail)})

    def _degrade(self, why: StoreError) -> MemoryStore:
        if self._local is None:
            log.warning("routing state is local to this process: %s is away: %s", self._name, why)
            self._local = MemoryStore(candidate_ttl_s=self._ttl_s)
            self._search = asyncio.get_running_loop().create_task(self._find_again())
        return self._local

    async def _find_again(self) -> None:
        while True:
            await self._clock.sleep(self._retry_s)
            try:
                await self._shared.read(Keys(cursors=("route:ping",)), now=self._clock.now())
            except StoreError:
                continue
            log.warning("routing state is shared again: %s is back", self._name)
            self._local = None
            self._search = None
            return
