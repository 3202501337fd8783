"""Request fields: how each format names an option, what is lost on the way, what a model must not get.

Law: `filtered` only removes, renames or sets what flags or learned repairs name; a body nothing applies to comes back
as the same object.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llr.base.names import FormatId
from llr.formats.base import Target
from llr.formats.reading import NOTE, words
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import Extras
from llr.ir.request import Options

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
# Options whose loss does not change quality or meaning.
_SILENT = words(
    "seed logit_bias presence_penalty frequency_penalty user metadata verbosity cache_key cache_retention store "
    "include_usage service_tier"
)
# Luggage that matters: without `mcp_servers` tools vanish, background and audio change what an answer is.
_REJECT = frozenset(("mcp_servers", "background", "audio", "modalities", "conversation", "prompt"))
_SILENT_LUGGAGE = words(
    "cache_control stream_options prediction moderation safety_identifier client_metadata prompt_cache_options "
    "diagnostics object name internal_chat_message_metadata_passthrough"
)


def option_losses(options: Options, names: Iterable[str], why: str) -> list[Loss]:
    """Returns a loss for each of these options that the client set."""
    losses = []
    for name in names:
        if getattr(options, name) not in (None, "", ()):
            level = LossLevel.SILENT if name in _SILENT else LossLevel.WARN
            losses.append(Loss(f"{OPTION}{name}", name, why, level))
    return losses


def luggage_losses(extras: Extras, own: FormatId, at: str = "") -> list[Loss]:
    """Returns a loss for each field of another format that only that format understands."""
    losses = []
    for form, bag in extras.items():
        if form is own:
            continue
        for key, value in bag.items():
            if key[:1] != NOTE and value is not None:
                path = f"{at}.{key}" if at else key
                level = LossLevel.REJECT if key in _REJECT and not at else LossLevel.WARN
                level = LossLevel.SILENT if key in _SILENT_LUGGAGE else level
                losses.append(Loss(path, key, f"only {form} has this field", level))
    return losses


def named(losses: Iterable[Loss], client: FormatId) -> tuple[Loss, ...]:
    """Returns the losses with options called as the client's format calls them, each once."""
    names = _CLIENT_NAMES.get(client, {})
    out: dict[tuple[str, str], Loss] = {}
    for loss in losses:
        path = loss.path
        if path.startswith(OPTION):
            option = path[len(OPTION) :]
            path = names.get(option, option)
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
# What repair learned is written as one of these and a field path ("drop:temperature", "rename:max_tokens=...").
DROP, RENAME = "drop:", "rename:"


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
    """Returns the field paths that a target must not get: flags, `dropFields` and what was learned."""
    flags = target.capabilities
    gone = [name for flag, names in _FILTERS.items() if flags.get(flag) is False for name in names]
    configured = flags.get("dropFields")
    if isinstance(configured, list | tuple):
        gone += [name for name in configured if isinstance(name, str)]
    gone += sorted(item[len(DROP) :] for item in target.learned if item.startswith(DROP))
    return gone


def filtered(body: dict[str, Any], target: Target) -> dict[str, Any]:
    """Returns `body` as this target takes it: without refused fields, with renamed and forced ones."""
    for path in dropped_fields(target):
        body = _without(body, path)
    for item in sorted(target.learned):
        if item.startswith(RENAME):
            old, _, new = item[len(RENAME) :].partition("=")
            body = _renamed(body, old, new)
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
