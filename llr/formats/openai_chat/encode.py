"""The intermediate form to Chat Completions requests.

Law: `messages` comes last, so that a longer conversation's body begins with the shorter one's.
"""

from hashlib import sha256
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.names import FormatId
from llr.formats.base import Encoded, Target
from llr.formats.cache import mark_of
from llr.formats.effort import openai_effort
from llr.formats.fields import luggage_losses, option_losses, passthrough, schema_losses
from llr.formats.foreign import BILLING_LINE, plain_text
from llr.formats.models_rules import openai_reasoning
from llr.formats.openai_chat.parts import CHAT, attach, text_part
from llr.formats.openai_chat.request import (
    LIMIT_FIELD,
    ORIGIN,
    OWN,
    RAW_STREAM_OPTIONS,
    USER_FIELD,
)
from llr.formats.openai_chat.tools import Work, declared, encode_tools
from llr.formats.openai_chat.turns import Conversation, call_ids, custom_tools
from llr.formats.reading import bag, text, unload
from llr.formats.schema import OPENAI_STRICT, OPENAI_TOOL, clean, object_schema, schema_words
from llr.formats.tool_names import RULES, ToolNames
from llr.ir.loss import LossLevel
from llr.ir.parts import Part, Text
from llr.ir.request import ChatRequest

# Vendor reference: at most four stop texts.
MOST_STOPS = 4
# Vendor reference: `user` has at most 64 characters in the strictest of the compatible servers.
_USER_LIMIT = 64
_TIERS = {"standard_only": "default"}
_SAME_NAME = (
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "n",
    "logprobs",
    "top_logprobs",
)


def encode_request(request: ChatRequest, target: Target) -> Encoded:
    """Returns a Chat body for `target`. Raises `GatewayError(INVALID_REQUEST)` for what has no equivalent."""
    if request.previous_response_id:
        said = f"Previous response with id '{request.previous_response_id}' not found."
        raise fail(ErrorKind.INVALID_REQUEST, said, param="previous_response_id")
    named = [(tool.name or tool.kind.value, tool.namespace) for tool in declared(request)]
    own = OWN in bag(request.extras, CHAT)
    work = Work(request, target, ToolNames(named, RULES[CHAT]), [], own, openai_reasoning(target.model))
    body: dict[str, Any] = {"model": target.model, "stream": request.stream}
    _limits(work, body)
    _sampling(work, body)
    _steering(work, body)
    _output(work, body)
    encode_tools(work, body)
    unload(request.extras, CHAT, body)
    if work.flag("cache_control") is True and "cache_control" not in body and (mark := mark_of(request.extras)):
        body["cache_control"] = mark
    body.update(passthrough(request.extras, CHAT, target))
    custom = custom_tools(target, request.extras)
    conversation = Conversation(target, work.names, work.losses, call_ids(target), custom)
    conversation.messages += _system(work)
    for message in request.messages:
        conversation.add(message)
    body["messages"] = conversation.finish()
    _check_prefill(work, body["messages"])
    work.losses += luggage_losses(request.extras, CHAT)
    return Encoded(body, tuple(work.losses), work.names.changed())


def _limits(work: Work, body: dict[str, Any]) -> None:
    wanted, limit = work.request.options.max_tokens, work.target.max_output_tokens
    if not wanted:
        return
    if limit is not None and wanted > limit:
        work.lose("options.max_tokens", "max_tokens", f"the model's limit is {limit}", LossLevel.SILENT)
        wanted = limit
    flag = work.flag("max_completion_tokens")
    name = "max_completion_tokens" if (flag if isinstance(flag, bool) else work.thinker) else "max_tokens"
    body[text(bag(work.request.extras, CHAT).get(LIMIT_FIELD)) or name] = wanted


def _sampling(work: Work, body: dict[str, Any]) -> None:
    options = work.request.options
    if work.thinker and not work.own:
        work.losses += option_losses(options, ("temperature", "top_p"), "the model takes no sampling options")
    else:
        if options.temperature is not None:
            body["temperature"] = options.temperature
        if options.top_p is not None:
            body["top_p"] = options.top_p
    if options.top_k is not None:
        if work.own or work.flag("top_k") is True:
            body["top_k"] = options.top_k
        else:
            work.lose("options.top_k", "top_k", "not a field of this format")
    for name in _SAME_NAME:
        value = getattr(options, name)
        if value is not None:
            body[name] = value
    if options.stop:
        stop: Any = list(options.stop)
        if len(stop) > MOST_STOPS and not work.own:
            work.lose("options.stop", "stop", f"at most {MOST_STOPS} stop texts")
            stop = stop[:MOST_STOPS]
        body["stop"] = stop[0] if "~stop" in bag(work.request.extras, CHAT) and len(stop) == 1 else stop


