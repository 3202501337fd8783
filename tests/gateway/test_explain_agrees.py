"""An explanation is what happens next: random routes in random states, each explained and then asked."""

from random import Random
from typing import Any

import pytest

from llr.base.jsonio import dumps
from llr.config.schema import Settings
from llr.testing import Heard, Playbook, Reply, json_reply, refused
from tests.gateway.samples import CHAT, RESPONSES, doc_for
from tests.gateway.test_routing_cases import BUCKET, doc

NAMES = "abcd"
OK = json_reply(CHAT.answer)
REPLIES: tuple[Reply, ...] = (
    OK,
    OK,
    OK,
    json_reply({"error": {"message": "slow down"}}, 429, retry_after="40"),
    json_reply({"error": {"message": "broken"}}, 500),
    json_reply({"error": {"message": "no"}}, 401),
    json_reply({"error": {"message": "model not found"}}, 404),
    Reply(before=[refused()]),
)


def random_doc(rng: Random) -> dict[str, Any]:
    providers: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        entry: dict[str, Any] = {
            "models": [{"id": "m", **rng.choice(({}, {"contextWindow": 3_000}, {"contextWindow": 90_000}))}]
        }
        if rng.random() < 0.4:
            entry["rateLimits"] = [{**BUCKET, "requests": rng.randint(1, 9), "window": {"unit": "minute", "size": 1}}]
        if rng.random() < 0.3:
            entry["metadata"] = {"llr": {"maxConcurrency": 1}}
        if rng.random() < 0.3:
            entry["format"] = "claude"
        providers[name] = entry
    strategy = rng.choice(("ordered", "round-robin", "weighted-rr", "auto"))
    count = rng.randint(1, 4)
    targets = [{"ref": f"{name}/m", "weight": rng.choice((0.5, 1, 3))} for name in NAMES[:count]]
    spare = [f"{name}/m" for name in NAMES[count:]]
    alias = {"strategy": strategy, "targets": targets, "fallbackTargets": spare}
    return doc(*NAMES, alias=alias, **providers)


async def ask(made: Playbook, body: dict[str, Any], headers: dict[str, str]) -> Heard:
    asking = await made.open(
        "POST", "/v1/chat/completions", dumps(body), {**headers, "x-llm-router-debug": "1"}, peer="127.0.0.1"
    )
    await made.clock.advance(5.0)
    return await asking.heard()


def listed(heard: Heard, name: str) -> list[str]:
    text = heard.headers.text(f"x-llm-router-{name}".encode())
    return text.split(",") if text else []


@pytest.mark.parametrize("seed", range(40))
async def test_what_is_explained_is_what_happens(seed: int) -> None:
    rng = Random(seed)
    made = Playbook(random_doc(rng), settings=Settings(retry_attempts=rng.choice((1, 2))))
    busy = (
        await made.open("POST", "/v1/chat/completions", {"model": "a/m", "messages": []})
        if rng.random() < 0.3
        else None
    )
    for _ in range(30):
        for name in NAMES:
            made.upstream(f"{name}.test").answers(rng.choice(REPLIES))
        body: dict[str, Any] = {
            "model": rng.choice(("any", "any", "any", "b/m")),
            "messages": [{"role": "user", "content": "x" * rng.choice((2, 20_000))}],
        }
        headers = {"x-session-id": rng.choice("st")} if rng.random() < 0.5 else {}
        told = (await made.ask("POST", "/llr/explain", {"body": body, "format": "openai"}, headers)).json
        order = [row["candidate"] for row in told["candidates"] if row["position"] is not None]
        skipped = {row["candidate"]: "+".join(row["skipped"]) for row in told["candidates"] if row["position"] is None}
        heard = await ask(made, body, headers)
        attempts = [text.partition(":")[0] for text in listed(heard, "attempts")]
        tried = list(dict.fromkeys(attempts))
        assert tried == order[: len(tried)], (told, attempts)
        reasons = dict(text.split(":", 1) for text in listed(heard, "skipped-candidates"))
        # The cooldown of an only candidate is not even looked up: it would be tried all the same.
        assert reasons in (skipped, {ref: why.removeprefix("cooldown+") for ref, why in skipped.items()})
        assert bool(tried) == bool(order)
        assert listed(heard, "route-strategy") == [told["strategy"]]
        assert (listed(heard, "context-required") or ["0"]) in ([str(told["contextRequired"])], ["0"])
        await made.clock.advance(rng.choice((0.0, 0.0, 1.0, 31.0, 3_700.0)))
    if busy is not None:
        await busy.leave()


async def explained(made: Playbook, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = (await made.ask("POST", "/llr/explain", {"body": body}, headers)).json
    return found


async def test_a_learned_wire_format_is_told() -> None:
    made = Playbook(doc_for(RESPONSES, "a"))
    made.upstream("a.test").answers(json_reply({"error": {"message": "Not Found"}}, 404), OK)
    body = {"model": "any", "input": "hi"}
    told = [(await explained(made, body))["candidates"][0]]
    await made.ask("POST", RESPONSES.path, body)
    told.append((await explained(made, body))["candidates"][0])
    assert [(row["wire"], row["translated"], row["learned"]) for row in told] == [
        ("openai-responses", False, []),
        ("openai-chat", True, ["wire:chat"]),
    ]


async def test_who_holds_what_a_request_refers_to_comes_first() -> None:
    made = Playbook(doc_for(RESPONSES, "a", "b"))
    made.upstream("a.test").answers(json_reply({}, 500))
    made.upstream("b.test").answers(json_reply(RESPONSES.answer))
    first = (await made.ask("POST", RESPONSES.path, {"model": "any", "input": "hi"})).json["id"]
    follow = {"model": "any", "input": "more", "previous_response_id": first}
    told = await explained(made, follow)
    assert [(row["candidate"], row["share"]) for row in told["candidates"]] == [("b/m", 1.0), ("a/m", 0.0)]
    await made.ask("POST", RESPONSES.path, follow)
    assert [len(made.upstream(f"{name}.test").asked) for name in "ab"] == [1, 2]


async def test_what_would_be_refused_is_told_as_such() -> None:
    made = Playbook({**doc("a", a={"format": "claude"}), "metadata": {"llr": {"strict": True}}})
    body = {"model": "any", "messages": [{"role": "user", "content": "hi"}], "n": 2}
    (loss,) = (await explained(made, body))["candidates"][0]["losses"]
    heard = await made.ask("POST", "/v1/chat/completions", body)
    assert (heard.status, loss["level"]) == (400, "refused")
    assert loss["why"] in heard.json["error"]["message"]
