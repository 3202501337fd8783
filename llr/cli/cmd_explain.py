"""`llr explain`: where a request would go, and why; without a gateway, as config and kept state say it."""

import re
import sys
from argparse import Namespace
from collections.abc import Mapping

from llr.base.jsonio import JSON, InvalidJSON, loads
from llr.base.stamps import stamp
from llr.cli.asking import ask
from llr.cli.cmd_cooldowns import reason_words
from llr.cli.context import Context
from llr.control.params import Kind, Param
from llr.control.report import Fields, Outcome, Report, Table, refuse

PARAMS: tuple[Param, ...] = (
    Param("model", "Model or alias as a client would name it.", names="route"),
    Param("body", "File with the request's JSON body; - reads stdin.", Kind.PATH),
    Param("format", "The client's format, such as openai, openai-responses, claude or gemini."),
    Param("config", "Config file that is meant when nothing runs.", Kind.PATH),
)


# Column of the text form and its key in the answer; JSON shows all of it.
COLUMNS = {
    "#": "position",
    "Candidate": "candidate",
    "Health": "condition",
    "Share": "share",
    "Weight": "weight",
    "Limits": "limits",
    "Context": "fit",
    "Wire": "wire",
    "Skipped": "skipped",
    "Lost": "losses",
    "Learned": "learned",
}


def _body(path: str) -> JSON:
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
        value = loads(data)
    except OSError as exc:
        raise refuse("unreadable-body", f"--body {path} cannot be read: {exc.strerror or exc}.") from exc
    except InvalidJSON as exc:
        raise refuse("bad-json", f"--body {path} is not JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise refuse("bad-json", f"--body {path} must hold a JSON object.")
    return value


def _text(value: JSON) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return "; ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return str(value)


def _title(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).title()


def _limits(value: JSON) -> str:
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return "; ".join(
        f"{row.get('name')}: {row.get('used')} of {row.get('limit')} {row.get('unit')}{_resets(row.get('resetsAt'))}"
        for row in rows
    )


def _resets(value: JSON) -> str:
    return f", anew {stamp(value / 1000)[:16]}Z" if isinstance(value, int) else ""


def _health(row: Mapping[str, JSON]) -> str:
    """Returns `cooldown: rate limited until 2026-01-02T03:04:05.678Z`, as far as there is more to say."""
    listed, until = row.get("coolingFor"), row.get("until")
    why = "; ".join(reason_words(str(one)) for one in listed) if isinstance(listed, list) else ""
    text = f"{_text(row.get('condition'))}{f': {why}' if why else ''}"
    return f"{text} until {stamp(until / 1000)}" if isinstance(until, int) else text


def _cell(row: Mapping[str, JSON], name: str) -> str:
    value = row.get(name)
    if name == "limits":
        return _limits(value)
    if name == "condition":
        return _health(row)
    if name == "wire" and row.get("toolRouting"):
        return f"{_text(value)} ({_text(row['toolRouting'])})"
    return f"{value:g}" if isinstance(value, float) else _text(value)


def _candidates(found: Mapping[str, JSON]) -> Table:
    listed = found.get("candidates")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    body = tuple(tuple(_cell(row, name) for name in COLUMNS.values()) for row in rows)
    return Table("Candidates", tuple(COLUMNS), body, "No candidate.")


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the explanation."""
    body = _body(args.body) if args.body else None
    if not args.model and not (isinstance(body, dict) and body.get("model")):
        raise refuse("no-model", "--model is missing.", "Name a model or an alias, or give a --body that does.")
    asked: dict[str, JSON] = {"model": args.model, "format": args.format, "body": body}
    question: JSON = {key: value for key, value in asked.items() if value is not None}
    found = ask("POST", "/explain", question, context, args.config)
    told = {**found, "recoversAt": stamp(at / 1000) if isinstance(at := found.get("recoversAt"), int) else None}
    rows = tuple((_title(name), _text(value)) for name, value in told.items() if name != "candidates")
    report = Report("Route Explanation", (Fields("Overview", rows), _candidates(found)))
    return Outcome(report=report, data=found)
