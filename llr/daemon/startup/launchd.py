"""The gateway as a launchd agent of the logged-in user. Facts: launchd.plist(5), launchctl(1)."""

import os
import plistlib

from llr.daemon.startup.service import Machine, Service, StartupError, Status, checked

MANAGER = "launchd"
SERVICE_ID = "dev.llm-router"


def file_path(machine: Machine) -> str:
    """Returns where the agent's plist lies."""
    return os.path.join(machine.home, "Library", "LaunchAgents", f"{SERVICE_ID}.plist")


def render(service: Service, home: str) -> bytes:
    """Returns the plist.

    KeepAlive stays plain true: `SuccessfulExit: false` would leave a gateway down that ended with 0.
    """
    logs = os.path.join(home, "Library", "Logs")
    return plistlib.dumps(
        {
            "Label": SERVICE_ID,
            "ProgramArguments": list(service.command),
            "RunAtLoad": True,
            "KeepAlive": True,
            "ThrottleInterval": 10,
            "ProcessType": "Background",
            "ExitTimeOut": int(service.stop_s),
            "EnvironmentVariables": dict(service.env),
            "StandardOutPath": os.path.join(logs, "llm-router.out.log"),
            "StandardErrorPath": os.path.join(logs, "llm-router.err.log"),
            "WorkingDirectory": home,
        },
        sort_keys=False,
    )


def _domain(machine: Machine) -> str:
    return f"gui/{machine.uid}"


def install(machine: Machine, service: Service) -> Status:
    """Returns the state after the agent was written and loaded. Raises `StartupError`."""
    path, data = file_path(machine), render(service, machine.home)
    changed = machine.read(path) != data
    if changed:
        machine.write(path, data)
        # launchd makes no folders: without this one it would not start the agent.
        machine.write(os.path.join(machine.home, "Library", "Logs", "llm-router.err.log"), b"")
    if changed or not status(machine).running:
        _load(machine, path)
    hints = ("Its log: `llr logs`; what comes before it: ~/Library/Logs/llm-router.err.log.",)
    return Status(MANAGER, SERVICE_ID, True, True, path, "Loaded.", hints=hints, changed=changed)


def _load(machine: Machine, path: str) -> None:
    machine.run("launchctl", "bootout", _domain(machine), path)
    checked(machine.run("launchctl", "bootstrap", _domain(machine), path), "launchctl bootstrap")
    checked(machine.run("launchctl", "enable", f"{_domain(machine)}/{SERVICE_ID}"), "launchctl enable")


def restart(machine: Machine) -> None:
    """Returns when the agent was loaded anew. Raises `StartupError`."""
    path = file_path(machine)
    if machine.read(path) is None:
        raise StartupError(f"There is no {path}.", "Install it with `llr config startup-install`.")
    _load(machine, path)


def stop(machine: Machine, *, disable: bool) -> str:
    """Returns a sentence about what happens next, after the agent was unloaded. Raises `StartupError`."""
    checked(machine.run("launchctl", "bootout", _domain(machine), file_path(machine)), "launchctl bootout")
    if disable:
        checked(machine.run("launchctl", "disable", f"{_domain(machine)}/{SERVICE_ID}"), "launchctl disable")
        return "It stays off."
    return "It is unloaded until your next login or `llr start`."


def uninstall(machine: Machine) -> Status:
    """Returns the state after the agent was unloaded and removed."""
    path = file_path(machine)
    there = machine.read(path) is not None
    machine.run("launchctl", "bootout", _domain(machine), path)
    machine.remove(path)
    detail = "Removed." if there else "Startup service is not installed."
    return Status(MANAGER, SERVICE_ID, False, False, path, detail, changed=there)


def status(machine: Machine) -> Status:
    """Returns what launchd says; it never fails."""
    path = file_path(machine)
    if machine.read(path) is None:
        return Status(MANAGER, SERVICE_ID, False, False, path, "Startup service is not installed.")
    running = machine.run("launchctl", "print", f"{_domain(machine)}/{SERVICE_ID}").code == 0
    detail = "Loaded." if running else "Startup service is installed but not currently loaded."
    return Status(MANAGER, SERVICE_ID, True, running, path, detail)
