"""Measures the built archive beside the floor, in one run, and prints one table.

`python -m tests.bench [--rounds N] [--only TEXT] [--archive FILE]`. Figures are medians over interleaved rounds;
every absolute time is also given as a multiple of `json.loads` of the 2 KB body on this machine in this run.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import bodies, gateway, peers, pure
from tests.bench.procs import ROOT, Proc, cpu_s, python, queued_s, rss_mb
from tests.bench.table import Row, render

CONNECTIONS = 8
STREAMS = 40
CHUNKS = 100
APART_MS = 20
GEMINI_STREAM = "/v1beta/models/stream%2Fm:streamGenerateContent?alt=sse"


def unit_s() -> float:
    """Returns the seconds `json.loads` of the 2 KB body takes: the best of many tries."""
    text = bodies.plain(2_000)
    best = 1.0
    for _ in range(200):
        began = time.perf_counter()
        for _ in range(50):
            json.loads(text)
        best = min(best, (time.perf_counter() - began) / 50)
    return best


def measured(
    load: Proc, target: tuple[int, int, str, str], requests: int, connections: int
) -> tuple[float, float, float]:
    """Returns CPU seconds per request of the process tree, and the p50 and p99 latencies in seconds."""
    pid, port, path, body = target
    plan = {"port": port, "path": path, "body": body, "connections": connections}
    load.ask({**plan, "requests": max(connections, requests // 10)})
    before = cpu_s(pid)
    answer = load.ask({**plan, "requests": requests})
    return (cpu_s(pid) - before) / requests, answer["p50"], answer["p99"]


def pair(bench: "Bench", name: str, shape: tuple[str, str, Callable[[str], str]], **how: Any) -> Row:
    """Returns a row that sets the gateway's CPU for one kind of request beside the floor's."""
    provider, floor_path, body = shape
    requests, connections, per = how["requests"], how["connections"], how.get("per", 1)
    floor_target = (bench.floor.pid, int(bench.floor.ready_line), floor_path, body("m"))
    path = str(how.get("path", "/v1/chat/completions"))
    ours_target = (bench.ours.pid, bench.ours.port, path, body(f"{provider}/m"))
    floors, ours = [], []
    for _ in range(bench.rounds):
        floors.append(measured(bench.load, floor_target, requests, connections))
        ours.append(measured(bench.load, ours_target, requests, connections))
    floor_cpu, our_cpu = (statistics.median(one[0] for one in many) / per for many in (floors, ours))
    added = [statistics.median(one[at] for one in ours) - statistics.median(one[at] for one in floors) for at in (1, 2)]
    return Row(name, our_cpu, floor_cpu, how["aim"], f"p50 {added[0] * 1e3:+.2f} ms, p99 {added[1] * 1e3:+.2f} ms")


class Bench:
    """The processes of one run."""

    def __init__(self, archive: Path, with_redis: Path, home: Path, rounds: int) -> None:
        self.rounds = rounds
        self.upstream = python("tests.bench.upstream")
        self.floor = python("tests.bench.floor", self.upstream.ready_line)
        self.load = Proc([sys.executable, "-m", "tests.bench.load"], ready=False)
        self.ours = gateway.start(archive, home, gateway.config(int(self.upstream.ready_line)))
        self.archive, self.with_redis, self.home = archive, with_redis, home

    def stop(self) -> None:
        """Ends them all."""
        for proc in (self.load, self.ours, self.floor, self.upstream):
            proc.stop()


def requests_rows(bench: Bench) -> list[Row]:
    """Returns the rows about CPU per request and per chunk."""
    plain = "/plain/v1/chat/completions"
    stream = f"/stream/{CHUNKS}/{APART_MS}/v1/chat/completions"
    rows = [
        pair(
            bench,
            "plain request, 2 KB",
            ("plain", plain, lambda model: bodies.plain(2_000, model)),
            requests=3000,
            connections=CONNECTIONS,
            aim=1.6,
        )
    ]
    for size, count, aim in ((200_000, 400, 0.0), (2_000_000, 60, 1.5)):
        for kind, make in (("few long strings", bodies.long_strings), ("many short messages", bodies.short_messages)):
            rows.append(
                pair(
                    bench,
                    f"plain request, {size // 1000} KB, {kind}",
                    ("plain", plain, lambda model, make=make, size=size: make(size, model)),  # type: ignore[misc]
                    requests=count,
                    connections=4,
                    aim=aim,
                )
            )
    rows.append(
        pair(
            bench,
            "streamed chunk",
            ("stream", stream, lambda model: bodies.plain(2_000, model, stream=True)),
            requests=STREAMS,
            connections=STREAMS,
            per=CHUNKS,
            aim=1.4,
        )
    )
    for path, what in (("/v1/messages", "Messages"), ("/v1/responses", "Responses"), (GEMINI_STREAM, "Gemini")):
        rows.append(
            pair(
                bench,
                f"streamed chunk, Chat to {what}",
                ("stream", stream, lambda model, what=what: bodies.asking(what, model)),  # type: ignore[misc]
                requests=STREAMS,
                connections=STREAMS,
                per=CHUNKS,
                path=path,
                aim=2.2,
            )
        )
    return rows


def memory_rows(bench: Bench) -> list[Row]:
    """Returns the rows about resident memory: idle, after 10,000 requests, with 1,000 open streams."""
    fresh = gateway.start(bench.archive, bench.home / "memory", gateway.config(int(bench.upstream.ready_line)))
    try:
        rows = [Row.memory("RSS idle", rss_mb(fresh.pid), 45)]
        plan = {"port": fresh.port, "path": "/v1/chat/completions", "body": bodies.plain(2_000, "plain/m")}
        bench.load.ask({**plan, "connections": CONNECTIONS, "requests": 2000})
        early = rss_mb(fresh.pid)
        bench.load.ask({**plan, "connections": CONNECTIONS, "requests": 10_000})
        late = rss_mb(fresh.pid)
        rows.append(Row.memory("RSS after 12,000 requests", late, 0, f"{late - early:+.1f} MB over the last 10,000"))
    finally:
        fresh.stop()
    rows.append(held(bench, "RSS with 1,000 open streams", bench.upstream, ""))
    with tempfile.TemporaryDirectory() as folder:
        cert, key = gateway.certificate(Path(folder))
        tls = python("tests.bench.upstream", str(cert), str(key))
        try:
            rows.append(held(bench, "RSS with 1,000 open streams, TLS upstreams", tls, str(cert)))
        finally:
            tls.stop()
    plain_mb, tls_mb = rows[-2].ours, rows[-1].ours
    rows.append(Row.memory("TLS adds per stream, KiB", (tls_mb - plain_mb) * 1e6 / 1024 / 1000, 90))
    return rows


def held(bench: Bench, name: str, upstream: Proc, ca_file: str) -> Row:
    """Returns the resident memory of a fresh gateway while 1,000 streams are open."""
    one = gateway.start(bench.archive, bench.home / "held", gateway.config(int(upstream.ready_line), ca_file))
    load = Proc([sys.executable, "-m", "tests.bench.load"], ready=False)
    try:
        body = bodies.plain(2_000, "hold/m", stream=True)
        plan = {"port": one.port, "path": "/v1/chat/completions", "body": body, "hold": True}
        load.ask({**plan, "connections": 1000, "requests": 1000})
        time.sleep(3)
        return Row.memory(name, rss_mb(one.pid), 0 if ca_file else 120)
    finally:
        load.stop()
        one.stop()


def start_rows(bench: Bench) -> list[Row]:
    """Returns the rows about starting: the demo's first answer, and short commands beside a bare interpreter."""
    demo = statistics.median(gateway.cold_start_s(bench.archive) for _ in range(max(5, bench.rounds)))
    python_s = gateway.command_s([sys.executable, "-I", "-S", "-c", "pass"])
    rows = [Row.duration("start --demo to first answer", demo, 0.350)]
    for words, aim in ((["--version"], 3.0), (["config", "--operation=list"], 10.0)):
        took = gateway.command_s([sys.executable, "-I", "-S", str(bench.archive), *words])
        rows.append(Row(f"llr {' '.join(words)}", took, python_s, aim, "floor: python3 -I -S -c pass"))
    return rows


