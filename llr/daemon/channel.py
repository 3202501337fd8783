"""The control channel: a Unix socket (Windows: a loopback port and a nonce) on which a gateway answers its owner.

Law: routes are rows of a table, `"GET /status"` to a handler; a feature adds rows, never files or sockets of its own.
"""

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from secrets import compare_digest
from urllib.parse import parse_qsl

from llr.base.jsonio import JSON, InvalidJSON, dumps, loads
from llr.base.records import dataclass, field
from llr.wire.http import Handler, Request, Response

# sun_path holds 108 bytes on Linux, 104 on macOS; the rest is for the end mark and safety.
MAX_SOCKET_PATH_BYTES = 100
CONTROL_FOLDER = "llr-control-"
MAX_BODY_BYTES = 64 * 1024 * 1024
NONCE_HEADER = b"x-llr-nonce"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a gateway."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: JSON = None

    @property
    def key(self) -> str:
        """Returns the row of the route table: `POST /reload`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway says: an HTTP status and a JSON value."""

    status: int = 200
    body: JSON = None


Answerer = Callable[[Ask], Awaitable[Answer]]
Routes = Mapping[str, Answerer]


def problem(status: int, code: str, message: str) -> Answer:
    """Returns the answer that says what went wrong."""
    return Answer(status, {"error": {"code": code, "message": message}})


async def answer(routes: Routes, ask: Ask) -> Answer:
    """Returns what the table's handler says, 404 or 405 where there is none."""
    handler = routes.get(ask.key)
    if handler is not None:
        return await handler(ask)
    methods = sorted(key.partition(" ")[0] for key in routes if key.partition(" ")[2] == ask.path)
    if methods:
        return problem(405, "method-not-allowed", f"{ask.path} takes {', '.join(methods)}.")
    return problem(404, "not-found", f"The control channel has no {ask.path}.")


def http_handler(ask_it: Answerer, nonce: str | None) -> Handler:
    """Returns the HTTP side of an answerer. With a nonce, a request must carry it (loopback ports have no owner)."""

    async def handle(request: Request) -> Response:
        if nonce is not None and not compare_digest(request.headers.text(NONCE_HEADER), nonce):
            return _respond(problem(403, "forbidden", "The control channel answers its owner only."))
        raw = await request.body.read(MAX_BODY_BYTES)
        try:
            body = loads(raw) if raw else None
        except InvalidJSON as exc:
            return _respond(problem(400, "bad-json", str(exc)))
        path, _, query = request.target.partition("?")
        return _respond(await ask_it(Ask(request.method, path, dict(parse_qsl(query)), body)))

    return handle


def _respond(reply: Answer) -> Response:
    return Response(reply.status, [(b"content-type", b"application/json")], dumps(reply.body), close=True)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A bound control socket: its path, or its loopback port with the nonce that callers must show."""

    sock: socket.socket
    path: str | None
    port: int | None = None

    def remove(self) -> None:
        """Closes the socket and removes it from the file system."""
        self.sock.close()
        if self.path is None:
            return
        try:
            os.unlink(self.path)
            if os.path.basename(os.path.dirname(self.path)).startswith(CONTROL_FOLDER):
                os.rmdir(os.path.dirname(self.path))
        except OSError:
            # Someone else cleaned up; nothing is left to remove.
            return


def socket_path(state_path: str) -> str:
    """Returns where the socket lies: beside the state file, or in a fresh private folder when that path is too long."""
    beside = os.path.splitext(state_path)[0] + ".sock"
    if len(os.fsencode(beside)) <= MAX_SOCKET_PATH_BYTES:
        return beside
    import tempfile

    path = os.path.join(tempfile.mkdtemp(prefix=CONTROL_FOLDER), "control.sock")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        # TMPDIR is long too. POSIX promises /tmp (XBD 10.1, "Directory Structure and Files").
        os.rmdir(os.path.dirname(path))
        path = os.path.join(tempfile.mkdtemp(prefix=CONTROL_FOLDER, dir="/tmp"), "control.sock")
    return path


def bind(state_path: str) -> Endpoint:
    """Returns the bound control socket. The caller holds the instance lock, so a socket found there is a dead one."""
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        return bind_loopback()
    path = socket_path(state_path)
    with suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    os.chmod(path, 0o600)
    sock.listen(64)
    sock.setblocking(False)
    return Endpoint(sock, path)


def bind_loopback() -> Endpoint:
    """Returns a control socket on a free loopback port, for systems without Unix sockets."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    sock.setblocking(False)
    return Endpoint(sock, None, sock.getsockname()[1])
