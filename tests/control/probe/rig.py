"""A provider made of a function, and a clock on which sleeping is instant: probes run whole without time or sockets."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.control.probe.question import Question
from llr.control.probe.run import discover, examine
from llr.wire.http import Headers, InboundResponse, OutboundRequest, Timeouts

START_AT = 1_772_293_357.0
KEY = "sk-right-0123456789"


class JumpClock:
    """Time that jumps over every sleep, and remembers them."""

    def __init__(self) -> None:
        self.at = START_AT
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.at += seconds

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return self._never()

    @asynccontextmanager
    async def _never(self) -> AsyncIterator[None]:
        yield


@dataclass(frozen=True)
class Asked:
    """One call as the provider saw it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any

    @property
    def path(self) -> str:
        return "/" + self.url.split("://", 1)[1].partition("/")[2]

    @property
    def model(self) -> str:
        return str((self.body or {}).get("model", ""))

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Says:
    """What the provider answers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


DOWN = Says(0)
MISSING = Says(404, "<html>nothing here</html>")


class _Answer:
    def __init__(self, said: Says) -> None:
        self.status = said.status
        self.headers = Headers([(name.lower().encode(), text.encode()) for name, text in said.headers.items()])
        self._data = said.body.encode() if isinstance(said.body, str) else json.dumps(said.body).encode()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._data

    async def aclose(self) -> None:
        return


class Provider:
    """A transport whose far end is `answer`."""

    def __init__(self, answer: Callable[[Asked], Says], clock: JumpClock | None = None) -> None:
        self._answer = answer
        self.clock = clock or JumpClock()
        self.asked: list[Asked] = []

    async def send(self, request: OutboundRequest, *, timeouts: Timeouts) -> InboundResponse:
        origin = request.origin
        headers = {name.decode(): value.decode() for name, value in request.headers}
        data = b"".join(request.body)
        url = f"{origin.scheme}://{origin.authority}{request.target}"
        asked = Asked(request.method, url, headers, json.loads(data) if data else None)
        self.asked.append(asked)
        said = self._answer(asked)
        if said.status == 0:
            raise fail(ErrorKind.UPSTREAM_UNREACHABLE, "connecting to upstream: refused")
        return _Answer(said)

    @property
    def model_calls(self) -> list[Asked]:
        """Returns the calls that asked a real model."""
        found = [one for one in self.asked if one.method == "POST" and "__llm_router_probe__" not in one.url]
        return [one for one in found if one.model != "__llm_router_probe__"]

    async def test(self, endpoints: str, models: str, **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Returns the result of the matrix and its events."""
        events: list[dict[str, Any]] = []
        question = Question(tuple(endpoints.split()), more.pop("key", KEY), tuple(models.split()), **more)
        found = await examine(question, lambda event: events.append(dict(event)), transport=self, clock=self.clock)
        return found, events

    async def discover(self, endpoints: str, **more: Any) -> dict[str, Any]:
        """Returns the result of discovery."""
        question = Question(tuple(endpoints.split()), more.pop("key", KEY), **more)
        return await discover(question, lambda _event: None, transport=self, clock=self.clock)


def openai_error(message: str, status: int = 400, **headers: str) -> Says:
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return Says(status, {"error": {"message": message, "type": "invalid_request_error"}}, fields)


def claude_error(message: str, status: int = 400) -> Says:
    return Says(status, {"type": "error", "error": {"type": "invalid_request_error", "message": message}})


def chat() -> Says:
    return Says(200, {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "p"}}]})


def message() -> Says:
    return Says(200, {"type": "message", "content": [], "stop_reason": "max_tokens"})


def model_list(*ids: str) -> Says:
    return Says(200, {"object": "list", "data": [{"id": own, "object": "model"} for own in ids]})


def openai_server(*models: str, key: str = KEY, header: str = "authorization") -> Callable[[Asked], Says]:
    """Returns an OpenAI-like provider with these models; everything it does not know is 404."""

    def answer(asked: Asked) -> Says:
        if header not in asked.headers or asked.key != key:
            return openai_error("Incorrect API key provided", 401)
        if asked.path.endswith("/models"):
            return model_list(*models)
        if asked.path.endswith("/chat/completions"):
            known = asked.model in models
            return chat() if known else openai_error(f"The model `{asked.model}` does not exist", 404)
        return MISSING

    return answer


def claude_server(*models: str, key: str = KEY, header: str = "x-api-key") -> Callable[[Asked], Says]:
    """Returns an Anthropic-like provider."""

    def answer(asked: Asked) -> Says:
        if asked.path.endswith("/messages"):
            if header not in asked.headers or asked.key != key:
                return claude_error("invalid x-api-key", 401)
            return message() if asked.model in models else claude_error(f"model: {asked.model}", 404)
        return MISSING

    return answer