def shared_rows(bench: Bench) -> list[Row]:
    """Returns what shared state and a second worker cost: CPU per plain request, and what two workers carry."""
    config = gateway.limited(int(bench.upstream.ready_line))
    rows, memory = [], 0.0
    kinds = [("memory", 0.0), ("file", 0.0), ("sqlite", 1.25)]
    kinds += [("redis", 1.5)] if gateway.REDIS else []
    for kind, aim in kinds:
        with gateway.redis_server(kind == "redis") as url:
            # Only an archive that carries the `redis` package speaks to one, and it is the same but for that.
            archive = bench.with_redis if kind == "redis" else bench.archive
            one = gateway.start(archive, bench.home / kind, gateway.stored(config, kind, url))
            try:
                target = (one.pid, one.port, "/v1/chat/completions", bodies.plain(2_000, "plain/m"))
                took = statistics.median(
                    measured(bench.load, target, 3000, CONNECTIONS)[0] for _ in range(bench.rounds)
                )
            finally:
                one.stop()
        memory = memory or took
        rows.append(Row(f"plain request with a bucket, {kind} store", took, memory, aim, "floor: memory store"))
    return rows + worker_rows(bench, config)


class Carried(NamedTuple):
    """One measurement of workers: CPU per request, requests per second, and shares of the gateway's CPU time."""

    cpu_s: float
    per_s: float
    others: float
    queued: float


