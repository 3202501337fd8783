"""Which address to listen on: flag, then environment, then config, then the default; and who sits on a port."""

import os
import re
import sys
from collections.abc import Mapping

from llr.base.names import DEFAULT_HOST, DEFAULT_PORT
from llr.base.records import dataclass
from llr.base.redact import scrub
from llr.config.schema import Config, LocalServer

PORT_VARIABLE = "LLM_ROUTER_PORT"
# Enough to know a program by.
_LONGEST_COMMAND = 120
_SECRET_FLAG = re.compile(r"(?i)(-[\w-]*(?:key|token|secret|passw|auth|credential)[\w-]*[= ])\S+")


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


def expected(config: Config | None, env: Mapping[str, str]) -> Address:
    """Returns where a gateway would listen that is started without flags; a variable that is no port is passed over."""
    local = config.local_server if config is not None else LocalServer()
    try:
        return choose(None, None, env, local)
    except AddressError:
        return choose(None, None, {}, local)


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that listens on a port."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


def owners(port: int) -> tuple[Owner, ...]:
    """Returns the processes listening on a TCP port, as far as this user may see them."""
    if sys.platform == "win32":
        pids = netstat_pids(_said("netstat", "-ano", "-p", "TCP"), port)
    elif os.path.isdir("/proc/self"):
        pids = _linux_pids(port)
    else:
        pids = plain_pids(_said("lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-t"), port)
    return tuple(Owner(pid, _command(pid)) for pid in sorted(pids))


def busy(port: int) -> bool:
    """Returns whether the port cannot be listened on, on 127.0.0.1."""
    import socket

    with socket.socket() as sock:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def how_to_look(port: int) -> str:
    """Returns the command line that shows who holds a port, with more rights than this user has."""
    if sys.platform == "win32":
        return f"netstat -ano | findstr :{port}"
    return f"sudo ss -ltnp 'sport = :{port}'" if sys.platform == "linux" else f"sudo lsof -nP -iTCP:{port} -sTCP:LISTEN"


def plain_pids(text: str, port: int) -> set[int]:
    """Returns the pids in what `lsof -t` or `fuser -n tcp` says: `8376/tcp: 123 456` or one a line."""
    words = text.replace(f"{port}/tcp:", " ").split()
    return {int(word) for word in words if word.isascii() and word.isdigit() and int(word) > 0}


def netstat_pids(text: str, port: int) -> set[int]:
    """Returns the pids of listeners in what `netstat -ano` says. The state is translated; no peer is not."""
    rows = [line.split() for line in text.splitlines()]
    return {
        int(row[-1])
        for row in rows
        if len(row) >= 5
        and row[1].rpartition(":")[2] == str(port)
        and row[2] in ("0.0.0.0:0", "[::]:0")
        and row[-1].isdigit()
    }


def _said(*command: str) -> str:
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


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


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        if os.path.isdir("/proc/self") or sys.platform == "win32":
            return ""
        return shown_command(_said("ps", "-o", "command=", "-p", str(pid)))
    return shown_command(b" ".join(words).decode("utf-8", "replace"))


def shown_command(text: str) -> str:
    """Returns a stranger's command line on one short line, without what it was told as a secret."""
    flat = _SECRET_FLAG.sub(r"\1[redacted]", scrub(" ".join(text.split())))
    return flat if len(flat) <= _LONGEST_COMMAND else flat[: _LONGEST_COMMAND - 3] + "..."
