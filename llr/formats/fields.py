"""Request fields: how each format names an option, what is lost on the way, what a model must not get.

Law: `filtered` only removes, renames or sets what flags or learned repairs name; a body nothing applies to comes back
as the same object.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llr.base.errors import ErrorKind, fail
from llr.base.names import FormatId
from llr.formats.base import Target
from llr.formats.reading import NOTE, words
from llr.formats.schema import schema_words
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Extras
from llr.ir.request import ChatRequest, Options

# Losses of options are noted under this prefix and get the client's own field name in `named`.
OPTION = "options."
_OPENAI_SHARED = {"parallel_tools": "parallel_tool_calls", "cache_key": "prompt_cache_key"}
_CLIENT_NAMES: Mapping[FormatId, Mapping[str, str]] = {
    FormatId.MESSAGES: {
        "stop": "stop_sequences",
        "parallel_tools": "tool_choice.disable_parallel_tool_use",
        "output": "output_config.format",
        "user": "metadata.user_id",
        "cache_key": "prompt_cache_key",
        "cache_retention": "prompt_cache_retention",
    },
    FormatId.CHAT: {
        **_OPENAI_SHARED,
        "output": "response_format",
        "thinking": "reasoning_effort",
        "cache_retention": "prompt_cache_retention",
        "include_usage": "stream_options.include_usage",
    },
    FormatId.COMPLETIONS: {},
    FormatId.RESPONSES: {
        **_OPENAI_SHARED,
        "max_tokens": "max_output_tokens",
        "output": "text.format",
        "thinking": "reasoning",
        "verbosity": "text.verbosity",
        "cache_retention": "prompt_cache_retention",
    },
    FormatId.GEMINI: {
        "max_tokens": "generationConfig.maxOutputTokens",
        "temperature": "generationConfig.temperature",
        "top_p": "generationConfig.topP",
        "top_k": "generationConfig.topK",
        "stop": "generationConfig.stopSequences",
        "seed": "generationConfig.seed",
        "n": "generationConfig.candidateCount",
        "presence_penalty": "generationConfig.presencePenalty",
        "frequency_penalty": "generationConfig.frequencyPenalty",
        "logprobs": "generationConfig.responseLogprobs",
        "top_logprobs": "generationConfig.logprobs",
        "thinking": "generationConfig.thinkingConfig",
        "output": "generationConfig.responseSchema",
    },
}
# What other formats give unasked or ask for by fields of their own.
_INCLUDED = ("reasoning.encrypted_content", "message.output_text.logprobs")
# Options whose loss does not change quality or meaning.
_SILENT = words(
    "seed logit_bias presence_penalty frequency_penalty user metadata verbosity cache_key cache_retention store "
    "include_usage service_tier"
)
# Luggage that matters: without `mcp_servers` tools vanish, background and audio change what an answer is.
_REJECT = words("mcp_servers background audio modalities conversation prompt cachedContent")
_SILENT_LUGGAGE = words(
    "cache_control stream_options prediction moderation safety_identifier user client_metadata prompt_cache_options "
    "diagnostics object name internal_chat_message_metadata_passthrough thoughtSignature logprobs "
    "reasoning.context"
)
# Objects whose members are named one by one, and the members that are carried in another way.
_SPREAD: Mapping[str, frozenset[str]] = {
    "generationConfig": frozenset(),
    "~toolConfig": frozenset(("functionCallingConfig",)),
    "~output_config": frozenset(),
    "reasoning": frozenset(("effort", "max_tokens")),
}
# What every answer is anyway.
_TEXT_ONLY = ["text"]
# What is so without being said: SDKs and chat programs write these out.
_NEUTRAL: Mapping[str, Any] = {
    "background": False,
    "truncation": "disabled",
    "response_format": {"type": "text"},
    "logprobs": False,
    "top_logprobs": 0,
    "top_p": 1,
}


def option_losses(options: Options, names: Iterable[str], why: str) -> list[Loss]:
    """Returns a loss for each of these options that the client set."""
    losses = []
    for name in names:
        value = getattr(options, name)
        if value not in (None, "", ()) and not _neutral(name, value):
            level = LossLevel.SILENT if name in _SILENT else LossLevel.WARN
            losses.append(Loss(f"{OPTION}{name}", name, why, level))
    return losses


def luggage_losses(extras: Extras, own: FormatId, at: str = "") -> list[Loss]:
    """Returns a loss for each field of another format that only that format understands."""
    losses = []
    kept = extras.get(own, {})
    for form, bag in extras.items():
        if form is own:
            continue
        for key, value in _spread(bag):
            # Nothing is lost with a field that holds nothing: `"logprobs": []`, `"content": null`.
            if key[:1] != NOTE and value not in (None, [], {}, "") and key not in kept and not _neutral(key, value):
                path = f"{at}.{key}" if at else key
                level = LossLevel.REJECT if key in _REJECT and not at else LossLevel.WARN
                level = LossLevel.SILENT if key in _SILENT_LUGGAGE else level
                losses.append(Loss(path, key, f"only {form} has this field", level))
    return losses


def _neutral(name: str, value: Any) -> bool:
    return name in _NEUTRAL and bool(value == _NEUTRAL[name])


def _spread(bag: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the fields of one format's luggage that say something beyond what every answer is."""
    for key, value in bag.items():
        if key in _SPREAD and isinstance(value, dict):
            for inner, given in value.items():
                if inner not in _SPREAD[key] and not (inner == "responseModalities" and _only_text(given)):
                    yield f"{key.removeprefix(NOTE)}.{inner}", given
        elif key != "type" and not (key == "modalities" and _only_text(value)):
            yield key, value


