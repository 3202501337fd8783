"""Thinking in tags becomes reasoning, whatever the chunks; everything else stays text."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.formats import translate
from llr.formats.table import FORMATS
from llr.formats.think_tags import ThinkTags, split_tags
from llr.ir.events import Event, Finish, PartDelta, PartEnd, PartStart, Start, Stop
from llr.ir.parts import Part, Reasoning, Text
from llr.ir.response import ChatResponse, collect

from .laws import check_grammar, drain
from .samples import A, C, chat, chunk, meta
from .strict import check_messages_stream


def parts_of(text: str, cuts: list[int]) -> tuple[Part, ...]:
    places = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = [text[left:right] for left, right in pairwise(places)]
    events: list[Event] = [
        Start("", ""),
        PartStart(0, Text("")),
        *(PartDelta(0, piece) for piece in pieces),
        PartEnd(0),
    ]
    events += [PartStart(1, Text("")), PartDelta(1, "<think>no</think>"), PartEnd(1), Finish(Stop.DONE)]
    out = drain(ThinkTags(), events)
    check_grammar(out)
    return collect(out).parts[:-1]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think>a</think>b", (Reasoning("a"), Text("b"))),
        ("\n<think>\na\n</think>\n\nb", (Reasoning("a\n"), Text("b"))),
        ("<think>never closed", (Reasoning("never closed"),)),
        ("<thin", (Text("<thin"),)),
        ("a <think>b</think>", (Text("a <think>b</think>"),)),
        ("", (Text(""),)),
    ],
)
def test_tags(text: str, parts: tuple[Part, ...]) -> None:
    assert parts_of(text, []) == parts
    assert split_tags(ChatResponse("", "", (Text(text),), Stop.DONE)).parts == parts


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text("<think>/ab\n", max_size=30), st.lists(st.integers(0, 60), max_size=6))
def test_any_chunking_gives_the_same(rest: str, cuts: list[int]) -> None:
    for text in (rest, "<think>" + rest, "<think>x</think>" + rest):
        assert parts_of(text, cuts) == parts_of(text, [])


def test_a_flagged_model_answers_messages_clients_with_a_thinking_block() -> None:
    raw = chat(chunk({"content": "<thi"}), chunk({"content": "nk>a</think>b"}), chunk(reason="stop"))
    stage = translate.stream(FORMATS[A], FORMATS[C], meta(C, think_tags=True))
    seen = check_messages_stream(b"".join([*stage.feed(raw), *stage.finish()]))
    kinds = [event["content_block"]["type"] for event in seen if event["type"] == "content_block_start"]
    assert kinds == ["thinking", "text"]
