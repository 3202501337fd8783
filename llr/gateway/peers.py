"""What the processes of one gateway tell each other: lessons learned, and whose a Responses id is.

Law: who serves alone asks nobody. A process that does not answer counts as one that does not know. Turns are found only
with the owner they were kept for, as in one process.
"""

from collections.abc import Iterator, Mapping

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.gateway.call import Call
from llr.gateway.deps import Deps
from llr.gateway.history import Entry, owned, references, said_items, with_items
from llr.gateway.stored import issuers, note_issuer

# What is written of a turn is at most twice its size, and a line between processes has an end.
_MOST_BYTES = 32 * 1024 * 1024
_WIRES = frozenset(map(str, FormatId))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a response id: the turn itself where it is kept here, or the candidate that issued the id.

    `foreign`: it was issued to somebody else; the provider, who knows only us, would tell all the same.
    """

    turn: Entry | None = None
    issuer: str = ""
    foreign: bool = False


NOT_KNOWN = Known()


# Lessons: what one process learns, all know.


def learn(deps: Deps, ref: str, wire: FormatId, mark: str, until_at: float = 0.0) -> bool:
    """Notes what a refusal taught, here and in the other processes; returns whether it is news.

    `until_at` ends a lesson that is not for ever.
    """
    news = deps.learned.add(ref, wire, mark, until_at)
    if news and deps.peers.line is not None:
        deps.peers.line.tell({"lesson": _lesson(ref, wire, mark, until_at)})
    return news


def _lesson(ref: str, wire: FormatId, mark: str, until_at: float) -> JSON:
    return [ref, wire.value, mark, until_at] if until_at else [ref, wire.value, mark]


def calibrate(deps: Deps, ref: str, estimated: int, counted: int) -> None:
    """Notes how far an estimate was from what a provider counted, here and in the other processes."""
    deps.calibration.note(ref, estimated, counted)
    if deps.peers.line is not None:
        deps.peers.line.tell({"counted": [ref, estimated, counted]})


def hear(deps: Deps, news: JSON) -> None:
    """Takes one piece of news of another process."""
    match news:
        case {"lesson": [str(ref), str(wire), str(mark)]} if wire in _WIRES:
            deps.learned.add(ref, FormatId(wire), mark)
        case {"lesson": [str(ref), str(wire), str(mark), (int() | float()) as until_at]} if wire in _WIRES:
            deps.learned.add(ref, FormatId(wire), mark, until_at)
        case {"counted": [str(ref), int(estimated), int(counted)]}:
            deps.calibration.note(ref, estimated, counted)


def lessons(deps: Deps) -> dict[str, JSON]:
    """Returns everything learned, for a process that takes up work."""
    found: list[JSON] = [
        _lesson(ref, wire, mark, deps.learned.until(ref, wire, mark))
        for (ref, wire), marks in deps.learned.all().items()
        for mark in sorted(marks)
    ]
    return {"lessons": found, "ratios": dict(deps.calibration.all())}


# Responses: a turn is kept by the process that answered it, the others ask for it.


async def look_up(deps: Deps, response_id: object, owner: str) -> Known:
    """Returns what this process, or else another one, knows of a response id."""
    if not isinstance(response_id, str) or not response_id:
        return NOT_KNOWN
    found = _here(deps, response_id, owner)
    line = deps.peers.line
    if found is None and line is not None:
        answers = await line.ask({"response": response_id, "owner": owner})
        found = next((told for told in answers if isinstance(told, dict)), None)
    if found is None:
        return NOT_KNOWN
    if isinstance(found, Mapping):
        holder, issuer = found.get("holder", owner), found.get("issuer")
        if holder != owner:
            return Known(foreign=True)
        return Known(_turn(found.get("turn")), issuer if isinstance(issuer, str) else "")
    return Known(found)


async def referred(deps: Deps, call: Call) -> Call:
    """Returns the call with the items it only refers to in place of the references, as far as they were said here."""
    wanted = references(call)
    if not wanted:
        return call
    found = said_items(deps.history, call.owner, wanted, deps.clock.now())
    missing: list[JSON] = [*sorted(wanted - found.keys())]
    if missing and deps.peers.line is not None:
        for told in await deps.peers.line.ask({"items": missing, "owner": call.owner}):
            if isinstance(told, dict):
                found |= told
    return with_items(call, found)


async def forget(deps: Deps, response_id: str, owner: str) -> None:
    """Forgets a turn in every process."""
    key = owned(owner, response_id)
    if key is not None:
        deps.history.drop(key)
    if deps.peers.line is not None:
        await deps.peers.line.ask({"response": response_id, "owner": owner, "forget": True})


def told(deps: Deps, question: JSON) -> JSON:
    """Returns what this process knows of another one's question, None for nothing."""
    match question:
        case {"response": str(response_id), "owner": str(owner), "forget": True}:
            deps.history.drop(f"{owner} {response_id}")
            return None
        case {"response": str(response_id), "owner": str(owner)}:
            found = _here(deps, response_id, owner)
            if not isinstance(found, Entry):
                return found
            return {"turn": _written(found)} if found.size_bytes <= _MOST_BYTES else None
        case {"items": list(wanted), "owner": str(owner)}:
            ids = {one for one in wanted if isinstance(one, str)}
            return said_items(deps.history, owner, ids, deps.clock.now()) or None
    return None


