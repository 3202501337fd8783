"""What a Responses request leans on beyond its own body."""

from dataclasses import replace
from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import FaultContext, Target
from llr.formats.openai_responses import FORMAT
from llr.formats.openai_responses.native import as_kept, refused, resolved
from llr.formats.openai_responses.request_in import decode_request
from llr.formats.table import FORMATS
from llr.ir.events import Stop
from llr.ir.parts import Text
from llr.ir.response import ChatResponse
from tests.formats.responses_rig import meta


def test_an_unknown_earlier_answer_is_refused_in_the_vendors_shape() -> None:
    body = {"model": "m", "input": "q", "previous_response_id": "resp_x"}
    for upstream in (FormatId.MESSAGES, FormatId.CHAT, FormatId.GEMINI):
        with pytest.raises(GatewayError) as caught:
            translate.request(body, FORMAT, FORMATS[upstream], Target("m"))
        status, _, answer = FORMAT.encode_fault(caught.value.fault, FaultContext())
        assert status == 400
        assert answer == dumps(
            {
                "error": {
                    "message": "Previous response with id 'resp_x' not found.",
                    "type": "invalid_request_error",
                    "param": "previous_response_id",
                    "code": "previous_response_not_found",
                },
                "type": "error",
            }
        )


@pytest.mark.parametrize(
    ("field", "value"), [("conversation", "conv_1"), ("prompt", {"id": "p"}), ("background", True)]
)
def test_what_only_the_vendor_can_answer_is_refused(field: str, value: Any) -> None:
    fault = refused(decode_request({"model": "m", "input": "x", field: value}))
    assert fault is not None
    assert (fault.kind, fault.param) == (ErrorKind.INVALID_REQUEST, field)
    assert refused(decode_request({"model": "m", "input": "x", "background": False})) is None


def test_a_reference_stands_for_the_item() -> None:
    kept: Any = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    asked: Any = [{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "q"}]
    assert resolved(asked, [kept]) == [kept, asked[1]]
    assert resolved(asked[1:], []) == asked[1:]
    with pytest.raises(GatewayError) as caught:
        resolved(asked, [])
    assert caught.value.fault.http_status == 404


def test_an_answer_says_whether_it_is_kept() -> None:
    way, answer = meta(), ChatResponse("m", "x", (Text("a"),), Stop.DONE)
    assert FORMAT.encode_response(answer, way)["store"] is False
    assert FORMAT.encode_response(answer, replace(way, request=as_kept(way.request)))["store"] is True
