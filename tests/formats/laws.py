"""Laws every decoder and encoder of streams keeps, written once."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from llr.base.errors import ErrorKind, Fault
from llr.ir.events import Event, Failed, Finish, PartDelta, PartEnd, PartStart, Start, UsageSeen
from llr.wire.stage import Stage

T = TypeVar("T")
U = TypeVar("U")
SIZES = (1, 2, 3, 7, 64)


def drain(stage: Stage[T, U], items: Iterable[T]) -> list[U]:
    """Returns everything a stage gives for `items`, its end included."""
    out: list[U] = []
    for item in items:
        out.extend(stage.feed(item))
    out.extend(stage.finish())
    return out


def same_for_any_chunking(make: Callable[[], Stage[bytes, U]], data: bytes) -> list[U]:
    """Returns what a decoder gives for `data`, after asserting that it is the same for any chunking."""
    whole = drain(make(), [data])
    for size in SIZES:
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert drain(make(), pieces) == whole, f"chunks of {size} bytes"
    return whole


def check_grammar(events: Sequence[Event]) -> None:
    """Asserts one start, balanced parts, one end, nothing after."""
    assert events, "no events at all"
    assert isinstance(events[0], Start)
    current: int | None = None
    last = -1
    ended = False
    for event in events[1:]:
        assert not ended, f"{event} after the end"
        match event:
            case PartStart():
                assert current is None, "a part begins inside another"
                assert event.index == last + 1
                current = last = event.index
            case PartDelta():
                assert event.index == current
            case PartEnd():
                assert event.index == current
                current = None
            case UsageSeen():
                pass
            case Finish():
                assert current is None, "finished inside a part"
                ended = True
            case Failed():
                ended = True
            case Start():
                raise AssertionError("a second start")
    assert ended, "no end"


def fails_when_cut(make: Callable[[], Stage[bytes, Event]], data: bytes, complete_at: int) -> None:
    """Asserts that a stream cut before `complete_at` bytes fails as truncated, and finishes from there on."""
    for cut in range(len(data) + 1):
        events = drain(make(), [data[:cut]])
        check_grammar(events)
        end = events[-1]
        if cut < complete_at:
            assert isinstance(end, Failed), f"cut at {cut}: {end}"
            assert end.fault.kind is ErrorKind.UPSTREAM_TRUNCATED
        else:
            assert isinstance(end, Finish), f"cut at {cut}: {end}"


BROKEN = Failed(Fault(ErrorKind.UPSTREAM_TRUNCATED, "the upstream's stream ended early"))


def every_failure(events: Sequence[Event]) -> Iterable[list[Event]]:
    """Yields the stream broken off after each of its events."""
    for size in range(1, len(events)):
        yield [*events[:size], BROKEN]
