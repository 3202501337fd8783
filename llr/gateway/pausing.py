"""Turns a Messages provider pauses (`pause_turn`), gone on with for clients whose format has no pause.

Law: at most five times; what was said is sent back as it came; when going on fails, what there is ends the answer.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats import reading
from llr.formats.base import Meta
from llr.formats.table import FORMATS
from llr.gateway.attempt import Events
from llr.gateway.call import Call
from llr.ir.events import Event, Finish, Stop
from llr.ir.response import collect
from llr.routing.route import Candidate

# Vendor reference: a paused turn is continued by sending it back; more rounds than this are a loop.
MOST_ROUNDS = 5
# What was said so far -> the provider's next stream, None when there is none.
More: TypeAlias = Callable[[Sequence[Event]], Awaitable[Events | None]]
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def may_pause(call: Call, candidate: Candidate, body: Mapping[str, Any] | None) -> bool:
    """Returns whether a turn may be paused that its client cannot go on with: the provider runs tools of its own."""
    if body is None or candidate.wire is not FormatId.MESSAGES or call.client is FormatId.MESSAGES:
        return False
    return any(reading.text(tool.get("type")) not in ("", "custom") for _, tool in reading.tables(body.get("tools")))


def paused(answer: Mapping[str, JSON] | None) -> bool:
    """Returns whether a whole answer is one half of a turn."""
    return answer is not None and answer.get("stop_reason") == "pause_turn" and bool(answer.get("content"))


def following(body: Mapping[str, JSON], said: Sequence[JSON]) -> dict[str, JSON]:
    """Returns the request that goes on after `said`, the content of the paused turn."""
    turn: JSON = {"role": "assistant", "content": list(said)}
    return {**body, "messages": [*reading.rows(body.get("messages")), turn]}


def joined(first: Mapping[str, JSON], second: Mapping[str, JSON]) -> dict[str, JSON]:
    """Returns two halves of a turn as one answer: contents in order, tokens added up."""
    content: JSON = [*reading.rows(first.get("content")), *reading.rows(second.get("content"))]
    old, new = reading.table(first.get("usage")), reading.table(second.get("usage"))
    counts: dict[str, JSON] = {
        key: (reading.integer(old.get(key)) or 0) + (reading.integer(new.get(key)) or 0)
        for key in _COUNTS
        if key in old or key in new
    }
    return {**second, "id": first.get("id"), "content": content, "usage": {**old, **new, **counts}}


def content_of(events: Sequence[Event], meta: Meta) -> list[JSON]:
    """Returns what a stream said, as the provider's own content blocks."""
    own = replace(meta, model=meta.upstream_model, tool_names={})
    return reading.rows(
        FORMATS[FormatId.MESSAGES].encode_response(collect([*events, Finish(Stop.PAUSE)]), own).get("content")
    )
