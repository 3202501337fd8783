"""What a translation cannot carry, each case by its name: refused or named, never neither."""

import base64
from typing import Any

import pytest

from llr.base.errors import ErrorKind, GatewayError
from llr.base.jsonio import dumps
from llr.base.names import FormatId
from llr.formats import relay, translate
from llr.formats.base import Encoded, Target
from llr.formats.table import FORMATS
from llr.ir.loss import LossLevel

from .samples import KEY, A, C, R

G = FormatId.GEMINI
TARGETS = {
    A: Target("claude-sonnet-4-5", issuer="anthropic"),
    C: Target("gpt-4o", issuer="openai"),
    R: Target("gpt-5.1", issuer="openai"),
    G: Target("gemini-3-pro", issuer="google"),
}
ASKING: dict[FormatId, dict[str, Any]] = {
    A: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    C: {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    R: {"model": "m", "input": [{"type": "message", "role": "user", "content": "hi"}]},
    G: {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
# Bodies of tests are written as plain dictionaries; JSON as a type would want each of them spelt out.
to_target: Any = translate.request
S, W, X = LossLevel.SILENT, LossLevel.WARN, LossLevel.REJECT


def said(client: FormatId, upstream: FormatId, **fields: Any) -> Encoded:
    made: Encoded = to_target({**ASKING[client], **fields}, FORMATS[client], FORMATS[upstream], TARGETS[upstream])
    return made


def levels(encoded: Encoded) -> dict[str, LossLevel]:
    return {loss.path: loss.level for loss in encoded.losses}


def others(client: FormatId) -> list[FormatId]:
    return [upstream for upstream in TARGETS if upstream is not client]


FILES: dict[str, tuple[FormatId, dict[str, Any], str]] = {
    "anthropic document": (
        A,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}],
                }
            ]
        },
        "messages[0].content[0]",
    ),
    "chat file with a cache mark": (
        C,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"file_id": "file_1"}, "cache_control": {"type": "ephemeral"}}
                    ],
                }
            ]
        },
        "messages[0].content[0]",
    ),
    "responses image": (
        R,
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]},
        "input[0].content[0]",
    ),
    "gemini file": (
        G,
        {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "files/file_1"}}]}]},
        "contents[0].parts[0]",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_id_goes_to_no_other_vendor(name: str) -> None:
    client, fields, path = FILES[name]
    for upstream in others(client):
        made = said(client, upstream, **fields)
        assert "file_1" not in str(made.body), upstream
        assert levels(made)[path] is X, upstream
    assert "file_1" in str(said(client, client, **fields).body)


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        (C, {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}),
        (G, {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}),
        (G, {"generationConfig": {"responseModalities": ["AUDIO"]}}),
    ],
)
def test_an_answer_in_sound_or_pictures_is_refused_where_only_text_comes_back(
    client: FormatId, fields: dict[str, Any]
) -> None:
    for upstream in others(client):
        with pytest.raises(GatewayError) as caught:
            said(client, upstream, **fields)
        assert caught.value.fault.kind is ErrorKind.INVALID_REQUEST
        assert "odalities" in (caught.value.fault.param or "")
    assert said(client, client, **fields).body


@pytest.mark.parametrize(
    ("client", "fields"),
    [(C, {"modalities": ["text"]}), (G, {"generationConfig": {"responseModalities": ["TEXT"]}})],
)
def test_asking_for_text_is_no_loss(client: FormatId, fields: dict[str, Any]) -> None:
    for upstream in others(client):
        assert not said(client, upstream, **fields).losses


def test_members_of_generation_config_are_named_one_by_one() -> None:
    config = {"mediaResolution": "MEDIA_RESOLUTION_LOW", "speechConfig": {"languageCode": "de"}, "temperature": 0.5}
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    retrieval = {"functionCallingConfig": {"mode": "AUTO"}, "retrievalConfig": {"languageCode": "de"}}
    for upstream in (A, C):
        made = said(G, upstream, generationConfig=config, tools=tools, toolConfig=retrieval)
        assert levels(made) == {
            "generationConfig.mediaResolution": W,
            "generationConfig.speechConfig": W,
            "toolConfig.retrievalConfig": W,
        }


def test_members_of_output_config_that_only_one_vendor_has_are_named() -> None:
    for upstream in others(A):
        made = said(A, upstream, output_config={"task_budget": {"type": "tokens", "total": 9}})
        assert levels(made) == {"output_config.task_budget": W}


def test_a_tool_of_the_default_type_loses_nothing() -> None:
    tool = {"type": "custom", "name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    for upstream in others(A):
        assert not said(A, upstream, tools=[tool]).losses


def test_fields_of_a_tool_that_only_one_vendor_has_are_named() -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}, "input_examples": [{"a": 1}], "defer_loading": True}
    for upstream in others(A):
        made = levels(said(A, upstream, tools=[tool]))
        assert made["tools[0].input_examples"] is W
        assert made["tools[0].defer_loading"] is W


