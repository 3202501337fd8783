"""`llr logs`: the end of the service log, the activity log or the request log; `-f` goes on as they grow."""

import json
import os
import time
from argparse import Namespace
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.redact import scrub
from llr.cli.context import Context, config_path
from llr.cli.tailing import POLL_S, added_lines, last_lines
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Outcome, refuse
from llr.daemon import instance
from llr.daemon.logfile import service_log

PARAMS: tuple[Param, ...] = (
    Param("follow", "Go on as lines are added; Ctrl+C ends.", Kind.BOOL, default=False, short="f"),
    Param(
        "lines",
        "How many lines to begin with (default 50).",
        Kind.INT,
        default=50,
        minimum=0,
        maximum=100_000,
        short="n",
    ),
    Param("activity", "The activity log: fallbacks and failures, one entry each.", Kind.BOOL, default=False),
    Param(
        "requests", "The request log: one line for every request, where the config keeps one.", Kind.BOOL, default=False
    ),
    Param("file", "Another log file.", Kind.PATH),
    Param("config", "Config file whose activity or request log is meant.", Kind.PATH),
)


def _path(args: Namespace, context: Context) -> str:
    if args.file:
        return os.path.abspath(str(args.file))
    if not (args.activity or args.requests):
        running = instance.active(instance.state_path(context.env))
        return (running.log_file if running is not None else None) or service_log()
    from llr.control.activity import activity_path, log_beside

    return log_beside(config_path(args), "requests") if args.requests else activity_path(config_path(args))


def activity_line(line: str) -> str:
    """Returns one entry of the activity log for reading, "" for what is none."""
    entry = _entry(line)
    if entry is None:
        return ""
    detail = entry.get("detail")
    text = f"{entry.get('time', '-')} {entry.get('level', 'info')} {entry.get('message', '')}"
    return f"{text} {detail}" if detail else text


def _entry(line: str, key: str = "message") -> Mapping[str, JSON] | None:
    """Returns what a log's line holds; `key` is what no line of that log lacks."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get(key) else None


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the last lines; with `--follow` it returns when the reader ends it."""
    path = _path(args, context)
    try:
        lines, end = last_lines(path, args.lines)
    except FileNotFoundError as exc:
        if not args.follow:
            raise refuse("no-log", f"There is no log at {path}.", _advice(args), exit_code=FAILED) from exc
        lines, end = [], 0
    shown = [text for line in lines if (text := _shown(line, args))]
    if not args.follow:
        found: list[JSON] = [_data(line, args) for line in lines if _shown(line, args)]
        return Outcome(text="\n".join(shown), data={"file": path, "lines": found})
    _follow(path, end, shown, args, context)
    return Outcome(data={"file": path})


def _advice(args: Namespace) -> str:
    if args.requests:
        return "Nothing was asked yet, or metadata.llr.requestLog.enabled is not true."
    if args.activity:
        return "Nothing was logged yet, or metadata.activityLog.enabled is false."
    return "A gateway in the foreground logs on its own stderr; a systemd service: `journalctl --user -u llm-router`."


def _shown(line: str, args: Namespace) -> str:
    if args.requests:
        from llr.control.requestlog import request_line

        row = _entry(line, "id")
        return scrub(request_line(row)) if row is not None else ""
    return scrub(activity_line(line) if args.activity else line)


def _data(line: str, args: Namespace) -> JSON:
    text = scrub(line)
    value = _entry(text, "id") if args.requests else _entry(text) if args.activity else None
    return dict(value) if value is not None else text


def _follow(path: str, end: int, shown: list[str], args: Namespace, context: Context) -> None:
    def pause() -> bool:
        time.sleep(POLL_S)
        return True

    for text in shown:
        context.out.line(text)
    try:
        for line in added_lines(path, end, pause):
            text = _shown(line, args)
            if text:
                context.out.line(text)
    except KeyboardInterrupt:
        return
