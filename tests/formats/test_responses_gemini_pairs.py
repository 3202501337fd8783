"""Whole conversations across formats: what one vendor's model says reaches another vendor's client and comes back."""

import json
from typing import Any

import pytest

from llr.base.errors import GatewayError
from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.base import Encoded, Meta, Target
from llr.formats.table import FORMATS
from llr.ir.events import Event, Finish, PartDelta, PartEnd, PartStart, Start, Stop, Usage, UsageSeen
from llr.ir.parts import Reasoning, Seal, Text, ToolCall
from tests.formats import test_responses_stream
from tests.formats.laws import drain
from tests.formats.responses_rig import stream
from tests.formats.samples import KEY, PNG, A, C, R
from tests.formats.samples import meta as way_back
from tests.formats.strict import check_chat_request, check_messages_request
from tests.formats.strict_responses_gemini import check_gemini_request, check_responses_request
from tests.formats.test_responses_request import CODEX

G = FormatId.GEMINI
ISSUERS = {A: "anthropic", C: "openai", R: "openai", G: "google"}
TARGETS = {
    A: Target("claude-sonnet-4-5", "anthropic"),
    C: Target("gpt-4o", "openai"),
    R: Target("gpt-5.4", "openai"),
    G: Target("gemini-3-pro-preview", "google"),
}
CHECKS: dict[FormatId, Any] = {
    A: check_messages_request,
    C: check_chat_request,
    R: check_responses_request,
    G: check_gemini_request,
}


def sent(client: FormatId, upstream: FormatId, body: dict[str, Any]) -> Encoded:
    encoded = translate.request(body, FORMATS[client], FORMATS[upstream], TARGETS[upstream], keys=(KEY,))
    json.loads(dumps(encoded.body))
    CHECKS[upstream](encoded.body)
    return encoded


def way(client: FormatId, upstream: FormatId, body: dict[str, Any], encoded: Encoded) -> Meta:
    request = translate.decode(body, FORMATS[client], keys=(KEY,))
    return way_back(
        upstream,
        request,
        issuer=ISSUERS[upstream],
        upstream_model=TARGETS[upstream].model,
        tool_names=encoded.tool_names,
    )


def upstream_stream(form: FormatId, events: list[Event]) -> bytes:
    """Returns what an upstream of this format would send for these events."""
    return b"".join(drain(FORMATS[form].stream_encoder(way_back(form)), events))


def answered(
    client: FormatId, upstream: FormatId, body: dict[str, Any], encoded: Encoded, events: list[Event]
) -> tuple[Any, bytes]:
    """Returns the client's whole answer and its stream for an upstream's stream."""
    meta = way(client, upstream, body, encoded)
    raw = upstream_stream(upstream, events)
    stage = translate.stream(FORMATS[client], FORMATS[upstream], meta)
    streamed = b"".join([*stage.feed(raw), *stage.finish()])
    whole = translate.encode_whole(translate.collect_stream(raw, FORMATS[upstream]), FORMATS[client], meta)
    return whole, streamed


def called(name: str, arguments: str, *, seal: Seal | None = None, ident: str = "up_1") -> list[Event]:
    return [
        Start("msg_abcdefghijkl", "real"),
        PartStart(0, ToolCall(ident, name, "", seal=seal)),
        PartDelta(0, arguments),
        PartEnd(0),
        UsageSeen(Usage(fresh=3, output=4)),
        Finish(Stop.TOOL),
    ]


CODEX_TURN = {**CODEX, "input": CODEX["input"][:3]}


