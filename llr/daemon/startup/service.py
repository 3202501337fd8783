"""What a service manager is told to run, and the one seam to the machine through which all of them work."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from llr.base.records import dataclass

# Long enough for a service manager that stops a gateway with open requests first.
RUN_TIMEOUT_S = 60.0

# TLS and proxy settings a service would otherwise miss: it does not inherit the shell's environment.
_COPIED = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("NODE_EXTRA_CA_CERTS", "npm_config_cafile", "LLM_ROUTER_RUNTIME_STATE_PATH"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)


class StartupError(Exception):
    """A service manager refused, or there is none; `message` says what, `fix` what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Service:
    """The command line of the service and the variables it gets. `log_path` is where its log lines go."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    log_path: str = ""
    stop_s: float = 35.0


@dataclass(frozen=True, slots=True)
class Status:
    """What a manager says of the service. `hints` are sentences worth reading, `changed` tells a new definition."""

    manager: str
    service_id: str = ""
    installed: bool = False
    running: bool = False
    file_path: str = ""
    detail: str = ""
    hints: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str = ""
    err: str = ""

    @property
    def said(self) -> str:
        """Returns its last words, on stderr before stdout."""
        return (self.err.strip() or self.out.strip())[-2000:]


class Machine(Protocol):
    """What a service manager needs of the machine; tests have one in memory."""

    platform: str
    home: str
    env: Mapping[str, str]
    uid: int

    def run(self, *command: str) -> Ran:
        """Returns how the command ended; code 127 when there is no such program."""

    def has(self, program: str) -> bool:
        """Returns whether a program of this name can be run."""

    def read(self, path: str) -> bytes | None:
        """Returns the file's bytes, None when there is none."""

    def write(self, path: str, data: bytes) -> None:
        """Writes the file and makes its folders."""

    def remove(self, path: str) -> None:
        """Removes the file; none there is fine."""

    def managed_runs(self) -> bool:
        """Returns whether the gateway that runs now was started by the service."""


class ThisMachine:
    """The real one."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.platform = sys.platform
        self.env = env
        self.home = os.path.expanduser("~")
        self.uid = os.getuid() if sys.platform != "win32" else 0

    def run(self, *command: str) -> Ran:
        """Returns how the command ended."""
        import subprocess

        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=RUN_TIMEOUT_S, check=False
            )
        except FileNotFoundError:
            return Ran(127, err=f"{command[0]} is not installed")
        except (OSError, subprocess.SubprocessError) as exc:
            return Ran(126, err=f"{command[0]}: {exc}")
        return Ran(done.returncode, done.stdout, done.stderr)

    def has(self, program: str) -> bool:
        """Returns whether the program is on the path."""
        import shutil

        return shutil.which(program, path=self.env.get("PATH")) is not None

    def read(self, path: str) -> bytes | None:
        """Returns the file's bytes."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Writes the file whole or not at all."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}.tmp"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except OSError:
            self.remove(temporary)
            raise

    def remove(self, path: str) -> None:
        """Removes the file."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def managed_runs(self) -> bool:
        """Returns whether the running gateway is the service's."""
        from llr.daemon.instance import active, state_path

        running = active(state_path(self.env))
        return running is not None and running.managed_by_startup


def environment(env: Mapping[str, str], cli_path: str) -> dict[str, str]:
    """Returns the variables of the service: what marks it, and those of the caller it cannot do without."""
    own = {"LLM_ROUTER_MANAGED_BY_STARTUP": "1"}
    if cli_path:
        own["LLM_ROUTER_CLI_PATH"] = cli_path
    return own | {name: env[name] for name in _COPIED if env.get(name, "").strip()}


def checked(ran: Ran, what: str) -> None:
    """Raises `StartupError` with the tool's own words unless the command succeeded."""
    if ran.code != 0:
        raise StartupError(f"{what} failed: {ran.said or f'exit code {ran.code}'}")


def start_args(
    config_path: str,
    *,
    watch_config: bool | None = None,
    watch_binary: bool | None = None,
    require_auth: bool | None = None,
    extra: Sequence[str] = (),
) -> tuple[str, ...]:
    """Returns the words after the program's name. A flag that nobody typed is left to the config."""
    flags = {"watch-config": watch_config, "watch-binary": watch_binary, "require-auth": require_auth}
    typed = [f"--{name}={'true' if value else 'false'}" for name, value in flags.items() if value is not None]
    return ("start", f"--config={config_path}", *typed, *extra)
