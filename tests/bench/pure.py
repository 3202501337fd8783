"""What the pure core costs in this process, beside reading JSON: translation and planning."""

import gc
import json
import time
from collections.abc import Callable
from typing import Any

from llr.base.jsonio import JSON
from llr.base.names import FormatId
from llr.config.parse import parse_config
from llr.formats import translate
from llr.formats.base import Target
from llr.formats.table import FORMATS
from llr.routing.limits import reserve
from llr.routing.plan import Need, keys_for, plan
from llr.routing.resolve import Resolver
from llr.routing.route import Route
from llr.state.memory import MemoryStore
from tests.bench import bodies
from tests.bench.table import Row

# The instant of the routing examples; any would do.
NOW = 1_772_293_357.0
UNITS = ("second", "minute", "hour", "day", "month")
PAIRS = (
    (FormatId.MESSAGES, FormatId.CHAT),
    (FormatId.MESSAGES, FormatId.RESPONSES),
    (FormatId.MESSAGES, FormatId.GEMINI),
    (FormatId.CHAT, FormatId.MESSAGES),
    (FormatId.RESPONSES, FormatId.MESSAGES),
    (FormatId.RESPONSES, FormatId.CHAT),
)

# The client formats, and where each has its turns.
TURNS = {
    FormatId.MESSAGES: "messages",
    FormatId.CHAT: "messages",
    FormatId.RESPONSES: "input",
    FormatId.GEMINI: "contents",
}


def in_turns(*functions: Callable[[], object], rounds: int = 30, times: int = 5) -> list[float]:
    """Returns each function's best CPU seconds per call, measured in turns so that a busy machine hits all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for place, function in enumerate(functions):
            began = time.process_time()
            for _ in range(times):
                function()
            best[place] = min(best[place], (time.process_time() - began) / times)
    return best


def coding_session() -> dict[str, Any]:
    """Returns a Messages body of about 200 KB as a coding tool sends it: 24 tools, 60 tool round trips."""
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "word " * 120}]}]
    for turn in range(60):
        use = {"type": "tool_use", "id": f"t{turn}", "name": "Read", "input": {"path": "/a/b/c", "limit": 100}}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "looking " * 80}, use]})
        result = {"type": "tool_result", "tool_use_id": f"t{turn}", "content": "line of output\n" * 110}
        messages.append({"role": "user", "content": [result, {"type": "text", "text": "go on"}]})
    properties = {f"p{place}": {"type": "string", "description": "words " * 6} for place in range(8)}
    schema = {"type": "object", "properties": properties, "required": ["p0"], "additionalProperties": False}
    tools = [{"name": f"tool{n}", "description": "does things " * 20, "input_schema": schema} for n in range(24)]
    return {"model": "m", "max_tokens": 64_000, "system": "rule " * 1500, "messages": messages, "tools": tools}


def translation_rows() -> list[Row]:
    """Returns what 200 KB requests cost to translate: a coding session for each pair, and thousands of short turns for
    each client, to the target that takes longest."""
    rows = []
    # As a running gateway: the collector does not look again at what was there before.
    gc.freeze()
    for client, upstream in PAIRS:
        body: Any = coding_session()
        if client is not FormatId.MESSAGES:
            body = translate.request(body, FORMATS[FormatId.MESSAGES], FORMATS[client], Target("m")).body
        rows.append(translation(body, client, upstream, "coding session"))
    for client, field in TURNS.items():
        body = bodies.short_turns(200_000, field)
        pairs = [translation(body, client, upstream, "short turns") for upstream in TURNS if upstream is not client]
        rows.append(max(pairs, key=lambda row: row.ours))
    return rows


def translation(body: Any, client: FormatId, upstream: FormatId, shape: str) -> Row:
    """Returns the row of one request: translated, beside `json.loads` of that body."""
    raw = json.dumps(body)

    def translated() -> object:
        return translate.request(body, FORMATS[client], FORMATS[upstream], Target("m"))

    took, reading = in_turns(translated, lambda: json.loads(raw))
    name = f"translate {len(raw) // 1000} KB, {shape}, {client} to {upstream}"
    return Row(name, took, reading, 12, "floor: json.loads of that body")


def wide_route(candidates: int, buckets: int) -> Route:
    """Returns an `auto` alias over so many providers with so many rate-limit buckets each."""
    limits: JSON = [
        {"id": unit, "models": ["all"], "requests": 10_000, "window": {"unit": unit, "size": 1}}
        for unit in UNITS[:buckets]
    ]
    providers: list[JSON] = [
        {
            "id": f"p{place}",
            "name": f"p{place}",
            "baseUrl": "https://p.example",
            "models": [{"id": "m", "contextWindow": 100_000 + place}],
            "rateLimits": limits,
        }
        for place in range(candidates)
    ]
    alias: JSON = {"strategy": "auto", "targets": [f"p{place}/m" for place in range(candidates)]}
    config = parse_config({"version": 2, "providers": providers, "modelAliases": {"a": alias}}, {}).config
    assert config is not None
    return Resolver(config).resolve("a", FormatId.CHAT)


def planning_rows() -> list[Row]:
    """Returns the row about planning: 10 candidates, 5 buckets each, counts and cursor in the memory store."""
    route, store, need = wide_route(10, 5), MemoryStore(), Need(50_000)
    for candidate in route.tryable:
        store.commit(reserve(route, candidate, holder="r", now=NOW).ops, now=NOW)

    def planned() -> object:
        keys = keys_for(route, now=NOW, need=need)
        return plan(route, store.peek(keys, now=NOW), now=NOW, need=need)

    raw = bodies.plain(2_000)
    took, reading = in_turns(planned, lambda: json.loads(raw), times=50)
    return [Row("plan over 10 candidates with 5 buckets", took, reading, 12, "floor: json.loads of 2 KB")]
