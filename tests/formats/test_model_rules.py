"""What each model generation takes: effort, thinking, sampling, fields, caches, repairs, relayed bodies."""

from typing import Any

import pytest

from llr.base.errors import ErrorKind, Fault
from llr.base.names import FormatId
from llr.formats import relay, translate
from llr.formats.base import Encoded, Target
from llr.formats.cache import normal_mark, normal_retention
from llr.formats.carrier import pack
from llr.formats.effort import budget_effort, clamp, header_effort, normalize, openai_efforts
from llr.formats.fields import filtered
from llr.formats.models_rules import claude_version, messages_rules, openai_reasoning
from llr.formats.repair import repair
from llr.formats.table import FORMATS
from llr.formats.translate import Hints, read_hints
from llr.ir.parts import Seal
from llr.wire.http import Headers

from .samples import KEY, A, C, R
from .strict import check_messages_request

G = FormatId.GEMINI
USER: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}


def sent(client: FormatId, upstream: FormatId, model: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    target = Target(model, **more.pop("target", {}))
    full = {"model": "alias", **USER, **body}
    made: Encoded = translate.request(full, FORMATS[client], FORMATS[upstream], target, **more)
    if upstream is A:
        check_messages_request(made.body)
    return made.body


# -- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-opus-4-7", ("opus", 4, 7)),
        ("claude-opus-4.6", ("opus", 4, 6)),
        ("anthropic/claude-sonnet-4-20250514", ("sonnet", 4, 0)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ("sonnet", 4, 5)),
        ("claude-3-5-haiku-latest", ("haiku", 3, 5)),
        ("claude-3-opus", ("opus", 3, 0)),
        ("claude-haiku-4-5@20251001", ("haiku", 4, 5)),
        ("claude-opus-5", ("opus", 5, 0)),
        ("claude-next", None),
        ("gpt-5", None),
    ],
)
def test_claude_versions(model: str, version: Any) -> None:
    assert claude_version(model) == version


def test_rules_by_generation() -> None:
    assert messages_rules("claude-sonnet-4-5", {}).prefill
    assert not messages_rules("claude-sonnet-4-5", {}).adaptive
    assert not messages_rules("claude-opus-4-6", {}).prefill
    assert messages_rules("claude-opus-4-6", {}).manual
    assert not messages_rules("claude-opus-4-7", {}).manual
    newest = messages_rules("claude-haiku-5", {})
    assert newest == messages_rules("claude-something", {})
    assert not newest.sampling
    assert not messages_rules("kimi-k2", {}).known
    assert messages_rules("claude-opus-4-7", {"prefill": True, "thinking_mode": "budget"}).manual


@pytest.mark.parametrize(
    ("model", "thinks"),
    [("gpt-5", True), ("openai/gpt-5.1-codex", True), ("o3-mini", True), ("gpt-4o", False),
     ("gpt-5-chat-latest", False), ("gpt-oss-120b", False), ("llama-o1", True), ("qwen3", False)],
)  # fmt: skip
def test_openai_reasoning_models(model: str, thinks: bool) -> None:
    assert openai_reasoning(model) is thinks


# -- effort -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "effort"),
    [("none", "none"), ("OFF", "none"), ("normal", "medium"), ("extra-high", "xhigh"), ("x", ""), ("maximum", "max"),
     ("ultrathink", "xhigh"), ("think_harder", "high"), ("think", "medium"), ("think hard", "high"), ("", "")],
)  # fmt: skip
def test_effort_words(said: str, effort: str) -> None:
    assert normalize(said) == effort


@pytest.mark.parametrize(
    ("budget", "limit", "effort"),
    [(None, None, "medium"), (0, 9, "medium"), (97, 100, "max"), (82, 100, "xhigh"), (65, 100, "high"),
     (30, 100, "medium"), (29, 100, "low"), (31_999, None, "max"),
     (28_000, None, "xhigh"), (24_000, None, "high"), (6_000, None, "medium"),
     (5_999, None, "low")],
)  # fmt: skip
def test_effort_of_a_budget(budget: int | None, limit: int | None, effort: str) -> None:
    assert budget_effort(budget, limit) == effort


