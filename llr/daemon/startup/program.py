"""Which interpreter and which program file a service is started with, so that it still starts next year."""

import os
import sys

from llr.base.names import PROGRAMS
from llr.daemon.spawn import Launcher, launcher
from llr.daemon.startup.service import Machine, StartupError

# Where a system keeps the python3 that upgrades replace in place.
_STABLE = ("/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3")


def passing(executable: str, *, base: str, in_venv: bool) -> bool:
    """Returns whether an upgrade or a clean-up would take this interpreter away: a virtual or a Cellar one."""
    return in_venv or "/Cellar/" in executable or "/Cellar/" in base


def interpreters(executable: str, *, base: str, in_venv: bool) -> list[str]:
    """Returns the interpreters to try, the most lasting first."""
    if sys.platform == "win32":
        windowless = os.path.join(os.path.dirname(executable), "pythonw.exe")
        return [windowless, executable]
    if not passing(executable, base=base, in_venv=in_venv):
        return [executable]
    return [*_STABLE, os.path.join(base, "bin", "python3"), executable]


def scripts(started: Launcher, env_path: str) -> list[tuple[str, ...]]:
    """Returns the programs to try: the named one, our own, a command beside the interpreter, the module."""
    found: list[tuple[str, ...]] = [(env_path,)] if env_path else []
    if started.path:
        found.append(started.script)
    folder = os.path.dirname(started.executable)
    found += [(os.path.join(folder, name),) for name in PROGRAMS]
    return found if started.path else [*found, started.script]


def choose(machine: Machine, version: str, started: Launcher | None = None) -> tuple[tuple[str, ...], str]:
    """Returns the beginning of the command line, and the program file ("" for a module).

    Each candidate is run with `--version` from the home folder first. Raises `StartupError` when none works.
    """
    started = started or launcher()
    tries = interpreters(started.executable, base=sys.base_prefix, in_venv=sys.prefix != sys.base_prefix)
    why = ""
    for script in scripts(started, machine.env.get("LLM_ROUTER_CLI_PATH", "").strip()):
        if len(script) == 1 and machine.read(script[0]) is None:
            continue
        for interpreter in tries:
            command = (interpreter, *started.options, *script)
            ran = machine.run(*command, "--version")
            if ran.code == 0 and version in ran.out:
                return command, script[0] if len(script) == 1 else ""
            why = ran.said
    raise StartupError(
        f"No program was found that a service could start{f': {why}' if why else ''}.",
        "Install from `llr.pyz`, or name the program in LLM_ROUTER_CLI_PATH.",
    )
