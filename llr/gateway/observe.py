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
class Finished:
    """The answer is over, however it ended.

    `end` is `complete`, `failed` (an error answer, or an error inside a stream) or `cancelled` (the client left).
    Instants are epoch seconds, 0 for never; `usage` is None when nobody told and nobody estimated.
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


Record: TypeAlias = "Started | Attempted | Finished"


class Observer(Protocol):
    """Takes records as they come; must be quick and must not raise."""

    def __call__(self, record: Record, /) -> None:
        """Returns at once."""


def ignore(record: Record, /) -> None:
    """Returns at once: the observer of a gateway that nobody watches."""
