"""The activity log: one entry for each request that failed over, recovered or failed, in a file beside the config.

A request that asked how it was routed leaves the whole way, as a structured entry.

Law: entries hold no body, no header and no key; writing never delays and never fails a request.
"""

import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.base.redact import scrub
from llr.base.stamps import stamp
from llr.control.jsonlines import JsonLines
from llr.control.requestlog import routing_json
from llr.gateway.observe import Attempted, Finished, Record, Trace
from llr.routing.outcome import Commit, GiveUp, Next, Outcome, Phase, Verdict

MAX_BYTES = 5 * 1024 * 1024
# Provider texts longer than this are cut, and end in an ellipsis.
MAX_SAID = 240
# Requests under way that failed once; beyond it the oldest are forgotten.
_MAX_OPEN = 10_000
_FROM_PROVIDER = frozenset((Phase.HEADERS, Phase.BODY, Phase.STREAM))


def activity_path(config: str) -> str:
    """Returns where the activity log of a config file lies: beside it, named after it."""
    return log_beside(config, "activity")


def log_beside(config: str, name: str) -> str:
    """Returns the path of one of the logs that lie beside a config file."""
    folder, file = os.path.split(config)
    stem = file.rpartition(".")[0] or file
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-") or "llm-router"
    return os.path.join(folder, f".{stem}.{name}.jsonl")


def summary(outcome: Outcome, verdict: Verdict) -> str:
    """Returns `status 429 · rate limited`, as far as it is known."""
    words = "" if isinstance(verdict, Commit) else verdict.category.value.replace("_", " ")
    status = f"status {outcome.status}" if outcome.status is not None else ""
    return " · ".join(filter(None, (status, words))) or "request failed"


def said(text: str, secrets_known: tuple[str, ...] = ()) -> str:
    """Returns " Provider said: …" on one line, cut and without secrets; "" for an empty text."""
    return _quoted("Provider said", text, secrets_known)


def _quoted(who: str, text: str, secrets_known: tuple[str, ...]) -> str:
    text = " ".join(scrub(text, secrets_known).split())
    if not text:
        return ""
    return f" {who}: {text if len(text) <= MAX_SAID else text[: MAX_SAID - 1] + '…'}"


@dataclass(frozen=True, slots=True)
class Failed:
    """The latest failure of a request that is under way."""

    ref: str
    label: str
    summary: str
    said: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entry says; `kind` is `fallback-triggered`, `fallback-succeeded`, `request-failed` or `route-trace`."""

    level: str
    kind: str
    message: str
    detail: str
    trace: Mapping[str, JSON] | None = None


class Activity:
    """An observer that turns records into entries. `secrets` never reach one; `enabled` may change at any time."""

    __slots__ = ("_open", "_write", "enabled", "secrets")

    def __init__(self, write: Callable[[float, Entry], None], *, enabled: bool = True) -> None:
        self._write = write
        self._open: OrderedDict[str, Failed] = OrderedDict()
        self.enabled = enabled
        self.secrets: tuple[str, ...] = ()

    def __call__(self, record: Record, /) -> None:
        """Returns at once; a plain success is not logged."""
        if isinstance(record, Attempted):
            if isinstance(record.verdict, Commit):
                self._committed(record)
            else:
                self._failed(record)
        elif isinstance(record, Finished):
            self._finished(record)

    def _failed(self, record: Attempted) -> None:
        outcome = record.outcome
        told = outcome.status is not None and outcome.phase in _FROM_PROVIDER and bool(outcome.excerpt.strip())
        failed = self._open[record.id] = Failed(
            record.ref,
            _label(record.model, record.route),
            summary(outcome, record.verdict),
            _quoted("Provider said" if told else "Reason", record.message, self.secrets),
            isinstance(record.verdict, GiveUp),
        )
        while len(self._open) > _MAX_OPEN:
            self._open.popitem(last=False)
        if isinstance(record.verdict, Next) and record.next_ref:
            text = f"{failed.ref} failed ({failed.summary}). Trying {record.next_ref} next.{failed.said}"
            self._tell(record.at, "warn", "fallback-triggered", f"Request fallback triggered for {failed.label}.", text)

    def _committed(self, record: Attempted) -> None:
        failed = self._open.pop(record.id, None)
        if failed is None or failed.ref == record.ref:
            return
        text = f"{record.ref} completed the request after {failed.ref} failed ({failed.summary}).{failed.said}"
        message = f"Fallback request succeeded for {failed.label}."
        self._tell(record.at, "success", "fallback-succeeded", message, text)

    def _finished(self, record: Finished) -> None:
        failed = self._open.pop(record.id, None)
        if record.trace is not None and record.trace.debug:
            self._trace(record, record.trace)
        if record.end != "failed":
            return
        if record.ref:
            # A stream that broke after its beginning was shown: nobody else can go on with it.
            label = _label(record.model, record.route)
            why = _quoted("Reason", record.message, self.secrets)
            failed = Failed(record.ref, label, "request failed", why, stopped=True)
        if failed is None:
            return
        end = "Fallback stopped for this error." if failed.stopped else "No more fallbacks are available."
        text = f"{failed.ref} failed ({failed.summary}). {end}{failed.said}"
        self._tell(record.at, "error", "request-failed", f"Request failed for {failed.label}.", text)

    def _trace(self, record: Finished, trace: Trace) -> None:
        message = f"Request routed for {_label(record.model, record.route)}."
        steps = ", ".join(map(str, trace.tries)) or "nobody was asked"
        facts: dict[str, JSON] = {"request": record.id, "status": record.status, "end": record.end}
        self._tell(record.at, "info", "route-trace", message, steps, {**facts, **routing_json(trace)})

    def _tell(
        self, at: float, level: str, kind: str, message: str, detail: str, trace: Mapping[str, JSON] | None = None
    ) -> None:
        if self.enabled:
            self._write(at, Entry(level, kind, message, detail, trace))


def _label(model: str, route: str) -> str:
    model = model.strip()
    return route if not model or model == route else f"{model} -> {route}"


class ActivityFile(JsonLines):
    """The file of the entries."""

    def __init__(self, path: str, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, "activity log", max_bytes=max_bytes)

    def write(self, at: float, entry: Entry) -> None:
        """Returns at once; the entry is written in the background."""
        self.add(partial(_row, at, entry))


def _row(at: float, entry: Entry) -> dict[str, JSON]:
    return {
        "id": f"{int(at * 1000)}-{secrets.token_hex(4)}",
        "time": stamp(at),
        "level": entry.level,
        "message": entry.message,
        "detail": entry.detail,
        "source": "runtime",
        "kind": entry.kind,
        "category": "usage",
        **({"trace": dict(entry.trace)} if entry.trace is not None else {}),
    }
