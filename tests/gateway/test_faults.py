"""What goes wrong upstream, and what each format's client hears of it."""

import gzip
import json
from typing import Any

import pytest

from llr.config.schema import Settings
from llr.routing.outcome import Commit, GiveUp, Next
from llr.testing import HANG, Heard, Playbook, Reply, Wait, json_reply, refused, reset, sse_reply
from tests.gateway.samples import CHAT, MESSAGES, RESPONSES, SAMPLES, Sample, ask, doc_for, error_message, event

each_format = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def idle(play: Playbook) -> bool:
    """Nothing is open, nothing waits, every request is reported."""
    return (
        play.transport.open == 0
        and play.clock.sleepers == 0
        and len(play.observer.finished) == len(play.observer.started)
    )


@each_format
async def test_a_plain_answer_is_relayed_byte_for_byte(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    body = b" " + json.dumps(sample.answer, indent=3).encode() + b"\n"
    play.upstream("a.test").answers(Reply(200, [("content-type", "application/json; x=1")], [body[:9], body[9:]]))
    heard = await ask(play, sample)
    assert (heard.status, heard.body) == (200, body)
    assert heard.headers.text(b"content-type") == "application/json; x=1"
    assert play.upstream("a.test").asked[0].target.endswith(sample.upstream_path)
    assert idle(play)


@each_format
@pytest.mark.parametrize("size", [1, 5, 1000, 1 << 20])
async def test_a_stream_is_relayed_byte_for_byte_for_any_chunking(sample: Sample, size: int) -> None:
    play = Playbook(doc_for(sample, "a"))
    data = b": hello\n\n" + b"".join(sample.stream)
    play.upstream("a.test").answers(sse_reply(*(data[at : at + size] for at in range(0, len(data), size))))
    heard = await ask(play, sample, stream=True)
    assert (heard.status, heard.body) == (200, data)
    assert heard.headers.text(b"content-type") == "text/event-stream"
    finished = play.observer.finished[-1]
    assert (finished.end, finished.bytes_out) == ("complete", len(data))
    assert idle(play)


@each_format
async def test_line_ends_of_any_kind_stay_as_they_are(sample: Sample) -> None:
    for ending in (b"\r\n", b"\r"):
        play = Playbook(doc_for(sample, "a"))
        data = b"".join(sample.stream).replace(b"\n", ending)
        play.upstream("a.test").answers(sse_reply(*(data[at : at + 3] for at in range(0, len(data), 3))))
        assert (await ask(play, sample, stream=True)).body == data


BEFORE_COMMIT: dict[str, Reply] = {
    "refused": Reply(before=[refused()]),
    "reset before the head": Reply(before=[reset()]),
    "429": json_reply({"error": {"message": "slow down"}}, 429, retry_after="7"),
    "500": json_reply({"error": {"message": "oops"}}, 500),
    "401": json_reply({"error": {"message": "bad key"}}, 401),
    "HTML 502": Reply(502, [("content-type", "text/html")], [b"<html><title>Bad gateway</title></html>"]),
    "HTML 200": Reply(200, [("content-type", "text/html")], [b"<!doctype html><title>Log in</title>"]),
    "garbage": Reply(200, [("content-type", "application/json")], [b"{not json"]),
    "empty": Reply(200, [("content-type", "application/json")]),
    "redirect": Reply(302, [("location", "https://elsewhere.test/")]),
    "unknown coding": Reply(200, [("content-encoding", "br")], [b"\x0b\x02"]),
    "broken gzip": Reply(200, [("content-encoding", "gzip")], [b"not gzip"]),
    "gzip error": Reply(503, [("content-encoding", "gzip")], [gzip.compress(b'{"error":{"message":"packed"}}')]),
    "cut body": Reply(200, [("content-type", "application/json")], [b'{"id":', reset()]),
}


@each_format
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", BEFORE_COMMIT)
async def test_the_next_candidate_answers(sample: Sample, fault: str, stream: bool) -> None:
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(BEFORE_COMMIT[fault])
    good = sse_reply(*sample.stream) if stream else json_reply(sample.answer)
    play.upstream("b.test").answers(good)
    heard = await ask(play, sample, stream=stream)
    assert heard.status == 200
    assert heard.body == (b"".join(sample.stream) if stream else json.dumps(sample.answer).encode())
    assert [type(record.verdict) for record in play.observer.attempts] == [Next, Commit]
    assert play.observer.finished[-1].failed_refs == ("a/m",)
    assert idle(play)


@each_format
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("refused", 502),
        ("429", 429),
        ("500", 500),
        ("401", 502),
        ("HTML 502", 502),
        ("HTML 200", 502),
        ("garbage", 502),
        ("empty", 502),
        ("redirect", 502),
        ("unknown coding", 502),
        ("gzip error", 503),
        ("cut body", 502),
    ],
)
async def test_a_total_failure_is_a_real_status_in_the_clients_words(
    sample: Sample, fault: str, status: int, stream: bool
) -> None:
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(BEFORE_COMMIT[fault])
    heard = await ask(play, sample, stream=stream)
    assert heard.status == status
    message = heard.json["error"]["message"] if fault in ("429", "500", "gzip error") else error_message(sample, heard)
    assert message
    assert "key-a" not in heard.body.decode()
    assert heard.headers.get(b"request-id" if sample.name == "messages" else b"x-request-id")
    if fault == "429":
        assert heard.headers.text(b"retry-after") == "7"
    if fault == "unknown coding":
        assert "br" in message
    assert play.observer.finished[-1].end == "failed"
    assert idle(play)


