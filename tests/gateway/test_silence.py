"""What a stream client hears while nobody answers: nothing for 15 s, then pings, and in the end the truth."""

import json
from typing import Any

import pytest

from llr.testing import HANG, Playbook, Reply, Wait, json_reply, refused, sse_reply
from tests.gateway.samples import CHAT, MESSAGES, RESPONSES, RESPONSES_STREAM, SAMPLES, Sample, doc_for

each_format = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
PINGS = {
    "messages": b'event: ping\ndata: {"type":"ping"}\n\n',
    "chat": b": keep-alive\n\n",
    "completions": b": keep-alive\n\n",
    "responses": b": keep-alive\n\n",
    "gemini": b"\n",
}


def opening(sample: Sample) -> tuple[str, dict[str, Any], dict[str, str]]:
    return sample.target("any", stream=True), sample.body("any", stream=True), sample.headers


@each_format
async def test_nothing_for_15_seconds_then_head_and_pings_then_the_answer(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(Reply(200, [("content-type", "text/event-stream")], sample.stream, [Wait(50)]))
    asking = await play.open("POST", *opening(sample))
    await play.clock.advance(14.9)
    assert asking.answer is None
    await play.clock.advance(0.2)
    assert asking.answer is not None
    assert asking.answer.status == 200
    assert asking.answer.headers.text(b"content-type") == "text/event-stream"
    assert asking.answer.body == PINGS[sample.name]
    await play.clock.advance(34.8)
    assert asking.answer.body == PINGS[sample.name] * 3
    await play.clock.advance(0.2)
    heard = await asking.heard()
    assert heard.body == PINGS[sample.name] * 3 + b"".join(sample.stream)
    assert play.observer.finished[-1].end == "complete"
    assert play.clock.sleepers == 0


@each_format
async def test_the_loop_goes_on_behind_the_open_head(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(Reply(before=[Wait(20), refused()]))
    play.upstream("b.test").answers(sse_reply(*sample.stream))
    asking = await play.open("POST", *opening(sample))
    await play.clock.advance(21)
    assert (await asking.heard()).body.endswith(b"".join(sample.stream))


@each_format
async def test_a_late_total_failure_is_an_error_inside_the_stream(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(Reply(before=[Wait(20), refused()]))
    play.upstream("b.test").answers(json_reply(sample.http_error, 500))
    asking = await play.open("POST", *opening(sample))
    await play.clock.advance(21)
    heard = await asking.heard()
    assert heard.status == 200
    assert sample.says_error(heard.body)
    assert play.observer.finished[-1].end == "failed"
    assert play.transport.open == 0


@each_format
async def test_a_failure_within_15_seconds_is_a_status(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(Reply(before=[Wait(14), refused()]))
    asking = await play.open("POST", *opening(sample))
    await play.clock.advance(14.5)
    assert (await asking.heard()).status == 502


@each_format
async def test_pings_in_the_middle_stand_between_events(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    place = sample.first + 1
    half = len(sample.stream[place]) // 2
    steps: list[Any] = [*sample.stream[:place], sample.stream[place][:half], Wait(40), sample.stream[place][half:]]
    play.upstream("a.test").answers(sse_reply(*steps, *sample.stream[place + 1 :]))
    asking = await play.open("POST", *opening(sample))
    await play.clock.advance(41)
    head, tail = b"".join(sample.stream[:place]), b"".join(sample.stream[place:])
    assert (await asking.heard()).body == head + PINGS[sample.name] * 2 + tail


async def test_codex_is_kept_awake_by_a_real_event() -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    play.upstream("a.test").answers(sse_reply(*RESPONSES_STREAM[:4], Wait(20), *RESPONSES_STREAM[4:]))
    target, body, _ = opening(RESPONSES)
    asking = await play.open("POST", target, body, {"user-agent": "codex_cli_rs/0.169.0"})
    await play.clock.advance(21)
    heard = await asking.heard()
    again = heard.events[4]
    assert again.event == "response.in_progress"
    assert json.loads(again.data)["response"]["id"] == "resp_1"
    assert json.loads(again.data)["type"] == "response.in_progress"


@each_format
async def test_a_client_that_leaves_behind_the_open_head_stops_the_loop(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(Reply(before=[HANG]))
    play.upstream("b.test").answers(sse_reply(*sample.stream))
    asking = await play.open("POST", *opening(sample))
    await play.clock.advance(31)
    await asking.leave()
    assert play.upstream("b.test").asked == []
    assert [record.end for record in play.observer.finished] == ["cancelled"]
    assert play.clock.sleepers == 0


async def test_the_deadline_bounds_all_attempts_together() -> None:
    play = Playbook(doc_for(MESSAGES, "a", "b", deadlineMs=30_000))
    play.upstream("a.test").answers(Reply(before=[Wait(20), refused()]))
    play.upstream("b.test").answers(Reply(before=[HANG]))
    asking = await play.open("POST", *opening(MESSAGES))
    await play.clock.advance(31)
    heard = await asking.heard()
    assert MESSAGES.says_error(heard.body)
    assert play.transport.open == 0


async def test_a_first_token_deadline_moves_on() -> None:
    play = Playbook(doc_for(CHAT, "a", "b", firstTokenMs=3_000))
    play.upstream("a.test").answers(sse_reply(CHAT.stream[0], HANG))
    play.upstream("b.test").answers(sse_reply(*CHAT.stream))
    asking = await play.open("POST", *opening(CHAT))
    await play.clock.advance(3.1)
    heard = await asking.heard()
    assert heard.body == b"".join(CHAT.stream)
    assert play.transport.cut == 1


async def test_slots_are_renewed_while_a_request_lives_and_freed_when_it_ends() -> None:
    doc = doc_for(CHAT, "a", maxConcurrency=1)
    play = Playbook(doc)
    play.upstream("a.test").answers(sse_reply(*CHAT.stream[:2], Wait(200), *CHAT.stream[2:]))
    first = await play.open("POST", *opening(CHAT))
    await play.clock.advance(150)
    second = await play.ask("POST", *opening(CHAT))
    assert second.status == 429
    await play.clock.advance(60)
    assert (await first.heard()).body.endswith(b"[DONE]\n\n")
    assert not (await play.store.everything(now=play.clock.now())).leases
    assert play.clock.sleepers == 0


SLOW = {"slowStream": {"minCharsPerSecond": 10, "windowMs": 2_000}}


async def test_a_slow_beginning_moves_on() -> None:
    begin = CHAT.stream[:2]
    cases: list[list[Any]] = [[*begin, HANG], [*begin, Wait(1), CHAT.stream[2], Wait(5), *CHAT.stream[3:]]]
    for steps in cases:
        play = Playbook(doc_for(CHAT, "a", "b", **SLOW))
        play.upstream("a.test").answers(sse_reply(*steps))
        play.upstream("b.test").answers(sse_reply(*CHAT.stream))
        asking = await play.open("POST", *opening(CHAT))
        await play.clock.advance(1.9)
        assert asking.answer is None
        await play.clock.advance(0.2)
        heard = await asking.heard()
        assert heard.body == b"".join(CHAT.stream)
        assert "too slow" in play.observer.attempts[0].message
        assert play.transport.open == 0
        assert play.clock.sleepers == 0


async def test_a_beginning_that_is_fast_enough_stays_whole() -> None:
    fast = CHAT.stream[1].replace(b"Hello", b"Hello" * 5)
    cases: list[list[Any]] = [[Wait(5)], [Wait(1), b": x\n\n", Wait(5)]]
    for steps in cases:
        play = Playbook(doc_for(CHAT, "a", **SLOW))
        play.upstream("a.test").answers(sse_reply(CHAT.stream[0], fast, *steps, *CHAT.stream[2:]))
        asking = await play.open("POST", *opening(CHAT))
        await play.clock.advance(2.1)
        assert asking.answer is not None
        await play.clock.advance(5)
        rest = b"".join(step for step in steps if isinstance(step, bytes)) + b"".join(CHAT.stream[2:])
        assert (await asking.heard()).body == CHAT.stream[0] + fast + rest


async def test_a_short_answer_is_never_slow() -> None:
    play = Playbook(doc_for(CHAT, "a", **SLOW))
    play.upstream("a.test").answers(sse_reply(*CHAT.stream))
    assert (await play.ask("POST", *opening(CHAT))).body == b"".join(CHAT.stream)


async def test_a_client_that_leaves_a_measured_stream_frees_everything() -> None:
    play = Playbook(doc_for(CHAT, "a", **SLOW))
    play.upstream("a.test").answers(sse_reply(*CHAT.stream[:2], HANG))
    asking = await play.open("POST", *opening(CHAT))
    await play.clock.advance(1)
    await asking.leave()
    assert play.transport.open == 0
    assert play.clock.sleepers == 0


async def test_codex_is_kept_awake_in_translated_streams_too() -> None:
    made = doc_for(CHAT, "a")
    made["providers"][0]["format"] = "openai-chat"
    for before in (0, 16):
        play = Playbook(made)
        steps: list[Any] = [*CHAT.stream[:2], Wait(20), *CHAT.stream[2:]]
        play.upstream("a.test").answers(
            Reply(200, [("content-type", "text/event-stream")], steps, [Wait(before)] if before else [])
        )
        target, body, _ = opening(RESPONSES)
        asking = await play.open("POST", target, body, {"originator": "codex_cli_rs"})
        await play.clock.advance(60)
        heard = await asking.heard()
        created = next(event for event in heard.events if event.event == "response.created")
        awake = [json.loads(one.data) for one in heard.events if one.event == "response.in_progress"]
        assert len(awake) == 2
        assert heard.body.startswith(b": keep-alive") is bool(before)
        assert {one["response"]["id"] for one in awake} == {json.loads(created.data)["response"]["id"]}
        assert heard.events[-1].event == "response.completed"


async def test_a_plain_answer_that_drips_ends_at_the_deadline_too() -> None:
    spaces: list[Any] = [Wait(100), b" "] * 20
    comments: list[Any] = [Wait(100), b": x\n\n"] * 20
    for reply in (
        Reply(200, [("content-type", "application/json")], [b"{", *spaces]),
        sse_reply(*CHAT.stream[:2], *comments),
    ):
        play = Playbook(doc_for(CHAT, "a"))
        play.upstream("a.test").answers(reply)
        asking = await play.open("POST", CHAT.path, CHAT.body("any"))
        await play.clock.advance(899)
        assert not asking.done
        await play.clock.advance(2)
        heard = await asking.heard()
        assert heard.status == 504
        assert play.transport.open == 0
