"""What translation to and from Responses and Gemini costs, as a ratio to reading the same JSON."""

import json
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.ir.events import Event, Finish, PartDelta, PartEnd, PartStart, Start, Stop
from llr.ir.parts import Text
from tests.formats.samples import A, C, R, meta
from tests.formats.test_speed import CHUNK_RATIO, REQUEST_RATIO, best_of, coding_session

G = FormatId.GEMINI


@pytest.mark.parametrize(("client", "upstream"), [(A, R), (A, G), (R, A), (R, C), (G, A), (C, R)])
def test_a_request_of_200_kb_costs_at_most_12_times_its_json(client: FormatId, upstream: FormatId) -> None:
    body: Any = coding_session()
    if client is not A:
        body = {"model": "m", **translate.request(body, FORMATS[A], FORMATS[client], Target("m")).body}
    raw = json.dumps(body)
    reading = best_of(20, lambda: json.loads(raw))
    working = best_of(10, lambda: translate.request(body, FORMATS[client], FORMATS[upstream], Target("m")))
    assert working <= REQUEST_RATIO * reading


@pytest.mark.parametrize(("client", "upstream"), [(A, R), (R, A), (C, R), (R, C), (A, G), (G, A), (R, G), (G, R)])
def test_a_chunk_costs_a_few_times_its_json(client: FormatId, upstream: FormatId) -> None:
    deltas: list[Event] = [PartDelta(0, "hello there") for _ in range(400)]
    events: list[Event] = [
        Start("msg_abcdefghijkl", "m"),
        PartStart(0, Text("")),
        *deltas,
        PartEnd(0),
        Finish(Stop.DONE),
    ]
    encoder = FORMATS[upstream].stream_encoder(meta(upstream))
    pieces = [piece for event in events for piece in encoder.feed(event)]
    datas = [part.split(b"data: ")[1] for piece in pieces for part in piece.split(b"\n\n") if b"data: {" in part]

    def translated() -> None:
        stage = translate.stream(FORMATS[client], FORMATS[upstream], meta(upstream))
        for piece in pieces:
            for _ in stage.feed(piece):
                pass

    reading = best_of(9, lambda: [json.loads(data) for data in datas])
    assert best_of(9, translated) <= CHUNK_RATIO * reading
