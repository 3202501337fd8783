"""What refusals teach: endpoints that are missing, search tools under another name, searches that do not work."""

from typing import Any

import pytest

from llr.testing import Heard, Playbook, Reply, json_reply, refused, sse_reply
from tests.gateway.samples import CHAT, CHAT_STREAM, COMPLETIONS, RESPONSES, doc_for

SEARCH: dict[str, Any] = {"tools": [{"type": "web_search_preview"}], "tool_choice": {"type": "web_search_preview"}}


async def ask(play: Playbook, *, stream: bool = False, **more: Any) -> Heard:
    return await play.ask("POST", RESPONSES.path, {**RESPONSES.body("any", stream=stream), **more})


def targets(play: Playbook) -> list[str]:
    return [request.target for request in play.upstream("a.test").asked]


@pytest.mark.parametrize(
    "refusal",
    [
        json_reply({"error": {"message": "Not Found"}}, 404),
        json_reply({"error": {"message": "method not allowed"}}, 405),
        json_reply({"detail": "Invalid URL (POST /v1/responses)"}, 400),
        json_reply({"error": {"message": "Unknown field: 'input'"}}, 422),
        json_reply({"error": {"message": "Missing required parameter: 'messages'"}}, 400),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_without_responses_is_asked_in_chat_and_remembered(refusal: Reply, stream: bool) -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    good = sse_reply(*CHAT_STREAM) if stream else json_reply(CHAT.answer)
    play.upstream("a.test").answers(refusal, good)
    for _ in range(2):
        heard = await ask(play, stream=stream)
        assert heard.status == 200
        if stream:
            assert heard.events[-1].event == "response.completed"
        else:
            assert heard.json["object"] == "response"
    assert targets(play) == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (json_reply({"error": {"message": "no"}}, 401), 502),
        (json_reply({"error": {"message": "no"}}, 403), 502),
        (json_reply({"error": {"message": "no"}}, 429), 429),
        (json_reply({"error": {"message": "no"}}, 500), 500),
        (json_reply({"error": {"message": "input is too silly"}}, 400), 400),
        (json_reply({"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}, 404), 404),
        (Reply(before=[refused()]), 502),
    ],
)
async def test_other_failures_are_never_asked_twice(reply: Reply, status: int) -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    play.upstream("a.test").answers(reply)
    assert (await ask(play)).status == status
    assert targets(play) == ["/v1/responses"]


async def test_when_chat_does_not_help_the_first_failure_stands() -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    first = {"error": {"message": "Not Found"}}
    play.upstream("a.test").answers(json_reply(first, 404), json_reply({"error": {"message": "other"}}, 404))
    heard = await ask(play)
    assert (heard.status, heard.json) == (404, first)
    assert not play.deps.learned.all()


async def test_a_provider_that_speaks_only_responses_is_not_asked_in_chat() -> None:
    made = doc_for(RESPONSES, "a")
    made["providers"][0]["format"] = "openai-responses"
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply({"error": {"message": "Not Found"}}, 404))
    assert (await ask(play)).status == 404
    assert targets(play) == ["/v1/responses"]


async def test_a_legacy_call_to_a_chat_model_is_asked_in_chat_and_remembered() -> None:
    play = Playbook(doc_for(COMPLETIONS, "a"))
    words = "This is a chat model and not supported in the v1/completions endpoint. Use v1/chat/completions."
    play.upstream("a.test").answers(json_reply({"error": {"message": words}}, 404), json_reply(CHAT.answer))
    for _ in range(2):
        heard = await play.ask("POST", COMPLETIONS.path, COMPLETIONS.body("any"))
        assert (heard.status, heard.json["object"]) == (200, "text_completion")
    assert targets(play) == ["/v1/completions", "/v1/chat/completions", "/v1/chat/completions"]


async def test_a_refused_preview_search_is_asked_by_its_final_name() -> None:
    play = Playbook(doc_for(RESPONSES, "a"))
    refusal = json_reply({"error": {"message": "Unsupported tool type: web_search_preview"}}, 400)
    play.upstream("a.test").answers(refusal, json_reply(RESPONSES.answer))
    for _ in range(2):
        assert (await ask(play, **SEARCH)).status == 200
    bodies = play.upstream("a.test").bodies
    assert bodies[0]["tools"] == SEARCH["tools"]
    assert [body["tools"] for body in bodies[1:]] == [[{"type": "web_search"}]] * 2
    assert [body["tool_choice"] for body in bodies[1:]] == ["required"] * 2


@pytest.mark.parametrize("where", ["metadata", "lastProbe"])
async def test_a_declared_search_name_applies_before_the_first_call(where: str) -> None:
    made = doc_for(RESPONSES, "a")
    made["providers"][0][where] = {"openaiResponses": {"webSearchToolType": "web_search"}}
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply(RESPONSES.answer))
    assert (await ask(play, **SEARCH)).status == 200
    assert play.upstream("a.test").bodies[0]["tools"] == [{"type": "web_search"}]


NO_SEARCH = {
    **RESPONSES.answer,
    "output": [
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "Web access unavailable (out of credits), sorry."}],
        }
    ],
}


async def test_an_answer_without_its_search_moves_on_and_stands_when_nobody_does_better() -> None:
    play = Playbook(doc_for(RESPONSES, "a", "b"))
    play.upstream("a.test").answers(json_reply(NO_SEARCH))
    play.upstream("b.test").answers(json_reply(RESPONSES.answer))
    assert (await ask(play, **SEARCH)).json == RESPONSES.answer
    assert not (await play.store.everything(now=play.clock.now())).health
    play.upstream("b.test").answers(json_reply(NO_SEARCH))
    heard = await ask(play, **SEARCH)
    assert (heard.status, heard.json) == (200, NO_SEARCH)
    assert (await ask(play)).json == NO_SEARCH


async def test_a_lesson_is_shown_where_a_route_is_explained() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    refusal = json_reply({"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}}, 400)
    play.upstream("a.test").answers(refusal, json_reply(CHAT.answer))
    for _ in range(2):
        heard = await play.ask("POST", CHAT.path, {**CHAT.body("any"), "seed": 7})
        assert heard.status == 200
    assert ["seed" in body for body in play.upstream("a.test").bodies] == [True, False, False]
    told = (await play.ask("POST", "/llr/explain", {"model": "any"})).json
    assert told["candidates"][0]["learned"] == ["drop:seed"]
    play.deps.learned.forget("b")
    assert play.deps.learned.all()
    play.deps.learned.forget("a")
    assert not play.deps.learned.all()


async def test_the_first_refusal_stands_when_the_repair_does_not_help() -> None:
    play = Playbook(doc_for(CHAT, "a"))
    first = {"error": {"message": "Unsupported parameter: 'seed'", "param": "seed"}}
    play.upstream("a.test").answers(json_reply(first, 400), json_reply({"error": {"message": "and no"}}, 400))
    heard = await play.ask("POST", CHAT.path, {**CHAT.body("any"), "seed": 7})
    assert (heard.status, heard.json) == (400, first)
    assert not play.deps.learned.all()
