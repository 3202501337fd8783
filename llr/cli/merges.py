"""How the answers of several workers become one on the control channel. Pure."""

from collections.abc import Callable, Mapping, Sequence

from llr.base.jsonio import JSON
from llr.daemon.channel import Answer
from llr.daemon.supervisor import Merge, first_bad

Row = dict[str, JSON]


def _bodies(answers: Sequence[Answer]) -> list[Row]:
    return [reply.body for reply in answers if reply.status < 400 and isinstance(reply.body, dict)]


def _rows(bodies: Sequence[Row], name: str) -> list[Row]:
    listed = [value for body in bodies if isinstance(value := body.get(name), list)]
    return [row for rows in listed for row in rows if isinstance(row, dict)]


def _number(value: JSON) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _total(bodies: Sequence[Row], name: str) -> JSON:
    return sum(int(_number(body.get(name))) for body in bodies)


def _apart(bodies: Sequence[Row]) -> bool:
    """Returns whether each worker told of state of its own."""
    return any(body.get("perProcess") is True for body in bodies)


def _once(rows: Sequence[Row], keys: Sequence[str], better: Callable[[Row, Row], Row]) -> list[JSON]:
    """Returns one row for each value of `keys`, in the order in which they were first seen."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(str(row.get(name)) for name in keys)
        found[key] = better(found[key], row) if key in found else row
    return list(found.values())


def status(answers: Sequence[Answer]) -> Answer:
    """Returns the first worker's facts, with counts of all: they serve the same config."""
    bodies = _bodies(answers)
    if not bodies:
        return first_bad(answers)
    away = any(body.get("stateAway") is True for body in bodies)
    learned = _once(_rows(bodies, "learned"), ("candidate", "wire"), _joined)
    return Answer(
        200,
        {
            **bodies[0],
            "upstreamConnections": _total(bodies, "upstreamConnections"),
            "learned": learned,
            "stateAway": away,
        },
    )


def _joined(one: Row, other: Row) -> Row:
    marks = {str(mark) for row in (one, other) if isinstance(listed := row.get("marks"), list) for mark in listed}
    return {**one, "marks": [*sorted(marks)]}


def _longer(one: Row, other: Row) -> Row:
    return other if str(other.get("until")) > str(one.get("until")) else one


def cooldowns(answers: Sequence[Answer]) -> Answer:
    """Returns every cooldown once, the one that lasts longest; counts are added up where each worker has its own."""
    bodies = _bodies(answers)
    if not bodies:
        return first_bad(answers)
    apart = _apart(bodies)

    def used(one: Row, other: Row) -> Row:
        mine, theirs = _number(one.get("used")), _number(other.get("used"))
        return {**one, "used": mine + theirs if apart else max(mine, theirs)}

    rests = _once(_rows(bodies, "cooldowns"), ("name", "format", "reason"), _longer)
    counts = _once(_rows(bodies, "counts"), ("provider", "bucket", "window", "unit"), used)
    return Answer(200, {**bodies[0], "cooldowns": rests, "counts": counts})


def cleared(answers: Sequence[Answer]) -> Answer:
    """Returns how many were cleared: with a shared store several workers may have found the same ones."""
    bodies = _bodies(answers)
    if not bodies:
        return first_bad(answers)
    most = max(int(_number(body.get("cleared"))) for body in bodies)
    return Answer(200, {**bodies[0], "cleared": _total(bodies, "cleared") if _apart(bodies) else most})


MERGES: Mapping[str, Merge] = {
    "GET /status": status,
    "GET /cooldowns": cooldowns,
    "POST /cooldowns/clear": cleared,
}
