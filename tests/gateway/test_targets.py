"""What is known of an upstream decides how a request is said to it, and how its answer is read."""

import json
from typing import Any

import pytest

from llr.config.schema import Settings
from llr.testing import HANG, Heard, Playbook, Wait, json_reply, sse_reply
from tests.gateway.samples import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    Sample,
    doc_for,
    doc_speaking,
    event,
    full_answer,
    text_of,
)

BAD = "files.read:all"


def chat_doc(base: str = "", **llr: Any) -> dict[str, Any]:
    made = doc_speaking(CHAT, "a", metadata={"llr": llr})
    if base:
        made["providers"][0]["baseUrl"] = base
    return made


def asking(client: Sample, name: str) -> dict[str, Any]:
    """Returns a body of this client with one tool of this name."""
    schema = {"type": "object", "properties": {"p": {"type": "string"}}}
    tools: dict[str, Any] = {
        "messages": {"name": name, "input_schema": schema},
        "chat": {"type": "function", "function": {"name": name, "parameters": schema}},
        "responses": {"type": "function", "name": name, "parameters": schema, "strict": False},
    }
    return {"tools": [tools[client.name]]}


def calling(upstream: Sample, name: str) -> dict[str, Any]:
    """Returns an answer that calls a tool."""
    if upstream is MESSAGES:
        block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {"p": "x"}}
        return {**MESSAGES.answer, "content": [block], "stop_reason": "tool_use"}
    if upstream is CHAT:
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"p":"x"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {**CHAT.answer, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": '{"p":"x"}'}
    return {**RESPONSES.answer, "id": "resp_up", "object": "response", "status": "completed", "output": [item]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("sample", [MESSAGES, CHAT, RESPONSES], ids=lambda one: one.name)
async def test_tool_names_a_format_refuses_are_mended_on_its_own_road_too(sample: Sample, stream: bool) -> None:
    play = Playbook(doc_speaking(sample, "a"))
    play.upstream("a.test").answers(json_reply(calling(sample, "files_read_all")))
    body = {**sample.body("any", stream=stream), **asking(sample, BAD)}
    heard = await play.ask("POST", sample.path, body, sample.headers)
    assert heard.status == 200
    assert "files_read_all" in json.dumps(play.upstream("a.test").bodies[0]["tools"])
    assert BAD not in json.dumps(play.upstream("a.test").bodies[0])
    assert BAD.encode() in heard.body
    assert b"files_read_all" not in heard.body


async def test_a_mended_responses_call_keeps_the_providers_memory() -> None:
    play = Playbook(doc_speaking(RESPONSES, "a"))
    play.upstream("a.test").answers(json_reply(calling(RESPONSES, "files_read_all")))
    body = {**RESPONSES.body("any"), **asking(RESPONSES, BAD)}
    first = await play.ask("POST", RESPONSES.path, body)
    assert first.json["id"] == "resp_up"
    second = await play.ask("POST", RESPONSES.path, {**body, "previous_response_id": "resp_up"})
    assert second.status == 200
    assert play.upstream("a.test").bodies[1]["previous_response_id"] == "resp_up"


@pytest.mark.parametrize("sample", [MESSAGES, CHAT, RESPONSES], ids=lambda one: one.name)
async def test_legal_tool_names_are_relayed_as_they_came(sample: Sample) -> None:
    play = Playbook(doc_speaking(sample, "a"))
    play.upstream("a.test").answers(json_reply(sample.answer))
    body = {**sample.body("any"), **asking(sample, "files_read"), "unknown": {"b": 1, "a": [1.0]}}
    await play.ask("POST", sample.path, body, sample.headers)
    assert play.upstream("a.test").bodies[0] == {**body, "model": "m"}


def thinking_chunks(*pieces: str) -> list[bytes]:
    chunks = [event({"id": "c", "choices": [{"index": 0, "delta": {"content": piece}}]}) for piece in pieces]
    return [
        *chunks,
        event({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        *[b"data: [DONE]\n\n"],
    ]


@pytest.mark.parametrize("how", ["trait", "local server", "unknown server"])
async def test_thinking_in_tags_is_thinking_where_the_server_writes_it_so(how: str) -> None:
    made = chat_doc("http://10.0.0.7:8000/v1" if how == "local server" else "", **(
        {"traits": {"think_tags": True}} if how == "trait" else {}))  # fmt: skip
    host = "10.0.0.7" if how == "local server" else "a.test"
    play = Playbook(made)
    play.upstream(host).answers(sse_reply(*thinking_chunks("<th", "ink>hm</thi", "nk>\n\nso")))
    streamed = await play.ask("POST", MESSAGES.path, MESSAGES.body("any", stream=True), MESSAGES.headers)
    message = {"role": "assistant", "content": "<think>hm</think>\n\nso"}
    whole = {**CHAT.answer, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    play.upstream(host).answers(json_reply(whole))
    plain = await play.ask("POST", MESSAGES.path, MESSAGES.body("any"), MESSAGES.headers)
    if how == "unknown server":
        assert [block["type"] for block in plain.json["content"]] == ["text"]
        assert b"thinking_delta" not in streamed.body
        return
    assert [block["type"] for block in plain.json["content"]] == ["thinking", "text"]
    assert plain.json["content"][0]["thinking"] == "hm"
    assert plain.json["content"][1]["text"] == "so"
    assert b"thinking_delta" in streamed.body
    assert b"<th" not in streamed.body


def tool_turn(call_id: str) -> dict[str, Any]:
    return {
        "model": "any",
        "max_tokens": 50,
        "prompt_cache_key": "k",
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": call_id, "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call_id, "content": "x"}]},
        ],
    }


async def sent_to(base: str, host: str, **traits: Any) -> dict[str, Any]:
    """Returns the body a Messages tool turn becomes for a server."""
    play = Playbook(chat_doc(base, **({"traits": traits} if traits else {})))
    play.upstream(host).answers(json_reply(CHAT.answer))
    heard = await play.ask("POST", MESSAGES.path, tool_turn("toolu_0123456789"), MESSAGES.headers)
    assert heard.status == 200
    body: dict[str, Any] = play.upstream(host).bodies[0]
    return body


async def test_known_servers_get_what_they_take() -> None:
    mistral = await sent_to("https://api.mistral.ai/v1", "api.mistral.ai")
    call = mistral["messages"][1]["tool_calls"][0]["id"]
    assert len(call) == 9
    assert call.isalnum()
    assert mistral["messages"][2]["tool_call_id"] == call
    assert "prompt_cache_key" not in mistral
    deepseek = await sent_to("https://api.deepseek.com", "api.deepseek.com")
    assert deepseek["messages"][1]["reasoning_content"] == ""
    local = await sent_to("http://127.0.0.1:1234/v1", "127.0.0.1")
    assert "prompt_cache_key" not in local
    other = await sent_to("", "a.test")
    assert other["prompt_cache_key"] == "k"
    assert other["messages"][1]["tool_calls"][0]["id"] == "toolu_0123456789"


async def test_a_configured_trait_wins_over_what_is_known() -> None:
    mistral = await sent_to("https://api.mistral.ai/v1", "api.mistral.ai", tool_id="any", prompt_cache_key=True)
    assert mistral["messages"][1]["tool_calls"][0]["id"] == "toolu_0123456789"
    assert mistral["prompt_cache_key"] == "k"


async def test_configured_fields_are_dropped_renamed_and_forced_on_every_road() -> None:
    traits = {"dropFields": ["metadata"], "renameFields": {"max_tokens": "max_new"}, "forceFields": {"seed": 7}}
    for client in (CHAT, MESSAGES):
        play = Playbook(chat_doc(traits=traits))
        play.upstream("a.test").answers(json_reply(CHAT.answer))
        await play.ask("POST", client.path, {**client.body("any"), "max_tokens": 5, "metadata": {}}, client.headers)
        body = play.upstream("a.test").bodies[0]
        assert (body["max_new"], body["seed"]) == (5, 7)
        assert not {"max_tokens", "metadata"} & body.keys()


async def test_a_known_models_output_limit_is_used_where_none_is_configured() -> None:
    made = doc_speaking(MESSAGES, "a")
    made["providers"][0]["models"] = ["claude-sonnet-4-5"]
    made["modelAliases"]["any"]["targets"] = ["a/claude-sonnet-4-5"]
    play = Playbook(made)
    play.upstream("a.test").answers(json_reply(MESSAGES.answer))
    await play.ask("POST", CHAT.path, {"model": "any", "messages": [{"role": "user", "content": "x"}]})
    assert play.upstream("a.test").bodies[0]["max_tokens"] == 64000


async def late(client: Sample, *tail: Any) -> tuple[Heard, Playbook]:
    play = Playbook(doc_speaking(CHAT, "a"), settings=Settings(retry_attempts=1))
    done = event({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    start = event({"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}}]})
    play.upstream("a.test").answers(sse_reply(start, done, *tail))
    under_way = await play.open("POST", client.path, client.body("any", stream=True), client.headers)
    await play.clock.advance(1.5)
    assert not under_way.done
    await play.clock.advance(0.6)
    return await under_way.heard(), play


async def test_a_complete_answer_waits_two_seconds_for_its_usage_and_no_longer() -> None:
    usage = event({"id": "c", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}})
    heard, play = await late(MESSAGES, HANG)
    assert heard.events[-1].event == "message_stop"
    assert play.observer.finished[-1].end == "complete"
    assert play.transport.open == 0
    heard, _ = await late(MESSAGES, Wait(1.8), usage, b"data: [DONE]\n\n")
    assert json.loads(heard.events[-2].data)["usage"]["output_tokens"] == 5
    heard, _ = await late(RESPONSES, HANG)
    assert heard.events[-1].event == "response.completed"


async def test_a_server_keeps_its_name_for_reasoning_when_a_chat_request_had_to_be_mended() -> None:
    play = Playbook(doc_speaking(CHAT, "a"))
    chunks = [event({"id": "c", "choices": [{"index": 0, "delta": {"reasoning": "hm"}}]}), *thinking_chunks("so")]
    play.upstream("a.test").answers(sse_reply(*chunks))
    body = {**CHAT.body("any", stream=True), **asking(CHAT, BAD)}
    heard = await play.ask("POST", CHAT.path, body)
    deltas = [json.loads(one.data)["choices"][0]["delta"] for one in heard.events[:-1]]
    assert {"reasoning": "hm"} in deltas
    assert not any("reasoning_content" in delta for delta in deltas)


async def test_answers_of_gemini_clients_are_not_touched_by_traits() -> None:
    play = Playbook(doc_for(GEMINI, "a"))
    play.upstream("a.test").answers(json_reply(GEMINI.answer))
    heard = await play.ask("POST", GEMINI.target("any"), GEMINI.body(), GEMINI.headers)
    assert heard.json == GEMINI.answer
    assert text_of(GEMINI, full_answer(GEMINI))
