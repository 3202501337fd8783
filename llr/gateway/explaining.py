"""`POST /llr/explain`: where a request would go and why, without sending it anywhere."""

from collections.abc import Mapping
from typing import Any

from llr.base.errors import ErrorKind, GatewayError, fail
from llr.base.jsonio import JSON, dumps
from llr.base.names import FormatId
from llr.base.records import replace
from llr.gateway import convert
from llr.gateway.access import owner_of
from llr.gateway.call import Call, Payload
from llr.gateway.deps import Deps, Live
from llr.gateway.detect import FORMAT_NAMES, detect
from llr.gateway.downgrade import as_learned
from llr.gateway.history import expanded
from llr.gateway.intake import need_of
from llr.gateway.peers import look_up, referred
from llr.gateway.respond import JSON_HEADERS
from llr.gateway.routes import Action
from llr.gateway.toolrouting import CHAT_FIRST, via_chat, word_for
from llr.providers.urls import GENERATION
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
    made, first = await _as_asked(call, asked, body, deps)
    route = live.resolver.resolve(made.model, made.client)
    need = need_of(made, route, full=bool(body))
    now = deps.clock.now()
    state = await deps.store.read(keys_for(route, now=now, need=need, full=True), now=now)
    answer = explanation_json(explain(route, state, now=now, need=need, first=first))
    candidates = {candidate.ref: candidate for candidate in route.candidates}
    rows: Any = answer["candidates"]
    for row in rows:
        candidate = candidates[row["candidate"]]
        spoken = as_learned(candidate, deps)
        row["toolRouting"] = word = word_for(made, spoken, deps)
        spoken = via_chat(spoken) if word == CHAT_FIRST else spoken
        row["wire"], row["translated"] = spoken.wire.value, spoken.wire is not made.client
        row["losses"] = _losses(made, spoken, live, deps) if body else []
        row["learned"] = [*sorted(deps.learned.of(candidate.ref, candidate.wire))]
    return Response(200, list(JSON_HEADERS), dumps(answer))


async def _as_asked(call: Call, asked: Mapping[str, JSON], body: dict[str, JSON], deps: Deps) -> tuple[Call, str]:
    """Returns the call the question is about, and the candidate that holds what it refers to, "" for none."""
    client = _client(asked.get("format"), call, body)
    name = asked.get("model") or body.get("model")
    made = replace(
        call,
        action=Action.GENERATE,
        client=client,
        endpoint=GENERATION[client],
        model=name if isinstance(name, str) else "",
        model_in_body=client is not FormatId.GEMINI,
        stream=bool(body.get("stream")),
        owner=owner_of(call.headers, ""),
        payload=Payload(Document(dumps(body)) if body else Document(b"")),
        extra={},
    )
    previous = body.get("previous_response_id") if client is FormatId.RESPONSES else None
    if not previous:
        return (await referred(deps, made) if client is FormatId.RESPONSES else made), ""
    known = await look_up(deps, previous, made.owner)
    return (expanded(made, known.turn) if known.turn is not None else made), known.issuer


def _client(named: JSON, call: Call, body: dict[str, JSON]) -> FormatId:
    if named is None:
        return detect(call.headers, body) if body else FormatId.CHAT
    found = FORMAT_NAMES.get(named.strip().lower()) if isinstance(named, str) else None
    if found is None:
        raise fail(ErrorKind.INVALID_REQUEST, f"format must be one of {', '.join(FORMAT_NAMES)}", param="format")
    return found


def _losses(call: Call, candidate: Candidate, live: Live, deps: Deps) -> list[JSON]:
    """Returns what would be lost on the way to a candidate; a request that it would not be sent is said as such."""
    try:
        sent = convert.outgoing(call, candidate, live, deps)
    except GatewayError as exc:
        return [{"path": exc.fault.param or "", "what": "request", "why": exc.fault.message, "level": "refused"}]
    return [{"path": loss.path, "what": loss.what, "why": loss.why, "level": loss.level.value} for loss in sent.losses]
