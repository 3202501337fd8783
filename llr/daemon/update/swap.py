"""The running gateway after its program file was replaced: it takes the new one up, or the old file comes back."""

import time

from llr.base.records import dataclass
from llr.daemon import instance
from llr.daemon.call import NothingRuns, call
from llr.daemon.instance import Instance

WAIT_S = 15.0
_POLL_S = 0.1
# Above the preflight and the readiness of new processes.
_HAND_OVER_S = 30.0


@dataclass(frozen=True, slots=True)
class Swapped:
    """What became of the running gateway: `swapped`, `refused` (the old one goes on), `unknown` or `not-running`."""

    state: str
    detail: str = ""


def same_file(running: Instance, path: str) -> bool:
    """Returns whether the gateway was started from this program file."""
    import os

    return bool(running.cli_path) and os.path.realpath(running.cli_path) == path


def swap(running: Instance, version: str, state_path: str) -> Swapped:
    """Returns what became of the gateway after it was asked to hand over to the new file."""
    try:
        reply = call(running, "POST", "/restart", timeout_s=_HAND_OVER_S)
    except NothingRuns as exc:
        return Swapped("unknown", str(exc))
    body = reply.body if isinstance(reply.body, dict) else {}
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if reply.status != 200 and code != "busy":
        said = error.get("message") if isinstance(error, dict) else None
        state = "refused" if code == "hand-over-failed" else "unknown"
        return Swapped(state, str(said or f"it answered {reply.status}"))
    if reply.status == 200 and body.get("version") != version:
        return Swapped("refused", f"the new processes say {body.get('version')} instead of {version}")
    return _await(running.pid, version, state_path)


def _await(pid: int, version: str, state_path: str) -> Swapped:
    """Waits until new processes serve: those say their version, the parent follows once the old ones have ended."""
    until = time.monotonic() + WAIT_S
    while True:
        found = instance.active(state_path)
        if found is None or found.pid != pid:
            return Swapped("unknown", "it ended")
        if _serving(found) == {version}:
            return Swapped("swapped")
        if time.monotonic() >= until:
            return Swapped("unknown", f"it does not say {version} after {WAIT_S:g} s")
        time.sleep(_POLL_S)


def _serving(found: Instance) -> set[str]:
    try:
        reply = call(found, "GET", "/status", timeout_s=5.0)
    except NothingRuns:
        return set()
    processes = reply.body.get("processes") if isinstance(reply.body, dict) else None
    rows = processes if isinstance(processes, list) else []
    return {str(row.get("version")) for row in rows if isinstance(row, dict)}
