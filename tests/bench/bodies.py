"""Request bodies of a wanted size, as coding agents shape them."""

import json
from typing import Any


def _dump(messages: list[dict[str, str]], model: str, stream: bool) -> str:
    body: dict[str, object] = {"model": model, "messages": messages, "max_tokens": 64}
    if stream:
        body["stream"] = True
    return json.dumps(body)


def plain(size: int, model: str = "m", *, stream: bool = False) -> str:
    """Returns a short conversation of about `size` bytes."""
    text = "Tell me what this function does and why. " * (size // 4 // 41)
    return _dump([{"role": role, "content": text} for role in ("system", "user", "assistant", "user")], model, stream)


def long_strings(size: int, model: str = "m") -> str:
    """Returns about `size` bytes in four strings with escapes, as files read by a tool are."""
    line = 'def main(argv):\n\treturn "done"  # a line of code\n'
    text = line * (size // 4 // (len(line) + 4))
    return _dump([{"role": "user", "content": text} for _ in range(4)], model, False)


def short_messages(size: int, model: str = "m") -> str:
    """Returns about `size` bytes in many messages of 60 bytes each."""
    return _dump([{"role": "user", "content": "a short line of talk"} for _ in range(size // 52)], model, False)


def short_turns(size: int, field: str = "messages") -> dict[str, Any]:
    """Returns a body of about `size` bytes in many turns of 60 bytes, in the format whose turns are in `field`."""
    said, roles = "a short line of talk", ("user", "model" if field == "contents" else "assistant")
    words: dict[str, Any] = {"parts": [{"text": said}]} if field == "contents" else {"content": said}
    count = size // len(json.dumps({"role": roles[1], **words}))
    turns = [{"role": roles[place % 2], **words} for place in range(count)]
    return {field: turns} if field == "contents" else {"model": "m", "max_tokens": 64, field: turns}


def asking(what: str, model: str) -> str:
    """Returns a short streamed request as clients of Messages, Responses or Gemini send it (the floor reads it too)."""
    text = "Tell me what this function does and why. " * 45
    if what == "Gemini":
        return json.dumps({"contents": [{"role": "user", "parts": [{"text": text}]}]})
    if what == "Responses":
        return json.dumps({"model": model, "input": text, "stream": True})
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": model, "max_tokens": 64, "messages": messages, "stream": True})
