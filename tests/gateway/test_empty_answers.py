"""Number 18 of the list of forty: an answer without a word is tried elsewhere; where nobody says more, it is shown."""

import json
from typing import Any

import pytest

from llr.config.schema import Settings
from llr.gateway.attempt import LATE_S
from llr.testing import HANG, Playbook, Reply, Wait, json_reply, sse_reply
from tests.gateway.samples import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    Sample,
    ask,
    doc_for,
    doc_speaking,
    event,
    full_answer,
    text_of,
)

UPSTREAMS = (CHAT, MESSAGES, RESPONSES, GEMINI)
FORMATS = pytest.mark.parametrize("sample", UPSTREAMS, ids=lambda sample: sample.name)
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
FOREIGN = pytest.mark.parametrize(
    ("client", "sample"),
    [(one, two) for one in UPSTREAMS for two in UPSTREAMS if one is not two],
    ids=lambda sample: sample.name,
)


def chat(content: Any = "", finish: Any = "stop", tokens: int | None = None, **said: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **said}, "finish_reason": finish}
    usage = {} if tokens is None else {"usage": {"prompt_tokens": 7, "completion_tokens": tokens}}
    return {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice], **usage}


def messages(*content: Any, finish: Any = "end_turn", tokens: int | None = None) -> dict[str, Any]:
    usage = {"input_tokens": 7} | ({} if tokens is None else {"output_tokens": tokens})
    start = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    return {**start, "content": [*content], "stop_reason": finish, "usage": usage}


def responses(*output: Any, tokens: int | None = None, **more: Any) -> dict[str, Any]:
    usage = {} if tokens is None else {"usage": {"input_tokens": 7, "output_tokens": tokens, "total_tokens": 7}}
    base = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "error": None}
    return {**base, "output": [*output], **usage, **more}


def gemini(*parts: Any, finish: Any = "STOP", tokens: int | None = None) -> dict[str, Any]:
    usage = {"promptTokenCount": 7} | ({} if tokens is None else {"candidatesTokenCount": tokens})
    candidate = {"index": 0, "content": {"role": "model", "parts": [*parts]}, "finishReason": finish}
    return {"candidates": [candidate], "usageMetadata": usage}


