"""Service definitions and what is said to the managers: for all three systems, through one machine in memory."""

import plistlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from llr import __version__
from llr.daemon.spawn import Launcher
from llr.daemon.startup import launchd, manage, program, schtasks, systemd
from llr.daemon.startup.service import Ran, Service, StartupError, Status, environment, start_args

HOME = "/home/jörg m"
# Spaces, other alphabets, and every character that means something to one of the formats.
PATHS = [
    "/opt/llr.pyz",
    "/home/jörg müller/my files/llr.pyz",
    "/home/李/програма & <x>/llr.pyz",
    '/odd/100%/a"b/c\\d/e$HOME/llr.pyz',
    "/odd/it's;#/llr.pyz",
]
ENV = {"LLM_ROUTER_MANAGED_BY_STARTUP": "1", "HTTPS_PROXY": "http://u:p%40ss@proxy:3128/?a=b c", "NO_PROXY": "a,b"}


class FakeMachine:
    """A machine in memory: its files, and what it was asked to run. `answers` says how commands end."""

    def __init__(self, platform: str = "linux", env: Mapping[str, str] | None = None) -> None:
        self.platform = platform
        self.home = HOME
        self.env = env or {}
        self.uid = 1000
        self.files: dict[str, bytes] = {}
        self.ran: list[str] = []
        self.answers: list[tuple[str, Ran]] = []
        self.programs = {"systemctl"}
        self.managed = False

    def run(self, *command: str) -> Ran:
        line = " ".join(command)
        self.ran.append(line)
        return next((ran for text, ran in self.answers if text in line), Ran(0))

    def has(self, program: str) -> bool:
        return program in self.programs

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def write(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def managed_runs(self) -> bool:
        return self.managed


def service(path: str) -> Service:
    words = start_args(f"{HOME}/.llm-router.json", require_auth=True, extra=(f"--log-file={path}.log",))
    return Service(("/usr/bin/python3", path, *words), ENV)


def unit_words(text: str) -> list[str]:
    """Returns a unit's quoted words as systemd reads them (systemd.syntax, systemd.service)."""
    words, at = [], 0
    while at < len(text):
        assert text[at] == '"'
        at += 1
        word = ""
        while text[at] != '"':
            if text[at] == "\\":
                at += 1
                word += {"n": "\n", "t": "\t"}.get(text[at], text[at])
            elif text[at : at + 2] in ("%%", "$$"):
                word += text[at]
                at += 1
            else:
                assert text[at] not in "%"
                word += text[at]
            at += 1
        words.append(word)
        at += 2
    return words


@pytest.mark.parametrize("path", PATHS)
def test_a_unit_says_exactly_what_is_run(path: str) -> None:
    lines = systemd.render(service(path)).splitlines()
    command = next(line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
    assert unit_words(command) == list(service(path).command)
    variables = [line.removeprefix("Environment=") for line in lines if line.startswith("Environment=")]
    found = dict(unit_words(line)[0].split("=", 1) for line in variables)
    assert found == ENV
    for line in ("Type=notify", "Restart=always", "KillMode=mixed", "TimeoutStopSec=35", "WorkingDirectory=%h"):
        assert line in lines


@pytest.mark.needs("systemd")
@pytest.mark.parametrize("name", ["llr.pyz", "my files/llr.pyz", "李 & <x>/прог.pyz", '100%/a"b/$HOME/llr.pyz'])
def test_systemd_accepts_the_unit(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("")
    python = shutil.which("true") or "/bin/true"
    unit = tmp_path / systemd.SERVICE_ID
    made = Service((python, str(target), "start", f"--config={tmp_path}/ü b.json"), ENV)
    unit.write_text(systemd.render(made), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(unit)],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if systemd.SERVICE_ID in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


@pytest.mark.needs("systemd")
def test_systemd_would_complain(tmp_path: Path) -> None:
    unit = tmp_path / systemd.SERVICE_ID
    unit.write_text("[Service]\nType=nonsense\nExecStart=/no/such/program\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(unit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "nonsense" in done.stdout + done.stderr


@pytest.mark.parametrize("path", PATHS)
def test_a_plist_has_the_keys_that_launchd_reads(path: str) -> None:
    found = plistlib.loads(launchd.render(service(path), HOME))
    assert found["ProgramArguments"] == list(service(path).command)
    assert found["EnvironmentVariables"] == ENV
    assert found["KeepAlive"] is True
    assert found["RunAtLoad"] is True
    assert set(found) == {
        *("Label", "ProgramArguments", "RunAtLoad", "KeepAlive", "ThrottleInterval", "ProcessType", "ExitTimeOut"),
        *("EnvironmentVariables", "StandardOutPath", "StandardErrorPath", "WorkingDirectory"),
    }
    assert found["StandardErrorPath"] == f"{HOME}/Library/Logs/llm-router.err.log"


# Children in the order that the schema's sequences demand (MS-TSCH 2.5); what may be left out stands here too.
ORDER = {
    "Task": ["RegistrationInfo", "Triggers", "Principals", "Settings", "Data", "Actions"],
    "RegistrationInfo": ["Date", "Author", "Version", "Description", "URI"],
    "Triggers": ["LogonTrigger"],
    "LogonTrigger": ["Repetition", "StartBoundary", "EndBoundary", "ExecutionTimeLimit", "Enabled", "UserId", "Delay"],
    "Principals": ["Principal"],
    "Principal": ["UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"],
    "Settings": [
        *("MultipleInstancesPolicy", "DisallowStartIfOnBatteries", "StopIfGoingOnBatteries", "AllowHardTerminate"),
        *("StartWhenAvailable", "RunOnlyIfNetworkAvailable", "IdleSettings", "AllowStartOnDemand", "Enabled"),
        *("Hidden", "RunOnlyIfIdle", "WakeToRun", "ExecutionTimeLimit", "Priority", "RestartOnFailure"),
    ],
    "RestartOnFailure": ["Interval", "Count"],
    "Actions": ["Exec"],
    "Exec": ["Command", "Arguments", "WorkingDirectory"],
}


def windows_words(line: str) -> list[str]:
    """Returns a command line's words as the C runtime of Windows splits them."""
    words: list[str] = []
    word, quoted, started, at = "", False, False, 0
    while at < len(line):
        slashes = len(line) - at - len(line[at:].lstrip("\\"))
        at += slashes
        if slashes:
            started = True
        if at < len(line) and line[at] == '"':
            word += "\\" * (slashes // 2)
            if slashes % 2:
                word += '"'
            else:
                quoted, started = not quoted, True
            at += 1
            continue
        word += "\\" * slashes
        if at >= len(line):
            break
        if line[at] in " \t" and not quoted:
            if started:
                words.append(word)
            word, started = "", False
        else:
            word, started = word + line[at], True
        at += 1
    return [*words, word] if started else words


@pytest.mark.parametrize("path", [*PATHS, "C:\\Users\\Jörg M\\llr.pyz", 'C:\\a b\\c"d\\'])
def test_a_task_keeps_to_its_schema(path: str) -> None:
    data = schtasks.render(service(path), "PC\\Jörg & Co", "C:\\Users\\Jörg & Co")
    assert data.startswith((b"\xff\xfe", b"\xfe\xff"))
    assert 'encoding="UTF-16"' in data.decode("utf-16")
    root = ElementTree.fromstring(data)
    space = f"{{{schtasks.NAMESPACE}}}"
    assert root.tag == f"{space}Task"
    assert root.get("version") == "1.2"
    for element in root.iter():
        name = element.tag.removeprefix(space)
        children = [child.tag.removeprefix(space) for child in element]
        assert children == sorted(children, key=ORDER.get(name, []).index), name
        assert len(children) == len(set(children))
    run = root.find(f"{space}Actions/{space}Exec")
    assert run is not None
    assert run.findtext(f"{space}Command") == "/usr/bin/python3"
    assert windows_words(run.findtext(f"{space}Arguments") or "") == [*service(path).command[1:], "--managed"]
    assert root.findtext(f".//{space}LogonTrigger/{space}UserId") == "PC\\Jörg & Co"
    assert root.findtext(f".//{space}ExecutionTimeLimit") == "PT0S"
    limit = root.find(f"{space}Actions")
    assert limit is not None
    assert limit.get("Context") == "Author"


def test_tls_and_proxy_variables_survive_and_blank_ones_do_not() -> None:
    env = {"HTTPS_PROXY": "http://p", "no_proxy": "x", "SSL_CERT_FILE": " ", "NODE_EXTRA_CA_CERTS": "/ca", "OTHER": "1"}
    assert environment(env, "/llr.pyz") == {
        "LLM_ROUTER_MANAGED_BY_STARTUP": "1",
        "LLM_ROUTER_CLI_PATH": "/llr.pyz",
        "HTTPS_PROXY": "http://p",
        "no_proxy": "x",
        "NODE_EXTRA_CA_CERTS": "/ca",
    }


def test_only_typed_flags_are_installed() -> None:
    assert start_args("/c.json") == ("start", "--config=/c.json")
    assert start_args("/c.json", watch_config=False, require_auth=True)[2:] == (
        "--watch-config=false",
        "--require-auth=true",
    )


def ready(machine: FakeMachine) -> FakeMachine:
    machine.answers.append(("--version", Ran(0, f"llr {__version__}\n")))
    machine.files["/opt/llr.pyz"] = b""
    machine.env = {**machine.env, "LLM_ROUTER_CLI_PATH": "/opt/llr.pyz"}
    return machine


def install(machine: FakeMachine, **how: bool) -> Status:
    return manage.install(config_path=f"{HOME}/.llm-router.json", env={}, machine=machine, **how)  # type: ignore[arg-type]


def test_systemd_install_twice_and_uninstall() -> None:
    machine = ready(FakeMachine())
    machine.answers.append(("Linger", Ran(0, "Linger=no\n")))
    done = install(machine)
    path = f"{HOME}/.config/systemd/user/llm-router.service"
    assert (done.manager, done.service_id, done.file_path) == ("systemd-user", "llm-router.service", path)
    assert done.changed
    assert any("enable-linger" in hint for hint in done.hints)
    calls = [line for line in machine.ran if line.startswith("systemctl --user")]
    assert calls == [
        "systemctl --user is-active llm-router.service",
        "systemctl --user daemon-reload",
        "systemctl --user enable llm-router.service",
        "systemctl --user restart llm-router.service",
    ]
    machine.answers.append(("is-active", Ran(0, "active\n")))
    machine.ran.clear()
    assert not install(machine).changed
    assert not any("restart" in line or "daemon-reload" in line for line in machine.ran)
    assert install(machine, require_auth=True).changed
    assert b'"--require-auth=true"' in machine.files[path]
    machine.ran.clear()
    assert manage.uninstall({}, machine).changed
    assert path not in machine.files
    assert machine.ran[-1] == "systemctl --user daemon-reload"
    assert manage.status({}, machine).detail == "Startup service is not installed."


def test_no_user_bus_is_explained_and_leaves_nothing_behind() -> None:
    machine = ready(FakeMachine())
    machine.answers.append(("systemctl", Ran(1, err="Failed to connect to bus: No medium found")))
    with pytest.raises(StartupError, match="no systemd user session") as caught:
        install(machine)
    assert "XDG_RUNTIME_DIR=/run/user/1000" in caught.value.fix
    assert list(machine.files) == ["/opt/llr.pyz"]


def test_a_manager_that_fails_is_quoted() -> None:
    machine = ready(FakeMachine())
    machine.answers.append((" enable", Ran(1, err="Unit is masked.")))
    with pytest.raises(StartupError, match="Unit is masked"):
        install(machine)


def test_xdg_config_home_is_respected() -> None:
    machine = FakeMachine(env={"XDG_CONFIG_HOME": "/x y"})
    assert systemd.file_path(machine) == "/x y/systemd/user/llm-router.service"


def test_launchd_install_stop_and_uninstall() -> None:
    machine = ready(FakeMachine("darwin"))
    machine.answers.append(("bootout", Ran(3, err="No such process")))
    done = install(machine)
    path = f"{HOME}/Library/LaunchAgents/dev.llm-router.plist"
    assert (done.manager, done.service_id, done.file_path) == ("launchd", "dev.llm-router", path)
    assert machine.ran[-3:] == [
        f"launchctl bootout gui/1000 {path}",
        f"launchctl bootstrap gui/1000 {path}",
        "launchctl enable gui/1000/dev.llm-router",
    ]
    assert manage.status({}, machine).running
    machine.answers.clear()
    assert "next login" in manage.stop({}, machine=machine)[1]
    assert manage.uninstall({}, machine).changed
    assert path not in machine.files
    with pytest.raises(StartupError, match="There is no"):
        manage.restart({}, machine)


def test_schtasks_install_and_status() -> None:
    machine = ready(FakeMachine("win32", {"LOCALAPPDATA": "C:\\Users\\Jörg M\\AppData\\Local", "USERNAME": "Jörg M"}))
    machine.answers.append(("/query", Ran(1, err="no such task")))
    done = install(machine)
    assert done.file_path == "C:\\Users\\Jörg M\\AppData\\Local\\llm-router\\task.xml"
    assert f"schtasks /create /tn LLM Router /xml {done.file_path} /f" in machine.ran
    assert machine.ran[-1] == "schtasks /run /tn LLM Router"
    machine.answers.pop()
    assert not manage.status({}, machine).running
    machine.managed = True
    assert manage.status({}, machine).running
    assert manage.uninstall({}, machine).changed
    assert done.file_path not in machine.files


def test_other_systems_say_what_to_do() -> None:
    machine = ready(FakeMachine("freebsd14"))
    assert manage.status({}, machine).manager == "unsupported"
    with pytest.raises(StartupError, match="not supported on platform 'freebsd14'"):
        install(machine)
    openrc = ready(FakeMachine())
    openrc.programs.clear()
    with pytest.raises(StartupError, match="no systemctl") as caught:
        install(openrc)
    assert "/opt/llr.pyz start '--config=/home/jörg m/" in caught.value.fix


STARTED = Launcher("/usr/bin/python3", ("-I",), ("/opt/own/llr.pyz",))


@pytest.mark.parametrize(
    ("files", "env", "expected"),
    [
        (("/opt/own/llr.pyz", "/usr/bin/llr", "/named"), "/named", "/named"),
        (("/opt/own/llr.pyz", "/usr/bin/llr"), "/missing", "/opt/own/llr.pyz"),
        (("/usr/bin/llr",), "", "/usr/bin/llr"),
    ],
)
def test_the_program_is_chosen_in_order(files: tuple[str, ...], env: str, expected: str) -> None:
    machine = FakeMachine(env={"LLM_ROUTER_CLI_PATH": env} if env else {})
    machine.files = dict.fromkeys(files, b"")
    machine.answers = [("--version", Ran(0, f"llr {__version__}"))]
    command, path = program.choose(machine, __version__, STARTED)
    assert path == expected
    assert command[1:] == ("-I", expected)


def test_a_program_that_does_not_run_is_not_installed() -> None:
    machine = FakeMachine()
    machine.files["/opt/own/llr.pyz"] = b""
    machine.answers = [("--version", Ran(1, err="SyntaxError"))]
    with pytest.raises(StartupError, match="SyntaxError"):
        program.choose(machine, __version__, STARTED)


def test_a_lasting_interpreter_is_preferred() -> None:
    tried: Callable[..., list[str]] = program.interpreters
    assert tried("/usr/bin/python3", base="/usr", in_venv=False) == ["/usr/bin/python3"]
    assert tried("/v/bin/python", base="/usr", in_venv=True)[0] == "/usr/bin/python3"
    assert tried("/v/bin/python", base="/usr", in_venv=True)[-1] == "/v/bin/python"
    cellar = "/opt/homebrew/Cellar/python/3.12.1/bin/python3"
    assert "/opt/homebrew/bin/python3" in tried(cellar, base="/opt/homebrew", in_venv=False)
