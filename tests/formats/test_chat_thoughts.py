"""Signed thoughts of a Chat upstream: clients of other formats keep them in one shape, and who wrote them gets them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import carrier, translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.parts import Reasoning, Seal

from .samples import KEY, A, C, G, R, meta

TARGET = Target("real", issuer="prov")
BLOCK = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CHOICE = {"index": 0, "finish_reason": "tool_calls"}
WHOLE: dict[str, Any] = {
    "id": "x",
    "choices": [{**CHOICE, "message": {"reasoning_content": "Hm.", "thinking_blocks": [BLOCK], "tool_calls": [CALL]}}],
}


def sealed() -> str:
    """Returns the signature a Messages client gets for the whole answer."""
    answer: Any = translate.response(WHOLE, FORMATS[A], FORMATS[C], meta(C))
    thought = answer["content"][0]
    assert thought["thinking"] == "Hm."
    return str(thought["signature"])


def given_back(signature: str) -> dict[str, Any]:
    """Returns the assistant's message as the upstream gets it when the client sends that signature back."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": signature}
    use = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "r"}
    turns = [{"role": "assistant", "content": [thought, use]}, {"role": "user", "content": [result]}]
    body: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}, *turns]}
    sent: Any = translate.request(body, FORMATS[A], FORMATS[C], TARGET, keys=(KEY,)).body
    message: dict[str, Any] = sent["messages"][1]
    assert message["role"] == "assistant"
    return message


def test_a_whole_answers_signature_is_kept_as_a_streams_is() -> None:
    seal = carrier.unpack(sealed(), (KEY,))
    assert seal is not None
    assert (seal.format, seal.data, seal.provider) == (FormatId.CHAT, {"signature": "sig"}, meta(C).issuer)


def test_the_upstream_gets_its_signature_back() -> None:
    assert given_back(sealed())["thinking_blocks"] == [BLOCK]


@pytest.mark.parametrize("kept", ["sig", {"signature": "sig"}], ids=["older release", "now"])
def test_both_shapes_are_read(kept: Any) -> None:
    packed = carrier.pack(Seal(C, kept, TARGET.issuer, TARGET.model), KEY)
    message = given_back(packed)
    assert message["thinking_blocks"] == [BLOCK]
    assert message["reasoning_content"] == "Hm."


def test_another_upstream_does_not_get_it() -> None:
    assert "thinking_blocks" not in given_back(carrier.pack(Seal(C, {"signature": "sig"}, "other", "m"), KEY))


def test_a_chat_client_gets_the_block_as_it_came() -> None:
    answer: Any = translate.response(WHOLE, FORMATS[C], FORMATS[C], meta(C))
    assert answer["choices"][0]["message"]["thinking_blocks"] == [BLOCK]


# -- several thoughts, hidden ones among them -------------------------------------------------------------------------

HIDDEN = {"type": "redacted_thinking", "data": "opaque"}
SECOND = {"type": "thinking", "thinking": "So.", "signature": "sig2"}
BLOCKS = [BLOCK, HIDDEN, SECOND]
SEVERAL: dict[str, Any] = {
    "id": "x",
    "choices": [{**CHOICE, "message": {"thinking_blocks": BLOCKS, "tool_calls": [CALL]}}],
}
_PIECES: list[dict[str, Any]] = [
    {"thinking_blocks": [{"type": "thinking", "thinking": "H", "signature": ""}], "reasoning_content": "H"},
    {"thinking_blocks": [{"type": "thinking", "thinking": "m.", "signature": ""}], "reasoning_content": "m."},
    {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "sig"}], "reasoning_content": ""},
    {"thinking_blocks": [HIDDEN]},
    {"thinking_blocks": [SECOND]},
    {"tool_calls": [{"index": 0, **CALL}]},
]


