"""Fakes for tests: a clock that is told to move, a transport that follows a script, and whole conversations."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any, TypeAlias, TypeVar

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.ids import CountingIds
from llr.base.records import dataclass, field
from llr.config.parse import parse_config
from llr.config.schema import Settings
from llr.gateway.app import Gateway
from llr.gateway.deps import ConfigHolder, Deps
from llr.gateway.observe import Attempted, Finished, Record, Started
from llr.providers.auth import StaticCredentials
from llr.state.memory import MemoryStore
from llr.state.store import Store
from llr.wire.http import (
    BrokenBody,
    Handler,
    Headers,
    Heartbeat,
    InboundResponse,
    OutboundRequest,
    RawHeaders,
    Request,
    Response,
    Timeouts,
)
from llr.wire.sse import SSEEvent, SSEParser
from llr.wire.stage import Stage

T = TypeVar("T")
# JSON values, or the bytes themselves.
Sendable: TypeAlias = Any
# A Saturday of 2026, as the rate-limit tables of the docs use it.
START_AT = 1_772_293_357.0


async def settle(rounds: int = 30) -> None:
    """Returns after everything that can run without time passing has run."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class FakeClock:
    """Time that passes only by `advance`."""

    def __init__(self, at: float = START_AT) -> None:
        self._now = at
        self._sleepers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def now(self) -> float:
        """Returns the instant in epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Returns the same seconds."""
        return self._now

    def _at(self, when: float, wake: Callable[[], None]) -> tuple[float, int, Callable[[], None]]:
        self._count += 1
        entry = (when, self._count, wake)
        self._sleepers.append(entry)
        return entry

    async def sleep(self, seconds: float) -> None:
        """Returns once the clock was advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not done.done():
                done.set_result(None)

        entry = self._at(self._now + seconds, wake)
        try:
            await done
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    @asynccontextmanager
    async def _limit(self, seconds: float) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            entry = self._at(self._now + seconds, lambda: limit.reschedule(loop.time()))
            try:
                yield
            finally:
                if entry in self._sleepers:
                    self._sleepers.remove(entry)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Returns a context cut off with `TimeoutError` once the clock was advanced by `seconds`."""
        return self._limit(seconds)

    async def advance(self, seconds: float) -> None:
        """Moves on, waking sleepers one by one in order of their time, and lets everybody run in between."""
        target = self._now + seconds
        await settle()
        while True:
            due = sorted(entry for entry in self._sleepers if entry[0] <= target)
            if not due:
                break
            entry = due[0]
            self._sleepers.remove(entry)
            self._now = max(self._now, entry[0])
            entry[2]()
            await settle()
        self._now = target
        await settle()

    @property
    def sleepers(self) -> int:
        """Returns how many are waiting for time to pass."""
        return len(self._sleepers)


@dataclass(frozen=True, slots=True)
class Wait:
    """A script's pause, in seconds of the fake clock; infinite for a hang."""

    seconds: float = float("inf")


HANG = Wait()
Step: TypeAlias = "bytes | Wait | GatewayError"


def refused(host: str = "upstream") -> GatewayError:
    """Returns what a transport raises when nobody listens."""
    return fail(ErrorKind.UPSTREAM_UNREACHABLE, f"connecting to {host}: Connection refused")


def reset() -> GatewayError:
    """Returns what a body raises when the peer closed early."""
    return fail(ErrorKind.UPSTREAM_TRUNCATED, "the connection was reset")


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer: steps before the head, the head, steps of the body."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    steps: Sequence[Step] = ()
    before: Sequence[Step] = ()


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """Returns a JSON answer; underscores in header names stand for dashes."""
    fields = [("content-type", "application/json"), *((name.replace("_", "-"), text) for name, text in headers.items())]
    return Reply(status, fields, (json.dumps(value).encode(),))


def sse_reply(*steps: Step, **headers: str) -> Reply:
    """Returns an event stream."""
    fields = [
        ("content-type", "text/event-stream"),
        *((name.replace("_", "-"), text) for name, text in headers.items()),
    ]
    return Reply(200, fields, steps)


