"""What streams of Chat and of text completions share: the frame of every chunk, usage, and how they end.

Law: the same id, time and model on every chunk; one finish chunk and `[DONE]` after `Finish`, an error object and
nothing more after `Failed`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from llr.base.jsonio import dumps
from llr.formats.base import FaultContext, Meta
from llr.formats.openai_chat.errors import fault_event
from llr.formats.openai_chat.usage import encode_usage
from llr.ir.events import Event, Failed, Finish, PartDelta, PartEnd, PartStart, Start, Usage, UsageSeen, merge_usage

DONE = b"data: [DONE]\n\n"
_CONTEXT = FaultContext(streaming=True, started=True)


class ChunkEncoder(ABC):
    """Events in, bytes of a stream of chunks out; what a chunk says of a part is its format's own."""

    _handlers: ClassVar[Mapping[type, Callable[[Any, Any], list[bytes]]]]

    def __init_subclass__(cls) -> None:
        cls._handlers = {
            Start: cls._on_start,
            PartStart: cls._on_part,
            PartDelta: cls._on_delta,
            PartEnd: cls._on_end,
            UsageSeen: cls._on_usage,
            Finish: cls._on_finish,
            Failed: cls._on_failed,
        }

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        # The client asked for a chunk of usage of its own at the end.
        self._wanted = meta.request.options.include_usage is True
        self._frame: dict[str, Any] = {}
        self._usage: Usage | None = None

    def feed(self, item: Event, /) -> Iterable[bytes]:
        """Returns the bytes this event makes."""
        return self._handlers[type(item)](self, item)

    def finish(self) -> Iterable[bytes]:
        """Returns nothing: a stream ends with `Finish` or `Failed`."""
        return ()

    def _begin(self, start: Start, ident: str, kind: str) -> None:
        self._frame = {
            "id": ident,
            "object": kind,
            "created": int(start.created_at or self._meta.created_at),
            "model": self._meta.model or start.model,
        }

    def _more(self, choice: dict[str, Any]) -> bytes:
        """Returns a chunk of one choice."""
        return _data({**self._frame, "choices": [choice], **({"usage": None} if self._wanted else {})})

    def _close(self, choice: dict[str, Any], **more: Any) -> list[bytes]:
        """Returns the chunk with the finish reason, with usage in it or, where asked for, in a chunk behind it."""
        usage = None if self._usage is None else encode_usage(self._usage)
        last = {**self._frame, "choices": [choice]}
        if self._wanted:
            counted = {**self._frame, "choices": [], "usage": usage or encode_usage(Usage())}
            return [_data({**last, **more}), _data(counted), DONE]
        if usage is not None:
            last["usage"] = usage
        return [_data(last), DONE]

    @abstractmethod
    def _on_start(self, start: Start) -> list[bytes]:
        """Returns the first chunk of the answer."""

    @abstractmethod
    def _on_part(self, event: PartStart) -> list[bytes]:
        """Returns what a part begins with."""

    @abstractmethod
    def _on_delta(self, event: PartDelta) -> list[bytes]:
        """Returns more of the open part."""

    @abstractmethod
    def _on_finish(self, event: Finish) -> list[bytes]:
        """Returns the end of the answer."""

    def _on_end(self, event: PartEnd) -> list[bytes]:
        return []

    def _on_usage(self, seen: UsageSeen) -> list[bytes]:
        self._usage = merge_usage(self._usage, seen.usage)
        return []

    def _on_failed(self, event: Failed) -> list[bytes]:
        return [fault_event(event.fault, _CONTEXT)]


def _data(body: dict[str, Any]) -> bytes:
    return b"data: " + dumps(body) + b"\n\n"
