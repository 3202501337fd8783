"""A request written for a Responses upstream.

Law: a Responses request that nothing changed is written as it came; everything else follows one fixed order of fields,
so that equal requests are equal bytes and the prefix of a longer conversation stays.
"""

import re
from hashlib import sha256
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.jsonio import JSON
from llr.base.records import dataclass, field
from llr.formats import reading
from llr.formats.base import Encoded, Target
from llr.formats.cache import has_marks
from llr.formats.effort import openai_effort
from llr.formats.fields import luggage_losses, option_losses, passthrough
from llr.formats.foreign import BILLING_LINE, plain_text
from llr.formats.ids import RULES as ID_RULES
from llr.formats.ids import CallIds
from llr.formats.models_rules import openai_reasoning
from llr.formats.openai_responses import tools_out
from llr.formats.openai_responses.content_in import OWN
from llr.formats.openai_responses.items_out import ItemWriter
from llr.formats.openai_responses.request_in import decode_options
from llr.formats.schema import OPENAI_STRICT, OPENAI_TOOL, clean
from llr.formats.tool_names import RULES as NAME_RULES
from llr.formats.tool_names import ToolNames
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Message, Part, Role, Text, ToolCall
from llr.ir.request import ChatRequest, Options, OutputFormat, Tool

# The vendor refuses fewer (API reference, `max_output_tokens`).
MIN_OUTPUT_TOKENS = 16
ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
_PLAIN = re.compile(r"(?:^|[/:._-])(?:gpt-(?:3|4)|chatgpt-4)", re.IGNORECASE)
# Models trained to label their messages (`phase` in the API reference).
_PHASES = re.compile(r"(?:^|[/:._-])gpt-(?:5[.-](?:[3-9]|\d\d)|[6-9]|\d\d)", re.IGNORECASE)
_TIERS = {"auto": "auto", "default": "default", "flex": "flex", "priority": "priority", "scale": "scale"}
_TIERS |= {"standard_only": "default", "standard": "default"}
# Longest user id the vendor takes.
_USER_LIMIT = 64
_SIMPLE = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_logprobs", "top_logprobs"),
    ("metadata", "metadata"),
    ("prompt_cache_key", "cache_key"),
    ("prompt_cache_retention", "cache_retention"),
)
# Options no Responses field stands for.
_LOST = ("stop", "top_k", "seed", "logit_bias", "presence_penalty", "frequency_penalty")


def reasons(target: Target) -> bool | None:
    """Returns whether the model thinks; None when nothing says so."""
    said = target.capabilities.get("supportsReasoning")
    if isinstance(said, bool):
        return said
    if openai_reasoning(target.model):
        return True
    return False if _PLAIN.search(target.model) else None


