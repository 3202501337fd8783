"""How much a model should think, from whatever a client said to what a target takes.

Law: pure tables; an effort is never raised above what was asked, a budget is always legal next to `max_tokens`.
"""

import re
from collections.abc import Mapping
from typing import Any

from llr.base.records import dataclass
from llr.formats.models_rules import LOW_TO_HIGH, MessagesRules
from llr.formats.reading import integer, table, text
from llr.ir.request import Thinking
from llr.wire.http import Headers

ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_RANK = {effort: rank for rank, effort in enumerate(ORDER)}
_WORDS = {
    "none": "none",
    "off": "none",
    "disabled": "none",
    "disable": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "normal": "medium",
    "standard": "medium",
    "default": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "extra high": "xhigh",
    "max": "max",
    "maximum": "max",
    "think": "medium",
}
_RUN = re.compile(r"[_\-\s]+")
_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_HEADERS = (
    b"x-claude-code-reasoning-effort",
    b"x-claude-code-thinking-effort",
    b"x-claude-code-thinking-mode",
    b"x-claude-thinking-mode",
    b"x-openai-reasoning-effort",
    b"x-reasoning-effort",
    b"reasoning-effort",
)
_HEADER_NAME = re.compile(rb"reasoning[-_]?effort|thinking[-_]?mode|thinking[-_]?effort")
# First match wins; a pattern must stand between `-` or the ends of the normalized id.
_OPENAI: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gpt-5-4-pro", ("medium", "high", "xhigh")),
    ("gpt-5-pro", ("high",)),
    ("gpt-5-4", ("none", "low", "medium", "high", "xhigh")),
    ("gpt-5-3-codex", ("low", "medium", "high", "xhigh")),
    ("gpt-5-2-codex", ("low", "medium", "high", "xhigh")),
    ("gpt-5-2-pro", ("medium", "high", "xhigh")),
    ("gpt-5-2", ("none", "low", "medium", "high", "xhigh")),
    ("gpt-5-1-codex", ("low", "medium", "high")),
    ("gpt-5-1", ("none", "low", "medium", "high")),
    ("gpt-5", ("minimal", "low", "medium", "high")),
)
# Share of `max_tokens` an effort may think with; `max` leaves one token.
_SHARES = {"low": 0.20, "medium": 0.45, "high": 0.75, "xhigh": 0.90}
_RATIOS = ((0.97, "max"), (0.82, "xhigh"), (0.65, "high"), (0.3, "medium"))
_BUDGETS = ((31_999, "max"), (28_000, "xhigh"), (24_000, "high"), (6_000, "medium"))
# Vendor reference: `budget_tokens` is at least 1024 and below `max_tokens`.
LEAST_BUDGET = 1024
DEFAULT_MAX_TOKENS = 8192


def normalize(value: str) -> str:
    """Returns the normal form of an effort in any spelling, "" when it says none."""
    said = _RUN.sub(" ", value.strip().lower())
    found = _WORDS.get(said)
    if found is not None:
        return found
    if "ultra" in said:
        return "xhigh"
    return "high" if "think hard" in said or "harder" in said else ""


def header_effort(headers: Headers) -> str:
    """Returns the effort that client headers ask for, "" when none does."""
    for name in _HEADERS:
        if name in headers and (found := normalize(headers.text(name))):
            return found
    for name in headers.names():
        if _HEADER_NAME.search(name) and (found := normalize(headers.text(name))):
            return found
    return ""


def body_effort(body: Mapping[str, Any]) -> str:
    """Returns the effort a body names outright, in any client's field, "" when none does."""
    values = (
        table(body.get("output_config")).get("effort"),
        body.get("reasoning_effort"),
        body.get("reasoningEffort"),
        body.get("reasoning-effort"),
        body.get("effort"),
        table(body.get("reasoning")).get("effort"),
    )
    return next((found for value in values if (found := normalize(text(value)))), "")


def budget_effort(budget: int | None, max_tokens: int | None) -> str:
    """Returns the effort a manual thinking budget amounts to."""
    if not budget or budget <= 0:
        return "medium"
    if max_tokens:
        return next((effort for ratio, effort in _RATIOS if budget / max_tokens >= ratio), "low")
    return next((effort for least, effort in _BUDGETS if budget >= least), "low")


def thinking_effort(thinking: Thinking, max_tokens: int | None) -> str:
    """Returns the effort a request asks for in all: named, or as its thinking switch amounts to; "" when unsaid."""
    if thinking.effort:
        return "none" if thinking.mode == "disabled" else thinking.effort
    if thinking.mode == "disabled":
        return "none"
    if thinking.mode == "enabled" or thinking.budget_tokens:
        return budget_effort(thinking.budget_tokens, max_tokens)
    return ""


def clamp(effort: str, supported: tuple[str, ...]) -> str:
    """Returns `effort` when supported, else the highest supported one below it, else the lowest."""
    if effort in supported or not supported:
        return effort
    below = [each for each in supported if _RANK[each] <= _RANK[effort]]
    return below[-1] if below else supported[0]


def openai_efforts(model: str) -> tuple[str, ...]:
    """Returns the efforts an OpenAI model takes, low to high."""
    name = _NOT_ALNUM.sub("-", re.split(r"[/:]", model.lower())[-1])
    padded = f"-{name.strip('-')}-"
    return next((efforts for pattern, efforts in _OPENAI if f"-{pattern}-" in padded), LOW_TO_HIGH)