def test_efforts_a_model_takes() -> None:
    assert openai_efforts("openai/gpt-5.4-pro") == ("medium", "high", "xhigh")
    assert openai_efforts("gpt-5.1") == ("none", "low", "medium", "high")
    assert openai_efforts("gpt-4o") == ("low", "medium", "high")
    assert clamp("max", openai_efforts("gpt-5.3-codex")) == "xhigh"
    assert clamp("none", ("medium", "high")) == "medium"


def test_effort_headers() -> None:
    assert header_effort(Headers([(b"x-claude-code-thinking-mode", b"ultrathink")])) == "xhigh"
    assert header_effort(Headers([(b"x-my-reasoning-effort", b"low")])) == "low"
    assert header_effort(Headers([(b"accept", b"high")])) == ""


def test_header_ultrathink_to_gpt_5_codex_is_high() -> None:
    hints = read_hints(Headers([(b"x-claude-code-thinking-mode", b"ultrathink")]))
    assert sent(A, C, "gpt-5-codex", {"max_tokens": 9}, hints=hints)["reasoning_effort"] == "high"


@pytest.mark.parametrize("model", ["gpt-5.2-codex", "gpt-5.3-codex", "gpt-5.4"])
def test_extra_high_stays_where_the_model_has_it(model: str) -> None:
    assert sent(A, C, model, {"max_tokens": 9}, hints=Hints("xhigh"))["reasoning_effort"] == "xhigh"


def test_effort_to_claude_by_generation() -> None:
    body = {"reasoning_effort": "xhigh", "max_tokens": 4096}
    made = sent(C, A, "claude-opus-4-7", body)
    assert (made["output_config"], made["thinking"]) == ({"effort": "xhigh"}, {"type": "adaptive"})
    assert sent(C, A, "claude-opus-4.6", body)["output_config"] == {"effort": "high"}
    made = sent(C, A, "claude-3-5-haiku", {"reasoning_effort": "high", "max_tokens": 4096})
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 3072}
    assert (
        sent(A, C, "gpt-4o-mini", {"max_tokens": 9, "output_config": {"effort": "high"}})["reasoning_effort"] == "high"
    )


def test_effort_none_turns_thinking_off() -> None:
    assert "thinking" not in sent(C, A, "claude-sonnet-4-5", {"reasoning_effort": "none"})
    assert sent(C, A, "claude-opus-4-7", {"reasoning_effort": "none"})["thinking"] == {"type": "disabled"}
    assert sent(A, C, "gpt-5.1", {"max_tokens": 9, "thinking": {"type": "disabled"}})["reasoning_effort"] == "none"
    assert "reasoning_effort" not in sent(A, C, "gpt-4o", {"max_tokens": 9, "thinking": {"type": "disabled"}})


@pytest.mark.parametrize(
    "thinking", [None, {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 30_000}, {"type": "disabled"}]
)
@pytest.mark.parametrize("max_tokens", [1, 1024, 2000, 64_000])
@pytest.mark.parametrize("effort", [None, "low", "max"])
@pytest.mark.parametrize(
    "model", ["claude-3-7-sonnet", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5", "other"]
)
@pytest.mark.parametrize("client", [A, C])
def test_peer_8_budget_arithmetic(
    client: FormatId, model: str, effort: str | None, max_tokens: int, thinking: Any
) -> None:
    body: dict[str, Any] = {"max_tokens": max_tokens}
    if thinking:
        body["thinking"] = thinking
    if effort:
        body |= {"output_config": {"effort": effort}} if client is A else {"reasoning_effort": effort}
    made = sent(client, A, model, body, target={"max_output_tokens": 64_000})
    assert made["max_tokens"] <= 64_000
    rules = messages_rules(model, {})
    kind = made.get("thinking", {}).get("type")
    assert rules.manual or kind != "enabled"
    if rules.known:
        assert rules.adaptive or kind != "adaptive"
        assert rules.effort_api or "effort" not in made.get("output_config", {})


def test_thinking_with_a_budget_drops_what_it_forbids() -> None:
    body = {
        "max_tokens": 9000,
        "reasoning_effort": "low",
        "temperature": 0.2,
        "top_p": 0.5,
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "required",
    }
    made = sent(C, A, "claude-sonnet-4-5", body)
    assert made["thinking"]["budget_tokens"] == 1800
    assert not {"temperature", "top_p"} & made.keys()
    assert made["tool_choice"] == {"type": "auto"}


def test_sampling_by_generation() -> None:
    body = {"temperature": 1.7, "top_p": 0.5}
    assert sent(C, A, "claude-3-opus", body)["temperature"] == 1
    assert sent(C, A, "claude-3-opus", body)["top_p"] == 0.5
    assert "top_p" not in sent(C, A, "claude-sonnet-4-5", body)
    assert not {"temperature", "top_p"} & sent(C, A, "claude-opus-5", body).keys()
    assert not {"temperature", "top_p"} & sent(A, C, "gpt-5", {"max_tokens": 9, "temperature": 0.1}).keys()


def test_token_limit_field_of_openai_reasoning_models() -> None:
    assert sent(A, C, "gpt-5", {"max_tokens": 9})["max_completion_tokens"] == 9
    assert sent(A, C, "gpt-4o", {"max_tokens": 9})["max_tokens"] == 9


def test_an_open_tool_turn_without_thinking_turns_a_manual_budget_off() -> None:
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "r"},
    ]
    assert "thinking" not in sent(C, A, "claude-sonnet-4-5", {"reasoning_effort": "high", "messages": history})
    made = sent(C, A, "claude-opus-4-7", {"reasoning_effort": "high", "messages": history})
    assert made["thinking"] == {"type": "adaptive"}