def _only_text(modalities: Any) -> bool:
    return isinstance(modalities, list) and [str(each).lower() for each in modalities] == _TEXT_ONLY


def refuse_modalities(request: ChatRequest) -> None:
    """Raises `GatewayError(INVALID_REQUEST)` when the client wants sound or pictures back: only its own format can."""
    config = request.extras.get(FormatId.GEMINI, {}).get("generationConfig")
    asked = {
        "modalities": request.extras.get(FormatId.CHAT, {}).get("modalities"),
        "generationConfig.responseModalities": config.get("responseModalities") if isinstance(config, dict) else None,
    }
    for param, wanted in asked.items():
        if isinstance(wanted, list) and wanted and not _only_text(wanted):
            said = f"`{param}` asks for more than text, which the model behind this name cannot give"
            raise fail(ErrorKind.INVALID_REQUEST, said, param=param)


def include_losses(options: Options) -> list[Loss]:
    """Returns a loss for each `include` entry that stands for no field of another format."""
    why = "only openai-responses can include this"
    return [Loss("include", name, why) for name in options.include if name not in _INCLUDED]


def schema_losses(removed: Iterable[str], at: str, why: str, level: LossLevel = LossLevel.WARN) -> list[Loss]:
    """Returns a loss for each schema path ("$.properties.a.format") that was taken away from what stands at `at`."""
    return [Loss(f"{at}{path[1:]}", path.rpartition(".")[2], why, level) for path in removed]


def refuse_choices(request: ChatRequest) -> None:
    """Raises `GatewayError(INVALID_REQUEST)` when the client wants several choices: only Chat can give them."""
    if request.options.n is not None and request.options.n > 1:
        raise fail(ErrorKind.INVALID_REQUEST, "more than one choice: the model behind this name gives one", param="n")


def named(losses: Iterable[Loss], client: FormatId) -> tuple[Loss, ...]:
    """Returns the losses with options called as the client's format calls them, each once."""
    names = _CLIENT_NAMES.get(client, {})
    out: dict[tuple[str, str], Loss] = {}
    for loss in losses:
        path = loss.path
        if path.startswith(OPTION):
            option = path[len(OPTION) :]
            option, dot, rest = option.partition(".")
            path = names.get(option, option) + dot + rest
            loss = Loss(path, path if loss.what == option else loss.what, loss.why, loss.level)
        out.setdefault((path, loss.what), loss)
    return tuple(out.values())


