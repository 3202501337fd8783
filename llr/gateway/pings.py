"""What is sent into a silent stream so that nobody in between takes it for dead."""

from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats.table import FORMATS
from llr.gateway.call import Call
from llr.gateway.watch import first_object
from llr.wire.sse import format_event

# For so long a stream client is sent nothing; then and from then on a ping after every such silence.
SILENCE_S = 15.0


class Pinger:
    """Knows what a ping of one stream looks like now."""

    __slots__ = ("_call", "_leader", "_started", "_waking")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._started = False
        self._waking = b""
        self._leader: Pinger | None = None

    def saw(self, said: bytes) -> None:
        """Notes the first events that go out.

        Codex ignores comments; it stays awake only for real events, so `response.in_progress` is said again.
        """
        if self._started:
            return
        self._started = True
        if not self._call.codex or self._call.client is not FormatId.RESPONSES:
            return
        value = first_object(said)
        if value is not None and value.get("type") == "response.created":
            self._waking = format_event(dumps({**value, "type": "response.in_progress"}), "response.in_progress")

    def follow(self, other: "Pinger") -> None:
        """Goes on as `other` does from now on."""
        self._leader = other

    def beat(self) -> bytes:
        """Returns a ping; the stream is at an event boundary, for only whole events are relayed."""
        if self._leader is not None:
            return self._leader.beat()
        if self._waking:
            return self._waking
        context = self._call.context(started=self._started)
        # An event about a response that was not begun would be no event of any response.
        return FORMATS[self._call.client].ping(context if self._started else replace(context, codex=False))
