"""What answers carry, and what they no longer hold while they last."""

import json
import tracemalloc
from typing import Any

import pytest

from llr.testing import HANG, Playbook, Reply, json_reply, make_request, settle, sse_reply
from llr.wire.http import Request
from tests.gateway.samples import CHAT, MESSAGES, RESPONSES, SAMPLES, Sample, doc_for

KEPT = {
    "x-ratelimit-remaining-requests": "7",
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "x-request-id": "up-1",
    "retry-after": "1",
    "x-custom": "y",
}
GONE = {
    "set-cookie": "a=b",
    "alt-svc": "h3",
    "strict-transport-security": "max-age=1",
    "server": "nginx",
    "cf-ray": "1",
    "access-control-allow-origin": "*",
    "content-security-policy": "x",
    "report-to": "x",
    "nel": "x",
    "connection": "x-hop, keep-alive",
    "x-hop": "1",
    "keep-alive": "timeout=5",
    "content-length": "999",
    "transfer-encoding": "chunked",
    "openai-organization": "org",
    "anthropic-organization-id": "org",
    "location": "http://elsewhere.test/",
    "content-location": "/x",
    "refresh": "0;url=http://elsewhere.test/",
    "link": "<http://elsewhere.test/>; rel=preload",
    "www-authenticate": "Basic realm=x",
    "clear-site-data": '"*"',
    "service-worker-allowed": "/",
    "set-cookie2": "a=b",
    "sourcemap": "/x",
}


@pytest.mark.parametrize("stream", [False, True])
async def test_fields_of_relayed_answers(stream: bool) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    kind = "text/event-stream; charset=utf-8" if stream else "application/json"
    steps = CHAT.stream if stream else [json.dumps(CHAT.answer).encode()]
    play.upstream("a.test").answers(Reply(200, [("content-type", kind), *KEPT.items(), *GONE.items()], steps))
    heard = await play.ask("POST", CHAT.path, CHAT.body("any", stream=stream))
    for name, value in KEPT.items():
        assert heard.headers.text(name.encode()) == value
    for name in GONE:
        assert name.encode() not in heard.headers
    if stream:
        assert heard.headers.text(b"cache-control") == "no-cache"
        assert heard.headers.text(b"x-accel-buffering") == "no"
        assert heard.headers.text(b"content-type") == "text/event-stream"


@pytest.mark.parametrize(("client", "stream"), [(MESSAGES, False), (MESSAGES, True), (CHAT, True)])
@pytest.mark.parametrize("large", [b"[" * 1_100_000, b'"' + b"x" * (33 * 2**20)], ids=["deep", "endless"])
async def test_an_answer_that_cannot_be_converted_fails_over(client: Sample, stream: bool, large: bytes) -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    fields = [("content-type", "application/json")]
    play.upstream("a.test").answers(Reply(200, fields, [b'{"choices": ', large, b"}"]))
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    heard = await play.ask("POST", client.path, client.body("any", stream=stream), client.headers)
    assert heard.status == 200
    assert len(heard.body) < 10_000
    assert len(play.upstream("b.test").asked) == 1


@pytest.mark.parametrize("moment", [b"1e999", b"-1e999", b"1e308", b"-5", b"NaN", b'"now"', b"null"])
@pytest.mark.parametrize("client", [CHAT, RESPONSES, MESSAGES])
async def test_a_moment_beyond_all_calendars_is_none(client: Sample, moment: bytes) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    body = json.dumps({**CHAT.answer, "created": 0}).encode().replace(b'"created": 0', b'"created": ' + moment)
    play.upstream("a.test").answers(Reply(200, [("content-type", "application/json")], [body]))
    heard = await play.ask("POST", client.path, client.body("any", stream=True), client.headers)
    assert heard.status == 200
    for line in heard.body.splitlines():
        if line.startswith(b"data: {"):
            made = json.loads(line[6:])
            assert 0 <= made.get("created", made.get("response", {}).get("created_at", 0)) < 2**53


