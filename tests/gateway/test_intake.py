"""Bodies on their way in: types, sizes, codings, forms, formats; and what goes on untouched."""

import gzip
import json
import zlib
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.config.schema import Settings
from llr.gateway.detect import detect
from llr.gateway.intake import tool_of
from llr.state.memory import MemoryStore
from llr.testing import Playbook, Reply, Wait, json_reply, reset, sse_reply
from llr.wire.http import Headers
from tests.gateway.samples import ANTHROPIC, CHAT, GEMINI, MESSAGES, RESPONSES, doc_for, error_message


def playing(settings: Settings | None = None) -> Playbook:
    play = Playbook(doc_for(CHAT, "a"), settings=settings)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    return play


def sent(play: Playbook) -> bytes:
    return b"".join(play.upstream("a.test").asked[-1].body)


async def test_only_the_model_changes_in_the_body() -> None:
    play = playing()
    body = b'{ "messages":[{"role":"user","content":"\\u00fc","model":"x"}] , "model" : "any","model":"any", "n":1 }'
    assert (await play.ask("POST", CHAT.path, body)).status == 200
    assert sent(play) == body.replace(b'"any"', b'"m"')


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"{} {}", 400),
        (b'{"model":NaN}', 400),
        (b'{"model":"any"}', 200),
        (b'\xef\xbb\xbf{"model":"any"}', 200),
        (b'{"model":"any","x":"\xff"}', 200),
        (b"", 500),
        (b" ", 500),
        (b'{"model":7}', 500),
        (b'{"model":" "}', 500),
        (b'{"model":"smart"}', 500),
        (b'{"model":"nobody/knows"}', 404),
        (b'{"model":"unknown"}', 404),
        (b'{"model":" any "}', 200),
    ],
)
async def test_bodies_and_models(body: bytes, status: int) -> None:
    heard = await playing().ask("POST", CHAT.path, body)
    assert heard.status == status, heard.body
    if status == 400:
        assert "Invalid JSON" in heard.json["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/vnd.api+json", 200),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 200),
    ],
)
async def test_content_types(kind: str, status: int) -> None:
    headers = {"content-type": kind} if kind else {}
    heard = await playing().ask("POST", CHAT.path, b'{"model":"any"}', headers)
    assert heard.status == status


async def test_the_cap_counts_unpacked_bytes_and_names_its_knob() -> None:
    body = json.dumps({"model": "any", "x": "y" * 5000}).encode()
    for data, headers in ((body, {}), (gzip.compress(body), {"content-encoding": "gzip"})):
        play = playing(Settings(max_body_bytes=4096))
        heard = await play.ask("POST", CHAT.path, data, headers)
        assert heard.status == 413
        assert "4096" in heard.json["error"]["message"]
        assert "LLM_ROUTER_MAX_REQUEST_BODY_BYTES" in heard.json["error"]["message"]
        assert play.transport.seen == []


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_packed_bodies_are_unpacked_before_they_go_on(name: str, pack: Any) -> None:
    play = playing()
    heard = await play.ask("POST", CHAT.path, pack(b'{"model":"any"}'), {"content-encoding": name})
    assert heard.status == 200
    assert sent(play) == b'{"model":"m"}'
    assert b"content-encoding" not in dict(play.upstream("a.test").asked[0].headers)


async def test_zstd_is_refused_with_the_clients_switch() -> None:
    heard = await playing().ask("POST", CHAT.path, b"\x28\xb5\x2f\xfd", {"content-encoding": "zstd"})
    assert heard.status in (400, 415)
    if heard.status == 415:
        assert "features.enable_request_compression" in heard.json["error"]["message"]


FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nany\r\n--b\r\n'
    b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n\x00\xff\r\n--b--\r\n'
)


async def test_a_form_goes_through_with_its_model_replaced() -> None:
    play = playing()
    kind = "multipart/form-data; boundary=b"
    heard = await play.ask("POST", "/v1/audio/transcriptions", FORM, {"content-type": kind})
    assert heard.status == 200
    request = play.upstream("a.test").asked[0]
    assert request.target == "/v1/audio/transcriptions"
    assert dict(request.headers)[b"content-type"] == kind.encode()
    assert sent(play) == FORM.replace(b"any", b"m")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/embeddings", "/v1/embeddings"),
        ("/openai/v1/images/generations", "/v1/images/generations"),
        ("/v1/rerank?x=1&key=secret", "/v1/rerank?x=1"),
        ("/v1/brand/new", "/v1/brand/new"),
        ("/v1/moderations/", "/v1/moderations"),
        ("/v1/responses/compact", "/v1/responses/compact"),
    ],
)
async def test_other_calls_go_through_with_the_model_resolved(path: str, target: str) -> None:
    play = playing()
    play.upstream("a.test").answers(json_reply({"data": [1], "usage": {"prompt_tokens": 3}}))
    heard = await play.ask("POST", path, {"model": "any", "input": "x"})
    assert (heard.status, heard.json["data"]) == (200, [1])
    assert play.upstream("a.test").asked[0].target == target
    assert play.upstream("a.test").bodies[0]["model"] == "m"


