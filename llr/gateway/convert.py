"""Between the format the client speaks and the one on the line: requests there, answers back.

Law: the same format on both sides is never taken apart; only the members that must change are spliced. Everything else
goes through the intermediate form, and what it loses has a name.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llr.base.errors import ErrorKind, Fault, GatewayError, fail
from llr.base.jsonio import JSON, dumps, object_in
from llr.base.names import FormatId
from llr.base.records import dataclass, replace
from llr.config.schema import Provider
from llr.formats import relay, translate
from llr.formats.base import Format, Meta, Target
from llr.formats.effort import header_effort
from llr.formats.fields import filtered
from llr.formats.openai_responses.native import as_following, as_kept
from llr.formats.repair import repair
from llr.formats.table import FORMATS
from llr.gateway.attempt import Whole
from llr.gateway.call import Call
from llr.gateway.deps import Deps, Live
from llr.gateway.history import not_found
from llr.gateway.pausing import may_pause
from llr.gateway.routes import GENERATIONS, Action
from llr.gateway.upstream import Shape
from llr.ir.loss import Loss
from llr.ir.request import ChatRequest
from llr.providers.models import lookup
from llr.providers.traits import traits_of
from llr.providers.urls import GEMINI_STREAM, GENERATION, Endpoint, base_url
from llr.routing.route import Candidate
from llr.wire.http import Headers
from llr.wire.splice import REMOVED, Removed

# `web_search` and its dated forms; `web_search_preview` was the name before.
_FINAL_SEARCH = re.compile(r"web_search(?!_preview)(?:_\w+)?")


@dataclass(slots=True)
class Sent:
    """What goes to a candidate: endpoint and body, whether it will answer in events, what was lost on the way.

    `meta` is what the way back must know of a translated request, `value` its body; a relayed one has `edits` instead.
    `pausing` tells that the provider may pause its turn where this client's format has no pause.
    """

    endpoint: Endpoint
    body: Sequence[bytes]
    stream: bool
    losses: tuple[Loss, ...] = ()
    meta: Meta | None = None
    value: dict[str, JSON] | None = None
    edits: "dict[str, JSON | Removed] | None" = None
    pausing: bool = False

    def release(self) -> None:
        """Forgets the body: it was sent and will not be sent again."""
        self.body, self.value, self.edits = (), None, None


def is_native(call: Call, candidate: Candidate) -> bool:
    """Returns whether client and candidate speak the same format, so that bodies are relayed.

    A request whose tools have names the format refuses is translated all the same: translations mend names and map
    them back.
    """
    if candidate.wire is not call.client:
        return False
    refused: bool | None = call.extra.get("names refused")
    if refused is None:
        asks = call.action in GENERATIONS and "tools" in call.payload.value
        refused = call.extra["names refused"] = asks and relay.names_refused(dict(call.payload.value), call.client)
    return not refused


def format_of(format_id: FormatId) -> Format:
    """Returns a format. Raises `GatewayError(NOT_SUPPORTED)` for one that is not built."""
    found = FORMATS.get(format_id)
    if found is None:
        raise fail(ErrorKind.NOT_SUPPORTED, f"{format_id} is not supported here")
    return found


def target_of(candidate: Candidate, deps: Deps) -> Target:
    """Returns the upstream model as encoders see it."""
    model, provider = candidate.model, candidate.provider
    known = lookup(model.id)
    return Target(
        model=model.id,
        issuer=provider.id,
        capabilities=capabilities_of(candidate),
        context_window=model.context_window or (known.context_window if known is not None else None),
        max_output_tokens=model.max_output_tokens or (known.max_output_tokens if known is not None else None),
        learned=marks_of(candidate, deps),
    )


def capabilities_of(candidate: Candidate) -> Mapping[str, Any]:
    """Returns what a model's server can do: what is known of it, then what its provider and the model itself say."""
    model, provider = candidate.model, candidate.provider
    known = traits_of(base_url(provider, candidate.target))
    if provider.traits or model.traits or model.capabilities:
        return {**known, **provider.traits, **model.traits, **model.capabilities}
    return known


def marks_of(candidate: Candidate, deps: Deps) -> frozenset[str]:
    """Returns what is known of a model: lessons learned, and the search tool its provider declares."""
    marks = deps.learned.of(candidate.ref, candidate.wire)
    if candidate.wire is FormatId.RESPONSES:
        provider = candidate.provider
        if provider.metadata or provider.last_probe:
            name = declared_search(provider)
            return marks | {f"search:{name}"} if name else marks
    return marks


