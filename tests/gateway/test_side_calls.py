"""Counting, stored responses, explanations, debug fields, arrays."""

import json
from typing import Any

import pytest

from llr.config.schema import Settings
from llr.testing import HANG, Playbook, Reply, Wait, json_reply, refused, reset, sse_reply
from tests.gateway.samples import ANTHROPIC, CHAT, GEMINI, MESSAGES, RESPONSES, Sample, doc_for

COUNTING = [
    (MESSAGES, "/v1/messages/count_tokens", "/v1/messages/count_tokens", "input_tokens"),
    (RESPONSES, "/v1/responses/input_tokens", "/v1/responses/input_tokens", "input_tokens"),
    (GEMINI, "/v1beta/models/any:countTokens", "/v1beta/models/m:countTokens", "totalTokens"),
]


@pytest.mark.parametrize(("sample", "path", "target", "field"), COUNTING, ids=["messages", "responses", "gemini"])
async def test_a_native_counter_is_asked_once_per_body(sample: Sample, path: str, target: str, field: str) -> None:
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(json_reply({field: 321}))
    for _ in range(3):
        heard = await play.ask("POST", path, sample.body("any"), sample.headers)
        assert (heard.status, heard.json[field]) == (200, 321)
    assert [request.target for request in play.upstream("a.test").asked] == [target]


@pytest.mark.parametrize(("sample", "path", "target", "field"), COUNTING, ids=["messages", "responses", "gemini"])
@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": {"message": "no such endpoint"}}, 404),
        json_reply({"input_tokens": 0, "totalTokens": 0}),
        json_reply({"error": {"message": "oops"}}, 500),
        Reply(before=[refused()]),
        Reply(200, [("content-type", "text/html")], [b"<html>"]),
    ],
)
async def test_otherwise_an_estimate_never_zero_blaming_nobody(
    sample: Sample, path: str, target: str, field: str, reply: Reply
) -> None:
    made = doc_for(sample, "a")
    bucket = {"id": "b", "models": ["all"], "requests": 1, "window": {"unit": "day", "size": 1}}
    made["providers"][0]["rateLimits"] = [bucket]
    play = Playbook(made)
    play.upstream("a.test").answers(reply)
    for _ in range(3):
        heard = await play.ask("POST", path, sample.body("any"), sample.headers)
        assert heard.status == 200
        assert heard.json[field] >= 1
    state = await play.store.everything(now=play.clock.now())
    assert not state.health
    assert not state.usage
    assert play.transport.open == 0


async def test_a_missing_counter_is_asked_only_once() -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "?"}}, 404))
    for number in range(3):
        body = {**MESSAGES.body("any"), "system": str(number)}
        await play.ask("POST", "/v1/messages/count_tokens", body, ANTHROPIC)
    assert len(play.upstream("a.test").asked) == 1


async def test_counting_never_takes_longer_than_two_seconds() -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(Reply(before=[HANG]))
    asking = await play.open("POST", "/v1/messages/count_tokens", MESSAGES.body("any"), ANTHROPIC)
    await play.clock.advance(2.1)
    assert (await asking.heard()).json["input_tokens"] >= 1


async def test_another_vendors_model_is_estimated_and_the_estimate_learns() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    body = {"model": "any", "max_tokens": 9, "messages": [{"role": "user", "content": "word " * 400}], "tools": []}
    first = (await play.ask("POST", "/v1/messages/count_tokens", body, ANTHROPIC)).json["input_tokens"]
    assert 300 < first < 700
    usage = {"prompt_tokens": 2 * first, "completion_tokens": 1}
    play.upstream("a.test").answers(json_reply({**CHAT.answer, "usage": usage}))
    await play.ask("POST", "/v1/messages", body, ANTHROPIC)
    second = (await play.ask("POST", "/v1/messages/count_tokens", body, ANTHROPIC)).json["input_tokens"]
    assert second == pytest.approx(2 * first, rel=0.05)


async def test_an_unknown_model_cannot_be_counted() -> None:
    heard = await Playbook(doc_for(MESSAGES, "a")).ask("POST", "/v1/messages/count_tokens", {"model": "no/body"})
    assert (heard.status, heard.json["type"]) == (404, "error")


