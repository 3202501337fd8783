"""Going on from an earlier answer by id."""

from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.base.jsonio import dumps
from llr.formats.base import FaultContext
from llr.formats.openai_responses import FORMAT
from llr.formats.openai_responses.history import History, Limits, as_kept, refused
from llr.formats.openai_responses.request_in import decode_request
from tests.formats.responses_rig import meta


def answer(ident: str, text: str = "a") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": f"msg_{ident}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return {"id": ident, "object": "response", "output": [item]}


def texts(body: dict[str, Any]) -> list[str]:
    return [item["content"][0]["text"] for item in body["input"]]


def test_a_chain_of_answers_is_written_out() -> None:
    history = History()
    assert history.keep(answer("resp_1", "one"), "q1", owner="o", now=0.0)
    second: Any = [{"role": "user", "content": [{"type": "input_text", "text": "q2"}]}]
    assert history.keep(answer("resp_2", "two"), second, before="resp_1", owner="o", now=1.0)
    body = history.expand({"model": "m", "input": "q3", "previous_response_id": "resp_2"}, owner="o", now=2.0)
    assert texts(body) == ["q1", "one", "q2", "two", "q3"]
    assert "previous_response_id" not in body
    assert len(decode_request(body).messages) == 5


def test_a_request_without_an_id_is_not_touched() -> None:
    body = {"model": "m", "input": "q"}
    assert History().expand(body, owner="o", now=0.0) == body


@pytest.mark.parametrize("owner", ["other", ""])
def test_what_one_owner_stored_no_other_can_read(owner: str) -> None:
    history = History()
    history.keep(answer("resp_1"), "q", owner="o", now=0.0)
    with pytest.raises(GatewayError) as caught:
        history.expand({"input": "q", "previous_response_id": "resp_1"}, owner=owner, now=0.0)
    assert caught.value.fault.code == "previous_response_not_found"
    assert not history.forget("resp_1", owner=owner)
    assert history.forget("resp_1", owner="o")


def test_the_vendors_error_shape() -> None:
    with pytest.raises(GatewayError) as caught:
        History().expand({"input": "q", "previous_response_id": "resp_x"}, owner="o", now=0.0)
    status, _, body = FORMAT.encode_fault(caught.value.fault, FaultContext())
    assert status == 400
    assert body == dumps(
        {
            "error": {
                "message": "Previous response with id 'resp_x' not found.",
                "type": "invalid_request_error",
                "param": "previous_response_id",
                "code": "previous_response_not_found",
            }
        }
    )


def test_old_and_many_and_large_answers_go() -> None:
    history = History(Limits(entries=2, size_bytes=1000, ttl_s=10.0))
    for number in range(3):
        history.keep(answer(f"resp_{number}"), "q", owner="o", now=float(number))
    assert len(history) == 2
    assert not history.keep(answer("resp_big", "x" * 2000), "q", owner="o", now=3.0)
    history.keep(answer("resp_half", "x" * 500), "q", owner="o", now=3.0)
    assert history.size_bytes <= 1000
    with pytest.raises(GatewayError):
        history.expand({"input": "q", "previous_response_id": "resp_half"}, owner="o", now=14.0)
    history.keep(answer("resp_new"), "q", owner="o", now=20.0)
    assert len(history) == 1


def test_going_on_from_an_answer_keeps_its_whole_chain() -> None:
    history = History(Limits(entries=3))
    history.keep(answer("resp_1"), "q", owner="o", now=0.0)
    history.keep(answer("resp_2"), "q", before="resp_1", owner="o", now=1.0)
    history.keep(answer("resp_other"), "q", owner="o", now=2.0)
    history.expand({"input": "q", "previous_response_id": "resp_2"}, owner="o", now=3.0)
    history.keep(answer("resp_3"), "q", owner="o", now=4.0)
    assert history.expand({"input": "q", "previous_response_id": "resp_2"}, owner="o", now=5.0)
    with pytest.raises(GatewayError):
        history.expand({"input": "q", "previous_response_id": "resp_other"}, owner="o", now=5.0)


def test_a_reference_stands_for_the_item() -> None:
    history = History()
    history.keep(answer("resp_1", "one"), "q1", owner="o", now=0.0)
    body: Any = {"input": [{"type": "item_reference", "id": "msg_resp_1"}, {"role": "user", "content": "q"}]}
    expanded: Any = history.expand(body, owner="o", now=0.0)
    assert expanded["input"][0]["content"][0]["text"] == "one"
    with pytest.raises(GatewayError) as caught:
        history.expand({"input": [{"type": "item_reference", "id": "msg_x"}]}, owner="o", now=0.0)
    assert caught.value.fault.http_status == 404


def test_a_kept_answer_says_so() -> None:
    from dataclasses import replace

    from llr.ir.events import Stop
    from llr.ir.parts import Text
    from llr.ir.response import ChatResponse

    way = meta()
    whole = FORMAT.encode_response(ChatResponse("m", "x", (Text("a"),), Stop.DONE), way)
    assert whole["store"] is False
    kept = replace(way, request=as_kept(way.request))
    assert FORMAT.encode_response(ChatResponse("m", "x", (Text("a"),), Stop.DONE), kept)["store"] is True


@pytest.mark.parametrize(
    ("field", "value"),
    [("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("prompt", {"id": "p"}), ("background", True)],
)
def test_what_only_the_vendor_can_answer_is_refused(field: str, value: Any) -> None:
    fault = refused(decode_request({"model": "m", "input": "x", field: value}))
    assert fault is not None
    assert (fault.kind, fault.param) == (ErrorKind.INVALID_REQUEST, field)
    assert refused(decode_request({"model": "m", "input": "x", "background": False})) is None