# -- caches -----------------------------------------------------------------------------------------------------------


def test_cache_words() -> None:
    assert normal_retention("Extended") == "24h"
    assert normal_retention("in-memory") == normal_retention("5m") == "in_memory"
    assert normal_retention("x") == ""
    assert normal_mark({"type": "", "ttl": "60m"}) == {"type": "ephemeral", "ttl": "1h"}
    assert normal_mark({"type": "x"}) is None


def test_retention_24h_gives_a_top_level_mark_of_an_hour() -> None:
    made = sent(C, A, "claude-sonnet-4-5", {"prompt_cache_retention": "24h"})
    assert made["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert sent(C, A, "claude-sonnet-4-5", {"prompt_cache_key": "k"})["cache_control"] == {"type": "ephemeral"}


def test_a_derived_key_is_the_same_all_through_a_conversation() -> None:
    mark = {"type": "ephemeral"}
    first = {"max_tokens": 9, "system": [{"type": "text", "text": "s", "cache_control": mark}]}
    later = {
        **first,
        "messages": [*USER["messages"], {"role": "assistant", "content": "y"}, {"role": "user", "content": "z"}],
    }
    keys = {sent(A, C, "m", body)["prompt_cache_key"] for body in (first, later)}
    assert len(keys) == 1
    assert keys.pop().startswith("llm-router:")
    assert sent(A, C, "m", first)["prompt_cache_retention"] == "in_memory"
    assert "prompt_cache_key" not in sent(A, C, "m", {"max_tokens": 9})
    assert "prompt_cache_key" not in sent(A, C, "m", first, target={"capabilities": {"prompt_cache_key": False}})


def test_more_than_four_marks_keep_the_last_four() -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": str(n), "cache_control": mark} for n in range(6)]
    made = sent(A, A, "claude-sonnet-4-5", {"max_tokens": 9, "messages": [{"role": "user", "content": parts}]})
    assert ["cache_control" in block for block in made["messages"][0]["content"]] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]


# -- fields -----------------------------------------------------------------------------------------------------------


def test_flags_and_learned_repairs_filter_fields() -> None:
    body = {"model": "m", "reasoning_effort": "low", "stream_options": {"include_usage": True}, "max_tokens": 9}
    target = Target(
        "m", capabilities={"supportsReasoning": False, "supportsStreamOptions": False, "renameFields": {"a": "b"}}
    )
    assert filtered(body, target) == {"model": "m", "max_tokens": 9}
    learned = Target(
        "m", learned=frozenset({"rename:max_tokens=max_completion_tokens", "drop:stream_options.include_usage"})
    )
    assert filtered(body, learned) == {
        "model": "m",
        "reasoning_effort": "low",
        "stream_options": {},
        "max_completion_tokens": 9,
    }
    assert filtered(body, Target("m")) is body
    forced = Target("m", capabilities={"forceFields": {"temperature": 1}, "dropFields": ["reasoning_effort"]})
    assert filtered(body, forced)["temperature"] == 1