def streamed_several() -> bytes:
    """Returns the same answer as a stream."""
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in _PIECES]
    chunks.append({"choices": [{"delta": {}, **CHOICE}]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def test_hidden_thoughts_are_the_servers_own_whole_and_streamed() -> None:
    whole = FORMATS[C].decode_response(SEVERAL).parts
    parts = translate.collect_stream(streamed_several(), FORMATS[C]).parts
    for found in (whole, parts):
        thoughts = [part for part in found if isinstance(part, Reasoning)]
        assert [(part.text, part.redacted) for part in thoughts] == [("Hm.", False), ("", True), ("So.", False)]
        assert [part.seal for part in thoughts] == [
            Seal(C, {"signature": "sig"}),
            Seal(C, {"redacted": "opaque"}),
            Seal(C, {"signature": "sig2"}),
        ]


# Gemini clients keep hidden thoughts beside calls only.
@pytest.mark.parametrize(
    ("client", "calls"), [(A, True), (A, False), (C, True), (C, False), (R, True), (R, False), (G, True)]
)
def test_thoughts_of_all_kinds_go_back_to_their_server(client: FormatId, calls: bool) -> None:
    message: dict[str, Any] = {"content": "Hi.", "thinking_blocks": BLOCKS}
    if calls:
        message = {**message, "content": None, "tool_calls": [CALL]}
    answer: Any = {"id": "x", "choices": [{**CHOICE, "message": message}]}
    turns: dict[FormatId, Callable[[Any], Any]] = {
        A: lambda got: {"messages": [{"role": "assistant", "content": got["content"]}]},
        C: lambda got: {"messages": [got["choices"][0]["message"]]},
        R: lambda got: {"input": got["output"]},
        G: lambda got: {"contents": [got["candidates"][0]["content"]]},
    }
    got: Any = translate.response(answer, FORMATS[client], FORMATS[C], meta(C))
    body: Any = {"model": "m", "max_tokens": 9, **turns[client](got)}
    sent: Any = translate.request(body, FORMATS[client], FORMATS[C], TARGET, keys=(KEY,)).body
    (back,) = [each for each in sent["messages"] if each["role"] == "assistant"]
    assert back["thinking_blocks"] == BLOCKS


def test_blocks_that_a_client_holds_itself_pass() -> None:
    turn: Any = {"role": "assistant", "content": "Hi.", "thinking_blocks": BLOCKS}
    body: Any = {"model": "m", "messages": [{"role": "user", "content": "a"}, turn, {"role": "user", "content": "b"}]}
    encoded = translate.request(body, FORMATS[C], FORMATS[C], TARGET)
    assert encoded.body["messages"] == body["messages"]
    assert not encoded.losses


def test_blocks_of_another_server_are_a_named_loss() -> None:
    packed = carrier.pack(Seal(FormatId.MESSAGES, "sig", "other", "m"), KEY)
    turn: Any = {"role": "assistant", "content": "Hi.", "thinking_blocks": [{**BLOCK, "signature": packed}]}
    encoded = translate.request({"messages": [turn]}, FORMATS[C], FORMATS[C], TARGET, keys=(KEY,))
    assert [(loss.what, loss.why) for loss in encoded.losses] == [("reasoning", "this target did not write it")]
    assert "thinking_blocks" not in str(encoded.body)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_thought_has_one_seal_whole_and_streamed(field: str) -> None:
    body: Any = {"choices": [{"index": 0, "message": {field: "Hm.", "content": "Hi."}, "finish_reason": "stop"}]}
    deltas: list[dict[str, Any]] = [{field: "H"}, {field: "m."}, {"content": "Hi."}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    whole, streamed = FORMATS[C].decode_response(body).parts[0], translate.collect_stream(data, FORMATS[C]).parts[0]
    assert isinstance(whole, Reasoning)
    assert isinstance(streamed, Reasoning)
    assert whole.seal == streamed.seal
    got: Any = translate.response(body, FORMATS[A], FORMATS[C], meta(C))
    sent: Any = translate.request(
        {
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": got["content"]}],
        },
        FORMATS[A],
        FORMATS[C],
        Target("real", issuer="prov", capabilities={"reasoning_replay": "allowed"}),
        keys=(KEY,),
    ).body
    assert sent["messages"][1][field] == "Hm.", sent


def test_a_streamed_citation_cites_what_was_said() -> None:
    cited = {"url": "https://u.test", "title": "T", "start_index": 0, "end_index": 2}
    message: dict[str, Any] = {"content": "Hi.", "annotations": [{"type": "url_citation", "url_citation": cited}]}
    deltas: list[dict[str, Any]] = [{"content": "H"}, {"content": "i."}, {"annotations": message["annotations"]}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    whole = FORMATS[C].decode_response({"choices": [{"message": message, "finish_reason": "stop"}]}).parts
    assert translate.collect_stream(data, FORMATS[C]).parts == whole
