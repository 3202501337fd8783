"""What tests of the Gemini format share: streams as bytes, and a checker built from python-genai's models."""

import json
from typing import Any

from google.genai import types

from llr.base.ids import CountingIds
from llr.base.names import FormatId
from llr.formats.base import Meta
from llr.formats.gemini.request_in import decode_request


def chunk(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Returns one chunk of a stream; `finish` is its reason, `usage` its counts."""
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"parts": list(parts), "role": "model"}
    if "finish" in fields:
        candidate["finishReason"] = fields.pop("finish")
    candidate |= fields.pop("candidate", {})
    out: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini-3-pro", "responseId": "rid"}
    if "usage" in fields:
        out["usageMetadata"] = fields.pop("usage")
    return out | fields


def sse(*chunks: dict[str, Any]) -> bytes:
    """Returns chunks as the vendor's events."""
    return b"".join(b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in chunks)


def array(*chunks: dict[str, Any]) -> bytes:
    """Returns chunks as the vendor's array, with its white space."""
    return b"[" + b",\r\n".join(json.dumps(each, indent=2).encode() for each in chunks) + b"\n]\n"


def meta(body: dict[str, Any] | None = None, upstream: FormatId = FormatId.MESSAGES, **changes: Any) -> Meta:
    """Returns the way back of a request."""
    given = {"model": "alias", "contents": [{"role": "user", "parts": [{"text": "hi"}]}], **(body or {})}
    request = decode_request(given)
    return Meta("alias", request, CountingIds(), 1_795_349_734.0, upstream, "prov", "real", b"key", **changes)


def chunks_of(data: bytes) -> list[dict[str, Any]]:
    """Returns the chunks of an encoded event stream, after checking the framing."""
    out = []
    for block in data.decode().split("\n\n"):
        if block:
            assert block.startswith("data: ")
            assert "\n" not in block
            out.append(json.loads(block.removeprefix("data: ")))
    return out


def check_answer(body: dict[str, Any]) -> types.GenerateContentResponse:
    """Asserts that the SDK's strict model takes an answer or a chunk."""
    return types.GenerateContentResponse.model_validate(body)


def check_stream(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Asserts the grammar of a stream and returns the parts of all its chunks."""
    parts: list[dict[str, Any]] = []
    for place, each in enumerate(chunks):
        last = place == len(chunks) - 1
        if "error" in each:
            assert last
            assert set(each["error"]) >= {"code", "message", "status"}
            return parts
        check_answer(each)
        (candidate,) = each["candidates"]
        assert candidate["content"]["role"] == "model"
        assert candidate["content"]["parts"]
        assert ("finishReason" in candidate) is last
        parts += candidate["content"]["parts"]
    return parts
