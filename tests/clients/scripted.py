"""An upstream that follows a script and speaks all four formats by path; and a recorder for a gateway."""

import http.client
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.clients import answers

_TOO_LONG = "prompt is too long: 250000 tokens > 200000 maximum"
_OPENAI_TOO_LONG = (
    "This model's maximum context length is 200000 tokens. However, your messages resulted in 250000 tokens."
)
# Model name -> status and error body, by format.
ERRORS: dict[str, dict[str, tuple[int, Any]]] = {
    "messages": {
        "overloaded": (529, {"type": "overloaded_error", "message": "Overloaded"}),
        "limited": (429, {"type": "rate_limit_error", "message": "Slow down"}),
        "too-long": (400, {"type": "invalid_request_error", "message": _TOO_LONG}),
        "bad-key": (401, {"type": "authentication_error", "message": "invalid x-api-key"}),
    },
    "openai": {
        "overloaded": (503, {"message": "The server is overloaded", "type": "server_error", "code": None}),
        "limited": (429, {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}),
        "too-long": (
            400,
            {"message": _OPENAI_TOO_LONG, "type": "invalid_request_error", "code": "context_length_exceeded"},
        ),
        "bad-key": (
            401,
            {"message": "Incorrect API key provided", "type": "invalid_request_error", "code": "invalid_api_key"},
        ),
    },
    "gemini": {
        "overloaded": (503, {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}),
        "limited": (429, {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}),
        "too-long": (
            400,
            {
                "code": 400,
                "message": "The input token count (250000) exceeds the maximum number of tokens allowed (200000).",
                "status": "INVALID_ARGUMENT",
            },
        ),
        "bad-key": (
            400,
            {
                "code": 400,
                "message": "API key not valid. Please pass a valid API key.",
                "status": "INVALID_ARGUMENT",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
            },
        ),
    },
}
ERRORS["chat"] = ERRORS["responses"] = ERRORS["openai"]
# Its first stream ends in the middle; the next are whole.
BROKEN = "broken"


@dataclass
class Seen:
    """Requests in order: method, path, headers, body."""

    rows: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    def add(self, handler: BaseHTTPRequestHandler, body: bytes) -> Any:
        value = json.loads(body) if body else None
        headers = {name.lower(): text for name, text in handler.headers.items()}
        self.rows.append((handler.command, handler.path, headers, value))
        return value


class Quiet(BaseHTTPRequestHandler):
    """A handler without a log, with bodies read and answers sent whole."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status: int, data: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Yields the origin of a server on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _sse(rows: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"event: {kind}\ndata: {json.dumps({'type': kind, **row})}\n\n" for kind, row in rows]


def _data(rows: Iterable[Any]) -> list[str]:
    return [f"data: {json.dumps(row)}\n\n" for row in rows]


def upstream(seen: Seen) -> type[BaseHTTPRequestHandler]:
    """Returns a handler that speaks the four formats, by path. The first stream of a model `broken` ends early."""
    broken: list[str] = []

    class Upstream(Quiet):
        def do_POST(self) -> None:
            body = seen.add(self, self.body())
            path = self.path.split("?")[0]
            if path.endswith("/count_tokens"):
                self.answer(200, b'{"input_tokens": 12}')
            elif path.endswith("/messages"):
                self._reply("messages", body, body["model"], bool(body.get("stream")))
            elif path.endswith("/responses"):
                self._reply("responses", body, body["model"], bool(body.get("stream")))
            elif path.endswith("/chat/completions"):
                self._reply("chat", body, body["model"], bool(body.get("stream")))
            else:
                model, _, verb = path.rpartition("/")[2].partition(":")
                self._reply("gemini", body, model, verb == "streamGenerateContent")

        def _reply(self, form: str, body: Any, name: str, stream: bool) -> None:
            if name in ERRORS[form]:
                status, error = ERRORS[form][name]
                more = {"type": "error"} if form == "messages" else {}
                self.answer(status, json.dumps({**more, "error": error}).encode())
                return
            said = answers.answer(body)
            if not stream:
                self.answer(200, json.dumps(self._whole(form, body, said)).encode())
                return
            rows = self._stream(form, body, said)
            if name == BROKEN and form not in broken:
                broken.append(form)
                rows = rows[: len(rows) // 2]
            self.answer(200, "".join(rows).encode(), "text/event-stream")

        def _whole(self, form: str, body: Any, said: answers.Said) -> Any:
            match form:
                case "messages":
                    return answers.whole_message(body, said)
                case "responses":
                    return answers.whole_response(body, said)
                case "chat":
                    return answers.whole_chat(body, said)
            return answers.whole_gemini(said)

        def _stream(self, form: str, body: Any, said: answers.Said) -> list[str]:
            match form:
                case "messages":
                    return _sse(answers.messages_events(body, said))
                case "responses":
                    return _sse(answers.responses_events(body, said))
                case "chat":
                    return [*_data(answers.chat_chunks(body, said)), "data: [DONE]\n\n"]
            return _data(answers.gemini_rows(said))

    return Upstream


def recorder(seen: Seen, target: list[str]) -> type[BaseHTTPRequestHandler]:
    """Returns a handler that records a request and passes it on to the gateway at `target[0]`."""

    class Recorder(Quiet):
        def _pass(self) -> None:
            body = self.body()
            seen.add(self, body)
            host = target[0].removeprefix("http://")
            connection = http.client.HTTPConnection(host, timeout=60)
            headers = {name: text for name, text in self.headers.items() if name.lower() not in ("host", "connection")}
            connection.request(self.command, self.path, body or None, headers)
            reply = connection.getresponse()
            data = reply.read()
            self.send_response(reply.status)
            for name, text in reply.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive"):
                    self.send_header(name, text)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
            connection.close()

        do_GET = do_POST = do_HEAD = _pass

    return Recorder
