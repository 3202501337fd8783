"""The activity log: which requests leave an entry, in which words, and that the file never costs a request."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llr.base.records import replace
from llr.config.schema import Settings
from llr.control.activity import MAX_SAID, Activity, ActivityFile, Entry, said
from llr.gateway.app import Gateway
from llr.testing import START_AT, Playbook, Reply, json_reply, refused
from tests.gateway.samples import CHAT, event

OK = json_reply(CHAT.answer)
SLOW_DOWN = json_reply({"error": {"message": "slow   down\nplease"}}, 429, retry_after="60")
BAD = json_reply({"error": {"message": "no such tool"}}, 400)
TARGETS = {"any": {"targets": ["a/m", "b/m", "c/m"]}}


def play(**replies: Reply) -> tuple[Playbook, list[Entry], Activity]:
    """Returns a gateway over providers a, b and c, what it told the log, and the log."""
    providers: list[Any] = [
        {
            "id": name,
            "name": name,
            "baseUrl": f"https://{name}.test",
            "apiKey": "sk-secret-123456",
            "models": [{"id": "m"}],
        }
        for name in "abc"
    ]
    told: list[Entry] = []
    activity = Activity(lambda at, entry: told.append(entry))
    made = Playbook(
        {"version": 2, "providers": providers, "modelAliases": TARGETS},
        settings=Settings(retry_attempts=1),
    )
    watch(made, activity)
    for name in "abc":
        made.upstream(f"{name}.test").answers(replies.get(name, OK))
    return made, told, activity


def watch(made: Playbook, activity: Activity) -> None:
    made.deps = replace(made.deps, observe=activity)
    made.handler = Gateway(made.deps)


async def ask(made: Playbook, model: str = "any", **more: Any) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return (await made.ask("POST", "/v1/chat/completions", body)).status


async def test_a_plain_success_leaves_nothing() -> None:
    made, told, _ = play()
    assert await ask(made) == 200
    assert told == []


async def test_recovery_leaves_exactly_two() -> None:
    made, told, _ = play(a=SLOW_DOWN)
    assert await ask(made) == 200
    assert told == [
        Entry(
            "warn",
            "fallback-triggered",
            "Request fallback triggered for any.",
            "a/m failed (status 429 · rate limited). Trying b/m next. Provider said: slow down please",
        ),
        Entry(
            "success",
            "fallback-succeeded",
            "Fallback request succeeded for any.",
            "b/m completed the request after a/m failed (status 429 · rate limited). Provider said: slow down please",
        ),
    ]


async def test_a_second_try_of_the_same_is_no_fallback() -> None:
    made, told, _ = play(a=json_reply({}, 500))
    made.upstream("a.test").answers(json_reply({}, 500), OK)
    made.configs.swap(made.configs.current.config, Settings(retry_attempts=2))
    asking = await made.open("POST", "/v1/chat/completions", {"model": "any", "messages": []})
    await made.clock.advance(5.0)
    assert (await asking.heard()).status == 200
    assert len(made.upstream("a.test").asked) == 2
    assert told == []


async def test_a_terminal_refusal_leaves_exactly_one() -> None:
    made, told, _ = play(a=BAD)
    assert await ask(made) == 400
    assert told == [
        Entry(
            "error",
            "request-failed",
            "Request failed for any.",
            "a/m failed (status 400 · invalid request). Fallback stopped for this error. Provider said: no such tool",
        )
    ]


async def test_failure_of_all_ends_with_one_error() -> None:
    down = Reply(before=[refused("a")])
    made, told, _ = play(a=down, b=SLOW_DOWN, c=json_reply({}, 500))
    assert await ask(made) >= 429
    assert [(entry.level, entry.kind) for entry in told] == [
        ("warn", "fallback-triggered"),
        ("warn", "fallback-triggered"),
        ("error", "request-failed"),
    ]
    assert told[0].detail.startswith("a/m failed (network error). Trying b/m next. Reason: ")
    assert "Provider said" not in told[0].detail
    assert told[2].detail.startswith("c/m failed (status 500 · temporary error). No more fallbacks are available.")


async def test_the_label_names_the_route_where_the_request_named_another() -> None:
    made, told, _ = play(a=BAD)
    assert await ask(made, " any ") == 400
    assert told[0].message == "Request failed for any."
    doc = {"id": "a", "name": "a", "baseUrl": "https://a.test", "models": [{"id": "m", "aliases": ["short"]}]}
    other = Playbook({"version": 2, "providers": [doc]})
    watch(other, Activity(lambda at, entry: told.append(entry)))
    other.upstream("a.test").answers(BAD)
    assert await ask(other, "a/short") == 400
    assert told[-1].message == "Request failed for a/short -> a/m."


async def test_a_stream_that_breaks_after_its_beginning_is_told() -> None:
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}
    cut = Reply(200, [("content-type", "text/event-stream")], [event(chunk)])
    made, told, _ = play(a=cut)
    assert await ask(made, stream=True) == 200
    assert [(entry.kind, entry.detail.partition(". ")[0]) for entry in told] == [
        ("request-failed", "a/m failed (request failed)")
    ]
    # The provider said nothing: what broke off is told as our own finding.
    assert "Provider said" not in told[0].detail
    assert " Reason: " in told[0].detail


async def test_it_can_be_switched_off_and_on() -> None:
    made, told, activity = play(a=BAD)
    activity.enabled = False
    assert await ask(made) == 400
    assert told == []
    activity.enabled = True
    assert await ask(made) == 400
    assert len(told) == 1


def test_provider_texts_are_short_and_hold_no_secret() -> None:
    assert said("") == ""
    long = said("x" * 1_000)
    assert long == f" Provider said: {'x' * (MAX_SAID - 1)}…"
    assert said("bad key sk-abcdefghijklmnop and MYKEY", ("MYKEY",)) == (
        " Provider said: bad key [redacted] and [redacted]"
    )


ENTRY = Entry("warn", "fallback-triggered", "m", "d")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".x.activity.jsonl"
    file = ActivityFile(str(path))
    file.write(START_AT, ENTRY)
    await file.aclose()
    assert path.stat().st_mode & 0o777 == 0o600
    (row,) = lines(path)
    stamp, _, tail = row.pop("id").partition("-")
    assert (stamp, len(tail)) == (str(int(START_AT * 1000)), 8)
    assert row.pop("time").endswith("Z")
    assert row == {
        "level": "warn",
        "message": "m",
        "detail": "d",
        "source": "runtime",
        "kind": "fallback-triggered",
        "category": "usage",
    }


async def test_the_file_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = ActivityFile(str(path), max_bytes=2_000)
    for _ in range(100):
        file.write(START_AT, ENTRY)
    await file.aclose()
    assert path.stat().st_size <= 2_500
    assert (tmp_path / "log.1").stat().st_size <= 2_500
    assert lines(path)


async def test_two_processes_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    files = [ActivityFile(str(path)) for _ in range(2)]
    for number in range(200):
        files[number % 2].write(START_AT, ENTRY)
    for file in files:
        await file.aclose()
    assert len(lines(path)) == 200


@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
async def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    file = ActivityFile(str(tmp_path / "file" / "log"))
    for _ in range(3):
        file.write(START_AT, ENTRY)
        await file.aclose()
    assert len([record for record in caplog.records if "activity" in record.getMessage()]) == 1


async def test_a_deleted_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = ActivityFile(str(path))
    for _ in range(2):
        file.write(START_AT, ENTRY)
        while file._writing is not None:
            await file._writing
        assert len(lines(path)) == 1
        path.unlink()
    await file.aclose()
