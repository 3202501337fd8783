"""Providers that do what they are told, and how a gateway in front of them is configured and asked."""

import contextlib
import http.client
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.cli.life import Gateway, Life

ANSWER = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    }
).encode()
REFUSAL = {"error": {"message": "slow down"}}


class Providers:
    """Three providers behind one port: each answers its status with fields, and remembers the fields it was sent."""

    def __init__(self) -> None:
        self.status: dict[str, int] = dict.fromkeys("abc", 200)
        self.fields: dict[str, dict[str, str]] = {name: {} for name in "abc"}
        self.open = threading.Event()
        self.open.set()
        self.refuses = ""
        self.says = ""
        self.asked: dict[str, list[dict[str, str]]] = {name: [] for name in "abc"}
        providers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                name = self.path[1]
                sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
                providers.asked[name].append({key.lower(): value for key, value in self.headers.items()})
                if name == "a":
                    providers.open.wait(30)
                status = providers.status[name]
                refusal = {"error": {"message": providers.says}} if providers.says else REFUSAL
                body = ANSWER if status == 200 else json.dumps(refusal).encode()
                if providers.refuses in sent:
                    words = f"Unsupported parameter: '{providers.refuses}'"
                    status, body = 400, json.dumps({"error": {"message": words, "param": providers.refuses}}).encode()
                self.send_response(status)
                fields = {"content-type": "application/json", "content-length": str(len(body))}
                for key, value in {**fields, **providers.fields[name]}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def counts(self) -> list[int]:
        return [len(seen) for seen in self.asked.values()]

    def document(self, *, root: dict[str, Any] | None = None, **alias: Any) -> dict[str, Any]:
        entries = [
            {
                "id": name,
                "name": name,
                "baseUrl": f"http://127.0.0.1:{self.port}/{name}/v1",
                "format": "openai-chat",
                "apiKey": f"key-of-{name}",
                "models": [{"id": "m", "contextWindow": 100_000}],
            }
            for name in "abc"
        ]
        return {
            "version": 2,
            "providers": entries,
            "modelAliases": {"any": {"strategy": "ordered", "targets": ["a/m", "b/m", "c/m"], **alias}},
            "metadata": {"llr": {"routing": {"originRetryAttempts": 1}}, **(root or {})},
        }


def write(life: Life, doc: dict[str, Any], name: str = ".llm-router.json") -> Path:
    path = life.home / name
    fresh = life.home / "fresh.json"
    fresh.write_text(json.dumps(doc))
    os.replace(fresh, path)
    return path


def ask(gateway: Gateway, model: str = "any", **headers: str) -> tuple[int, dict[str, str]]:
    """Returns status and fields of one answer; underscores in header names stand for hyphens."""
    with contextlib.closing(http.client.HTTPConnection(*gateway.address, timeout=20)) as connection:
        fields = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, fields)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}
