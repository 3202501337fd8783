"""The service on this machine, whatever manages it: install, uninstall, status, stop, restart."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType

from llr import __version__
from llr.daemon import logfile
from llr.daemon.startup.program import choose
from llr.daemon.startup.service import (
    Machine,
    Service,
    StartupError,
    Status,
    ThisMachine,
    environment,
    start_args,
)

# Platform to the module that knows its manager; each imports what the others never need.
_MANAGERS: Mapping[str, str] = {
    "linux": "llr.daemon.startup.systemd",
    "darwin": "llr.daemon.startup.launchd",
    "win32": "llr.daemon.startup.schtasks",
}
# How much longer than the drain of open requests a manager waits before it kills.
STOP_GRACE_S = 5.0


def _manager(machine: Machine) -> ModuleType | None:
    name = _MANAGERS.get(machine.platform)
    if name is None or (machine.platform == "linux" and not machine.has("systemctl")):
        return None
    return import_module(name)


def _needed(machine: Machine, command: Sequence[str] = ()) -> ModuleType:
    found = _manager(machine)
    if found is not None:
        return found
    if machine.platform == "linux":
        import shlex

        line = shlex.join(command) if command else "llr start --detach"
        raise StartupError(
            "OS startup needs systemd, and there is no systemctl here.",
            f"Have your init system or session run: {line}",
        )
    raise StartupError(f"OS startup is not supported on platform '{machine.platform}' yet.")


def install(
    *,
    config_path: str,
    env: Mapping[str, str],
    watch_config: bool | None = None,
    watch_binary: bool | None = None,
    require_auth: bool | None = None,
    extra: Sequence[str] = (),
    drain_s: float = 30.0,
    machine: Machine | None = None,
) -> Status:
    """Returns the state after the service was written, enabled and started; unchanged and running it is left alone.

    A flag of None is left to the config. Raises `StartupError`, OSError.
    """
    machine = machine or ThisMachine(env)
    program, cli_path = choose(machine, __version__)
    log_path = logfile.service_log(machine.home)
    args = start_args(
        config_path,
        watch_config=watch_config,
        watch_binary=watch_binary,
        require_auth=require_auth,
        extra=(f"--log-file={log_path}", *extra),
    )
    command = (*program, *args)
    manager = _needed(machine, command)
    service = Service(command, environment(env, cli_path), log_path, drain_s + STOP_GRACE_S)
    done: Status = manager.install(machine, service)
    return done


def uninstall(env: Mapping[str, str], machine: Machine | None = None) -> Status:
    """Returns the state after the service was removed. Raises `StartupError`."""
    machine = machine or ThisMachine(env)
    done: Status = _needed(machine).uninstall(machine)
    return done


def status(env: Mapping[str, str], machine: Machine | None = None) -> Status:
    """Returns the state of the service; manager `unsupported` where there is none."""
    machine = machine or ThisMachine(env)
    manager = _manager(machine)
    if manager is None:
        return Status("unsupported", detail="OS startup is not supported on this system.")
    found: Status = manager.status(machine)
    return found


def installed(env: Mapping[str, str]) -> bool:
    """Returns whether a service is installed, by the cheapest look: its file."""
    machine = ThisMachine(env)
    name = _MANAGERS.get(machine.platform)
    return name is not None and os.path.exists(import_module(name).file_path(machine))


def stop(env: Mapping[str, str], *, disable: bool = False, machine: Machine | None = None) -> tuple[Status, str]:
    """Returns the service and a sentence about what happens next. Raises `StartupError`."""
    machine = machine or ThisMachine(env)
    manager = _needed(machine)
    after: str = manager.stop(machine, disable=disable)
    return Status(manager.MANAGER, manager.SERVICE_ID, True, False, manager.file_path(machine)), after


def restart(env: Mapping[str, str], machine: Machine | None = None) -> Status:
    """Returns the service after it was stopped and started. Raises `StartupError`."""
    machine = machine or ThisMachine(env)
    manager = _needed(machine)
    manager.restart(machine)
    return Status(manager.MANAGER, manager.SERVICE_ID, True, True, manager.file_path(machine))