@pytest.mark.parametrize("upstream", [A, C, G])
@pytest.mark.parametrize(
    ("name", "arguments", "item"),
    [
        ("exec", '{"input":"1+1"}', {"type": "custom_tool_call", "name": "exec", "input": "1+1"}),
        ("fs__read", '{"p":1}', {"type": "function_call", "name": "read", "namespace": "fs", "arguments": '{"p":1}'}),
        (
            "local_shell",
            '{"command":["ls"]}',
            {"type": "local_shell_call", "action": {"type": "exec", "env": {}, "command": ["ls"]}},
        ),
        (
            "tool_search",
            '{"query":"mail"}',
            {"type": "tool_search_call", "execution": "client", "arguments": {"query": "mail"}},
        ),
    ],
)
def test_peers_40_codex_tools_make_the_round_trip_to_every_vendor(
    upstream: FormatId, name: str, arguments: str, item: dict[str, Any]
) -> None:
    encoded = sent(R, upstream, CODEX_TURN)
    whole, streamed = answered(R, upstream, CODEX_TURN, encoded, called(name, arguments))
    found = [each for each in whole["output"] if each["type"] == item["type"]]
    assert len(found) == 1
    assert item.items() <= found[0].items()
    assert json.dumps(found[0]["call_id"]).encode() in streamed
    output: dict[str, Any] = {"type": "function_call_output", "call_id": found[0]["call_id"], "output": "done"}
    if item["type"] == "custom_tool_call":
        output["type"] = "custom_tool_call_output"
    if item["type"] == "tool_search_call":
        late = {"type": "function", "name": "mail_send", "parameters": {"type": "object", "properties": {}}}
        output = {"type": "tool_search_output", "call_id": output["call_id"], "execution": "client", "tools": [late]}
    again = {**CODEX_TURN, "input": [*CODEX_TURN["input"], *whole["output"], output]}
    after = dumps(sent(R, upstream, again).body)
    assert (b"mail_send" in after) is (item["type"] == "tool_search_call")


@pytest.mark.parametrize("upstream", [A, C, G])
def test_peers_40_a_recorded_codex_history_is_legal_for_every_vendor(upstream: FormatId) -> None:
    sent(R, upstream, CODEX)


SIGNED = Seal(G, "c2lnbmF0dXJl")
CLIENT_TOOL: dict[FormatId, dict[str, Any]] = {
    A: {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}]},
    C: {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
    R: {
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
        ]
    },
    G: {"tools": [{"functionDeclarations": [{"name": "f"}]}]},
}


def question(client: FormatId) -> dict[str, Any]:
    base: dict[str, Any] = {"model": "alias", **CLIENT_TOOL[client]}
    if client is A:
        return {**base, "max_tokens": 9000, "messages": [{"role": "user", "content": "q"}]}
    if client is C:
        return {**base, "messages": [{"role": "user", "content": "q"}]}
    if client is R:
        return {**base, "input": [{"role": "user", "content": "q"}]}
    thinking = {"thinkingConfig": {"includeThoughts": True}}
    return {**base, "contents": [{"role": "user", "parts": [{"text": "q"}]}], "generationConfig": thinking}