async def test_a_stored_response_is_looked_up_where_it_was_made() -> None:
    for stream in (False, True):
        play = Playbook(doc_for(RESPONSES, "a", "b"))
        play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, 500))
        play.upstream("b.test").answers(sse_reply(*RESPONSES.stream) if stream else json_reply(RESPONSES.answer))
        await play.ask("POST", f"{RESPONSES.path}?key=x", RESPONSES.body("any", stream=stream))
        play.upstream("b.test").answers(json_reply({"id": "resp_1"}))
        calls = [
            ("GET", "?key=x"),
            ("DELETE", "?key=x"),
            ("POST", "/cancel?key=x"),
            ("GET", "/input_items?limit=2&key=x"),
        ]
        for method, rest in calls:
            heard = await play.ask(method, f"/v1/responses/resp_1{rest}")
            assert (heard.status, heard.json) == (200, {"id": "resp_1"})
        asked = [(request.method, request.target) for request in play.upstream("b.test").asked[1:]]
        expected = [
            (method, f"/v1/responses/resp_1{rest.replace('&key=x', '').replace('?key=x', '')}")
            for method, rest in calls
        ]
        assert asked == expected
        assert all(not request.body for request in play.upstream("b.test").asked if request.method == "GET")


async def test_a_response_nobody_here_issued_is_not_found() -> None:
    heard = await Playbook(doc_for(RESPONSES, "a")).ask("GET", "/v1/responses/resp_x")
    assert heard.status == 404
    assert "resp_x" in heard.json["error"]["message"]


async def test_a_follow_up_goes_to_who_issued_the_response_before() -> None:
    play = Playbook(doc_for(RESPONSES, "a", "b"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, 500))
    play.upstream("b.test").answers(json_reply(RESPONSES.answer))
    await play.ask("POST", RESPONSES.path, RESPONSES.body("any"))
    play.upstream("a.test").answers(json_reply(RESPONSES.answer))
    await play.ask("POST", RESPONSES.path, {**RESPONSES.body("any"), "previous_response_id": "resp_1"})
    assert len(play.upstream("b.test").asked) == 2


async def test_explain_says_where_a_request_would_go_and_calls_nobody() -> None:
    made = doc_for(MESSAGES, "a")
    made["providers"] += doc_for(CHAT, "b")["providers"]
    made["modelAliases"]["any"]["targets"] += ["b/m"]
    play = Playbook(made)
    body = {"messages": [{"role": "user", "content": "hi"}], "logprobs": True}
    heard = await play.ask("POST", "/llr/explain", {"model": "any", "format": "openai", "body": body})
    assert heard.status == 200
    rows = {row["candidate"]: row for row in heard.json["candidates"]}
    assert [row["position"] for row in rows.values()] == [1, 2]
    assert rows["a/m"]["translated"] is True
    assert any("logprobs" in loss["path"] for loss in rows["a/m"]["losses"])
    assert rows["b/m"]["losses"] == []
    assert play.transport.seen == []
    assert (await play.ask("POST", "/llr/explain", {"model": "any"})).json["routeRef"] == "any"
    assert (await play.ask("POST", "/llr/explain", {"model": "zzz"})).status == 404
    assert (await play.ask("POST", "/llr/explain", {"model": "any", "format": "x"})).status == 400


async def test_explain_says_whether_a_body_fits_also_where_there_is_no_choice() -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0]["models"] = [{"id": "m", "contextWindow": 2_000}]
    body = {"model": "a/m", "messages": [{"role": "user", "content": "x" * 9_000}]}
    heard = await Playbook(made).ask("POST", "/llr/explain", {"body": body, "format": "openai"})
    assert heard.json["contextRequired"] > 3_000
    assert heard.json["candidates"][0]["fit"] == "too-small"


DEBUG = Settings(debug_routing=True, retry_attempts=1)


async def test_debug_fields_tell_the_way() -> None:
    for stream in (False, True):
        play = Playbook(doc_for(CHAT, "a", "b"), settings=DEBUG)
        play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, 500))
        play.upstream("b.test").answers(sse_reply(*CHAT.stream) if stream else json_reply(CHAT.answer))
        body = {**CHAT.body("any", stream=stream), "tools": [{"type": "function"}, {"type": "web_search"}]}
        heard = await play.ask("POST", CHAT.path, body)
        fields = {name.removeprefix(b"x-llm-router-"): heard.headers.text(name) for name in heard.headers.names()}
        assert fields[b"requested-model"] == "any"
        assert fields[b"route-type"] == "alias"
        assert fields[b"route-ref"] == "any"
        assert fields[b"route-strategy"] == "ordered"
        assert fields[b"selected-candidate"] == "b/m"
        assert fields[b"attempts"] == "a/m:500/temporary_error#1,b/m:200/ok#1"
        assert fields[b"tool-types"] == "web_search"


