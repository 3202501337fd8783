"""One endpoint: addresses, formats, auth, lists."""

from typing import Any

import pytest

from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.control.ops.progress import progress_line
from llr.control.probe.addresses import generate_url, may_be_gemini, models_url, responses_url
from llr.control.probe.ask import Access, Asker, address_of
from llr.control.probe.discovery import NO_FORMAT, NO_MODELS
from llr.control.probe.endpoint import Found, Prober
from llr.control.probe.replies import Reply, listed_models, looks, message_of, takes_key
from tests.control.probe.rig import (
    DOWN,
    KEY,
    MISSING,
    Asked,
    Provider,
    Says,
    claude_error,
    claude_server,
    model_list,
    openai_error,
    openai_server,
)

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI


@pytest.mark.parametrize(
    ("target", "base", "expected"),
    [
        (OPENAI, "", ""),
        (OPENAI, "https://h/", "https://h/v1/models"),
        (OPENAI, "https://h/v1/", "https://h/v1/models"),
        (OPENAI, "https://h/api/paas/v4", "https://h/api/paas/v4/models"),
        (OPENAI, "https://h/v1.2", "https://h/v1.2/models"),
        (OPENAI, "https://h/v1/chat/completions", "https://h/v1/models"),
        (OPENAI, "https://h/v1beta/openai", "https://h/v1beta/openai/models"),
        (OPENAI, "https://h/openai?api-version=1", "https://h/openai/v1/models?api-version=1"),
        (CLAUDE, "https://h/v1/messages", "https://h/v1/models"),
        (CLAUDE, "https://h/anthropic/messages", "https://h/anthropic/v1/models"),
        (CLAUDE, "https://h/v1", "https://h/v1/models"),
        (CLAUDE, "https://h/anthropic", "https://h/anthropic/v1/models"),
        (GEMINI, "https://h", "https://h/v1beta/models"),
        (GEMINI, "https://h/v1beta", "https://h/v1beta/models"),
    ],
)
def test_the_address_of_the_list(target: ProviderFormat, base: str, expected: str) -> None:
    assert models_url(base, target) == expected


@pytest.mark.parametrize(
    ("target", "base", "expected"),
    [
        (OPENAI, "https://h", "https://h/v1/chat/completions"),
        (OPENAI, "https://h/v1/", "https://h/v1/chat/completions"),
        (OPENAI, "https://h/v1beta/openai", "https://h/v1beta/openai/chat/completions"),
        (OPENAI, "https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        (CLAUDE, "https://h", "https://h/v1/messages"),
        (CLAUDE, "https://h/v4", "https://h/v4/messages"),
        (CLAUDE, "https://h/x/messages", "https://h/x/messages"),
        (GEMINI, "https://h/v1beta", "https://h/v1beta/models/m:generateContent"),
    ],
)
def test_the_address_of_a_generation(target: ProviderFormat, base: str, expected: str) -> None:
    assert generate_url(base, target, "m") == expected


def test_the_address_of_responses() -> None:
    assert responses_url("https://h/v1/chat/completions?a=1") == "https://h/v1/responses?a=1"


def test_googles_two_dialects_are_told_apart() -> None:
    assert may_be_gemini("https://generativelanguage.googleapis.com/v1beta")
    assert not may_be_gemini("https://generativelanguage.googleapis.com/v1beta/openai")


def reply(status: int, body: Any) -> Reply:
    return Reply(status, {}, str(body).encode() if isinstance(body, str) else b"", None if body == "" else body)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {}, True),
        (404, "", True),
        (401, "", False),
        (500, "", False),
        (400, {"error": "Invalid API key"}, False),
        (400, {"error": {"message": "API key not valid. Please pass a valid API key."}}, False),
        (400, {"message": "authentication required"}, False),
        (401, {"error": {"message": "model not allowed"}}, True),
        (403, {"error": "no"}, False),
        (400, {"error": "no"}, True),
    ],
)
def test_whether_the_key_was_taken(status: int, body: Any, expected: bool) -> None:
    assert takes_key(reply(status, body)) is expected