async def test_fields_of_translated_answers() -> None:
    limits: dict[str, Any] = {"anthropic_ratelimit_requests_remaining": "7", "anthropic_ratelimit_tokens_limit": "99"}
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply(MESSAGES.answer, request_id="up-1", server="x", **limits))
    heard = await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert heard.headers.text(b"x-ratelimit-remaining-requests") == "7"
    assert heard.headers.text(b"x-ratelimit-limit-tokens") == "99"
    assert heard.headers.text(b"anthropic-ratelimit-requests-remaining") == "7"
    assert heard.headers.text(b"request-id") == "up-1"
    assert heard.headers.text(b"x-request-id") == "req_1"
    assert heard.headers.text(b"cache-control") == "no-store"
    assert b"server" not in heard.headers
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.answer, x_ratelimit_remaining_tokens="5"))
    heard = await play.ask("POST", MESSAGES.path, MESSAGES.body("any"), MESSAGES.headers)
    assert heard.headers.text(b"anthropic-ratelimit-tokens-remaining") == "5"


@pytest.mark.parametrize(("status", "told"), [(429, "false"), (500, "false"), (401, "false"), (400, "true")])
async def test_a_vendors_word_on_trying_again_is_told_with_its_refusal(status: int, told: str) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    for _ in range(3):
        play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, status, x_should_retry=told))
    heard = await play.ask("POST", MESSAGES.path, MESSAGES.body("any"), MESSAGES.headers)
    assert heard.status >= 400
    assert [value for name, value in heard.headers.raw if name == b"x-should-retry"] == [told.encode()]


TO_OPENAI = [
    ("2026-02-28T15:43:37Z", "1m0s"),
    ("2026-02-28T16:42:39.5Z", "1h0m2.5s"),
    ("2026-02-28T15:42:37.120Z", "120ms"),
    ("2026-02-28T15:00:00Z", ""),
    ("soon", ""),
]
TO_MESSAGES = [("6m0s", "2026-02-28T15:48:37Z"), ("120ms", "2026-02-28T15:42:38Z"), ("59.6s", "2026-02-28T15:43:37Z")]


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize(("said", "told"), TO_OPENAI)
async def test_resets_are_durations_for_openai_clients(said: str, told: str, status: int) -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    body = MESSAGES.answer if status == 200 else MESSAGES.http_error
    fields = {"anthropic_ratelimit_tokens_reset": said, "anthropic_ratelimit_requests_remaining": "7"}
    play.upstream("a.test").answers(json_reply(body, status, request_id="up-1", **fields))
    heard = await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert heard.status == status
    assert heard.headers.text(b"x-ratelimit-reset-tokens") == told
    assert heard.headers.text(b"anthropic-ratelimit-tokens-reset") == said
    assert heard.headers.text(b"x-ratelimit-remaining-requests") == "7"
    assert (heard.headers.text(b"request-id"), heard.headers.text(b"x-request-id")) == ("up-1", "req_1")


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize(("said", "told"), TO_MESSAGES)
async def test_resets_are_instants_for_messages_clients(said: str, told: str, status: int) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    body = CHAT.answer if status == 200 else CHAT.http_error
    play.upstream("a.test").answers(json_reply(body, status, x_ratelimit_reset_requests=said, x_request_id="up-1"))
    heard = await play.ask("POST", MESSAGES.path, MESSAGES.body("any"), MESSAGES.headers)
    assert heard.headers.text(b"anthropic-ratelimit-requests-reset") == told
    assert heard.headers.text(b"x-ratelimit-reset-requests") == said
    assert (heard.headers.text(b"x-request-id"), heard.headers.text(b"request-id")) == ("up-1", "req_1")


async def test_the_vendors_request_id_comes_with_its_refusal() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.http_error, 500, x_request_id="up-1"))
    heard = await play.ask("POST", RESPONSES.path, RESPONSES.body("any"))
    assert [value for name, value in heard.headers.raw if name == b"x-request-id"] == [b"up-1"]


class Fresh:
    """A body that nobody else holds."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    async def read(self, limit_bytes: int) -> bytes:
        filler = {"metadata": {"x": "y" * 2_000_000}}
        return json.dumps({**self._sample.body("any", stream=True), **filler}).encode()


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.name != "gemini"], ids=lambda sample: sample.name)
async def test_an_open_stream_does_not_hold_its_request(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(sse_reply(*sample.stream[: sample.first + 1], HANG))
    play.transport.keeps = False
    head = make_request("POST", sample.path, {}, sample.headers)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        responses = []
        for _ in range(10):
            request = Request(head.method, head.target, head.headers, Fresh(sample), head.peer)
            responses.append(await play.handler(request))
            del request
        await settle()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert [response.status for response in responses] == [200] * 10
    assert grown < 2_000_000, grown
    for response in responses:
        assert not isinstance(response.body, bytes)
        await response.body.aclose()  # type: ignore[attr-defined]
    assert play.transport.open == 0
