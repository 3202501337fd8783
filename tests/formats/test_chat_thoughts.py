"""Signed thoughts of a Chat upstream: clients of other formats keep them in one shape, and who wrote them gets them."""

from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import carrier, translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.parts import Seal

from .samples import KEY, A, C, meta

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
