"""Strict checkers of Responses and Gemini requests: the SDKs' typed models and the vendors' published rules."""

import json
import re
from collections.abc import Mapping
from typing import Any

from google.genai import types
from openai.types.responses import ResponseInputItemParam, ToolParam
from pydantic import TypeAdapter, ValidationError

_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)
_TOOL: TypeAdapter[Any] = TypeAdapter(ToolParam)
_R_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_R_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_G_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call")


def check_responses_request(body: Mapping[str, Any]) -> None:
    """Asserts that the Responses vendor would take `body`."""
    json.dumps(body)
    names = _responses_tools(body)
    calls: dict[str, str] = {}
    answered: set[str] = set()
    for item in body["input"]:
        try:
            # The vendor takes reasoning without an id (Codex sent it so for long), its types do not.
            _ITEM.validate_python({"id": "rs_0", **item} if item.get("type") == "reasoning" else item)
        except ValidationError:
            raise AssertionError(f"the SDK takes no such item: {item}") from None
        kind = item.get("type", "message")
        if kind in _CALLS:
            assert _R_ID.fullmatch(item["call_id"])
            assert item["call_id"] not in calls
            calls[item["call_id"]] = kind
            assert "name" not in item or _R_NAME.fullmatch(item["name"])
        elif kind.endswith("_output"):
            assert calls[item["call_id"]] == kind.removesuffix("_output"), "an output of another kind than its call"
            assert item["call_id"] not in answered
            answered.add(item["call_id"])
        elif kind == "message":
            _responses_message(item)
        else:
            assert kind == "reasoning"
    assert answered == set(calls), "a call without its output"
    assert body.get("max_output_tokens", 16) >= 16
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function":
        assert choice["name"] in names


def _responses_message(item: Mapping[str, Any]) -> None:
    assert item["content"], "an empty message"
    if isinstance(item["content"], list):
        for part in item["content"]:
            own = item["role"] == "assistant"
            assert part["type"].startswith("input_") or (own and part["type"] in ("output_text", "refusal"))
            assert part.get("text", "x"), "an empty text"


def _responses_tools(body: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    for tool in body.get("tools", ()):
        _TOOL.validate_python(tool)
        inner = tool["tools"] if tool["type"] == "namespace" else [tool]
        space = tool["name"] if tool["type"] == "namespace" else ""
        for each in inner:
            if "name" in each:
                assert _R_NAME.fullmatch(each["name"])
                assert f"{space}/{each['name']}" not in names
                names.add(f"{space}/{each['name']}")
            if each["type"] == "function":
                assert each["parameters"]["type"] == "object"
                assert isinstance(each["strict"], bool)
    return {name.removeprefix("/") for name in names}


def check_gemini_request(body: Mapping[str, Any]) -> None:
    """Asserts that Gemini would take `body`."""
    json.dumps(body)
    assert not {"model", "stream", "alt"} & body.keys()
    names = set()
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
        for each in tool.get("functionDeclarations", ()):
            assert _G_NAME.fullmatch(each["name"])
            assert each["name"] not in names
            names.add(each["name"])
    types.GenerationConfig.model_validate(body.get("generationConfig", {}))
    if "systemInstruction" in body:
        types.Content.model_validate(body["systemInstruction"])
    contents = body["contents"]
    assert contents[0]["role"] == "user"
    waiting: list[tuple[str, str]] = []
    ids: set[str] = set()
    before = ""
    for content in contents:
        types.Content.model_validate(content)
        role = content["role"]
        assert role in ("user", "model")
        assert role != "model" or before != "model"
        assert content["parts"], "an empty content"
        for part in content["parts"]:
            assert part.get("text", "x"), "an empty text"
        answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        assert [(each["id"], each["name"]) for each in answers] == waiting, "responses right after their calls"
        assert not answers or len(answers) == len(content["parts"])
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        assert not calls or role == "model"
        for call in calls:
            assert _G_NAME.fullmatch(call["name"])
            assert call["id"] not in ids
            ids.add(call["id"])
            assert isinstance(call["args"], dict)
        waiting = [(call["id"], call["name"]) for call in calls]
        before = role
    assert not waiting