def carried(bench: Bench, config: dict[str, Any], workers: int, number: int = 6000) -> Carried:
    """Returns what a gateway of so many workers carries, load generator and upstream being on the same cores."""
    home = bench.home / f"w{workers}"
    one = gateway.start(bench.archive, home, gateway.stored(config, "sqlite"), f"--workers={workers}")
    try:
        plan = {"port": one.port, "path": "/v1/chat/completions", "body": bodies.plain(2_000, "plain/m")}
        plan |= {"connections": 32, "requests": number}
        bench.load.ask({**plan, "requests": 600})
        before, around, queue = cpu_s(one.pid), cpu_s(bench.upstream.pid), queued_s(one.pid)
        answer = bench.load.ask(plan)
        cpu = cpu_s(one.pid) - before
        others = answer["cpu"] + cpu_s(bench.upstream.pid) - around
        return Carried(cpu / number, number / answer["seconds"], others / cpu, (queued_s(one.pid) - queue) / cpu)
    finally:
        one.stop()


def worker_rows(bench: Bench, config: dict[str, Any]) -> list[Row]:
    """Returns two workers beside one: CPU per request, and requests per second with everything on the same cores.

    Both are measured in turns; every figure is the median over the rounds.
    """
    rounds = [(carried(bench, config, 1), carried(bench, config, 2)) for _ in range(max(3, bench.rounds))]
    more = statistics.median(two.per_s / one.per_s for one, two in rounds)
    others = statistics.median(two.others for _, two in rounds)
    queued = statistics.median(two.queued for _, two in rounds)
    note = (
        f"two carry {more:.2f} × one; load and upstream take {others:.2f} × the gateway's CPU;"
        f" for a core it waited {queued:.2f} × that; floor: 1 worker"
    )
    cpu_one, cpu_two = (statistics.median(pair[at].cpu_s for pair in rounds) for at in (0, 1))
    return [Row("plain request, 2 workers", cpu_two, cpu_one, 1.2, note)]


def pure_rows(bench: Bench) -> list[Row]:
    """Returns the rows measured in this process."""
    return pure.translation_rows() + pure.planning_rows()


def peer_rows(bench: Bench) -> list[Row]:
    """Returns our CPU per plain request beside that of other gateways, where this machine has them."""
    ours = (bench.ours.pid, bench.ours.port, "/v1/chat/completions", bodies.plain(2_000, "plain/m"))
    return peers.rows(bench.home / "peers", int(bench.upstream.ready_line), bench.load, ours, measured, bench.rounds)


SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "requests": requests_rows,
    "pure": pure_rows,
    "shared": shared_rows,
    "memory": memory_rows,
    "start": start_rows,
    "peers": peer_rows,
}


def main() -> int:
    """Prints the table; returns 0, or 1 when something did not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help=f"one of {', '.join(SECTIONS)}")
    parser.add_argument("--archive", type=Path, default=ROOT / "llr.pyz")
    parser.add_argument("--with-redis", type=Path, default=ROOT / "build/llr-with-redis.pyz")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.archive.resolve(), args.with_redis.resolve(), Path(folder), args.rounds)
        try:
            for name, section in SECTIONS.items():
                if args.only in ("", name):
                    rows = section(bench)
                    if rows:
                        print(render(rows, unit_s()), flush=True)
        finally:
            bench.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
