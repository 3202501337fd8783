"""The runtime-state file and its lock: which gateway runs, where, and how to reach its control channel.

Law: a gateway holds the lock from before its bind until its end; the file is believed only while its process lives.
"""

import json
import os
import sys
from collections.abc import Mapping

from llr.base.jsonio import JSON
from llr.base.names import DEFAULT_HOST, DEFAULT_PORT
from llr.base.records import asdict, dataclass, replace
from llr.daemon import process

STATE_FILE = ".llm-router.runtime.json"

# Field of `Instance` and the name the file uses.
_NAMES = {
    "config_path": "configPath",
    "watch_config": "watchConfig",
    "watch_binary": "watchBinary",
    "require_auth": "requireAuth",
    "managed_by_startup": "managedByStartup",
    "cli_path": "cliPath",
    "started_at": "startedAt",
    "process_start_time": "processStartTime",
    "supervisor_pid": "supervisorPid",
    "control_socket": "controlSocket",
    "control_port": "controlPort",
    "log_file": "logFile",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One running gateway as its state file tells it. Times are ISO 8601 in UTC.

    `typed` are flags of its start that stand nowhere else, for who starts it again.
    """

    pid: int
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    config_path: str = ""
    watch_config: bool = True
    watch_binary: bool = True
    require_auth: bool = False
    managed_by_startup: bool = False
    cli_path: str = ""
    started_at: str = ""
    version: str = ""
    nonce: str = ""
    process_start_time: str | None = None
    supervisor_pid: int | None = None
    control_socket: str | None = None
    control_port: int | None = None
    workers: int = 0
    demo: bool = False
    log_file: str | None = None
    typed: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Returns the base URL a client of this machine uses."""
        return origin(self.host, self.port)


def origin(host: str, port: int) -> str:
    """Returns `http://host:port`; a wildcard host becomes its loopback address, IPv6 gets brackets."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def state_path(env: Mapping[str, str]) -> str:
    """Returns where the state file lies: LLM_ROUTER_RUNTIME_STATE_PATH, else the home folder."""
    named = env.get("LLM_ROUTER_RUNTIME_STATE_PATH", "").strip()
    return os.path.abspath(os.path.expanduser(named or os.path.join("~", STATE_FILE)))


def encode(instance: Instance) -> dict[str, JSON]:
    """Returns the file's JSON object."""
    return {_NAMES.get(name, name): value for name, value in asdict(instance).items()}


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _int(value: JSON) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _bool(value: JSON, default: bool) -> bool:
    return value if isinstance(value, bool) else default


def decode(raw: JSON) -> Instance | None:
    """Returns the instance a JSON value tells of; None without a positive pid. Unknown fields are dropped."""
    if not isinstance(raw, dict):
        return None
    pid = _int(raw.get("pid"))
    if pid is None:
        return None
    return Instance(
        pid=pid,
        host=_text(raw.get("host")) or DEFAULT_HOST,
        port=_int(raw.get("port")) or DEFAULT_PORT,
        config_path=_text(raw.get("configPath")),
        watch_config=_bool(raw.get("watchConfig"), True),
        watch_binary=_bool(raw.get("watchBinary"), True),
        require_auth=_bool(raw.get("requireAuth"), False),
        managed_by_startup=_bool(raw.get("managedByStartup"), False),
        cli_path=_text(raw.get("cliPath")),
        started_at=_text(raw.get("startedAt")),
        version=_text(raw.get("version")),
        nonce=_text(raw.get("nonce")),
        process_start_time=_text(raw.get("processStartTime")) or None,
        supervisor_pid=_int(raw.get("supervisorPid")),
        control_socket=_text(raw.get("controlSocket")) or None,
        control_port=_int(raw.get("controlPort")),
        workers=_int(raw.get("workers")) or 0,
        demo=_bool(raw.get("demo"), False),
        log_file=_text(raw.get("logFile")) or None,
        typed=_texts(raw.get("typed")),
    )


def read(path: str) -> Instance | None:
    """Returns what the file says, None when it is missing or tells of nothing. Raises ValueError on broken JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return decode(json.load(file))
    except FileNotFoundError:
        return None


def write(path: str, instance: Instance) -> None:
    """Writes the file whole or not at all, mode 0600."""
    text = json.dumps(encode(instance), separators=(",", ":")) + "\n"
    temporary = f"{path}.{os.getpid()}.tmp"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        _unlink(temporary)
        raise


def clear(path: str, pid: int) -> None:
    """Removes the file if it tells of this pid."""
    try:
        told = read(path)
    except ValueError:
        return
    if told is not None and told.pid == pid:
        _unlink(path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def active(path: str) -> Instance | None:
    """Returns the gateway that runs now. A file of a dead process is removed, an unreadable one tells of nothing."""
    try:
        told = read(path)
    except ValueError:
        return None
    if told is None:
        return None
    if process.same(told.pid, told.process_start_time):
        return told
    clear(path, told.pid)
    return None


def with_process(instance: Instance, pid: int) -> Instance:
    """Returns the instance as running in this process."""
    return replace(instance, pid=pid, process_start_time=process.start_time(pid))


class Lock:
    """An exclusive lock on `<state>.lock`, held while its descriptor is open (flock: also across exec)."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def release(self) -> None:
        """Gives the lock up; the file stays, since removing it would let two processes hold "the" lock."""
        os.close(self.fd)


def take_lock(path: str) -> Lock | None:
    """Returns the lock of the state file at `path`, None when another process holds it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if _try_lock(fd):
        return Lock(fd)
    os.close(fd)
    return None


if sys.platform == "win32":

    def _try_lock(fd: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(fd: int) -> bool:
        import fcntl

        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
