"""The demo's HTTP side: which path speaks which dialect, and the ways in which a demo model misbehaves."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, unquote, urlsplit

from llr.base.clock import Clock
from llr.base.ids import IdSource
from llr.base.jsonio import InvalidJSON, dumps, loads
from llr.base.records import dataclass
from llr.control.demo import catalogue
from llr.control.demo.anthropic_messages import MESSAGES
from llr.control.demo.dialect import Dialect
from llr.control.demo.gemini import GEMINI, GEMINI_ARRAY
from llr.control.demo.openai_chat import CHAT, COMPLETIONS
from llr.control.demo.openai_responses import RESPONSES
from llr.control.demo.turn import (
    GARBAGE,
    LATE,
    MODELS,
    OVERLOADED,
    RATE_LIMITED,
    BadRequest,
    Failure,
    Meta,
    Object,
    Turn,
    compose,
    obj,
    string,
    tokens,
)
from llr.wire.http import BrokenBody, Handler, RawHeaders, Request, Response

MAX_BODY_BYTES = 64 * 1024 * 1024
SLOW_S = 20.0
# Between the pieces of a stream, so that a person sees it arrive.
PACE_S = 0.02

CHATS: dict[str, Dialect] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a stream flows: `pause_s` between its pieces."""

    clock: Clock
    pause_s: float

    async def wait(self) -> None:
        """Returns after one pause."""
        if self.pause_s:
            await self.clock.sleep(self.pause_s)


def demo_handler(ids: IdSource, clock: Clock, *, pace_s: float = PACE_S) -> Handler:
    """Returns the embedded upstream; `pace_s` is the pause between the pieces of a stream."""

    async def handle(request: Request) -> Response:
        split = urlsplit(request.target)
        path, query = unquote(split.path), parse_qs(split.query)
        meta = Meta(ids.new, int(clock.now()), ids.new("req_"))
        dialect, verb, model = _route(path, query)
        if request.method in {"GET", "HEAD"}:
            return _listing(request, path, meta)
        if request.method != "POST" or dialect is None:
            return _failed(dialect or CHAT, Failure(404, f"There is no {request.method} {path} in the demo."), meta)
        try:
            body = obj(loads(await request.body.read(MAX_BODY_BYTES)))
        except InvalidJSON as exc:
            return _failed(dialect, Failure(400, f"The body is not JSON: {exc}"), meta)
        if model is not None:
            body = {**body, "model": model, "stream": verb == "streamGenerateContent"}
        try:
            return await _answer(dialect, verb, body, meta, Pace(clock, pace_s))
        except BadRequest as exc:
            return _failed(dialect, Failure(400, str(exc)), meta)

    return handle


def _route(path: str, query: dict[str, list[str]]) -> tuple[Dialect | None, str, str | None]:
    """Returns (dialect, what is asked of it, the model when the path names it)."""
    if path in CHATS:
        return CHATS[path], "generate", None
    if path == "/v1/embeddings":
        return CHAT, "embed", None
    if path == "/v1/messages/count_tokens":
        return MESSAGES, "count", None
    if path == "/v1/responses/input_tokens":
        return RESPONSES, "count", None
    for prefix in ("/v1beta/models/", "/v1/models/"):
        model, colon, verb = path.removeprefix(prefix).rpartition(":")
        if path.startswith(prefix) and colon:
            as_array = verb == "streamGenerateContent" and query.get("alt") != ["sse"]
            return GEMINI_ARRAY if as_array else GEMINI, verb, model
    return None, "", None


def _listing(request: Request, path: str, meta: Meta) -> Response:
    """Returns the model list or one model, in the shape that the request's path or headers ask for."""
    if path == "/":
        return _json(200, {"status": "ok", "service": "llr demo upstream"})
    if path.startswith("/v1beta/") or b"x-goog-api-key" in request.headers:
        dialect, every, one = GEMINI, catalogue.gemini_list, catalogue.gemini_model
    elif b"anthropic-version" in request.headers:
        dialect, every, one = MESSAGES, catalogue.anthropic_list, catalogue.anthropic_model
    else:
        dialect, every, one = CHAT, catalogue.openai_list, catalogue.openai_model
    if path in {"/v1/models", "/v1beta/models"}:
        return _json(200, every())
    model = path.removeprefix("/v1beta/models/").removeprefix("/v1/models/")
    if model in MODELS:
        return _json(200, one(model))
    return _failed(dialect, Failure(404, f"The demo has no {path}."), meta)


