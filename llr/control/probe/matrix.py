"""Endpoints × models: only an answer of the model itself confirms it. Calls are paced, and rate limits waited for."""

import asyncio
from collections.abc import Callable, Mapping

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.base.records import dataclass, field, replace
from llr.control.probe.endpoint import Found, Prober, generation, host_of
from llr.control.probe.order import Pace, Pair, candidates, variants_first
from llr.control.probe.replies import Reply, table
from llr.control.probe.verdict import (
    Check,
    Verdict,
    classify,
    retry_after_s,
    told,
    wants_completion_tokens,
    wants_responses,
)

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
# Nobody waits for a probe longer than this at a time; a server that asks for more is given up.
MOST_WAIT_S = 300.0
Tell = Callable[[Mapping[str, JSON]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked: at least one endpoint and one model."""

    endpoints: tuple[str, ...]
    models: tuple[str, ...]
    requests_per_minute: int = 30
    max_rate_limit_retries: int = 3


@dataclass(frozen=True, slots=True)
class Ran:
    """What a matrix run brought: endpoints in order, the formats asked of each, every check in order."""

    plan: Plan
    found: tuple[Found, ...]
    formats: tuple[tuple[ProviderFormat, ...], ...]
    checks: tuple[Check, ...]


@dataclass(slots=True)
class Matrix:
    """One run."""

    plan: Plan
    prober: Prober
    tell: Tell
    checks: list[Check] = field(default_factory=list)

    async def run(self) -> Ran:
        """Returns everything that was found."""
        count = len(self.plan.endpoints)
        self.tell({"phase": "matrix-start", "endpointCount": count, "modelCount": len(self.plan.models)})
        found = await self._endpoints()
        formats = tuple(_formats(one) for one in found)
        pace = Pace(self.plan.requests_per_minute)
        confirmed = 0
        total = len(self.plan.models) * sum(map(len, formats))
        for model in self.plan.models:
            check = await self._model(model, found, formats, pace, total)
            confirmed += check is not None
            self._tell_model(model, check, confirmed)
        return Ran(self.plan, found, formats, tuple(self.checks))

    async def _endpoints(self) -> tuple[Found, ...]:
        """Returns what each endpoint speaks. All are asked at once, and told of in order."""
        held: list[list[Mapping[str, JSON]]] = [[] for _ in self.plan.endpoints]
        found: list[Found] = []
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.prober.probe(url, tell=held[at].append))
                for at, url in enumerate(self.plan.endpoints)
            ]
            for at, task in enumerate(tasks):
                where = self._where(at)
                self.tell({"phase": "endpoint-start", **where})
                found.append(await task)
                for event in held[at]:
                    self.tell({**event, **where})
                names: list[JSON] = [one.value for one in _formats(found[at])]
                self.tell({"phase": "endpoint-formats", **where, "formatsToTest": names})
        return tuple(found)

    def _where(self, at: int) -> dict[str, JSON]:
        return {
            "endpoint": self.plan.endpoints[at],
            "endpointIndex": at + 1,
            "endpointCount": len(self.plan.endpoints),
        }

    async def _model(
        self,
        model: str,
        found: tuple[Found, ...],
        formats: tuple[tuple[ProviderFormat, ...], ...],
        pace: Pace,
        total: int,
    ) -> Check | None:
        """Returns the check that confirmed a model, None when none did."""
        for pair in candidates(model, self.plan.endpoints, formats):
            detection = found[pair.index].detections.get(pair.format)
            walk = _Walk(self, model, pair, detection.auth if detection is not None else None, pace)
            check = await walk.run()
            self.checks.append(check)
            self._tell_check(check, total)
            if check.verdict.confirms:
                return check
        return None

    def _tell_check(self, check: Check, total: int) -> None:
        self.tell(
            {
                "phase": "model-check",
                "endpoint": check.endpoint,
                "format": check.format.value,
                "model": check.model,
                "supported": check.verdict.confirms,
                "confirmed": check.verdict.confirms,
                "outcome": check.verdict.value,
                "status": check.status,
                "message": check.message,
                "error": check.error or None,
                "latencyMs": round(check.latency_s * 1000),
                "completedChecks": len(self.checks),
                "totalChecks": total,
            }
        )

    def _tell_model(self, model: str, check: Check | None, confirmed: int) -> None:
        formats: list[JSON] = [check.format.value] if check is not None else []
        self.tell(
            {
                "phase": "model-done",
                "model": model,
                "confirmed": check is not None,
                "formats": formats,
                "endpoint": check.endpoint if check is not None else None,
                "format": check.format.value if check is not None else None,
                "completedModels": confirmed,
                "totalModels": len(self.plan.models),
            }
        )


def _formats(found: Found) -> tuple[ProviderFormat, ...]:
    """Returns the formats a model is asked in: always both usual ones, and Gemini where it speaks that."""
    return (OPENAI, CLAUDE, GEMINI) if GEMINI in found.supported else (OPENAI, CLAUDE)


@dataclass(slots=True)
class _Walk:
    """One model at one pair, repeated while it is told to slow down."""

    matrix: Matrix
    model: str
    pair: Pair
    known_auth: str | None
    pace: Pace

    async def run(self) -> Check:
        """Returns how it ended."""
        plan, clock = self.matrix.plan, self.matrix.prober.asker.clock
        host = host_of(self.pair.endpoint)
        retries = 0
        while True:
            early_s = self.pace.wait_s(host, now=clock.monotonic())
            if early_s > 0:
                self._tell_wait("pacing", early_s, retries)
                await clock.sleep(early_s)
            began = clock.monotonic()
            check = await self._once()
            self.pace.spent(host, began=began, requests=check.requests)
            if check.verdict is not Verdict.RATE_LIMIT:
                return replace(check, retries=retries)
            wait_s = self.pace.retry_s(check.wait_s)
            if retries >= plan.max_rate_limit_retries or wait_s > MOST_WAIT_S:
                text = f"Rate limit persisted after {retries} retries."
                if wait_s > MOST_WAIT_S:
                    text = f"Rate limit asks to wait {wait_s:.0f} s."
                return replace(check, verdict=Verdict.EXHAUSTED, message=text, retries=retries)
            retries += 1
            self._tell_wait("rate-limit", wait_s, retries, check)
            await clock.sleep(wait_s)

    def _tell_wait(self, reason: str, wait_s: float, retries: int, check: Check | None = None) -> None:
        event: dict[str, JSON] = {
            "phase": "rate-limit-wait",
            "reason": reason,
            "endpoint": self.pair.endpoint,
            "format": self.pair.format.value,
            "model": self.model,
            "waitMs": round(wait_s * 1000),
            "retryAttempt": retries,
            "maxRetries": self.matrix.plan.max_rate_limit_retries,
        }
        if check is not None:
            event |= {"status": check.status, "message": check.message}
        self.matrix.tell(event)

    async def _once(self) -> Check:
        """Returns the outcome of one round through the auth variants; only a refused key leads to the next of them."""
        prober, target = self.matrix.prober, self.pair.format
        requests = 0
        message = ""
        for variant in variants_first(self.known_auth, prober.access.variants(target)):
            reply, asked = await self._ask(variant)
            requests += asked
            verdict = classify(target, reply)
            message = told(reply, (prober.access.key,))
            if target is OPENAI and verdict is not Verdict.OK and wants_responses(reply):
                second = await prober.ask_responses(self.pair.endpoint, self.model, variant)
                requests += 1
                if second.ok and table(second.json).get("object") == "response":
                    return self._check(Verdict.OK, second, variant, "", requests, by_responses=True)
            if verdict is not Verdict.AUTH:
                return self._check(verdict, reply, variant, message, requests)
        nothing = Reply(0, {})
        return self._check(Verdict.UNKNOWN, nothing, None, message, requests)

    async def _ask(self, variant: str) -> tuple[Reply, int]:
        """Returns the answer and the requests it took: OpenAI's reasoning models want the limit by another name."""
        prober, target, endpoint = self.matrix.prober, self.pair.format, self.pair.endpoint
        body = generation(target, self.model)
        reply = await prober.ask_model(endpoint, target, self.model, variant, body)
        if target is not OPENAI or not wants_completion_tokens(reply):
            return reply, 1
        body = {("max_completion_tokens" if name == "max_tokens" else name): value for name, value in body.items()}
        return await prober.ask_model(endpoint, target, self.model, variant, body), 2

    def _check(
        self,
        verdict: Verdict,
        reply: Reply,
        variant: str | None,
        message: str,
        requests: int,
        *,
        by_responses: bool = False,
    ) -> Check:
        wait_s = retry_after_s(reply, now=self.matrix.prober.asker.clock.now())
        return Check(
            self.pair.endpoint,
            self.pair.format,
            self.model,
            verdict,
            reply.status,
            variant,
            message,
            message if reply.error else "",
            reply.latency_s,
            requests,
            0,
            wait_s,
            by_responses,
        )
