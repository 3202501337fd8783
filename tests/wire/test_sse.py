"""Server-sent events: the same for any chunking, every byte accounted for."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llr.base.errors import ErrorKind, GatewayError
from llr.wire.sse import BOM, EventCutter, SSEEvent, SSEParser, format_event, split_events

SAMPLES = [
    b'data: {"a":1}\n\ndata: [DONE]\n\n',
    b'event: ping\r\ndata: {"type":"ping"}\r\n\r\nevent: x\r\ndata: y\r\n\r\n',
    b"data: a\r\rdata: b\r\r",
    b": comment\n\ndata: one\ndata: two\n\nid: 3\nretry: 5\ndata:three\n\n",
    b"data: a\n\r\ndata: b\r\n\ndata: c\n\rdata: d\n\n",
    BOM + "data: grüß – 👋\n\n".encode(),
    b"\n\n\ndata: late\n\n",
    b"event: only a name\n\ndata\n\ndatax: no\n\n",
    b"data: a\n\ndata: no blank line at the end",
]


def drain(chunks: list[bytes]) -> list[SSEEvent]:
    parser = SSEParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + list(parser.finish())


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("data", SAMPLES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_any_chunking_gives_the_same_events(data: bytes, size: int) -> None:
    assert drain(pieces(data, size)) == drain([data])


LINES = [b"data: x", b"data:y", b": c", b"event: e", b"\n", b"\r", b"\r\n", b"\n\n"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(LINES), max_size=30),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
def test_any_mix_of_line_ends_and_cuts(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    chunks: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size
    assert drain(chunks) == drain([data])
    cutter = EventCutter()
    assert b"".join(cutter.feed(chunk) for chunk in chunks) + cutter.finish() == data


def test_fields_are_read_as_the_standard_says() -> None:
    events = drain([b"event: x\ndata: one\ndata:  two\n: skip\nid: 9\ndata\n\ndata:\n\n"])
    assert [(event.event, event.data) for event in events] == [("x", b"one\n two\n"), ("", b"")]


def test_events_without_data_are_not_events() -> None:
    assert drain([b": hi\n\nevent: ping\n\n"]) == []


def test_a_bom_is_no_part_of_the_first_field() -> None:
    assert drain([BOM, b"data: a\n\n"]) == [SSEEvent("", b"a", BOM + b"data: a\n\n")]


def test_crlf_split_between_chunks_is_one_line_end() -> None:
    assert [event.data for event in drain([b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"])] == [b"a\nb"]


def test_a_run_of_events_keeps_its_bytes() -> None:
    data = b"data: a\n\nevent: b\r\ndata: c\r\n\r\n\r\ndata: d\r\r"
    assert b"".join(split_events(data)) == data


def test_an_event_past_the_cap_is_refused() -> None:
    cutter = EventCutter(cap_bytes=100)
    cutter.feed(b"data: 0123456789" * 6)
    with pytest.raises(GatewayError) as caught:
        cutter.feed(b"01234")
    assert caught.value.fault.kind is ErrorKind.UPSTREAM_INVALID


def test_a_large_event_in_small_pieces_costs_linear_time() -> None:
    cutter = EventCutter()
    piece = b"x" * 64
    for _ in range(100_000):
        assert cutter.feed(piece) == b""
    assert len(cutter.feed(b"\n\n")) == 6_400_002


def test_an_event_of_many_lines_costs_linear_time() -> None:
    """Two million empty data lines took minutes, joined one by one: so long one provider held up every other."""
    started = time.process_time()
    (event,) = SSEParser().feed(b"data:\n" * 2_000_000 + b"\n")
    assert event.data == b"\n" * 1_999_999
    assert time.process_time() - started < 10


def test_writing_and_reading_agree() -> None:
    assert drain([format_event(b'{"a":\n1}', "x"), format_event(b"z")]) == [
        SSEEvent("x", b'{"a":\n1}', b'event: x\ndata: {"a":\ndata: 1}\n\n'),
        SSEEvent("", b"z", b"data: z\n\n"),
    ]
