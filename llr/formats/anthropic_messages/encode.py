"""The intermediate form to Messages requests.

Law: the body is legal for the target's model generation; `messages` comes last, so that a longer conversation's body
begins with the shorter one's.
"""

import re
from hashlib import sha256
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.records import dataclass, replace
from llr.formats import models_rules
from llr.formats.anthropic_messages import blocks
from llr.formats.anthropic_messages.blocks import AS_LIST, MESSAGES
from llr.formats.anthropic_messages.request import NO_TOOLS, OLD_OUTPUT, OWN, RAW_METADATA, RAW_OUTPUT, RAW_THINKING
from llr.formats.anthropic_messages.turns import Conversation
from llr.formats.base import Encoded, Target
from llr.formats.cache import has_marks, limit_marks
from llr.formats.carrier import fits
from llr.formats.effort import DEFAULT_MAX_TOKENS, ThinkingPlan, plan_thinking
from llr.formats.fields import luggage_losses, option_losses, passthrough, refuse_choices, schema_losses
from llr.formats.foreign import plain_text
from llr.formats.models_rules import MessagesRules
from llr.formats.reading import bag, count, table, text, unload
from llr.formats.schema import MESSAGES_STRICT, MESSAGES_TOOL, clean, object_schema
from llr.formats.tool_names import AS_TEXT, RULES, ToolNames
from llr.formats.toolforms import NAME_TAKEN, NOT_SENT, function_form, search_losses
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Reasoning, Role, Text, ToolCall, ToolResult
from llr.ir.request import ChatRequest, ChoiceMode, Options, ServerTool, Tool, ToolChoice

JSON_TOOL = "json_output"
_JSON_ONLY = "Answer with one JSON object and nothing else: no prose, no code fence."
_ONLY_TOOL = f"Give your final answer by calling the tool {JSON_TOOL}."
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Vendor reference: `metadata.user_id` has at most 256 characters and must not identify a person.
_USER_LIMIT = 256
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_NOT_HERE = (
    "seed",
    "logit_bias",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "verbosity",
    "metadata",
    "store",
)


@dataclass(slots=True)
class _Work:
    """One encoding under way."""

    request: ChatRequest
    target: Target
    rules: MessagesRules
    names: ToolNames
    losses: list[Loss]
    plan: ThinkingPlan
    own: bool
    json_tool: bool = False

    def lose(self, at: str, what: str, why: str, level: LossLevel = LossLevel.WARN) -> None:
        self.losses.append(Loss(at, what, why, level))


def encode_request(request: ChatRequest, target: Target) -> Encoded:
    """Returns a Messages body for `target`. Raises `GatewayError(INVALID_REQUEST)` for what has no equivalent."""
    _refuse(request)
    work = _begin(request, target)
    body: dict[str, Any] = {"model": target.model, "max_tokens": work.plan.max_tokens}
    if request.stream or not work.own:
        body["stream"] = request.stream
    _sampling(work, body)
    _steering(work, body)
    _output(work, body)
    _tools(work, body)
    system = _system(work)
    if system:
        body["system"] = system
    unload(request.extras, MESSAGES, body)
    body.update(passthrough(request.extras, MESSAGES, target))
    conversation = Conversation(target, work.rules, work.names, work.losses)
    for message in request.messages:
        conversation.add(message)
    body["messages"] = conversation.finish()
    _check_prefill(work, body["messages"])
    if has_marks(request) and limit_marks(body, own=work.own):
        work.lose("messages", "cache_control", "at most four cache marks; the last four stay", LossLevel.SILENT)
    work.losses += luggage_losses(request.extras, MESSAGES)
    names = work.names.changed()
    if work.json_tool:
        names[JSON_TOOL] = AS_TEXT
    return Encoded(body, tuple(work.losses), names)


def _refuse(request: ChatRequest) -> None:
    refuse_choices(request)
    if request.previous_response_id:
        raise fail(
            ErrorKind.INVALID_REQUEST,
            f"Previous response with id '{request.previous_response_id}' not found.",
            param="previous_response_id",
        )