def test_a_strict_tool_is_closed_for_the_vendors_that_ask_it_to_be() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    made: Any = said(A, R, tools=[{"name": "f", "strict": True, "input_schema": schema}]).body
    assert made["tools"][0]["strict"] is True
    assert made["tools"][0]["parameters"] == {**schema, "additionalProperties": False, "required": ["a"]}


SEARCHES: dict[str, tuple[FormatId, list[dict[str, Any]]]] = {
    "responses": (R, [{"type": "web_search"}, {"type": "web_search_preview"}]),
    "gemini": (G, [{"googleSearch": {}}, {"googleSearchRetrieval": {}}]),
    "a function of that name": (R, [{"type": "function", "name": "web_search"}, {"type": "web_search"}]),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_tools_name_comes_once(name: str) -> None:
    client, tools = SEARCHES[name]
    for upstream in (A, C):
        made = said(client, upstream, tools=tools)
        sent: Any = made.body["tools"]
        assert [tool.get("name") or tool["function"]["name"] for tool in sent] == ["web_search"]
        assert [loss.level for loss in made.losses if "once" in loss.why] == [W]


def test_a_chosen_tool_that_does_not_go_out_is_not_asked_for() -> None:
    tools = [{"type": "function", "name": "f", "strict": False}, {"type": "file_search", "vector_store_ids": ["v"]}]
    free: dict[FormatId, Any] = {A: {"type": "auto"}, C: "auto", G: None}
    for upstream, expected in free.items():
        made = said(R, upstream, tools=tools, tool_choice={"type": "file_search"})
        assert made.body.get("tool_choice", made.body.get("toolConfig")) == expected
        assert levels(made)["tool_choice"] is W
        assert levels(made)["tools[1]"] is X


def test_a_choice_of_the_hosted_search_reaches_the_vendors_that_can_force_it() -> None:
    asked = {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}
    assert said(R, A, **asked).body["tool_choice"] == {"type": "tool", "name": "web_search"}
    assert said(R, C, **asked).body["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}
    searching = {
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "web_search"},
    }
    assert said(A, R, **searching).body["tool_choice"] == {"type": "web_search"}


def test_a_tool_the_vendor_alone_runs_is_a_loss_of_meaning_everywhere() -> None:
    tools = [{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}]
    for upstream in others(A):
        assert levels(said(A, upstream, tools=tools)) == {"tools[0]": X}


def test_what_include_asks_for_beyond_other_formats_is_named() -> None:
    wanted = ["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"]
    for upstream in others(R):
        losses = said(R, upstream, include=wanted).losses
        assert [(loss.path, loss.what, loss.level) for loss in losses] == [("include", "file_search_call.results", W)]


def test_a_turn_of_which_nothing_is_left_is_no_empty_turn() -> None:
    items = [
        {"role": "user", "content": "a"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"role": "user", "content": "b"},
    ]
    made = said(R, C, input=items)
    turns: Any = made.body["messages"]
    assert [message["content"] for message in turns] == ["a", "b"]
    assert levels(made) == {"input[1]": W}


def test_citations_of_one_vendor_in_a_history_are_not_another_vendors() -> None:
    cited = {"type": "url_citation", "url": "https://u.test", "title": "T", "start_index": 0, "end_index": 2}
    answer = {"type": "output_text", "text": "ok", "annotations": [cited]}
    items = [
        {"role": "user", "content": "a"},
        {"type": "message", "role": "assistant", "content": [answer]},
        {"role": "user", "content": "b"},
    ]
    for upstream in others(R):
        made = said(R, upstream, input=items)
        assert "https://u.test" not in str(made.body)
        assert levels(made) == {"input[1].content[0]": S}
    location = {"type": "web_search_result_location", "url": "https://u.test", "title": "T", "cited_text": "ok"}
    block = {"type": "text", "text": "ok", "citations": [{**location, "encrypted_index": "E"}]}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [block]}, *ASKING[A]["messages"]]
    kept: Any = said(A, A, messages=turns).body
    assert kept["messages"][1]["content"] == [block]


def test_signatures_of_thought_beside_text_are_a_cosmetic_loss() -> None:
    parts = [{"text": "ok", "thoughtSignature": "c2ln"}]
    contents = [*ASKING[G]["contents"], {"role": "model", "parts": parts}, *ASKING[G]["contents"]]
    for upstream in others(G):
        assert levels(said(G, upstream, contents=contents)) == {"contents[1].parts[0].thoughtSignature": S}


def test_fields_of_parts_that_only_one_vendor_has_are_named() -> None:
    film = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}, "mediaResolution": {"level": "LOW"}}
    for upstream in others(G):
        made = said(G, upstream, contents=[{"role": "user", "parts": [film]}])
        assert levels(made)["contents[0].parts[0].mediaResolution"] is W


