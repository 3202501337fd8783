"""OpenAI Responses. Source: OpenAI API reference, the typed models of the `openai` package."""

from collections.abc import Iterator

from llr.base.jsonio import JSON
from llr.control.demo import openai_chat
from llr.control.demo.dialect import Counting, Dialect, named_frame
from llr.control.demo.turn import (
    Answer,
    BadRequest,
    Failure,
    Meta,
    Object,
    Offer,
    Turn,
    choose,
    halves,
    items,
    obj,
    pieces,
    string,
    text_of,
)

# Shaped like encrypted reasoning, readable by nobody.
ENCRYPTED = "ZGVtbyByZWFzb25pbmcgaXMgZW5jcnlwdGVkIGJ5IG5vYm9keQ=="


def read(body: Object) -> Turn:
    """Returns what a Responses request asks. Raises `BadRequest`."""
    given = body.get("input")
    if given is None and body.get("prompt") is None and body.get("previous_response_id") is None:
        raise BadRequest("Missing required parameter: 'input'.")
    said, result = (given, None) if isinstance(given, str) else _last_words(items(given))
    choice = body.get("tool_choice")
    shape = obj(obj(obj(body.get("text")).get("format"))).get("schema")
    return Turn(
        model=string(body.get("model")),
        body=body,
        stream=body.get("stream") is True,
        said=said,
        result=result,
        tools=choose(
            tuple(_offers(body.get("tools"))),
            forced=string(obj(choice).get("name")) or None,
            forbidden=choice == "none",
        ),
        schema=shape,
    )


def _offers(tools: JSON) -> Iterator[Offer]:
    for tool in (obj(tool) for tool in items(tools)):
        if tool.get("type") == "function" and tool.get("name"):
            yield Offer(string(tool["name"]), tool.get("parameters"))


def _last_words(given: list[JSON]) -> tuple[str, str | None]:
    """Returns the user's last text, and what a tool answered since the model last spoke."""
    said, result, spoken = "", None, False
    for item in (obj(item) for item in reversed(given)):
        kind = string(item.get("type"))
        if item.get("role") == "assistant" or kind in {"function_call", "custom_tool_call", "reasoning"}:
            spoken = True
        elif kind in {"function_call_output", "custom_tool_call_output"} and result is None and not spoken:
            result = text_of(item.get("output"))
        elif item.get("role") == "user" and not said:
            said = text_of(item.get("content"))
    return said, result


def usage(answer: Answer) -> Object:
    """Returns the token counts: output includes the reasoning."""
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.thought_tokens},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _tool(tool: JSON) -> JSON:
    """Returns a tool as the vendor echoes it: what was left out gets its default."""
    given = obj(tool)
    if given.get("type") != "function":
        return tool
    return {"description": None, "parameters": {}, "strict": True, **given}


def _response(turn: Turn, meta: Meta) -> Object:
    """Returns a response that has just begun: the request echoed, nothing said yet."""
    body = turn.body
    return {
        "id": meta.new_id("resp_"),
        "object": "response",
        "created_at": meta.created_at,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": turn.model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": obj(body.get("reasoning")).get("effort"), "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": [_tool(tool) for tool in items(body.get("tools"))],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _output(turn: Turn, answer: Answer, meta: Meta) -> list[Object]:
    """Returns the finished output items."""
    done: list[Object] = []
    if answer.thoughts:
        reasoning: Object = {"id": meta.new_id("rs_"), "type": "reasoning"}
        reasoning["summary"] = [{"type": "summary_text", "text": answer.thoughts}]
        if "reasoning.encrypted_content" in items(turn.body.get("include")):
            reasoning["encrypted_content"] = ENCRYPTED
        done.append(reasoning)
    if answer.text:
        content: Object = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        message: Object = {"id": meta.new_id("msg_"), "type": "message", "status": "completed", "role": "assistant"}
        done.append({**message, "content": [content]})
    if answer.call:
        call: Object = {"id": meta.new_id("fc_"), "type": "function_call", "status": "completed"}
        named: Object = {"call_id": meta.new_id("call_"), "name": answer.call.name, "arguments": answer.call.text}
        done.append(call | named)
    return done


def whole(turn: Turn, answer: Answer, meta: Meta) -> Object:
    """Returns a completed `response`."""
    output: list[JSON] = [*_output(turn, answer, meta)]
    return _response(turn, meta) | {"status": "completed", "output": output, "usage": usage(answer)}


def stream(turn: Turn, answer: Answer, meta: Meta) -> list[bytes]:
    """Returns `response.created` … `response.completed`, numbered."""
    response = _response(turn, meta)
    events: list[Object] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
    ]
    output = _output(turn, answer, meta)
    for index, item in enumerate(output):
        steps = {"reasoning": _reasoning, "message": _text, "function_call": _arguments}[string(item["type"])]
        opened, between = steps(item)
        events.append({"type": "response.output_item.added", "output_index": index, "item": opened})
        events += [{**event, "item_id": item["id"], "output_index": index} for event in between]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    ending: Object = {"status": "completed", "output": [*output], "usage": usage(answer)}
    events.append({"type": "response.completed", "response": response | ending})
    return _numbered(events)


def _numbered(events: list[Object]) -> list[bytes]:
    return [named_frame({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _reasoning(item: Object) -> tuple[Object, list[Object]]:
    """Returns a reasoning item as it opens, and the events that fill it."""
    text = string(obj(items(item["summary"])[0])["text"])
    kind = "response.reasoning_summary"
    events: list[Object] = [{"type": f"{kind}_part.added", "part": {"type": "summary_text", "text": ""}}]
    events += [{"type": f"{kind}_text.delta", "delta": piece} for piece in pieces(text)]
    events.append({"type": f"{kind}_text.done", "text": text})
    events.append({"type": f"{kind}_part.done", "part": {"type": "summary_text", "text": text}})
    return item | {"summary": []}, [{**event, "summary_index": 0} for event in events]


def _text(item: Object) -> tuple[Object, list[Object]]:
    """Returns a message item as it opens, and the events that fill it."""
    part = obj(items(item["content"])[0])
    text = string(part["text"])
    kind = "response.output_text"
    events: list[Object] = [{"type": "response.content_part.added", "part": {**part, "text": ""}}]
    events += [{"type": f"{kind}.delta", "delta": piece, "logprobs": []} for piece in pieces(text)]
    events.append({"type": f"{kind}.done", "text": text, "logprobs": []})
    events.append({"type": "response.content_part.done", "part": part})
    return item | {"status": "in_progress", "content": []}, [{**event, "content_index": 0} for event in events]


def _arguments(item: Object) -> tuple[Object, list[Object]]:
    """Returns a function call as it opens, and the events that fill it."""
    text = string(item["arguments"])
    kind = "response.function_call_arguments"
    events: list[Object] = [{"type": f"{kind}.delta", "delta": part} for part in halves(text) if part]
    events.append({"type": f"{kind}.done", "name": item["name"], "arguments": text})
    return item | {"status": "in_progress", "arguments": ""}, events


def late_error(turn: Turn, failure: Failure, meta: Meta) -> list[bytes]:
    """Returns `response.created`, then `response.failed`."""
    response = _response(turn, meta)
    failed = response | {"status": "failed", "error": {"code": "server_error", "message": failure.message}}
    events: list[Object] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {"type": "response.failed", "response": failed},
    ]
    return _numbered(events)


COUNTING = Counting(read, lambda count: {"object": "response.input_tokens", "input_tokens": count})
RESPONSES = Dialect(read, whole, stream, late_error, openai_chat.error, COUNTING)