def _begin(request: ChatRequest, target: Target) -> _Work:
    rules = models_rules.messages_rules(target.model, target.capabilities, target.learned)
    named = [(tool.name or tool.kind.value, tool.namespace) for tool in request.tools if isinstance(tool, Tool)]
    losses: list[Loss] = []
    own = OWN in bag(request.extras, MESSAGES)
    limit = target.max_output_tokens
    wanted = request.options.max_tokens
    if wanted is None or (wanted == 0 and not own):
        wanted = limit or DEFAULT_MAX_TOKENS
    if limit is not None and wanted > limit:
        losses.append(Loss("options.max_tokens", "max_tokens", f"the model's limit is {limit}", LossLevel.SILENT))
        wanted = limit
    raw = bag(request.extras, MESSAGES).get(RAW_THINKING)
    plan = plan_thinking(request.options.thinking, wanted, rules, own=raw, limit=limit)
    if target.capabilities.get("supportsThinking") is False or "drop:thinking" in target.learned:
        plan = ThinkingPlan(None, "", wanted)
    if plan.on and _thinking_missing(request, target):
        losses.append(Loss("thinking", "thinking", "the last tool turn has no thinking to continue from"))
        plan = ThinkingPlan(None, "", plan.max_tokens)
    return _Work(request, target, rules, ToolNames(named, RULES[MESSAGES]), losses, plan, own)


def _thinking_missing(request: ChatRequest, target: Target) -> bool:
    """Returns whether the open tool turn has no thinking of this vendor: manual thinking then refuses the request."""
    messages = request.messages
    if not messages or not any(isinstance(part, ToolResult) for part in messages[-1].parts):
        return False
    for message in reversed(messages):
        if message.role is not Role.ASSISTANT:
            continue
        if any(isinstance(part, ToolCall) for part in message.parts):
            return not any(
                isinstance(part, Reasoning) and fits(part.seal, MESSAGES, target.issuer) for part in message.parts
            )
    return False


def _sampling(work: _Work, body: dict[str, Any]) -> None:
    options, rules = work.request.options, work.rules
    temperature, top_p, top_k = options.temperature, options.top_p, options.top_k
    refused = "the model takes no sampling options" if not rules.sampling else ""
    if work.plan.on:
        refused = "not with a thinking budget"
        temperature = None if temperature == 1 else temperature
        top_p = None if top_p is not None and top_p >= 0.95 else top_p
        if options.top_p is not None and top_p is None and rules.sampling:
            body["top_p"] = options.top_p
    if refused:
        kept = replace(Options(), temperature=temperature, top_p=top_p, top_k=top_k)
        work.losses += option_losses(kept, ("temperature", "top_p", "top_k"), refused)
        return
    if temperature is not None:
        if temperature > 1:
            work.lose("options.temperature", "temperature", "at most 1 here", LossLevel.SILENT)
        body["temperature"] = min(temperature, 1)
    if top_p is not None and (temperature is None or rules.pair):
        body["top_p"] = top_p
    elif top_p not in (None, 1):
        work.lose("options.top_p", "top_p", "the model does not take it together with temperature")
    if top_k is not None:
        body["top_k"] = top_k


def _steering(work: _Work, body: dict[str, Any]) -> None:
    options = work.request.options
    stop = [each for each in options.stop if each.strip()]
    if stop:
        body["stop_sequences"] = stop
    if len(stop) < len(options.stop):
        work.lose("options.stop", "stop", "blank stop texts are refused", LossLevel.SILENT)
    if work.plan.thinking is not None:
        body["thinking"] = work.plan.thinking
    metadata = dict(bag(work.request.extras, MESSAGES).get(RAW_METADATA, {}))
    if options.user:
        metadata["user_id"] = _user(options.user) if not work.own else options.user
    if metadata:
        body["metadata"] = metadata
    if options.service_tier:
        tier = _TIERS.get(options.service_tier)
        if tier:
            body["service_tier"] = tier
        else:
            work.lose("options.service_tier", "service_tier", "this vendor has no such tier")
    if work.own:
        for key, value in (
            ("prompt_cache_key", options.cache_key),
            ("prompt_cache_retention", options.cache_retention),
        ):
            if value:
                body[key] = value
    work.losses += option_losses(options, _NOT_HERE, "this format has no such field")


