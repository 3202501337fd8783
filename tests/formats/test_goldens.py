"""The matrix: every client format against every upstream format, for every scenario."""

import difflib
from typing import Any

import pytest

from llr.base.errors import GatewayError
from llr.base.names import FormatId
from llr.formats.table import FORMATS
from llr.formats.translate import collect_stream
from llr.ir.events import Failed, UsageSeen

from .matrix import CLIENTS, UPSTREAMS, Cell, golden, read, render, scenarios
from .samples import gist
from .strict import (
    check_chat_body,
    check_chat_request,
    check_chat_stream,
    check_completions_body,
    check_completions_stream,
    check_messages_body,
    check_messages_request,
    check_messages_stream,
)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", scenarios())
def test_a_cell_is_as_accepted(name: str, client: FormatId) -> None:
    path, now = golden(name, client), render(name, client)
    then = path.read_text(encoding="utf-8") if path.exists() else ""
    if now != then:
        lines = difflib.unified_diff(then.splitlines(), now.splitlines(), "accepted", "now", lineterm="")
        pytest.fail("\n".join([*lines, f"to accept: python -m tests.formats.accept {name}"]), pytrace=False)


def test_no_golden_is_left_over() -> None:
    known = {golden(name, client) for name in scenarios() for client in CLIENTS}
    assert {path for client in CLIENTS for path in golden("x", client).parent.glob("*.golden")} <= known


REQUEST_CHECKS: dict[FormatId, Any] = {
    FormatId.MESSAGES: check_messages_request,
    FormatId.CHAT: check_chat_request,
}
BODY_CHECKS: dict[FormatId, Any] = {
    FormatId.MESSAGES: check_messages_body,
    FormatId.CHAT: check_chat_body,
    FormatId.COMPLETIONS: check_completions_body,
}
STREAM_CHECKS: dict[FormatId, Any] = {
    FormatId.MESSAGES: check_messages_stream,
    FormatId.CHAT: check_chat_stream,
    FormatId.COMPLETIONS: check_completions_stream,
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", scenarios())
def test_the_stream_of_a_cell_says_what_its_whole_answer_says(name: str, client: FormatId) -> None:
    scenario = read(name)
    for upstream in UPSTREAMS:
        try:
            cell = Cell(scenario, client, upstream)
            whole = FORMATS[client].decode_response(cell.client_body())
        except GatewayError:
            # Refusals are in the goldens, with their status.
            continue
        streamed = collect_stream(cell.client_stream(), FORMATS[client])
        assert gist(streamed) == gist(whole), upstream
        counts = any(isinstance(event, UsageSeen) for event in cell.events)
        if counts and streamed.usage is not None and whole.usage is not None:
            counted = [(usage.fresh, usage.cache_read, usage.output) for usage in (streamed.usage, whole.usage)]
            assert counted[0] == counted[1], upstream


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", scenarios())
def test_a_cell_is_what_its_vendors_take(name: str, client: FormatId) -> None:
    scenario = read(name)
    for upstream in UPSTREAMS:
        try:
            cell = Cell(scenario, client, upstream)
            encoded = cell.encoded()
        except GatewayError:
            # Refusals are in the goldens, with their status.
            continue
        if upstream in REQUEST_CHECKS:
            REQUEST_CHECKS[upstream](encoded.body)
        if client in STREAM_CHECKS:
            STREAM_CHECKS[client](cell.client_stream())
            if not isinstance(cell.events[-1], Failed):
                BODY_CHECKS[client](cell.client_body())