def openai_effort(thinking: Thinking, max_tokens: int | None, model: str, capabilities: Mapping[str, Any]) -> str:
    """Returns `reasoning_effort` for a target of the OpenAI formats, "" to send none."""
    if capabilities.get("supportsReasoning") is False or capabilities.get("reasoning") is False:
        return ""
    effort = thinking_effort(thinking, max_tokens)
    if not effort:
        return ""
    efforts = capabilities.get("efforts")
    supported = tuple(efforts) if isinstance(efforts, list | tuple) and efforts else openai_efforts(model)
    if effort == "none" and "none" not in supported and supported == LOW_TO_HIGH:
        return ""
    return clamp(effort, supported)


@dataclass(frozen=True, slots=True)
class ThinkingPlan:
    """What goes into a Messages body: `thinking` (None: no such field), `output_config.effort`, the token limit."""

    thinking: dict[str, Any] | None
    effort: str
    max_tokens: int

    @property
    def on(self) -> bool:
        """Returns whether the model will think with a manual budget, which forbids other options."""
        return self.thinking is not None and self.thinking.get("type") == "enabled"


def effort_budget(effort: str, max_tokens: int) -> int | None:
    """Returns the budget of an effort next to `max_tokens`, None when there is no room for any."""
    if max_tokens - 1 < LEAST_BUDGET:
        return None
    share = _SHARES.get(effort)
    wanted = max_tokens - 1 if share is None else round(max_tokens * share)
    return max(LEAST_BUDGET, min(wanted, max_tokens - 1))


def _fitted(budget: int, max_tokens: int, limit: int | None) -> tuple[int, int]:
    """Returns a legal (budget, max_tokens): the latter grows to hold the budget, up to the model's limit."""
    budget = max(budget, LEAST_BUDGET)
    if max_tokens > budget:
        return budget, max_tokens
    wanted = budget + LEAST_BUDGET
    if limit is not None and wanted > limit:
        return max(LEAST_BUDGET, min(budget, limit - LEAST_BUDGET)), max(limit, LEAST_BUDGET + 1)
    return budget, wanted


def plan_thinking(
    thinking: Thinking, max_tokens: int, rules: MessagesRules, *, own: Mapping[str, Any] | None, limit: int | None
) -> ThinkingPlan:
    """Returns the thinking fields of a Messages body. `own` is the client's `thinking` when it wrote this format."""
    effort = clamp(thinking.effort, rules.efforts) if thinking.effort and thinking.effort != "none" else ""
    if own is not None:
        return _plan_own(dict(own), effort if rules.effort_api else "", thinking, max_tokens, rules, limit)
    asked = thinking_effort(thinking, max_tokens)
    if not asked and thinking.mode != "adaptive":
        return ThinkingPlan(None, "", max_tokens)
    if asked == "none" or (asked == "minimal" and not rules.effort_api):
        off = {"type": "disabled"} if rules.known and rules.adaptive else None
        return ThinkingPlan(off, "", max_tokens)
    display = {} if thinking.visible is None else {"display": "summarized" if thinking.visible else "omitted"}
    if rules.adaptive:
        level = clamp(asked, rules.efforts) if asked and rules.effort_api else ""
        return ThinkingPlan({"type": "adaptive", **display}, level, max_tokens)
    if not rules.manual:
        return ThinkingPlan(None, "", max_tokens)
    budget = thinking.budget_tokens
    if not budget:
        budget = effort_budget(clamp(asked or "medium", (*LOW_TO_HIGH, "xhigh", "max")), max_tokens)
        if budget is None:
            return ThinkingPlan(None, "", max_tokens)
    budget, max_tokens = _fitted(budget, max_tokens, limit)
    return ThinkingPlan({"type": "enabled", "budget_tokens": budget}, "", max_tokens)


def _plan_own(
    own: dict[str, Any], effort: str, thinking: Thinking, max_tokens: int, rules: MessagesRules, limit: int | None
) -> ThinkingPlan:
    """Returns the client's own thinking, mended only where this model refuses its form."""
    kind = own.get("type")
    if not rules.known or kind not in ("enabled", "adaptive"):
        own, max_tokens = _own_budget(own, max_tokens, limit)
        return ThinkingPlan(own, effort or (thinking.effort if not rules.known else ""), max_tokens)
    if kind == "enabled" and not rules.manual:
        effort = effort or clamp(budget_effort(thinking.budget_tokens, max_tokens), rules.efforts)
        rest = {key: value for key, value in own.items() if key == "display"}
        return ThinkingPlan({"type": "adaptive", **rest} if rules.adaptive else None, effort, max_tokens)
    if kind == "adaptive" and not rules.adaptive:
        asked = thinking.effort if thinking.effort not in ("", "none") else "medium"
        budget = effort_budget(clamp(asked, (*LOW_TO_HIGH, "xhigh", "max")), max_tokens)
        if not rules.manual or budget is None:
            return ThinkingPlan(None, "", max_tokens)
        return ThinkingPlan({"type": "enabled", "budget_tokens": budget}, effort, max_tokens)
    own, max_tokens = _own_budget(own, max_tokens, limit)
    return ThinkingPlan(own, effort, max_tokens)


def _own_budget(own: dict[str, Any], max_tokens: int, limit: int | None) -> tuple[dict[str, Any], int]:
    budget = integer(own.get("budget_tokens")) if own.get("type") == "enabled" else None
    if budget is None:
        return own, max_tokens
    fitted, max_tokens = _fitted(budget, max_tokens, limit)
    return ({**own, "budget_tokens": fitted} if fitted != budget else own), max_tokens