_TEXT = {"type": "output_text", "text": "", "annotations": []}
_ITEM = {"type": "message", "id": "i1", "role": "assistant", "status": "completed", "content": [_TEXT]}
EMPTY: dict[str, dict[str, Any]] = {
    "chat": chat(tokens=0),
    "messages": messages({"type": "text", "text": ""}, tokens=0),
    "responses": responses(_ITEM, tokens=0),
    "gemini": gemini({"text": ""}),
}


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return event({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _named(kind: str, **more: Any) -> bytes:
    return event({"type": kind, **more}, kind)


CHAT_STREAM = [_chunk({"role": "assistant", "content": ""}), _chunk({}, "stop")]
MESSAGES_STREAM = [
    _named("message_start", message={**messages(), "stop_reason": None}),
    _named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    _named("content_block_stop", index=0),
    _named("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 0}),
]
_AT = {"output_index": 0, "item_id": "i1", "content_index": 0}
RESPONSES_STREAM = [
    _named("response.created", response=responses(status="in_progress")),
    _named("response.output_item.added", output_index=0, item={**_ITEM, "content": [], "status": "in_progress"}),
    _named("response.content_part.added", **_AT, part=_TEXT),
    _named("response.output_text.done", **_AT, text=""),
    _named("response.content_part.done", **_AT, part=_TEXT),
    _named("response.output_item.done", output_index=0, item=_ITEM),
    _named("response.completed", response=responses(_ITEM, tokens=0)),
]
STREAMS: dict[str, list[bytes]] = {
    "chat": [*CHAT_STREAM, b"data: [DONE]\n\n"],
    "messages": [*MESSAGES_STREAM, _named("message_stop")],
    "responses": RESPONSES_STREAM,
    "gemini": [event(gemini({"text": ""}))],
}


def empty(sample: Sample, *, stream: bool) -> Reply:
    return sse_reply(*STREAMS[sample.name]) if stream else json_reply(EMPTY[sample.name])


def full(sample: Sample, *, stream: bool) -> Reply:
    return sse_reply(*sample.stream) if stream else json_reply(full_answer(sample))


def attempts(play: Playbook) -> list[tuple[str, str]]:
    return [(one.ref, getattr(one.verdict, "category", "ok")) for one in play.observer.attempts]


@STREAMED
@FORMATS
async def test_peer_18_an_empty_answer_goes_to_the_next_candidate(sample: Sample, stream: bool) -> None:
    play = Playbook(doc_speaking(sample, "a", "b"))
    play.upstream("a.test").answers(empty(sample, stream=stream))
    play.upstream("b.test").answers(full(sample, stream=stream))
    for asked in (1, 2):
        heard = await ask(play, sample, stream=stream)
        assert heard.status == 200
        assert heard.body == (b"".join(sample.stream) if stream else json.dumps(full_answer(sample)).encode())
        assert len(play.upstream("a.test").asked) == asked, "it cools nothing: the next request begins there again"
    assert attempts(play) == [("a/m", "empty_answer"), ("b/m", "ok")] * 2
    assert (await play.store.everything(now=play.clock.now())).health == {}
    assert play.transport.open == 0


@STREAMED
@FORMATS
async def test_peer_18_the_last_candidates_empty_answer_is_shown_as_it_came(sample: Sample, stream: bool) -> None:
    play = Playbook(doc_speaking(sample, "a"))
    play.upstream("a.test").answers(empty(sample, stream=stream))
    heard = await ask(play, sample, stream=stream)
    assert heard.status == 200
    assert heard.body == (b"".join(STREAMS[sample.name]) if stream else json.dumps(EMPTY[sample.name]).encode())
    (finished,) = play.observer.finished
    assert (finished.end, finished.ref, finished.attempts) == ("complete", "a/m", 1)
    assert play.transport.open == 0


@STREAMED
@FOREIGN
async def test_peer_18_the_last_candidates_empty_answer_is_translated(
    client: Sample, sample: Sample, stream: bool
) -> None:
    play = Playbook(doc_speaking(sample, "a"))
    play.upstream("a.test").answers(empty(sample, stream=stream))
    heard = await ask(play, client, stream=stream)
    assert heard.status == 200
    assert play.observer.finished[0].end == "complete"
    if not stream:
        parts = heard.json.get("candidates", [{}])[0].get("content", {}).get("parts")
        assert parts in (None, []) or text_of(client, heard.json) == ""
        return
    assert not client.says_error(heard.body)
    assert client.closing.replace(b'": "', b'":"') in heard.body.replace(b'": "', b'":"')


@STREAMED
async def test_peer_18_an_empty_answer_is_shown_before_any_failure(stream: bool) -> None:
    play = Playbook(doc_for(CHAT, "a", "b", "c"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "busy"}}, 429))
    play.upstream("b.test").answers(empty(CHAT, stream=stream))
    play.upstream("c.test").answers(json_reply({"error": {"message": "no such field"}}, 400))
    heard = await ask(play, CHAT, stream=stream, x_llm_router_debug="1")
    assert heard.status == 200
    assert attempts(play) == [("a/m", "rate_limited"), ("b/m", "empty_answer"), ("c/m", "invalid_request")]
    (finished,) = play.observer.finished
    assert (finished.ref, finished.attempts, finished.failed_refs) == ("b/m", 3, ("a/m", "c/m"))


async def test_peer_18_a_plain_answer_read_from_events_is_judged_too() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(empty(CHAT, stream=True))
    play.upstream("b.test").answers(full(CHAT, stream=False))
    assert text_of(CHAT, (await ask(play, CHAT)).json) == "hi"
    play.upstream("a.test").answers(empty(CHAT, stream=False))
    play.upstream("b.test").answers(full(CHAT, stream=True))
    assert (await ask(play, CHAT, stream=True)).body == b"".join(CHAT.stream)


async def test_peer_18_a_users_rule_may_have_it_tried_again_or_stop() -> None:
    for action, asked in (("retry", 2), ("stop", 1)):
        rule = {"contains": "empty answer", "action": action}
        doc = doc_for(CHAT, "a", "b") | {"metadata": {"llr": {"failureRules": [rule]}}}
        play = Playbook(doc, settings=Settings(retry_attempts=2))
        play.upstream("a.test").answers(empty(CHAT, stream=False))
        play.upstream("b.test").answers(full(CHAT, stream=False))
        asking = await play.open("POST", CHAT.path, CHAT.body("any"))
        await play.clock.advance(10)
        heard = await asking.heard()
        assert heard.status == 200
        assert len(play.upstream("a.test").asked) == asked
        assert len(play.upstream("b.test").asked) == (action == "retry")


async def test_peer_18_slots_are_free_after_an_empty_answer() -> None:
    doc = doc_for(CHAT, "a")
    doc["providers"][0]["metadata"] = {"llr": {"maxConcurrency": 1}}
    play = Playbook(doc)
    play.upstream("a.test").answers(empty(CHAT, stream=False))
    for _ in range(3):
        assert (await ask(play, CHAT)).status == 200
    assert (await play.store.everything(now=play.clock.now())).leases == {}


CALL: dict[str, Any] = {"tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}]}
SAYS: list[tuple[Sample, dict[str, Any]]] = [
    (CHAT, chat(tokens=1)),
    (CHAT, chat(finish="length")),
    (CHAT, chat(finish="content_filter")),
    (CHAT, chat(None, "tool_calls", **CALL)),
    (CHAT, chat(None, **CALL)),
    (CHAT, chat(None, refusal="no")),
    (CHAT, chat("", reasoning_content="hm")),
    (MESSAGES, messages(tokens=2)),
    (MESSAGES, messages(finish="max_tokens", tokens=0)),
    (MESSAGES, messages(finish="stop_sequence", tokens=0)),
    (MESSAGES, messages(finish="refusal", tokens=0)),
    (MESSAGES, messages(finish="pause_turn", tokens=0)),
    (MESSAGES, messages({"type": "tool_use", "id": "t1", "name": "f", "input": {}})),
    (MESSAGES, messages({"type": "thinking", "thinking": "", "signature": "s"})),
    (RESPONSES, responses(tokens=3)),
    (RESPONSES, responses(status="incomplete", incomplete_details={"reason": "max_output_tokens"})),
    (RESPONSES, responses({"type": "function_call", "id": "f1", "call_id": "t1", "name": "f", "arguments": ""})),
    (RESPONSES, responses({"type": "reasoning", "id": "r1", "summary": []})),
    (RESPONSES, responses({**_ITEM, "content": [{"type": "refusal", "refusal": "no"}]})),
    (GEMINI, gemini(tokens=4)),
    (GEMINI, gemini(finish="MAX_TOKENS")),
    (GEMINI, gemini(finish="SAFETY")),
    (GEMINI, gemini({"functionCall": {"name": "f", "args": {}}})),
    (GEMINI, gemini({"text": "", "thoughtSignature": "c2ln"})),
    (GEMINI, {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7}}),
]


@pytest.mark.parametrize(("sample", "answer"), SAYS)
async def test_peer_18_what_says_something_is_an_answer(sample: Sample, answer: dict[str, Any]) -> None:
    play = Playbook(doc_speaking(sample, "a", "b"))
    play.upstream("a.test").answers(json_reply(answer))
    heard = await ask(play, sample)
    assert (heard.status, heard.body) == (200, json.dumps(answer).encode())
    assert play.upstream("b.test").asked == []


NOTHING: list[tuple[Sample, dict[str, Any]]] = [
    (CHAT, chat(None, None)),
    (CHAT, {"id": "c1", "choices": []}),
    (MESSAGES, messages()),
    (MESSAGES, messages(finish=None, tokens=0)),
    (RESPONSES, responses()),
    (RESPONSES, responses({**_ITEM, "content": []})),
    (GEMINI, gemini()),
    (GEMINI, {"usageMetadata": {"promptTokenCount": 7}}),
    (GEMINI, {"candidates": []}),
]


@pytest.mark.parametrize(("sample", "answer"), NOTHING)
async def test_peer_18_what_says_nothing_is_none(sample: Sample, answer: dict[str, Any]) -> None:
    play = Playbook(doc_speaking(sample, "a", "b"))
    play.upstream("a.test").answers(json_reply(answer))
    play.upstream("b.test").answers(full(sample, stream=False))
    assert text_of(sample, (await ask(play, sample)).json) in ("hi", "Hello")


USED = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
SHOWN: list[tuple[Sample, list[bytes]]] = [
    (CHAT, [*CHAT_STREAM, event(USED), b"data: [DONE]\n\n"]),
    (CHAT, [CHAT_STREAM[0], _chunk({}, "length"), b"data: [DONE]\n\n"]),
    (
        MESSAGES,
        [
            MESSAGES_STREAM[0],
            _named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2}),
            _named("message_stop"),
        ],
    ),
    (RESPONSES, [RESPONSES_STREAM[0], _named("response.completed", response=responses(tokens=3))]),
    (RESPONSES, [RESPONSES_STREAM[0], _named("response.incomplete", response=responses(status="incomplete"))]),
    (GEMINI, [event(gemini(tokens=4))]),
    (GEMINI, [event(gemini(finish="SAFETY"))]),
]