def _here(deps: Deps, response_id: str, owner: str) -> "Entry | dict[str, JSON] | None":
    """Returns the turn kept in this process, or issuer and holder of the id, or None."""
    entry = deps.history.get(owned(owner, response_id), deps.clock.now())
    if entry is not None:
        return entry
    ref, holder = issuers(deps).get(response_id, ("", ""))
    return {"issuer": ref, "holder": holder} if ref else None


def turns(deps: Deps) -> dict[str, JSON]:
    """Returns the turns kept here and the ids issued, for the process that goes on: the latest, as far as they fit."""
    kept: list[JSON] = []
    left = _MOST_BYTES
    for key, entry in reversed(deps.history.all()):
        left -= entry.size_bytes
        if left < 0:
            break
        kept.insert(0, [key, _written(entry)])
    return {"turns": kept, "issued": [[one, ref, owner] for one, (ref, owner) in issuers(deps).items()]}


def absorb(deps: Deps, memory: JSON) -> None:
    """Takes over what another process gave as `lessons` or `turns`; what is not understood is left out."""
    if not isinstance(memory, dict):
        return
    for row in _rows(memory, "lessons"):
        hear(deps, {"lesson": row})
    ratios = memory.get("ratios")
    if isinstance(ratios, dict):
        deps.calibration.take_over({ref: ratio for ref, ratio in ratios.items() if isinstance(ratio, int | float)})
    spec = deps.configs.current.config.responses_store
    for row in _rows(memory, "turns"):
        entry = _turn(row[1]) if len(row) == 2 else None
        if entry is not None:
            deps.history.put(str(row[0]), entry, spec)
    for row in _rows(memory, "issued"):
        if len(row) == 3:
            note_issuer(deps, row[0], str(row[1]), str(row[2]))


def _rows(memory: Mapping[str, JSON], name: str) -> Iterator[list[JSON]]:
    rows = memory.get(name)
    return (row for row in rows if isinstance(row, list)) if isinstance(rows, list) else iter(())


def _written(entry: Entry) -> dict[str, JSON]:
    return {
        "items": list(entry.items),
        "asked": list(entry.asked),
        "response": dict(entry.response),
        "sizeBytes": entry.size_bytes,
        "expiresAt": entry.expires_at,
    }


def _turn(value: JSON) -> Entry | None:
    match value:
        case {
            "items": list(items),
            "asked": list(asked),
            "response": dict(response),
            "sizeBytes": int(size),
            "expiresAt": (int() | float()) as until,
        }:
            return Entry(tuple(items), tuple(asked), response, size, until)
    return None
