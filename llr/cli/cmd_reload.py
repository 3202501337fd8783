"""`llr reload`: the running gateway reads its config again, in place."""

from argparse import Namespace

from llr.base.jsonio import JSON
from llr.cli.context import Context
from llr.control.params import Param
from llr.control.report import FAILED, INVALID, Items, Outcome, Problem, Report
from llr.daemon.call import NothingRuns, control_call

PARAMS: tuple[Param, ...] = ()


def issue_line(issue: JSON) -> str:
    """Returns one issue of a reload or status answer as a line of text."""
    if not isinstance(issue, dict):
        return str(issue)
    hint = f" {issue['hint']}" if issue.get("hint") else ""
    return f"{issue.get('level', 'error')}: {issue.get('path', '$')}: {issue.get('message', '')}{hint}"


def run(_args: Namespace, context: Context) -> Outcome:
    """Returns 0 when the config was taken up, 2 with the issues when it was refused, 1 when nothing runs."""
    try:
        reply = control_call("POST", "/reload", env=context.env)
    except NothingRuns as exc:
        return Outcome(FAILED, problem=Problem("nothing-runs", str(exc), "Start it with `llr start`."))
    body = reply.body if isinstance(reply.body, dict) else {}
    issues = body.get("issues")
    listed = tuple(issue_line(issue) for issue in issues) if isinstance(issues, list) else ()
    if reply.status == 200:
        title = "Config reloaded." if body.get("changed", True) else "Config is unchanged."
        sections = [Items("Issues", listed)] if listed else []
        waiting = body.get("restartNeeded")
        if isinstance(waiting, list) and waiting:
            keys = ", ".join(map(str, waiting))
            sections.append(Items("Not Yet In Effect", (f"{keys}: `llr restart --hard` starts the gateway anew.",)))
        return Outcome(report=Report(title, tuple(sections)), data=body)
    error = body.get("error")
    message = str(error.get("message")) if isinstance(error, dict) else "The config was refused; the old one stays."
    text = "\n".join([message, *(f"- {line}" for line in listed)])
    if reply.status == 422:
        fix = "The gateway goes on with the config it has. Mend the file, or `llr config undo`."
        return Outcome(INVALID, data=body, problem=Problem("config-refused", text, fix))
    return Outcome(FAILED, data=body, problem=Problem("reload-failed", text))