def _user(user: str) -> str:
    if len(user) > _USER_LIMIT or _EMAIL.search(user):
        return sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
    return user


def _output(work: _Work, body: dict[str, Any]) -> None:
    """Structured output: natively where the model has it, else an answer tool whose input becomes the text."""
    config = dict(bag(work.request.extras, MESSAGES).get(RAW_OUTPUT, {}))
    if work.plan.effort:
        config["effort"] = work.plan.effort
    output = work.request.options.output
    if output is not None and output.kind == "json_schema" and isinstance(output.schema, dict):
        if OLD_OUTPUT in bag(work.request.extras, MESSAGES):
            body["output_format"] = {"type": "json_schema", "schema": output.schema}
        elif work.own and (work.rules.structured or not work.rules.known):
            config["format"] = {"type": "json_schema", "schema": output.schema}
        elif work.rules.structured:
            schema, removed = clean(object_schema(output.schema), MESSAGES_STRICT)
            work.losses += schema_losses(removed, "options.output", "moved into the description")
            config["format"] = {"type": "json_schema", "schema": schema}
        else:
            work.json_tool = True
    if config:
        body["output_config"] = config


def _tools(work: _Work, body: dict[str, Any]) -> None:
    choice = work.request.tool_choice
    allowed = set(choice.allowed) if choice is not None and choice.mode is ChoiceMode.ALLOWED else None
    tools: list[dict[str, Any]] = []
    taken = {tool.name for tool in work.request.tools if isinstance(tool, Tool)}
    for tool in work.request.tools:
        encoded = _function(work, tool) if isinstance(tool, Tool) else _server_tool(work, tool, taken)
        if encoded is not None and (allowed is None or tool_label(tool) in allowed):
            tools.append(encoded)
    if work.json_tool:
        output = work.request.options.output
        schema = object_schema(clean(output.schema if output else None, MESSAGES_TOOL)[0])
        described = (output.description if output else "") or "Gives the final answer."
        tools.append({"name": JSON_TOOL, "description": described, "input_schema": schema})
    if tools or NO_TOOLS in bag(work.request.extras, MESSAGES):
        body["tools"] = tools
    if tools:
        encoded_choice = _choice(work, choice, [text(tool.get("name")) for tool in tools])
        if encoded_choice is not None:
            body["tool_choice"] = encoded_choice


def tool_label(tool: Tool | ServerTool) -> str:
    """Returns the name an `allowed` list knows a tool by."""
    return tool.name if isinstance(tool, Tool) else text(tool.raw.get("name")) or tool.type


def _function(work: _Work, tool: Tool) -> dict[str, Any]:
    form = function_form(tool)
    schema = form.parameters
    if not work.own:
        schema, removed = clean(object_schema(schema), MESSAGES_TOOL)
        work.losses += schema_losses(removed, tool.at, "not allowed at the top of a tool's schema")
    encoded: dict[str, Any] = {"name": work.names.sent(form.name, form.namespace)}
    if form.description:
        encoded["description"] = form.description
    encoded["input_schema"] = schema if isinstance(schema, dict) else object_schema(schema)
    if form.strict is not None and (work.own or work.rules.strict_tools):
        if form.strict or work.own:
            encoded["strict"] = form.strict
        if form.strict and not work.own:
            encoded["input_schema"] = clean(encoded["input_schema"], MESSAGES_STRICT)[0]
    elif form.strict:
        work.lose(f"{tool.at}.strict", "strict", "the model has no strict tools", LossLevel.SILENT)
    unload(tool.extras, MESSAGES, encoded)
    work.losses += luggage_losses(tool.extras, MESSAGES, tool.at)
    return encoded


def _server_tool(work: _Work, tool: ServerTool, taken: set[str]) -> dict[str, Any] | None:
    """Returns a server tool as the vendor has it; `taken` are the names in use, of which none may come twice."""
    if tool.format is MESSAGES:
        return dict(tool.raw)
    if tool.capability == "web_search" and work.target.capabilities.get("web_search") is not False:
        encoded = _web_search(tool)
        if encoded["name"] in taken:
            work.lose(tool.at, tool.type, NAME_TAKEN)
            return None
        taken.add(encoded["name"])
        work.losses += search_losses(tool, ("search_context_size",))
        return encoded
    work.lose(tool.at, tool.type, f"only {tool.format} can run this tool", LossLevel.REJECT)
    return None


