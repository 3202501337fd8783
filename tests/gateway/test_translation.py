"""Clients of one format and providers of another meet in the loop; nobody hears a foreign word."""

import json
from typing import Any

import pytest

from llr.formats.table import FORMATS
from llr.testing import Playbook, Reply, Wait, json_reply, refused, reset, sse_reply
from tests.gateway.samples import (
    ANTHROPIC,
    CHAT,
    COMPLETIONS,
    GEMINI,
    MESSAGES,
    RESPONSES,
    SAMPLES,
    Sample,
    ask,
    doc_for,
    doc_speaking,
    full_answer,
    text_of,
)

BUILT = {str(one).split("-")[-1] for one in FORMATS}
CLIENTS = [sample for sample in SAMPLES if sample.name in BUILT]
UPSTREAMS = [sample for sample in (CHAT, MESSAGES, RESPONSES, GEMINI) if sample.name in BUILT]
PAIRS = [
    pytest.param(client, upstream, id=f"{client.name} to {upstream.name}")
    for client in CLIENTS
    for upstream in UPSTREAMS
    # An OpenAI provider takes legacy completions as they are.
    if client.name != upstream.name and (client.name, upstream.name) != ("completions", "chat")
]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_a_plain_answer_comes_in_the_clients_format(client: Sample, upstream: Sample) -> None:
    play = Playbook(doc_speaking(upstream, "a"))
    play.upstream("a.test").answers(json_reply(full_answer(upstream)))
    heard = await ask(play, client)
    assert heard.status == 200
    assert text_of(client, heard.json) == "hi"
    sent = play.upstream("a.test").asked[0]
    assert sent.target == upstream.upstream_path
    assert play.observer.finished[-1].end == "complete"


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_a_stream_comes_in_the_clients_format_and_is_complete(client: Sample, upstream: Sample) -> None:
    play = Playbook(doc_speaking(upstream, "a"))
    data = b"".join(upstream.stream)
    play.upstream("a.test").answers(sse_reply(*(data[at : at + 11] for at in range(0, len(data), 11))))
    heard = await ask(play, client, stream=True)
    assert heard.status == 200
    assert not client.says_error(heard.body)
    assert b"llo" in heard.body
    if client.closing:
        assert heard.body.endswith((client.closing, client.closing.replace(b'":"', b'": "')))
    assert play.observer.finished[-1].end == "complete"
    assert play.transport.open == 0


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_a_cut_stream_never_looks_whole(client: Sample, upstream: Sample) -> None:
    for place in range(1, upstream.mark + 1):
        play = Playbook(doc_speaking(upstream, "a"))
        play.upstream("a.test").answers(sse_reply(*upstream.stream[:place], reset()))
        heard = await ask(play, client, stream=True)
        if place <= upstream.first:
            assert heard.status == 502, place
        else:
            assert heard.status == 200
            assert client.says_error(heard.body), (place, heard.body)
        assert play.observer.finished[-1].end == "failed"


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_an_upstream_error_is_said_in_the_clients_words(client: Sample, upstream: Sample) -> None:
    play = Playbook(doc_speaking(upstream, "a"))
    play.upstream("a.test").answers(json_reply(upstream.http_error, 429, retry_after="9"))
    heard = await ask(play, client)
    assert heard.status == 429
    assert heard.headers.text(b"retry-after") == "9"
    assert "no" in heard.json["error"]["message"]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_failover_crosses_formats(client: Sample, upstream: Sample) -> None:
    made = doc_speaking(upstream, "a")
    made["providers"] += doc_for(client, "b")["providers"]
    made["modelAliases"]["any"]["targets"] += ["b/m"]
    play = Playbook(made)
    play.upstream("a.test").answers(sse_reply(upstream.error_event))
    play.upstream("b.test").answers(sse_reply(*client.stream))
    heard = await ask(play, client, stream=True)
    assert heard.body == b"".join(client.stream)


each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda sample: sample.name)
each_pair = pytest.mark.parametrize(
    ("client", "upstream"),
    [*PAIRS, *(pytest.param(sample, sample, id=f"{sample.name} to itself") for sample in CLIENTS)],
)


def made_for(client: Sample, upstream: Sample, **more: Any) -> dict[str, Any]:
    return {**doc_for(client, "a")} if client is COMPLETIONS is upstream else doc_speaking(upstream, "a", **more)


@each_pair
async def test_json_for_a_stream_request_becomes_a_stream(client: Sample, upstream: Sample) -> None:
    play = Playbook(made_for(client, upstream))
    play.upstream("a.test").answers(json_reply(full_answer(upstream)))
    heard = await ask(play, client, stream=True)
    assert heard.status == 200
    assert heard.headers.text(b"content-type") == "text/event-stream"
    assert heard.events
    assert b"hi" in heard.body
    assert not client.says_error(heard.body)


@each_pair
async def test_events_for_a_plain_request_become_a_body(client: Sample, upstream: Sample) -> None:
    play = Playbook(made_for(client, upstream))
    play.upstream("a.test").answers(sse_reply(*upstream.stream))
    heard = await ask(play, client)
    assert heard.status == 200
    assert heard.headers.text(b"content-type") == "application/json"
    assert "llo" in json.dumps(heard.json)


@each_client
async def test_events_cut_short_for_a_plain_request_fail_over(client: Sample) -> None:
    play = Playbook(doc_for(client, "a", "b"))
    play.upstream("a.test").answers(sse_reply(*client.stream[: client.mark]))
    play.upstream("b.test").answers(json_reply(client.answer))
    heard = await ask(play, client)
    assert heard.json == client.answer


