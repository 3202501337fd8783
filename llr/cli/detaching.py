"""`llr start --detach`: the same start in a session of its own, waited for."""

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence

from llr.base.jsonio import JSON
from llr.cli.context import Context
from llr.control.report import FAILED, Fields, Outcome, Problem, Report
from llr.daemon import detach, instance, logfile, spawn
from llr.daemon.instance import Instance


def log_path(args: Namespace) -> str:
    """Returns where a detached gateway logs."""
    return os.path.abspath(args.log_file) if args.log_file else logfile.service_log()


def run(args: Namespace, context: Context) -> Outcome:
    """Returns once the gateway is ready, or with its last words and its exit code."""
    return launch(context.tokens, context.env, log_path(args))


def launch(words: Sequence[str], env: Mapping[str, str], log_file: str) -> Outcome:
    """Returns what came of `llr start` with these words, detached."""
    # The last of a repeated flag counts, so nothing has to be taken out of what was typed.
    own = ("--detach=false", "--quiet", "--json=false", f"--log-file={log_file}")
    path = instance.state_path(env)
    done = detach.start(spawn.launcher().command(["start", *words, *own]), env, log_path=log_file, state_path=path)
    if done.running is not None:
        return Outcome(report=Report("Router Started", (Fields("Overview", _rows(done.running)),)), data=facts(done))
    if done.origin:
        text = (
            f"LLM Router serves at {done.origin} (process {done.pid}), but {path} could not be written: "
            "`llr status` and `llr stop` will not find it."
        )
        fix = "Make room on the disk, or name another place: LLM_ROUTER_RUNTIME_STATE_PATH=…"
        return Outcome(FAILED, data=facts(done), problem=Problem("state-not-written", text, fix))
    if done.code is None:
        text = f"LLM Router was not ready within {detach.READY_S:g} s; process {done.pid} is left running."
    else:
        text = f"LLM Router ended before it was ready (exit code {done.code})."
    code = done.code if done.code and done.code > 0 else FAILED
    problem = Problem("start-failed", f"{text}\n{done.said}".rstrip(), f"Its log: {log_file}")
    return Outcome(code, data=facts(done), problem=problem)


def _rows(running: Instance) -> tuple[tuple[str, str], ...]:
    return (
        ("Gateway", running.origin),
        ("Process ID", str(running.pid)),
        ("Version", running.version),
        ("Log File", running.log_file or "-"),
    )


def facts(done: detach.Detached) -> dict[str, JSON]:
    """Returns the same as JSON."""
    running = done.running
    return {
        "pid": done.pid,
        "ready": running is not None or bool(done.origin),
        "origin": running.origin if running is not None else done.origin or None,
        "version": running.version if running is not None else None,
        "logFile": running.log_file if running is not None else None,
        "exitCode": done.code,
        "output": done.said or None,
    }
