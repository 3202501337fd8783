"""What a matrix run means: which endpoint serves each format, which models are confirmed there, what people must do."""

from collections.abc import Mapping, Sequence

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.base.records import dataclass
from llr.control.probe.addresses import preference
from llr.control.probe.ask import auth_entry
from llr.control.probe.endpoint import ORDER, Found
from llr.control.probe.matrix import Ran
from llr.control.probe.verdict import Check, Verdict

OPENAI, CLAUDE = ProviderFormat.OPENAI, ProviderFormat.CLAUDE
# As `workingFormats` and addresses are printed.
_SHOWN = (OPENAI, CLAUDE, ProviderFormat.GEMINI)


@dataclass(frozen=True, slots=True)
class Row:
    """One endpoint when all is over: detected formats and those that confirmed a model."""

    endpoint: str
    found: Found
    checks: tuple[Check, ...]

    @property
    def confirming(self) -> tuple[Check, ...]:
        """Returns the checks that confirmed a model here."""
        return tuple(check for check in self.checks if check.verdict.confirms)

    @property
    def working(self) -> tuple[ProviderFormat, ...]:
        """Returns the formats that work, detected or by a confirmed model."""
        proven = {*self.found.working, *(check.format for check in self.confirming)}
        return tuple(name for name in ORDER if name in proven)

    @property
    def supported(self) -> tuple[ProviderFormat, ...]:
        """Returns the formats it speaks; what works is among them."""
        known = {*self.found.supported, *self.working}
        return tuple(name for name in ORDER if name in known)

    def models(self, target: ProviderFormat) -> tuple[str, ...]:
        """Returns the models confirmed here in a format."""
        return tuple(dict.fromkeys(check.model for check in self.confirming if check.format is target))

    def auth(self, target: ProviderFormat) -> str | None:
        """Returns the auth variant that works for a format: that of a confirmed model, else the detected one."""
        by_model = next((check.auth for check in self.confirming if check.format is target and check.auth), None)
        detection = self.found.detections.get(target)
        return by_model or (detection.auth if detection is not None else None)

    def form(self) -> dict[str, JSON]:
        """Returns the row of `endpointMatrix`."""
        auths: dict[str, JSON] = {}
        models: dict[str, JSON] = {}
        for name in self.working:
            auths[name.value] = auth_entry(self.auth(name) or "none")
        for name in self.supported:
            models[name.value] = list(self.models(name))
        preferred = next(iter((*self.working, *self.supported)), None)
        return {
            "endpoint": self.endpoint,
            "supportedFormats": _names(self.supported),
            "workingFormats": _names(self.working),
            "preferredFormat": preferred.value if preferred else None,
            "authByFormat": auths,
            "modelsByFormat": models,
            "modelChecks": [_check(check) for check in self.checks],
            "details": self.found.form()["details"],
        }


def _names(formats: Sequence[ProviderFormat]) -> list[JSON]:
    return [name.value for name in formats]


def _check(check: Check) -> JSON:
    return {
        "format": check.format.value,
        "model": check.model,
        "confirmed": check.verdict.confirms,
        "outcome": check.verdict.value,
        "status": check.status,
        "authType": check.auth,
        "message": check.message,
        "error": check.error or None,
        "latencyMs": round(check.latency_s * 1000),
        **({"wire": "responses"} if check.by_responses else {}),
    }


def rows_of(ran: Ran) -> tuple[Row, ...]:
    """Returns one row per endpoint, in order."""
    return tuple(
        Row(url, ran.found[at], tuple(check for check in ran.checks if check.endpoint == url))
        for at, url in enumerate(ran.plan.endpoints)
    )


def chosen(rows: Sequence[Row]) -> dict[ProviderFormat, Row]:
    """Returns the endpoint of each format that works: best by its looks, then most models, then first."""
    found: dict[ProviderFormat, Row] = {}
    for name in _SHOWN:
        fit = [row for row in rows if name in row.working]
        if fit:
            found[name] = max(fit, key=lambda row, name=name: (preference(row.endpoint, name), len(row.models(name))))  # type: ignore[misc]
    return found


