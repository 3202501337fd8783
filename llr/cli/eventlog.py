"""What the data plane observed, as log lines: failures always, everything else at level debug."""

from collections.abc import Callable

from llr.daemon.log import Log
from llr.gateway.observe import Attempted, Finished, Observer, Record, Started
from llr.routing.outcome import Commit, RetrySame

# Messages may quote an upstream's error; more than this says nothing new.
MAX_TEXT = 300


def log_observer(log: Log) -> Observer:
    """Returns an observer that writes to `log`."""

    def observe(record: Record, /) -> None:
        match record:
            case Started():
                _started(log, record)
            case Attempted():
                _attempted(log, record)
            case Finished():
                _finished(log, record)

    return observe


def all_of(*observers: Callable[[Record], None]) -> Observer:
    """Returns an observer that tells each of these."""

    def observe(record: Record, /) -> None:
        for each in observers:
            each(record)

    return observe


def _started(log: Log, record: Started) -> None:
    log.event(
        "request",
        level="debug",
        id=record.id,
        client=str(record.client),
        model=record.model[:MAX_TEXT],
        stream=record.stream,
        tool=record.tool or None,
        bytes=record.bytes_in,
    )


def _attempted(log: Log, record: Attempted) -> None:
    if isinstance(record.verdict, Commit):
        return
    log.event(
        "attempt-failed",
        level="warn",
        id=record.id,
        candidate=record.ref,
        status=record.outcome.status,
        phase=str(record.outcome.phase),
        category=str(record.verdict.category),
        then=_then(record),
        next=record.next_ref or None,
        message=record.message[:MAX_TEXT] or None,
    )


def _then(record: Attempted) -> str:
    if isinstance(record.verdict, RetrySame):
        return "same-again"
    return "next" if record.next_ref else "give-up"


def _finished(log: Log, record: Finished) -> None:
    failed = record.end == "failed"
    log.event(
        "request-failed" if failed else "request-done",
        level="warn" if failed else "debug",
        id=record.id,
        status=record.status,
        end=record.end,
        candidate=record.ref or None,
        attempts=record.attempts,
        seconds=round(record.at - record.started_at, 3),
        message=record.message[:MAX_TEXT] or None,
    )
