"""`x-llm-router-*` header fields that tell how a request was routed; sent only where debugging is on."""

from collections.abc import Iterable

from llr.gateway.call import Call
from llr.gateway.exchange import Committed, Exchange
from llr.ir.loss import Loss
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


def attempt_text(outcome: Outcome, verdict: Verdict) -> str:
    """Returns `provider/model:<status or error>/<category or ok>#<attempt>`."""
    result = "ok" if isinstance(verdict, Commit) else verdict.category.value
    status = "error" if outcome.status is None else str(outcome.status)
    return f"{outcome.ref}:{status}/{result}#{outcome.attempt}"


def debug_headers(call: Call, exchange: Exchange, committed: Committed | None) -> RawHeaders:
    """Returns the fields of one answer; empty ones are left out, the first four are always there."""
    route, selected = exchange.route, exchange.selected
    answered = committed.candidate if committed is not None else selected
    attempts = [attempt_text(tried.outcome, tried.verdict) for tried in exchange.tried]
    if committed is not None:
        attempts.append(attempt_text(committed.outcome, Commit()))
    need = exchange.need
    fields: RawHeaders = [
        (_PREFIX + b"requested-model", clean(call.model or "smart")),
        (_PREFIX + b"route-type", clean(route.type.value)),
        (_PREFIX + b"route-ref", clean(route.ref)),
        (_PREFIX + b"route-strategy", clean(route.strategy)),
    ]
    optional = (
        (b"selected-candidate", str(answered.ref) if answered is not None else ""),
        (
            b"skipped-candidates",
            listed(f"{skip.candidate.ref}:{'+'.join(skip.reasons)}" for skip in exchange.skipped),
        ),
        (b"attempts", listed(attempts)),
        (b"context-required", str(need.context_tokens) if need.context_tokens else ""),
        (b"context-hint-source", "request-body-estimate" if need.context_tokens else ""),
        (b"context-risk", (context_risk(selected, need) or "") if selected is not None else ""),
        (b"tool-types", listed(call.tool_types)),
    )
    fields += [(_PREFIX + name, clean(value)) for name, value in optional if value]
    if committed is not None:
        fields += _translation(committed.candidate.wire.value, committed.sent.losses)
    return fields


def _translation(wire: str, losses: tuple[Loss, ...]) -> RawHeaders:
    fields: RawHeaders = [(_PREFIX + b"wire-format", clean(wire))]
    dropped = ",".join(f"{loss.path}:{loss.what}" for loss in losses)
    if dropped:
        fields.append((_PREFIX + b"dropped", clean(dropped, _DROPPED_CHARS)))
    return fields
