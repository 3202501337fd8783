from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.shape import RULES, malformed
from llr.formats.table import FORMATS

M, C, R, G = FormatId.MESSAGES, FormatId.CHAT, FormatId.RESPONSES, FormatId.GEMINI


@pytest.mark.parametrize(
    ("client", "body", "param"),
    [
        (M, {}, "messages"),
        (M, {"messages": 5}, "messages"),
        (M, {"messages": [1]}, "messages[0]"),
        (M, {"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (M, {"messages": [], "system": 3}, "system"),
        (M, {"messages": [], "tools": {}}, "tools"),
        (C, {"messages": "hi"}, "messages"),
        (C, {"messages": [{"role": "user", "content": "x"}, None]}, "messages[1]"),
        (C, {"messages": [], "tools": ["f"]}, "tools[0]"),
        (R, {"input": 5}, "input"),
        (R, {"input": ["x"]}, "input[0]"),
        (G, {"contents": 5}, "contents"),
        (G, {}, "contents"),
    ],
)
def test_a_body_without_bones_is_refused_at_its_place(client: FormatId, body: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        translate.decode({"model": "m", **body}, FORMATS[client])
    fault = caught.value.fault
    assert (fault.kind, fault.param) == (ErrorKind.INVALID_REQUEST, param)
    assert fault.message.startswith(param)


@pytest.mark.parametrize(
    ("client", "body"),
    [
        (M, {"messages": [{"role": "user", "content": "x"}], "system": None}),
        (C, {"messages": [{"role": "assistant", "content": None, "tool_calls": []}]}),
        (R, {"input": "x"}),
        (R, {"previous_response_id": "resp_1"}),
        (R, {"input": [{"type": "reasoning", "summary": [], "content": None}]}),
        (G, {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
    ],
)
def test_what_clients_send_passes(client: FormatId, body: dict[str, Any]) -> None:
    assert malformed(body, client) is None


def test_every_rule_names_types_it_can_say() -> None:
    for rules in RULES.values():
        for rule in rules:
            assert "must be" in str(malformed({rule.key: 5.5}, next(c for c, own in RULES.items() if rule in own)))