def declared_search(provider: Provider) -> str:
    """Returns the final name of the hosted web search a provider declares to know, "" when it declares none."""
    probe = provider.last_probe or {}
    for place in (
        probe,
        _table(probe.get("toolSupport")),
        provider.metadata,
        _table(provider.metadata.get("toolSupport")),
    ):
        name = _table(place.get("openaiResponses")).get("webSearchToolType")
        if isinstance(name, str) and _FINAL_SEARCH.fullmatch(name):
            return name
    return ""


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def outgoing(call: Call, candidate: Candidate, live: Live, deps: Deps) -> Sent:
    """Returns the request for a candidate.

    Raises `GatewayError(INVALID_REQUEST)` when it cannot be said in the candidate's format, or only with a loss that
    strict mode refuses.
    """
    stream = call.stream or candidate.provider.stream_only
    if is_native(call, candidate):
        edits = edits_for(call, candidate, deps)
        if call.model_in_body:
            edits["model"] = candidate.model.id
            if stream and not call.stream:
                edits["stream"] = True
        elif call.action is Action.UNIFIED:
            edits |= {"model": REMOVED, "stream": REMOVED}
        return Sent(call.endpoint, call.payload.parts(edits), stream, edits=edits)
    request = decoded(call, deps)
    if request.previous_response_id and candidate.wire is not call.client:
        # Kept here it would have been put in front already; another provider's memory is out of reach.
        raise not_found(request.previous_response_id)
    if stream is not request.stream:
        request = replace(request, stream=stream)
    target, hints = target_of(candidate, deps), translate.read_hints(call.headers)
    encoded = translate.encode(request, call.client, format_of(candidate.wire), target, hints=hints)
    if is_strict(candidate, live):
        fault = translate.strict_fault(encoded.losses)
        if fault is not None:
            raise GatewayError(fault)
    meta = replace(meta_of(call, candidate, deps), tool_names=encoded.tool_names)
    if _is_kept(call, candidate, live):
        meta = replace(meta, request=as_kept(meta.request))
    endpoint = endpoint_of(candidate.wire, stream=stream)
    pausing = may_pause(call, candidate, encoded.body)
    return Sent(endpoint, [dumps(encoded.body)], stream, encoded.losses, meta, encoded.body, None, pausing)


def _is_kept(call: Call, candidate: Candidate, live: Live) -> bool:
    """Returns whether a translated Responses answer will be remembered here, which it then says (`store`)."""
    if call.client is not FormatId.RESPONSES or candidate.wire is call.client:
        return False
    return call.payload.value.get("store") is not False and live.config.responses_store.max_entries > 0


def edits_for(call: Call, candidate: Candidate, deps: Deps) -> "dict[str, JSON | Removed]":
    """Returns the members of a relayed body that change besides the model.

    Nothing changes unless the model's capabilities, a lesson learned, a carrier of ours in the history or the client's
    own effort header asks for it.
    """
    document = call.payload.document
    if document is None:
        return {}
    carriers = bool(deps.carrier_key) and relay.may_hold_carriers(document.data)
    effort = header_effort(call.headers) if _asks_effort(call.headers) else ""
    model = candidate.model
    told = model.capabilities or model.traits or candidate.provider.traits
    if not (carriers or effort or told or marks_of(candidate, deps)):
        return {}
    target = target_of(candidate, deps)
    body = given = dict(document.value)
    if carriers:
        body = relay.open_carriers(body, call.client, target, carrier_keys(deps))
    if effort or target.learned:
        body = relay.apply_effort(body, call.client, target, effort)
    return differences(given, filtered(body, target))


def _asks_effort(headers: Headers) -> bool:
    """Returns whether any field name may speak of effort: one look at all of them instead of a search in each."""
    names = b" ".join(headers.names())
    return b"effort" in names or b"thinking" in names


def differences(old: Mapping[str, JSON], new: Mapping[str, JSON]) -> "dict[str, JSON | Removed]":
    """Returns the edits that turn one object into the other."""
    if new is old:
        return {}
    edits: dict[str, JSON | Removed] = {name: REMOVED for name in old if name not in new}
    for name, value in new.items():
        if name not in old or (value is not old[name] and value != old[name]):
            edits[name] = value
    return edits


