"""The listening sockets: bound once here, or inherited from whoever bound them."""

import errno
import os
import socket
import sys
from collections.abc import Mapping, MutableMapping

from llr.daemon.ports import Address

LISTEN_FD = "LLM_ROUTER_LISTEN_FD"
# The kernel's queue of connections not yet accepted; the system may cap it (net.core.somaxconn).
BACKLOG = 1024
# sd_listen_fds(3): the first descriptor systemd passes.
_SYSTEMD_FIRST_FD = 3


class BindError(OSError):
    """An address cannot be listened on. `in_use` tells a taken port from everything else."""

    def __init__(self, message: str, *, in_use: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.in_use = in_use


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Returns family and address. A literal is not looked up: getaddrinfo would import the IDNA tables for it."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family, (host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise BindError(f"the host '{host}' is not an address of this machine: {exc.strerror}") from exc
    family, _, _, _, address = sorted(found, key=lambda row: row[0] != socket.AF_INET)[0]
    return family, (str(address[0]), int(address[1]))


def _bind_one(host: str, port: int) -> socket.socket:
    family, address = _resolve(host, port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise explained(exc, port) from exc
    sock.setblocking(False)
    return sock


def explained(exc: OSError, port: int) -> BindError:
    """Returns why a port cannot be had. Windows refuses whole ranges that it keeps for itself, with WinError 10013."""
    if getattr(exc, "winerror", None) == 10013:
        shown = "netsh interface ipv4 show excludedportrange protocol=tcp"
        return BindError(f"Windows keeps port {port} for itself or another user; `{shown}` lists what it keeps")
    if exc.errno == errno.EACCES and port < 1024:
        return BindError(f"port {port} is below 1024 and needs more rights; choose a higher one")
    return BindError(exc.strerror or str(exc), in_use=exc.errno == errno.EADDRINUSE)


def bind(address: Address) -> list[socket.socket]:
    """Returns the bound, listening sockets: one, or two where both loopback addresses are meant.

    Raises `BindError`. That ::1 cannot be had is no error: the machine may have no IPv6.
    """
    host = "127.0.0.1" if address.host == "localhost" else address.host
    sockets = [_bind_one(host, address.port)]
    if address.both_loopbacks and host == "127.0.0.1":
        try:
            sockets.append(_bind_one("::1", sockets[0].getsockname()[1]))
        except BindError:
            return sockets
    return sockets


def adopt(fds: list[int]) -> list[socket.socket]:
    """Returns inherited descriptors as sockets that no child inherits by accident."""
    adopted = []
    for fd in fds:
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        sock.set_inheritable(False)
        adopted.append(sock)
    return adopted


def inherited_fds(env: Mapping[str, str], pid: int) -> list[int]:
    """Returns the descriptors that the environment names: ours (`3` or `3,4`), else systemd's for this pid."""
    own = env.get(LISTEN_FD, "").strip()
    if own:
        return [int(part) for part in own.split(",")]
    count = env.get("LISTEN_FDS", "")
    if env.get("LISTEN_PID") == str(pid) and count.isdigit():
        return list(range(_SYSTEMD_FIRST_FD, _SYSTEMD_FIRST_FD + int(count)))
    return []


def inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Returns the inherited sockets and takes their variables out of `environ`, so that no child believes them."""
    try:
        fds = inherited_fds(environ, os.getpid())
        sockets = adopt(fds)
    except (ValueError, OSError) as exc:
        raise BindError(f"the inherited listening socket cannot be used: {exc}") from exc
    for name in (LISTEN_FD, "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    return sockets


def address_of(sock: socket.socket) -> tuple[str, int]:
    """Returns host and port of a listening TCP socket; a Unix socket gives its path and 0."""
    name = sock.getsockname()
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else (str(name), 0)
