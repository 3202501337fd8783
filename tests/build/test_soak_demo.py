"""Thousands of requests through the built archive: every one whole, and nothing piles up."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llr.base.jsonio import JSON
from tests.running import gateway

REQUESTS = 6_000
AT_ONCE = 20
# Caches and pools fill at first; what grows after that grows for ever.
GROWTH_KB = 10_000
HELLO: JSON = [{"role": "user", "content": "Hello"}]
ASKS: tuple[tuple[str, dict[str, JSON], bytes], ...] = (
    ("/v1/chat/completions", {"model": "demo/ok", "messages": HELLO}, b"You said"),
    ("/v1/chat/completions", {"model": "demo/ok", "messages": HELLO, "stream": True}, b"[DONE]"),
    ("/v1/messages", {"model": "demo/ok", "max_tokens": 9, "messages": HELLO}, b"You said"),
    ("/v1/messages", {"model": "demo/thinking", "max_tokens": 9, "messages": HELLO, "stream": True}, b"message_stop"),
    ("/v1/responses", {"model": "demo/ok", "input": "Hello", "stream": True}, b"response.completed"),
    (
        "/v1/messages",
        {"model": "demo/cut-midstream", "max_tokens": 9, "messages": HELLO, "stream": True},
        b"event: error",
    ),
    ("/v1/embeddings", {"model": "demo/ok", "input": "Hello"}, b"embedding"),
)


def ask_many(origin: str, count: int) -> list[str]:
    """Returns what went wrong in `count` requests over one connection."""
    place = urlsplit(origin)
    wrong: list[str] = []
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    for number in range(count):
        path, body, mark = ASKS[number % len(ASKS)]
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse().read()
        if mark not in answer:
            wrong.append(f"{path} {body['model']}: {answer[-200:]!r}")
    connection.close()
    return wrong


def round_of(origin: str, count: int) -> list[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [
            line for found in pool.map(lambda _: ask_many(origin, count // AT_ONCE), range(AT_ONCE)) for line in found
        ]


def rss_kb(home: Path) -> int:
    pid = json.loads((home / ".llm-router.runtime.json").read_text())["pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found.group(1))


@pytest.mark.soak
def test_thousands_of_requests_leave_no_trace(pyz: Path, tmp_path: Path) -> None:
    with gateway(pyz, tmp_path, "llr start --demo") as origin:
        assert round_of(origin, REQUESTS // 3) == []
        before = rss_kb(tmp_path)
        assert round_of(origin, REQUESTS) == []
        assert rss_kb(tmp_path) - before < GROWTH_KB