async def _answer(dialect: Dialect, verb: str, body: Object, meta: Meta, pace: Pace) -> Response:
    """Returns the model's answer, or what it does instead. Raises `BadRequest`."""
    model = string(body.get("model")).removeprefix("models/").removeprefix("demo/")
    body = {**body, "model": model}
    if model not in MODELS:
        known = ", ".join(MODELS)
        return _failed(dialect, Failure(404, f"The demo has no model '{model}'. It has: {known}."), meta)
    if verb in {"count", "countTokens"} and dialect.counting:
        turn = dialect.counting.read(body)
        return _json(200, dialect.counting.shape(tokens(dumps(turn.body).decode())))
    if verb not in {"generate", "embed", "generateContent", "streamGenerateContent"}:
        return _failed(dialect, Failure(404, f"The demo has no method '{verb}'."), meta)
    match model:
        case "overloaded":
            return _failed(dialect, OVERLOADED, meta)
        case "rate-limited":
            return _failed(dialect, RATE_LIMITED, meta)
        case "slow":
            await pace.clock.sleep(SLOW_S)
    if verb == "embed":
        return _plain(dialect, model, dumps(catalogue.embeddings(body, model)), meta)
    turn = dialect.read(body)
    if turn.stream:
        return _streamed(dialect, turn, meta, pace)
    return _plain(dialect, model, dumps(dialect.whole(turn, compose(turn), meta)), meta)


def _plain(dialect: Dialect, model: str, body: bytes, meta: Meta) -> Response:
    headers = _headers(dialect, b"application/json", meta)
    match model:
        case "garbage":
            return Response(200, headers, GARBAGE)
        case "error-in-200":
            return Response(200, headers, dumps(dialect.error(LATE, meta)))
        case "cut-midstream":
            return Response(200, headers, _cut([body[: len(body) // 2]], None))
        case _:
            return Response(200, headers, body)


def _streamed(dialect: Dialect, turn: Turn, meta: Meta, pace: Pace) -> Response:
    headers = [*_headers(dialect, dialect.stream_type, meta), (b"cache-control", b"no-cache")]
    match turn.model:
        case "garbage":
            return Response(200, headers, _paced([b'data: {"half": \n\n', GARBAGE], pace))
        case "error-in-200":
            return Response(200, headers, _paced(dialect.late_error(turn, LATE, meta), pace))
        case "cut-midstream":
            frames = dialect.stream(turn, compose(turn), meta)
            return Response(200, headers, _cut(frames[: len(frames) // 2], pace))
        case _:
            return Response(200, headers, _paced(dialect.stream(turn, compose(turn), meta), pace))


async def _paced(frames: list[bytes], pace: Pace) -> AsyncIterator[bytes]:
    for number, frame in enumerate(frames):
        if number:
            await pace.wait()
        yield frame


async def _cut(frames: list[bytes], pace: Pace | None) -> AsyncIterator[bytes]:
    """Yields the frames, then breaks the connection."""
    for frame in frames:
        yield frame
        if pace:
            await pace.wait()
    raise BrokenBody("the demo breaks here on purpose")


def _failed(dialect: Dialect, failure: Failure, meta: Meta) -> Response:
    headers = _headers(dialect, b"application/json", meta)
    if failure.retry_after_s is not None:
        headers.append((b"retry-after", str(failure.retry_after_s).encode()))
    return Response(failure.status, headers, dumps(dialect.error(failure, meta)))


def _headers(dialect: Dialect, content_type: bytes, meta: Meta) -> RawHeaders:
    return [(b"content-type", content_type), (dialect.id_field, meta.request_id.encode())]


def _json(status: int, body: Object) -> Response:
    return Response(status, [(b"content-type", b"application/json")], dumps(body))