@each_format
async def test_an_error_of_the_same_format_is_relayed_verbatim(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    body = b'{ "error" : {"message":"w\xc3\xb6rds", "type":"t", "x":1}}'
    reply = Reply(500, [("content-type", "application/json"), ("retry-after", "3"), ("set-cookie", "a=b")], [body])
    play.upstream("a.test").answers(reply)
    heard = await ask(play, sample)
    assert (heard.status, heard.body) == (500, body)
    assert heard.headers.text(b"retry-after") == "3"
    assert b"set-cookie" not in heard.headers


@each_format
async def test_an_error_in_a_200_body_fails_over_and_counts_as_its_status(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "overloaded", "type": "overloaded_error"}}))
    play.upstream("b.test").answers(json_reply(sample.answer))
    heard = await ask(play, sample)
    assert heard.json == sample.answer
    assert play.observer.attempts[0].outcome.status in (503, 529)


@each_format
@pytest.mark.parametrize("place", [1, 2])
async def test_an_error_before_the_first_meaningful_event_fails_over(sample: Sample, place: int) -> None:
    if place > sample.first + 1:
        pytest.fail("the sample has too few events before its first meaningful one")
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(sse_reply(*sample.stream[: place - 1], sample.error_event, *sample.stream[1:]))
    play.upstream("b.test").answers(sse_reply(*sample.stream))
    heard = await ask(play, sample, stream=True)
    assert (heard.status, heard.body) == (200, b"".join(sample.stream))
    assert play.observer.attempts[0].outcome.status in (503, 529)


