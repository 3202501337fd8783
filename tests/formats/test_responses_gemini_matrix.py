"""Every scenario of the matrix, held to what the Responses and Gemini vendors take and their SDKs read."""

from typing import Any

import pytest

from llr.base.errors import GatewayError
from llr.base.names import FormatId
from llr.ir.events import Failed
from tests.formats import gemini_rig, responses_rig
from tests.formats.matrix import CLIENTS, UPSTREAMS, Cell, read, scenarios
from tests.formats.strict_responses_gemini import check_gemini_request, check_responses_request

R, G = FormatId.RESPONSES, FormatId.GEMINI
REQUEST_CHECKS: dict[FormatId, Any] = {R: check_responses_request, G: check_gemini_request}


@pytest.mark.parametrize("client", [client for client in CLIENTS if client not in (R, G)])
@pytest.mark.parametrize("name", scenarios())
def test_every_cell_sends_what_its_vendor_takes(name: str, client: FormatId) -> None:
    scenario = read(name)
    for upstream in (R, G):
        if upstream in UPSTREAMS:
            try:
                encoded = Cell(scenario, client, upstream).encoded()
            except GatewayError:
                continue
            REQUEST_CHECKS[upstream](encoded.body)


@pytest.mark.parametrize("client", [R, G])
@pytest.mark.parametrize("name", scenarios())
def test_every_cell_answers_what_the_sdk_reads(name: str, client: FormatId) -> None:
    scenario = read(name)
    for upstream in UPSTREAMS:
        try:
            cell = Cell(scenario, client, upstream)
            streamed = cell.client_stream()
        except GatewayError:
            continue
        if client is R:
            responses_rig.check_stream(streamed)
        else:
            gemini_rig.check_stream(gemini_rig.chunks_of(streamed))
        if not isinstance(cell.events[-1], Failed):
            try:
                body: Any = cell.client_body()
            except GatewayError:
                continue
            (responses_rig.check_response if client is R else gemini_rig.check_answer)(body)