def test_passthrough_fields_reach_the_target() -> None:
    made = sent(A, C, "m", {"max_tokens": 9, "min_p": 0.1}, target={"capabilities": {"passthroughFields": ["min_p"]}})
    assert made["min_p"] == 0.1


# -- repairs ----------------------------------------------------------------------------------------------------------

TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "additionalProperties": False}}}
]
THOUGHT = {"type": "thinking", "thinking": "t", "signature": "s"}
REPAIRS: list[tuple[FormatId, str, dict[str, Any], str, dict[str, Any]]] = [
    (C, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
     {"max_tokens": 5}, "rename:max_tokens=max_completion_tokens", {"max_completion_tokens": 5}),
    (C, "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is.",
     {"temperature": 0.2}, "drop:temperature", {}),
    (C, "Unrecognized request argument supplied: reasoning_effort", {"reasoning_effort": "low"},
     "drop:reasoning_effort", {}),
    (C, "Unknown parameter: 'stream_options'.", {"stream_options": {}}, "drop:stream_options", {}),
    (C, "property 'store' is unsupported", {"store": True}, "drop:store", {}),
    (A, "top_k: Extra inputs are not permitted", {"top_k": 1}, "drop:top_k", {}),
    (A, "output_config.effort: Extra inputs are not permitted", {"output_config": {"effort": "low"}},
     "drop:output_config.effort", {"output_config": {}}),
    (A, "`temperature` is deprecated for this model.", {"temperature": 0.1}, "drop:temperature", {}),
    (A, "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku",
     {"max_tokens": 64000}, "limit:8192", {"max_tokens": 8192}),
    (A, "messages.0.content.0.text.cache_control: Extra inputs are not permitted",
     {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}]},
     "part:cache_control", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
    (A, "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\".",
     {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking:adaptive", {"thinking": {"type": "adaptive"}}),
    (A, "adaptive thinking is not supported on this model", {"thinking": {"type": "adaptive"}}, "thinking:budget", {}),
    (A, "messages.1.content.0: Invalid `signature` in `thinking` block",
     {"messages": [{"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "a"}]}]},
     "", {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]}),
    (A, "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
     {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "", {}),
    (A, "role 'system' is not supported on this model",
     {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]}, "no-system-role",
     {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
      {"type": "text", "text": "<system-instruction>\nb\n</system-instruction>"}]}]}),
    (C, "'developer' is not one of ['system', 'assistant', 'user', 'function'] - 'messages.0.role'",
     {"messages": [{"role": "developer", "content": "a"}]}, "no-developer-role",
     {"messages": [{"role": "system", "content": "a"}]}),
    (C, "Missing `reasoning_content` field in the assistant message at message index 1",
     {"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "reasoning:required",
     {"messages": [{"role": "assistant", "tool_calls": [{}], "reasoning_content": ""}]}),
    (C, "Invalid schema for function 'f': In context=(), 'additionalProperties' is not permitted.", {"tools": TOOLS},
     "schema:additionalProperties",
     {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}),
    (C, "Tool call id was toolu_1 but must be a-z, A-Z, 0-9, with a length of 9.",
     {"messages": [{"role": "assistant", "tool_calls": [{"id": "abcdefghi"}, {"id": "c"}]}]}, "nine-ids",
     {"messages": [{"role": "assistant", "tool_calls": [{"id": "abcdefghi"}, {"id": "2e7d2c03a"}]}]}),
    (G, 'Invalid JSON payload received. Unknown name "topKk" at \'generation_config\': Cannot find field.',
     {"generationConfig": {"topKk": 1}}, "drop:generationConfig.topKk", {"generationConfig": {}}),
    (R, "The encrypted content gAAA could not be verified.",
     {"input": [{"type": "reasoning", "encrypted_content": "x"}, {"type": "message"}]}, "",
     {"input": [{"type": "message"}]}),
    (R, "Unsupported tool type: web_search_preview",
     {"tools": [{"type": "web_search_preview"}], "tool_choice": {"type": "web_search_preview"}}, "search:web_search",
     {"tools": [{"type": "web_search"}], "tool_choice": "required"}),
]  # fmt: skip


@pytest.mark.parametrize(("upstream", "message", "body", "learned", "mended"), REPAIRS)
def test_a_repair_mends_what_the_error_names(
    upstream: FormatId, message: str, body: dict[str, Any], learned: str, mended: dict[str, Any]
) -> None:
    fault = Fault(ErrorKind.INVALID_REQUEST, message, 400)
    found = repair(fault, {"model": "m", **body}, upstream)
    assert found is not None
    assert (found.learned, found.body) == (learned, {"model": "m", **mended})


@pytest.mark.parametrize(
    "message", ["Unknown parameter: 'model'.", "messages: at least one message is required", "no idea", ""]
)
def test_a_repair_never_takes_the_request_itself_away(message: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    assert repair(Fault(ErrorKind.INVALID_REQUEST, message, 400), body, C) is None


def test_only_refused_requests_are_repaired() -> None:
    fault = Fault(ErrorKind.RATE_LIMITED, "Unknown parameter: 'seed'.")
    assert repair(fault, {"seed": 1}, C) is None


def test_what_was_learned_keeps_the_next_request_clean() -> None:
    learned = frozenset({"no-system-role", "drop:thinking-history", "thinking:adaptive"})
    history = [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "c"}],
        },
        {"role": "user", "content": "d"},
    ]
    body = {"max_tokens": 4000, "messages": history, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    made = sent(A, A, "claude-sonnet-4-5", body, target={"learned": learned})
    assert made["thinking"] == {"type": "adaptive"}
    assert [message["role"] for message in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][1]["content"] == [{"type": "text", "text": "c"}]


# -- relayed bodies ---------------------------------------------------------------------------------------------------


def handed_on(body: dict[str, Any], own: FormatId, target: Target, *, effort: str = "") -> dict[str, Any]:
    return filtered(relay.apply_effort(body, own, target, effort), target)


def test_a_native_body_nothing_applies_to_is_the_same_object() -> None:
    body = {"model": "m", "max_tokens": 9, "thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, **USER}
    assert handed_on(body, A, Target("claude-opus-4-7")) is body
    assert handed_on(body, A, Target("unknown-model")) is body


def test_a_native_body_is_mended_where_the_family_refuses_it() -> None:
    body = {
        "model": "m",
        "max_tokens": 9000,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        **USER,
    }
    made = handed_on(body, A, Target("claude-sonnet-4-5"))
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 6750}
    assert "output_config" not in made
    manual = {"model": "m", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 8000}, **USER}
    made = handed_on(manual, A, Target("claude-opus-4-7"))
    assert (made["thinking"], made["output_config"]) == ({"type": "adaptive"}, {"effort": "xhigh"})