@each_format
async def test_an_error_as_first_event_everywhere_is_a_real_status(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(sse_reply(sample.error_event))
    heard = await ask(play, sample, stream=True)
    assert heard.status in (503, 529)
    assert error_message(sample, heard)


@each_format
async def test_an_error_after_the_commit_is_relayed_and_ends_the_stream(sample: Sample) -> None:
    place = sample.first + 1
    play = Playbook(doc_for(sample, "a", "b"))
    play.upstream("a.test").answers(sse_reply(*sample.stream[:place], sample.error_event, sample.closing or b": x\n\n"))
    play.upstream("b.test").answers(sse_reply(*sample.stream))
    heard = await ask(play, sample, stream=True)
    assert heard.body.startswith(b"".join(sample.stream[:place]) + sample.error_event)
    assert sample.says_error(heard.body)
    assert play.upstream("b.test").asked == []
    assert play.observer.finished[-1].end == "failed"
    assert idle(play)


def cuts(sample: Sample) -> range:
    return range(sample.first + 1, len(sample.stream) + 1)


@each_format
@pytest.mark.parametrize("how", ["end", "reset", "half an event"])
async def test_a_cut_after_every_event(sample: Sample, how: str) -> None:
    """Before the completion mark it is an error of the format, after it a success with what was missing."""
    for place in range(1, len(sample.stream) + 1):
        play = Playbook(doc_for(sample, "a"))
        steps: list[Any] = list(sample.stream[:place])
        endings: dict[str, list[Any]] = {"end": [], "reset": [reset()], "half an event": [b'data: {"ha', reset()]}
        steps += endings[how]
        play.upstream("a.test").answers(sse_reply(*steps))
        heard = await ask(play, sample, stream=True)
        whole = b"".join(sample.stream[:place])
        if place <= sample.first:
            assert heard.status == 502, place
            assert error_message(sample, heard)
        elif place <= sample.mark:
            assert heard.status == 200
            assert heard.body.startswith(whole)
            assert sample.says_error(heard.body), (place, heard.body)
            assert play.observer.finished[-1].end == "failed"
        else:
            closed = place == len(sample.stream)
            assert heard.body == whole + (b"" if closed else sample.closing), place
            assert play.observer.finished[-1].end == "complete"
        assert idle(play)


@each_format
async def test_a_closing_event_does_not_make_a_broken_answer_whole(sample: Sample) -> None:
    if not sample.closing:
        return
    play = Playbook(doc_for(sample, "a"))
    play.upstream("a.test").answers(sse_reply(*sample.stream[: sample.first + 1], sample.closing))
    heard = await ask(play, sample, stream=True)
    assert sample.says_error(heard.body)


@each_format
async def test_a_last_event_without_its_blank_line_counts(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a"))
    data = b"".join(sample.stream)[:-2]
    play.upstream("a.test").answers(sse_reply(data))
    heard = await ask(play, sample, stream=True)
    whole = Heard(200, heard.headers, list(sample.stream))
    assert [one.data for one in heard.events] == [one.data for one in whole.events]
    assert play.observer.finished[-1].end == "complete"


@each_format
async def test_a_hang_before_the_head_ends_at_the_deadline(sample: Sample) -> None:
    play = Playbook(doc_for(sample, "a", deadlineMs=10_000))
    play.upstream("a.test").answers(Reply(before=[HANG]))
    asking = await play.open("POST", sample.target("any"), sample.body("any"), sample.headers)
    await play.clock.advance(9.9)
    assert not asking.done
    await play.clock.advance(0.2)
    heard = await asking.heard()
    assert heard.status == 504
    assert error_message(sample, heard)
    assert idle(play)


@each_format
async def test_a_client_that_leaves_frees_everything(sample: Sample) -> None:
    """Before the head, between head and first event, and in the middle of the stream."""
    for reply in (
        Reply(before=[HANG]),
        sse_reply(HANG),
        sse_reply(sample.stream[0], HANG),
        sse_reply(*sample.stream[: sample.first + 1], HANG),
    ):
        play = Playbook({**doc_for(sample, "a"), "x": 1})
        play.upstream("a.test").answers(reply)
        target, body = sample.target("any", stream=True), sample.body("any", stream=True)
        asking = await play.open("POST", target, body, sample.headers)
        await asking.leave()
        assert play.transport.open == 0
        assert play.clock.sleepers == 0
        assert [record.end for record in play.observer.finished] == ["cancelled"]
        health = (await play.store.everything(now=play.clock.now())).health
        assert all(record.failures == 0 for record in health.values())


async def test_a_plain_client_that_leaves_stops_the_loop() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(Reply(before=[HANG]))
    asking = await play.open("POST", CHAT.path, CHAT.body("any"))
    await asking.leave()
    assert play.upstream("b.test").asked == []
    assert [record.end for record in play.observer.finished] == ["cancelled"]


async def test_a_400_stops_the_loop() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "bad tool"}}, 400))
    heard = await ask(play, CHAT)
    assert (heard.status, heard.json) == (400, {"error": {"message": "bad tool"}})
    assert play.upstream("b.test").asked == []
    assert isinstance(play.observer.attempts[0].verdict, GiveUp)


async def test_a_context_overflow_falls_through() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "maximum context length is 9"}}, 400))
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    assert (await ask(play, CHAT)).json == CHAT.answer


async def test_the_best_failure_is_shown_not_the_last() -> None:
    play = Playbook(doc_for(CHAT, "a", "b", "c"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "slow down"}}, 429, retry_after="30"))
    play.upstream("b.test").answers(Reply(before=[refused()]))
    play.upstream("c.test").answers(json_reply({"error": {"message": "bad key"}}, 401))
    heard = await ask(play, CHAT)
    assert (heard.status, heard.json) == (429, {"error": {"message": "slow down"}})
    assert heard.headers.text(b"retry-after") == "30"


async def test_our_key_refused_is_a_502_that_does_not_quote_the_provider() -> None:
    play = Playbook(doc_for(MESSAGES, "a"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "Incorrect key sk-secret-123456789"}}, 401))
    heard = await ask(play, MESSAGES)
    assert heard.status == 502
    assert "sk-secret" not in heard.body.decode()
    assert "a/m" in error_message(MESSAGES, heard)


@each_format
async def test_a_key_refused_with_400_is_ours_too(sample: Sample) -> None:
    """Gemini says so; its words would send people to the key of the gateway, which was right."""
    play = Playbook(doc_for(sample, "a"))
    error = {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}
    play.upstream("a.test").answers(json_reply({"error": error}, 400))
    heard = await ask(play, sample)
    assert heard.status == 502
    assert "a/m: the provider refused the gateway's credential" in error_message(sample, heard)


async def test_no_fallback_for_one_request() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"))
    play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, 500))
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    heard = await ask(play, CHAT, x_llm_router_no_fallback="true")
    assert heard.status == 500
    assert play.upstream("b.test").asked == []


