"""A request written for a Gemini upstream. The model and the method go into the address, not the body.

Law: a Gemini request that nothing changed is written as it came (in one spelling); everything else follows one fixed
order of fields with `contents` last, so that a longer conversation's body begins with the shorter one's.
"""

from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.formats import reading
from llr.formats.base import Encoded, Target
from llr.formats.cache import has_marks
from llr.formats.effort import clamp, thinking_effort
from llr.formats.fields import luggage_losses, option_losses, passthrough
from llr.formats.foreign import BILLING_LINE, plain_text
from llr.formats.gemini import tools_out
from llr.formats.gemini.contents_out import Conversation
from llr.formats.gemini.models import Rules, rules
from llr.formats.gemini.parts_in import OWN
from llr.formats.gemini.request_in import options as read_options
from llr.formats.gemini.schemas import from_json_schema
from llr.formats.ids import RULES as ID_RULES
from llr.formats.ids import CallIds
from llr.formats.tool_names import RULES as NAME_RULES
from llr.formats.tool_names import ToolNames
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Opaque
from llr.ir.request import ChatRequest, Options, Tool

# Vendor reference, `stopSequences`.
MOST_STOPS = 5
_SIMPLE = (
    ("temperature", "temperature"),
    ("topP", "top_p"),
    ("topK", "top_k"),
    ("seed", "seed"),
    ("presencePenalty", "presence_penalty"),
    ("frequencyPenalty", "frequency_penalty"),
    ("responseLogprobs", "logprobs"),
    ("logprobs", "top_logprobs"),
)
_LOST = ("logit_bias", "verbosity", "user", "metadata", "store", "cache_key", "cache_retention")
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576}
_UNLIMITED = -1


