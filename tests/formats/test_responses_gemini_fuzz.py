"""Whatever a client or a server sends: a refusal or an answer, never another exception."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llr.base.errors import GatewayError
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from tests.formats import test_gemini_request, test_gemini_stream, test_responses_request, test_responses_stream
from tests.formats.gemini_rig import sse
from tests.formats.laws import check_grammar, drain
from tests.formats.responses_rig import stream
from tests.formats.samples import A, C, R, json_values

G = FormatId.GEMINI
MANY = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
REQUESTS: list[tuple[FormatId, Any]] = [
    (R, test_responses_request.CODEX),
    (G, {"model": "m", **test_gemini_request.FULL}),
]
STREAMS: list[tuple[FormatId, Any]] = [
    (
        R,
        [
            *test_responses_stream.FULL,
            test_responses_stream.completed(
                test_responses_stream.REASONING, test_responses_stream.MESSAGE, test_responses_stream.CALL
            ),
        ],
    ),
    (G, test_gemini_stream.CHUNKS),
]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the paths of everything inside a value."""
    if isinstance(value, dict):
        return [at, *(path for key, inner in value.items() for path in places(inner, (*at, key)))]
    if isinstance(value, list):
        return [at, *(path for key, inner in enumerate(value) for path in places(inner, (*at, key)))]
    return [at]


@st.composite
def broken(draw: st.DrawFn, samples: list[tuple[FormatId, Any]]) -> tuple[FormatId, Any]:
    """One of the samples with a few of its values replaced or removed."""
    form, sample = draw(st.sampled_from(samples))
    value = copy.deepcopy(sample)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([path for path in places(value) if path]))
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        if draw(st.booleans()):
            holder[path[-1]] = draw(st.one_of(json_values, st.sampled_from([[], {}, [[]], [None], {"type": []}, -1])))
        elif isinstance(holder, dict):
            del holder[path[-1]]
    return form, value


@MANY
@given(broken(REQUESTS), st.sampled_from([A, C, R, G]))
def test_a_broken_request_is_refused_or_understood(sample: tuple[FormatId, Any], upstream: FormatId) -> None:
    form, body = sample
    try:
        json.dumps(translate.request(body, FORMATS[form], FORMATS[upstream], Target("m")).body)
    except GatewayError:
        return


@MANY
@given(broken(STREAMS))
def test_a_broken_stream_is_still_a_stream(sample: tuple[FormatId, Any]) -> None:
    form, events = sample
    written = [event if isinstance(event, dict) else {"type": "x"} for event in events]
    if form is R:
        data = stream(*({"type": "x", **event} for event in written if isinstance(event.get("type", ""), str)))
    else:
        data = sse(*written)
    check_grammar(drain(FORMATS[form].stream_decoder(), [data]))


@MANY
@given(broken(STREAMS))
def test_a_broken_answer_is_a_fault_or_an_answer(sample: tuple[FormatId, Any]) -> None:
    form, events = sample
    body = events[-1]
    if form is R and isinstance(body, dict):
        body = body.get("response")
    if not isinstance(body, dict):
        return
    try:
        FORMATS[form].decode_response(body)
    except GatewayError:
        return