def test_what_an_error_says() -> None:
    assert message_of(reply(400, {"error": "a"})) == "a"
    assert message_of(reply(400, {"error": {"message": "b"}})) == "b"
    assert message_of(reply(400, {"message": "c"})) == "c"
    assert message_of(reply(400, "plain")) == "plain"


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        (OPENAI, {"choices": []}, True),
        (OPENAI, {"object": "list", "data": []}, True),
        (OPENAI, {"error": "x"}, True),
        (OPENAI, {"error": {"message": "x"}}, True),
        (OPENAI, {"type": "error", "error": {"message": "x"}}, False),
        (OPENAI, {"error": {"code": 404, "message": "x", "status": "NOT_FOUND"}}, False),
        (CLAUDE, {"type": "message"}, True),
        (CLAUDE, {"type": "error", "error": {}}, False),
        (CLAUDE, {"type": "error", "error": {"message": "x"}}, True),
        (GEMINI, {"error": {"code": 404, "message": "x", "status": "NOT_FOUND"}}, True),
        (GEMINI, {"candidates": []}, True),
        (OPENAI, "text", False),
    ],
)
def test_what_a_body_looks_like(target: ProviderFormat, body: Any, expected: bool) -> None:
    assert looks(target, body) is expected


def test_models_of_a_list() -> None:
    rows: Any = [
        {"id": "models/a", "context_length": 1000, "pricing": {"prompt": "0.000003", "completion": "0.000015"}},
        {"name": "b"},
        {"id": "models/a"},
        {"id": 3},
        "c",
    ]
    found = listed_models({"data": rows})
    assert [one.id for one in found] == ["a", "b"]
    assert found[0].facts() == {"contextWindow": 1000, "price": {"input": 3.0, "output": 15.0}}
    assert found[1].facts() == {}


async def probe(answer: Any, base: str = "https://a.example.test", **more: Any) -> tuple[Found, Provider]:
    provider = Provider(answer)
    return await Prober(Asker(provider, provider.clock), Access(KEY, **more)).probe(base), provider


async def test_the_result_has_its_shape() -> None:
    found, _ = await probe(openai_server("m-small", "m-large"))
    form = found.form()
    assert form["ok"] is True
    assert form["formats"] == form["workingFormats"] == ["openai"]
    assert form["preferredFormat"] == "openai"
    assert form["auth"] == {"type": "bearer"}
    assert form["models"] == ["m-small", "m-large"]
    assert "baseUrlByFormat" not in form
    details: Any = form["details"]
    checks = details["openai"]["checks"]
    assert checks[0] == {"step": "models", "auth": "bearer", "status": 200, "error": None}
    assert checks[1]["step"] == "chat"
    assert details["claude"]["supported"] is False


async def test_a_valid_list_alone_makes_the_format_work() -> None:
    def answer(asked: Asked) -> Says:
        return model_list("m") if asked.path.endswith("/models") else claude_error("model: nope")

    found, _ = await probe(answer)
    assert OPENAI in found.working
    assert [one.id for one in found.models] == ["m"]


async def test_a_refused_key_leaves_a_format_supported_and_not_working() -> None:
    found, _ = await probe(claude_server(key="another"))
    assert found.supported == (CLAUDE,)
    assert found.working == ()
    assert found.preferred is CLAUDE


async def test_anthropics_own_list_counts_and_is_paged() -> None:
    def answer(asked: Asked) -> Says:
        if asked.method == "GET" and asked.key == KEY and "x-api-key" in asked.headers:
            last = "after_id" in asked.url
            data = [{"type": "model", "id": "claude-b" if last else "claude-a"}]
            return Says(200, {"data": data, "has_more": not last, "last_id": data[0]["id"]})
        return claude_server("claude-a")(asked)

    found, provider = await probe(answer)
    assert [one.id for one in found.models] == ["claude-a", "claude-b"]
    assert all(one.headers["anthropic-version"] == "2023-06-01" for one in provider.asked if "x-api-key" in one.headers)


async def test_the_providers_headers_win_over_ours_but_not_over_the_key() -> None:
    headers = {"Anthropic-Version": "2099-01-01", "X-Team": "${TEAM}", "Authorization": "nothing"}
    _, provider = await probe(claude_server("m"), headers=headers, env={"TEAM": "blue"})
    sent = [one.headers for one in provider.asked if one.path.endswith("/messages")]
    assert sent[0]["anthropic-version"] == "2099-01-01"
    assert sent[0]["x-team"] == "blue"
    bearer = [one.headers for one in provider.asked if one.path.endswith("/chat/completions")]
    assert bearer[0]["authorization"] == f"Bearer {KEY}"