@dataclass(slots=True)
class _Writer:
    request: ChatRequest
    target: Target
    rules: Rules
    own: bool
    losses: list[Loss] = field(default_factory=list)

    def lose(self, path: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        self.losses.append(Loss(path, what, why, level))

    def body(self) -> Encoded:
        request, notes = self.request, reading.bag(self.request.extras, OWN)
        named = [(tool.name or tool.kind.value, tool.namespace) for tool in request.tools if isinstance(tool, Tool)]
        names, ids = ToolNames(named, NAME_RULES[OWN]), CallIds(ID_RULES[OWN])
        out: dict[str, JSON] = {}
        system = self._system()
        if system is not None:
            out["systemInstruction"] = system
        self._tools(out, names)
        config = self._config(bool(out.get("tools")))
        if config or "~generationConfig" in notes:
            out["generationConfig"] = config
        self._tier(out)
        reading.unload(request.extras, OWN, out)
        out.update(passthrough(request.extras, OWN, self.target))
        conversation = Conversation(self.target, self.rules, names, ids, self.own, self.losses)
        for message in request.messages:
            conversation.add(message)
        contents = conversation.finish()
        out["contents"] = notes.get("~contents", contents)
        self._lost()
        return Encoded(out, tuple(self.losses), names.changed())

    def _system(self) -> JSON:
        request, notes = self.request, reading.bag(self.request.extras, OWN)
        if self.own and "~systemInstruction" in notes:
            whole: JSON = notes["~systemInstruction"]
            return whole
        texts: list[JSON] = []
        for part in request.system:
            words = plain_text(part)
            if words is None and isinstance(part, Opaque):
                self.lose(part.at, "system block", f"only {part.format} has it")
            elif words and not words.startswith(BILLING_LINE):
                texts.append({"text": words})
        return {"parts": texts} if texts else None

    def _tools(self, out: dict[str, JSON], names: ToolNames) -> None:
        request, notes = self.request, reading.bag(self.request.extras, OWN)
        tools = tools_out.tools(request, names, self.rules, self.losses, own=self.own)
        if tools:
            out["tools"] = tools
        elif "~tools" in notes:
            out["tools"] = notes["~tools"]
        if "~toolConfig" in notes:
            out["toolConfig"] = notes["~toolConfig"]
        elif tools and (chosen := tools_out.tool_config(request, names, tools, self.losses)):
            out["toolConfig"] = chosen
        if request.options.parallel_tools is False and tools:
            self.lose("options.parallel_tools", "parallel_tools", "Gemini decides itself")

    def _tier(self, out: dict[str, JSON]) -> None:
        notes, tier = reading.bag(self.request.extras, OWN), self.request.options.service_tier
        if "~serviceTier" in notes:
            out["serviceTier"] = notes["~serviceTier"]
        elif tier in ("flex", "priority"):
            out["serviceTier"] = tier
        elif tier and tier not in ("auto", "default", "standard", "standard_only"):
            self.lose("options.service_tier", "service_tier", "this vendor has no such tier")

    # generationConfig

    def _config(self, has_tools: bool) -> dict[str, JSON]:
        options = self.request.options
        raw: dict[str, Any] = dict(reading.table(reading.bag(self.request.extras, OWN).get("~generationConfig")))
        was = read_options(raw)
        out: dict[str, JSON] = {}
        for key, name in _SIMPLE:
            value = getattr(options, name)
            if key in raw and getattr(was, name) == value:
                out[key] = raw[key]
            elif value is not None:
                out[key] = value
        self._limits(out, options, raw, was)
        if self.own and was.output == options.output:
            for key in ("responseMimeType", "responseSchema", "responseJsonSchema"):
                if key in raw:
                    out[key] = raw[key]
        elif options.output is not None:
            self._output(out, options, has_tools)
        if self.own and was.thinking == options.thinking:
            if "thinkingConfig" in raw:
                out["thinkingConfig"] = raw["thinkingConfig"]
        elif (thinking := self._thinking(options)) is not None:
            out["thinkingConfig"] = thinking
        for key, value in raw.items():
            out.setdefault(key, value)
        return out

    def _limits(self, out: dict[str, JSON], options: Options, raw: dict[str, Any], was: Options) -> None:
        limit, top = options.max_tokens, self.target.max_output_tokens
        if self.own and limit == was.max_tokens:
            if "maxOutputTokens" in raw:
                out["maxOutputTokens"] = raw["maxOutputTokens"]
        elif limit:
            out["maxOutputTokens"] = limit if top is None else min(limit, top)
        if self.own and options.stop == was.stop:
            if "stopSequences" in raw:
                out["stopSequences"] = raw["stopSequences"]
        elif options.stop:
            out["stopSequences"] = [*options.stop[:MOST_STOPS]]
            if len(options.stop) > MOST_STOPS:
                self.lose("options.stop", "stop", f"at most {MOST_STOPS} stop sequences; the first ones stay")
        if self.own and "candidateCount" in raw:
            out["candidateCount"] = raw["candidateCount"]
        elif options.n is not None and options.n > 1:
            raise fail(ErrorKind.INVALID_REQUEST, "more than one choice: one answer comes back from here", param="n")

    def _output(self, out: dict[str, JSON], options: Options, has_tools: bool) -> None:
        output = options.output
        if output is None:
            return
        if has_tools and not self.rules.mixes:
            self.lose("options.output", "output", "this model takes structured output only without tools")
            return
        out["responseMimeType"] = "application/json"
        if output.schema is not None:
            schema, removed = from_json_schema(output.schema)
            for path in removed:
                self.lose("options.output", f"schema {path}", "the target has no such keyword", LossLevel.SILENT)
            out["responseSchema"] = schema

    def _thinking(self, options: Options) -> JSON:
        thinking, known = options.thinking, self.rules
        effort = thinking_effort(thinking, options.max_tokens)
        if not effort and thinking.mode != "adaptive":
            return {"includeThoughts": thinking.visible} if thinking.visible is not None and self.own else None
        if not known.levels and not known.budgets:
            if effort != "none":
                self.lose("options.thinking", "thinking", "the model does not think", LossLevel.SILENT)
            return None
        out: dict[str, JSON] = {}
        if known.levels:
            if effort:
                out["thinkingLevel"] = clamp(effort, known.levels)
        elif effort == "none":
            out["thinkingBudget"] = known.least
        elif thinking.budget_tokens:
            out["thinkingBudget"] = max(known.least, min(thinking.budget_tokens, known.most))
        else:
            out["thinkingBudget"] = min(_BUDGETS.get(effort, known.most), known.most) if effort else _UNLIMITED
        if effort != "none":
            out["includeThoughts"] = thinking.visible is not False
        return out

    def _lost(self) -> None:
        request = self.request
        self.losses += option_losses(request.options, _LOST, "Gemini has no such field")
        if has_marks(request):
            self.lose("cache_control", "cache_control", "Gemini caches by itself", LossLevel.SILENT)
        self.losses += luggage_losses(request.extras, OWN)


def encode_request(request: ChatRequest, target: Target) -> Encoded:
    """Returns the body for `target`, with what it could not carry and the names and ids it had to change.

    Raises `GatewayError(INVALID_REQUEST)` when more than one answer is asked for.
    """
    return _Writer(request, target, rules(target), OWN in request.extras).body()
