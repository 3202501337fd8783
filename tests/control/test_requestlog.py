"""The request log and the trace of a routing: what a line says, what never stands in one, that it costs nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.base.records import replace
from llr.config.parse import parse_config
from llr.config.schema import Settings
from llr.config.settings import settings
from llr.control.activity import Activity, Entry, log_beside
from llr.control.requestlog import RequestLog, cost, prices, request_line, request_row
from llr.gateway.app import Gateway
from llr.gateway.observe import Finished, Record
from llr.ir.events import Usage
from llr.providers.models import Catalogue, ModelFacts
from llr.testing import START_AT, Playbook, Reply, json_reply, sse_reply
from tests.gateway.samples import CHAT, event

SECRET = "sk-secret-123456"
WORDS = "nobody may read these words"
TOKENS = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 40}}
OK = json_reply({**CHAT.answer, "usage": TOKENS})
BUSY = json_reply({"error": {"message": f"slow down {WORDS}"}}, 429, retry_after="60")
FACTS = ModelFacts("m", input_price=2.0, cached_price=0.5, output_price=10.0)


def play(*, on: bool = True, **replies: Reply) -> tuple[Playbook, list[Record]]:
    """Returns a gateway over providers a and b whose request log is on, and what it told."""
    providers: list[Any] = [
        {"id": name, "name": name, "baseUrl": f"https://{name}.test", "apiKey": SECRET, "models": [{"id": "m"}]}
        for name in "ab"
    ]
    doc: Any = {"version": 2, "providers": providers, "modelAliases": {"any": {"targets": ["a/m", "b/m"]}}}
    made = Playbook(doc, settings=Settings(retry_attempts=1, request_log=on))
    told: list[Record] = []
    made.deps = replace(made.deps, observe=told.append, failures_only=True)
    made.handler = Gateway(made.deps)
    for name in "ab":
        made.upstream(f"{name}.test").answers(replies.get(name, OK))
    return made, told


async def ask(
    made: Playbook, model: str = "any", headers: Any = None, path: str = "/v1/chat/completions", **more: Any
) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": WORDS}], **more}
    return (await made.ask("POST", path, body, headers=headers)).status


def row_of(told: list[Record]) -> dict[str, Any]:
    (record,) = [one for one in told if isinstance(one, Finished)]
    assert record.trace is not None
    found: dict[str, Any] = request_row(record, record.trace, lambda ref: FACTS if ref.endswith("/m") else None)
    return found


async def test_a_request_that_failed_over_tells_its_way() -> None:
    made, told = play(a=BUSY)
    assert await ask(made) == 200
    row = row_of(told)
    first, second = row.pop("attempts")
    for one in (first, second):
        assert (one.pop("ms"), one.pop("time")[:4]) == (0, row["time"][:4])
    assert first == {"candidate": "a/m", "wire": "openai-chat", "status": 429, "result": "rate_limited", "attempt": 1}
    assert second == {"candidate": "b/m", "wire": "openai-chat", "status": 200, "result": "ok", "attempt": 1}
    assert row.pop("id")
    assert row.pop("time").endswith("Z")
    assert row.pop("bytesIn") > 60
    assert row.pop("bytesOut") > 60
    assert row == {
        "client": "openai-chat",
        "kind": "generate",
        "stream": False,
        "status": 200,
        "end": "complete",
        "answeredBy": "b/m",
        "ms": 0,
        "firstByteMs": 0,
        "tokens": {"input": 60, "cacheRead": 40, "output": 20},
        "costUsd": (60 * 2 + 40 * 0.5 + 20 * 10) / 1e6,
        "model": "any",
        "routeType": "alias",
        "route": "any",
        "strategy": "ordered",
        "selected": "b/m",
        "wire": "openai-chat",
        "skipped": [],
        "losses": [],
    }


async def test_no_line_holds_bodies_words_or_keys() -> None:
    made, told = play(a=BUSY, b=BUSY)
    assert await ask(made, headers={"authorization": f"Bearer {SECRET}"}, user="a person") == 429
    text = json.dumps(row_of(told)) + request_line(row_of(told))
    assert all(word not in text for word in (WORDS, SECRET, "slow down", "a person"))
    assert row_of(told)["end"] == "failed"


async def test_who_was_skipped_and_why() -> None:
    made, told = play(a=BUSY)
    await ask(made)
    told.clear()
    await ask(made)
    assert row_of(told)["skipped"] == [{"candidate": "a/m", "reasons": ["cooldown"]}]


async def test_a_name_that_nobody_serves_leaves_a_line() -> None:
    made, told = play()
    assert await ask(made, model=f"nobody {SECRET} " + "x" * 500) == 404
    row = row_of(told)
    assert (row["status"], row["end"], row["attempts"]) == (404, "failed", [])
    assert row["model"].startswith("nobody ")
    assert len(row["model"]) <= 250
    assert SECRET not in row["model"]


async def test_a_translated_stream_tells_its_losses_and_times() -> None:
    stream = event({"choices": [{"delta": {"content": "hi"}}]}) + event(
        {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    )
    made, told = play(a=sse_reply(stream, b"data: [DONE]\n\n"))
    sent: dict[str, Any] = {"max_tokens": 5, "top_k": 4, "stream": True}
    assert await ask(made, path="/v1/messages", **sent) == 200
    row = row_of(told)
    assert (row["client"], row["wire"], row["stream"], row["end"]) == (
        "anthropic-messages",
        "openai-chat",
        True,
        "complete",
    )
    assert any(loss.startswith("top_k: ") for loss in row["losses"])
    assert row["tokens"]["estimated"] is True
    assert row["firstByteMs"] == 0


async def test_off_it_costs_no_record() -> None:
    made, told = play(on=False)
    assert await ask(made) == 200
    assert told == []
    assert await ask(made, model="nobody") == 404
    assert told == []


def finished(**changes: Any) -> Finished:
    return replace(Finished("r", START_AT, START_AT, 200, "complete"), **changes)


async def test_the_file_holds_whole_lines_of_several_processes(tmp_path: Path) -> None:
    made, told = play()
    await ask(made)
    path = log_beside(str(tmp_path / "router.json"), "requests")
    assert path == str(tmp_path / ".router.requests.jsonl")
    logs = [RequestLog(path) for _ in range(2)]
    for log in logs:
        log.enabled = True
    for number in range(100):
        for record in told:
            logs[number % 2](record)
    logs[0](finished())
    logs[0].enabled = False
    logs[0](told[-1])
    for log in logs:
        await log.aclose()
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert len(lines) == 100
    assert Path(path).stat().st_mode & 0o777 == 0o600


async def test_the_file_stays_small(tmp_path: Path) -> None:
    made, told = play()
    await ask(made)
    log = RequestLog(str(tmp_path / "log"), max_bytes=4_000)
    log.enabled = True
    for _ in range(100):
        log(told[-1])
    await log.aclose()
    assert (tmp_path / "log").stat().st_size <= 5_000
    assert (tmp_path / "log.1").stat().st_size <= 5_000


async def test_the_header_leaves_a_trace_in_the_activity_log() -> None:
    made, _ = play(on=False, a=BUSY)
    entries: list[Entry] = []
    made.deps = replace(made.deps, observe=Activity(lambda at, entry: entries.append(entry)), failures_only=True)
    made.handler = Gateway(made.deps)
    await ask(made)
    assert [entry.kind for entry in entries] == ["fallback-triggered", "fallback-succeeded"]
    entries.clear()
    await ask(made, headers={"x-llm-router-debug": "true"})
    (entry,) = entries
    assert (entry.level, entry.kind, entry.message) == ("info", "route-trace", "Request routed for any.")
    assert entry.detail == "b/m:200/ok#1"
    assert entry.trace is not None
    assert entry.trace["skipped"] == [{"candidate": "a/m", "reasons": ["cooldown"]}]
    assert entry.trace["end"] == "complete"


COSTS: list[tuple[Usage, ModelFacts | None, str, FormatId, float | None]] = [
    (Usage(fresh=1_000_000, output=100_000), FACTS, "a/m", FormatId.CHAT, 3.0),
    (Usage(fresh=10, cache_read=1_000_000, output=0), FACTS, "a/m", FormatId.CHAT, 0.50002),
    (Usage(fresh=10, cache_read=5), replace(FACTS, cached_price=None), "a/m", FormatId.CHAT, None),
    (Usage(fresh=10, cache_read=0), replace(FACTS, cached_price=None), "a/m", FormatId.CHAT, 0.00002),
    (Usage(fresh=10, output=3), replace(FACTS, output_price=None), "a/m", FormatId.CHAT, None),
    (Usage(fresh=10, output=3), None, "a/m", FormatId.CHAT, None),
    (Usage(reasoning=3), FACTS, "a/m", FormatId.CHAT, None),
    # Who writes into Anthropic's cache pays a quarter more, for an hour twice as much.
    (Usage(fresh=0, cache_write_5m=1_000_000), FACTS, "a/claude-x", FormatId.MESSAGES, 2.5),
    (Usage(fresh=0, cache_write_1h=1_000_000), FACTS, "a/claude-x", FormatId.MESSAGES, 4.0),
    (Usage(fresh=0, cache_write_5m=1_000_000), FACTS, "a/m", FormatId.MESSAGES, None),
]


@pytest.mark.parametrize(("usage", "facts", "ref", "wire", "dollars"), COSTS)
def test_costs(usage: Usage, facts: ModelFacts | None, ref: str, wire: FormatId, dollars: float | None) -> None:
    found = cost(usage, facts, ref, wire)
    assert found == (None if dollars is None else pytest.approx(dollars))


def test_prices_are_looked_up_once_and_only_for_what_is_served() -> None:
    asked: list[int] = []

    def catalogue() -> Catalogue:
        asked.append(1)
        return Catalogue([FACTS])

    made, _ = play()
    price = prices(made.configs.current.config, catalogue)
    assert asked == []
    assert price("a/m") is price("a/m") is not None
    assert price("a/other") is None
    assert asked == [1]


def test_where_it_is_switched_on() -> None:
    def on(doc: dict[str, Any], **env: str) -> bool:
        return settings(parse_config(doc, env).config, env).request_log

    enabled = {"metadata": {"llr": {"requestLog": {"enabled": True}}}}
    assert not on({})
    assert on(enabled)
    assert on({}, LLM_ROUTER_REQUEST_LOG="1")
    assert not on(enabled, LLM_ROUTER_REQUEST_LOG="off")
    assert settings(None, {}).request_log is False


def test_a_line_for_reading() -> None:
    row: dict[str, Any] = {
        "time": "2026-01-02T03:04:05.678Z",
        "id": "r",
        "client": "openai-chat",
        "model": "any",
        "status": 200,
        "end": "complete",
        "answeredBy": "b/m",
        "ms": 1200,
        "firstByteMs": 300,
        "attempts": [{}, {}],
        "tokens": {"input": 60, "output": 20},
        "costUsd": 0.0004,
    }
    assert request_line(row) == (
        "2026-01-02T03:04:05.678Z 200 complete | openai-chat any -> b/m | 1200 ms, first byte 300 | 2 attempts"
        " | input 60 output 20 | $0.0004"
    )
    assert request_line({"id": "r"}) == "- -  |   -> - | - ms"
