"""`llr restart --hard`: stop and start again as it was started: by the service, detached, or in a terminal."""

import os
import sys
from argparse import Namespace
from typing import NoReturn

from llr.cli.cmd_stop import stop_running
from llr.cli.context import Context
from llr.control.report import FAILED, Fields, Outcome, Problem, Report, refuse
from llr.daemon import instance, spawn
from llr.daemon.instance import Instance


def words(running: Instance) -> list[str]:
    """Returns the flags of `llr start` that bring the same gateway up again.

    Host and port are left to config and environment unless they were typed: they may be why this is done.
    """
    flags = ["--demo"] if running.demo else [f"--config={running.config_path}"]
    if running.workers > 1:
        flags.append(f"--workers={running.workers}")
    # Any free port meant one to stay with.
    return [*flags, *(f"--port={running.port}" if flag == "--port=0" else flag for flag in running.typed)]


def _check(flags: list[str], context: Context) -> None:
    """Raises `Refused` when the new start would be: then the old gateway goes on."""
    from llr.cli import cmd_start, grammar, parser

    line = grammar.read(flags, cmd_start.PARAMS)
    cmd_start.decided(parser.build("start", cmd_start.PARAMS).parse_args(line.flags), context)


def run(args: Namespace, context: Context) -> Outcome:
    """Returns what runs now. A gateway of a terminal is started in this one: then this returns when it ends."""
    path = instance.state_path(context.env)
    running = instance.active(path)
    if running is None:
        text = "No running LLM Router instance detected."
        return Outcome(FAILED, problem=Problem("nothing-runs", text, "Start it with `llr start`."))
    if running.managed_by_startup:
        return _by_service(context)
    _check(words(running), context)
    ended = stop_running(running, path, now=args.now)
    if not ended.ok:
        raise refuse("still-running", f"Process {running.pid} is still running after SIGKILL.", exit_code=FAILED)
    if running.log_file:
        from llr.cli import detaching

        return detaching.launch(words(running), context.env, running.log_file)
    command = spawn.launcher().command(["start", *words(running)])
    context.out.line(f"Process {running.pid} was stopped; starting in this terminal.")
    return _here(command, context)


if sys.platform == "win32":

    def _here(command: list[str], context: Context) -> Outcome:
        import subprocess

        return Outcome(subprocess.call(command, env=dict(context.env)))

else:

    def _here(command: list[str], context: Context) -> NoReturn:
        os.execve(command[0], command, dict(context.env))


def _by_service(context: Context) -> Outcome:
    from llr.daemon import startup

    try:
        done = startup.restart(context.env)
    except startup.StartupError as exc:
        raise refuse("startup-failed", exc.message, exc.fix, exit_code=FAILED) from exc
    rows = (
        ("Restart Mode", "Startup-managed service"),
        ("Startup Manager", done.manager),
        ("Service Name", done.service_id),
    )
    data = {"mode": "startup-managed", "manager": done.manager, "serviceName": done.service_id}
    return Outcome(report=Report("Router Restarted", (Fields("Overview", rows),)), data=dict(data))
