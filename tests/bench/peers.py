"""Other gateways beside ours, where this machine has them: LiteLLM's proxy, and the router whose config ours reads."""

import json
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import bodies, gateway
from tests.bench.procs import Proc, rss_mb
from tests.bench.table import Row
from tests.running import free_port

# The reference router listens here whatever it is told.
REFERENCE_PORT = 8376
PATIENCE_S = 90.0
CONNECTIONS = 8
REQUESTS = 1000
Target = tuple[int, int, str, str]


@dataclass(frozen=True, slots=True)
class Peer:
    """One gateway to start: its command, its port, where it says that it serves, and what it needs around it."""

    name: str
    command: list[str]
    port: int
    ready: str
    env: Mapping[str, str]


def _litellm(home: Path, upstream_port: int) -> Peer | None:
    program = shutil.which("litellm")
    if program is None:
        return None
    port = free_port()
    base = f"http://127.0.0.1:{upstream_port}/plain/v1"
    params = {"model": "openai/m", "api_base": base, "api_key": "bench"}
    path = home / "litellm.yaml"  # every JSON text is YAML
    path.write_text(json.dumps({"model_list": [{"model_name": "plain/m", "litellm_params": params}]}))
    command = [program, "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    # Nobody but the bench reaches it, and a key would be one more thing that the two do not do alike.
    env = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    return Peer("LiteLLM", command, port, "/health/liveliness", env)


def _reference(home: Path, upstream_port: int) -> Peer | None:
    program = shutil.which("llm-router")
    # Ours goes by that name too, and is a Python program.
    if program is None or b"python" in Path(program).read_bytes()[:64]:
        return None
    (home / ".llm-router.json").write_text(json.dumps(gateway.config(upstream_port)).replace("openai-chat", "openai"))
    return Peer("the reference router", [program, "start"], REFERENCE_PORT, "/health", {"HOME": str(home)})


@contextmanager
def running(peer: Peer, home: Path) -> Iterator[int]:
    """Yields the pid of a peer that answers."""
    log = home / "peer.log"
    with log.open("wb") as out:
        environment = {**gateway.plain_environment(home), **peer.env}
        child = subprocess.Popen(peer.command, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        gateway.wait_until_serving(peer.port, child, log, path=peer.ready, patience_s=PATIENCE_S)
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def rows(
    home: Path,
    upstream_port: int,
    load: Proc,
    ours: Target,
    measured: Callable[..., tuple[float, float, float]],
    rounds: int,
) -> list[Row]:
    """Returns one row for each peer that is installed: our CPU per plain request beside its own."""
    found: list[Row] = []
    for find in (_litellm, _reference):
        folder = home / find.__name__
        folder.mkdir(parents=True)
        peer = find(folder, upstream_port)
        if peer is None:
            continue
        with running(peer, folder) as pid:
            theirs = (pid, peer.port, "/v1/chat/completions", bodies.plain(2_000, "plain/m"))
            taken: dict[str, list[Any]] = {"ours": [], "theirs": []}
            for _ in range(rounds):
                taken["ours"].append(measured(load, ours, REQUESTS, CONNECTIONS))
                taken["theirs"].append(measured(load, theirs, REQUESTS, CONNECTIONS))
            mine, other = (statistics.median(one[0] for one in taken[side]) for side in ("ours", "theirs"))
            p50, other_p50 = (statistics.median(one[1] for one in taken[side]) * 1e3 for side in ("ours", "theirs"))
            note = f"floor: {peer.name}; p50 {p50:.1f} ms beside {other_p50:.1f} ms, "
            note += f"RSS {rss_mb(ours[0]):.0f} MB beside {rss_mb(pid):.0f} MB"
            found.append(Row(f"plain request, 2 KB, beside {peer.name}", mine, other, 0.0, note))
    return found
