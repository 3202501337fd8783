"""What a parent gateway passes to its own next image through exec: the pid, sockets, lock and workers stay.

Law: the next image may be of another version, so every field is read with a default where one makes sense.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager

from llr.base.jsonio import JSON
from llr.base.records import asdict, dataclass
from llr.daemon.instance import Instance, decode, encode

VARIABLE = "LLM_ROUTER_RESUME"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a gateway runs: all that its parent process must know, without the config.

    `worker_args` start a worker, `parent_args` this process again; `cli_path` is where a newer version is looked
    for ("" when it is a module). `workers` 1 means that this process serves alone.
    """

    state_path: str
    instance: Instance
    worker_args: tuple[str, ...] = ()
    parent_args: tuple[str, ...] = ()
    cli_path: str = ""
    workers: int = 1
    drain_s: float = 30.0
    handover_drain_s: float = 3600.0
    ready_s: float = 12.0
    binary_watch_s: float = 15.0
    began_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """The descriptors and children that outlive an exec. A worker is (pid, descriptor of its link, version).

    `file` is the identity of the archive that `snapshot` was copied from.
    """

    plan: Plan
    listen: tuple[int, ...]
    control: int
    lock: int
    control_path: str | None = None
    control_port: int | None = None
    workers: tuple[tuple[int, int, str], ...] = ()
    snapshot: int | None = None
    file: tuple[int, ...] | None = None

    def all_fds(self) -> list[int]:
        """Returns every descriptor that must stay open."""
        own = [*self.listen, self.control, self.lock, *(fd for _, fd, _ in self.workers)]
        return own if self.snapshot is None else [*own, self.snapshot]


def to_env(kept: Kept) -> dict[str, str]:
    """Returns the environment variable that carries it."""
    plan = asdict(kept.plan)
    plan["instance"] = encode(kept.plan.instance)
    body = asdict(kept)
    body["plan"] = plan
    return {VARIABLE: json.dumps(body)}


def _numbers(value: JSON) -> tuple[int, ...]:
    return tuple(int(str(item)) for item in value) if isinstance(value, list) else ()


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _seconds(value: JSON, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _plan(raw: Mapping[str, JSON]) -> Plan:
    instance = decode(raw.get("instance"))
    if instance is None:
        raise ValueError("no instance was passed on")
    return Plan(
        state_path=str(raw["state_path"]),
        instance=instance,
        worker_args=_texts(raw.get("worker_args")),
        parent_args=_texts(raw.get("parent_args")),
        cli_path=str(raw.get("cli_path", "")),
        workers=int(_seconds(raw.get("workers"), 1)),
        drain_s=_seconds(raw.get("drain_s"), 30.0),
        handover_drain_s=_seconds(raw.get("handover_drain_s"), 3600.0),
        ready_s=_seconds(raw.get("ready_s"), 12.0),
        binary_watch_s=_seconds(raw.get("binary_watch_s"), 15.0),
        began_at=_seconds(raw.get("began_at"), 0.0),
    )


def _worker(row: JSON) -> tuple[int, int, str]:
    if not isinstance(row, list) or len(row) != 3:
        raise ValueError("a worker was passed on in a form that is not known")
    return int(str(row[0])), int(str(row[1])), str(row[2])


def from_env(environ: MutableMapping[str, str]) -> Kept | None:
    """Returns what an earlier image passed on, None when this is no resumed process; the variable is taken out.

    Raises ValueError when it cannot be understood.
    """
    text = environ.pop(VARIABLE, "")
    if not text:
        return None
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("it is no JSON object")
    workers = raw.get("workers", [])
    return Kept(
        plan=_plan(raw["plan"]),
        listen=_numbers(raw.get("listen")),
        control=int(raw["control"]),
        lock=int(raw["lock"]),
        control_path=raw.get("control_path"),
        control_port=raw.get("control_port"),
        workers=tuple(_worker(row) for row in workers),
        snapshot=raw.get("snapshot"),
        file=_numbers(raw.get("file")) or None,
    )


@contextmanager
def inheritable(fds: Sequence[int]) -> Iterator[None]:
    """Makes the descriptors survive an exec; when no exec came, they are private again."""
    for fd in fds:
        os.set_inheritable(fd, True)
    try:
        yield
    finally:
        for fd in fds:
            os.set_inheritable(fd, False)


def socket_of(fd: int) -> socket.socket:
    """Returns the descriptor as a private socket again."""
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    sock.set_inheritable(False)
    return sock
