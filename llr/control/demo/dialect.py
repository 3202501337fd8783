"""What each vendor's way of speaking must offer, so that one handler serves them all."""

import json
from collections.abc import Callable, Sequence

from llr.base.jsonio import JSON, dumps
from llr.base.records import dataclass
from llr.control.demo.turn import Answer, Failure, Meta, Object, Turn


@dataclass(frozen=True, slots=True)
class Counting:
    """How a format counts a prompt's tokens: `read` raises `BadRequest`, `shape` words the count."""

    read: Callable[[Object], Turn]
    shape: Callable[[int], Object]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format, seen from the vendor's side.

    `read` raises `BadRequest`; `whole` is a plain answer; `stream` the frames of a streamed one; `late_error` the
    frames of a stream that fails after its head and before its first word; `error` the body of an error answer;
    `id_field` the header field that carries the request's id.
    """

    read: Callable[[Object], Turn]
    whole: Callable[[Turn, Answer, Meta], Object]
    stream: Callable[[Turn, Answer, Meta], list[bytes]]
    late_error: Callable[[Turn, Failure, Meta], list[bytes]]
    error: Callable[[Failure, Meta], Object]
    counting: Counting | None = None
    stream_type: bytes = b"text/event-stream; charset=utf-8"
    id_field: bytes = b"x-request-id"


def data_frame(value: JSON) -> bytes:
    """Returns one SSE event without a name."""
    return b"data: " + dumps(value) + b"\n\n"


def named_frame(value: Object) -> bytes:
    """Returns one SSE event named by the value's `type`."""
    return b"event: " + str(value["type"]).encode() + b"\n" + data_frame(value)


def array_frames(values: Sequence[JSON]) -> list[bytes]:
    """Returns the values as the pieces of one JSON array."""
    parts = [json.dumps(value, ensure_ascii=False, indent=2).encode() for value in values]
    return [(b"[" if number == 0 else b",\r\n") + part for number, part in enumerate(parts)] + [b"\n]\n"]
