"""`llr reclaim`: the gateway's port becomes free. What is not ours is ended only when someone says so."""

import os
import time
from argparse import Namespace
from collections.abc import Sequence

from llr.base.jsonio import JSON
from llr.cli.context import Context, config_path
from llr.config.schema import LocalServer
from llr.control.params import Kind, Param
from llr.control.report import FAILED, INVALID, Fields, Outcome, Report, Table, refuse, yes
from llr.daemon import instance, ports, process
from llr.daemon.ports import Owner

PARAMS: tuple[Param, ...] = (
    Param("port", "Port to free (default: the running gateway's, else as `llr start` chooses it)."),
    Param("pid", "End only this process.", Kind.INT, minimum=2),
    Param("dry-run", "Show who holds the port and end nothing.", Kind.BOOL, default=False),
    Param("config", "Config file that may name the port.", Kind.PATH),
)

TERM_WAIT_S = 3.0
FREE_WAIT_S = 2.0


def _port(args: Namespace, context: Context) -> int:
    running = instance.active(instance.state_path(context.env))
    if args.port is None and running is not None:
        return running.port
    try:
        return ports.choose(None, args.port, context.env, _local(args, context)).port
    except ports.AddressError as exc:
        raise refuse("bad-address", str(exc)) from exc


def _local(args: Namespace, context: Context) -> LocalServer:
    from llr.control import configfile
    from llr.control.configfile import ConfigSyntaxError

    try:
        config = configfile.load(config_path(args), env=context.env, persist=False).parsed.config
    except (ConfigSyntaxError, OSError):
        # The port can be freed whatever the config says.
        config = None
    return config.local_server if config is not None else LocalServer()


def ours(owner: Owner, running: instance.Instance | None) -> bool:
    """Returns whether a listener is the recorded gateway or a process that it started."""
    return running is not None and (owner.pid == running.pid or process.parent(owner.pid) == running.pid)


def run(args: Namespace, context: Context) -> Outcome:
    """Returns who held the port and who does now; exit code 1 when it could not be freed."""
    port = _port(args, context)
    before = tuple(owner for owner in ports.owners(port) if owner.pid != os.getpid())
    if not before and not ports.busy(port):
        return _report(port, (), (), reclaimed=False)
    if not before:
        raise refuse(
            "no-owner",
            f"Port {port} is in use but no external listener PID was detected.",
            f"It may belong to another user or a container: {ports.how_to_look(port)}",
            exit_code=FAILED,
        )
    _stop_service(port, context)
    running = instance.active(instance.state_path(context.env))
    left = [owner for owner in before if process.alive(owner.pid)]
    chosen = _chosen(args, context, left, running)
    if args.dry_run:
        return _report(port, before, before, reclaimed=False)
    _end(chosen, port)
    after = _after(port)
    if after or ports.busy(port):
        text = f"Failed to reclaim port {port}; listener process is still running."
        raise refuse("still-running", text, exit_code=FAILED)
    if running is not None:
        instance.clear(instance.state_path(context.env), running.pid)
    return _report(port, before, after, reclaimed=True)


def _stop_service(port: int, context: Context) -> None:
    """Has a service manager stop its gateway first: it would start a killed one again."""
    path = instance.state_path(context.env)
    running = instance.active(path)
    if running is None or not running.managed_by_startup or running.port != port:
        return
    from llr.daemon import startup

    context.out.line("Stopping the startup-managed service.")
    try:
        startup.stop(context.env)
    except startup.StartupError as exc:
        raise refuse(
            "startup-failed",
            f"Port {port} is held by a startup-managed service that did not stop: {exc.message}",
            "Use `llr stop` or `llr config startup-uninstall`.",
            exit_code=FAILED,
        ) from exc
    process.gone(running.pid, running.process_start_time, wait_s=4.0)


def _chosen(
    args: Namespace, context: Context, left: Sequence[Owner], running: instance.Instance | None
) -> Sequence[Owner]:
    """Returns whom to end. Raises `Refused` when someone else would be, and nobody agreed."""
    if args.pid is not None:
        left = [owner for owner in left if owner.pid == args.pid]
        if not left:
            raise refuse("no-owner", f"Process {args.pid} does not listen on this port.", exit_code=INVALID)
    foreign = [owner for owner in left if not ours(owner, running)]
    if not foreign or args.dry_run:
        return left
    named = ", ".join(map(str, foreign))
    if context.prompts.confirm(f"End {named}, which is not a gateway of ours?", default=False):
        return left
    raise refuse(
        "not-ours",
        f"The port is held by {named}, which is not a gateway of ours; it was left alone.",
        "`llr reclaim --yes` ends it all the same.",
        exit_code=FAILED,
    )


def _end(chosen: Sequence[Owner], port: int) -> None:
    for owner in chosen:
        started = process.start_time(owner.pid)
        try:
            process.end(owner.pid, started, wait_s=TERM_WAIT_S)
        except PermissionError as exc:
            text = f"{str(owner)[:1].upper()}{str(owner)[1:]} belongs to another user."
            fix = f"Ask that user, or look with more rights: {ports.how_to_look(port)}"
            raise refuse("not-permitted", text, fix, exit_code=FAILED) from exc


def _after(port: int) -> tuple[Owner, ...]:
    until = time.monotonic() + FREE_WAIT_S
    while (found := ports.owners(port)) and time.monotonic() < until:
        time.sleep(process.POLL_S)
    return found


def _pids(owners: Sequence[Owner]) -> str:
    return ", ".join(str(owner.pid) for owner in owners) or "(none)"


def _report(port: int, before: Sequence[Owner], after: Sequence[Owner], *, reclaimed: bool) -> Outcome:
    rows: tuple[tuple[str, str], ...] = (
        ("Port", str(port)),
        ("Busy Before", yes(bool(before))),
        ("Reclaimed", yes(reclaimed)),
    )
    if before:
        rows += (("Listener PID(s) Before", _pids(before)), ("Listener PID(s) After", _pids(after)))
    else:
        rows += (("Listener PID(s)", "(none)"),)
    table = Table("Listeners Before", ("Process ID", "Command"), tuple((str(one.pid), one.command) for one in before))
    data: dict[str, JSON] = {
        "port": port,
        "busyBefore": bool(before),
        "reclaimed": reclaimed,
        "pidsBefore": [owner.pid for owner in before],
        "pidsAfter": [owner.pid for owner in after],
        "commands": {str(owner.pid): owner.command for owner in before},
    }
    sections = (Fields("Overview", rows), table) if before else (Fields("Overview", rows),)
    return Outcome(report=Report("Router Port Reclaim", sections), data=data)
