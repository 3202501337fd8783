"""A question to the running gateway, its failures worded once."""

from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.cli.context import Context
from llr.control.report import FAILED, INVALID, refuse
from llr.daemon import instance
from llr.daemon.call import NothingRuns, control_call
from llr.daemon.channel import Answer


def ask_running(method: str, path: str, body: JSON, context: Context) -> Mapping[str, JSON]:
    """Returns the answer's object. Raises `Refused`: 1 when nothing runs or it failed, 2 for a wrong question."""
    try:
        reply = control_call(method, path, body, env=context.env)
    except NothingRuns as exc:
        raise refuse("nothing-runs", str(exc), "Start it with `llr start`.", exit_code=FAILED) from exc
    return _object(reply)


def ask(method: str, path: str, body: JSON, context: Context, config_path: str | None) -> Mapping[str, JSON]:
    """Returns the answer of the running gateway; when none runs, that of the config and the kept state.

    Raises `Refused` as `ask_running`, and with 2 for a config that cannot be used.
    """
    if instance.active(instance.state_path(context.env)) is not None:
        return {"running": True, **ask_running(method, path, body, context)}
    from llr.cli.offline import answer_offline

    return {"running": False, **_object(answer_offline(f"{method} {path}", body, context, config_path))}


def _object(reply: Answer) -> Mapping[str, JSON]:
    found = reply.body if isinstance(reply.body, dict) else {}
    if reply.status < 400:
        return found
    error = found.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    text = str(message or f"The gateway answered {reply.status}.")
    raise refuse("refused", text, exit_code=INVALID if reply.status < 500 else FAILED)
