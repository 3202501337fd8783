"""`llr stop`: the gateway of this user ends, requests in flight first."""

from argparse import Namespace
from contextlib import suppress

from llr.base.jsonio import JSON
from llr.cli.context import Context
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Fields, Outcome, Problem, Report, refuse
from llr.daemon import instance, process
from llr.daemon.call import NothingRuns, call

PARAMS: tuple[Param, ...] = (
    Param("now", "Cut requests in flight instead of letting them end.", Kind.BOOL, default=False),
    Param("disable", "Keep a startup service from starting again.", Kind.BOOL, default=False),
)

# How much longer than its own drain deadline a gateway may take before it is killed.
GRACE_S = 5.0
DEFAULT_DRAIN_S = 30.0


def _patience_s(running: instance.Instance, now: bool) -> float:
    """Returns how long the gateway may take: its own drain deadline, as it tells it."""
    if now:
        return GRACE_S
    try:
        status = call(running, "GET", "/status", timeout_s=5.0)
    except NothingRuns:
        return GRACE_S
    settings = status.body.get("settings") if isinstance(status.body, dict) else None
    drain_s = settings.get("drainTimeoutSeconds") if isinstance(settings, dict) else None
    return (float(drain_s) if isinstance(drain_s, int | float) else DEFAULT_DRAIN_S) + GRACE_S


def stop_running(running: instance.Instance, path: str, *, now: bool) -> process.Ended:
    """Returns how the gateway ended; its state file is gone afterwards."""
    patience_s = _patience_s(running, now)
    asks = now or not process.HAS_SIGNALS
    if asks:
        # Not reachable: the signal below does it.
        with suppress(NothingRuns):
            call(running, "POST", "/drain", {"deadlineSeconds": 0} if now else None, timeout_s=5.0)
    if not process.HAS_SIGNALS and process.gone(running.pid, running.process_start_time, wait_s=patience_s):
        ended = process.Ended(True, None)
    else:
        ended = process.end(running.pid, running.process_start_time, wait_s=patience_s)
    if ended.ok:
        instance.clear(path, running.pid)
    return ended


def run(args: Namespace, context: Context) -> Outcome:
    """Returns what was stopped; nothing running is a success too."""
    path = instance.state_path(context.env)
    running = instance.active(path)
    managed = _managed(running, context, disable=args.disable)
    if managed:
        return _stop_service(args, context, running, path)
    if running is None:
        return Outcome(text="No running LLM Router instance found.", data={"running": False, "stopped": False})
    ended = stop_running(running, path, now=args.now)
    data: dict[str, JSON] = {
        "running": not ended.ok,
        "stopped": ended.ok,
        "mode": "manual",
        "pid": running.pid,
        "signal": ended.signal,
    }
    if not ended.ok:
        text = f"Process {running.pid} is still running after SIGKILL."
        return Outcome(FAILED, data=data, problem=Problem("still-running", text))
    rows = (
        ("Stop Mode", "Manual process"),
        ("Process ID", str(running.pid)),
        ("Signal", ended.signal or "(ended by itself)"),
    )
    return Outcome(report=Report("Router Stopped", (Fields("Overview", rows),)), data=data)


def _managed(running: instance.Instance | None, context: Context, *, disable: bool) -> bool:
    """Returns whether the service manager must do it: a process it restarts cannot be stopped by a signal."""
    if running is not None and not running.managed_by_startup and not disable:
        return False
    from llr.daemon import startup

    if not startup.installed(context.env):
        return False
    return running is not None or disable or startup.status(context.env).running


def _stop_service(args: Namespace, context: Context, running: instance.Instance | None, path: str) -> Outcome:
    from llr.daemon import startup

    ended = process.Ended(True, None)
    if running is not None and (args.now or not running.managed_by_startup):
        # With --now its requests are cut first; the manager then only keeps it down.
        with suppress(NothingRuns):
            call(running, "POST", "/drain", {"deadlineSeconds": 0} if args.now else None, timeout_s=5.0)
    try:
        done, after = startup.stop(context.env, disable=args.disable)
    except startup.StartupError as exc:
        raise refuse("startup-failed", exc.message, exc.fix, exit_code=FAILED) from exc
    if running is not None:
        ended = process.end(running.pid, running.process_start_time, wait_s=GRACE_S)
        instance.clear(path, running.pid)
    data: dict[str, JSON] = {
        "running": not ended.ok,
        "stopped": ended.ok,
        "mode": "startup-managed",
        "manager": done.manager,
        "serviceName": done.service_id,
        "after": after,
    }
    rows = (
        ("Stop Mode", "Startup-managed service"),
        ("Startup Manager", done.manager),
        ("Service Name", done.service_id),
        ("From Now On", after),
    )
    return Outcome(report=Report("Router Stopped", (Fields("Overview", rows),)), data=data)
