"""How a request was routed: as a record, and as `x-llm-router-*` header fields where debugging is on."""

from collections.abc import Iterable

from llr.base.names import FormatId
from llr.gateway.call import Call
from llr.gateway.exchange import Committed, Exchange
from llr.gateway.observe import Trace, Try
from llr.routing.outcome import Commit, Outcome, Verdict
from llr.routing.plan import context_risk
from llr.wire.http import RawHeaders

_PREFIX = b"x-llm-router-"
_MAX_CHARS = 512
_MAX_ITEMS = 8
_DROPPED_CHARS = 1024


def clean(value: str, limit: int = _MAX_CHARS) -> bytes:
    """Returns a value fit for a header field: one line, trimmed, cut."""
    text = value.replace("\r", " ").replace("\n", " ").strip()[:limit]
    return text.encode("latin-1", "replace")


def listed(items: Iterable[str]) -> str:
    """Returns at most eight items joined by commas."""
    return ",".join(list(items)[:_MAX_ITEMS])


def trace_of(call: Call, exchange: Exchange, committed: Committed | None, *, now: float, bytes_in: int = 0) -> Trace:
    """Returns the way a request has come so far; `now` ended the attempt that was committed."""
    route, selected, need = exchange.route, exchange.selected, exchange.need
    tries = [_try(one.candidate.wire, one.outcome, one.verdict, one.ended_at) for one in exchange.tried]
    if committed is not None:
        tries.append(_try(committed.candidate.wire, committed.outcome, Commit(), now))
    answered = committed.candidate if committed is not None else selected
    return Trace(
        client=call.client,
        kind=call.action.value,
        model=call.model or "smart",
        stream=call.stream,
        tool=call.tool,
        bytes_in=bytes_in,
        debug=exchange.debug,
        type=route.type.value,
        strategy=route.strategy,
        ref=route.ref,
        selected=answered.ref if answered is not None else "",
        skipped=tuple((skip.candidate.ref, skip.reasons) for skip in exchange.skipped),
        tries=tuple(tries),
        context_tokens=need.context_tokens,
        risk=(context_risk(selected, need) or "") if selected is not None else "",
        tool_types=call.tool_types,
        wire=committed.candidate.wire if committed is not None else None,
        losses=committed.sent.losses if committed is not None else (),
    )


def _try(wire: FormatId, outcome: Outcome, verdict: Verdict, ended_at: float) -> Try:
    result = "ok" if isinstance(verdict, Commit) else verdict.category.value
    return Try(outcome.ref, wire, outcome.status, result, outcome.attempt, outcome.started_at, ended_at)


def debug_headers(call: Call, exchange: Exchange, committed: Committed | None) -> RawHeaders:
    """Returns the fields of one answer; empty ones are left out, the first four are always there."""
    trace = trace_of(call, exchange, committed, now=0.0)
    fields: RawHeaders = [
        (_PREFIX + b"requested-model", clean(trace.model)),
        (_PREFIX + b"route-type", clean(trace.type)),
        (_PREFIX + b"route-ref", clean(trace.ref)),
        (_PREFIX + b"route-strategy", clean(trace.strategy)),
    ]
    optional = (
        (b"selected-candidate", trace.selected),
        (b"skipped-candidates", listed(f"{ref}:{'+'.join(reasons)}" for ref, reasons in trace.skipped)),
        (b"attempts", listed(map(str, trace.tries))),
        (b"context-required", str(trace.context_tokens) if trace.context_tokens else ""),
        (b"context-hint-source", "request-body-estimate" if trace.context_tokens else ""),
        (b"context-risk", trace.risk),
        (b"tool-types", listed(trace.tool_types)),
        (b"tool-routing", listed(f"{ref}:{word}" for ref, word in exchange.tool_routing.items())),
        (b"wire-format", trace.wire.value if trace.wire is not None else ""),
    )
    fields += [(_PREFIX + name, clean(value)) for name, value in optional if value]
    dropped = ",".join(f"{loss.path}:{loss.what}" for loss in trace.losses)
    if dropped:
        fields.append((_PREFIX + b"dropped", clean(dropped, _DROPPED_CHARS)))
    return fields
