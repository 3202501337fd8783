"""An upstream that says exactly the bytes it is told, and keeps exactly the bytes it was asked."""

import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import Enum


class Act(Enum):
    """What a script does besides sending bytes."""

    HANG = "hang"
    RESET = "reset"


Script = Sequence[bytes | Act | Callable[[], object]]


class Vendor:
    """Answers each request with the script of the model it names; every connection serves one request."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: dict[str, list[bytes]] = defaultdict(list)
        self.left: dict[str, threading.Event] = defaultdict(threading.Event)
        self.reached: dict[str, threading.Event] = defaultdict(threading.Event)
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no longer."""
        self._sock.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            raw = _request(peer)
            if not raw:
                return
            case = _model(raw)
            self.asked[case].append(raw)
            try:
                for step in self.scripts[case]:
                    self._do(case, step, peer)
            except OSError:
                self.left[case].set()

    def _do(self, case: str, step: bytes | Act | Callable[[], object], peer: socket.socket) -> None:
        if isinstance(step, bytes):
            peer.sendall(step)
        elif step is Act.HANG:
            self.reached[case].set()
            peer.recv(1)
            self.left[case].set()
        elif step is Act.RESET:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif callable(step):
            step()


def _request(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
    while len(body) < size:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def _model(raw: bytes) -> str:
    body = raw.partition(b"\r\n\r\n")[2]
    try:
        return str(json.loads(body)["model"])
    except (ValueError, UnicodeDecodeError):
        return "form"
