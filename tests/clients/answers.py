"""What a scripted model says, and how each of the four formats writes it: whole or as a stream."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

ECHOED = "tool-says-42"
COMMAND = f"echo {ECHOED}"
PATCHED = "patched.txt"
PATCH = f"*** Begin Patch\n*** Add File: {PATCHED}\n+written by a patch\n*** End Patch\n"
LONG_WORDS = 4000
SUMMARY = "They spoke of pong."


@dataclass(frozen=True)
class Text:
    """A final answer."""

    text: str


@dataclass(frozen=True)
class Use:
    """One call of a tool; `raw` for tools that take text and not JSON."""

    name: str
    arguments: dict[str, Any]
    raw: str | None = None
    # Claude Code takes a call whose id it has seen for an interrupted one, and asks again without end.
    number: int = 0


Said: TypeAlias = "Text | Use"


def turns(body: Any) -> list[Any]:
    """Returns the conversation of a request of any format."""
    found = body.get("messages") or body.get("input") or body.get("contents") or []
    return found if isinstance(found, list) else [{"role": "user", "content": found}]


def texts(value: Any) -> str:
    """Returns all texts of a message."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(texts(one) for one in value)
    if isinstance(value, dict):
        return texts([value.get("text"), value.get("content"), value.get("parts")])
    return ""


# How a prompt begins that wants a tool.
WISH = "Please use the tool"
_RESULTS = ("tool_result", "function_call_output", "custom_tool_call_output", "functionResponse")


def _has_result(turn: Any) -> bool:
    return turn.get("role") == "tool" or any(f'"{word}"' in json.dumps(turn) for word in _RESULTS)


def offered(body: Any) -> list[str]:
    """Returns the names of the tools of a request of any format."""
    tools = body.get("tools") or []
    rows = [one for tool in tools for one in tool.get("functionDeclarations", [tool])]
    return [str(one.get("name") or one.get("function", {}).get("name")) for one in rows]


def answer(body: Any) -> Said:
    """Returns what the model says: what the user asked for last, and whether the tool answered."""
    rows = turns(body)
    users = [at for at, one in enumerate(rows) if one.get("role") == "user" and not _has_result(one)]
    asked = texts(rows[users[-1]]) if users else ""
    names = offered(body)
    if "</summary>" in texts(rows[-1:]):
        return Text(f"<summary>{SUMMARY}</summary>")
    if WISH in asked and names and not any(map(_has_result, rows[users[-1] :])):
        if "apply_patch" in asked and "apply_patch" in names:
            return Use("apply_patch", {"input": PATCH}, PATCH, len(rows))
        if f"{WISH} Read on " in asked and "Read" in names:
            place = asked.partition(f"{WISH} Read on ")[2].split()[0]
            return Use("Read", {"file_path": place}, number=len(rows))
        return _shell(names, len(rows))
    # Some formats join what the user said in several turns into one.
    if asked.rfind("a long answer") > asked.rfind("Say pong"):
        return Text(" ".join(f"word{number}" for number in range(LONG_WORDS)))
    told = json.dumps(rows)
    return Text(f"The tool said {ECHOED}." if told.count(ECHOED) > told.count(COMMAND) else "pong-from-upstream")


def tokens(said: Said) -> int:
    """Returns how many tokens an answer is said to have cost."""
    return 9 + len(said.text if isinstance(said, Text) else "") // 4


def _shell(names: list[str], number: int) -> Use:
    """Returns a harmless call of the shell tool among those offered."""
    name = next(one for one in ("Bash", "shell_command", "exec_command", "Execute", "shell") if one in names)
    key = "cmd" if name == "exec_command" else "command"
    more = {
        "Bash": {"description": "Echo"},
        "Execute": {"riskLevelReason": "It only echoes.", "riskLevel": "low"},
    }
    return Use(name, {key: COMMAND, **more.get(name, {})}, number=number)


def pieces(said: str) -> list[str]:
    """Returns a text as it streams."""
    return [said[at : at + 8] for at in range(0, len(said), 8)]


def messages_events(body: Any, said: Said) -> Iterator[tuple[str, Any]]:
    """Yields the events of a Messages stream."""
    message = whole_message(body, said)
    stop = message["stop_reason"]
    usage = {"input_tokens": 12, "output_tokens": 1}
    head = {**message, "content": [], "stop_reason": None, "usage": usage}
    yield "message_start", {"message": head}
    block = message["content"][0]
    if isinstance(said, Use):
        deltas: list[Any] = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        opened = {**block, "input": {}}
    else:
        deltas = [{"type": "text_delta", "text": one} for one in pieces(said.text)]
        opened = {**block, "text": ""}
    yield "content_block_start", {"index": 0, "content_block": opened}
    for delta in deltas:
        yield "content_block_delta", {"index": 0, "delta": delta}
    yield "content_block_stop", {"index": 0}
    yield (
        "message_delta",
        {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": tokens(said)}},
    )
    yield "message_stop", {}


def whole_message(body: Any, said: Said) -> Any:
    """Returns a Messages answer."""
    if isinstance(said, Use):
        block: Any = {"type": "tool_use", "id": f"toolu_{said.number}", "name": said.name, "input": said.arguments}
    else:
        block = {"type": "text", "text": said.text}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [block]}
    stop = "tool_use" if isinstance(said, Use) else "end_turn"
    return {
        **message,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": tokens(said)},
    }


