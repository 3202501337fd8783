"""What the cases between Messages and Chat share: one request or stream through a translation, checked."""

from typing import Any

from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS

from .samples import CLAUDE, GPT, A, C, asked, chat, meta
from .strict import (
    check_chat_request,
    check_chat_stream,
    check_messages_request,
    check_messages_stream,
    sse,
)

MARK = {"type": "ephemeral"}
# Bodies of tests are written as plain dictionaries; JSON as a type would want each of them spelt out.
to_target: Any = translate.request
to_client: Any = translate.response
as_stream: Any = translate.replay_body


def to_chat(body: dict[str, Any], target: Target = GPT, **hints: Any) -> dict[str, Any]:
    full = {"model": "m", "max_tokens": 64, **body}
    made: dict[str, Any] = to_target(full, FORMATS[A], FORMATS[C], target, **hints).body
    check_chat_request(made)
    return made


def to_messages(body: dict[str, Any], target: Target = CLAUDE, **hints: Any) -> dict[str, Any]:
    made: dict[str, Any] = to_target({"model": "m", **body}, FORMATS[C], FORMATS[A], target, **hints).body
    check_messages_request(made)
    return made


def chat_stream(*chunks: dict[str, Any], body: dict[str, Any] | None = None, done: bool = True) -> list[dict[str, Any]]:
    """What a Messages client sees of a Chat stream."""
    request = asked(A, {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **(body or {})})
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C, request))
    out = b"".join([*stage.feed(chat(*chunks, done=done)), *stage.finish()])
    return check_messages_stream(out)


def blocks_of(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The content blocks a Messages stream amounts to, with their text and input."""
    blocks: list[dict[str, Any]] = []
    for event in seen:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "said": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            blocks[-1]["said"] += delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
            if "signature" in delta:
                blocks[-1]["signature"] = delta["signature"]
    return blocks


def messages_stream(raw: bytes, client: FormatId = C, **options: Any) -> list[Any]:
    """What a Chat client sees of a Messages stream."""
    request = asked(C, {"model": "m", "messages": [{"role": "user", "content": "x"}], **options})
    stage = translate.stream(FORMATS[client], FORMATS[A], meta(A, request))
    out = b"".join([*stage.feed(raw), *stage.finish()])
    check_chat_stream(out)
    return [event for _, event in sse(out)]


START = (
    "message_start",
    {"message": {"id": "msg_7", "model": "real", "usage": {"input_tokens": 11, "output_tokens": 1}}},
)
TEXT = ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
STOP: tuple[str, dict[str, Any]] = ("message_stop", {})


def text(piece: str, index: int = 0) -> tuple[str, dict[str, Any]]:
    return ("content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": piece}})


def end(index: int = 0) -> tuple[str, dict[str, Any]]:
    return ("content_block_stop", {"index": index})


def finished(reason: str = "end_turn", **usage: Any) -> tuple[str, dict[str, Any]]:
    return (
        "message_delta",
        {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 5, **usage}},
    )
