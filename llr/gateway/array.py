"""Gemini's answer without `alt=sse`: the events of a stream as the elements of one JSON array."""

from collections.abc import AsyncIterator

from llr.wire.sse import SSEParser


class ArrayBody:
    """An event stream's body, rewritten as an array while it goes out."""

    __slots__ = ("_body", "_ended", "_open", "_parser")

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._parser = SSEParser()
        self._open = False
        self._ended = False

    def __aiter__(self) -> "ArrayBody":
        return self

    async def __anext__(self) -> bytes:
        """Returns the next elements; the array is closed when the stream ends."""
        while not self._ended:
            try:
                out = self._elements(await self._body.__anext__())
            except StopAsyncIteration:
                self._ended = True
                return self._elements(b"", last=True)
            if out:
                return out
        raise StopAsyncIteration

    def _elements(self, chunk: bytes, *, last: bool = False) -> bytes:
        events = [*self._parser.feed(chunk), *(self._parser.finish() if last else ())]
        out: list[bytes] = []
        for event in events:
            out += (b",\r\n" if self._open else b"[", event.data)
            self._open = True
        if last:
            out.append(b"]" if self._open else b"[]")
        elif not out and not chunk.strip():
            # A ping: white space is as good between elements as between events.
            return chunk
        return b"".join(out)

    async def aclose(self) -> None:
        """Returns when the stream behind is closed."""
        aclose = getattr(self._body, "aclose", None)
        if aclose is not None:
            await aclose()


def as_array(events: bytes) -> bytes:
    """Returns a whole event stream as one array."""
    parser = SSEParser()
    found = [event.data for event in (*parser.feed(events), *parser.finish())]
    return b"[" + b",\r\n".join(found) + b"]"
