"""The caller's side of the control channel: blocking, on the bare socket, so that a command starts fast."""

import json
import socket
from collections.abc import Mapping

from llr.base.jsonio import JSON, InvalidJSON, loads
from llr.daemon.channel import Answer
from llr.daemon.instance import Instance, active, state_path

TIMEOUT_S = 30.0


class NothingRuns(Exception):
    """No gateway runs, or the one that does cannot be reached; the message says which."""


def _connect(instance: Instance, timeout_s: float) -> socket.socket:
    if instance.control_socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        try:
            sock.connect(instance.control_socket)
        except OSError:
            sock.close()
            raise
        return sock
    if instance.control_port:
        return socket.create_connection(("127.0.0.1", instance.control_port), timeout_s)
    raise NothingRuns("The running gateway has no control channel.")


def _parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) < 2 or not words[1].isdigit():
        raise NothingRuns("The control channel closed without an answer.")
    try:
        return Answer(int(words[1]), loads(body) if body else None)
    except InvalidJSON as exc:
        raise NothingRuns(f"The control channel's answer is not JSON: {exc}.") from exc


def call(instance: Instance, method: str, target: str, body: JSON = None, *, timeout_s: float = TIMEOUT_S) -> Answer:
    """Returns the gateway's answer. Raises `NothingRuns` when it cannot be reached or does not answer in time."""
    payload = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"X-Llr-Nonce: {instance.nonce}\r\nContent-Length: {len(payload)}\r\n"
        "Content-Type: application/json\r\n\r\n"
    )
    try:
        with _connect(instance, timeout_s) as sock:
            sock.sendall(head.encode("latin-1") + payload)
            parts = []
            while part := sock.recv(65536):
                parts.append(part)
    except TimeoutError as exc:
        raise NothingRuns(f"Process {instance.pid} did not answer within {timeout_s:g} s.") from exc
    except OSError as exc:
        raise NothingRuns(f"Process {instance.pid} cannot be reached: {exc.strerror or exc}.") from exc
    return _parse(b"".join(parts))


def control_call(
    method: str, target: str, body: JSON = None, *, env: Mapping[str, str], timeout_s: float = TIMEOUT_S
) -> Answer:
    """Returns the answer of the gateway that the environment's state file tells of.

    `target` is a path with an optional query. Raises `NothingRuns`.
    """
    instance = active(state_path(env))
    if instance is None:
        raise NothingRuns("No running LLM Router instance detected.")
    return call(instance, method, target, body, timeout_s=timeout_s)
