"""What happened to a request, as frozen records for whoever wants to know. Nothing here is needed to serve it."""

from typing import Protocol, TypeAlias

from llr.base.names import FormatId
from llr.base.records import dataclass, field
from llr.ir.events import Usage
from llr.ir.loss import Loss
from llr.routing.outcome import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Started:
    """A request was read and understood. `at` is epoch seconds; `tool` the coding tool, "" when unknown."""

    id: str
    at: float
    client: FormatId
    kind: str
    model: str
    stream: bool
    tool: str = ""
    session: str = ""
    bytes_in: int = 0


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt has its verdict.

    `wire` is the format on the line, `next_ref` who is tried next ("" for nobody), `model` what the client asked for.
    """

    id: str
    at: float
    started_at: float
    route: str
    ref: str
    wire: FormatId
    outcome: Outcome
    verdict: Verdict
    losses: tuple[Loss, ...] = ()
    message: str = ""
    next_ref: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt in a trace. `result` is `ok` or the failure's category; instants are epoch seconds."""

    ref: str
    wire: FormatId
    status: int | None
    result: str
    attempt: int
    started_at: float
    ended_at: float

    def __str__(self) -> str:
        """Returns `provider/model:<status or error>/<category or ok>#<attempt>`."""
        status = "error" if self.status is None else str(self.status)
        return f"{self.ref}:{status}/{self.result}#{self.attempt}"


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one request: what it was, who was skipped and why, who was tried, what translation lost.

    `debug`: somebody asked for it, by header field or knob. `risk` is why the selected candidate may be too small.
    """

    client: FormatId
    kind: str
    model: str
    stream: bool
    tool: str
    bytes_in: int
    debug: bool = False
    type: str = ""
    strategy: str = ""
    ref: str = ""
    selected: str = ""
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tries: tuple[Try, ...] = ()
    context_tokens: int = 0
    risk: str = ""
    tool_types: tuple[str, ...] = ()
    wire: FormatId | None = None
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is over, however it ended.

    `end` is `complete`, `failed` (an error answer, or an error inside a stream) or `cancelled` (the client left).
    Instants are epoch seconds, 0 for never; `usage` is None when nobody told and nobody estimated. `trace` is there
    when the request log is on or routing is debugged.
    """

    id: str
    at: float
    started_at: float
    status: int
    end: str
    route: str = ""
    ref: str = ""
    wire: FormatId | None = None
    attempts: int = 0
    first_token_at: float = 0.0
    bytes_out: int = 0
    usage: Usage | None = None
    message: str = ""
    failed_refs: tuple[str, ...] = field(default=())
    model: str = ""
    trace: Trace | None = None


Record: TypeAlias = "Started | Attempted | Finished"


class Observer(Protocol):
    """Takes records as they come; must be quick and must not raise."""

    def __call__(self, record: Record, /) -> None:
        """Returns at once."""


def ignore(record: Record, /) -> None:
    """Returns at once: the observer of a gateway that nobody watches."""
