"""The parts all formats share: carriers, ids, names, schemas, media, the sequencer, tool forms, counting."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llr.base.names import FormatId
from llr.formats import carrier, ids, media
from llr.formats.count import estimate_request, image_size, text_tokens
from llr.formats.ids import NINE, RULES, CallIds, legal_id
from llr.formats.schema import GEMINI, MESSAGES_STRICT, MESSAGES_TOOL, OPENAI_STRICT, OPENAI_TOOL, clean, object_schema
from llr.formats.sequencer import Sequencer
from llr.formats.tool_names import RULES as NAME_RULES
from llr.formats.tool_names import ToolNames, client_name, split
from llr.formats.toolforms import arguments_object, client_tool, function_form, unwrapped, wrapped
from llr.ir.events import Event
from llr.ir.parts import Media, MediaKind, Message, Reasoning, Role, Seal, SourceKind, Text, ToolCall, ToolKind
from llr.ir.request import ChatRequest, ServerTool, Tool

from .laws import check_grammar
from .samples import KEY, PNG, A, C, R, meta

SEALS = st.builds(
    Seal,
    st.sampled_from([A, C, R, FormatId.GEMINI]),
    st.one_of(st.text(max_size=20), st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)),
    st.text(max_size=6),
    st.text(max_size=6),
)


# -- carriers ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEALS)
def test_peer_35_a_carrier_gives_back_its_seal_bit_for_bit_in_both_forms(seal: Seal) -> None:
    for packed in (carrier.pack(seal, KEY), carrier.pack_base64(seal, KEY)):
        assert carrier.is_carrier(packed)
        assert carrier.unpack(packed, (KEY,)) == seal
        assert carrier.unpack(packed, (b"new", KEY)) == seal
        assert carrier.unpack(packed, (b"new",)) is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEALS, st.data())
def test_a_tampered_carrier_is_none(seal: Seal, data: st.DataObject) -> None:
    packed = carrier.pack(seal, KEY)
    place = data.draw(st.integers(len(carrier.PREFIX), len(packed) - 1))
    other = "A" if packed[place] != "A" else "Q"
    changed = packed[:place] + other + packed[place + 1 :]
    opened = carrier.unpack(changed, (KEY,))
    # Two spellings of the last base64 character may mean the same bytes.
    assert opened is None or opened == seal


def test_what_is_no_carrier_stays_what_it_is() -> None:
    own = Reasoning("t", seal=Seal(A, "sig-of-the-vendor"))
    request = ChatRequest("m", messages=(Message(Role.ASSISTANT, (own,)),))
    assert carrier.open_request(request, (KEY,)) is request


def test_a_carrier_larger_than_the_cap_is_not_made_and_not_read() -> None:
    huge = Seal(A, "x" * (carrier.LIMIT_BYTES + 1))
    assert carrier.pack(huge, KEY) == ""
    assert carrier.pack_base64(huge, KEY) == ""
    assert carrier.unpack(carrier.PREFIX + "A" * (3 * carrier.LIMIT_BYTES), (KEY,)) is None


def test_a_calls_seal_kept_beside_it_comes_back_on_it() -> None:
    kept = Seal(FormatId.GEMINI, {carrier.CALL: "c1", carrier.SEAL: "sig"}, "p", "m")
    packed = carrier.pack(kept, KEY)
    parts = (Reasoning(redacted=True, seal=Seal(A, packed)), ToolCall("c1", "f", "{}"), ToolCall("c2", "g", "{}"))
    opened = carrier.open_request(ChatRequest("m", messages=(Message(Role.ASSISTANT, parts),)), (KEY,))
    first, second = opened.messages[0].parts
    assert first == ToolCall("c1", "f", "{}", seal=Seal(FormatId.GEMINI, "sig", "p", "m"))
    assert second == ToolCall("c2", "g", "{}")


def test_a_seal_fits_its_own_format_and_issuer_only() -> None:
    assert carrier.fits(Seal(A, "x"), A, "any")
    assert carrier.fits(Seal(A, "x", "p"), A, "p")
    assert not carrier.fits(Seal(A, "x", "p"), A, "q")
    assert not carrier.fits(Seal(A, "x"), C, "p")
    assert not carrier.fits(None, A, "p")


def test_reasoning_without_a_seal_gets_one_that_names_its_writer() -> None:
    seal = carrier.outgoing(None, A, meta(C), "words")
    assert (seal.format, seal.provider, seal.model) == (C, "prov", "real")
    assert seal.data == {"h": carrier.text_hash("words")}


# -- ids and names ----------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=90), max_size=8), st.sampled_from([*RULES.values(), NINE]))
def test_call_ids_are_legal_unique_and_the_same_for_a_longer_history(originals: list[str], rule: Any) -> None:
    table, again = CallIds(rule), CallIds(rule)
    sent = [table.call(each) for each in originals]
    assert len(set(sent)) == len(sent)
    assert [again.call(each) for each in originals[:3]] == sent[:3]
    for each in sent:
        assert rule.pattern.fullmatch(each)
        assert len(each) <= rule.longest
        assert not rule.exact or len(each) == rule.exact
    assert [table.result(original) for original in originals] == sent


def test_a_result_answers_the_calls_of_its_own_turn() -> None:
    table = CallIds(RULES[C])
    first = table.call("x")
    table.turn()
    second, third = table.call("x"), table.call("x")
    assert len({first, second, third}) == 3
    assert [table.result("x") for _ in range(3)] == [second, third, third]


def test_a_legal_id_is_not_touched() -> None:
    assert legal_id("toolu_01Ab-c", RULES[A]) == "toolu_01Ab-c"
    assert CallIds(RULES[C]).result("unknown") is None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.text(max_size=90), st.sampled_from(["", "ns", "a.b"])), max_size=8))
def test_tool_names_are_legal_unique_and_lead_back(tools: list[tuple[str, str]]) -> None:
    for form, rule in NAME_RULES.items():
        names = ToolNames(tools, rule)
        sent = {client_name(*tool): names.sent(*tool) for tool in tools}
        assert len(set(sent.values())) == len(sent)
        for key, each in sent.items():
            assert not rule.illegal.search(each), form
            assert 0 < len(each) <= rule.longest
            assert names.changed().get(each, each) == key


def test_sanitizer_cases() -> None:
    names = ToolNames([("mcp.server.tool", ""), ("ns:tool", "")], NAME_RULES[C])
    assert names.sent("mcp.server.tool") == "mcp_server_tool"
    assert names.sent("ns:tool") == "ns_tool"
    assert names.changed() == {"mcp_server_tool": "mcp.server.tool", "ns_tool": "ns:tool"}
    assert ToolNames([("ok", "")], NAME_RULES[C]).changed() == {}


def test_a_tool_that_owns_the_clean_name_keeps_it() -> None:
    names = ToolNames([("a.b", ""), ("a_b", "")], NAME_RULES[C])
    assert names.sent("a_b") == "a_b"
    assert names.sent("a.b") != "a_b"
    assert names.sent("a.b", "") == names.sent("a.b")


def test_namespaces_are_flattened_and_split_back() -> None:
    names = ToolNames([("open", "files"), ("open", "web"), ("open", "")], NAME_RULES[C])
    assert names.sent("open", "files") == "files__open"
    assert split(names.changed()["web__open"]) == ("web", "open")
    kept = ToolNames([("open", "files"), ("open", "web")], NAME_RULES[R], namespaces=True)
    assert [kept.sent("open", "files"), kept.sent("open", "web")] == ["open", "open"]


# -- schemas ----------------------------------------------------------------------------------------------------------


def test_a_schema_nothing_applies_to_is_the_same_object() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": ["$schema"]}}, "required": ["a"]}
    for rule in (MESSAGES_TOOL, OPENAI_TOOL):
        cleaned, removed = clean(schema, rule)
        assert cleaned is schema
        assert removed == ()


@pytest.mark.parametrize("schema", [None, {}, "x", {"type": "object"}, {"description": "d"}])
def test_a_missing_schema_is_an_empty_objects(schema: Any) -> None:
    made = object_schema(schema)
    assert made["type"] == "object"
    assert made["properties"] == {}


def test_strict_rules_close_objects_and_tell_bounds() -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {
            "a": {"type": "integer", "minimum": 1, "description": "d"},
            "b": {"type": "object", "properties": {}},
        },
        "additionalProperties": True,
    }
    before = json.dumps(schema)
    cleaned, removed = clean(schema, MESSAGES_STRICT)
    assert cleaned == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "d (minimum: 1)"},
            "b": {"type": "object", "properties": {}, "additionalProperties": False},
        },
        "additionalProperties": False,
    }
    assert removed == ("$.$schema", "$.properties.a.minimum", "$.additionalProperties")
    assert json.dumps(schema) == before


def test_openai_strict_requires_every_property() -> None:
    cleaned: Any = clean({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, OPENAI_STRICT)[0]
    assert cleaned["required"] == ["a", "b"]


def test_a_property_named_like_a_keyword_stays() -> None:
    schema = {"type": "object", "properties": {"$schema": {"type": "string"}, "minimum": {"type": "integer"}}}
    assert clean(schema, MESSAGES_TOOL)[0] is schema
    cleaned: Any = clean(schema, MESSAGES_STRICT)[0]
    assert set(cleaned["properties"]) == {"$schema", "minimum"}


def test_a_union_at_the_top_becomes_an_object() -> None:
    union = {
        "oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "k": {}}, "required": ["k", "a"]},
            {"type": "object", "properties": {"b": {"type": "string"}, "k": {}}, "required": ["k"]},
        ]
    }
    cleaned, removed = clean(union, MESSAGES_TOOL)
    assert cleaned == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "k": {}, "b": {"type": "string"}},
        "required": ["k"],
    }
    assert removed == ("$.oneOf",)


def test_gemini_refs_are_written_out_and_a_circle_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"const": 1}}}
    schema = {"$defs": {"node": node}, "type": "object", "properties": {"n": {"$ref": "#/$defs/node"}}}
    cleaned: Any = clean(schema, GEMINI)[0]
    assert cleaned["properties"]["n"]["properties"]["v"] == {"enum": [1]}
    assert cleaned["properties"]["n"]["properties"]["next"]["type"] == "object"
    assert "$ref" not in json.dumps(cleaned)


# -- media ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("data:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("DATA:image/PNG;charset=x;base64,AA-_", ("image/png", "AA+/")),
        ("data:;base64,AAA", ("", "AAA=")),
        ("data:image/png;base64,", None),
        ("data:text/plain,hi", None),
        ("https://x.test/a", None),
    ],
)
def test_data_urls(url: str, parsed: Any) -> None:
    assert media.parse_data_url(url) == parsed


def test_media_types_are_told_by_their_first_bytes() -> None:
    assert media.sniff(PNG) == "image/png"
    assert media.sniff("JVBERi0x") == "application/pdf"
    assert media.sniff("AAAA") == ""
    assert media.standard_base64("AA\nA A") == "AAAA"


# -- the sequencer ----------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(["open", "delta", "close"]), st.integers(0, 3), st.text(max_size=3)), max_size=30
    )
)
def test_any_order_of_fragments_gives_parts_one_behind_the_other(steps: list[tuple[str, int, str]]) -> None:
    from llr.ir.events import Finish, Start, Stop

    sequence, out = Sequencer(), list[Event]()
    fed: dict[int, str] = {}
    known: set[int] = set()
    closed: set[int] = set()
    for step, key, text in steps:
        match step:
            case "open" if key not in known:
                known.add(key)
                fed[key] = ""
                sequence.open(key, ToolCall(str(key), "f", ""), out)
            case "delta":
                if key in known and key not in closed:
                    fed[key] += text
                sequence.delta(key, text, out)
            case "close":
                if key in known:
                    closed.add(key)
                sequence.close(key, out)
    sequence.close_all(out)
    check_grammar([Start("", ""), *out, Finish(Stop.DONE)])
    from llr.ir.response import collect

    made = collect([Start("", ""), *out, Finish(Stop.DONE)])
    assert {int(part.id): part.arguments for part in made.parts if isinstance(part, ToolCall)} == fed


# -- tool forms and counting ------------------------------------------------------------------------------------------


@given(st.text())
def test_what_is_wrapped_comes_back(text: str) -> None:
    assert unwrapped(wrapped(text, ToolKind.CUSTOM), ToolKind.CUSTOM) == text
    assert unwrapped(text, ToolKind.FUNCTION) == text


def test_built_in_tools_become_functions() -> None:
    for kind in (ToolKind.SHELL, ToolKind.LOCAL_SHELL, ToolKind.APPLY_PATCH):
        form = function_form(Tool("", kind=kind))
        assert form.kind is ToolKind.FUNCTION
        assert form.name == kind.value
        assert isinstance(form.parameters, dict)
    bash = client_tool(ServerTool(A, "bash_20250124", {"type": "bash_20250124", "name": "bash"}))
    assert bash is not None
    assert bash.name == "bash"
    assert client_tool(ServerTool(A, "code_execution_20250825", {})) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("", ({}, True)), ("{}", ({}, True)), ("[1]", ({"value": [1]}, False)), ("{", ({}, False)), ("null", ({}, True))],
)
def test_arguments_are_an_object(text: str, value: Any) -> None:
    assert arguments_object(text) == value


def test_peer_36_counting_is_never_zero() -> None:
    assert text_tokens("abcd" * 10) == 10
    assert text_tokens("漢字") == 2
    assert image_size(PNG) == (1, 1)
    assert estimate_request(ChatRequest("m")) == 1
    image = Media(MediaKind.IMAGE, SourceKind.URL, "https://x.test")
    many = ChatRequest("m", messages=(Message(Role.USER, (Text("a" * 400), image)),), tools=(Tool("f", "d", {"a": 1}),))
    assert 1700 < estimate_request(many) < 1720


def test_an_id_a_thousand_times_over_is_tried_about_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def counted(original: str, rule: ids.IdRule) -> str:
        tried.append(original)
        return legal_id(original, rule)

    monkeypatch.setattr(ids, "legal_id", counted)
    table = CallIds(RULES[C])
    sent = [table.call("t") for _ in range(1000)]
    assert sent == ["t", *(f"t_{number}" for number in range(2, 1001))]
    assert len(tried) < 3000
    assert [table.result("t") for _ in range(1001)] == [*sent, sent[-1]]
