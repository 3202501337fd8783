"""Starts the built archive for a measurement, in a home of its own."""

import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.running import free_port

REDIS = shutil.which("redis-server") or ""


class Gateway:
    """A running gateway: its process and its port."""

    def __init__(self, child: subprocess.Popen[bytes], port: int) -> None:
        self._child, self.pid, self.port = child, child.pid, port

    def stop(self) -> None:
        """Ends it and waits."""
        self._child.terminate()
        try:
            self._child.wait(15)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def config(upstream_port: int, ca_file: str = "") -> dict[str, Any]:
    """Returns a config whose providers are the paths of the scripted upstream."""
    origin = f"{'https' if ca_file else 'http'}://127.0.0.1:{upstream_port}"
    extra = {"caFile": ca_file} if ca_file else {}
    paths = {"plain": "/plain/v1", "stream": "/stream/100/20/v1", "hold": "/hold/v1"}
    providers = [
        {
            "id": name,
            "name": name,
            "baseUrl": origin + path,
            "format": "openai-chat",
            "apiKey": "bench",
            "models": [{"id": "m"}],
            "metadata": {"llr": extra},
        }
        for name, path in paths.items()
    ]
    return {"version": 2, "providers": providers}


def limited(upstream_port: int) -> dict[str, Any]:
    """Returns the config with a bucket that never fills, so that every request asks the store."""
    doc = config(upstream_port)
    bucket = {"id": "all", "models": ["all"], "requests": 1_000_000, "window": {"unit": "day", "size": 1}}
    doc["providers"][0]["rateLimits"] = [bucket]
    return doc


def stored(doc: dict[str, Any], backend: str, url: str = "") -> dict[str, Any]:
    """Returns the config with its state in `backend`."""
    return {**doc, "metadata": {"llr": {"state": {"backend": backend, **({"url": url} if url else {})}}}}


@contextmanager
def redis_server(wanted: bool) -> Iterator[str]:
    """Yields the URL of a redis-server of our own, "" when none is wanted."""
    if not wanted:
        yield ""
        return
    port = free_port()
    words = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        child.terminate()
        child.wait()


def wait_until_serving(
    port: int, child: subprocess.Popen[bytes], log: Path, *, path: str = "/health", patience_s: float = 60.0
) -> None:
    """Returns once `path` answers 200. Raises RuntimeError with the log's end when the process ends or stays silent."""
    give_up_at = time.monotonic() + patience_s
    while child.poll() is None and time.monotonic() < give_up_at:
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            client.request("GET", path)
            if client.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
    raise RuntimeError(f"nobody serves: {log.read_text()[-2000:]}")


def plain_environment(home: Path) -> dict[str, str]:
    """Returns an environment that knows of nothing but a home and where programs are."""
    return {"HOME": str(home), "PATH": os.environ["PATH"]}


def launch(archive: Path, home: Path, words: list[str]) -> Gateway:
    """Returns a gateway that answers `/health`, started from `archive` with only `home` to write to."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    log = home / "log"
    env = plain_environment(home)
    with log.open("wb") as out:
        command = [sys.executable, "-I", "-S", str(archive), "start", f"--port={port}", *words]
        child = subprocess.Popen(command, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    wait_until_serving(port, child, log)
    return Gateway(child, port)


def start(archive: Path, home: Path, doc: dict[str, Any], *words: str) -> Gateway:
    """Returns a gateway that serves `doc`."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "config.json"
    path.write_text(json.dumps(doc))
    return launch(archive, home, [f"--config={path}", *words])


def cold_start_s(archive: Path) -> float:
    """Returns seconds from starting the demo to its first whole chat answer."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        one = launch(archive, Path(folder), ["--demo"])
        try:
            client = http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
            body = json.dumps({"model": "demo/ok", "messages": [{"role": "user", "content": "hi"}]})
            client.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the demo answered {answer.status}")
            return time.perf_counter() - began
        finally:
            one.stop()


def command_s(command: list[str]) -> float:
    """Returns the median wall seconds of a command over 15 runs in an empty home."""
    took = []
    with tempfile.TemporaryDirectory() as home:
        for _ in range(15):
            began = time.perf_counter()
            subprocess.run(command, env={"HOME": home, "PATH": os.environ["PATH"]}, check=True, capture_output=True)
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Returns a fresh self-signed certificate for 127.0.0.1 and its key, made by the openssl program."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True)
    return cert, key
