"""The probe as operations call it: a question and who is told in, one JSON object out."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from llr.base.clock import Clock, SystemClock
from llr.base.jsonio import JSON
from llr.control.probe.ask import Access, Asker, refuse_plain_http
from llr.control.probe.discovery import discover_all, facts_of
from llr.control.probe.endpoint import Prober
from llr.control.probe.matrix import Matrix, Plan
from llr.control.probe.order import unique
from llr.control.probe.question import Question
from llr.control.probe.result import assemble, rows_of
from llr.control.report import refuse
from llr.net.client import Client
from llr.wire.http import Transport

log = logging.getLogger("llr.control.probe")

TEST_TIMEOUT_S = 10.0
DISCOVERY_TIMEOUT_S = 8.0
Tell = Callable[[Mapping[str, JSON]], None]


def heard(progress: Tell) -> Tell:
    """Returns a teller whose listener's failures do not end the probe."""

    def tell(event: Mapping[str, JSON]) -> None:
        try:
            progress(event)
        except Exception as exc:
            log.debug("nobody took %s: %r", event.get("phase"), exc)

    return tell


@asynccontextmanager
async def _transport(question: Question, given: Transport | None) -> AsyncIterator[Transport]:
    if given is not None:
        yield given
        return
    client = Client(question.env)
    try:
        yield client
    finally:
        await client.aclose()


def _checked(question: Question) -> tuple[str, ...]:
    """Returns the endpoints to ask. Raises `Refused` for what cannot or must not be asked."""
    endpoints = unique(question.endpoints)
    if not endpoints:
        raise refuse("missing-flag", "At least one endpoint is required for probing.")
    refuse_plain_http(endpoints, question.api_key, allowed=question.allow_plain_http)
    return endpoints


def _prober(question: Question, transport: Transport, clock: Clock, timeout_s: float) -> Prober:
    access = Access(question.api_key, question.headers, question.env, question.proxy, question.ca_file)
    return Prober(Asker(transport, clock), access, timeout_s)


async def discover(
    question: Question, progress: Tell, *, transport: Transport | None = None, clock: Clock | None = None
) -> dict[str, JSON]:
    """Returns which formats the endpoints speak and which models they list. Raises `Refused` for a bad question."""
    endpoints = _checked(question)
    async with _transport(question, transport) as carrier:
        prober = _prober(question, carrier, clock or SystemClock(), DISCOVERY_TIMEOUT_S)
        return await discover_all(endpoints, prober, heard(progress))


async def examine(
    question: Question, progress: Tell, *, transport: Transport | None = None, clock: Clock | None = None
) -> dict[str, JSON]:
    """Returns which models answer at which endpoints, in which format. Raises `Refused` for a bad question."""
    endpoints, models = _checked(question), unique(question.models)
    if not models:
        raise refuse("missing-flag", "At least one model is required for endpoint-model probing.")
    retries = min(10, max(0, question.max_rate_limit_retries))
    plan = Plan(endpoints, models, max(1, question.requests_per_minute), retries)
    time, tell = clock or SystemClock(), heard(progress)
    began = time.monotonic()
    async with _transport(question, transport) as carrier:
        ran = await Matrix(plan, _prober(question, carrier, time, TEST_TIMEOUT_S), tell).run()
    result = assemble(ran, facts_of(ran.found))
    for at, row in enumerate(rows_of(ran)):
        form = row.form()
        tell(
            {
                "phase": "endpoint-done",
                "endpoint": row.endpoint,
                "endpointIndex": at + 1,
                "endpointCount": len(endpoints),
                "workingFormats": form["workingFormats"],
                "modelsByFormat": form["modelsByFormat"],
            }
        )
    supported = result["models"]
    count = len(supported) if isinstance(supported, list) else 0
    addresses = {name: result[name] for name in ("workingFormats", "baseUrlByFormat")}
    tell({"phase": "matrix-done", **addresses, "supportedModelCount": count})
    tell({"phase": "finished", "seconds": round(time.monotonic() - began, 1)})
    stamp = datetime.fromtimestamp(time.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**result, "at": stamp}