# Per-model flags of the config: False removes these fields from whatever goes out.
_FILTERS: Mapping[str, tuple[str, ...]] = {
    "supportsReasoning": ("reasoning_effort", "reasoning"),
    "supportsThinking": ("thinking",),
    "supportsResponseFormat": ("response_format",),
    "supportsLogprobs": ("logprobs", "top_logprobs"),
    "supportsServiceTier": ("service_tier",),
    "supportsPrediction": ("prediction", "predicted_output"),
    "supportsStreamOptions": ("stream_options",),
}
# What repair learned is written as one of these and a name: a field path of the body to leave out, a field to rename
# ("max_tokens=max_completion_tokens"), a key that messages, their parts and tools must not have, a schema keyword, the
# most output tokens, and the name of the hosted search.
DROP, RENAME, PART, SCHEMA, LIMIT = "drop:", "rename:", "part:", "schema:", "limit:"
# A field of messages themselves, not of their parts; two things to do without a name.
MESSAGE, SIGN_CALLS, SCHEMA_IN_WORDS = "message:", "sign:calls", "answer:in-words"
# The vendor's documented stand-in for the signature of a call that another model made.
NO_SIGNATURE = "skip_thought_signature_validator"
_TOKEN_FIELDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_SCHEMA_FIELDS = ("input_schema", "parameters", "parametersJsonSchema", "schema", "responseSchema")


def _without(body: dict[str, Any], path: str) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    if head not in body:
        return body
    if rest:
        inner = body[head]
        if not isinstance(inner, dict):
            return body
        left = _without(inner, rest)
        return body if left is inner else {**body, head: left}
    return {key: value for key, value in body.items() if key != head}