@dataclass(slots=True)
class _Writer:
    request: ChatRequest
    target: Target
    own: bool
    losses: list[Loss] = field(default_factory=list)

    @property
    def raw(self) -> dict[str, Any]:
        return dict(reading.bag(self.request.extras, OWN).get("~options", {}))

    def lose(self, path: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        self.losses.append(Loss(path, what, why, level))

    def body(self) -> Encoded:
        request, notes = self.request, reading.bag(self.request.extras, OWN)
        names = ToolNames(
            ((tool.name, tool.namespace) for tool in request.tools if isinstance(tool, Tool)),
            NAME_RULES[OWN],
            namespaces=True,
        )
        ids = CallIds(ID_RULES[OWN])
        out: dict[str, JSON] = {"model": self.target.model}
        writer = self._items(names, ids)
        instructions = self._instructions(writer)
        if instructions is not None:
            out["instructions"] = instructions
        elif "~instructions" in notes:
            out["instructions"] = notes["~instructions"]
        self._tools(out, names)
        self._options(out)
        self._state(out)
        self._lost()
        reading.unload(request.extras, OWN, out)
        out.update(passthrough(request.extras, OWN, self.target))
        # Last, so that the body of a longer conversation begins with the shorter one's.
        if request.messages or writer.items or not notes.get("~input"):
            out["input"] = self._input(writer)
        else:
            out["input"] = ""
        self.losses += writer.losses
        return Encoded(out, tuple(self.losses), names.changed())

    def _items(self, names: ToolNames, ids: CallIds) -> ItemWriter:
        linked = bool(self.request.previous_response_id) or "conversation" in reading.bag(self.request.extras, OWN)
        phases = not self.own and _PHASES.search(self.target.model) is not None
        return ItemWriter(self.target, names, ids, self.own, linked, phases)

    def _instructions(self, writer: ItemWriter) -> JSON:
        """Returns the `instructions` value and gives leading items of the client to the writer."""
        texts: list[str] = []
        whole: JSON = None
        leading: list[Part] = []
        role = Role.DEVELOPER
        for part in self.request.system:
            notes = reading.bag(part.extras, OWN) if isinstance(part, Text) else {}
            if isinstance(notes.get("~instructions"), list):
                whole = notes["~instructions"]
            if "~role" in notes:
                self._lead(writer, role, leading)
                leading, role = [part], Role(notes["~role"])
            elif leading and (notes or not isinstance(part, Text)):
                leading.append(part)
            elif (words := plain_text(part)) and not words.startswith(BILLING_LINE):
                texts.append(words)
        self._lead(writer, role, leading)
        return whole if whole is not None else "\n\n".join(texts) or None

    @staticmethod
    def _lead(writer: ItemWriter, role: Role, parts: list[Part]) -> None:
        if parts:
            writer.turn(Message(role, tuple(parts)))

    def _input(self, writer: ItemWriter) -> JSON:
        request = self.request
        items = writer.request(request)
        if reading.bag(request.extras, OWN).get("~input") and len(request.messages) == 1 and len(items) == 1:
            part = request.messages[0].parts[0]
            if isinstance(part, Text):
                return part.text
        return items

    def _tools(self, out: dict[str, JSON], names: ToolNames) -> None:
        tools = tools_out.tools(self.request, names, self.losses)
        notes, raw = reading.bag(self.request.extras, OWN), self.raw
        if tools:
            out["tools"] = tools
        elif "~tools" in notes:
            out["tools"] = notes["~tools"]
        if self.own and "tool_choice" in raw:
            out["tool_choice"] = raw["tool_choice"]
        elif tools and (choice := tools_out.choice(self.request, names, self.losses)) is not None:
            out["tool_choice"] = choice
        parallel = self.request.options.parallel_tools
        if "parallel_tool_calls" in raw or (parallel is not None and tools):
            out["parallel_tool_calls"] = parallel if parallel is not None else raw.get("parallel_tool_calls")

    def _options(self, out: dict[str, JSON]) -> None:
        options, raw = self.request.options, self.raw
        was = decode_options(raw)
        for key, name in _SIMPLE:
            value = getattr(options, name)
            if key in raw and getattr(was, name) == value:
                out[key] = raw[key]
            elif value not in (None, ""):
                out[key] = value
        if not self.own:
            self._sampling(out)
        self._limit(out, options, raw, was)
        self._reasoning(out)
        self._text(out, was)
        self._user(out, raw)
        tier = options.service_tier
        if "service_tier" in raw and (self.own or not tier):
            out["service_tier"] = raw["service_tier"]
        elif tier in _TIERS:
            out["service_tier"] = _TIERS[tier]
        elif tier:
            self.lose("options.service_tier", "service_tier", "the vendor has none of that name")

    def _sampling(self, out: dict[str, JSON]) -> None:
        options = self.request.options
        if reasons(self.target) and options.thinking.effort != "none":
            for key in ("temperature", "top_p", "top_logprobs"):
                if out.pop(key, None) is not None:
                    self.lose(f"options.{key}", key, "models that think refuse it", LossLevel.SILENT)
        elif options.logprobs and options.top_logprobs is None:
            out["top_logprobs"] = 0

    def _limit(self, out: dict[str, JSON], options: Options, raw: dict[str, Any], was: Options) -> None:
        limit = options.max_tokens
        if self.own and was.max_tokens == limit:
            if "max_output_tokens" in raw:
                out["max_output_tokens"] = raw["max_output_tokens"]
            return
        if limit is None:
            return
        top = self.target.max_output_tokens
        out["max_output_tokens"] = max(MIN_OUTPUT_TOKENS, limit if top is None else min(limit, top))

    def _reasoning(self, out: dict[str, JSON]) -> None:
        raw, thinking = self.raw.get("reasoning"), self.request.options.thinking
        if self.own:
            if "reasoning" in self.raw:
                out["reasoning"] = raw
                if isinstance(raw, dict) and thinking.effort and raw.get("effort") != thinking.effort:
                    out["reasoning"] = {**raw, "effort": thinking.effort}
            return
        options, target = self.request.options, self.target
        if not (thinking.mode or thinking.effort or thinking.budget_tokens):
            return
        if reasons(self.target) is False:
            if thinking.mode != "disabled":
                self.lose("options.thinking", "thinking", "the model does not think", LossLevel.SILENT)
            return
        effort = openai_effort(thinking, options.max_tokens, target.model, target.capabilities)
        fields: dict[str, JSON] = {"effort": effort} if effort else {}
        if thinking.mode != "disabled" and effort != "none" and thinking.visible is not False:
            fields["summary"] = "auto"
        if fields:
            out["reasoning"] = fields

    def _text(self, out: dict[str, JSON], was: Options) -> None:
        options, raw = self.request.options, self.raw.get("text")
        if "text" in self.raw and was.output == options.output and was.verbosity == options.verbosity:
            out["text"] = raw
            return
        fields: dict[str, JSON] = {}
        if options.output is not None:
            fields["format"] = self._format(options.output)
        if options.verbosity:
            fields["verbosity"] = options.verbosity
        if fields:
            out["text"] = fields

    def _format(self, output: OutputFormat) -> JSON:
        if output.kind != "json_schema":
            return {"type": "json_object"}
        # Not strict unless asked: strict makes every optional field a required one.
        strict = output.strict is True
        schema, removed = clean(output.schema, OPENAI_STRICT if strict else OPENAI_TOOL)
        for path in removed:
            self.lose("options.output", f"schema {path}", "the target takes no such schema")
        out: dict[str, JSON] = {"type": "json_schema", "name": output.name or "output", "schema": schema}
        if output.description:
            out["description"] = output.description
        out["strict"] = strict
        return out

    def _user(self, out: dict[str, JSON], raw: dict[str, Any]) -> None:
        for key in ("safety_identifier", "user"):
            if key in raw:
                out[key] = raw[key]
        user = self.request.options.user
        if user and not self.own:
            long = len(user) > _USER_LIMIT
            out["safety_identifier"] = sha256(user.encode("utf-8", "surrogatepass")).hexdigest() if long else user

    def _state(self, out: dict[str, JSON]) -> None:
        request, raw = self.request, self.raw
        include = list(request.options.include)
        if self.own:
            if "include" in raw:
                out["include"] = raw["include"]
            if "store" in raw:
                out["store"] = raw["store"]
            if request.stream or "~stream" in reading.bag(request.extras, OWN):
                out["stream"] = request.stream
            if request.previous_response_id:
                out["previous_response_id"] = request.previous_response_id
            return
        if "reasoning" in out or reasons(self.target):
            include.append(ENCRYPTED)
        if "top_logprobs" in out:
            include.append(LOGPROBS)
        if include:
            out["include"] = [*dict.fromkeys(include)]
        out["store"] = request.options.store is True
        out["stream"] = request.stream

    def _lost(self) -> None:
        request, options = self.request, self.request.options
        self.losses += option_losses(options, _LOST, "Responses has no such field")
        if options.n is not None and options.n > 1:
            raise fail(ErrorKind.INVALID_REQUEST, "more than one choice: Responses gives one answer", param="n")
        if has_marks(request):
            self.lose("cache_control", "cache_control", "Responses caches by itself and by key", LossLevel.SILENT)
        last = request.messages[-1] if request.messages and not self.own else None
        if last is not None and last.role is Role.ASSISTANT:
            begun = [part for part in last.parts if isinstance(part, Text) and part.text.strip()]
            if begun and not any(isinstance(part, ToolCall) for part in last.parts):
                self.lose("messages", "prefill", "the model answers anew instead of going on")
        self.losses += luggage_losses(request.extras, OWN)


def encode_request(request: ChatRequest, target: Target) -> Encoded:
    """Returns the body for `target`, with what it could not carry and the names and ids it had to change.

    Raises `GatewayError(INVALID_REQUEST)` when more than one answer is asked for.
    """
    return _Writer(request, target, OWN in request.extras).body()
