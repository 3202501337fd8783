"""`llr restart`: new processes take over the running gateway's sockets; no request fails."""

from argparse import Namespace

from llr.cli.context import Context
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Fields, Outcome, Problem, Report
from llr.daemon.call import NothingRuns, control_call

PARAMS: tuple[Param, ...] = (
    Param("hard", "Stop the gateway and start it again, as after a change of host or port.", Kind.BOOL, default=False),
    Param("now", "With --hard: cut requests in flight instead of letting them end.", Kind.BOOL, default=False),
)

# Preflight and readiness of the new processes have deadlines of their own; this lies above their sum.
TIMEOUT_S = 40.0


def run(args: Namespace, context: Context) -> Outcome:
    """Returns 0 when the new processes serve, 1 when nothing runs or the old ones go on, with the reason."""
    if args.hard:
        from llr.cli import hardrestart

        return hardrestart.run(args, context)
    try:
        reply = control_call("POST", "/restart", env=context.env, timeout_s=TIMEOUT_S)
    except NothingRuns as exc:
        return Outcome(FAILED, problem=Problem("nothing-runs", str(exc), "Start it with `llr start`."))
    body = reply.body if isinstance(reply.body, dict) else {}
    if reply.status != 200:
        error = body.get("error")
        message = str(error.get("message")) if isinstance(error, dict) else f"The gateway answered {reply.status}."
        fix = "`llr restart --hard` stops it and starts it again." if reply.status == 501 else ""
        return Outcome(FAILED, data=body, problem=Problem("hand-over-failed", message, fix))
    pids = body.get("pids")
    shown = ", ".join(str(pid) for pid in pids) if isinstance(pids, list) else "-"
    rows = (("Version", str(body.get("version", ""))), ("Process ID(s)", shown))
    return Outcome(report=Report("Router Restarted", (Fields("Overview", rows),)), data=body)