def test_header_effort_reaches_native_bodies_that_name_none() -> None:
    body = {"model": "m", "max_tokens": 4096, **USER}
    assert handed_on(body, A, Target("claude-opus-4-7"), effort="high")["output_config"] == {"effort": "high"}
    assert handed_on(body, C, Target("gpt-5"), effort="max")["reasoning_effort"] == "high"
    named = {**body, "reasoning_effort": "low"}
    assert handed_on(named, C, Target("gpt-5"), effort="max") is named


def test_carriers_of_others_leave_native_bodies_and_own_ones_are_unpacked() -> None:
    foreign, own = pack(Seal(C, {"h": "1"}, "p", "m"), KEY), pack(Seal(A, "sig", "anthropic", "m"), KEY)
    content = [
        {"type": "thinking", "thinking": "a", "signature": foreign},
        {"type": "thinking", "thinking": "b", "signature": own},
        {"type": "thinking", "thinking": "c", "signature": "vendor"},
        {"type": "text", "text": "t"},
    ]
    body = {"model": "m", "messages": [*USER["messages"], {"role": "assistant", "content": content}]}
    made = relay.open_carriers(body, A, Target("claude", issuer="anthropic"), (KEY,))
    assert [block.get("signature") for block in made["messages"][1]["content"]] == ["sig", "vendor", None]
    assert relay.may_hold_carriers(foreign.encode())
    assert not relay.may_hold_carriers(b'{"signature":"vendor"}')


def test_names_a_native_upstream_refuses_are_noticed() -> None:
    assert relay.names_refused({"tools": [{"type": "function", "function": {"name": "a.b"}}]}, C)
    assert not relay.names_refused({"tools": [{"name": "ab"}]}, A)
