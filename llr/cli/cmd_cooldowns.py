"""`llr cooldowns`: what rests after failures and what is counted, and how to end either.

Without a gateway, as the kept state tells it.
"""

from argparse import Namespace
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.cli.asking import ask
from llr.cli.context import Context
from llr.control.params import Kind, Param
from llr.control.report import Outcome, Report, Table, refuse

PARAMS: tuple[Param, ...] = (
    Param("action", "`clear` ends cooldowns; without it they are listed.", Kind.TEXT, positional=True),
    Param("ref", "A provider or provider/model; without it all are cleared.", Kind.TEXT, positional=True),
    Param("counts", "Clear counts of rate-limit buckets instead; `ref` is a provider or provider/bucket.", Kind.BOOL),
    Param("config", "Config file whose kept state is meant when nothing runs.", Kind.PATH),
)


def _rows(body: Mapping[str, JSON]) -> tuple[tuple[str, ...], ...]:
    listed = body.get("cooldowns")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    columns = ("name", "format", "reason", "until", "status", "failures")
    return tuple(tuple(_cell(name, row.get(name)) for name in columns) for row in rows)


def _cell(name: str, value: JSON) -> str:
    if value is None:
        return ""
    return reason_words(str(value)) if name == "reason" else str(value)


def reason_words(reason: str) -> str:
    """Returns why something rests, in words: `rate limited`; the circuit breaker's own name says nothing to most."""
    return "failed repeatedly" if reason == "circuit" else reason.replace("_", " ")


def _counts(body: Mapping[str, JSON]) -> tuple[tuple[str, ...], ...]:
    listed = body.get("counts")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return tuple(
        (
            *(str(row[name]) for name in ("provider", "bucket", "window")),
            f"{row['used']} {row['unit']}",
            str(row.get("resets") or ""),
        )
        for row in rows
    )


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the running cooldowns, or how many records were cleared."""
    if args.action is None:
        body = ask("GET", "/cooldowns", None, context, args.config)
        table = Table(
            "Running",
            ("Name", "Format", "Reason", "Until", "Status", "Failures"),
            _rows(body),
            "Nothing is cooling down.",
        )
        counts = Table(
            "Counted",
            ("Provider", "Bucket", "Window", "Used", "Resets"),
            _counts(body),
            "Nothing is counted.",
        )
        return Outcome(report=Report("Cooldowns", (table, counts)), data=body)
    if args.action != "clear":
        raise refuse("unknown-word", f"`llr cooldowns` knows `clear`, not '{args.action}'.", "See `llr cooldowns -h`.")
    wanted: dict[str, JSON] = {"ref": args.ref, **({"counts": True} if args.counts else {})}
    body = ask("POST", "/cooldowns/clear", wanted, context, args.config)
    cleared = body.get("cleared", 0)
    none = f"Nothing of '{args.ref}' rests or is counted; `llr cooldowns` lists what does." if args.ref else ""
    return Outcome(text=none if none and not cleared else f"Cleared {cleared} record(s).", data=body)
