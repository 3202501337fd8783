"""Scripted vendors in a process of their own: strict about what they are asked, in each vendor's own words.

`/m` is Messages, `/c` Chat, `/r` Responses, `/g` Gemini. The first user message says `script=NAME`.
`GET /seen` returns and forgets what was asked; the first line on stdout is the port.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e import answers, rules, script

SEEN: list[dict[str, Any]] = []
LOCK = threading.Lock()
CHECKS = {"m": rules.messages, "c": rules.chat, "r": rules.responses, "g": rules.google}


class Vendor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        with LOCK:
            seen, SEEN[:] = list(SEEN), []
        self.reply(200, json.dumps(seen).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        kind, path = self.path[1], self.path[2:]
        with LOCK:
            SEEN.append(
                {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": raw.decode()}
            )
        try:
            self.authenticate(kind)
            body = json.loads(raw)
            self.serve(kind, path, body)
        except rules.Refused as exc:
            self.reply(400, answers.error(kind, 400, f"REFUSED {exc}"))

    def authenticate(self, kind: str) -> None:
        given = {"m": "x-api-key", "g": "x-goog-api-key"}.get(kind, "authorization")
        rules.need(self.headers[given] in (script.KEY, f"Bearer {script.KEY}"), "authentication")
        rules.need(kind != "m" or self.headers["anthropic-version"], "anthropic-version: header is required")
        foreign = "anthropic-" if kind != "m" else "openai-"
        rules.need(not any(name.lower().startswith(foreign) for name in self.headers), "foreign headers")

    def serve(self, kind: str, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/embeddings"):
            rows = [{"object": "embedding", "index": i, "embedding": [0.5, -0.5]} for i, _ in enumerate(body["input"])]
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            self.reply(
                200, json.dumps({"object": "list", "data": rows, "model": body["model"], "usage": usage}).encode()
            )
            return
        if path.endswith("/count_tokens"):
            rules.messages(body, count=True)
            self.reply(200, b'{"input_tokens": 321}')
            return
        if path.endswith(":countTokens"):
            self.reply(200, b'{"totalTokens": 321}')
            return
        if path == "/v1/completions":
            words = "This is a chat model and not supported in the v1/completions endpoint. Use v1/chat/completions."
            self.reply(404, answers.error(kind, 404, words))
            return
        wanted = {"m": "/v1/messages", "c": "/v1/chat/completions", "r": "/v1/responses"}
        rules.need(kind == "g" or path.split("?")[0] == wanted[kind], f"no such path: {path}")
        asked = CHECKS[kind](body)
        if asked.script.startswith("error"):
            self.fail(kind, int(asked.script.removeprefix("error_")))
        elif asked.script == "overflow":
            self.reply(400, answers.error(kind, 400, answers.OVERFLOW[kind]))
        else:
            self.say(kind, path, body, script.answer(asked))

    def fail(self, kind: str, status: int) -> None:
        after = {"retry-after": "7"} if status == 429 else {}
        self.reply(status, answers.error(kind, status, f"scripted {status}"), **after)

    def say(self, kind: str, path: str, body: dict[str, Any], turn: script.Turn) -> None:
        model = body.get("model") or path.split("/models/")[1].split(":")[0]
        if kind == "c":
            # One of the Chat models always thinks aloud, the other never does.
            thinks = model.startswith("deepseek") and bool(turn.calls or turn.thought)
            turn = replace(turn, thought=script.SECRET_THOUGHT if thinks else "")
        if kind == "g":
            if ":streamGenerateContent" not in path:
                self.reply(200, json.dumps(answers.g_body(turn, model)).encode())
            else:
                rules.need("alt=sse" in path, "the array form is not scripted")
                self.stream(answers.sse((None, chunk) for chunk in answers.g_chunks(turn, model)))
        elif not body.get("stream"):
            make = {"m": answers.m_body, "c": answers.c_body, "r": answers.r_body}[kind]
            self.reply(200, json.dumps(make(turn, model)).encode())
        elif kind == "c":
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            self.stream(answers.sse(answers.c_events(turn, model, usage=usage)))
        else:
            self.stream(answers.sse((answers.m_events if kind == "m" else answers.r_events)(turn, model)))

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, chunks: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
