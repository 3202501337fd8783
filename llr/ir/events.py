"""An answer as it arrives: one start, balanced parts, one end.

Law of a decoder: exactly one `Start` (also before a `Failed` that comes first; its id may be ""), then parts that
never overlap (each `PartStart` is followed by its deltas and its `PartEnd` before the next begins), then exactly one
`Finish` or `Failed`, nothing after. Indexes count from 0. `UsageSeen` may come anywhere between. Only a `Failed` may
come while a part is open. Encoders rely on it.
"""

from enum import StrEnum
from typing import TypeAlias

from llr.base.enums import constants
from llr.base.errors import Fault
from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.ir.parts import NO_EXTRAS, Extras, Part, Seal


@constants
class Stop(StrEnum):
    """Why the model stopped."""

    DONE = "done"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CONTEXT_FULL = "context_full"
    TOOL = "tool"
    POLICY = "policy"
    PAUSE = "pause"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; None is unknown, never negative. `estimated` marks our own count.

    The input classes (`fresh`, `cache_read`, `cache_write_*`) are disjoint. `output` counts all that was generated;
    `reasoning` is the share of it that was thinking.
    """

    fresh: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)


@dataclass(frozen=True, slots=True)
class Start:
    """The answer begins; `created_at` is epoch seconds, 0 when unknown."""

    id: str
    model: str
    created_at: float = 0.0
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins. `part` is its empty form: kind, id and name are known, text and arguments are still to come.

    An `Opaque` comes whole here and has no deltas; media in an answer likewise.
    """

    index: int
    part: Part


@dataclass(frozen=True, slots=True)
class PartDelta:
    """More text, arguments or thinking for the open part.

    `summary` counts paragraphs of a reasoning summary from 0, None for the text itself; `citation` is one more
    citation of a text part (then `text` is "").
    """

    index: int
    text: str
    summary: int | None = None
    citation: JSON = None


@dataclass(frozen=True, slots=True)
class PartEnd:
    """A part is whole. `seal` is what arrived only now; `extras` likewise."""

    index: int
    seal: Seal | None = None
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """Usage so far; later values replace earlier ones field by field where they are not None."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete."""

    stop: Stop
    stop_sequence: str | None = None
    extras: Extras = field(default_factory=lambda: NO_EXTRAS)


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off; nothing follows and nobody may call it complete."""

    fault: Fault


Event: TypeAlias = "Start | PartStart | PartDelta | PartEnd | UsageSeen | Finish | Failed"


def merge_usage(old: Usage | None, new: Usage) -> Usage:
    """Returns `new` over `old`, field by field, None never replacing a number."""
    if old is None:
        return new
    return Usage(
        fresh=old.fresh if new.fresh is None else new.fresh,
        cache_read=old.cache_read if new.cache_read is None else new.cache_read,
        cache_write_5m=old.cache_write_5m if new.cache_write_5m is None else new.cache_write_5m,
        cache_write_1h=old.cache_write_1h if new.cache_write_1h is None else new.cache_write_1h,
        output=old.output if new.output is None else new.output,
        reasoning=old.reasoning if new.reasoning is None else new.reasoning,
        estimated=new.estimated,
        extras={**old.extras, **new.extras},
    )
