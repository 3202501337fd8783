"""A built archive run as a user would run it, in a home of its own."""

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

STARTED = re.compile(r"started on (http://\S+)")


def environment(home: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return keep | {"HOME": str(home), "LLM_ROUTER_PORT": "0", "OPENAI_API_KEY": "set", "ANTHROPIC_API_KEY": "set"}


def free_port() -> int:
    """Returns a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def threaded(server: ThreadingHTTPServer, let_go: threading.Event) -> Iterator[None]:
    """Serves from a thread; at the end `let_go` is set, on which the answers that are held back wait."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    let_go.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


@contextmanager
def gateway(pyz: Path, home: Path, line: str) -> Iterator[str]:
    """Yields the address of a gateway that one command line starts."""
    command = [sys.executable, "-I", "-S", str(pyz), *shlex.split(line)[1:]]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next((m for m in map(STARTED.search, process.stdout) if m), None)
            assert found, "the gateway said no address"
            yield found.group(1)
        finally:
            process.terminate()
            process.communicate(timeout=30)