def _renamed(body: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    if old not in body:
        return body
    return {new if key == old else key: value for key, value in body.items() if key != new or key == old}


def dropped_fields(target: Target) -> list[str]:
    """Returns the field paths that a target must not get by flags and `dropFields`."""
    flags = target.capabilities
    gone = [name for flag, names in _FILTERS.items() if flags.get(flag) is False for name in names]
    configured = flags.get("dropFields")
    if isinstance(configured, list | tuple):
        gone += [name for name in configured if isinstance(name, str)]
    return gone


def _stripped(value: Any, key: str) -> Any:
    """Returns messages, parts or tools without `key` at any depth outside schemas and arguments."""
    if isinstance(value, list):
        made = [_stripped(item, key) for item in value]
        return value if all(new is old for new, old in zip(made, value, strict=True)) else made
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    same = True
    for name, item in value.items():
        if name == key:
            same = False
            continue
        new = item if name in _SCHEMA_FIELDS or name in ("input", "arguments") else _stripped(item, key)
        same = same and new is item
        out[name] = new
    return value if same else out


def _without_keyword(value: Any, keyword: str, *, inside: bool = False) -> Any:
    """Returns tools or output formats whose schemas do not use `keyword`; a property of that name stays."""
    if isinstance(value, list):
        return [_without_keyword(item, keyword, inside=inside) for item in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for name, item in value.items():
        if inside and name == keyword:
            continue
        if inside and name in ("properties", "$defs", "definitions", "patternProperties") and isinstance(item, dict):
            out[name] = {key: _without_keyword(sub, keyword, inside=True) for key, sub in item.items()}
        elif inside and name in ("enum", "const", "default", "required", "examples"):
            out[name] = item
        else:
            out[name] = _without_keyword(item, keyword, inside=inside or name in _SCHEMA_FIELDS)
    return out


def _limited(body: dict[str, Any], most: int) -> dict[str, Any]:
    over: dict[str, Any] = {
        name: most for name in _TOKEN_FIELDS if isinstance(body.get(name), int) and body[name] > most
    }
    thinking = body.get("thinking")
    if over and isinstance(thinking, dict) and isinstance(thinking.get("budget_tokens"), int):
        over["thinking"] = {**thinking, "budget_tokens": max(1024, min(thinking["budget_tokens"], most - 1024))}
    config = body.get("generationConfig")
    if isinstance(config, dict) and isinstance(config.get("maxOutputTokens"), int) and config["maxOutputTokens"] > most:
        over["generationConfig"] = {**config, "maxOutputTokens": most}
    return {**body, **over} if over else body


def _searching(body: dict[str, Any], name: str) -> dict[str, Any]:
    tools = body.get("tools")
    if not isinstance(tools, list):
        return body

    def hosted(value: Any) -> bool:
        kind = value.get("type") if isinstance(value, dict) else value
        return isinstance(kind, str) and kind.startswith("web_search")

    named = [{**tool, "type": name} if hosted(tool) and isinstance(tool, dict) else tool for tool in tools]
    choice = {"tool_choice": "required"} if hosted(body.get("tool_choice")) else {}
    return {**body, "tools": named, **choice}


def _nameless(message: Any, key: str) -> Any:
    """Returns a message without one of its own fields; the result of a legacy function is found by its name."""
    if not isinstance(message, dict) or key not in message or message.get("role") == "function":
        return message
    return {name: value for name, value in message.items() if name != key}


def _signed(content: Any) -> Any:
    """Returns a Gemini content whose first call has a signature."""
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        return content
    for place, part in enumerate(parts):
        if isinstance(part, dict) and "functionCall" in part:
            if part.get("thoughtSignature"):
                return content
            signed = {**part, "thoughtSignature": NO_SIGNATURE}
            return {**content, "parts": [*parts[:place], signed, *parts[place + 1 :]]}
    return content


def _answering_in_words(body: dict[str, Any]) -> dict[str, Any]:
    """Returns a Chat body that asks for JSON, with its schema in the instructions, where it asked by the schema."""
    form, messages = body.get("response_format"), body.get("messages")
    if not isinstance(form, dict) or form.get("type") != "json_schema" or not isinstance(messages, list):
        return body
    lead = next((at for at, each in enumerate(messages) if each.get("role") not in ("system", "developer")), 0)
    asked = {"role": "system", "content": schema_words(form.get("json_schema", {}).get("schema"))}
    told = [*messages[:lead], asked, *messages[lead:]]
    return {**body, "response_format": {"type": "json_object"}, "messages": told}


def apply_learned(body: dict[str, Any], learned: Iterable[str]) -> dict[str, Any]:
    """Returns `body` with what was learned about a target applied; marks that are no field names do nothing here."""
    for item in sorted(learned):
        kind, _, name = item.partition(":")
        match f"{kind}:":
            case "drop:":
                body = _without(body, name)
            case "rename:":
                old, _, new = name.partition("=")
                body = _renamed(body, old, new)
            case "part:":
                held = {key: _stripped(body[key], name) for key in _HOLDERS if key in body}
                body = {**body, **held} if any(held[key] is not body[key] for key in held) else body
            case "schema:":
                schemas = {key: _without_keyword(body[key], name) for key in _SCHEMA_HOLDERS if key in body}
                body = {**body, **schemas}
            case "limit:" if name.isdigit():
                body = _limited(body, int(name))
            case "search:":
                body = _searching(body, name)
            case "message:" if isinstance(body.get("messages"), list):
                body = {**body, "messages": [_nameless(each, name) for each in body["messages"]]}
            case "sign:" if isinstance(body.get("contents"), list):
                body = {**body, "contents": [_signed(each) for each in body["contents"]]}
            case "answer:":
                body = _answering_in_words(body)
    return body


_HOLDERS = ("messages", "system", "input", "contents", "tools")
_SCHEMA_HOLDERS = ("tools", "functions", "output_config", "response_format", "text", "generationConfig")


def filtered(body: dict[str, Any], target: Target) -> dict[str, Any]:
    """Returns `body` as this target takes it: without refused fields, with renamed and forced ones."""
    for path in dropped_fields(target):
        body = _without(body, path)
    if target.learned:
        body = apply_learned(body, target.learned)
    renames = target.capabilities.get("renameFields")
    if isinstance(renames, Mapping):
        for old, new in renames.items():
            if isinstance(new, str):
                body = _renamed(body, old, new)
    forced = target.capabilities.get("forceFields")
    return {**body, **forced} if isinstance(forced, Mapping) and forced else body


def passthrough(extras: Extras, own: FormatId, target: Target) -> dict[str, Any]:
    """Returns the client's fields of other formats that config lets through to this target (`passthroughFields`)."""
    wanted = target.capabilities.get("passthroughFields")
    if not isinstance(wanted, list | tuple):
        return {}
    return {
        key: value for form, bag in extras.items() if form is not own for key, value in bag.items() if key in wanted
    }
