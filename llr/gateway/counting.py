"""Token counts before a request is made: the provider's own where it has a counter, else an estimate, never 0.

Law: counting costs nothing: no limit is charged, no candidate is blamed, nobody waits longer than two seconds.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2s
from typing import Any

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.base.records import dataclass
from llr.formats import translate
from llr.formats.count import estimate_request
from llr.formats.gemini.catalogue import count_request
from llr.gateway import convert
from llr.gateway.asking import timeouts_for
from llr.gateway.attempt import Question, Whole, attempt
from llr.gateway.call import Call
from llr.gateway.deps import Deps, Live
from llr.gateway.peers import learn
from llr.gateway.respond import JSON_HEADERS, with_request_id
from llr.ir.request import ChatRequest
from llr.providers.urls import Call as Asked
from llr.providers.urls import Endpoint
from llr.routing.route import Candidate
from llr.wire.http import Response

_CEILING_S = 2.0
_NO_COUNTER = "no-counter"
_REMEMBERED = 512
# Statuses of providers that have no such endpoint.
_MISSING = frozenset((404, 405, 410, 501))


@dataclass(frozen=True, slots=True)
class Counter:
    """How one format counts: where a native provider is asked, where its number stands, how we say ours."""

    endpoint: Endpoint
    number: str
    answer: Callable[[int], JSON]


COUNTERS: Mapping[FormatId, Counter] = {
    FormatId.MESSAGES: Counter(Endpoint(Asked.COUNT_TOKENS), "input_tokens", lambda n: {"input_tokens": n}),
    FormatId.RESPONSES: Counter(
        Endpoint(Asked.PATH, "responses/input_tokens"),
        "input_tokens",
        lambda n: {"object": "response.input_tokens", "input_tokens": n},
    ),
    FormatId.GEMINI: Counter(Endpoint(Asked.GEMINI_COUNT), "totalTokens", lambda n: {"totalTokens": n}),
}


async def count_tokens(call: Call, live: Live, deps: Deps) -> Response:
    """Returns the answer to a counting request in the client's format.

    Raises `GatewayError`: MODEL_NOT_FOUND, INVALID_REQUEST (no JSON object).
    """
    counter = COUNTERS[call.client]
    route = live.resolver.resolve(call.model, call.client)
    candidate = route.tryable[0] if route.tryable else None
    tokens = 0
    if candidate is not None and convert.is_native(call, candidate):
        tokens = await _native(call, candidate, counter, live, deps)
    if tokens <= 0:
        ref = candidate.ref if candidate is not None else ""
        tokens = deps.calibration.corrected(ref, estimate_request(_asked_about(call)))
    fields = with_request_id(list(JSON_HEADERS), call.id, call.client)
    return Response(200, fields, dumps(counter.answer(tokens)))


async def _native(call: Call, candidate: Candidate, counter: Counter, live: Live, deps: Deps) -> int:
    """Returns what the provider counts, 0 when it does not in time."""
    if _NO_COUNTER in deps.learned.of(candidate.ref, call.client):
        return 0
    edits: dict[str, str] = {"model": candidate.model.id} if call.model_in_body else {}
    body = call.payload.parts(edits)
    known: dict[bytes, int] = deps.memo.setdefault("counted", {})
    key = blake2s(b"\0".join((candidate.ref.encode(), *body)), digest_size=16).digest()
    if key in known:
        return known[key]
    try:
        auth = await deps.credentials.get(candidate)
        request = live.preparer.prepare(candidate, counter.endpoint, body, auth, call.headers)
        timeouts, provider = timeouts_for(candidate, live), candidate.provider.id
        question = Question(request, candidate.wire, False, False, 1, timeouts, provider, deps.clock)
        async with deps.clock.timeout(_CEILING_S):
            found = await attempt(question, deps.transport)
    except (GatewayError, TimeoutError):
        return 0
    if not isinstance(found, Whole):
        if getattr(found, "status", None) in _MISSING:
            learn(deps, candidate.ref, call.client, _NO_COUNTER)
        else:
            source = getattr(found, "source", None)
            if source is not None:
                await source.aclose()
        return 0
    number: Any = (found.value or {}).get(counter.number)
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        return 0
    if len(known) >= _REMEMBERED:
        del known[next(iter(known))]
    known[key] = number
    return number


def _asked_about(call: Call) -> ChatRequest:
    body = call.payload.value
    if call.client is FormatId.GEMINI:
        return count_request({**body, "model": call.model})
    if call.client is FormatId.MESSAGES:
        body = {"max_tokens": 1, **body}
    try:
        return translate.decode(body, convert.format_of(call.client))
    except GatewayError as exc:
        raise fail(ErrorKind.INVALID_REQUEST, exc.fault.message, param=exc.fault.param) from exc
