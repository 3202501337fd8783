"""Which address to listen on: flag, then environment, then config, then the default; and who sits on a port."""

import os
import sys
from collections.abc import Mapping

from llr.base.records import dataclass
from llr.config.schema import LocalServer
from llr.daemon.instance import DEFAULT_HOST, DEFAULT_PORT

PORT_VARIABLE = "LLM_ROUTER_PORT"


class AddressError(ValueError):
    """No address can be made of what was given; the message names the source and the fix."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `both_loopbacks` adds ::1 to 127.0.0.1, where the system has it."""

    host: str
    port: int
    both_loopbacks: bool = False


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach the host."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _port(text: str, source: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise AddressError(f"{source} must be a port number from 0 to 65535, not '{text}'.")
    return port


def choose(host: str | None, port: str | None, env: Mapping[str, str], local: LocalServer) -> Address:
    """Returns the address. `host` and `port` are the flags as typed. Raises `AddressError` on a port that is none.

    The variable PORT belongs to the web console and is not looked at.
    """
    named_host = host or local.host
    if port:
        number = _port(port, "--port")
    elif env.get(PORT_VARIABLE, "").strip():
        number = _port(env[PORT_VARIABLE].strip(), PORT_VARIABLE)
    else:
        number = local.port if local.port is not None else DEFAULT_PORT
    plain = (named_host or DEFAULT_HOST).strip().removeprefix("[").removesuffix("]")
    return Address(plain, number, both_loopbacks=named_host is None or plain == "localhost")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that listens on a port."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def owners(port: int) -> tuple[Owner, ...]:
    """Returns the processes listening on a TCP port, as far as this user may see them."""
    pids = _linux_pids(port) if os.path.isdir("/proc/self") else _lsof_pids(port)
    return tuple(Owner(pid, _command(pid)) for pid in sorted(pids))


def _listening_inodes(port: int) -> set[str]:
    """Returns the socket inodes in state LISTEN (0A in /proc/net/tcp) on the port."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        inodes |= {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    return inodes


def _linux_pids(port: int) -> set[int]:
    links = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not links:
        return set()
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and _holds(name, links)}


def _holds(pid: str, links: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") in links:
                return True
        except OSError:
            continue
    return False


def _lsof_pids(port: int) -> set[int]:
    if sys.platform == "win32":
        return set()
    import subprocess

    try:
        done = subprocess.run(
            ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return set()
    return {int(word) for word in done.stdout.split() if word.isdigit() and int(word) > 0}


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode("utf-8", "replace")[:200]