def repaired(call: Call, candidate: Candidate, sent: Sent, fault: Fault) -> tuple[Sent, str] | None:
    """Returns the request without what an upstream's 400 complains of and the lesson, None when nothing can be done."""
    if sent.value is not None:
        found = repair(fault, sent.value, candidate.wire)
        if found is None:
            return None
        return replace(sent, body=[dumps(found.body)], value=found.body), found.learned
    if sent.edits is None or call.payload.document is None:
        return None
    body = dict(call.payload.value)
    for name, value in sent.edits.items():
        if isinstance(value, Removed):
            body.pop(name, None)
        else:
            body[name] = value
    found = repair(fault, body, candidate.wire)
    if found is None:
        return None
    edits = differences(call.payload.value, found.body)
    return replace(sent, body=call.payload.parts(edits), edits=edits), found.learned


def carrier_keys(deps: Deps) -> tuple[bytes, ...]:
    """Returns the keys that open carriers, none when the gateway has none."""
    return (deps.carrier_key, *deps.old_carrier_keys) if deps.carrier_key else ()


def is_strict(candidate: Candidate, live: Live) -> bool:
    """Returns whether losses are refused: the model's word, else the provider's, else the root's."""
    for said in (candidate.model.strict, candidate.provider.strict):
        if said is not None:
            return said
    return live.config.strict


def decoded(call: Call, deps: Deps) -> ChatRequest:
    """Returns the request in the intermediate form, decoded once for all candidates.

    Raises `GatewayError(INVALID_REQUEST)` for a body its own format cannot mean.
    """
    known: ChatRequest | None = call.extra.get("request")
    if known is None:
        known = translate.decode(call.payload.value, format_of(call.client), keys=carrier_keys(deps))
        if not call.model_in_body:
            known = replace(known, model=call.model, stream=call.stream)
        if (previous := call.extra.get("previous")) is not None:
            known = as_following(known, previous)
        call.extra["request"] = known
    return known


def meta_of(call: Call, candidate: Candidate, deps: Deps) -> Meta:
    """Returns what an answer of this candidate needs to know about the request."""
    return Meta(
        model=call.model or "smart",
        request=decoded(call, deps),
        ids=deps.ids,
        created_at=call.started_at,
        upstream=candidate.wire,
        issuer=candidate.provider.id,
        upstream_model=candidate.model.id,
        key=deps.carrier_key,
        codex=call.codex,
        think_tags=capabilities_of(candidate).get("think_tags") is True,
    )


def endpoint_of(wire: FormatId, *, stream: bool) -> Endpoint:
    """Returns the generation endpoint of a wire format."""
    return GEMINI_STREAM if stream and wire is FormatId.GEMINI else GENERATION[wire]


def needs_conversion(call: Call, candidate: Candidate, answer: Whole) -> bool:
    """Returns whether a whole answer is not yet what the client asked for: another format, or events for a body."""
    if answer.shape is Shape.OTHER:
        return False
    return not is_native(call, candidate) or answer.shape is not (Shape.EVENTS if call.stream else Shape.JSON)


def whole_answer(call: Call, candidate: Candidate, sent: Sent, answer: Whole, deps: Deps) -> Whole:
    """Returns a whole answer as the client wants it: JSON or events, in its format.

    Raises `GatewayError` when the answer cannot be read as one of the candidate's format.
    """
    client, upstream = format_of(call.client), format_of(candidate.wire)
    meta = sent.meta or meta_of(call, candidate, deps)
    if answer.shape is Shape.EVENTS:
        collected = translate.collect_stream(answer.body, upstream)
        if call.stream:
            stage = translate.stream(client, upstream, meta)
            body = b"".join([*stage.feed(answer.body), *stage.finish()])
        else:
            body = dumps(translate.encode_whole(collected, client, meta))
    else:
        value = _object(answer)
        if call.stream:
            body = translate.replay_body(value, client, upstream, meta)
        else:
            body = dumps(translate.response(value, client, upstream, meta))
    return replace(answer, body=body, shape=Shape.EVENTS if call.stream else Shape.JSON, converted=True)


def _object(answer: Whole) -> Mapping[str, JSON]:
    value = answer.value if answer.value is not None else object_in(answer.body)
    if value is None:
        raise fail(ErrorKind.UPSTREAM_INVALID, "the provider's answer is no JSON object")
    return value


def answer_stage(call: Call, candidate: Candidate, sent: Sent) -> translate.StreamTranslator | None:
    """Returns what turns the candidate's stream into the client's, None when they are the same."""
    if is_native(call, candidate) or sent.meta is None:
        return None
    client, upstream = format_of(call.client), format_of(candidate.wire)
    return translate.stream(client, upstream, sent.meta, pausing=sent.pausing)
