"""Events of an answer written as a Responses stream.

Law: sequence numbers count from 0; created and in_progress come first; every item is added, filled and done before the
next; one terminal event carries the whole answer under the id the stream began with. A whole answer is what that
terminal event carries.
"""

from collections.abc import Iterable

from llr.base.jsonio import JSON, dumps
from llr.formats import reading
from llr.formats.base import Meta
from llr.formats.openai_responses import answer
from llr.formats.openai_responses.content_in import OWN
from llr.formats.openai_responses.output import Output
from llr.formats.openai_responses.parts_out import Writer, writer_of
from llr.ir.events import Event, Failed, Finish, PartDelta, PartEnd, PartStart, Start, Usage, UsageSeen, merge_usage
from llr.ir.parts import Extras
from llr.ir.response import ChatResponse, replay


class StreamEncoder:
    """Events in, server-sent events out."""

    __slots__ = ("_ended", "_meta", "_open", "_output", "_response", "_usage")

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._output = Output(meta)
        self._open: Writer | None = None
        self._response: dict[str, JSON] = {}
        self._usage: Usage | None = None
        self._ended = False

    @property
    def response(self) -> dict[str, JSON]:
        """Returns the answer as its last lifecycle event carried it."""
        return self._response

    def feed(self, item: Event, /) -> Iterable[bytes]:
        """Returns the bytes this event becomes, in one piece."""
        if self._ended:
            return ()
        if isinstance(item, PartDelta):
            chunk = self._open.delta(item) if self._open is not None else b""
        else:
            chunk = self._other(item)
        return (chunk,) if chunk else ()

    def finish(self) -> Iterable[bytes]:
        """Returns nothing: a decoder always ends its events."""
        return ()

    def _other(self, item: Event) -> bytes:
        match item:
            case PartStart():
                self._open, chunk = writer_of(self._output, item.part)
                return chunk
            case PartEnd():
                chunk = self._open.end(item) if self._open is not None else b""
                self._open = None
                return chunk
            case UsageSeen():
                self._usage = merge_usage(self._usage, item.usage)
                return b""
            case Start():
                return self._start(item)
            case Finish():
                return self._finish(item)
            case Failed():
                return self._failed(item)
            case _:
                return b""

    def _start(self, start: Start) -> bytes:
        ident = answer.response_id(start.id, self._meta)
        self._output.begin(ident)
        self._response = answer.skeleton(self._meta, ident, start.created_at)
        self._tell(start.extras)
        body = dumps(self._response)
        return self._output.lifecycle("response.created", body) + self._output.lifecycle("response.in_progress", body)

    def _tell(self, extras: Extras) -> None:
        """Puts what the vendor's own answer told beyond its content over the echo of the request."""
        for key, value in reading.bag(extras, OWN).items():
            if key[:1] != reading.NOTE:
                self._response[key] = value

    def _terminal(self, name: str) -> bytes:
        self._ended = True
        self._response["output"] = list(self._output.items)
        self._response["usage"] = answer.usage(self._usage)
        return self._output.lifecycle(name, dumps(self._response))

    def _finish(self, done: Finish) -> bytes:
        name, status, details = answer.ending(done.stop, refused=self._output.refused, codex=self._meta.codex)
        chunk = self._output.close(done.stop)
        self._response["status"] = status
        self._response["incomplete_details"] = details
        self._tell(done.extras)
        return chunk + self._terminal(name)

    def _failed(self, failed: Failed) -> bytes:
        if not self._response:
            self._start(Start("", ""))
        self._response["status"] = "failed"
        self._response["error"] = answer.error(failed.fault)
        return self._terminal("response.failed")


def encode_response(response: ChatResponse, meta: Meta) -> dict[str, JSON]:
    """Returns a whole answer: what the terminal event of its stream would carry."""
    encoder = StreamEncoder(meta)
    for event in replay(response):
        for _ in encoder.feed(event):
            pass
    return encoder.response