async def test_a_stream_only_provider_is_always_asked_to_stream() -> None:
    for client, upstream in ((CHAT, CHAT), (MESSAGES, CHAT), (CHAT, MESSAGES)):
        play = Playbook(doc_speaking(upstream, "a", metadata={"llr": {"streamOnly": True}}))
        play.upstream("a.test").answers(sse_reply(*upstream.stream))
        heard = await ask(play, client)
        assert play.upstream("a.test").bodies[0]["stream"] is True
        assert "llo" in text_of(client, heard.json)


async def test_strict_refuses_what_would_be_lost() -> None:
    body = {**CHAT.body("any"), "n": 1, "logit_bias": {"1": 2}, "top_logprobs": 3, "logprobs": True}
    for strict, status in ((False, 200), (True, 400)):
        play = Playbook({**doc_speaking(MESSAGES, "a"), "metadata": {"llr": {"strict": strict}}})
        play.upstream("a.test").answers(json_reply(MESSAGES.answer))
        heard = await play.ask("POST", CHAT.path, body)
        assert heard.status == status, heard.body
        if strict:
            assert "logprobs" in heard.json["error"]["message"]
            assert play.upstream("a.test").asked == []
        else:
            assert any("logprobs" in loss.path for loss in play.observer.attempts[0].losses)


async def test_pings_of_a_translated_stream_are_the_clients() -> None:
    play = Playbook(doc_speaking(CHAT, "a"))
    play.upstream("a.test").answers(Reply(200, [("content-type", "text/event-stream")], CHAT.stream, [Wait(20)]))
    asking = await play.open("POST", "/v1/messages", MESSAGES.body("any", stream=True), ANTHROPIC)
    await play.clock.advance(21)
    heard = await asking.heard()
    assert heard.body.startswith(b'event: ping\ndata: {"type":"ping"}\n\nevent: message_start')


async def test_a_request_its_own_format_cannot_mean_stops_the_loop() -> None:
    play = Playbook(doc_speaking(MESSAGES, "a", "b"))
    play.upstream("a.test").answers(Reply(before=[refused()]))
    heard = await play.ask("POST", COMPLETIONS.path, {"model": "any", "prompt": ["one", "two"]})
    assert heard.status == 400
    assert play.transport.seen == []


async def test_anthropic_fields_do_not_reach_openai_providers() -> None:
    play = Playbook(doc_speaking(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    await ask(play, MESSAGES, anthropic_beta="x")
    names = {name for name, _ in play.upstream("a.test").asked[0].headers}
    assert names.isdisjoint({b"anthropic-version", b"anthropic-beta"})


async def test_fields_a_model_must_not_get_are_cut_out_of_a_relayed_body() -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0]["models"] = [{"id": "m", "capabilities": {"supportsServiceTier": False}}]
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    await play.ask("POST", CHAT.path, b'{"service_tier":"flex", "model" : "any" ,"messages":[ ]}')
    assert b"".join(play.upstream("a.test").asked[0].body) == b'{"model" : "m" ,"messages":[ ]}'


async def test_a_refused_field_is_left_out_once_and_then_for_good() -> None:
    refusal = json_reply({"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}, 400)
    for client, upstream in ((CHAT, CHAT), (MESSAGES, CHAT)):
        play = Playbook(doc_speaking(upstream, "a"))
        play.upstream("a.test").answers(refusal, json_reply(upstream.answer))
        for asked in (2, 3):
            body = {**client.body("any"), "temperature": 0.5}
            heard = await play.ask("POST", client.path, body, client.headers)
            assert heard.status == 200
            sent = play.upstream("a.test").bodies
            assert len(sent) == asked
            assert "temperature" not in sent[-1]
        assert "temperature" in play.upstream("a.test").bodies[0]
        assert [mark for marks in play.deps.learned.all().values() for mark in marks] == ["drop:temperature"]


async def test_a_repair_that_does_not_help_shows_the_first_error_and_teaches_nothing() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    first = {"error": {"message": "Unsupported parameter: 'temperature'"}}
    play.upstream("a.test").answers(json_reply(first, 400), json_reply({"error": {"message": "still no"}}, 400))
    heard = await play.ask("POST", CHAT.path, {**CHAT.body("any"), "temperature": 0.5})
    assert (heard.status, heard.json) == (400, first)
    assert not play.deps.learned.all()
    assert len(play.upstream("a.test").asked) == 2


async def test_an_ordinary_400_is_asked_once() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "messages must not be empty"}}, 400))
    await ask(play, CHAT)
    assert len(play.upstream("a.test").asked) == 1


async def test_losses_are_logged_once_per_route(caplog: pytest.LogCaptureFixture) -> None:
    play = Playbook(doc_speaking(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply(MESSAGES.answer))
    for _ in range(2):
        await play.ask("POST", CHAT.path, {**CHAT.body("any"), "logprobs": True})
    assert sum("loses logprobs" in record.getMessage() for record in caplog.records) == 1


async def test_a_translated_answer_keeps_what_the_vendor_says_of_the_call() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.answer, openai_processing_ms="12", openai_version="2020-10-01"))
    heard = await play.ask("POST", MESSAGES.path, MESSAGES.body("any"), MESSAGES.headers)
    assert heard.status == 200
    assert heard.headers.text(b"openai-processing-ms") == "12"
    assert heard.headers.text(b"openai-version") == "2020-10-01"