@pytest.mark.parametrize(("sample", "stream"), SHOWN)
async def test_peer_18_a_stream_that_ends_for_a_reason_or_counted_tokens_is_an_answer(
    sample: Sample, stream: list[bytes]
) -> None:
    play = Playbook(doc_speaking(sample, "a", "b"))
    play.upstream("a.test").answers(sse_reply(*stream))
    heard = await ask(play, sample, stream=True)
    assert (heard.status, heard.body) == (200, b"".join(stream))
    assert play.upstream("b.test").asked == []


async def test_peer_18_nobody_waits_long_for_the_end_of_an_empty_stream() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(sse_reply(*CHAT_STREAM, Wait(1.0), b": still here\n\n", HANG))
    play.upstream("b.test").answers(full(CHAT, stream=True))
    asking = await play.open("POST", CHAT.path, CHAT.body("any", stream=True))
    await play.clock.advance(LATE_S - 0.1)
    assert not asking.done
    await play.clock.advance(0.2)
    assert (await asking.heard()).body == b"".join(CHAT.stream)
    # Where nobody else is there, the answer gets the end it lacks.
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(sse_reply(*CHAT_STREAM, HANG))
    asking = await play.open("POST", CHAT.path, CHAT.body("any", stream=True))
    await play.clock.advance(LATE_S + 0.1)
    assert (await asking.heard()).body == b"".join([*CHAT_STREAM, b"data: [DONE]\n\n"])
    assert play.transport.open == 0