def with_answer(client: FormatId, body: dict[str, Any], whole: Any) -> dict[str, Any]:
    """Returns the client's next request: the answer as it came, and a result for its call."""
    if client is A:
        use = next(block for block in whole["content"] if block["type"] == "tool_use")
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": "r"}
        turns = [{"role": "assistant", "content": whole["content"]}, {"role": "user", "content": [result]}]
        return {**body, "messages": [*body["messages"], *turns]}
    if client is C:
        message = whole["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "r"}
        return {**body, "messages": [*body["messages"], message, result]}
    if client is R:
        call = next(item for item in whole["output"] if item["type"] == "function_call")
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "r"}
        return {**body, "input": [*body["input"], *whole["output"], result]}
    content = whole["candidates"][0]["content"]
    call = next(part["functionCall"] for part in content["parts"] if "functionCall" in part)
    result = {"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "r"}}}
    return {**body, "contents": [*body["contents"], content, {"role": "user", "parts": [result]}]}


@pytest.mark.parametrize("client", [A, C, R, G])
def test_peers_6_a_thought_signature_survives_three_turns_with_every_client(client: FormatId) -> None:
    body = question(client)
    for turn in range(3):
        encoded = sent(client, G, body)
        contents: Any = encoded.body["contents"]
        signatures = [
            part["thoughtSignature"] for content in contents for part in content["parts"] if "functionCall" in part
        ]
        assert signatures == [SIGNED.data] * turn
        whole, _ = answered(client, G, body, encoded, called("f", '{"a":1}', seal=SIGNED, ident=f"up_{turn}"))
        body = with_answer(client, body, whole)


@pytest.mark.parametrize("client", [C, R, G])
def test_thinking_and_its_signature_survive_two_turns_with_every_client(client: FormatId) -> None:
    events: list[Event] = [
        Start("msg_abcdefghijkl", "real"),
        PartStart(0, Reasoning()),
        PartDelta(0, "hm "),
        PartDelta(0, "so"),
        PartEnd(0, Seal(A, "sig")),
        PartStart(1, Text("")),
        PartDelta(1, "t"),
        PartEnd(1),
        PartStart(2, ToolCall("up_1", "f", "")),
        PartDelta(2, '{"a":1}'),
        PartEnd(2),
        UsageSeen(Usage(fresh=3, output=4)),
        Finish(Stop.TOOL),
    ]
    body = question(client)
    whole, _ = answered(client, A, body, sent(client, A, body), events)
    encoded = sent(client, A, with_answer(client, body, whole))
    messages: Any = encoded.body["messages"]
    blocks = messages[1]["content"]
    assert blocks[0] == {"type": "thinking", "thinking": "hm so", "signature": "sig"}
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]


@pytest.mark.parametrize("client", [A, C, R, G])
def test_peers_35_a_seal_never_reaches_another_issuer(client: FormatId) -> None:
    """claude → gpt → claude with tools: each gets its own seals back and none of the other's."""
    events: list[Event] = [
        Start("msg_abcdefghijkl", "real"),
        PartStart(0, Reasoning()),
        PartDelta(0, "hm"),
        PartEnd(0, Seal(R, {"id": "rs_1", "encrypted_content": "gAAA"})),
        PartStart(1, ToolCall("up_1", "f", "")),
        PartDelta(1, '{"a":1}'),
        PartEnd(1),
        Finish(Stop.TOOL),
    ]
    body = question(client)
    whole, _ = answered(client, R, body, sent(client, R, body), events)
    after = with_answer(client, body, whole)
    for upstream in (A, C, G):
        if upstream is not client:
            assert b"gAAA" not in dumps(sent(client, upstream, after).body)
    if client is not R:
        assert b'"encrypted_content":"gAAA"' in dumps(sent(client, R, after).body)


def test_peers_9_an_image_in_a_tool_result_reaches_every_vendor() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    body = {
        **question(A),
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [image]}]},
        ],
    }
    for upstream in (R, G, C):
        encoded = sent(A, upstream, body)
        assert PNG.encode() in dumps(encoded.body)
        assert all(loss.level == "silent" for loss in encoded.losses)
    items: Any = sent(A, R, body).body["input"]
    assert items[2]["output"] == [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    ]


