"""`POST /llr/explain`: where a request would go and why, without sending it anywhere."""

from typing import Any

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.base.records import replace
from llr.formats import translate
from llr.gateway import convert
from llr.gateway.call import Call, Payload
from llr.gateway.deps import Deps, Live
from llr.gateway.detect import FORMAT_NAMES, detect
from llr.gateway.intake import need_of
from llr.gateway.respond import JSON_HEADERS
from llr.routing.explain import explain, explanation_json
from llr.routing.plan import keys_for
from llr.routing.route import Candidate
from llr.wire.http import Response
from llr.wire.splice import Document


async def explained(call: Call, live: Live, deps: Deps) -> Response:
    """Returns what planning makes of `{"model", "format"?, "body"?}`, what each translation would lose and was learned.

    Raises `GatewayError`: INVALID_REQUEST, MODEL_NOT_FOUND, CONFIGURATION.
    """
    asked = call.payload.value
    body = asked.get("body")
    body = body if isinstance(body, dict) else {}
    client = _client(asked.get("format"), call, body)
    name = asked.get("model") or body.get("model")
    document = Document(dumps(body)) if body else Document(b"")
    made = replace(
        call, client=client, model=name if isinstance(name, str) else "", payload=Payload(document), extra={}
    )
    route = live.resolver.resolve(made.model, client)
    need = need_of(made, route, full=bool(body))
    now = deps.clock.now()
    state = await deps.store.read(keys_for(route, now=now, need=need, full=True), now=now)
    answer = explanation_json(explain(route, state, now=now, need=need))
    losses = {candidate.ref: _losses(made, candidate, deps) for candidate in route.candidates} if body else {}
    learned = {candidate.ref: sorted(deps.learned.of(candidate.ref, candidate.wire)) for candidate in route.candidates}
    rows: Any = answer["candidates"]
    for row in rows:
        row["losses"] = losses.get(row["candidate"], [])
        row["learned"] = learned.get(row["candidate"], [])
    return Response(200, list(JSON_HEADERS), dumps(answer))


def _client(named: JSON, call: Call, body: dict[str, JSON]) -> FormatId:
    if named is None:
        return detect(call.headers, body) if body else FormatId.CHAT
    found = FORMAT_NAMES.get(named.strip().lower()) if isinstance(named, str) else None
    if found is None:
        raise fail(ErrorKind.INVALID_REQUEST, f"format must be one of {', '.join(FORMAT_NAMES)}", param="format")
    return found


def _losses(call: Call, candidate: Candidate, deps: Deps) -> list[JSON]:
    """Returns what the translation to a candidate would lose; what it would refuse is said as such."""
    if convert.is_native(call, candidate):
        return []
    try:
        request = convert.decoded(call, deps)
        upstream = convert.format_of(candidate.wire)
        encoded = translate.encode(request, call.client, upstream, convert.target_of(candidate, deps))
    except GatewayError as exc:
        return [{"path": exc.fault.param or "", "what": "request", "why": exc.fault.message, "level": "refused"}]
    return [
        {"path": loss.path, "what": loss.what, "why": loss.why, "level": loss.level.value} for loss in encoded.losses
    ]