async def test_peer_18_an_empty_stream_of_several_choices_ends_with_the_last_one() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    both = [event({"choices": [{"index": at, "delta": {}, "finish_reason": "stop"}]}) for at in (0, 1)]
    said = event({"choices": [{"index": 1, "delta": {"content": "hi"}, "finish_reason": None}]})
    play.upstream("a.test").answers(sse_reply(both[0], said, both[1], b"data: [DONE]\n\n"))
    heard = await play.ask("POST", CHAT.path, {**CHAT.body("any", stream=True), "n": 2})
    assert heard.body == b"".join([both[0], said, both[1], b"data: [DONE]\n\n"])


@pytest.mark.parametrize("client", UPSTREAMS, ids=lambda sample: sample.name)
async def test_peer_18_an_empty_answer_is_shown_behind_pings_too(client: Sample) -> None:
    play = Playbook(doc_speaking(CHAT, "a"))
    play.upstream("a.test").answers(sse_reply(Wait(20.0), *STREAMS["chat"]))
    asked = client.target("any", stream=True), client.body("any", stream=True), client.headers
    asking = await play.open("POST", *asked)
    await play.clock.advance(25)
    heard = await asking.heard()
    assert heard.status == 200
    assert not client.says_error(heard.body)
    assert client.closing.replace(b'": "', b'":"') in heard.body.replace(b'": "', b'":"')
    assert play.observer.finished[0].end == "complete"
