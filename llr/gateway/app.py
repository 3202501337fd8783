"""The gateway: a request's way from the door to its answer, and the one place where surprises end.

Law: checks in this order, each before a body byte is read: address, Host, Origin, preflight, key, route. Every answer
is in the words of the client's format.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from llr.base.errors import ErrorKind, Fault, GatewayError
from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.base.stamps import stamp
from llr.formats.base import FaultContext
from llr.gateway.access import cors_headers, door_fault, key_fault, preflight_headers
from llr.gateway.answers import answer
from llr.gateway.call import Call
from llr.gateway.counting import count_tokens
from llr.gateway.deps import Deps, Live
from llr.gateway.exchange import Exchange
from llr.gateway.explaining import explained
from llr.gateway.history import expanded, not_found, stored_answer
from llr.gateway.intake import need_of, read_call
from llr.gateway.models import (
    discovered_models,
    find_listed,
    is_claude_code,
    listed_models,
    model_answer,
    models_answer,
    shape_for,
)
from llr.gateway.observe import Finished, Started, Trace, ignore
from llr.gateway.peers import forget, look_up, referred
from llr.gateway.respond import JSON_HEADERS, fault_response, with_request_id
from llr.gateway.routes import Access, Action, Match, allowed, client_of, find, normal_path
from llr.gateway.stored import stored_call
from llr.routing.plan import Need
from llr.routing.route import Kind
from llr.wire.http import RawHeaders, Request, Response

log = logging.getLogger("llr.gateway")

_BANNER: JSON = {
    "name": "llm-router",
    "status": "ok",
    "endpoints": {
        "unified": ["/", "/v1", "/route", "/v1/messages", "/v1/chat/completions"],
        "anthropic": ["/anthropic", "/anthropic/v1/messages"],
        "openai": ["/openai", "/openai/v1/chat/completions"],
    },
}
# The rest of a refused request is not read, so the connection cannot be used again.
_UNREAD = frozenset((ErrorKind.TOO_LARGE, ErrorKind.REQUEST_TIMEOUT))
_NATIVE = frozenset((Action.NATIVE, Action.STORED))
_Handler = Callable[[Match, Request, Live, str], Awaitable[Response]]


class Gateway:
    """Answers requests: the `Handler` a server is given."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._handlers: Mapping[Action, _Handler] = {
            Action.HEALTH: self._health,
            Action.READY: self._ready,
            Action.VERSION: self._version,
            Action.BANNER: self._banner,
            Action.EMPTY: self._empty,
            Action.MODELS: self._models,
            Action.MODEL: self._model,
            Action.GENERATE: self._generate,
            Action.UNIFIED: self._generate,
            Action.NATIVE: self._generate,
            Action.STORED: self._stored,
            Action.COUNT_TOKENS: self._count,
            Action.EXPLAIN: self._explain,
        }

    async def __call__(self, request: Request) -> Response:
        """Returns the answer to one request, an error answer included; never raises but when cancelled."""
        live = self._deps.configs.current
        request_id = self._deps.ids.new("req_")
        path = normal_path(request.target)
        client: FormatId | None = None
        try:
            fault = door_fault(live.access, request, self._deps.bound_hosts)
            if request.method == "OPTIONS":
                return self._preflight(request, live, fault)
            if fault is not None:
                raise GatewayError(fault)
            match = find(request.method, path)
            client = match.row.client if match is not None else None
            self._check_key(request, match, live)
            if match is None:
                raise GatewayError(_no_route(request, path))
            response = await self._handlers[match.row.action](match, request, live, request_id)
        except GatewayError as exc:
            response = self._refusal(exc.fault, client or client_of(path, request.headers.names()), request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            fault = Fault(ErrorKind.INTERNAL, f"internal error; the gateway's log has it under {request_id}")
            response = self._refusal(fault, client or client_of(path, request.headers.names()), request_id)
        return _with_cors(response, request, live)

    def _refusal(self, fault: Fault, client: FormatId, request_id: str) -> Response:
        context = FaultContext(request_id=request_id)
        response = fault_response(fault, client, context, close=fault.kind in _UNREAD)
        if fault.kind is ErrorKind.UNAUTHENTICATED:
            response.headers.append((b"www-authenticate", b"Bearer"))
        return response

    def _preflight(self, request: Request, live: Live, fault: Fault | None) -> Response:
        if fault is not None:
            return Response(fault.http_status, [], b"")
        return _with_cors(Response(204, preflight_headers(request.headers), b""), request, live)

    def _check_key(self, request: Request, match: Match | None, live: Live) -> None:
        if not self._deps.require_auth or (match is not None and match.row.access is Access.OPEN):
            return
        fault = key_fault(live.access, request.headers, request.target.partition("?")[2])
        if fault is not None:
            raise GatewayError(fault)

    # Small answers.

    async def _health(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        deps = self._deps
        body: dict[str, JSON] = {"status": "ok", "timestamp": stamp(deps.clock.now())}
        query = request.target.partition("?")[2]
        if not deps.require_auth or key_fault(live.access, request.headers, query) is None:
            body["providers"] = len(live.config.providers)
        return _json(body)

    async def _ready(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        return _json({"status": "ready"})

    async def _version(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        return _json({"name": "llm-router", "version": self._deps.version})

    async def _banner(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        return _json(_BANNER)

    async def _empty(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        return Response(200, [], b"")

    async def _models(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        shape = shape_for(match.row.client, request.headers)
        if shape is FormatId.MESSAGES and is_claude_code(request.headers):
            rows = discovered_models(live.config, match.row.client)
        else:
            rows = listed_models(live.config, match.row.client, shape)
        body = models_answer(rows, shape, request.target.partition("?")[2], self._deps.started_at)
        return _json(body, request_id, shape)

    async def _model(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        shape = shape_for(match.row.client, request.headers)
        try:
            row = find_listed(listed_models(live.config, match.row.client, shape), match.rest)
        except GatewayError as exc:
            return self._refusal(exc.fault, shape, request_id)
        return _json(model_answer(row, shape, self._deps.started_at), request_id, shape)

    # Calls of models.

    async def _generate(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        call = await read_call(match, request, live, self._deps, request_id)
        previous = call.payload.value.get("previous_response_id") if call.client is FormatId.RESPONSES else None
        if not previous:
            if call.client is FormatId.RESPONSES:
                call = await referred(self._deps, call)
            return await self._answered(call, "", live)
        known = await look_up(self._deps, previous, call.owner)
        if known.foreign:
            return fault_response(not_found(previous).fault, call.client, call.context())
        if known.turn is not None:
            call = expanded(call, known.turn)
        return await self._answered(call, known.issuer, live)

    async def _stored(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        call = await read_call(match, request, live, self._deps, request_id)
        response_id = match.rest.partition("/")[0]
        known = await look_up(self._deps, response_id, call.owner)
        kept = stored_answer(request.method, match.rest, known.turn) if known.turn is not None else None
        if kept is None:
            return await self._answered(stored_call(call, match.rest, known.issuer), "", live)
        if request.method == "DELETE":
            await forget(self._deps, response_id, call.owner)
        return _json(kept, request_id, FormatId.RESPONSES)

    async def _count(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        call = await read_call(match, request, live, self._deps, request_id)
        return await count_tokens(call, live, self._deps)

    async def _explain(self, match: Match, request: Request, live: Live, request_id: str) -> Response:
        call = await read_call(match, request, live, self._deps, request_id)
        return await explained(call, live, self._deps)

    async def _answered(self, call: Call, first: str, live: Live) -> Response:
        deps = self._deps
        try:
            kind = Kind.NATIVE if call.action in _NATIVE else Kind.GENERATE
            route = live.route(call.model, call.client, kind)
            need = need_of(call, route)
        except GatewayError as exc:
            response = fault_response(exc.fault, call.client, call.context())
            if live.settings.request_log:
                deps.observe(_unroutable(call, response.status, deps.clock.now()))
            return response
        if deps.observe is not ignore and not deps.failures_only:
            deps.observe(_started(call, need))
        exchange = Exchange(call, route, need, live, deps, first)
        return await answer(call, exchange, deps, logged=live.settings.request_log)


def _unroutable(call: Call, status: int, now: float) -> Finished:
    """Returns the end of a request that names nothing this configuration serves."""
    size, kind = call.payload.size, call.action.value
    trace = Trace(call.client, kind, call.model or "smart", call.stream, call.tool, size)
    return Finished(call.id, now, call.started_at, status, "failed", model=call.model, trace=trace)


def _started(call: Call, need: Need) -> Started:
    session = need.session or ""
    size = call.payload.size
    kind = call.action.value
    return Started(
        call.id, call.started_at, call.client, kind, call.model, call.stream, call.tool, session, bytes_in=size
    )


def _json(body: JSON, request_id: str = "", client: FormatId | None = None) -> Response:
    fields: RawHeaders = list(JSON_HEADERS)
    return Response(200, with_request_id(fields, request_id, client) if request_id else fields, dumps(body))


def _no_route(request: Request, path: str) -> Fault:
    methods = allowed(path)
    if not methods:
        # The usual reason is a base URL with a part too many, such as /v1 twice.
        text = f"Not found: {path[:100]} is no path of this gateway; look at the client's base URL"
        return Fault(ErrorKind.NOT_FOUND, text)
    if request.method == "GET" and b"upgrade" in request.headers and path.endswith("/responses"):
        # Codex goes on with plain HTTP at once when it reads this status.
        return Fault(ErrorKind.METHOD_NOT_ALLOWED, "WebSocket is not offered; use POST", status=426)
    text = f"{request.method} is not allowed here; use {' or '.join(methods)}"
    return Fault(ErrorKind.METHOD_NOT_ALLOWED, text, allow=", ".join(methods))


def _with_cors(response: Response, request: Request, live: Live) -> Response:
    if b"origin" in request.headers:
        response.headers.extend(cors_headers(live.access, request.headers))
    return response
