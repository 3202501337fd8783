"""Our credentials in an upstream's error: no client, no log and no header ever sees them."""

from typing import Any

import pytest

from llr.testing import Playbook, Reply, json_reply, sse_reply
from tests.gateway.samples import CHAT, CHAT_STREAM, MESSAGES, Sample, doc_for

KEY = "sk-operator-key-0123456789"
EXTRA = "value-of-the-secret-header"


def play_for(sample: Sample) -> Playbook:
    made = doc_for(sample, "a")
    made["providers"][0] |= {"apiKey": KEY, "headers": {"x-team-secret": EXTRA, "x-plain": "visible-to-everybody"}}
    return Playbook(made)


def refusal(status: int, text: str) -> Reply:
    return json_reply({"error": {"message": text}}, status, x_echo=KEY, x_request_id="r1")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
@pytest.mark.parametrize("client", [CHAT, MESSAGES])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_that_repeats_our_key_reaches_nobody_with_it(status: int, client: Sample, stream: bool) -> None:
    play = play_for(CHAT)
    play.upstream("a.test").answers(refusal(status, f"Incorrect key {KEY} beside {EXTRA}, visible-to-everybody"))
    heard = await play.ask("POST", client.path, client.body("any", stream=stream))
    told = heard.body.decode() + str(heard.headers.raw) + str(play.observer.records)
    assert heard.status >= 400
    assert KEY not in told
    assert EXTRA not in told
    if status in (400, 422) and client is CHAT:
        assert heard.json["error"]["message"] == "Incorrect key [redacted] beside [redacted], visible-to-everybody"


async def test_a_key_in_a_header_of_any_name_or_in_the_address_reaches_nobody() -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0] |= {
        "baseUrl": "https://a.test/v1?subscription-key=key%2Dof-the-address&api-version=2026-01-01-preview",
        "apiKey": "plain-word-of-a-key",
        "auth": {"type": "header", "headerName": "X-Team", "prefix": "Team "},
    }
    play = Playbook(made)
    said = "Team plain-word-of-a-key at ?subscription-key=key%2Dof-the-address (key-of-the-address), 2026-01-01-preview"
    play.upstream("a.test").answers(refusal(400, said))
    heard = await play.ask("POST", CHAT.path, CHAT.body("any"))
    cleaned = "Team [redacted] at ?subscription-key=[redacted] ([redacted]), 2026-01-01-preview"
    assert heard.json["error"]["message"] == cleaned
    assert "plain-word-of-a-key" not in str(play.observer.records)
    assert "of-the-address" not in str(play.observer.records)


async def test_an_answer_stays_byte_for_byte_whatever_it_says() -> None:
    play = play_for(CHAT)
    answer: dict[str, Any] = {**CHAT.answer, "note": KEY}
    play.upstream("a.test").answers(json_reply(answer), sse_reply(*CHAT_STREAM))
    assert (await play.ask("POST", CHAT.path, CHAT.body("any"))).json == answer
    assert (await play.ask("POST", CHAT.path, CHAT.body("any", stream=True))).body == b"".join(CHAT_STREAM)