def assemble(ran: Ran, listed: Mapping[str, Mapping[str, JSON]] | None = None) -> dict[str, JSON]:
    """Returns the result of a run as reports and `lastProbe` have it; `listed` are facts that model lists told."""
    rows = rows_of(ran)
    best = chosen(rows)
    support: dict[str, list[ProviderFormat]] = {}
    for model in ran.plan.models:
        names = [name for name in _SHOWN if name in best and model in best[name].models(name)]
        if names:
            support[model] = names
    preferred = next((name for name in ORDER if name in best), None)
    unresolved = [model for model in ran.plan.models if model not in support]
    failures = [check for check in ran.checks if check.verdict is Verdict.EXHAUSTED]
    auths: dict[str, JSON] = {}
    for name, row in best.items():
        auths[name.value] = auth_entry(row.auth(name) or "none")
    speaks = {name for row in rows for name in row.supported}
    needs_hand = bool(failures or not best or not support or unresolved)
    result: dict[str, JSON] = {
        "ok": bool(best and support),
        "endpoints": list(ran.plan.endpoints),
        "formats": _names([name for name in ORDER if name in speaks]),
        "workingFormats": _names(tuple(best)),
        "preferredFormat": preferred.value if preferred else None,
        "baseUrlByFormat": {name.value: row.endpoint for name, row in best.items()},
        "authByFormat": auths,
        "auth": auths.get(preferred.value) if preferred else None,
        "models": list(support),
        "modelSupport": {model: _names(names) for model, names in support.items()},
        "modelPreferredFormat": {model: _preferred(model, names, preferred) for model, names in support.items()},
        "endpointMatrix": [row.form() for row in rows],
        "warnings": list(_warnings(rows, best, support, failures, unresolved)),
        "unresolvedModels": list(unresolved),
        "rateLimitFailures": [_failure(check) for check in failures],
        "requestsPerMinute": ran.plan.requests_per_minute,
        "maxRateLimitRetries": ran.plan.max_rate_limit_retries,
        "manualFallbackRecommended": needs_hand,
        "failureScope": ("partial" if best else "full") if needs_hand else "none",
    }
    return {**result, **_extras(ran, best, listed or {})}


def _extras(ran: Ran, best: Mapping[ProviderFormat, Row], listed: Mapping[str, Mapping[str, JSON]]) -> dict[str, JSON]:
    """Returns what goes beyond the reference router: latencies, the Responses API, and what lists told of models."""
    good = [check for check in ran.checks if check.verdict.confirms]
    found: dict[str, JSON] = {"modelLatencyMs": {check.model: round(check.latency_s * 1000) for check in good}}
    wires: dict[str, JSON] = {check.model: "responses" for check in good if check.by_responses}
    if wires:
        found["modelWire"] = wires
    if OPENAI in best:
        responses = best[OPENAI].found.detections[OPENAI].responses
        if responses is not None:
            found["openaiResponses"] = {"supported": responses}
    facts: dict[str, JSON] = {model: dict(listed[model]) for model in ran.plan.models if listed.get(model)}
    if facts:
        found["modelFacts"] = facts
    return found


def _preferred(model: str, names: Sequence[ProviderFormat], preferred: ProviderFormat | None) -> str:
    if len(names) == 1:
        return names[0].value
    wanted = CLAUDE if model.lower().startswith("claude") else OPENAI
    if wanted in names:
        return wanted.value
    return (preferred if preferred in names and preferred is not None else names[0]).value


def _failure(check: Check) -> JSON:
    return {
        "endpoint": check.endpoint,
        "format": check.format.value,
        "model": check.model,
        "retries": check.retries,
        "status": check.status,
        "message": check.message,
    }


def _nothing_works(row: Row) -> str:
    what = "No format works at" if row.supported else "No supported format was found for"
    return f"{what} endpoint {row.endpoint}{f' ({row.found.why})' if row.found.why else ''}."


def _warnings(
    rows: Sequence[Row],
    best: Mapping[ProviderFormat, Row],
    support: Mapping[str, object],
    failures: Sequence[Check],
    unresolved: Sequence[str],
) -> list[str]:
    found = [_nothing_works(row) for row in rows if not row.working]
    if not best:
        found.append("No endpoint format works with this API key.")
    if not support:
        found.append("None of the given models was confirmed.")
    if failures:
        found.append(f"Rate-limit retries were used up for {len(failures)} check(s).")
    if unresolved:
        found.append(f"{len(unresolved)} model(s) need to be confirmed by hand.")
    return found
