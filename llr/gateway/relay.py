"""Bodies of answers that go on while the client reads: events relayed or translated, and bytes handed through.

Law: whole events only, so that a break never leaves half an event with the client; what the upstream did not finish
ends in an error of the client's format; whoever stops reading, the upstream is closed and the books are.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from llr.base.clock import Clock
from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.formats.translate import StreamTranslator
from llr.gateway.attempt import LATE_S, Events, Raw
from llr.gateway.pausing import More
from llr.wire.http import BrokenBody


class Ending(Protocol):
    """What is called once when a body is over."""

    def __call__(self, fault: Fault | None, *, cancelled: bool = False) -> Awaitable[None]:
        """Returns when the books are closed; `fault` None and not `cancelled` is success."""


class _Body:
    """What every body has: an upstream that is closed and an end that is told, both once."""

    __slots__ = ("_ending", "_held", "_source", "bytes_out")

    def __init__(self, live: Events | Raw, ending: Ending) -> None:
        self._source = live.source
        self._held = live.held
        self._ending: Ending | None = ending
        self.bytes_out = 0

    def __aiter__(self) -> Self:
        return self

    async def _close(self, fault: Fault | None, *, cancelled: bool = False) -> None:
        ending, self._ending = self._ending, None
        if ending is None:
            return
        try:
            await self._source.aclose()
        finally:
            await ending(fault, cancelled=cancelled)

    async def aclose(self) -> None:
        """Returns when the upstream is closed; before the end that means that the client left."""
        await self._close(None, cancelled=True)


class EventBody(_Body):
    """The rest of an event stream. `translate` None relays bytes as they are."""

    __slots__ = (
        "_clock",
        "_cutter",
        "_fault_event",
        "_late_at",
        "_more",
        "_over",
        "_seen",
        "_translate",
        "_watch",
    )

    def __init__(
        self,
        live: Events,
        ending: Ending,
        fault_event: Callable[[Fault], bytes],
        translate: StreamTranslator | None = None,
        seen: Callable[[bytes], None] | None = None,
        clock: Clock | None = None,
        more: More | None = None,
    ) -> None:
        """Takes what was held back of the stream; `seen` is shown what a translation says.

        With a `clock` a translated answer that is complete ends `LATE_S` later at the latest. `more` goes on with a
        paused turn.
        """
        super().__init__(live, ending)
        self._more = more
        self._clock = clock if translate is not None else None
        self._late_at: float | None = None
        self._seen = seen
        self._cutter = live.cutter
        self._watch = live.watch
        self._fault_event = fault_event
        self._translate = translate
        self._over = False

    async def __anext__(self) -> bytes:
        """Returns the next run of events. Never raises but at the end: what breaks is told in the client's words."""
        if self._held:
            held, self._held = self._held, b""
            out = self._out(held)
            if out:
                self.bytes_out += len(out)
                return out
        while not self._over:
            try:
                chunk = await self._next()
                block = self._cutter.feed(chunk) if chunk is not None else b""
            except GatewayError as exc:
                out = await self._finish(exc.fault)
            else:
                if chunk is None and await self._goes_on():
                    out = self._out(self._held)
                    self._held = b""
                elif chunk is None:
                    out = await self._ended()
                elif not block:
                    continue
                else:
                    relayed = self._watch.look(block)
                    out = self._out(relayed)
                    if len(relayed) < len(block):
                        # It says that it is done although its answer is not: the closing event was kept back.
                        out += await self._finish(None)
            if out:
                self.bytes_out += len(out)
                return out
        raise StopAsyncIteration

    async def _next(self) -> bytes | None:
        """Returns the next bytes, None at the end or when a complete answer has waited long enough for it."""
        clock = self._clock
        if clock is None or not self._watch.complete:
            return await self._source.next()
        now = clock.monotonic()
        self._late_at = now + LATE_S if self._late_at is None else self._late_at
        try:
            return await self._source.next_within(max(0.0, self._late_at - now), clock)
        except TimeoutError:
            return None

    async def _goes_on(self) -> bool:
        """Returns whether the upstream only paused its turn and is at it again, in another stream."""
        stage = self._translate
        said = stage.pause if stage is not None and self._more is not None else None
        if stage is None or said is None or self._more is None:
            return False
        live = await self._more(said)
        if live is None:
            self._more = None
            return False
        await self._source.aclose()
        self._source, self._cutter, self._watch, self._held = live.source, live.cutter, live.watch, live.held
        self._late_at = None
        stage.resume()
        return True

    def _out(self, block: bytes) -> bytes:
        if self._translate is None:
            return block
        out = b"".join(self._translate.feed(block))
        if self._seen is not None and out:
            self._seen(out)
        return out

    async def _ended(self) -> bytes:
        """The upstream ended its body in good order; whether the answer is whole is another matter."""
        tail = self._cutter.finish()
        out = b""
        if tail and self._watch.whole(tail):
            known = self._watch.complete
            relayed = self._watch.read(tail)
            if relayed and (known or self._watch.complete):
                out = self._out(relayed)
                if self._watch.closing:
                    out += b"\n\n"
        return out + await self._finish(None)

    async def _finish(self, fault: Fault | None) -> bytes:
        self._over = True
        watch, told = self._watch, self._watch.fault
        if told is None and not watch.complete:
            told = fault or Fault(ErrorKind.UPSTREAM_TRUNCATED, "the provider's stream ended before it was complete")
        if self._translate is not None:
            end = self._translate.finish() if told is None or fault is None else self._translate.fail(told)
            out = b"".join(end)
            if self._seen is not None and out:
                self._seen(out)
        elif told is None:
            out = watch.closing
        else:
            # An error event of the upstream was relayed as it is; only what it did not say is said here.
            out = b"" if watch.fault is not None else self._fault_event(told)
        await self._close(told)
        return out

    async def aclose(self) -> None:
        """Returns when the upstream is closed; nothing more comes out."""
        self._over = True
        await super().aclose()


class RawBody(_Body):
    """The rest of a body nobody here understands: audio, images, other vendors' events."""

    __slots__ = ()

    async def __anext__(self) -> bytes:
        """Returns the next bytes. Raises `BrokenBody` when the upstream broke off: only a cut says so."""
        if self._held:
            held, self._held = self._held, b""
            self.bytes_out += len(held)
            return held
        if self._ending is None:
            raise StopAsyncIteration
        try:
            chunk = await self._source.next()
        except GatewayError as exc:
            await self._close(exc.fault)
            raise BrokenBody(exc.fault.message) from exc
        if chunk is None:
            await self._close(None)
            raise StopAsyncIteration
        self.bytes_out += len(chunk)
        return chunk
