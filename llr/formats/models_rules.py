"""What model generations accept, as data. Capability flags of a target override every row.

Source: the vendors' model and parameter references; a newer Claude than any row gets the newest rules.
"""

import re
from collections.abc import Mapping
from typing import Any

from llr.base.records import dataclass, replace

_CLAUDE = re.compile(
    r"claude-(?:(\d+)(?:[-.](\d{1,2}))?-)?(opus|sonnet|haiku|[a-z]+)(?:-(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?)?"
)
_OPENAI_REASONING = re.compile(r"(?:^|[/:.-])(?:o[1345](?:$|[-.@:])|gpt-(?:[5-9]|\d\d)(?!\d)|codex)")
_OPENAI_PLAIN = re.compile(r"gpt-5(?:\.\d+)?-chat|gpt-oss")

LOW_TO_HIGH = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class MessagesRules:
    """What a model behind the Messages format takes.

    `manual` and `adaptive` are the forms of `thinking`; `efforts` what its thinking or effort switch knows;
    `effort_api` says that `output_config.effort` exists; `sampling` allows temperature, top_p and top_k, `pair` the
    first two together; `structured` means `output_config.format`. `known` is False for models of other vendors.
    """

    known: bool = True
    prefill: bool = True
    manual: bool = True
    adaptive: bool = False
    effort_api: bool = False
    efforts: tuple[str, ...] = LOW_TO_HIGH
    sampling: bool = True
    pair: bool = True
    structured: bool = False
    strict_tools: bool = False


_OLD = MessagesRules()
_4_1 = replace(_OLD, pair=False)
_4_5 = replace(_4_1, structured=True, strict_tools=True)
_OPUS_4_5 = replace(_4_5, efforts=("low", "medium", "high", "max"))
_4_6 = replace(_OPUS_4_5, prefill=False, adaptive=True, effort_api=True)
_NEWEST = replace(_4_6, manual=False, sampling=False, efforts=("low", "medium", "high", "xhigh", "max"))
# Models of other vendors behind this format: nothing is refused, thinking is asked for in the oldest form.
_FOREIGN = MessagesRules(known=False)


def claude_version(model: str) -> tuple[str, int, int] | None:
    """Returns (family, major, minor) of a Claude id anywhere in `model`, None when it is none or tells no number."""
    match = _CLAUDE.search(model.lower())
    if match is None:
        return None
    old_major, old_minor, family, major, minor = match.groups()
    if old_major is None and major is None:
        return None
    return family, int(old_major or major), int(old_minor or minor or 0)


def _by_version(family: str, version: tuple[int, int]) -> MessagesRules:
    if version >= (4, 7):
        return _NEWEST
    if version >= (4, 6):
        return _4_6
    if version >= (4, 5):
        return _OPUS_4_5 if family == "opus" else _4_5
    return _4_1 if version >= (4, 1) else _OLD


_FLAGS: Mapping[str, str] = {
    "prefill": "prefill",
    "json_schema": "structured",
    "strict_tools": "strict_tools",
    "sampling": "sampling",
    "effort_api": "effort_api",
}


def messages_rules(model: str, capabilities: Mapping[str, Any], learned: frozenset[str] = frozenset()) -> MessagesRules:
    """Returns the rules of a model behind the Messages format; flags and what was learned win over the rows."""
    found = claude_version(model)
    if found is not None:
        rules = _by_version(found[0], found[1:])
    else:
        rules = _NEWEST if "claude" in model.lower().rsplit("/", 1)[-1][:24] else _FOREIGN
    for flag, name in _FLAGS.items():
        value = capabilities.get(flag)
        if isinstance(value, bool) and value is not getattr(rules, name):
            rules = replace(rules, **{name: value})  # type: ignore[arg-type]
    mode = capabilities.get("thinking_mode")
    if "thinking:adaptive" in learned:
        mode = "adaptive"
    elif "thinking:budget" in learned:
        mode = "budget"
    match mode:
        case "budget":
            rules = replace(rules, manual=True, adaptive=False)
        case "adaptive":
            rules = replace(rules, manual=False, adaptive=True)
        case "none":
            rules = replace(rules, manual=False, adaptive=False)
    return rules


def openai_reasoning(model: str) -> bool:
    """Returns whether `model` is an OpenAI reasoning model: wants `max_completion_tokens`, takes no sampling."""
    lowered = model.lower()
    return bool(_OPENAI_REASONING.search(lowered)) and not _OPENAI_PLAIN.search(lowered)
