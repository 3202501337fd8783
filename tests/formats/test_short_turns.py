"""The short way for turns of one bare text writes what the long way writes."""

from itertools import permutations
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import reading, translate
from llr.formats.anthropic_messages import turns as messages_turns
from llr.formats.base import Target
from llr.formats.openai_chat import turns as chat_turns
from llr.formats.table import FORMATS
from llr.ir.parts import Message, Role, Text

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TALKS: dict[str, list[dict[str, Any]]] = {
    "turn by turn": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    "assistant first": [{"role": "assistant", "content": "b"}, {"role": "user", "content": "a"}],
    "many of one side": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "white space": [{"role": "user", "content": " \n"}, {"role": "user", "content": "a "}],
    "nothing said": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}],
    "instructions between": [{"role": "user", "content": "a"}, {"role": "system", "content": "s"}],
    "a call nobody answers": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "user", "content": "b"},
    ],
    "words after a result": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
    ],
    "one part in a list": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    "a cache mark": [{"role": "user", "content": "a", "cache_control": {"type": "ephemeral"}}],
    "a name": [{"role": "user", "content": "a", "name": "n"}],
}
FOUR = (FormatId.MESSAGES, FormatId.CHAT, FormatId.RESPONSES, FormatId.GEMINI)


@pytest.mark.parametrize("talk", TALKS)
@pytest.mark.parametrize(("client", "upstream"), list(permutations(FOUR, 2)), ids="-".join)
def test_both_ways_write_the_same(
    monkeypatch: pytest.MonkeyPatch, client: FormatId, upstream: FormatId, talk: str
) -> None:
    body: Any = {"model": "m", "messages": TALKS[talk]}
    if client is not FormatId.CHAT:
        body = translate.request(body, FORMATS[FormatId.CHAT], FORMATS[client], Target("m")).body
    short = translate.request(body, FORMATS[client], FORMATS[upstream], Target("m"))
    for module in (reading, messages_turns, chat_turns):
        monkeypatch.setattr(module, "bare_text", lambda message, own: "")
    assert short == translate.request(body, FORMATS[client], FORMATS[upstream], Target("m"))


def test_what_a_format_could_write_or_lose_is_not_bare() -> None:
    def turn(extras: dict[FormatId, Any], text: str = "a") -> Message:
        return Message(Role.USER, (Text(text, (), extras),))

    assert reading.bare_text(turn({}), FormatId.CHAT) == "a"
    assert reading.bare_text(turn({FormatId.MESSAGES: {"~list": True}}), FormatId.CHAT) == "a"
    assert reading.bare_text(turn({FormatId.MESSAGES: {"~list": True}}), FormatId.MESSAGES) == ""
    assert reading.bare_text(turn({FormatId.MESSAGES: {"cache_control": {}}}), FormatId.CHAT) == ""
    assert reading.bare_text(Message(Role.USER, (Text("a", ({"url": "u"},)),)), FormatId.CHAT) == ""
    assert reading.bare_text(Message(Role.USER, (Text("a"), Text("b"))), FormatId.CHAT) == ""
