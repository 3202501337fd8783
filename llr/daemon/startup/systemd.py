"""The gateway as a systemd user unit. Facts: systemd.service(5), systemd.exec(5), systemd.syntax(7)."""

import os

from llr.daemon.startup.service import Machine, Ran, Service, StartupError, Status, checked

MANAGER = "systemd-user"
SERVICE_ID = "llm-router.service"
NO_BUS = ("Failed to connect to bus", "No medium found", "DBUS_SESSION_BUS_ADDRESS")


def file_path(machine: Machine) -> str:
    """Returns where the unit lies."""
    base = machine.env.get("XDG_CONFIG_HOME", "").strip() or os.path.join(machine.home, ".config")
    return os.path.join(base, "systemd", "user", SERVICE_ID)


def quoted(text: str, *, variables: bool = False) -> str:
    """Returns `text` as one quoted word. `%` begins a specifier; `$` a variable, but only in command lines."""
    found = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    found = found.replace("%", "%%")
    return f'"{found.replace("$", "$$") if variables else found}"'


def render(service: Service) -> str:
    """Returns the unit file."""
    program, *args = service.command
    # The program itself is never a variable, so its `$` stands for itself.
    command = " ".join([quoted(program), *(quoted(arg, variables=True) for arg in args)])
    lines = [
        "[Unit]",
        "Description=LLM Router local route",
        "After=network.target",
        "# A config that cannot be served is tried ten times, then `systemctl --user status` shows why.",
        "StartLimitIntervalSec=60",
        "StartLimitBurst=10",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={command}",
        "# A hand-over to the program file as it is now; no request fails.",
        "ExecReload=/bin/kill -USR2 $MAINPID",
        "Restart=always",
        "RestartSec=2",
        "KillMode=mixed",
        f"TimeoutStopSec={service.stop_s:g}",
        "NoNewPrivileges=yes",
        "WorkingDirectory=%h",
        *(f"Environment={quoted(f'{name}={value}')}" for name, value in service.env.items()),
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return "\n".join(lines)


def _systemctl(machine: Machine, *words: str) -> Ran:
    ran = machine.run("systemctl", "--user", *words)
    if ran.code != 0 and any(text in ran.err for text in NO_BUS):
        raise StartupError(
            "There is no systemd user session here: containers, `su` and some ssh logins have none.",
            f"Log in as this user, or set XDG_RUNTIME_DIR=/run/user/{machine.uid}; without a session use "
            "`llr start --detach`.",
        )
    return ran


def install(machine: Machine, service: Service) -> Status:
    """Returns the state after the unit was written, enabled and (re)started. Raises `StartupError`."""
    path, text = file_path(machine), render(service).encode()
    # Asked before anything is written: without a session nothing is left behind.
    before = _systemctl(machine, "is-active", SERVICE_ID)
    changed = machine.read(path) != text
    if changed:
        machine.write(path, text)
        checked(_systemctl(machine, "daemon-reload"), "systemctl --user daemon-reload")
    checked(_systemctl(machine, "enable", SERVICE_ID), f"systemctl --user enable {SERVICE_ID}")
    if changed or before.out.strip() != "active":
        restart(machine)
    return Status(
        MANAGER, SERVICE_ID, True, True, path, "Active.", hints=(*_linger(machine), *_logs()), changed=changed
    )


def _linger(machine: Machine) -> tuple[str, ...]:
    ran = machine.run("loginctl", "show-user", str(machine.uid), "--property=Linger")
    if ran.code == 0 and ran.out.strip() == "Linger=no":
        return ("It ends when you log out; `loginctl enable-linger` lets it run from boot on.",)
    return ()


def _logs() -> tuple[str, ...]:
    return ("Its log: `llr logs`; what systemd itself says: `journalctl --user -u llm-router`.",)


def restart(machine: Machine) -> None:
    """Returns when the service was restarted. Raises `StartupError`."""
    if _systemctl(machine, "restart", SERVICE_ID).code != 0:
        checked(_systemctl(machine, "start", SERVICE_ID), f"systemctl --user start {SERVICE_ID}")


def stop(machine: Machine, *, disable: bool) -> str:
    """Returns a sentence about what happens next, after the service was stopped. Raises `StartupError`."""
    words = ("disable", "--now") if disable else ("stop",)
    checked(_systemctl(machine, *words, SERVICE_ID), f"systemctl --user {words[0]} {SERVICE_ID}")
    return "It stays off." if disable else "It stays enabled and starts with your next session."


def uninstall(machine: Machine) -> Status:
    """Returns the state after the unit was stopped and removed. Raises `StartupError`."""
    path = file_path(machine)
    if machine.read(path) is None:
        return Status(MANAGER, SERVICE_ID, False, False, path, "Startup service is not installed.")
    checked(_systemctl(machine, "disable", "--now", SERVICE_ID), f"systemctl --user disable {SERVICE_ID}")
    machine.remove(path)
    checked(_systemctl(machine, "daemon-reload"), "systemctl --user daemon-reload")
    return Status(MANAGER, SERVICE_ID, False, False, path, "Removed.", changed=True)


def status(machine: Machine) -> Status:
    """Returns what systemd says; it never fails."""
    path = file_path(machine)
    if machine.read(path) is None:
        return Status(MANAGER, SERVICE_ID, False, False, path, "Startup service is not installed.")
    try:
        word = _systemctl(machine, "is-active", SERVICE_ID).out.strip()
    except StartupError as exc:
        return Status(MANAGER, SERVICE_ID, True, False, path, exc.message)
    running = word == "active"
    stopped = word in ("", "inactive")
    detail = "Active." if running else "Startup service is installed but currently stopped." if stopped else word
    return Status(MANAGER, SERVICE_ID, True, running, path, detail)
