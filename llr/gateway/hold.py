"""What one request holds of one candidate: counted requests, tokens, slots. Whatever happens, it is given back."""

import asyncio

from llr.base.clock import Clock
from llr.routing.limits import NOTHING_RESERVED, RENEW_EVERY_S, Reservation
from llr.state.store import Op, Store


class Hold:
    """One reservation from taking it to closing it; closing twice is closing once."""

    __slots__ = ("_clock", "_renewer", "_reservation", "_store")

    def __init__(self, store: Store, clock: Clock, reservation: Reservation) -> None:
        self._store = store
        self._clock = clock
        self._reservation = reservation
        self._renewer: asyncio.Task[None] | None = None

    @property
    def counts(self) -> bool:
        """Returns whether anything is held that an answer's size may change."""
        return bool(self._reservation.ops)

    async def take(self, besides: tuple[Op, ...] = ()) -> tuple[bool, ...]:
        """Returns for each op whether it was granted; with one refusal nothing is held.

        `besides` are ops that cannot be refused and are written in the same call, or not at all.
        """
        ops = (*besides, *self._reservation.ops)
        if not ops:
            return ()
        granted = (await self._store.apply(ops, now=self._clock.now()))[len(besides) :]
        if not all(granted):
            self._reservation = NOTHING_RESERVED
        elif self._reservation.renewals(0.0):
            self._renewer = asyncio.create_task(self._renew())
        return granted

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(RENEW_EVERY_S)
            now = self._clock.now()
            await self._store.apply(self._reservation.renewals(now), now=now)

    async def close(self, *, used: bool, tokens: int | None = None) -> None:
        """Returns when slots are free and counts are right: `used` if an answer came, `tokens` what it took."""
        reservation, self._reservation = self._reservation, NOTHING_RESERVED
        if self._renewer is not None:
            self._renewer.cancel()
            self._renewer = None
        ops = reservation.used(tokens) if used else reservation.unused()
        if ops:
            await self._store.apply(ops, now=self._clock.now())
