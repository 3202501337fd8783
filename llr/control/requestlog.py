"""The request log: one line for every request, where the config asks for it; also how a trace is written anywhere.

Law: a line holds no body, no header and no key, and nobody's words but the name of the model that was asked for.
"""

from collections.abc import Callable, Mapping
from functools import partial

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.base.redact import scrub
from llr.base.stamps import stamp
from llr.config.schema import Config
from llr.control.jsonlines import JsonLines
from llr.gateway.observe import Finished, Record, Trace, Try
from llr.ir.events import Usage
from llr.providers.models import Catalogue, ModelFacts, canonical

MAX_BYTES = 10 * 1024 * 1024
# Lists longer than this say nothing new, and names longer than this are none.
_MAX_ITEMS = 50
_MAX_NAME = 200
# What writing into the prompt cache costs, as a multiple of fresh input: docs.claude.com, prompt caching, pricing.
_CACHE_WRITE = {"5m": 1.25, "1h": 2.0}

Price = Callable[[str], ModelFacts | None]


def no_price(ref: str) -> ModelFacts | None:
    """Returns None: nobody knows what "provider/model" costs."""
    return None


class RequestLog(JsonLines):
    """An observer that writes a line for every request that is over. `enabled` and `price` may change at any time."""

    def __init__(self, path: str, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, "request log", max_bytes=max_bytes)
        self.enabled = False
        self.price: Price = no_price

    def __call__(self, record: Record, /) -> None:
        """Returns at once."""
        if self.enabled and isinstance(record, Finished) and record.trace is not None:
            self.add(partial(request_row, record, record.trace, self.price))


def request_row(record: Finished, trace: Trace, price: Price = no_price) -> dict[str, JSON]:
    """Returns one request's line; what is unknown is left out. Times are milliseconds."""
    usage = record.usage
    row: dict[str, JSON] = {
        "time": stamp(record.started_at),
        "id": record.id,
        "client": trace.client.value,
        "kind": trace.kind,
        "tool": trace.tool or None,
        "stream": trace.stream,
        "status": record.status or None,
        "end": record.end,
        "answeredBy": record.ref or None,
        "ms": _ms(record.started_at, record.at),
        "firstByteMs": _ms(record.started_at, record.first_token_at),
        "bytesIn": trace.bytes_in,
        "bytesOut": record.bytes_out,
        "tokens": _tokens(usage) if usage is not None else None,
        "costUsd": cost(usage, price(record.ref), record.ref, record.wire) if usage is not None else None,
        **routing_json(trace),
    }
    return {name: value for name, value in row.items() if value is not None}


def routing_json(trace: Trace) -> dict[str, JSON]:
    """Returns how a request was routed: the name it asked for, who was tried and skipped, what translation lost."""
    return {
        "model": _name(trace.model),
        "routeType": trace.type or None,
        "route": trace.ref or None,
        "strategy": trace.strategy or None,
        "selected": trace.selected or None,
        "wire": trace.wire.value if trace.wire is not None else None,
        "attempts": [_try(one) for one in trace.tries[:_MAX_ITEMS]],
        "skipped": [{"candidate": ref, "reasons": list(reasons)} for ref, reasons in trace.skipped[:_MAX_ITEMS]],
        "contextRequired": trace.context_tokens or None,
        "contextRisk": trace.risk or None,
        "losses": [f"{loss.path}: {loss.what}" for loss in trace.losses[:_MAX_ITEMS]],
    }


def _try(one: Try) -> dict[str, JSON]:
    ms = _ms(one.started_at, one.ended_at)
    found: dict[str, JSON] = {"candidate": one.ref, "wire": one.wire.value, "status": one.status, "result": one.result}
    return {**found, "attempt": one.attempt, "time": stamp(one.started_at), "ms": ms}


def _name(text: str) -> str:
    return scrub(" ".join(text.split())[:_MAX_NAME])


def _ms(start: float, end: float) -> int | None:
    return max(0, round((end - start) * 1000)) if end else None


def _tokens(usage: Usage) -> dict[str, JSON]:
    written = (usage.cache_write_5m, usage.cache_write_1h)
    found: dict[str, JSON] = {
        "input": usage.fresh,
        "cacheRead": usage.cache_read,
        "cacheWrite": sum(count or 0 for count in written) if written != (None, None) else None,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "estimated": True if usage.estimated else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def cost(usage: Usage, price: ModelFacts | None, ref: str = "", wire: FormatId | None = None) -> float | None:
    """Returns US dollars; None where a price is missing for tokens that were used, or nothing was counted."""
    if price is None or (usage.fresh is None and usage.output is None):
        return None
    claude = wire is FormatId.MESSAGES and canonical(ref).startswith("claude")
    fresh = price.input_price
    writes = {name: fresh * factor for name, factor in _CACHE_WRITE.items()} if claude and fresh is not None else {}
    total = 0.0
    for count, per_million in (
        (usage.fresh, fresh),
        (usage.cache_read, price.cached_price),
        (usage.cache_write_5m, writes.get("5m")),
        (usage.cache_write_1h, writes.get("1h")),
        (usage.output, price.output_price),
    ):
        if count:
            if per_million is None:
                return None
            total += count * per_million / 1_000_000
    return round(total, 8)


def prices(config: Config, catalogue: Callable[[], Catalogue]) -> Price:
    """Returns how a "provider/model" is priced: as the catalogue says of its model, looked up when first asked for."""
    known: dict[str, ModelFacts | None] = {}
    served = {f"{provider.id}/{model.id}": model.id for provider in config.providers for model in provider.models}

    def price(ref: str) -> ModelFacts | None:
        if ref not in known and ref in served:
            known[ref] = catalogue().lookup(served[ref])
        return known.get(ref)

    return price


def request_line(row: Mapping[str, JSON]) -> str:
    """Returns one line of the log for reading."""
    tokens, attempts = row.get("tokens"), row.get("attempts")
    counted = [f"{name} {count}" for name, count in tokens.items()] if isinstance(tokens, dict) else []
    parts = (
        f"{row.get('time', '-')} {row.get('status', '-')} {row.get('end', '')}",
        f"{row.get('client', '')} {row.get('model', '')} -> {row.get('answeredBy') or '-'}",
        f"{row.get('ms', '-')} ms" + (f", first byte {row['firstByteMs']}" if "firstByteMs" in row else ""),
        f"{len(attempts)} attempts" if isinstance(attempts, list) and len(attempts) > 1 else "",
        " ".join(counted),
        f"${row['costUsd']}" if "costUsd" in row else "",
    )
    return " | ".join(part for part in parts if part)
