"""Endpoints × models: what confirms a model, in which order it is tried, how rate limits are waited for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from llr.base.names import ProviderFormat
from llr.control.probe.order import candidates
from llr.control.probe.question import Question
from llr.control.probe.replies import Reply
from llr.control.probe.run import examine
from llr.control.probe.verdict import Verdict, classify, retry_after_s, told
from llr.control.report import Refused
from tests.control.probe.rig import (
    DOWN,
    KEY,
    MISSING,
    START_AT,
    Asked,
    Provider,
    Says,
    chat,
    claude_error,
    claude_server,
    message,
    model_list,
    openai_error,
    openai_server,
)

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
ROOT = "https://a.example.test"
ANTHROPIC = "https://a.example.test/anthropic"


def both(asked: Asked) -> Says:
    """One vendor: OpenAI at the root, Anthropic below it."""
    if "/anthropic" in asked.path:
        return claude_server("claude-y")(asked)
    return openai_server("gpt-x")(asked)


async def test_each_model_is_confirmed_where_it_is_served() -> None:
    provider = Provider(both)
    found, _ = await provider.test(f"{ROOT} {ANTHROPIC}", "gpt-x claude-y")
    assert found["ok"] is True
    assert found["endpoints"] == [ROOT, ANTHROPIC]
    assert found["workingFormats"] == ["openai", "claude"]
    assert found["preferredFormat"] == "claude"
    assert found["baseUrlByFormat"] == {"openai": ROOT, "claude": ANTHROPIC}
    assert found["authByFormat"] == {"openai": {"type": "bearer"}, "claude": {"type": "x-api-key"}}
    assert found["models"] == ["gpt-x", "claude-y"]
    assert found["modelSupport"] == {"gpt-x": ["openai"], "claude-y": ["claude"]}
    assert found["modelPreferredFormat"] == {"gpt-x": "openai", "claude-y": "claude"}
    assert (found["unresolvedModels"], found["warnings"], found["failureScope"]) == ([], [], "none")
    assert found["manualFallbackRecommended"] is False
    assert KEY not in json.dumps(found)


async def test_a_confirmed_model_is_asked_once_and_the_likely_address_first() -> None:
    provider = Provider(both)
    await provider.test(f"{ROOT} {ANTHROPIC}", "gpt-x claude-y")
    assert [one.url for one in provider.model_calls] == [
        f"{ROOT}/v1/chat/completions",
        f"{ANTHROPIC}/v1/messages",
    ]
    body = provider.model_calls[0].body
    assert body == {
        "model": "gpt-x",
        "messages": [{"role": "user", "content": "ping"}],
        "max_tokens": 1,
        "stream": False,
    }


async def test_a_listed_model_that_does_not_answer_is_not_confirmed() -> None:
    def answer(asked: Asked) -> Says:
        if asked.path.endswith("/models"):
            return model_list("listed")
        return openai_error("The model is overloaded, try again", 503)

    found, _ = await Provider(answer).test(ROOT, "listed")
    assert found["ok"] is False
    assert found["models"] == []
    assert found["unresolvedModels"] == ["listed"]
    assert found["failureScope"] == "partial"


async def test_a_model_confirmed_at_another_endpoint_than_the_chosen_is_unresolved() -> None:
    def answer(asked: Asked) -> Says:
        if asked.url.startswith("https://second"):
            return openai_server("b")(asked)
        return openai_server("a")(asked)

    found, _ = await Provider(answer).test("https://first.example.test/v1 https://second.example.test/v1", "a b")
    assert found["baseUrlByFormat"] == {"openai": "https://first.example.test/v1"}
    assert found["models"] == ["a"]
    assert found["unresolvedModels"] == ["b"]
    assert found["manualFallbackRecommended"] is True


def limited(times: int, **headers: str) -> Callable[[Asked], Says]:
    """Returns a provider that says 429 so many times and then answers."""
    left = [times]

    def answer(asked: Asked) -> Says:
        if asked.path.endswith("/chat/completions") and asked.model == "m-1" and left[0] > 0:
            left[0] -= 1
            return openai_error("slow down", 429, **headers)
        return openai_server("m-1")(asked)

    return answer


async def test_retry_after_is_waited_for() -> None:
    provider = Provider(limited(1, retry_after="1"))
    found, events = await provider.test(ROOT, "m-1", requests_per_minute=600)
    assert found["models"] == ["m-1"]
    waits = [one for one in events if one["phase"] == "rate-limit-wait" and one["reason"] == "rate-limit"]
    assert [one["waitMs"] for one in waits] == [1000]
    assert waits[0]["retryAttempt"] == 1
    assert waits[0]["status"] == 429
    assert sum(provider.clock.slept) >= 1.0


async def test_a_limit_that_stays_is_given_up_after_the_retries() -> None:
    provider = Provider(limited(99))
    found, events = await provider.test(ROOT, "m-1", max_rate_limit_retries=2)
    chats = [one for one in provider.model_calls if one.path.endswith("/chat/completions")]
    assert len(chats) == 3
    assert found["ok"] is False
    assert found["failureScope"] == "partial"
    assert found["manualFallbackRecommended"] is True
    [failure] = found["rateLimitFailures"]
    assert failure["message"] == "Rate limit persisted after 2 retries."
    assert (failure["retries"], failure["status"], failure["format"]) == (2, 429, "openai")
    outcomes = [one["outcome"] for one in events if one["phase"] == "model-check"]
    assert "rate-limit-max-retries" in outcomes


async def test_nobody_waits_an_hour() -> None:
    provider = Provider(limited(99, retry_after="3600"))
    found, _ = await provider.test(ROOT, "m-1")
    assert sum(provider.clock.slept) < 60
    assert "3600 s" in found["rateLimitFailures"][0]["message"]


async def test_calls_are_paced() -> None:
    provider = Provider(openai_server("a", "b", "c"))
    _, events = await provider.test(f"{ROOT}/v1", "a b c", requests_per_minute=30)
    assert provider.clock.slept == [2.0, 2.0]
    assert [one["reason"] for one in events if one["phase"] == "rate-limit-wait"] == ["pacing", "pacing"]


async def test_the_output_limit_confirms() -> None:
    def answer(asked: Asked) -> Says:
        if asked.model == "m-1":
            return openai_error("Could not finish the message because max_tokens or model output limit was reached")
        return openai_server("m-1")(asked)

    found, events = await Provider(answer).test(f"{ROOT}/v1", "m-1")
    assert found["models"] == ["m-1"]
    assert [one["outcome"] for one in events if one["phase"] == "model-check"] == ["output-limit"]


async def test_a_refused_bearer_falls_to_x_api_key() -> None:
    provider = Provider(openai_server("m-1", header="x-api-key"))
    found, _ = await provider.test(f"{ROOT}/v1", "m-1")
    assert found["authByFormat"] == {"openai": {"type": "x-api-key"}}
    assert len(provider.model_calls) == 1


async def test_a_key_that_nobody_takes_is_unknown() -> None:
    found, events = await Provider(openai_server("m-1", key="another")).test(ROOT, "m-1")
    check = next(one for one in events if one["phase"] == "model-check" and one["format"] == "openai")
    assert (check["outcome"], check["status"]) == ("unknown", 0)
    assert found["endpointMatrix"][0]["modelChecks"][0]["authType"] is None or check["confirmed"] is False
    assert found["failureScope"] == "full"
    assert "No endpoint format works with this API key." in found["warnings"]


async def test_reasoning_models_get_their_limit_under_the_new_name() -> None:
    def answer(asked: Asked) -> Says:
        if asked.model == "gpt-5" and "max_tokens" in asked.body:
            return openai_error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return openai_server("gpt-5")(asked)

    provider = Provider(answer)
    found, _ = await provider.test(ROOT, "gpt-5 gpt-5")
    assert found["models"] == ["gpt-5"]
    assert "max_completion_tokens" in provider.model_calls[1].body


async def test_a_model_of_the_responses_api_only_is_found_there() -> None:
    def answer(asked: Asked) -> Says:
        if asked.path.endswith("/responses"):
            known = asked.model == "codex"
            return Says(200, {"object": "response"}) if known else openai_error("The model does not exist", 404)
        if asked.model == "codex":
            return openai_error("This model is only supported in v1/responses", 404)
        return openai_server("gpt-x")(asked)

    found, _ = await Provider(answer).test(ROOT, "codex")
    assert found["models"] == ["codex"]
    assert found["modelWire"] == {"codex": "responses"}
    assert found["openaiResponses"] == {"supported": True}


async def test_a_success_without_an_answer_in_it_confirms_nothing() -> None:
    def answer(asked: Asked) -> Says:
        return Says(200, "<html>Welcome, please log in</html>")

    found, events = await Provider(answer).test(ROOT, "m-1")
    assert found["ok"] is False
    assert {one["outcome"] for one in events if one["phase"] == "model-check"} == {"format-mismatch"}


async def test_gemini_is_asked_in_its_own_format() -> None:
    def answer(asked: Asked) -> Says:
        if asked.headers.get("x-goog-api-key") != KEY:
            return Says(403, {"error": {"code": 403, "message": "no caller identity", "status": "PERMISSION_DENIED"}})
        if asked.method == "GET":
            return Says(200, {"models": [{"name": "models/gemini-x", "inputTokenLimit": 1000}]})
        if "gemini-x:generateContent" in asked.path:
            return Says(200, {"candidates": [{}]})
        return Says(404, {"error": {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}})

    provider = Provider(answer)
    found, _ = await provider.test("https://gemini.example.test/v1beta", "gemini-x")
    assert found["workingFormats"] == ["gemini"]
    assert found["modelSupport"] == {"gemini-x": ["gemini"]}
    assert found["authByFormat"] == {"gemini": {"type": "header", "headerName": "x-goog-api-key"}}
    assert found["modelFacts"] == {"gemini-x": {"contextWindow": 1000}}
    assert all(KEY not in one.url for one in provider.asked)


async def test_the_events_come_in_their_order() -> None:
    _, events = await Provider(both).test(f"{ROOT} {ANTHROPIC}", "gpt-x claude-y")
    told_of = ["endpoint-start", "provider-probe-start", "provider-probe-done", "endpoint-formats"]
    checked = ["model-check", "model-done"]
    done = ["endpoint-done", "endpoint-done", "matrix-done", "finished"]
    phases = [one["phase"] for one in events if one["phase"] != "rate-limit-wait"]
    assert phases == ["matrix-start", *told_of, *told_of, *checked, *checked, *done]
    by_phase = {one["phase"]: one for one in events}
    assert by_phase["matrix-start"] == {"phase": "matrix-start", "endpointCount": 2, "modelCount": 2}
    assert by_phase["endpoint-formats"]["formatsToTest"] == ["openai", "claude"]
    assert by_phase["provider-probe-done"]["endpointIndex"] == 2
    assert by_phase["model-check"]["totalChecks"] == 8
    assert by_phase["model-done"]["completedModels"] == 2
    assert by_phase["matrix-done"]["supportedModelCount"] == 2


async def test_a_listener_that_throws_is_no_matter() -> None:
    provider = Provider(both)

    def throws(_event: object) -> None:
        raise RuntimeError("no screen")

    question = Question((ROOT,), KEY, ("gpt-x",))
    found = await examine(question, throws, transport=provider, clock=provider.clock)
    assert found["models"] == ["gpt-x"]


async def test_a_cancelled_probe_stops() -> None:
    provider = Provider(limited(99))
    asking = asyncio.Event()

    class Stuck(type(provider.clock)):  # type: ignore[misc]
        async def sleep(self, seconds: float) -> None:
            asking.set()
            await asyncio.get_running_loop().create_future()

    clock: Any = Stuck()
    question = Question((ROOT,), KEY, ("m-1",))
    task = asyncio.ensure_future(examine(question, lambda _event: None, transport=provider, clock=clock))
    await asyncio.wait_for(asking.wait(), 5)
    asked = len(provider.asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(provider.asked) == asked


@pytest.mark.parametrize(
    ("endpoint", "refused"),
    [
        ("http://api.example.test/v1", True),
        ("http://8.8.8.8/v1", True),
        ("https://api.example.test/v1", False),
        ("http://localhost:1234/v1", False),
        ("http://10.1.2.3/v1", False),
        ("http://[fd00::1]/v1", False),
        ("http://gpu-box.lan/v1", False),
    ],
)
async def test_a_key_never_travels_in_the_clear_to_strangers(endpoint: str, refused: bool) -> None:
    provider = Provider(openai_server("m-1"))
    if not refused:
        assert (await provider.test(endpoint, "m-1"))[0]["ok"]
        return
    with pytest.raises(Refused) as caught:
        await provider.test(endpoint, "m-1")
    assert caught.value.problem.code == "plain-http"
    assert provider.asked == []
    assert (await provider.test(endpoint, "m-1", allow_plain_http=True))[0]["ok"]
    assert (await provider.test(endpoint, "m-1", key=""))[0]["ok"] is False


async def test_without_a_key_none_is_sent() -> None:
    def answer(asked: Asked) -> Says:
        assert not {"authorization", "x-api-key", "x-goog-api-key"} & set(asked.headers)
        if asked.path.endswith("/chat/completions"):
            return chat() if asked.model == "local" else openai_error("model not found", 404)
        return model_list("local") if asked.path.endswith("/models") else MISSING

    found, _ = await Provider(answer).test("http://localhost:1234/v1", "local", key="")
    assert found["authByFormat"] == {"openai": {"type": "none"}}


@pytest.mark.parametrize(("endpoints", "models"), [("", "m"), (ROOT, "")])
async def test_missing_pieces_are_refused_before_any_call(endpoints: str, models: str) -> None:
    provider = Provider(both)
    with pytest.raises(Refused):
        await provider.test(endpoints, models)
    assert provider.asked == []


async def test_a_dead_endpoint_does_not_stop_the_others() -> None:
    def answer(asked: Asked) -> Says:
        return DOWN if asked.url.startswith("https://dead") else openai_server("m-1")(asked)

    found, _ = await Provider(answer).test(f"https://dead.example.test {ROOT}", "m-1")
    assert found["models"] == ["m-1"]
    (told,) = found["warnings"]
    assert told.startswith("No supported format was found for endpoint https://dead.example.test (")
    assert "refused" in told


CLASSIFIED: list[tuple[ProviderFormat, Says, Verdict]] = [
    (OPENAI, chat(), Verdict.OK),
    (OPENAI, message(), Verdict.MISMATCH),
    (CLAUDE, message(), Verdict.OK),
    (OPENAI, openai_error("no", 429), Verdict.RATE_LIMIT),
    (OPENAI, openai_error("Quota for this month exceeded", 400), Verdict.RATE_LIMIT),
    (CLAUDE, claude_error("Number of requests per minute is too high"), Verdict.RATE_LIMIT),
    (OPENAI, claude_error("model: nope", 404), Verdict.MISMATCH),
    (OPENAI, Says(502, "<html>bad gateway</html>"), Verdict.MISMATCH),
    (OPENAI, openai_error("Incorrect API key provided", 401), Verdict.AUTH),
    (OPENAI, openai_error("Invalid API key", 400), Verdict.AUTH),
    (OPENAI, openai_error("max_tokens: token limit reached"), Verdict.OUTPUT_LIMIT),
    (OPENAI, openai_error("The model `x` does not exist", 404), Verdict.UNSUPPORTED),
    (OPENAI, openai_error("Unknown model x"), Verdict.UNSUPPORTED),
    (OPENAI, openai_error("use /v1/responses for this model"), Verdict.UNSUPPORTED),
    (CLAUDE, claude_error("This model is only available via the batch api"), Verdict.UNSUPPORTED),
    (OPENAI, openai_error("Something broke", 500), Verdict.RUNTIME),
    (OPENAI, openai_error("Service temporarily unavailable", 400), Verdict.RUNTIME),
    (OPENAI, openai_error("messages: at least one is needed"), Verdict.UNCONFIRMED),
]


def reply(said: Says) -> Reply:
    data = said.body.encode() if isinstance(said.body, str) else json.dumps(said.body).encode()
    return Reply(said.status, dict(said.headers), data, None if isinstance(said.body, str) else said.body)


@pytest.mark.parametrize(("target", "said", "expected"), CLASSIFIED)
def test_one_call_is_classified(target: ProviderFormat, said: Says, expected: Verdict) -> None:
    assert classify(target, reply(said)) is expected


def test_a_transport_failure_is_a_network_error() -> None:
    assert classify(OPENAI, Reply(0, {}, error="refused")) is Verdict.NETWORK


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", 2.0), ("0.5", 0.5), ("Sat, 28 Feb 2026 15:42:47 GMT", 10.0), ("soon", 0.0), ("", 0.0), ("nan", 0.0)],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: float) -> None:
    assert retry_after_s(Reply(429, {"retry-after": text}), now=START_AT) == pytest.approx(expected, abs=1)


def test_messages_are_cut_and_without_keys() -> None:
    text = told(reply(openai_error(f"bad key {KEY} " + "x" * 400)), (KEY,))
    assert KEY not in text
    assert len(text) == 223
    assert text.endswith("...")


def test_a_redirect_says_where_it_leads() -> None:
    assert "https://new.example.test" in told(Reply(301, {"location": "https://new.example.test/v1"}), ())


@pytest.mark.parametrize(
    ("model", "first"),
    [
        ("claude-z", ("https://v.example.test/anthropic", CLAUDE)),
        ("gpt-z", ("https://v.example.test/v1", OPENAI)),
        ("other", ("https://v.example.test/anthropic", CLAUDE)),
    ],
)
def test_candidates_are_ordered_by_name_then_address(model: str, first: tuple[str, ProviderFormat]) -> None:
    endpoints = ("https://v.example.test", "https://v.example.test/v1", "https://v.example.test/anthropic")
    ordered = candidates(model, endpoints, [(OPENAI, CLAUDE)] * 3)
    assert (ordered[0].endpoint, ordered[0].format) == first
    assert len(ordered) == 6