async def test_calls_that_cannot_be_translated_say_so() -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    heard = await play.ask("POST", "/v1/embeddings", {"model": "any", "input": "x"})
    assert heard.status == 400
    assert "format-incompatible" in heard.json["error"]["message"]
    assert heard.json["error"]["type"] == "invalid_request_error"


async def test_bytes_that_nobody_understands_are_handed_through() -> None:
    play = playing()
    play.upstream("a.test").answers(Reply(200, [("content-type", "audio/mpeg")], [b"\xff\xfb", b"\x00{", b"x"]))
    heard = await play.ask("POST", "/v1/audio/speech", {"model": "any", "input": "x"})
    assert (heard.body, heard.headers.text(b"content-type")) == (b"\xff\xfb\x00{x", "audio/mpeg")
    play.upstream("a.test").answers(Reply(200, [("content-type", "audio/mpeg")], [b"\xff\xfb", reset()]))
    heard = await play.ask("POST", "/v1/audio/speech", {"model": "any", "input": "x"})
    assert heard.broken
    assert play.transport.open == 0


async def test_a_large_plain_answer_is_streamed_on() -> None:
    play = playing()
    piece = b'{"x":"' + b"y" * 1_000_000
    play.upstream("a.test").answers(Reply(200, [("content-type", "application/json")], [piece] * 10 + [b'"}']))
    heard = await play.ask("POST", "/v1/embeddings", {"model": "any"})
    assert len(heard.body) == 10 * len(piece) + 2
    assert play.transport.open == 0


async def test_other_calls_do_not_count_against_a_model() -> None:
    play = playing()
    play.upstream("a.test").answers(json_reply({"error": {"message": "no such endpoint"}}, 404))
    assert (await play.ask("POST", "/v1/rerank", {"model": "any"})).status == 404
    assert not (await play.store.everything(now=play.clock.now())).health


DETECTED: list[tuple[dict[str, Any], FormatId]] = [
    ({}, FormatId.MESSAGES),
    ({"messages": [{"role": "user", "content": "hi"}]}, FormatId.MESSAGES),
    ({"messages": [], "anthropic_version": "x", "n": 1}, FormatId.MESSAGES),
    ({"messages": [], "max_completion_tokens": None}, FormatId.CHAT),
    ({"messages": [], "response_format": {}}, FormatId.CHAT),
    ({"messages": [], "n": None}, FormatId.CHAT),
    ({"messages": [], "tools": [{"input_schema": {}}, {"type": "function"}]}, FormatId.MESSAGES),
    ({"messages": [], "tools": [{"type": "function"}, {"input_schema": {}}]}, FormatId.CHAT),
    ({"messages": [], "tool_choice": "required"}, FormatId.CHAT),
    ({"messages": [], "tool_choice": {"type": "any"}}, FormatId.MESSAGES),
    ({"messages": [], "tool_choice": {"type": "function"}}, FormatId.CHAT),
    ({"messages": [{"role": "tool"}]}, FormatId.CHAT),
    ({"messages": [{"role": "assistant", "tool_calls": []}]}, FormatId.CHAT),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, FormatId.MESSAGES),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, FormatId.CHAT),
    ({"messages": [], "system": "x", "seed": 1}, FormatId.MESSAGES),
    ({"messages": [{"role": "system"}]}, FormatId.CHAT),
    ({"messages": [{"role": "developer"}]}, FormatId.CHAT),
    ({"messages": [{"role": "system"}], "system": "x"}, FormatId.MESSAGES),
    ({"messages": [], "stream_options": {}}, FormatId.CHAT),
    ({"messages": [], "seed": 1}, FormatId.CHAT),
    ({"messages": [{"role": "system"}], "stop_sequences": []}, FormatId.MESSAGES),
    ({"messages": [], "thinking": {}}, FormatId.MESSAGES),
    ({"input": "x"}, FormatId.RESPONSES),
    ({"instructions": "x"}, FormatId.RESPONSES),
    ({"previous_response_id": "x"}, FormatId.RESPONSES),
    ({"prompt": "x"}, FormatId.COMPLETIONS),
    ({"contents": []}, FormatId.GEMINI),
]


@pytest.mark.parametrize(("body", "expected"), DETECTED)
def test_the_format_of_a_unified_request(body: dict[str, Any], expected: FormatId) -> None:
    assert detect(Headers(), body) is expected


