"""Decoding and encoding within one format gives back what came: any selection of items, any order of turns."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llr.base.names import FormatId
from llr.formats.base import Target
from llr.formats.table import FORMATS
from tests.formats.samples import PNG, R
from tests.formats.test_responses_gemini_random import MANY
from tests.formats.test_responses_request import CODEX

G = FormatId.GEMINI


def call(kind: str, number: int, **fields: Any) -> list[Any]:
    """Returns a Responses call and its output."""
    ident = f"call_{number}"
    output: dict[str, Any] = {"type": f"{kind}_output", "call_id": ident, "output": "done"}
    return [{"type": kind, "call_id": ident, **fields}, output]


@st.composite
def responses_turns(draw: st.DrawFn) -> list[Any]:
    """A legal Responses history of any items."""
    items: list[Any] = []
    for number in range(draw(st.integers(0, 8))):
        shapes: list[list[Any]] = [
            [{"role": "user", "content": "plain"}],
            [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": ""}]}],
            [{"type": "message", "id": "m1", "role": "developer", "content": [{"type": "input_text", "text": "d"}]}],
            [{"role": "system", "content": "s"}],
            [{"type": "message", "role": "assistant", "content": "said", "phase": "commentary"}],
            [CODEX["input"][3]],
            [CODEX["input"][4]],
            [{"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}]}],
            [CODEX["input"][0]],
            [{"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}}],
            [{"type": "compaction", "encrypted_content": "x"}],
            [{"type": "something_new", "a": 1}],
            [
                {
                    "type": "tool_search_call",
                    "call_id": f"call_{number}",
                    "execution": "client",
                    "arguments": {"q": "x"},
                    "status": "completed",
                },
                {
                    "type": "tool_search_output",
                    "call_id": f"call_{number}",
                    "execution": "client",
                    "tools": [{"type": "function", "name": f"late_{number}", "parameters": {}}],
                },
            ],
            call("function_call", number, name="f", arguments="{}", id=f"fc_{number}", status="completed"),
            call("function_call", number, name="f", namespace="ns", arguments='{"a": 1}'),
            call("custom_tool_call", number, name="x", input="free"),
            call("function_call", number, name="f", arguments="not json"),
        ]
        items += draw(st.sampled_from(shapes))
    return items


@MANY
@given(responses_turns(), st.sampled_from([{}, {"instructions": "i"}, {"stream": True, "store": True, "tools": []}]))
def test_any_responses_history_comes_back_as_it_was_sent(items: list[Any], more: dict[str, Any]) -> None:
    body = {"model": "m", "input": items, **more}
    encoded = FORMATS[R].encode_request(FORMATS[R].decode_request(body), Target("m"))
    assert encoded.body == body
    assert encoded.losses == ()


@st.composite
def gemini_turns(draw: st.DrawFn) -> list[Any]:
    """A legal Gemini history of any contents."""
    contents: list[Any] = []
    for number in range(draw(st.integers(0, 6))):
        named = {"functionCall": {"id": f"c{number}", "name": "f", "args": {"a_b": 1}}, "thoughtSignature": "c2ln"}
        nameless = {"functionCall": {"name": "g", "args": {}}}
        answers = [
            {"functionResponse": {"id": f"c{number}", "name": "f", "response": {"output": "x"}}},
            {"functionResponse": {"name": "g", "response": {"any": [1]}, "parts": [inline("image/png", PNG)]}},
        ]
        shapes: list[list[Any]] = [
            [{"role": "user", "parts": [{"text": "q"}]}],
            [{"role": "user", "parts": [{"text": "q"}, inline("audio/wav", "AAAA"), {"text": ""}]}],
            [{"parts": [{"fileData": {"fileUri": "gs://b/o", "mimeType": "video/mp4"}, "videoMetadata": {"fps": 1}}]}],
            [{"role": "model", "parts": [{"text": "a"}]}],
            [{"role": "model", "parts": [{"text": "hm", "thought": True, "thoughtSignature": "c2ln"}, {"text": "a"}]}],
            [{"role": "model", "parts": [{"text": "a", "thoughtSignature": "c2ln"}, {"newPart": {"x": 1}}]}],
            [{"role": "model", "parts": [named, nameless]}, {"role": "user", "parts": answers}],
            [{"role": "model", "parts": [{"text": "t"}, nameless]}, {"role": "function", "parts": answers[1:]}],
        ]
        contents += draw(st.sampled_from(shapes))
    return contents


def inline(media_type: str, data: str) -> dict[str, Any]:
    """Returns a part with media inside."""
    return {"inlineData": {"mimeType": media_type, "data": data}}


@MANY
@given(gemini_turns(), st.sampled_from([{}, {"systemInstruction": {"role": "user", "parts": [{"text": "s"}]}}]))
def test_any_gemini_history_comes_back_as_it_was_sent(contents: list[Any], more: dict[str, Any]) -> None:
    body = {"contents": contents, **more}
    encoded = FORMATS[G].encode_request(FORMATS[G].decode_request({"model": "m", **body}), Target("m"))
    assert encoded.body == body
    assert encoded.losses == ()