def _chat_usage(said: Said) -> dict[str, int]:
    spent = tokens(said)
    return {"prompt_tokens": 12, "completion_tokens": spent, "total_tokens": 12 + spent}


def _chat_call(said: Use) -> Any:
    function = {"name": said.name, "arguments": json.dumps(said.arguments)}
    return {"index": 0, "id": f"call_{said.number}", "type": "function", "function": function}


def chat_chunks(body: Any, said: Said) -> Iterator[Any]:
    """Yields the chunks of a Chat stream."""
    row = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    if isinstance(said, Use):
        deltas: list[Any] = [{"tool_calls": [_chat_call(said)]}]
        stop = "tool_calls"
    else:
        deltas, stop = [{"content": one} for one in pieces(said.text)], "stop"
    for delta, finish in [({"role": "assistant"}, None), *((one, None) for one in deltas), ({}, stop)]:
        yield {**row, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    yield {**row, "choices": [], "usage": _chat_usage(said)}


def whole_chat(body: Any, said: Said) -> Any:
    """Returns a Chat answer."""
    if isinstance(said, Use):
        message: Any = {"role": "assistant", "content": None, "tool_calls": [_chat_call(said)]}
    else:
        message = {"role": "assistant", "content": said.text}
    stop = "tool_calls" if isinstance(said, Use) else "stop"
    choice = {"index": 0, "message": message, "finish_reason": stop}
    row = {"id": "c1", "object": "chat.completion", "created": 1, "model": body["model"]}
    return {**row, "choices": [choice], "usage": _chat_usage(said)}


def _item(said: Said) -> Any:
    if isinstance(said, Text):
        part = {"type": "output_text", "text": said.text, "annotations": []}
        return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    call = {"call_id": f"call_{said.number}", "name": said.name, "status": "completed"}
    if said.raw is not None:
        return {"type": "custom_tool_call", "id": "ctc_1", **call, "input": said.raw}
    return {"type": "function_call", "id": "fc_1", **call, "arguments": json.dumps(said.arguments)}


def whole_response(body: Any, said: Said) -> Any:
    """Returns a Responses answer."""
    usage: dict[str, Any] = {"input_tokens": 12, "output_tokens": tokens(said), "total_tokens": 12 + tokens(said)}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    row = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": body["model"]}
    return {**row, "output": [_item(said)], "usage": usage, "error": None}


def responses_events(body: Any, said: Said) -> Iterator[tuple[str, Any]]:
    """Yields the events of a Responses stream."""
    whole = whole_response(body, said)
    item = whole["output"][0]
    open_ = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": item["id"], "output_index": 0}
    yield "response.created", {"response": open_}
    field = {"function_call": "arguments", "custom_tool_call": "input"}.get(item["type"])
    if field is None:
        empty = {**item, "status": "in_progress", "content": []}
        yield "response.output_item.added", {"output_index": 0, "item": empty}
        part = item["content"][0]
        at = {**place, "content_index": 0}
        yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
        for piece in pieces(part["text"]):
            yield "response.output_text.delta", {**at, "delta": piece}
        yield "response.output_text.done", {**at, "text": part["text"]}
        yield "response.content_part.done", {**at, "part": part}
    else:
        yield "response.output_item.added", {"output_index": 0, "item": {**item, "status": "in_progress", field: ""}}
        name = "function_call_arguments" if field == "arguments" else "custom_tool_call_input"
        yield f"response.{name}.delta", {**place, "delta": item[field]}
        yield f"response.{name}.done", {**place, field: item[field]}
    yield "response.output_item.done", {"output_index": 0, "item": item}
    yield "response.completed", {"response": whole}


def gemini_rows(said: Said) -> Iterator[Any]:
    """Yields the rows of a Gemini answer; the last alone is a whole one when there is one piece."""
    spent = tokens(said)
    usage = {"promptTokenCount": 12, "candidatesTokenCount": spent, "totalTokenCount": 12 + spent}
    if isinstance(said, Use):
        parts: list[Any] = [{"functionCall": {"name": said.name, "args": said.arguments}, "thoughtSignature": "c2ln"}]
    else:
        parts = [{"text": one} for one in pieces(said.text)]
    for number, part in enumerate(parts):
        last = {"finishReason": "STOP"} if number + 1 == len(parts) else {}
        candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, **last}
        yield {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "model", "responseId": "r1"}


def whole_gemini(said: Said) -> Any:
    """Returns a Gemini answer."""
    rows = list(gemini_rows(said))
    parts = [part for row in rows for part in row["candidates"][0]["content"]["parts"]]
    return {**rows[-1], "candidates": [{**rows[-1]["candidates"][0], "content": {"role": "model", "parts": parts}}]}
