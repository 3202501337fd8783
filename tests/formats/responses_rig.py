"""What tests of the Responses format share: streams as bytes, and a checker built from the openai SDK's models."""

import json
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llr.base.ids import CountingIds
from llr.base.names import FormatId
from llr.formats.base import Meta
from llr.formats.openai_responses.request_in import decode_request
from llr.ir.request import ChatRequest

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
RESPONSE: TypeAdapter[Any] = TypeAdapter(Response)
# Codes Codex and the vendor use that the SDK's literal does not list.
_OWN_CODES = ("context_length_exceeded", "insufficient_quota", "server_is_overloaded")


def stream(*events: dict[str, Any]) -> bytes:
    """Returns events as the vendor writes them, numbered."""
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()
        for number, event in enumerate(events)
    )


def meta(body: dict[str, Any] | None = None, upstream: FormatId = FormatId.MESSAGES, **changes: Any) -> Meta:
    """Returns the way back of a request."""
    request: ChatRequest = decode_request(body or {"model": "alias", "input": "hi"})
    return Meta("alias", request, CountingIds(), 1_795_349_734.5, upstream, "prov", "real", b"key", **changes)


def events_of(data: bytes) -> list[dict[str, Any]]:
    """Returns the events of an encoded stream, after checking the framing."""
    out = []
    for block in data.decode().split("\n\n"):
        if not block:
            continue
        name, body = block.split("\n")
        fields = json.loads(body.removeprefix("data: "))
        assert name == f"event: {fields['type']}"
        out.append(fields)
    return out


def check_response(response: dict[str, Any]) -> None:
    """Asserts that the SDK's model takes a whole answer."""
    error = response.get("error")
    if error and error["code"] in _OWN_CODES:
        response = {**response, "error": {**error, "code": "server_error"}}
    RESPONSE.validate_python(response)


def check_stream(data: bytes, *, codex: bool = False) -> list[dict[str, Any]]:
    """Asserts the grammar of a Responses stream and returns its events."""
    events = events_of(data)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete", "response.failed")
    ident = events[0]["response"]["id"]
    open_item: dict[str, Any] | None = None
    filled: dict[str, str] = {}
    done: list[Any] = []
    for event in events:
        if "response" in event:
            assert event["response"]["id"] == ident
            check_response(event["response"])
            continue
        EVENT.validate_python(event)
        assert event["output_index"] == len(done)
        if event["type"] == "response.output_item.added":
            assert open_item is None
            open_item, filled = event["item"], {}
            continue
        assert open_item is not None
        if event["type"] == "response.output_item.done":
            assert event["item"]["id"] == open_item["id"]
            assert event["item"]["type"] == open_item["type"]
            done.append(event["item"])
            open_item = None
            continue
        assert event["item_id"] == open_item["id"]
        _check_text(event, filled)
    final = events[-1]["response"]
    assert final["output"] == done
    if kinds[-1] != "response.failed":
        assert open_item is None
    if codex:
        assert kinds[-1] != "response.incomplete"
    return events


def _check_text(event: dict[str, Any], filled: dict[str, str]) -> None:
    base, _, step = event["type"].rpartition(".")
    slot = f"{base}{event.get('content_index')}{event.get('summary_index')}"
    if step == "delta":
        filled[slot] = filled.get(slot, "") + event["delta"]
    elif step == "done" and base not in ("response.content_part", "response.reasoning_summary_part"):
        whole = next(event[key] for key in ("text", "arguments", "input", "refusal") if key in event)
        assert filled.get(slot, "") == whole or (whole == "{}" and not filled.get(slot))