class ScriptedResponse:
    """An answer that follows its script."""

    def __init__(self, reply: Reply, clock: FakeClock, closed: Callable[[bool], None]) -> None:
        self.status = reply.status
        self.headers = Headers([(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers])
        self._steps = reply.steps
        self._clock = clock
        self._closed: Callable[[bool], None] | None = closed
        self.read_whole = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yields the script's bytes; raises its errors."""
        for step in self._steps:
            if isinstance(step, Wait):
                await _pause(step, self._clock)
            elif isinstance(step, GatewayError):
                raise step
            else:
                yield step
        self.read_whole = True

    async def aclose(self) -> None:
        """Notes that nobody reads on."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self.read_whole)


async def _pause(step: Wait, clock: FakeClock) -> None:
    if step.seconds == float("inf"):
        await asyncio.get_running_loop().create_future()
    await clock.sleep(step.seconds)


class ScriptedTransport:
    """Answers each host's requests from its list of replies, the last one again and again.

    `seen` are the requests; with `keeps` off they are not remembered.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._replies: dict[str, deque[Reply]] = {}
        self.seen: list[OutboundRequest] = []
        self.timeouts: list[Timeouts] = []
        self.open = 0
        self.cut = 0
        self.keeps = True

    def script(self, host: str, *replies: Reply) -> None:
        """Sets what a host answers."""
        self._replies[host] = deque(replies)

    def sent(self, host: str) -> list[OutboundRequest]:
        """Returns the requests a host got."""
        return [request for request in self.seen if request.origin.host == host]

    async def send(self, request: OutboundRequest, *, timeouts: Timeouts) -> InboundResponse:
        """Returns the next reply of the host. Raises what its script says."""
        if self.keeps:
            self.seen.append(request)
        self.timeouts.append(timeouts)
        replies = self._replies.get(request.origin.host)
        if not replies:
            raise refused(request.origin.host)
        reply = replies.popleft() if len(replies) > 1 else replies[0]
        for step in reply.before:
            if isinstance(step, Wait):
                await _pause(step, self._clock)
            elif isinstance(step, GatewayError):
                raise step
        self.open += 1
        return ScriptedResponse(reply, self._clock, self._closed)

    def _closed(self, read_whole: bool) -> None:
        self.open -= 1
        self.cut += not read_whole


class BytesBody:
    """A request body that is there at once; notes whether it was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.reads = 0

    async def read(self, limit_bytes: int) -> bytes:
        """Returns the body. Raises `GatewayError(TOO_LARGE)` past the limit."""
        self.reads += 1
        if len(self._data) > limit_bytes:
            raise fail(ErrorKind.TOO_LARGE, "the request body is too large")
        return self._data


def make_request(
    method: str,
    target: str,
    body: Sendable = b"",
    headers: Mapping[str, str] | None = None,
    *,
    peer: str = "127.0.0.1",
) -> Request:
    """Returns a request as a server would hand it over; JSON bodies get their content type."""
    raw: RawHeaders = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    names = {name for name, _ in raw}
    if b"host" not in names:
        raw.append((b"host", b"127.0.0.1:8376"))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if not isinstance(body, bytes) and b"content-type" not in names:
        raw.append((b"content-type", b"application/json"))
    return Request(method, target, Headers(raw), BytesBody(data), peer)


@dataclass(slots=True)
class Heard:
    """What a client heard: status, fields, and the body as it came."""

    status: int
    headers: Headers
    chunks: list[bytes] = field(default_factory=list)
    broken: bool = False

    @property
    def body(self) -> bytes:
        """Returns all bytes of the body."""
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        """Returns the body as JSON."""
        return json.loads(self.body)

    @property
    def events(self) -> list[SSEEvent]:
        """Returns the body as events."""
        parser = SSEParser()
        return [*parser.feed(self.body), *parser.finish()]


async def listen(response: Response, heard: Heard, clock: FakeClock) -> None:
    """Reads a body as the server would: pings after silence, the iterator closed in the end."""
    body, beat = response.body, response.heartbeat
    if isinstance(body, bytes):
        heard.chunks.append(body)
        return
    iterator = body.__aiter__()
    try:
        while True:
            read = asyncio.ensure_future(iterator.__anext__())
            try:
                while beat is not None and not read.done():
                    await _heard_or_pinged(read, beat, heard, clock)
                heard.chunks.append(await read)
            finally:
                if not read.done():
                    read.cancel()
                    await asyncio.wait((read,))
    except StopAsyncIteration:
        return
    except BrokenBody:
        heard.broken = True
    finally:
        aclose = getattr(iterator, "aclose", None)
        if aclose is not None:
            await aclose()


async def _heard_or_pinged(read: "asyncio.Future[bytes]", beat: Heartbeat, heard: Heard, clock: FakeClock) -> None:
    pause = asyncio.ensure_future(clock.sleep(beat.interval_s))
    try:
        await asyncio.wait((read, pause), return_when=asyncio.FIRST_COMPLETED)
        if not read.done():
            heard.chunks.append(beat.beat())
    finally:
        pause.cancel()
        await asyncio.wait((pause,))


class Collector:
    """An observer that keeps every record."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def __call__(self, record: Record, /) -> None:
        """Keeps the record."""
        self.records.append(record)

    @property
    def started(self) -> list[Started]:
        """Returns the requests that began."""
        return [record for record in self.records if isinstance(record, Started)]

    @property
    def attempts(self) -> list[Attempted]:
        """Returns the attempts."""
        return [record for record in self.records if isinstance(record, Attempted)]

    @property
    def finished(self) -> list[Finished]:
        """Returns the requests that ended."""
        return [record for record in self.records if isinstance(record, Finished)]


class Upstream:
    """One scripted provider, by the host of its base URL."""

    def __init__(self, transport: ScriptedTransport, host: str) -> None:
        self._transport = transport
        self._host = host

    def answers(self, *replies: Reply) -> None:
        """Sets the answers, the last one repeated."""
        self._transport.script(self._host, *replies)

    @property
    def asked(self) -> list[OutboundRequest]:
        """Returns what it was asked."""
        return self._transport.sent(self._host)

    @property
    def bodies(self) -> list[Any]:
        """Returns the JSON bodies it was sent."""
        return [json.loads(b"".join(request.body)) for request in self.asked]


class Playbook:
    """A gateway with scripted upstreams, a clock that stands still, and a client."""

    def __init__(
        self,
        doc: dict[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        settings: Settings | None = None,
        store: Store | None = None,
        **deps: Any,
    ) -> None:
        self.env = dict(env or {})
        parsed = parse_config(doc, self.env)
        assert parsed.config is not None, parsed.issues
        self.clock = FakeClock()
        self.transport = ScriptedTransport(self.clock)
        self.observer = Collector()
        self.store: Store = store or MemoryStore()
        self.configs = ConfigHolder(parsed.config, settings or Settings(retry_attempts=1), env=self.env)
        self.deps = Deps(
            configs=self.configs,
            store=self.store,
            transport=self.transport,
            credentials=StaticCredentials(self.env),
            clock=self.clock,
            rng=Random(1),
            ids=CountingIds(),
            observe=self.observer,
            started_at=START_AT,
            **deps,
        )
        self.handler: Handler = Gateway(self.deps)

    def upstream(self, host: str) -> Upstream:
        """Returns the provider behind a host name."""
        return Upstream(self.transport, host)

    async def open(
        self, method: str, target: str, body: Sendable = b"", headers: Mapping[str, str] | None = None, **more: Any
    ) -> "Asking":
        """Returns a request under way, run as far as it goes without time passing."""
        asking = Asking(self, make_request(method, target, body, headers, **more))
        await settle()
        return asking

    async def ask(
        self, method: str, target: str, body: Sendable = b"", headers: Mapping[str, str] | None = None, **more: Any
    ) -> Heard:
        """Returns the whole answer to one request that needs no time to pass."""
        asking = await self.open(method, target, body, headers, **more)
        return await asking.heard()


class Asking:
    """One request under way."""

    def __init__(self, play: Playbook, request: Request) -> None:
        self._play = play
        self.answer: Heard | None = None
        self.task = asyncio.ensure_future(self._run(request))

    async def _run(self, request: Request) -> None:
        response = await self._play.handler(request)
        self.answer = Heard(response.status, Headers(list(response.headers)))
        await listen(response, self.answer, self._play.clock)

    @property
    def done(self) -> bool:
        """Returns whether the answer is over."""
        return self.task.done()

    async def heard(self) -> Heard:
        """Returns the whole answer; fails the test when it does not come without time passing."""
        await settle(200)
        assert self.task.done(), "the answer is not complete; advance the clock"
        await self.task
        assert self.answer is not None
        return self.answer

    async def leave(self) -> None:
        """Cancels as a server does when its client is gone."""
        self.task.cancel()
        await asyncio.wait((self.task,))


def drain(stage: Stage[bytes, T], chunks: Sequence[bytes]) -> list[T]:
    """Returns all a stage gives for these chunks and the end."""
    out = [item for chunk in chunks for item in stage.feed(chunk)]
    return [*out, *stage.finish()]


def same_for_any_chunking(make: Callable[[], Stage[bytes, T]], data: bytes) -> list[T]:
    """Returns what a stage makes of `data`; fails when the chunking makes a difference."""
    whole = drain(make(), [data])
    for size in (1, 2, 7, 64):
        assert drain(make(), [data[at : at + size] for at in range(0, len(data), size)]) == whole
    return whole
