"""`llr restart`: new processes take over the running gateway's sockets; no request fails."""

from argparse import Namespace

from llr.cli.dispatch import Context
from llr.control.params import Param
from llr.control.report import FAILED, Fields, Outcome, Problem, Report
from llr.daemon.call import NothingRuns, control_call

PARAMS: tuple[Param, ...] = ()

# Preflight and readiness of the new processes have deadlines of their own; this lies above their sum.
TIMEOUT_S = 40.0


def run(_args: Namespace, context: Context) -> Outcome:
    """Returns 0 when the new processes serve, 1 when nothing runs or the old ones go on, with the reason."""
    try:
        reply = control_call("POST", "/restart", env=context.env, timeout_s=TIMEOUT_S)
    except NothingRuns as exc:
        return Outcome(FAILED, problem=Problem("nothing-runs", str(exc), "Start it with `llr start`."))
    body = reply.body if isinstance(reply.body, dict) else {}
    if reply.status != 200:
        error = body.get("error")
        message = str(error.get("message")) if isinstance(error, dict) else f"The gateway answered {reply.status}."
        return Outcome(FAILED, data=body, problem=Problem("hand-over-failed", message))
    pids = body.get("pids")
    shown = ", ".join(str(pid) for pid in pids) if isinstance(pids, list) else "-"
    rows = (("Version", str(body.get("version", ""))), ("Process ID(s)", shown))
    return Outcome(report=Report("Router Restarted", (Fields("Overview", rows),)), data=body)
