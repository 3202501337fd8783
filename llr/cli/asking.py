"""A question to the running gateway, its failures worded once."""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.cli.dispatch import Context
from llr.control.report import FAILED, INVALID, refuse
from llr.daemon.call import NothingRuns, control_call


def ask_running(method: str, path: str, body: JSON, context: Context) -> Mapping[str, JSON]:
    """Returns the answer's object. Raises `Refused`: 1 when nothing runs or it failed, 2 for a wrong question."""
    try:
        reply = control_call(method, path, body, env=context.env)
    except NothingRuns as exc:
        raise refuse("nothing-runs", str(exc), "Start it with `llr start`.", exit_code=FAILED) from exc
    found = reply.body if isinstance(reply.body, dict) else {}
    if reply.status < 400:
        return found
    error = found.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    text = str(message or f"The gateway answered {reply.status}.")
    raise refuse("refused", text, exit_code=INVALID if reply.status < 500 else FAILED)