def test_responses_example_instructions_and_system_and_merged_turns() -> None:
    body: dict[str, Any] = {
        "model": "m",
        "instructions": "Follow rules.",
        "max_output_tokens": 32,
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Extra."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "calling"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
            {"type": "function_call_output", "call_id": "c1", "output": "ok"},
        ],
    }
    out: Any = sent(R, A, body).body
    assert out["system"] == "Follow rules.\nExtra."
    assert out["max_tokens"] == 32
    assert [message["role"] for message in out["messages"]] == ["user", "assistant", "user"]
    assert out["messages"][1]["content"] == [
        {"type": "text", "text": "calling"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
    ]
    assert out["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}]


def test_structured_output_both_ways() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    chat = {
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
    }
    out: Any = sent(C, R, chat).body
    assert out["text"]["format"] == {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    gemini: Any = sent(C, G, chat).body
    assert gemini["generationConfig"]["responseMimeType"] == "application/json"
    assert gemini["generationConfig"]["responseSchema"] == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
    }
    asked = {
        "model": "m",
        "contents": [{"parts": [{"text": "q"}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}},
        },
    }
    back: Any = sent(G, C, asked).body
    assert back["response_format"]["json_schema"]["schema"]["properties"]["a"]["type"] == ["string", "null"]


def test_cache_keys_survive_and_marks_are_named() -> None:
    body = {
        **question(A),
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
    }
    encoded = sent(A, R, body)
    assert (encoded.body["prompt_cache_key"], encoded.body["prompt_cache_retention"]) == ("k", "24h")
    assert "cache_control" in {loss.what for loss in encoded.losses}
    assert {loss.level for loss in encoded.losses} == {"silent"}


def test_peers_4_ids_that_repeat_pair_with_their_results() -> None:
    turns: list[dict[str, Any]] = [{"role": "user", "content": "q"}]
    for number in range(2):
        call = {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": json.dumps({"n": number})}}
        turns.append({"role": "assistant", "content": None, "tool_calls": [call]})
        turns.append({"role": "tool", "tool_call_id": "call_0", "content": f"r{number}"})
    body = {**question(C), "messages": turns}
    items: Any = sent(C, R, body).body["input"]
    calls = {item["call_id"]: item["arguments"] for item in items if item["type"] == "function_call"}
    outputs = {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
    assert [(calls[each], outputs[each]) for each in calls] == [('{"n": 0}', "r0"), ('{"n": 1}', "r1")]
    contents: Any = sent(C, G, body).body["contents"]
    said = [
        part["functionResponse"]["response"]["output"]
        for each in contents
        for part in each["parts"]
        if "functionResponse" in part
    ]
    assert said == ["r0", "r1"]


def test_a_second_choice_cannot_be_asked_for() -> None:
    for upstream in (R, G):
        with pytest.raises(GatewayError) as caught:
            sent(C, upstream, {**question(C), "n": 2})
        assert caught.value.fault.param == "n"


@pytest.mark.parametrize("client", [A, R, G])
def test_peers_7_reasoning_without_a_seal_comes_back_to_the_model_that_wrote_it(client: FormatId) -> None:
    """DeepSeek-style models refuse a tool turn without its `reasoning_content`, whoever the client is."""
    events: list[Event] = [
        Start("chatcmpl-abcdefghijkl", "deepseek-reasoner"),
        PartStart(0, Reasoning()),
        PartDelta(0, "let me "),
        PartDelta(0, "see"),
        PartEnd(0),
        PartStart(1, ToolCall("up_1", "f", "")),
        PartDelta(1, '{"a":1}'),
        PartEnd(1),
        Finish(Stop.TOOL),
    ]
    target = Target("deepseek-reasoner", "openai", capabilities={"reasoning_replay": "required"})
    body = question(client)
    encoded = translate.request(body, FORMATS[client], FORMATS[C], target, keys=(KEY,))
    whole, _ = answered(client, C, body, encoded, events)
    after = translate.request(with_answer(client, body, whole), FORMATS[client], FORMATS[C], target, keys=(KEY,))
    messages: Any = after.body["messages"]
    assert messages[1]["reasoning_content"] == "let me see"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5])
def test_codex_backend_calls_reach_a_chat_client_once_and_finish_with_tool_calls(size: int) -> None:
    """Deltas, done, finished item, final answer: whichever come, the client's call is the same."""
    script = [
        test_responses_stream.CALL_ADDED,
        *test_responses_stream.CALL_DELTAS,
        test_responses_stream.CALL_DONE,
        test_responses_stream.ITEM_DONE,
    ][:size]
    raw = stream(test_responses_stream.CREATED, *script, test_responses_stream.completed(test_responses_stream.CALL))
    body = question(C)
    meta = way(C, R, body, sent(C, R, body))
    whole: Any = translate.encode_whole(translate.collect_stream(raw, FORMATS[R]), FORMATS[C], meta)
    (choice,) = whole["choices"]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert (call["id"], call["function"]) == ("c1", {"name": "f", "arguments": '{"a":1}'})