def test_headers_decide_first() -> None:
    version = Headers([(b"anthropic-version", b"2023-06-01")])
    assert detect(version, {"messages": [], "n": 1}) is FormatId.MESSAGES
    named = Headers([(b"x-llm-router-format", b"openai-responses"), (b"anthropic-version", b"x")])
    assert detect(named, {}) is FormatId.RESPONSES
    assert detect(Headers([(b"x-llm-router-format", b"nonsense")]), {"n": 1}) is FormatId.CHAT


async def test_unified_requests_are_answered_in_the_format_they_speak() -> None:
    for sample in (CHAT, MESSAGES, RESPONSES):
        play = Playbook(doc_for(sample, "a"))
        play.upstream("a.test").answers(json_reply(sample.answer))
        body = {**sample.body("any"), **({"n": 1} if sample is CHAT else {})}
        heard = await play.ask("POST", "/route", body)
        assert heard.json == sample.answer
        assert play.upstream("a.test").asked[0].target == sample.upstream_path


@pytest.mark.parametrize(("stream", "asked"), [(True, True), ("true", False), (1, False), (False, False)])
async def test_messages_streams_only_for_a_literal_true(stream: Any, asked: bool) -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply(MESSAGES.answer))
    await play.ask("POST", MESSAGES.path, {**MESSAGES.body("any"), "stream": stream}, ANTHROPIC)
    assert play.observer.started[-1].stream is asked


def test_coding_tools_are_known_by_their_headers() -> None:
    def tool(name: str, value: str) -> str:
        return tool_of(Headers([(name.encode(), value.encode())]))

    assert tool("originator", "codex_cli_rs") == "codex"
    assert tool("user-agent", "codex_exec/0.1") == "codex"
    assert tool("user-agent", "claude-cli/2.1.197 (external, cli)") == "claude-code"
    assert tool("user-agent", "curl/8") == ""


async def test_a_gemini_body_on_a_unified_endpoint() -> None:
    for stream in (False, True):
        play = Playbook(doc_for(GEMINI, "a"))
        play.upstream("a.test").answers(sse_reply(*GEMINI.stream) if stream else json_reply(GEMINI.answer))
        heard = await play.ask("POST", "/route", {"model": "any", "stream": stream, **GEMINI.request})
        assert heard.status == 200
        request = play.upstream("a.test").asked[0]
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        assert request.target == f"/v1beta/models/m:{verb}"
        assert play.upstream("a.test").bodies[0] == GEMINI.request


async def test_other_calls_have_no_silence_rule_even_when_they_stream() -> None:
    play = playing()
    reply = Reply(200, [("content-type", "audio/mpeg")], [b"\xff\xfb"], [Wait(30)])
    play.upstream("a.test").answers(reply)
    asking = await play.open("POST", "/v1/audio/speech", {"model": "any", "stream": True})
    await play.clock.advance(31)
    heard = await asking.heard()
    assert (heard.headers.text(b"content-type"), heard.body) == ("audio/mpeg", b"\xff\xfb")


class BrokenStore(MemoryStore):
    """A store with a fault in it."""

    async def apply(self, ops: Any, *, now: float) -> tuple[bool, ...]:
        raise ZeroDivisionError("secret detail")


async def test_a_surprise_is_an_internal_error_with_an_id_and_no_detail(caplog: pytest.LogCaptureFixture) -> None:
    for sample in (CHAT, MESSAGES, GEMINI):
        play = Playbook(doc_for(sample, "a"), store=BrokenStore())
        play.upstream("a.test").answers(json_reply(sample.answer))
        heard = await play.ask("POST", sample.target("any"), sample.body("any"), sample.headers)
        assert heard.status == 500
        assert "req_1" in error_message(sample, heard)
        assert "secret detail" not in heard.body.decode()
        assert play.transport.open == 0
    assert "req_1" in caplog.text


class CountingStore(MemoryStore):
    """A store that counts how often it is written."""

    writes = 0

    async def apply(self, ops: Any, *, now: float) -> tuple[bool, ...]:
        self.writes += 1
        return await super().apply(ops, now=now)


async def test_successes_in_a_row_clear_a_record_once_and_a_failure_between_is_cleared_again() -> None:
    store = CountingStore()
    play = Playbook(doc_for(CHAT, "a"), store=store)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    for _ in range(5):
        await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert store.writes == 1
    play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, 500))
    await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert (await store.everything(now=play.clock.now())).health
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert not (await store.everything(now=play.clock.now())).health
    await play.clock.advance(2)
    writes = store.writes
    await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert store.writes == writes + 1