async def test_where_nothing_is_no_second_key_header_is_tried() -> None:
    _, provider = await probe(lambda _asked: MISSING)
    assert len([one for one in provider.asked if one.path.endswith("/messages")]) == 1


async def test_a_dead_endpoint_has_no_format() -> None:
    found, provider = await probe(lambda _asked: DOWN)
    assert len(provider.asked) == 4
    assert found.form()["ok"] is False
    steps: Any = found.form()["details"]
    assert "refused" in steps["openai"]["checks"][0]["error"]


async def test_addresses_per_format_are_used_and_echoed() -> None:
    provider = Provider(claude_server("m"))
    prober = Prober(Asker(provider, provider.clock), Access(KEY))
    found = await prober.probe("", by_format={"anthropic": "https://b.example.test/anthropic"})
    assert found.working == (CLAUDE,)
    assert found.form()["baseUrlByFormat"] == {"claude": "https://b.example.test/anthropic"}


async def test_discovery_merges_endpoints() -> None:
    def answer(asked: Asked) -> Says:
        if "/anthropic" in asked.path:
            return claude_server("c")(asked)
        return openai_server("m1", "m2")(asked)

    found = await Provider(answer).discover("https://a.example.test/v1 https://a.example.test/anthropic")
    assert found["ok"] is True
    assert found["models"] == ["m1", "m2"]
    assert found["workingFormats"] == ["claude", "openai"]
    assert found["preferredFormat"] == "openai"
    assert found["baseUrlByFormat"] == {
        "openai": "https://a.example.test/v1",
        "claude": "https://a.example.test/anthropic",
    }
    assert found["warnings"] == []


async def test_discovery_says_what_is_missing() -> None:
    found = await Provider(lambda _asked: MISSING).discover("https://a.example.test")
    assert found["ok"] is False
    assert found["warnings"] == [NO_MODELS, NO_FORMAT, "https://a.example.test: 404: <html>nothing here</html>"]
    listless = await Provider(claude_server("c")).discover("https://a.example.test")
    assert listless["warnings"] == [NO_MODELS]


async def test_an_error_never_counts_as_a_list() -> None:
    found = await Provider(lambda _asked: openai_error("no models today", 500)).discover("https://a.example.test")
    assert found["models"] == []


def test_user_info_never_gets_into_a_call() -> None:
    place = address_of("https://user:secret@h.example.test/v1?x=1#frag")
    assert (place.origin.host, place.target) == ("h.example.test", "/v1?x=1")


@pytest.mark.parametrize(
    ("listing", "reply", "why"),
    [
        (Says(401, {"error": {"message": "bad key"}}), Says(401, {"error": {"message": "bad key"}}), "401: bad key"),
        (MISSING, Says(403, {"error": {"message": "not yours"}}), "403: not yours"),
        (DOWN, DOWN, "connecting to upstream: refused"),
        (Says(200, []), Says(200, "hello"), ""),
        (Says(500, "oops"), MISSING, "500: oops"),
    ],
)
async def test_why_nothing_works_at_an_endpoint(listing: Says, reply: Says, why: str) -> None:
    found = await Provider(lambda asked: listing if asked.method == "GET" else reply).discover("https://a.example.test")
    assert [text.removeprefix("https://a.example.test: ") for text in found["warnings"][2:]] == ([why] if why else [])


def test_a_failed_check_says_why() -> None:
    event: dict[str, JSON] = {
        "phase": "model-check",
        "completedChecks": 1,
        "totalChecks": 2,
        "model": "m",
        "format": "openai",
    }
    refused = {**event, "endpoint": "https://a", "outcome": "auth-error", "message": "bad key", "confirmed": False}
    assert progress_line(refused) == "[discover] Progress 1/2 - m on openai @ https://a: auth-error (bad key)"
    assert progress_line({**refused, "message": "", "status": 404}).endswith(": auth-error (404)")
    good = {**event, "endpoint": "https://a", "outcome": "ok", "message": "", "confirmed": True}
    assert progress_line(good) == "[discover] Progress 1/2 - m on openai @ https://a: ok"