def _steering(work: Work, body: dict[str, Any]) -> None:
    options, own = work.request.options, bag(work.request.extras, CHAT)
    _effort(work, body)
    if options.verbosity:
        body["verbosity"] = options.verbosity
    if options.user and USER_FIELD not in own:
        long = len(options.user) > _USER_LIMIT and not work.own
        body["user"] = sha256(options.user.encode("utf-8", "surrogatepass")).hexdigest() if long else options.user
    if options.metadata is not None:
        body["metadata"] = options.metadata
    if options.service_tier:
        body["service_tier"] = _TIERS.get(options.service_tier, options.service_tier)
    if options.store is not None and work.own:
        body["store"] = options.store
    if options.cache_key and work.flag("prompt_cache_key") is not False:
        body["prompt_cache_key"] = options.cache_key
    if options.cache_retention and work.flag("prompt_cache_key") is not False:
        body["prompt_cache_retention"] = options.cache_retention
    stream_options = dict(own.get(RAW_STREAM_OPTIONS, {}))
    if options.include_usage is not None:
        stream_options["include_usage"] = options.include_usage
    wanted = work.request.stream and not work.own and work.flag("stream_usage") is not False
    if wanted and work.flag("supportsStreamOptions") is not False:
        stream_options["include_usage"] = True
    if stream_options:
        body["stream_options"] = stream_options


def _effort(work: Work, body: dict[str, Any]) -> None:
    """`reasoning_effort` is what the Chat endpoint reads; `reasoningStyle: nested` names servers with an object."""
    options = work.request.options
    given = bag(work.request.extras, CHAT)
    if work.own and "reasoning" in given:
        return
    effort = options.thinking.effort if work.own else ""
    if not work.own or "reasoning_effort" in work.target.learned:
        effort = openai_effort(options.thinking, options.max_tokens, work.target.model, work.target.capabilities)
    if not effort:
        return
    if work.flag("reasoningStyle") == "nested":
        body["reasoning"] = {"effort": effort}
    else:
        body["reasoning_effort"] = effort


def _output(work: Work, body: dict[str, Any]) -> None:
    output = work.request.options.output
    if output is None:
        return
    if output.kind == "json_object" or work.flag("json_schema") is False:
        body["response_format"] = {"type": "json_object"}
        return
    schema: Any = output.schema
    strict = output.strict
    if not work.own:
        rule = OPENAI_STRICT if strict else OPENAI_TOOL
        schema, removed = clean(object_schema(schema), rule)
        work.losses += schema_losses(removed, "options.output", "not allowed in a strict schema")
    form: dict[str, Any] = {"name": output.name or "output"}
    if output.description:
        form["description"] = output.description
    if schema is not None:
        form["schema"] = schema
    if strict is not None:
        form["strict"] = strict
    body["response_format"] = {"type": "json_schema", "json_schema": form}


def _system(work: Work) -> list[dict[str, Any]]:
    """Leading instructions: the client's own messages again, or one message of everything others wrote."""
    request = work.request
    origin = [bag(part.extras, CHAT).get(ORIGIN) if isinstance(part, Text) else None for part in request.system]
    if work.own and all(each is not None for each in origin):
        messages = _own_system(request.system, origin)
    else:
        messages = _one_system(work)
    output = request.options.output
    if output is not None and output.kind == "json_schema" and work.flag("json_schema") is False:
        messages.append({"role": "system", "content": schema_words(output.schema)})
    if work.flag("developer_role") is False or "no-developer-role" in work.target.learned:
        messages = [{**message, "role": "system"} for message in messages]
    return messages


def _own_system(parts: tuple[Part, ...], origin: list[Any]) -> list[dict[str, Any]]:
    grouped: dict[int, tuple[str, bool, dict[str, Any], list[dict[str, Any]]]] = {}
    for part, (place, role, as_list, rest) in zip(parts, origin, strict=True):
        if isinstance(part, Text):
            made: dict[str, Any] = {"type": "text", "text": part.text}
            attach(part.extras, made, marks=False)
            grouped.setdefault(place, (role, as_list, rest, []))[3].append(made)
    messages = []
    for role, as_list, rest, made_parts in grouped.values():
        content: Any = made_parts if as_list else made_parts[0]["text"]
        messages.append({"role": role, "content": content, **rest})
    return messages


def _one_system(work: Work) -> list[dict[str, Any]]:
    parts: list[Text] = []
    for part in work.request.system:
        said = plain_text(part)
        if said is None:
            work.lose(getattr(part, "at", ""), "system", "only text can instruct")
        elif said.startswith(BILLING_LINE):
            work.lose(getattr(part, "at", ""), "system", "a billing line of another vendor", LossLevel.SILENT)
        elif said.strip():
            parts.append(part if isinstance(part, Text) else Text(said))
    if not parts:
        return []
    role = "developer" if work.flag("developer_role") is True else "system"
    if work.flag("cache_control") is True and any(mark_of(part.extras) for part in parts):
        return [{"role": role, "content": [text_part(Text(p.text, extras=_marks(p)), marks=True) for p in parts]}]
    for part in parts:
        if part.extras:
            work.losses += luggage_losses(part.extras, CHAT, part.at)
    return [{"role": role, "content": "\n\n".join(part.text for part in parts)}]


def _marks(part: Text) -> dict[FormatId, Any]:
    return {FormatId.MESSAGES: part.extras[FormatId.MESSAGES]} if FormatId.MESSAGES in part.extras else {}


def _check_prefill(work: Work, messages: list[dict[str, Any]]) -> None:
    if work.flag("prefill") is not False or not messages or messages[-1]["role"] != "assistant":
        return
    if not messages[-1].get("tool_calls"):
        messages.pop()
        work.lose("messages", "prefill", "the target cannot continue an assistant message")