def test_a_text_file_is_a_text_document_for_messages() -> None:
    data = base64.b64encode("grüß".encode()).decode()
    file = {"type": "file", "file": {"filename": "n.txt", "file_data": f"data:text/plain;base64,{data}"}}
    made: Any = said(C, A, messages=[{"role": "user", "content": [file]}])
    source = {"type": "text", "media_type": "text/plain", "data": "grüß"}
    assert made.body["messages"][0]["content"] == [{"type": "document", "source": source, "title": "n.txt"}]
    assert not made.losses


def test_a_prefill_is_kept_for_responses_and_named() -> None:
    turns = [*ASKING[A]["messages"], {"role": "assistant", "content": "The answer is "}]
    made: Any = said(A, R, messages=turns)
    assert made.body["input"][-1]["content"] == "The answer is "
    assert levels(made) == {"messages": W}


def test_the_safety_identifier_is_the_end_user_before_user() -> None:
    asked = {"safety_identifier": "s", "user": "u"}
    assert said(C, A, **asked).body["metadata"] == {"user_id": "s"}
    assert said(C, R, **asked).body["safety_identifier"] == "s"
    same = said(C, C, **asked).body
    assert (same["safety_identifier"], same["user"]) == ("s", "u")
    assert set(levels(said(C, A, **asked)).values()) == {S}


def test_citations_of_another_vendors_answer_leave_a_native_body_and_own_ones_stay() -> None:
    location = {"type": "web_search_result_location", "url": "https://u.test", "title": "T", "cited_text": "ok"}
    own, foreign = {**location, "encrypted_index": "E"}, {**location, "encrypted_index": "", "llr_citation": {}}
    page = {"type": "page_location", "document_index": 0, "cited_text": "ok"}

    def history(*cited: dict[str, Any]) -> dict[str, Any]:
        block = {"type": "text", "text": "ok", **({"citations": list(cited)} if cited else {})}
        return {"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [block]}]}

    def opened(body: dict[str, Any]) -> dict[str, Any]:
        assert relay.may_hold_carriers(dumps(body))
        return relay.open_carriers(body, A, TARGETS[A], (KEY,))

    assert opened(history(own, foreign, page)) == history(own, page)
    assert opened(history(foreign)) == history()
    assert opened(history(own)) == history(own)


def test_a_schema_is_strict_only_where_the_client_asked_or_its_vendor_always_is() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    closed = {**schema, "additionalProperties": False, "required": ["a"]}
    chat = {"type": "json_schema", "json_schema": {"name": "o", "schema": schema}}
    made: Any = said(C, R, response_format=chat).body["text"]
    assert (made["format"]["schema"], made["format"]["strict"]) == (schema, False)
    asked = {"format": {"type": "json_schema", "name": "o", "schema": schema}}
    assert said(R, C, text=asked).body["response_format"] == chat
    strict: dict[FormatId, dict[str, Any]] = {
        A: {"output_config": {"format": {"type": "json_schema", "schema": schema}}},
        G: {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema}},
    }
    for client, fields in strict.items():
        for upstream in (C, R):
            sent: Any = said(client, upstream, **fields).body
            form = sent["text"]["format"] if upstream is R else sent["response_format"]["json_schema"]
            assert (form["schema"], form["strict"]) == (closed, True), (client, upstream)


def test_members_of_reasoning_that_only_one_vendor_has_are_named() -> None:
    asked = {"effort": "high", "summary": "auto", "context": "all_turns", "budget": 9}
    for upstream in others(R):
        found = levels(said(R, upstream, reasoning=asked))
        assert (found["reasoning.context"], found["reasoning.budget"]) == (S, W)
    assert said(R, R, reasoning=asked).body["reasoning"] == asked


def test_effort_in_an_object_is_no_loss_for_a_chat_client() -> None:
    for upstream in others(C):
        assert not said(C, upstream, reasoning={"effort": "high"}).losses


AS_IT_IS_ANYWAY: dict[FormatId, dict[str, Any]] = {
    C: {
        "response_format": {"type": "text"},
        "frequency_penalty": 0,
        "n": 1,
        "logprobs": False,
        "top_logprobs": 0,
        "modalities": ["text"],
        "temperature": 1,
        "top_p": 1,
        "store": False,
    },
    R: {
        "background": False,
        "truncation": "disabled",
        "text": {"format": {"type": "text"}},
        "top_logprobs": 0,
        "temperature": 1,
        "top_p": 1,
        "max_tool_calls": None,
    },
}


@pytest.mark.parametrize("client", [C, R])
def test_what_is_so_without_being_said_is_no_loss(client: FormatId) -> None:
    for upstream in others(client):
        found = said(client, upstream, **AS_IT_IS_ANYWAY[client]).losses
        assert translate.strict_fault(found) is None, (upstream, found)
