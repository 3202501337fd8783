"""Upstreams that follow a script: one speaks Anthropic Messages, one OpenAI Chat; and a recorder for a gateway."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ECHOED = "tool-says-42"
COMMAND = f"echo {ECHOED}"
# Model name -> status, Anthropic type, message; the OpenAI form is made of the same.
ERRORS = {
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "too-long": (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
    "bad-key": (401, "authentication_error", "invalid x-api-key"),
}
OPENAI_ERRORS = {
    "overloaded": (503, "server_error", None, "The server is overloaded"),
    "too-long": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 200000 tokens. However, your messages resulted in 250000 tokens.",
    ),
    "bad-key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
}


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


def _texts(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_texts(one) for one in value)
    if isinstance(value, dict):
        return _texts([value.get("text"), value.get("content")])
    return ""


def wants_tool(body: Any) -> bool:
    """Returns whether the conversation asks for the tool and has not had it yet."""
    messages = body["messages"]
    asked = any("use the tool" in _texts(one.get("content")) for one in messages if one["role"] == "user")
    had = any(one["role"] == "tool" or "tool_result" in json.dumps(one.get("content")) for one in messages)
    return asked and not had and bool(body.get("tools"))


def result(body: Any) -> str:
    """Returns what a final answer says: the tool's output where there is one."""
    text = json.dumps(body["messages"])
    return f"The tool said {ECHOED}." if text.count(ECHOED) > text.count(COMMAND) else "pong-from-upstream"


def arguments(body: Any) -> tuple[str, dict[str, Any]]:
    """Returns the shell tool among those offered, and a harmless call of it."""
    names = [one.get("name") or one.get("function", {}).get("name") for one in body["tools"]]
    name = next(one for one in ("Bash", "shell_command", "exec_command", "shell") if one in names)
    key = "cmd" if name == "exec_command" else "command"
    more = {"description": "Echo"} if name == "Bash" else {}
    return name, {key: COMMAND, **more}


def anthropic_events(body: Any) -> Iterator[tuple[str, Any]]:
    """Yields the events of one streamed Messages answer."""
    usage = {"input_tokens": 12, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
    yield "message_start", {"message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}}
    if wants_tool(body):
        name, call = arguments(body)
        block: Any = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
        delta: Any = {"type": "input_json_delta", "partial_json": json.dumps(call)}
        stop = "tool_use"
    else:
        block, delta, stop = {"type": "text", "text": ""}, {"type": "text_delta", "text": result(body)}, "end_turn"
    yield "content_block_start", {"index": 0, "content_block": block}
    yield "content_block_delta", {"index": 0, "delta": delta}
    yield "content_block_stop", {"index": 0}
    yield "message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 9}}
    yield "message_stop", {}


def chat_chunks(body: Any) -> Iterator[Any]:
    """Yields the chunks of one streamed Chat answer."""
    row = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    if wants_tool(body):
        name, call = arguments(body)
        function = {"name": name, "arguments": json.dumps(call)}
        delta: Any = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
        stop = "tool_calls"
    else:
        delta, stop = {"content": result(body)}, "stop"
    for one, finish in (({"role": "assistant", **delta}, None), ({}, stop)):
        yield {**row, "choices": [{"index": 0, "delta": one, "finish_reason": finish}]}
    yield {**row, "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}}


def whole_message(body: Any) -> Any:
    """Returns the Messages answer to a request that does not stream."""
    text = [{"type": "text", "text": result(body)}]
    usage = {"input_tokens": 12, "output_tokens": 9}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": text}
    return {**message, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def whole_chat(body: Any) -> Any:
    """Returns the Chat answer to a request that does not stream."""
    choice = {"index": 0, "message": {"role": "assistant", "content": result(body)}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
        "usage": usage,
    }


def upstream(seen: Seen) -> type[BaseHTTPRequestHandler]:
    """Returns a handler that speaks both formats, by path."""

    class Upstream(Quiet):
        def do_POST(self) -> None:
            body = seen.add(self, self.body())
            name = str(body.get("model"))
            if self.path.split("?")[0].endswith("/count_tokens"):
                self.answer(200, b'{"input_tokens": 12}')
            elif self.path.split("?")[0].endswith("/messages"):
                self._messages(body, name)
            else:
                self._chat(body, name)

        def _messages(self, body: Any, name: str) -> None:
            if name in ERRORS:
                status, kind, text = ERRORS[name]
                error = {"type": "error", "error": {"type": kind, "message": text}}
                self.answer(status, json.dumps(error).encode())
            elif body.get("stream"):
                rows = (
                    f"event: {kind}\ndata: {json.dumps({'type': kind, **row})}\n\n"
                    for kind, row in anthropic_events(body)
                )
                self.answer(200, "".join(rows).encode(), "text/event-stream")
            else:
                self.answer(200, json.dumps(whole_message(body)).encode())

        def _chat(self, body: Any, name: str) -> None:
            if name in OPENAI_ERRORS:
                status, kind, code, text = OPENAI_ERRORS[name]
                self.answer(
                    status, json.dumps({"error": {"message": text, "type": kind, "code": code, "param": None}}).encode()
                )
            elif body.get("stream"):
                rows = [f"data: {json.dumps(row)}\n\n" for row in chat_chunks(body)]
                self.answer(200, "".join([*rows, "data: [DONE]\n\n"]).encode(), "text/event-stream")
            else:
                self.answer(200, json.dumps(whole_chat(body)).encode())

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
