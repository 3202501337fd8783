"""The gateway as a logon task of the Windows Task Scheduler.

Facts: the Task Scheduler schema (MS-TSCH 2.5, namespace below) and `schtasks.exe /?`. A task has no environment of its
own, so what marks the service is a flag; the words that `schtasks` prints are translated, so only its exit code counts.
"""

import ntpath
import subprocess
from xml.sax.saxutils import escape

from llr.daemon.startup.service import Machine, Service, Status, checked

MANAGER = "task-scheduler"
SERVICE_ID = "LLM Router"
NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
MANAGED_FLAG = "--managed"


def file_path(machine: Machine) -> str:
    """Returns where the task's definition is kept."""
    base = machine.env.get("LOCALAPPDATA", "").strip() or ntpath.join(machine.home, "AppData", "Local")
    return ntpath.join(base, "llm-router", "task.xml")


def _user(machine: Machine) -> str:
    name = machine.env.get("USERNAME", "")
    domain = machine.env.get("USERDOMAIN", "")
    return f"{domain}\\{name}" if domain and name else name


def render(service: Service, user: str, home: str) -> bytes:
    """Returns the task as UTF-16, as schtasks wants it. The order of the elements is the schema's."""
    program, *args = service.command
    arguments = subprocess.list2cmdline([*args, MANAGED_FLAG])
    who = f"<UserId>{escape(user)}</UserId>" if user else ""
    text = f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="{NAMESPACE}">
  <RegistrationInfo>
    <Description>LLM Router local route</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      {who}
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      {who}
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>10</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(program)}</Command>
      <Arguments>{escape(arguments)}</Arguments>
      <WorkingDirectory>{escape(home)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""
    lines = (line for line in text.split("\n") if line.strip())
    return ("\r\n".join(lines) + "\r\n").encode("utf-16")


def install(machine: Machine, service: Service) -> Status:
    """Returns the state after the task was created and started. Raises `StartupError`."""
    path, data = file_path(machine), render(service, _user(machine), machine.home)
    before = status(machine)
    changed = machine.read(path) != data or not before.installed
    if changed:
        machine.write(path, data)
        ran = machine.run("schtasks", "/create", "/tn", SERVICE_ID, "/xml", path, "/f")
        checked(ran, "schtasks /create")
    if changed or not before.running:
        restart(machine)
    return Status(MANAGER, SERVICE_ID, True, True, path, "Running.", hints=("Its log: `llr logs`.",), changed=changed)


def restart(machine: Machine) -> None:
    """Returns when the task was started anew. Raises `StartupError`."""
    machine.run("schtasks", "/end", "/tn", SERVICE_ID)
    checked(machine.run("schtasks", "/run", "/tn", SERVICE_ID), "schtasks /run")


def stop(machine: Machine, *, disable: bool) -> str:
    """Returns a sentence about what happens next, after the task was ended. Raises `StartupError`."""
    checked(machine.run("schtasks", "/end", "/tn", SERVICE_ID), "schtasks /end")
    if disable:
        checked(machine.run("schtasks", "/change", "/tn", SERVICE_ID, "/disable"), "schtasks /change")
        return "It stays off."
    return "It starts again with your next login."


def uninstall(machine: Machine) -> Status:
    """Returns the state after the task was ended and deleted. Raises `StartupError`."""
    path = file_path(machine)
    there = machine.run("schtasks", "/query", "/tn", SERVICE_ID).code == 0
    if there:
        machine.run("schtasks", "/end", "/tn", SERVICE_ID)
        checked(machine.run("schtasks", "/delete", "/tn", SERVICE_ID, "/f"), "schtasks /delete")
    machine.remove(path)
    detail = "Removed." if there else "Startup service is not installed."
    return Status(MANAGER, SERVICE_ID, False, False, path, detail, changed=there)


def status(machine: Machine) -> Status:
    """Returns what the scheduler and the gateway's own state file say; it never fails."""
    path = file_path(machine)
    if machine.run("schtasks", "/query", "/tn", SERVICE_ID).code != 0:
        return Status(MANAGER, SERVICE_ID, False, False, path, "Startup service is not installed.")
    running = machine.managed_runs()
    detail = "Running." if running else "Startup service is installed but currently stopped."
    return Status(MANAGER, SERVICE_ID, True, running, path, detail)