def _web_search(tool: ServerTool) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "type": "web_search_20250305",
        "name": text(tool.raw.get("name")) or "web_search",
    }
    most = count(tool.raw.get("max_uses"))
    if most:
        encoded["max_uses"] = most
    domains = table(tool.raw.get("filters")).get("allowed_domains")
    if isinstance(domains, list) and domains:
        encoded["allowed_domains"] = domains
    place = table(tool.raw.get("user_location"))
    place = table(place.get("approximate")) or place
    if place:
        encoded["user_location"] = {"type": "approximate", **{k: v for k, v in place.items() if k != "type" and v}}
    return encoded


def _choice(work: _Work, choice: ToolChoice | None, tools: list[str]) -> dict[str, Any] | None:
    encoded: dict[str, Any] | None = None
    if work.json_tool and not work.plan.on:
        encoded = {"type": "tool", "name": JSON_TOOL} if len(tools) == 1 else {"type": "any"}
    elif choice is not None:
        match choice.mode:
            case ChoiceMode.NONE:
                encoded = {"type": "none"}
            case ChoiceMode.REQUIRED:
                encoded = {"type": "any"}
            case ChoiceMode.TOOL:
                known = any(isinstance(t, Tool) and t.name == choice.name for t in work.request.tools)
                name = work.names.sent(choice.name) if known else choice.name
                encoded = {"type": "tool", "name": name}
                if name not in tools and not work.own:
                    work.lose("tool_choice", "tool_choice", NOT_SENT)
                    encoded = {"type": "auto"}
            case ChoiceMode.ALLOWED:
                encoded = {"type": "any" if choice.required else "auto"}
            case ChoiceMode.AUTO:
                encoded = {"type": "auto"}
    if work.plan.on and encoded is not None and encoded["type"] in ("any", "tool"):
        work.lose("tool_choice", "tool_choice", "not forced while thinking with a budget")
        encoded = {"type": "auto"}
    parallel = work.request.options.parallel_tools
    if parallel is not None and (encoded is None or encoded["type"] != "none") and (work.own or not parallel):
        encoded = {**(encoded or {"type": "auto"}), "disable_parallel_tool_use": not parallel}
    return encoded


def _system(work: _Work) -> str | list[dict[str, Any]]:
    request = work.request
    parts = []
    for part in request.system:
        words = plain_text(part)
        if words is None:
            work.lose(getattr(part, "at", ""), "system", "only text can instruct")
        elif words.strip():
            parts.append(part if isinstance(part, Text) else Text(words))
    own_list = AS_LIST in bag(request.extras, MESSAGES)
    output = request.options.output
    if output is not None and output.kind == "json_object":
        parts.append(Text(_JSON_ONLY))
    if work.json_tool and work.plan.on:
        parts.append(Text(_ONLY_TOOL))
    if work.own or any(MESSAGES in part.extras for part in parts):
        if len(parts) == 1 and not own_list and blocks.simple_text((parts[0],)):
            return parts[0].text
        return [blocks.text_block(part) for part in parts]
    return "\n".join(part.text.strip() for part in parts)


def _check_prefill(work: _Work, messages: list[dict[str, Any]]) -> None:
    """Takes the trailing white space the vendor refuses off a prefill; refuses it for models without prefill."""
    if not messages or messages[-1]["role"] != "assistant":
        return
    content = messages[-1]["content"]
    if work.rules.prefill:
        if isinstance(content, str):
            messages[-1]["content"] = content.rstrip()
        elif content[-1]["type"] == "text":
            content[-1] = {**content[-1], "text": content[-1]["text"].rstrip()}
        return
    if not isinstance(content, str) and content[-1]["type"] not in ("text",):
        return
    raise fail(
        ErrorKind.INVALID_REQUEST,
        f"{work.target.model} cannot continue an assistant message: end the conversation with a user turn"
        " (ask for the wanted form in it, or use structured output)",
        param="messages",
    )