async def test_the_selected_candidate_is_tried_again_and_waits() -> None:
    play = Playbook(doc_for(CHAT, "a"), settings=Settings(retry_attempts=3))
    bad = json_reply({"error": {"message": "oops"}}, 500)
    play.upstream("a.test").answers(bad, bad, json_reply(CHAT.answer))
    asking = await play.open("POST", CHAT.path, CHAT.body("any"))
    await play.clock.advance(5)
    heard = await asking.heard()
    assert heard.status == 200
    assert len(play.upstream("a.test").asked) == 3


@pytest.mark.parametrize("kind", ["stream", "plain"])
async def test_codex_hears_an_overflow_as_a_failed_response(kind: str) -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    error = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
    play.upstream("a.test").answers(json_reply(error, 400))
    heard = await ask(play, RESPONSES, stream=kind == "stream", originator="codex_cli_rs")
    if kind == "plain":
        assert (heard.status, heard.json) == (400, error)
        return
    assert heard.status == 200
    last = heard.events[-1]
    assert last.event == "response.failed"
    assert json.loads(last.data)["response"]["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("announced", [[("content-encoding", "gzip")], [("content-encoding", "identity")], []])
async def test_codings_are_undone_and_the_field_is_gone(announced: list[tuple[str, str]]) -> None:
    play = Playbook(doc_for(CHAT, "a"))
    packed = gzip.compress(b"".join(CHAT.stream))
    reply = Reply(
        200,
        [("content-type", "text/event-stream"), *announced, ("content-length", str(len(packed)))],
        [packed[:50], packed[50:]],
    )
    play.upstream("a.test").answers(reply)
    heard = await ask(play, CHAT, stream=True)
    assert heard.body == b"".join(CHAT.stream)
    assert b"content-encoding" not in heard.headers
    assert b"content-length" not in heard.headers


async def test_usage_is_read_from_a_copy() -> None:
    for sample in SAMPLES:
        play = Playbook(doc_for(sample, "a"))
        play.upstream("a.test").answers(sse_reply(*sample.stream))
        await ask(play, sample, stream=True)
        usage = play.observer.finished[-1].usage
        if sample.name == "completions":
            assert usage is None
        else:
            assert usage is not None
            assert usage.fresh == 7
            assert usage.output == (None if sample.name == "gemini" else 5)


async def test_every_choice_must_finish() -> None:
    def chunk(index: int, text: str | None) -> bytes:
        choice = {"index": index, "delta": {"content": text} if text else {}, "finish_reason": None if text else "stop"}
        return event({"choices": [choice]})

    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(sse_reply(chunk(0, "x"), chunk(1, "y"), chunk(0, None)))
    heard = await play.ask("POST", CHAT.path, {**CHAT.body("any", stream=True), "n": 2})
    assert CHAT.says_error(heard.body)
    play.upstream("a.test").answers(sse_reply(chunk(0, "x"), chunk(1, "y"), chunk(0, None), chunk(1, None)))
    heard = await play.ask("POST", CHAT.path, {**CHAT.body("any", stream=True), "n": 2})
    assert heard.body.endswith(b"data: [DONE]\n\n")


async def test_text_that_looks_like_an_error_is_just_text() -> None:
    text = 'event: error\n{"error":{"message":"x"},"finish_reason":"stop"} data: [DONE]'
    stream = [
        CHAT.stream[0],
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n",
    ]
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(sse_reply(*stream, *stream, *CHAT.stream[4:]))
    heard = await ask(play, CHAT, stream=True)
    assert heard.body == b"".join([*stream, *stream, *CHAT.stream[4:]])


async def test_waiting_between_chunks_is_no_trouble() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    play.upstream("a.test").answers(sse_reply(*CHAT.stream[:3], Wait(5), *CHAT.stream[3:]))
    asking = await play.open("POST", CHAT.path, CHAT.body("any", stream=True))
    await play.clock.advance(5.1)
    assert (await asking.heard()).body == b"".join(CHAT.stream)


async def test_who_cares_for_failures_only_hears_of_nothing_else() -> None:
    play = Playbook(doc_for(CHAT, "a", "b"), failures_only=True)
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    assert (await ask(play, CHAT)).status == 200
    assert play.observer.records == []
    play.upstream("a.test").answers(json_reply({"error": {"message": "no"}}, 500))
    play.upstream("b.test").answers(json_reply(CHAT.answer))
    assert (await ask(play, CHAT)).status == 200
    assert [type(record.verdict) for record in play.observer.attempts] == [Next, Commit]
    assert [record.end for record in play.observer.finished] == ["complete"]
    play.upstream("b.test").answers(json_reply({"error": {"message": "no"}}, 400))
    await ask(play, CHAT)
    assert play.observer.finished[-1].end == "failed"