async def test_debug_fields_on_failures_and_lossy_translations() -> None:
    play = Playbook(doc_for(MESSAGES, "a"), settings=DEBUG)
    play.upstream("a.test").answers(Reply(before=[refused()]))
    heard = await play.ask("POST", MESSAGES.path, MESSAGES.body("any"))
    assert heard.headers.text(b"x-llm-router-attempts") == "a/m:error/network_error#1"
    assert heard.headers.text(b"x-llm-router-selected-candidate") == "a/m"
    play.upstream("a.test").answers(json_reply(MESSAGES.answer))
    heard = await play.ask("POST", CHAT.path, {**CHAT.body("any"), "logprobs": True})
    assert "logprobs" in heard.headers.text(b"x-llm-router-dropped")
    assert heard.headers.text(b"x-llm-router-usage") == "estimated"


async def test_nothing_of_it_with_debugging_off() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.answer, x_llm_router_attempts="spoofed"))
    heard = await play.ask("POST", CHAT.path, CHAT.body("any"))
    assert not [name for name in heard.headers.names() if name.startswith(b"x-llm-router-")]


def array_target(upstream: Any = None) -> str:
    return "/v1beta/models/any:streamGenerateContent"


async def test_a_gemini_stream_without_sse_is_one_array() -> None:
    for sample in (GEMINI, CHAT):
        play = Playbook(doc_for(sample, "a"))
        play.upstream("a.test").answers(sse_reply(*sample.stream))
        heard = await play.ask("POST", array_target(), GEMINI.request, GEMINI.headers)
        assert heard.headers.text(b"content-type") == "application/json"
        assert "Hello" in json.dumps(heard.json)
        assert heard.json[-1]["candidates"][0]["finishReason"] == "STOP"
        if sample is GEMINI:
            assert play.upstream("a.test").asked[0].target.endswith(":streamGenerateContent?alt=sse")
            assert heard.json == [json.loads(event[6:]) for event in GEMINI.stream]


async def test_an_array_that_breaks_ends_in_an_error_element() -> None:
    play = Playbook(doc_for(GEMINI, "a"))
    play.upstream("a.test").answers(sse_reply(*GEMINI.stream[:2], reset()))
    heard = await play.ask("POST", array_target(), GEMINI.request, GEMINI.headers)
    assert "error" in heard.json[-1]


async def test_pings_between_the_elements_of_an_array_are_white_space() -> None:
    play = Playbook(doc_for(GEMINI, "a"))
    play.upstream("a.test").answers(sse_reply(*GEMINI.stream[:2], Wait(40), *GEMINI.stream[2:]))
    asking = await play.open("POST", array_target(), GEMINI.request, GEMINI.headers)
    await play.clock.advance(41)
    heard = await asking.heard()
    assert len(heard.json) == len(GEMINI.stream)
    assert b"\n" in heard.chunks
    play.upstream("a.test").answers(Reply(before=[Wait(40)], status=200, steps=GEMINI.stream))
    asking = await play.open("POST", array_target(), GEMINI.request, GEMINI.headers)
    await play.clock.advance(41)
    assert len((await asking.heard()).json) == len(GEMINI.stream)


@pytest.mark.parametrize(
    ("peer", "told"), [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("", True), ("192.0.2.1", False)]
)
async def test_only_this_machine_may_ask_how_one_request_was_routed(peer: str, told: bool) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    headers = {"x-llm-router-debug": "true", "host": "127.0.0.1"}
    heard = await play.ask("POST", CHAT.path, CHAT.body("any"), headers, peer=peer)
    assert heard.status == 200
    assert (b"x-llm-router-attempts" in heard.headers) == told
    assert b"x-llm-router-debug" not in dict(play.upstream("a.test").asked[0].headers)


async def test_only_a_provider_of_responses_compacts() -> None:
    body = {"model": "any", "input": "long"}
    made = doc_for(CHAT, "a")
    made["providers"][0]["format"] = "openai-chat"
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply({"object": "response.compaction", "output": []}))
    heard = await play.ask("POST", "/v1/responses/compact", body)
    assert heard.status in (400, 404)
    assert heard.json["error"]["message"]
    assert play.transport.seen == []
    play = Playbook(doc_for(RESPONSES, "a"))
    play.upstream("a.test").answers(json_reply({"object": "response.compaction", "output": []}))
    assert (await play.ask("POST", "/v1/responses/compact", body)).json["object"] == "response.compaction"


async def test_what_we_remember_ourselves_costs_nothing_in_strict_mode() -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0].update(format="openai-chat", metadata={"llr": {"strict": True}})
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    first = await play.ask("POST", RESPONSES.path, {"model": "any", "input": "one"})
    follow = {"model": "any", "input": "two", "previous_response_id": first.json["id"]}
    assert (await play.ask("POST", RESPONSES.path, follow)).status == 200
    assert all(not attempt.losses for attempt in play.observer.attempts)
